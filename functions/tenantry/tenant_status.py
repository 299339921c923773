"""What members may know about their tenants, and platform staff about all of them."""

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


class ListedTenant(Result):
    schema_name: SchemaName
    display_name: TenantDisplayName
    status: TenantStatus
    schema_version: Annotated[str, Field(examples=["tenantry_0001"])]
    bytes: Annotated[
        int,
        Field(
            description="Size on disk, as of the last VACUUM or ANALYZE of each table.",
            examples=[147456],
        ),
    ]
    last_activity_at: Annotated[
        Timestamp | None,
        Field(
            description="When the tenant was last in use, to within five minutes.",
            examples=["2026-11-23T09:00:00.820727+00:00"],
        ),
    ]
    created_at: Timestamp
    cursor: Annotated[
        str,
        Field(
            description="For the page behind this row, give it as after.",
            examples=["WyJzY2hlbWFfbmFtZSIsIDAsICIiLCAiYWNtZSJd"],
        ),
    ]
    total_count: Annotated[
        int | None,
        Field(
            description="The number of tenants that match; null behind the first page.",
            examples=[1],
        ),
    ]


class CheckTenantStatus(Arguments):
    schema_name: SchemaName


class GetTenantInfo(Arguments):
    schema_name: SchemaName


class ListMyTenants(Arguments):
    page_size: PageSize = 200
    after: Annotated[
        str | None, Field(description="The schema_name of the last row of the previous page.")
    ] = None


class ListTenants(Arguments):
    search: Annotated[
        str | None,
        Field(description="A part of the schema name or the display name.", examples=["acme"]),
    ] = None
    status: TenantStatus | None = None
    sort: Annotated[
        str,
        Field(
            description="schema_name, display_name, created_at, status, schema_version, bytes "
            'or last_activity_at, alone or with ".desc" behind it.',
            examples=["bytes.desc"],
        ),
    ] = "schema_name"
    page_size: PageSize = 50
    after: Annotated[
        str | None, Field(description="The cursor of the last row of the previous page.")
    ] = None


GROUP = Group(
    "tenant-status",
    __doc__,
    Operation("check_tenant_status", CheckTenantStatus, TenantStatusReport),
    Operation("get_tenant_info", GetTenantInfo, TenantInfo),
    Operation("list_my_tenants", ListMyTenants, list[TenantMembership]),
    Operation("list_tenants", ListTenants, list[ListedTenant]),
)


def tenant_status(request: Request) -> Response:
    return answer(GROUP, request)
