"""What members may know about their tenants, and platform staff about all of them."""

from typing import Annotated

from flask import Request, Response
from pydantic import Field

from tenantry.endpoint import answer
from tenantry.fields import (
    AccessLevel,
    Arguments,
    PageCursor,
    PageSize,
    PermissionName,
    Result,
    RoleName,
    SchemaName,
    TenantDisplayName,
    TenantStatus,
    Timestamp,
)
from tenantry.operations import Group, Operation
from tenantry.tenant_migrations import StuckTenant


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
    roles: Annotated[
        list[RoleName] | None, Field(description="The caller's own.", examples=[["accountant"]])
    ]
    permissions: Annotated[
        list[PermissionName] | None,
        Field(
            description="What these roles give. The level admin has every permission.",
            examples=[["invoices.approve"]],
        ),
    ]
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


class VersionInUse(Result):
    version: Annotated[str, Field(examples=["tenantry_0001"])]
    name: Annotated[str, Field(examples=["template"])]
    tenants: Annotated[int, Field(examples=[1])]
    pending: Annotated[
        int, Field(description="The number of migrations behind it.", examples=[0])
    ]


class TenantSize(Result):
    schema_name: SchemaName
    display_name: TenantDisplayName
    bytes: Annotated[int, Field(examples=[147456])]


class DayOfGrowth(Result):
    day: Annotated[str, Field(examples=["2026-11-23"], json_schema_extra={"format": "date"})]
    tenants: Annotated[int, Field(description="At the end of the day.", examples=[1])]
    created: Annotated[int, Field(examples=[1])]
    deleted: Annotated[int, Field(examples=[0])]


class CacheLoad(Result):
    measured_at: Timestamp
    tenants: Annotated[int, Field(description="At that time, the pool included.", examples=[1])]
    milliseconds: Annotated[int, Field(examples=[160])]
    limit_milliseconds: Annotated[
        int | None,
        Field(
            description="What a load may take. Past it the Data API answers nobody.",
            examples=[60000],
        ),
    ]


class LoadForecast(Result):
    seconds: Annotated[int, Field(examples=[60])]
    tenants: Annotated[
        int, Field(description="With so many a load takes as long.", examples=[9400])
    ]


class DumpLocks(Result):
    needed: Annotated[int, Field(examples=[60])]
    available: Annotated[
        int, Field(description="What the server has for all sessions.", examples=[7488])
    ]
    most_tenants: Annotated[
        int | None,
        Field(description="With so many a dump runs out of locks.", examples=[1480]),
    ]


class PlatformHealth(Result):
    tenant_count: Annotated[int, Field(examples=[1])]
    active: Annotated[int, Field(examples=[1])]
    suspended: Annotated[int, Field(examples=[0])]
    latest_version: Annotated[str, Field(examples=["tenantry_0001"])]
    up_to_date: Annotated[int, Field(examples=[1])]
    behind: Annotated[int, Field(examples=[0])]
    stuck: Annotated[int, Field(examples=[0])]
    versions: list[VersionInUse]
    stuck_tenants: Annotated[list[StuckTenant], Field(examples=[[]])]
    total_bytes: Annotated[int, Field(examples=[147456])]
    largest_tenants: list[TenantSize]
    growth: Annotated[
        list[DayOfGrowth], Field(description="The last 90 days, in UTC, today included.")
    ]
    cache_load: Annotated[
        CacheLoad | None,
        Field(
            description="The last measured load of the schema cache; null before the doctor "
            "measured one."
        ),
    ]
    cache_load_forecast: Annotated[
        list[LoadForecast],
        Field(description="Empty before a load was measured with 300 tables."),
    ]
    dump_locks: Annotated[DumpLocks, Field(description="Of a dump of the whole database.")]


class CheckTenantStatus(Arguments):
    schema_name: SchemaName


class GetPlatformHealth(Arguments):
    pass


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
    after: PageCursor = None


GROUP = Group(
    "tenant-status",
    __doc__,
    Operation("check_tenant_status", CheckTenantStatus, TenantStatusReport),
    Operation("get_tenant_info", GetTenantInfo, TenantInfo),
    Operation("get_platform_health", GetPlatformHealth, PlatformHealth),
    Operation("list_my_tenants", ListMyTenants, list[TenantMembership]),
    Operation("list_tenants", ListTenants, list[ListedTenant]),
)


def tenant_status(request: Request) -> Response:
    return answer(GROUP, request)
