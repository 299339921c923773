"""One OpenAPI document of all groups."""

from flask import Request, Response

from tenantry import (
    access_control,
    audit_log,
    ddl_operations,
    schema_inspection,
    schema_management,
    tenant_migrations,
    tenant_status,
    user_profiles,
)
from tenantry.endpoint import answer
from tenantry.operations import Group

GROUP = Group(
    "openapi",
    __doc__,
    documents=(
        schema_management.GROUP,
        user_profiles.GROUP,
        access_control.GROUP,
        schema_inspection.GROUP,
        ddl_operations.GROUP,
        audit_log.GROUP,
        tenant_migrations.GROUP,
        tenant_status.GROUP,
    ),
)


def openapi(request: Request) -> Response:
    return answer(GROUP, request)
