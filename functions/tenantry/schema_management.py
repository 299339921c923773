"""schema-management: the life of a tenant, from its creation to its end."""

from typing import Annotated
from uuid import UUID

from flask import Request, Response
from pydantic import Field

from tenantry.database import Database
from tenantry.endpoint import Group
from tenantry.fields import Arguments, Result, TenantStatus, Timestamp


class Tenant(Result):
    id: UUID
    schema_name: str
    display_name: str
    status: TenantStatus
    suspended_at: Timestamp | None
    suspension_reason: str | None
    schema_version: str
    created_at: Timestamp
    created_by: UUID | None
    updated_at: Timestamp


DisplayName = Annotated[str, Field(min_length=1, max_length=200)]
Reason = Annotated[str, Field(max_length=1000)]


class CreateTenantSchema(Arguments):
    schema_name: str | None = None
    display_name: DisplayName | None = None


class RenameTenant(Arguments):
    schema_name: str
    display_name: DisplayName


class SuspendTenant(Arguments):
    schema_name: str
    reason: Reason | None = None


class ActivateTenant(Arguments):
    schema_name: str


class DeleteTenantSchema(Arguments):
    schema_name: str


def create_tenant_schema(database: Database, arguments: CreateTenantSchema) -> Tenant:
    """Create a tenant; without a name it gets one that tells strangers nothing.

    Makes a tenant: its schema with the template's tables, and its place on the Data API,
    where it answers within moments. Left out, the name is a random one that tells nothing.
    Platform admins. Errors: invalid_schema_name, invalid_request, tenant_exists,
    schema_exists, forbidden, not_authenticated, busy.
    """
    return database.call("create_tenant_schema", arguments, Tenant)


def rename_tenant(database: Database, arguments: RenameTenant) -> Tenant:
    """Change the name that people see; the schema keeps its own.

    Changes what people call a tenant; the schema keeps its name. Admins of the tenant or of
    the platform. Errors: invalid_request, tenant_not_found, tenant_suspended, forbidden,
    not_authenticated, busy.
    """
    return database.call("rename_tenant", arguments, Tenant)


def suspend_tenant(database: Database, arguments: SuspendTenant) -> Tenant:
    """Close a tenant to everybody, at once and until it is activated.

    Closes a tenant at once, service key included: USAGE on the schema first, then every
    privilege in it. No row is lost. Repeating it changes nothing, the first reason stays.
    Platform admins. Errors: invalid_request, tenant_not_found, forbidden,
    not_authenticated, busy.
    """
    return database.call("suspend_tenant", arguments, Tenant)


def activate_tenant(database: Database, arguments: ActivateTenant) -> Tenant:
    """Open a suspended tenant again, with the access it had.

    Opens a suspended tenant again with exactly the privileges it had. Repeating it changes
    nothing. Platform admins. Errors: tenant_not_found, forbidden, not_authenticated, busy.
    """
    return database.call("activate_tenant", arguments, Tenant)


def delete_tenant_schema(database: Database, arguments: DeleteTenantSchema) -> Tenant:
    """Destroy a suspended tenant and all its data; the reply is its last state.

    Destroys a suspended tenant: schema, rows, grants and its place on the Data API.
    admin_audit_log keeps what was done. There is no way back. super_admins. Errors:
    tenant_not_found, tenant_active, forbidden, not_authenticated, busy.
    """
    return database.call("delete_tenant_schema", arguments, Tenant)


GROUP = Group(
    "schema-management",
    create_tenant_schema,
    rename_tenant,
    suspend_tenant,
    activate_tenant,
    delete_tenant_schema,
)


def schema_management(request: Request) -> Response:
    return GROUP.answer(request)
