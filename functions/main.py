"""The entry points of all groups, for `functions-framework --target <group>`."""

from tenantry.access_control import access_control
from tenantry.schema_management import schema_management
from tenantry.tenant_status import tenant_status
from tenantry.user_profiles import user_profiles

__all__ = [
    "access_control",
    "schema_management",
    "tenant_status",
    "user_profiles",
]
