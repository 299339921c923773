"""user-profiles: who a user is within one tenant."""

from typing import Annotated
from uuid import UUID

from flask import Request, Response
from pydantic import Field

from tenantry.database import Database
from tenantry.endpoint import Group
from tenantry.fields import Arguments, JsonObject, Metadata, Result, Timestamp


class UserProfile(Result):
    id: UUID
    email: str | None
    display_name: str | None
    role: str
    metadata: JsonObject
    created_at: Timestamp
    updated_at: Timestamp
    is_active: bool


class EnsuredUserProfile(UserProfile):
    is_new: bool


DisplayName = Annotated[str, Field(max_length=200)]
Role = Annotated[str, Field(min_length=1, max_length=100)]


class EnsureUserProfile(Arguments):
    schema_name: str
    display_name: DisplayName | None = None


class CreateUserProfile(Arguments):
    schema_name: str
    user_id: UUID
    display_name: DisplayName | None = None
    role: Role = "member"
    metadata: Metadata = Field(default={})


class GetUserProfile(Arguments):
    schema_name: str
    user_id: UUID | None = None


class UpdateUserProfile(Arguments):
    schema_name: str
    display_name: DisplayName | None = None
    metadata: Metadata | None = None


def ensure_user_profile(database: Database, arguments: EnsureUserProfile) -> EnsuredUserProfile:
    """The caller's own profile, made if this is their first visit.

    The caller's profile in a tenant, made if there was none (is_new). Any number of calls
    at once make one row. display_name counts for a new profile only. Members, for
    themselves. Errors: invalid_request, tenant_not_found, tenant_suspended, forbidden,
    not_authenticated, user_not_found, busy.
    """
    return database.call("ensure_user_profile", arguments, EnsuredUserProfile)


def create_user_profile(database: Database, arguments: CreateUserProfile) -> UserProfile:
    """Make a profile for somebody else, before they first come.

    Makes a profile for a user. It grants nothing: access is for grant_schema_access. role
    is the product's own label; metadata is a JSON object. Admins of the tenant or of the
    platform. Errors: invalid_request, tenant_not_found, user_not_found, profile_exists,
    tenant_suspended, forbidden, not_authenticated, busy.
    """
    return database.call("create_user_profile", arguments, UserProfile)


def get_user_profile(database: Database, arguments: GetUserProfile) -> UserProfile:
    """A member's profile; without a user id, the caller's own.

    A profile in a tenant, the caller's own if user_id is left out. Members. Errors:
    tenant_not_found, profile_not_found, tenant_suspended, forbidden, not_authenticated,
    busy.
    """
    return database.call("get_user_profile", arguments, UserProfile)


def update_user_profile(database: Database, arguments: UpdateUserProfile) -> UserProfile:
    """Change the caller's own profile; what is left out stays.

    Changes the caller's own profile; what is null stays as it is, metadata is replaced
    whole. Members. Errors: invalid_request, tenant_not_found, profile_not_found,
    tenant_suspended, forbidden, not_authenticated, busy.
    """
    return database.call("update_user_profile", arguments, UserProfile)


GROUP = Group(
    "user-profiles",
    ensure_user_profile,
    create_user_profile,
    get_user_profile,
    update_user_profile,
)


def user_profiles(request: Request) -> Response:
    return GROUP.answer(request)
