"""access-control: who may enter a tenant, and who runs the platform."""

from uuid import UUID

from flask import Request, Response

from tenantry.database import Database
from tenantry.endpoint import Group
from tenantry.fields import AccessLevel, Arguments, Moment, PlatformRole, Result, Timestamp


class SchemaAccess(Result):
    user_id: UUID
    schema_name: str
    access_level: AccessLevel
    expires_at: Timestamp | None
    granted_by: UUID | None
    granted_at: Timestamp


class AdminUser(Result):
    user_id: UUID
    role: PlatformRole
    granted_by: UUID | None
    created_at: Timestamp


class GrantSchemaAccess(Arguments):
    schema_name: str
    user_id: UUID
    access_level: AccessLevel = "read"
    expires_at: Moment | None = None


class RevokeSchemaAccess(Arguments):
    schema_name: str
    user_id: UUID


class PromoteToAdmin(Arguments):
    user_id: UUID
    role: PlatformRole = "admin"


class RevokeAdmin(Arguments):
    user_id: UUID


def grant_schema_access(database: Database, arguments: GrantSchemaAccess) -> SchemaAccess:
    """Let a user into a tenant, or change how far and for how long.

    Lets a user into a tenant at a level, until expires_at (null: until revoked); replaces
    what they had. Repeating it changes nothing. Nobody changes their own grant, except that
    platform admins may let themselves in. A tenant admin whose own grant expires can grant
    neither admin nor anything past that moment. Admins of the tenant or of the platform.
    Errors: invalid_request, tenant_not_found, user_not_found, own_grant, tenant_suspended,
    forbidden, not_authenticated, busy.
    """
    return database.call("grant_schema_access", arguments, SchemaAccess)


def revoke_schema_access(database: Database, arguments: RevokeSchemaAccess) -> SchemaAccess:
    """Put a user out of a tenant; the reply is the grant that ended.

    Takes a user's access to a tenant away, from their next request on; returns what it was.
    Admins of the tenant or of the platform, and members for themselves. Errors:
    invalid_request, tenant_not_found, user_not_found, tenant_suspended, forbidden,
    not_authenticated, busy.
    """
    return database.call("revoke_schema_access", arguments, SchemaAccess)


def promote_to_admin(database: Database, arguments: PromoteToAdmin) -> AdminUser:
    """Give a user a platform role, or another one.

    Gives a user a platform role in place of the one they had, which may be higher. The
    first super_admin is made with the service key. Repeating it changes nothing.
    super_admins. Errors: invalid_request, user_not_found, last_super_admin, forbidden,
    not_authenticated, busy.
    """
    return database.call("promote_to_admin", arguments, AdminUser)


def revoke_admin(database: Database, arguments: RevokeAdmin) -> AdminUser:
    """Take a user's platform role away; the reply is the role that ended.

    Takes a user's platform role away, from their next request on; returns what it was.
    Never from the last super_admin. super_admins. Errors: invalid_request, user_not_found,
    last_super_admin, forbidden, not_authenticated, busy.
    """
    return database.call("revoke_admin", arguments, AdminUser)


GROUP = Group(
    "access-control",
    grant_schema_access,
    revoke_schema_access,
    promote_to_admin,
    revoke_admin,
)


def access_control(request: Request) -> Response:
    return GROUP.answer(request)
