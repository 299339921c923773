"""The tables of a tenant, read from the catalog of its schema alone."""

from typing import Annotated

from flask import Request, Response
from pydantic import Field

from tenantry.endpoint import answer
from tenantry.fields import Arguments, ColumnName, ColumnType, Result, SchemaName, TableName
from tenantry.operations import Group, Operation


class SchemaTable(Result):
    table_name: TableName
    column_count: Annotated[int, Field(examples=[2])]
    row_estimate: Annotated[int, Field(examples=[0])]
    total_bytes: Annotated[int, Field(examples=[16384])]
    description: Annotated[str | None, Field(examples=["What customers ordered."])]


class TableColumn(Result):
    column_name: ColumnName
    ordinal_position: Annotated[int, Field(examples=[2])]
    data_type: ColumnType
    is_nullable: Annotated[bool, Field(examples=[True])]
    column_default: str | None
    is_primary_key: Annotated[bool, Field(examples=[False])]
    is_identity: Annotated[bool, Field(examples=[False])]
    description: str | None


class TableForeignKey(Result):
    constraint_name: Annotated[str, Field(examples=["orders_customer_id_fkey"])]
    columns: list[ColumnName]
    foreign_table: Annotated[str, Field(examples=["users"])]
    foreign_columns: Annotated[list[str], Field(examples=[["id"]])]
    on_update: Annotated[str, Field(examples=["NO ACTION"])]
    on_delete: Annotated[str, Field(examples=["NO ACTION"])]


class SchemaSummary(Result):
    table_count: Annotated[int, Field(examples=[4])]
    row_estimate: Annotated[int, Field(examples=[0])]
    total_bytes: Annotated[int, Field(examples=[98304])]


class GetSchemaTables(Arguments):
    schema_name: SchemaName


class GetTableColumns(Arguments):
    schema_name: SchemaName
    table_name: TableName


class GetTableForeignKeys(Arguments):
    schema_name: SchemaName
    table_name: TableName


class GetSchemaSummary(Arguments):
    schema_name: SchemaName


GROUP = Group(
    "schema-inspection",
    __doc__,
    Operation("get_schema_tables", GetSchemaTables, list[SchemaTable]),
    Operation("get_table_columns", GetTableColumns, list[TableColumn]),
    Operation("get_table_foreign_keys", GetTableForeignKeys, list[TableForeignKey]),
    Operation("get_schema_summary", GetSchemaSummary, SchemaSummary),
)


def schema_inspection(request: Request) -> Response:
    return answer(GROUP, request)
