"""tenant-migrations: who has which version of the tenant template, and the next step to it."""

from typing import Literal

from flask import Request, Response
from pydantic import StrictInt

from tenantry.database import Database
from tenantry.endpoint import Group
from tenantry.fields import Arguments, Result, Timestamp

TenantMigrationOutcome = Literal["migrated", "up_to_date", "failed"]


class TenantMigrationStatus(Result):
    latest_version: str
    tenant_count: int
    up_to_date: int
    behind: int
    failed: int


class TenantBehind(Result):
    schema_name: str
    schema_version: str
    next_version: str
    pending: int
    sqlstate: str | None
    message: str | None
    failed_at: Timestamp | None


class TenantMigrationResult(Result):
    schema_name: str
    outcome: TenantMigrationOutcome
    version: str
    pending: int
    sqlstate: str | None
    message: str | None


class SchemaDifference(Result):
    object_kind: str
    object_name: str
    difference: str
    expected: str | None
    found: str | None


class GetMigrationStatus(Arguments):
    pass


class ListTenantsBehind(Arguments):
    after_schema_name: str | None = None
    page_size: StrictInt = 100


class MigrateTenant(Arguments):
    schema_name: str


class GetSchemaDrift(Arguments):
    schema_name: str


def get_migration_status(
    database: Database, arguments: GetMigrationStatus
) -> TenantMigrationStatus:
    """The latest version, and how many tenants have it, lack it, or failed on the way.

    The latest tenant migration, and how many tenants have it, lack it, and failed on the
    way to it. Platform admins. Errors: forbidden, not_authenticated, busy.
    """
    return database.call("get_migration_status", arguments, TenantMigrationStatus)


def list_tenants_behind(database: Database, arguments: ListTenantsBehind) -> list[TenantBehind]:
    """Tenants that lack migrations, by name, a page at a time.

    Tenants that lack tenant migrations, by name, with the reason if the next one has
    failed; for the next page give the last name as after_schema_name. 1 to 1,000 a page.
    Platform admins. Errors: invalid_request, forbidden, not_authenticated, busy.
    """
    return database.call("list_tenants_behind", arguments, list[TenantBehind])


def migrate_tenant(database: Database, arguments: MigrateTenant) -> TenantMigrationResult:
    """Give a tenant the next migration it lacks, whole or not at all.

    Gives a tenant the next tenant migration it lacks, whole or not at all; suspended ones
    too, and they stay so. What fails is told as outcome "failed" with SQLSTATE and message,
    remembered for list_tenants_behind, and can be tried again. Platform admins. Errors:
    tenant_not_found, forbidden, not_authenticated, busy.
    """
    return database.call("migrate_tenant", arguments, TenantMigrationResult)


def get_schema_drift(database: Database, arguments: GetSchemaDrift) -> list[SchemaDifference]:
    """In what a tenant is not what its version of the template says.

    In what a tenant differs from the reference schema at its version: tables, columns,
    constraints, indexes, policies, triggers, routines, types, and grants. Its own tables
    and columns x_… are no difference, their grants are looked at too. Empty if all is well.
    Platform admins. Errors: tenant_not_found, forbidden, not_authenticated, busy.
    """
    return database.call("get_schema_drift", arguments, list[SchemaDifference])


GROUP = Group(
    "tenant-migrations",
    get_migration_status,
    list_tenants_behind,
    migrate_tenant,
    get_schema_drift,
)


def tenant_migrations(request: Request) -> Response:
    return GROUP.answer(request)
