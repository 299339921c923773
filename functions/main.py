"""The entry points of all groups and the console, for `functions-framework --target`."""

from flask import Response, current_app, has_app_context, request

from tenantry.access_control import access_control
from tenantry.audit_log import audit_log
from tenantry.console import console
from tenantry.ddl_operations import ddl_operations
from tenantry.openapi import openapi
from tenantry.schema_inspection import schema_inspection
from tenantry.schema_management import schema_management
from tenantry.tenant_migrations import tenant_migrations
from tenantry.tenant_status import tenant_status
from tenantry.user_profiles import user_profiles

__all__ = [
    "access_control",
    "audit_log",
    "console",
    "ddl_operations",
    "openapi",
    "schema_inspection",
    "schema_management",
    "tenant_migrations",
    "tenant_status",
    "user_profiles",
]


def _answer_reserved_path(_: Exception) -> Response:
    """Answers for `robots.txt` and `favicon.ico`, which functions-framework keeps from targets.

    functions-framework would answer 404 in HTML; every reply of a group is JSON.
    """
    answer: Response = globals()[current_app.name](request)
    return answer


# functions-framework loads this file in the context of the target's own Flask application.
if has_app_context():
    current_app.register_error_handler(404, _answer_reserved_path)
