"""The changes that a tenant's admin makes to the tenant's own tables."""

from typing import Annotated

from flask import Request, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictBool

from tenantry.endpoint import answer
from tenantry.fields import Arguments, ColumnName, ColumnType, SchemaName, TableName
from tenantry.operations import Group, Operation
from tenantry.schema_inspection import SchemaTable, TableColumn, TableForeignKey


class Column(BaseModel):
    """A column of a new table."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: ColumnName
    type: ColumnType
    nullable: bool | None = None
    default: JsonValue = None
    default_expression: str | None = None
    primary_key: bool | None = None
    unique: bool | None = None


class CreateTable(Arguments):
    schema_name: SchemaName
    table_name: TableName
    columns: Annotated[list[Column], Field(max_length=999)]
    description: Annotated[
        Annotated[str, Field(max_length=1000)] | None,
        Field(examples=["What customers ordered."]),
    ] = None


class DropTable(Arguments):
    schema_name: SchemaName
    table_name: TableName


class AddColumn(Arguments):
    schema_name: SchemaName
    table_name: TableName
    column_name: ColumnName
    column_type: ColumnType
    is_nullable: StrictBool = True
    default_value: JsonValue = None
    default_expression: str | None = None


class DropColumn(Arguments):
    schema_name: SchemaName
    table_name: TableName
    column_name: ColumnName


class AddForeignKey(Arguments):
    schema_name: SchemaName
    table_name: TableName
    column_name: ColumnName
    foreign_table: Annotated[str, Field(examples=["users"])]
    foreign_column: str = "id"
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"


class DropForeignKey(Arguments):
    schema_name: SchemaName
    table_name: TableName
    constraint_name: Annotated[str, Field(examples=["orders_customer_id_fkey"])]


GROUP = Group(
    "ddl-operations",
    __doc__,
    Operation("create_table", CreateTable, list[TableColumn]),
    Operation("drop_table", DropTable, SchemaTable),
    Operation("add_column", AddColumn, TableColumn),
    Operation("drop_column", DropColumn, TableColumn),
    Operation("add_foreign_key", AddForeignKey, TableForeignKey),
    Operation("drop_foreign_key", DropForeignKey, TableForeignKey),
)


def ddl_operations(request: Request) -> Response:
    return answer(GROUP, request)
