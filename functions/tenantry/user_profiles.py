"""user-profiles: who a user is within one tenant."""

from uuid import UUID

from flask import Request, Response
from pydantic import Field

from tenantry.database import Database
from tenantry.endpoint import Group
from tenantry.fields import Arguments, Metadata, Result, Timestamp


class UserProfile(Result):
    id: UUID
    email: str | None
    display_name: str | None
    role: str
    metadata: Metadata
    created_at: Timestamp
    updated_at: Timestamp
    is_active: bool


class EnsuredUserProfile(UserProfile):
    is_new: bool


class EnsureUserProfile(Arguments):
    schema_name: str
    display_name: str | None = None


class CreateUserProfile(Arguments):
    schema_name: str
    user_id: UUID
    display_name: str | None = None
    role: str = "member"
    metadata: Metadata = Field(default={})


class GetUserProfile(Arguments):
    schema_name: str
    user_id: UUID | None = None


class UpdateUserProfile(Arguments):
    schema_name: str
    display_name: str | None = None
    metadata: Metadata | None = None


def ensure_user_profile(database: Database, arguments: EnsureUserProfile) -> EnsuredUserProfile:
    """The caller's own profile, made if this is their first visit."""
    return database.call("ensure_user_profile", arguments, EnsuredUserProfile)


def create_user_profile(database: Database, arguments: CreateUserProfile) -> UserProfile:
    """Make a profile for somebody else, before they first come."""
    return database.call("create_user_profile", arguments, UserProfile)


def get_user_profile(database: Database, arguments: GetUserProfile) -> UserProfile:
    """A member's profile; without a user id, the caller's own."""
    return database.call("get_user_profile", arguments, UserProfile)


def update_user_profile(database: Database, arguments: UpdateUserProfile) -> UserProfile:
    """Change the caller's own profile; what is left out stays."""
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
