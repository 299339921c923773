"""The versions of the tenant template: which tenant has which, and migrating to the latest."""

from typing import Annotated, Any, Literal

from flask import Request, Response
from pydantic import Field
from pydantic_core import from_json
from typing_extensions import TypeAliasType

from tenantry import release, schema_inspection
from tenantry.database import Database
from tenantry.endpoint import answer
from tenantry.fields import Arguments, HasMore, PageSize, Result, SchemaName, Timestamp
from tenantry.operations import Group, Operation
from tenantry.schema_cache import ColumnChange

MigrationOutcome = TypeAliasType(
    "MigrationOutcome",
    Annotated[
        Literal["migrated", "up_to_date", "failed", "in_progress"], Field(examples=["migrated"])
    ],
)
_LatestVersion = Annotated[str, Field(examples=["20270120090000"])]


class StuckTenant(Result):
    schema_name: SchemaName
    version: _LatestVersion
    sqlstate: Annotated[str, Field(examples=["23514"])]
    message: Annotated[
        str, Field(examples=['check constraint "positive" is violated by some row'])
    ]
    stuck_since: Timestamp
    failed_at: Timestamp
    attempts: Annotated[int, Field(examples=[1])]


class TenantMigrationStatus(Result):
    latest_version: _LatestVersion
    tenant_count: Annotated[int, Field(examples=[1])]
    up_to_date: Annotated[int, Field(examples=[1])]
    behind: Annotated[int, Field(examples=[0])]
    pooled_behind: Annotated[int, Field(examples=[0])]
    stuck: Annotated[int, Field(examples=[0])]
    stuck_tenants: Annotated[list[StuckTenant], Field(examples=[[]])]
    unreachable_tables: Annotated[list[str], Field(examples=[[]])]
    warnings: Annotated[list[str], Field(examples=[[]])]


class TenantBehind(Result):
    schema_name: SchemaName
    schema_version: Annotated[str, Field(examples=["tenantry_0001"])]
    next_version: _LatestVersion
    pending: Annotated[int, Field(examples=[1])]
    is_pooled: Annotated[bool, Field(examples=[False])]
    sqlstate: str | None
    message: str | None
    stuck_since: Timestamp | None
    failed_at: Timestamp | None
    has_more: HasMore


class TenantDrift(Result):
    schema_name: SchemaName
    has_drift: Annotated[bool, Field(examples=[False])]
    has_more: HasMore


class TenantMigrationResult(Result):
    schema_name: SchemaName
    outcome: MigrationOutcome
    version: _LatestVersion
    pending: Annotated[int, Field(examples=[0])]
    sqlstate: str | None
    message: str | None
    name: Annotated[str | None, Field(examples=["add_orders"])]
    pass_number: Annotated[int | None, Field(examples=[None])]
    rows_done: Annotated[int | None, Field(examples=[None])]
    rows_left: Annotated[int | None, Field(examples=[None])]
    seconds_left: Annotated[int | None, Field(examples=[None])]


class SchemaDifference(Result):
    object_kind: Annotated[str, Field(examples=["column"])]
    object_name: Annotated[str, Field(examples=["settings.value"])]
    difference: Annotated[str, Field(examples=["different"])]
    expected: Annotated[str | None, Field(examples=["jsonb not null default 'null'::jsonb"])]
    found: Annotated[str | None, Field(examples=["jsonb default 'null'::jsonb"])]
    repair: Annotated[
        str | None,
        Field(examples=["alter table acme.settings alter column value set not null;"]),
    ]


class GetMigrationStatus(Arguments):
    pass


class ListTenantsBehind(Arguments):
    after_schema_name: str | None = None
    page_size: PageSize = 100


class ListTenantDrift(Arguments):
    after_schema_name: str | None = None
    page_size: PageSize = 100


class MigrateTenant(Arguments):
    schema_name: SchemaName


class WithdrawTenantMigration(Arguments):
    version: Annotated[str, Field(examples=["20270120090002"])]


class ReplaceTenantMigration(Arguments):
    version: Annotated[str, Field(examples=["20270120090003"])]
    statements: Annotated[str, Field(examples=["create table added_3 (id uuid);"])]


class GetSchemaDrift(Arguments):
    schema_name: SchemaName
    page_size: PageSize = 1000
    after_object_kind: str | None = None
    after_object_name: str | None = None


def _all_columns(given: MigrateTenant, result: Any, database: Database) -> list[ColumnChange]:
    """The tables as they are now: nobody but the migration knows what it changed."""
    if result["outcome"] != "migrated":
        return []
    operations = schema_inspection.GROUP.operations

    def rows(name: str, **arguments: str) -> Any:
        operation = operations[name]
        return from_json(database.call(operation, operation.well_formed({**arguments})))

    return [
        ColumnChange(
            given.schema_name,
            table["table_name"],
            [
                column["column_name"]
                for column in rows(
                    "get_table_columns",
                    schema_name=given.schema_name,
                    table_name=table["table_name"],
                )
            ],
        )
        for table in rows("get_schema_tables", schema_name=given.schema_name)
    ]


GROUP = Group(
    "tenant-migrations",
    __doc__,
    Operation("get_migration_status", GetMigrationStatus, TenantMigrationStatus),
    Operation("list_tenants_behind", ListTenantsBehind, list[TenantBehind]),
    Operation("migrate_tenant", MigrateTenant, TenantMigrationResult, changes=_all_columns),
    Operation("withdraw_tenant_migration", WithdrawTenantMigration, TenantMigrationStatus),
    Operation("replace_tenant_migration", ReplaceTenantMigration, TenantMigrationStatus),
    Operation("list_tenant_drift", ListTenantDrift, list[TenantDrift]),
    Operation("get_schema_drift", GetSchemaDrift, list[SchemaDifference]),
    release.OPERATION,
)


def tenant_migrations(request: Request) -> Response:
    return answer(GROUP, request)
