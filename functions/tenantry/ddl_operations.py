"""ddl-operations: a tenant's admin shapes the tenant's own tables."""

from typing import Annotated

from flask import Request, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

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
    columns: Annotated[list[Column], Field(max_length=1000)]
    description: str | None = None


class DropTable(Arguments):
    schema_name: str
    table_name: str


class AddColumn(Arguments):
    schema_name: str
    table_name: str
    column_name: str
    column_type: str
    is_nullable: bool = True
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
    """Make a table that the Data API serves at once: members read it, writers write it."""
    return database.call("create_table", arguments, list[TableColumn])


def drop_table(database: Database, arguments: DropTable) -> SchemaTable:
    """Destroy a table and its rows. Nothing cascades."""
    return database.call("drop_table", arguments, SchemaTable)


def add_column(database: Database, arguments: AddColumn) -> TableColumn:
    """Add a column; to users and settings only as x_…, nullable or with a default."""
    return database.call("add_column", arguments, TableColumn)


def drop_column(database: Database, arguments: DropColumn) -> TableColumn:
    """Destroy a column and its values. Nothing cascades."""
    return database.call("drop_column", arguments, TableColumn)


def add_foreign_key(database: Database, arguments: AddForeignKey) -> TableForeignKey:
    """Point a column at a primary key or unique column of the same tenant."""
    return database.call("add_foreign_key", arguments, TableForeignKey)


def drop_foreign_key(database: Database, arguments: DropForeignKey) -> TableForeignKey:
    """Drop a foreign key; the index on the column stays."""
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
