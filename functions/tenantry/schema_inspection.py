"""schema-inspection: what tables a tenant has, read from the catalog of its schema alone."""

from flask import Request, Response

from tenantry.database import Database
from tenantry.endpoint import Group
from tenantry.fields import Arguments, Result


class SchemaTable(Result):
    table_name: str
    column_count: int
    row_estimate: int
    total_bytes: int
    description: str | None


class TableColumn(Result):
    column_name: str
    ordinal_position: int
    data_type: str
    is_nullable: bool
    column_default: str | None
    is_primary_key: bool
    description: str | None


class TableForeignKey(Result):
    constraint_name: str
    columns: list[str]
    foreign_table: str
    foreign_columns: list[str]
    on_update: str
    on_delete: str


class SchemaSummary(Result):
    table_count: int
    row_estimate: int
    total_bytes: int


class GetSchemaTables(Arguments):
    schema_name: str


class GetTableColumns(Arguments):
    schema_name: str
    table_name: str


class GetTableForeignKeys(Arguments):
    schema_name: str
    table_name: str


class GetSchemaSummary(Arguments):
    schema_name: str


def get_schema_tables(database: Database, arguments: GetSchemaTables) -> list[SchemaTable]:
    """The tables of a tenant by name, with sizes and row estimates from statistics.

    The tables of a tenant by name, with sizes and row estimates from statistics; nothing is
    scanned. Members and platform staff. Errors: tenant_not_found, tenant_suspended,
    not_authenticated, busy.
    """
    return database.call("get_schema_tables", arguments, list[SchemaTable])


def get_table_columns(database: Database, arguments: GetTableColumns) -> list[TableColumn]:
    """The columns of a table in their order.

    The columns of a tenant's table in their order. Members and platform staff. Errors:
    tenant_not_found, table_not_found, tenant_suspended, not_authenticated, busy.
    """
    return database.call("get_table_columns", arguments, list[TableColumn])


def get_table_foreign_keys(
    database: Database, arguments: GetTableForeignKeys
) -> list[TableForeignKey]:
    """The foreign keys of a table by name.

    The foreign keys of a tenant's table by name. Members and platform staff. Errors:
    tenant_not_found, table_not_found, tenant_suspended, not_authenticated, busy.
    """
    return database.call("get_table_foreign_keys", arguments, list[TableForeignKey])


def get_schema_summary(database: Database, arguments: GetSchemaSummary) -> SchemaSummary:
    """How many tables a tenant has, about how many rows, and their size on disk.

    How many tables a tenant has, about how many rows, and how large they are. Members and
    platform staff. Errors: tenant_not_found, tenant_suspended, not_authenticated, busy.
    """
    return database.call("get_schema_summary", arguments, SchemaSummary)


GROUP = Group(
    "schema-inspection",
    get_schema_tables,
    get_table_columns,
    get_table_foreign_keys,
    get_schema_summary,
)


def schema_inspection(request: Request) -> Response:
    return GROUP.answer(request)
