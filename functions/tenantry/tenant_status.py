"""What a tenant's members may know about the tenant."""

from typing import Annotated

from flask import Request, Response
from pydantic import Field

from tenantry.endpoint import answer
from tenantry.fields import (
    AccessLevel,
    Arguments,
    PageSize,
    Result,
    SchemaName,
    TenantDisplayName,
    TenantStatus,
    Timestamp,
)
from tenantry.operations import Group, Operation


class TenantStatusReport(Result):
    schema_name: SchemaName
    status: TenantStatus


class TenantInfo(Result):
    schema_name: SchemaName
    display_name: TenantDisplayName
    status: TenantStatus
    suspension_reason: str | None
    created_at: Timestamp
    access_level: Annotated[AccessLevel | None, Field(examples=["write"])]
    member_count: Annotated[int, Field(examples=[2])]


class TenantMembership(Result):
    schema_name: SchemaName
    display_name: TenantDisplayName
    status: TenantStatus
    access_level: AccessLevel


class CheckTenantStatus(Arguments):
    schema_name: SchemaName


class GetTenantInfo(Arguments):
    schema_name: SchemaName


class ListMyTenants(Arguments):
    page_size: PageSize = 200
    after: Annotated[
        str | None, Field(description="The schema_name of the last row of the previous page.")
    ] = None


GROUP = Group(
    "tenant-status",
    __doc__,
    Operation("check_tenant_status", CheckTenantStatus, TenantStatusReport),
    Operation("get_tenant_info", GetTenantInfo, TenantInfo),
    Operation("list_my_tenants", ListMyTenants, list[TenantMembership]),
)


def tenant_status(request: Request) -> Response:
    return answer(GROUP, request)
