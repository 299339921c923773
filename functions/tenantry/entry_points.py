"""The entry points of all groups and the console, which main.py offers by their names."""

from flask import Response, current_app, has_app_context, request

from tenantry import log
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


def answer_reserved_paths() -> None:
    """Lets a group answer for `robots.txt` and `favicon.ico` itself.

    functions-framework keeps both from a target, and would answer 404 in HTML; every reply of
    a group is JSON. It loads main.py, which calls this function, in the context of the target's
    own Flask application.
    """
    if has_app_context() and current_app.name in __all__:
        log.write_start(current_app.name.replace("_", "-"))
        current_app.register_error_handler(404, _answer)


def _answer(_: Exception) -> Response:
    answer: Response = globals()[current_app.name](request)
    return answer
