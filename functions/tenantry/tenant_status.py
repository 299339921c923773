"""tenant-status: what a tenant's members may know about it."""

from flask import Request, Response

from tenantry.database import Database
from tenantry.endpoint import Group
from tenantry.fields import AccessLevel, Arguments, Result, TenantStatus, Timestamp


class TenantStatusReport(Result):
    schema_name: str
    status: TenantStatus


class TenantInfo(Result):
    schema_name: str
    display_name: str
    status: TenantStatus
    suspension_reason: str | None
    created_at: Timestamp
    access_level: AccessLevel | None
    member_count: int


class TenantMembership(Result):
    schema_name: str
    display_name: str
    status: TenantStatus
    access_level: AccessLevel


class CheckTenantStatus(Arguments):
    schema_name: str


class GetTenantInfo(Arguments):
    schema_name: str


class ListMyTenants(Arguments):
    pass


def check_tenant_status(database: Database, arguments: CheckTenantStatus) -> TenantStatusReport:
    """Whether a tenant is open or suspended.

    Whether a tenant is active or suspended. Members, also of a suspended tenant, and
    platform staff. Errors: tenant_not_found, not_authenticated, busy.
    """
    return database.call("check_tenant_status", arguments, TenantStatusReport)


def get_tenant_info(database: Database, arguments: GetTenantInfo) -> TenantInfo:
    """A tenant as its members see it, and the caller's own access to it.

    What a member or the platform staff may know of a tenant, suspended or not. Errors:
    tenant_not_found, not_authenticated, busy.
    """
    return database.call("get_tenant_info", arguments, TenantInfo)


def list_my_tenants(database: Database, arguments: ListMyTenants) -> list[TenantMembership]:
    """The tenants that the caller may enter, suspended ones included.

    The tenants on which the caller holds an unexpired grant, by name. Anyone signed in; the
    service key is nobody's member and gets none. Errors: not_authenticated, busy.
    """
    return database.call("list_my_tenants", arguments, list[TenantMembership])


GROUP = Group(
    "tenant-status",
    check_tenant_status,
    get_tenant_info,
    list_my_tenants,
)


def tenant_status(request: Request) -> Response:
    return GROUP.answer(request)
