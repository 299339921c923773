"""The changes that a tenant's admin makes to the tenant's own tables."""

from typing import Annotated, Any

from flask import Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from tenantry.endpoint import answer
from tenantry.fields import Arguments, ColumnName, ColumnType, SchemaName, TableName
from tenantry.operations import Group, Operation
from tenantry.schema_cache import ColumnChange, ForeignKeyChange
from tenantry.schema_inspection import SchemaTable, TableColumn, TableForeignKey


class Column(BaseModel):
    """A column of a new table."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: ColumnName
    type: ColumnType
    nullable: bool | None = None
    default: Any = None
    default_expression: str | None = None
    primary_key: bool | None = None
    unique: bool | None = None
    identity: bool | None = None


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
    is_nullable: StrictBool | None = None
    default_value: Any = None
    default_expression: str | None = None
    identity: StrictBool = False


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


def _new_table(given: CreateTable, columns: Any, _: object) -> list[ColumnChange]:
    names = [column["column_name"] for column in columns]
    return [ColumnChange(given.schema_name, given.table_name, names)]


def _no_table(given: DropTable, _: Any, __: object) -> list[ColumnChange]:
    return [ColumnChange(given.schema_name, given.table_name, (), is_dropped=True)]


def _new_column(given: AddColumn, _: Any, __: object) -> list[ColumnChange]:
    return [ColumnChange(given.schema_name, given.table_name, (given.column_name,))]


def _no_column(given: DropColumn, _: Any, __: object) -> list[ColumnChange]:
    columns = (given.column_name,)
    return [ColumnChange(given.schema_name, given.table_name, columns, is_dropped=True)]


def _new_key(given: AddForeignKey, key: Any, _: object) -> list[ForeignKeyChange]:
    return [_key_change(given, key, is_dropped=False)]


def _no_key(given: DropForeignKey, key: Any, _: object) -> list[ForeignKeyChange]:
    return [_key_change(given, key, is_dropped=True)]


def _key_change(
    given: AddForeignKey | DropForeignKey, key: Any, *, is_dropped: bool
) -> ForeignKeyChange:
    return ForeignKeyChange(
        given.schema_name,
        given.table_name,
        key["columns"][0],
        key["foreign_table"],
        key["constraint_name"],
        is_dropped,
    )


GROUP = Group(
    "ddl-operations",
    __doc__,
    Operation("create_table", CreateTable, list[TableColumn], changes=_new_table),
    Operation("drop_table", DropTable, SchemaTable, changes=_no_table),
    Operation("add_column", AddColumn, TableColumn, changes=_new_column),
    Operation("drop_column", DropColumn, TableColumn, changes=_no_column),
    Operation("add_foreign_key", AddForeignKey, TableForeignKey, changes=_new_key),
    Operation("drop_foreign_key", DropForeignKey, TableForeignKey, changes=_no_key),
)


def ddl_operations(request: Request) -> Response:
    return answer(GROUP, request)
