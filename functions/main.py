"""The entry points of all groups and the console, for `functions-framework --target`."""

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
