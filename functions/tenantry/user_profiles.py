"""The profiles of a tenant's users."""

from typing import Annotated

from flask import Request, Response
from pydantic import Field

from tenantry.endpoint import answer
from tenantry.fields import (
    Arguments,
    JsonObject,
    Metadata,
    Result,
    SchemaName,
    Timestamp,
    UserId,
)
from tenantry.operations import Group, Operation

_DisplayName = Annotated[Annotated[str, Field(max_length=200)] | None, Field(examples=["Bob"])]
_Role = Annotated[str, Field(min_length=1, max_length=100, examples=["member"])]


class UserProfile(Result):
    id: UserId
    email: Annotated[str | None, Field(examples=["bob@example.com"])]
    display_name: Annotated[str | None, Field(examples=["Bob"])]
    role: Annotated[str, Field(examples=["member"])]
    metadata: Annotated[JsonObject, Field(examples=[{"language": "en"}])]
    created_at: Timestamp
    updated_at: Timestamp
    is_active: Annotated[bool, Field(examples=[True])]


class EnsuredUserProfile(UserProfile):
    is_new: Annotated[bool, Field(examples=[True])]


class EnsureUserProfile(Arguments):
    schema_name: SchemaName
    display_name: _DisplayName = None


class CreateUserProfile(Arguments):
    schema_name: SchemaName
    user_id: UserId
    display_name: _DisplayName = None
    role: _Role = "member"
    metadata: Metadata = Field(default={})


class GetUserProfile(Arguments):
    schema_name: SchemaName
    user_id: UserId | None = None


class UpdateUserProfile(Arguments):
    schema_name: SchemaName
    display_name: _DisplayName = None
    metadata: Annotated[Metadata | None, Field(examples=[{"language": "en"}])] = None


class EmailRefresh(Result):
    schema_name: SchemaName
    refreshed: Annotated[int, Field(examples=[1])]


class RefreshUserEmails(Arguments):
    schema_name: SchemaName


GROUP = Group(
    "user-profiles",
    __doc__,
    Operation(
        "ensure_user_profile",
        EnsureUserProfile,
        EnsuredUserProfile,
        # A new profile has no metadata yet.
        reply_example={"metadata": {}},
    ),
    Operation("create_user_profile", CreateUserProfile, UserProfile),
    Operation("get_user_profile", GetUserProfile, UserProfile),
    Operation("update_user_profile", UpdateUserProfile, UserProfile),
    Operation("refresh_user_emails", RefreshUserEmails, EmailRefresh),
)


def user_profiles(request: Request) -> Response:
    return answer(GROUP, request)
