"""ddl-operations: a tenant's admin shapes the tenant's own tables."""

from typing import Annotated

from flask import Request, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictBool

from tenantry.database import Database
from tenantry.endpoint import Group
from tenantry.fields import Arguments
from tenantry.schema_inspection import SchemaTable, TableColumn, TableForeignKey


class Column(BaseModel):
    """A column of a table to be made."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    type: str
    nullable: bool | None = None
    default: JsonValue = None
    default_expression: str | None = None
    primary_key: bool | None = None
    unique: bool | None = None


class CreateTable(Arguments):
    schema_name: str
    table_name: str
    columns: Annotated[list[Column], Field(max_length=999)]
    description: Annotated[str, Field(max_length=1000)] | None = None


class DropTable(Arguments):
    schema_name: str
    table_name: str


class AddColumn(Arguments):
    schema_name: str
    table_name: str
    column_name: str
    column_type: str
    is_nullable: StrictBool = True
    default_value: JsonValue = None
    default_expression: str | None = None


class DropColumn(Arguments):
    schema_name: str
    table_name: str
    column_name: str


class AddForeignKey(Arguments):
    schema_name: str
    table_name: str
    column_name: str
    foreign_table: str
    foreign_column: str = "id"
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"


class DropForeignKey(Arguments):
    schema_name: str
    table_name: str
    constraint_name: str


def create_table(database: Database, arguments: CreateTable) -> list[TableColumn]:
    """Make a table that the Data API serves at once: members read it, writers write it.

    Makes a table in a tenant, reachable through the Data API at once: members read it,
    writers write it. columns is an array of {name, type, nullable = true, default,
    default_expression, primary_key, unique}; without a primary key, the column id becomes
    it, made as uuid where there is none. Admins of the tenant or of the platform. Errors:
    invalid_identifier, invalid_column_type, invalid_default, invalid_request, table_exists,
    column_exists, table_limit, tenant_not_found, tenant_suspended, forbidden,
    not_authenticated, busy.
    """
    return database.call("create_table", arguments, list[TableColumn])


def drop_table(database: Database, arguments: DropTable) -> SchemaTable:
    """Destroy a table and its rows. Nothing cascades.

    Destroys a table of a tenant and its rows; returns what it was. Nothing cascades. Admins
    of the tenant or of the platform. Errors: table_not_found, protected_table,
    has_dependents, tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.
    """
    return database.call("drop_table", arguments, SchemaTable)


def add_column(database: Database, arguments: AddColumn) -> TableColumn:
    """Add a column; where every tenant has the table, only as x_….

    Adds a column to a table of a tenant; where every tenant has that table, only as x_…,
    nullable or with a default. Existing rows get the default; gen_random_uuid() makes
    PostgreSQL write them all anew while readers wait, and is refused where that takes
    longer than 5 s. Admins of the tenant or of the platform. Errors: invalid_identifier,
    invalid_column_type, invalid_default, invalid_request, table_not_found, column_exists,
    table_not_empty, protected_table, tenant_not_found, tenant_suspended, forbidden,
    not_authenticated, busy.
    """
    return database.call("add_column", arguments, TableColumn)


def drop_column(database: Database, arguments: DropColumn) -> TableColumn:
    """Destroy a column and its values. Nothing cascades.

    Drops a column and its values; returns what it was. Nothing cascades. Admins of the
    tenant or of the platform. Errors: table_not_found, column_not_found, has_dependents,
    protected_table, tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.
    """
    return database.call("drop_column", arguments, TableColumn)


def add_foreign_key(database: Database, arguments: AddForeignKey) -> TableForeignKey:
    """Point a column at a primary key or unique column of the same tenant.

    Points a column of a tenant's table at a primary key or unique column of another table
    of the same tenant, of the template's tables only at users(id) and settings(key). The
    column gets an index. Existing rows are checked in the same call: until it ends, writers
    of both tables wait, up to 60 s on a very large table; readers do not. Admins of the
    tenant or of the platform. Errors: table_not_found, column_not_found,
    invalid_column_type, constraint_exists, foreign_key_violation, foreign_key_target,
    protected_table, invalid_request, tenant_not_found, tenant_suspended, forbidden,
    not_authenticated, busy.
    """
    return database.call("add_foreign_key", arguments, TableForeignKey)


def drop_foreign_key(database: Database, arguments: DropForeignKey) -> TableForeignKey:
    """Drop a foreign key; the index on the column stays.

    Drops a foreign key of a tenant's table; returns what it was. The index on the column
    stays. Admins of the tenant or of the platform. Errors: table_not_found,
    constraint_not_found, protected_table, tenant_not_found, tenant_suspended, forbidden,
    not_authenticated, busy.
    """
    return database.call("drop_foreign_key", arguments, TableForeignKey)


GROUP = Group(
    "ddl-operations",
    create_table,
    drop_table,
    add_column,
    drop_column,
    add_foreign_key,
    drop_foreign_key,
)


def ddl_operations(request: Request) -> Response:
    return GROUP.answer(request)
