"""The versions of the tenant template: which tenant has which, and migrating to the latest."""

from typing import Annotated, Literal

from flask import Request, Response
from pydantic import Field, StrictInt

from tenantry.endpoint import answer
from tenantry.fields import Arguments, HasMore, Result, SchemaName, Timestamp
from tenantry.operations import Group, Operation

_Outcome = Annotated[Literal["migrated", "up_to_date", "failed"], Field(examples=["migrated"])]
_LatestVersion = Annotated[str, Field(examples=["20270120090000"])]


class TenantMigrationStatus(Result):
    latest_version: _LatestVersion
    tenant_count: Annotated[int, Field(examples=[1])]
    up_to_date: Annotated[int, Field(examples=[1])]
    behind: Annotated[int, Field(examples=[0])]
    failed: Annotated[int, Field(examples=[0])]
    unreachable_tables: Annotated[list[str], Field(examples=[[]])]


class TenantBehind(Result):
    schema_name: SchemaName
    schema_version: Annotated[str, Field(examples=["tenantry_0001"])]
    next_version: _LatestVersion
    pending: Annotated[int, Field(examples=[1])]
    sqlstate: str | None
    message: str | None
    failed_at: Timestamp | None
    has_more: HasMore


class TenantMigrationResult(Result):
    schema_name: SchemaName
    outcome: _Outcome
    version: _LatestVersion
    pending: Annotated[int, Field(examples=[0])]
    sqlstate: str | None
    message: str | None


class SchemaDifference(Result):
    object_kind: Annotated[str, Field(examples=["column"])]
    object_name: Annotated[str, Field(examples=["settings.value"])]
    difference: Annotated[str, Field(examples=["different"])]
    expected: Annotated[str | None, Field(examples=["jsonb not null default 'null'::jsonb"])]
    found: Annotated[str | None, Field(examples=["jsonb default 'null'::jsonb"])]


class GetMigrationStatus(Arguments):
    pass


class ListTenantsBehind(Arguments):
    after_schema_name: str | None = None
    page_size: StrictInt = 100


class MigrateTenant(Arguments):
    schema_name: SchemaName


class GetSchemaDrift(Arguments):
    schema_name: SchemaName
    page_size: StrictInt = 1000
    after_object_kind: str | None = None
    after_object_name: str | None = None


GROUP = Group(
    "tenant-migrations",
    __doc__,
    Operation("get_migration_status", GetMigrationStatus, TenantMigrationStatus),
    Operation("list_tenants_behind", ListTenantsBehind, list[TenantBehind]),
    Operation("migrate_tenant", MigrateTenant, TenantMigrationResult),
    Operation("get_schema_drift", GetSchemaDrift, list[SchemaDifference]),
)


def tenant_migrations(request: Request) -> Response:
    return answer(GROUP, request)
