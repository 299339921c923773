"""Who has access to a tenant, and who runs the platform."""

from flask import Request, Response

from tenantry.endpoint import answer
from tenantry.fields import (
    AccessLevel,
    ActorId,
    Arguments,
    Moment,
    PlatformRole,
    Result,
    SchemaName,
    Timestamp,
    UserId,
)
from tenantry.operations import Group, Operation


class SchemaAccess(Result):
    user_id: UserId
    schema_name: SchemaName
    access_level: AccessLevel
    expires_at: Timestamp | None
    granted_by: ActorId
    granted_at: Timestamp


class AdminUser(Result):
    user_id: UserId
    role: PlatformRole
    granted_by: ActorId
    created_at: Timestamp


class GrantSchemaAccess(Arguments):
    schema_name: SchemaName
    user_id: UserId
    access_level: AccessLevel = "read"
    expires_at: Moment | None = None


class RevokeSchemaAccess(Arguments):
    schema_name: SchemaName
    user_id: UserId


class PromoteToAdmin(Arguments):
    user_id: UserId
    role: PlatformRole = "admin"


class RevokeAdmin(Arguments):
    user_id: UserId


GROUP = Group(
    "access-control",
    __doc__,
    Operation("grant_schema_access", GrantSchemaAccess, SchemaAccess),
    Operation("revoke_schema_access", RevokeSchemaAccess, SchemaAccess),
    Operation("promote_to_admin", PromoteToAdmin, AdminUser),
    Operation("revoke_admin", RevokeAdmin, AdminUser),
)


def access_control(request: Request) -> Response:
    return answer(GROUP, request)
