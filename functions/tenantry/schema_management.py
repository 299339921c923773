"""Creating, registering, renaming, suspending, activating and deleting tenants, and the pool of
ready ones."""

from typing import Annotated, Any
from uuid import UUID

from flask import Request, Response
from pydantic import Field

from tenantry.endpoint import answer
from tenantry.fields import (
    ActorId,
    Arguments,
    OptionalSchemaName,
    Result,
    SchemaName,
    TenantDisplayName,
    TenantStatus,
    Timestamp,
)
from tenantry.operations import Group, Operation
from tenantry.schema_cache import ColumnChange, SchemaRemoval


class Tenant(Result):
    id: Annotated[UUID, Field(examples=["8179d0f2-19d1-47d0-8c01-2089ec389ed3"])]
    schema_name: SchemaName
    display_name: TenantDisplayName
    status: TenantStatus
    suspended_at: Timestamp | None
    suspension_reason: str | None
    schema_version: Annotated[str, Field(examples=["tenantry_0001"])]
    created_at: Timestamp
    created_by: ActorId
    updated_at: Timestamp


class TenantPool(Result):
    pool_size: Annotated[int, Field(examples=[1])]
    ready: Annotated[int, Field(examples=[0])]
    waiting: Annotated[int, Field(examples=[1])]
    behind: Annotated[int, Field(examples=[0])]
    missing: Annotated[int, Field(examples=[0])]
    surplus: Annotated[int, Field(examples=[0])]
    made: Annotated[int, Field(examples=[1])]
    removed: Annotated[int, Field(examples=[0])]


_NewDisplayName = Annotated[TenantDisplayName, Field(min_length=1, max_length=200)]


class CreateTenantSchema(Arguments):
    schema_name: OptionalSchemaName = None
    display_name: Annotated[_NewDisplayName | None, Field(examples=["Acme Inc."])] = None


class RegisterTenantSchema(Arguments):
    schema_name: Annotated[SchemaName, Field(examples=["legacy"])]
    display_name: Annotated[_NewDisplayName | None, Field(examples=["Legacy Ltd"])] = None


class RenameTenant(Arguments):
    schema_name: SchemaName
    display_name: _NewDisplayName


class SuspendTenant(Arguments):
    schema_name: SchemaName
    reason: Annotated[
        Annotated[str, Field(max_length=1000)] | None, Field(examples=["unpaid invoice"])
    ] = None


class ActivateTenant(Arguments):
    schema_name: SchemaName


class DeleteTenantSchema(Arguments):
    schema_name: SchemaName


class GetTenantPool(Arguments):
    pass


class RefillTenantPool(Arguments):
    pass


_REGISTERED = {"schema_name": "legacy", "display_name": "Legacy Ltd"}
_SUSPENDED = {
    "status": "suspended",
    "suspended_at": "2026-11-23T14:30:00.353417+00:00",
    "suspension_reason": "unpaid invoice",
}


def _presence(_: Arguments, tenant: Any, __: object) -> list[ColumnChange]:
    # PostgREST loads all tables of a schema at once, and every tenant has this one.
    return [ColumnChange(tenant["schema_name"], "settings", ("key",))]


def _removal(_: Arguments, tenant: Any, __: object) -> list[SchemaRemoval]:
    return [SchemaRemoval(tenant["schema_name"])]


GROUP = Group(
    "schema-management",
    __doc__,
    Operation("create_tenant_schema", CreateTenantSchema, Tenant, changes=_presence),
    Operation(
        "register_tenant_schema",
        RegisterTenantSchema,
        Tenant,
        reply_example=_REGISTERED,
        changes=_presence,
    ),
    Operation("rename_tenant", RenameTenant, Tenant),
    Operation("suspend_tenant", SuspendTenant, Tenant, reply_example=_SUSPENDED),
    Operation("activate_tenant", ActivateTenant, Tenant, changes=_presence),
    Operation(
        "delete_tenant_schema",
        DeleteTenantSchema,
        Tenant,
        reply_example=_SUSPENDED,
        changes=_removal,
    ),
    Operation(
        "get_tenant_pool",
        GetTenantPool,
        TenantPool,
        reply_example={"waiting": 0, "missing": 1, "made": 0},
    ),
    Operation("refill_tenant_pool", RefillTenantPool, TenantPool),
)


def schema_management(request: Request) -> Response:
    return answer(GROUP, request)
