"""Who has access to a tenant, who is invited or may join, and who runs the platform."""

from typing import Annotated
from uuid import UUID

from flask import Request, Response
from pydantic import Field, StrictInt

from tenantry.endpoint import answer
from tenantry.fields import (
    AccessLevel,
    ActorId,
    Arguments,
    Moment,
    PageCursor,
    PageSize,
    PermissionName,
    PlatformRole,
    Result,
    RoleName,
    SchemaName,
    TenantDisplayName,
    Timestamp,
    UserId,
)
from tenantry.operations import Group, Operation
from tenantry.schema_management import Tenant

_Email = Annotated[
    str, Field(description="The invited e-mail address.", examples=["bob@example.com"])
]
_RoleDescription = Annotated[
    str | None,
    Field(
        description="What the role is for, for people.",
        examples=["Approves invoices."],
        max_length=1000,
    ),
]
_InvitationId = Annotated[
    UUID,
    Field(
        description="The id of an invitation.",
        examples=["c3b0a7e4-52d8-4f19-8a6e-9d1f7b2c4e50"],
    ),
]
_Secret = Annotated[
    str,
    Field(
        description="What accepts or declines an invitation.",
        examples=["inv_b7c1d0e92f4a6b8835de01f7a9c24e6d5f80b3a1c7e94d2068fb5a13e0d97c42"],
    ),
]

_Domain = Annotated[
    str,
    Field(
        description='A domain, or "sso:" and the id of an SSO provider.',
        examples=["example.com"],
    ),
]

_RequestId = Annotated[
    UUID,
    Field(
        description="The id of a request for access.",
        examples=["9e4c7a52-6d1f-4b38-a0e5-3c8b2f7d1a64"],
    ),
]
_IsEnabled = Annotated[
    bool, Field(description="Whether users may request access.", examples=[True])
]
_Message = Annotated[
    str | None,
    Field(
        description="What the user writes.",
        examples=["I work in your Berlin office."],
        max_length=1000,
    ),
]


_Reason = Annotated[
    str,
    Field(
        description="Why support access is needed. The tenant sees it.",
        examples=["Ticket 4711: the totals of March are wrong."],
        min_length=3,
        max_length=500,
    ),
]
_SupportReason = Annotated[
    str | None,
    Field(
        description="Why platform staff opened support access; null for members.",
        examples=[None],
    ),
]


_Cursor = Annotated[
    str,
    Field(
        description="For the page behind this row, give it as after.",
        examples=[
            "WyJlbWFpbCIsIDAsICJib2JAZXhhbXBsZS5jb20iLCAi"
            "ZTQxZjhiN2EtOTZjMi00ZDA1LThlM2YtMWE3YjVjOWQwZTYyIl0="
        ],
    ),
]


class SchemaAccess(Result):
    user_id: UserId
    schema_name: SchemaName
    access_level: AccessLevel
    expires_at: Timestamp | None
    granted_by: ActorId
    granted_at: Timestamp
    roles: list[RoleName]
    permissions: Annotated[
        list[PermissionName],
        Field(description="What the roles give. The level admin has every permission."),
    ]
    support_reason: _SupportReason


class Member(Result):
    user_id: UserId
    email: Annotated[
        str | None,
        Field(description="The user's address.", examples=["bob@example.com"]),
    ]
    display_name: Annotated[
        str | None,
        Field(
            description="That of the profile; null without a profile, and to platform staff.",
            examples=["Bob"],
        ),
    ]
    access_level: AccessLevel
    roles: list[RoleName]
    granted_at: Timestamp
    granted_by: ActorId
    granted_by_email: Annotated[str | None, Field(examples=["olga@example.com"])]
    expires_at: Timestamp | None
    support_reason: _SupportReason
    last_sign_in_at: Timestamp | None
    is_active: Annotated[
        bool,
        Field(
            description="Whether the access is unexpired, and Auth has neither banned nor "
            "deleted the user.",
            examples=[True],
        ),
    ]
    cursor: _Cursor
    total_count: Annotated[
        int | None,
        Field(
            description="The number of members that match; null behind the first page.",
            examples=[1],
        ),
    ]


class Role(Result):
    role_name: RoleName
    permissions: list[PermissionName]
    description: _RoleDescription
    is_template: Annotated[
        bool,
        Field(
            description="Whether every tenant has the role, and none can change it.",
            examples=[False],
        ),
    ]


class AdminUser(Result):
    user_id: UserId
    role: PlatformRole
    granted_by: ActorId
    created_at: Timestamp
    expires_at: Timestamp | None


class StaffMember(Result):
    user_id: UserId
    email: Annotated[
        str | None,
        Field(description="The address that Auth has.", examples=["bob@example.com"]),
    ]
    role: PlatformRole
    granted_by: ActorId
    created_at: Timestamp
    expires_at: Timestamp | None
    last_sign_in_at: Timestamp | None
    is_active: Annotated[
        bool,
        Field(
            description="Whether the role is unexpired, and Auth has neither banned nor "
            "deleted the user.",
            examples=[True],
        ),
    ]
    cursor: _Cursor
    total_count: Annotated[
        int | None,
        Field(
            description="The number of people who match; null behind the first page.",
            examples=[1],
        ),
    ]


class Invitation(Result):
    id: _InvitationId
    schema_name: SchemaName
    email: _Email
    access_level: AccessLevel
    roles: list[RoleName]
    expires_at: Timestamp | None
    invited_by: ActorId
    created_at: Timestamp
    valid_until: Timestamp


class NewInvitation(Invitation):
    secret: _Secret


class TenantDomain(Result):
    schema_name: SchemaName
    domain: _Domain
    access_level: AccessLevel
    txt_name: Annotated[
        str | None,
        Field(description="The name of the TXT record.", examples=["_tenantry.example.com"]),
    ]
    txt_value: Annotated[
        str | None,
        Field(
            description="The value of the TXT record.",
            examples=["tenantry-verification=2f0e6c3a9b105e41f8b7a96c24d058e3"],
        ),
    ]
    added_by: ActorId
    created_at: Timestamp
    verified_by: ActorId
    verified_at: Annotated[
        Timestamp | None, Field(examples=["2026-11-23T09:00:00.820727+00:00"])
    ]


class JoinableTenant(Result):
    schema_name: SchemaName
    display_name: TenantDisplayName
    access_level: AccessLevel


class AccessRequestsSetting(Result):
    schema_name: SchemaName
    enabled: _IsEnabled


class AccessRequest(Result):
    id: _RequestId
    schema_name: SchemaName
    user_id: UserId
    email: Annotated[
        str | None,
        Field(description="The address that Auth has confirmed.", examples=["bob@example.com"]),
    ]
    provider: Annotated[
        str | None,
        Field(
            description='How the user signs in, such as "email", or "sso:" and an id.',
            examples=["email"],
        ),
    ]
    message: _Message
    created_at: Timestamp


class GrantSchemaAccess(Arguments):
    schema_name: SchemaName
    user_id: UserId
    access_level: AccessLevel = "read"
    expires_at: Moment | None = None
    roles: Annotated[
        list[RoleName] | None,
        Field(description="The roles of the user; null keeps those that the user has."),
    ] = None


class RevokeSchemaAccess(Arguments):
    schema_name: SchemaName
    user_id: UserId


class InviteMember(Arguments):
    schema_name: SchemaName
    email: _Email
    access_level: AccessLevel = "read"
    roles: list[RoleName] = Field(
        default_factory=list,
        description="The roles that the person gets.",
        examples=[["accountant"]],
    )
    expires_at: Moment | None = None


class AcceptInvitation(Arguments):
    secret: _Secret


class DeclineInvitation(Arguments):
    secret: _Secret


class ListInvitations(Arguments):
    schema_name: SchemaName
    page_size: PageSize = 50
    after: Annotated[str | None, Field(description="The last address of the page before.")] = (
        None
    )


class RevokeInvitation(Arguments):
    schema_name: SchemaName
    invitation_id: _InvitationId


class AddTenantDomain(Arguments):
    schema_name: SchemaName
    domain: _Domain
    access_level: AccessLevel = "read"


class VerifyTenantDomain(Arguments):
    schema_name: SchemaName
    domain: _Domain
    txt_records: Annotated[
        list[str] | None,
        Field(
            description="The TXT records that DNS has under txt_name.",
            examples=[["tenantry-verification=2f0e6c3a9b105e41f8b7a96c24d058e3"]],
        ),
    ] = None


class RemoveTenantDomain(Arguments):
    schema_name: SchemaName
    domain: _Domain


class ListTenantDomains(Arguments):
    schema_name: SchemaName


class JoinTenant(Arguments):
    schema_name: SchemaName


class ListJoinableTenants(Arguments):
    page_size: PageSize = 200
    after: Annotated[str | None, Field(description="The last name of the page before.")] = None


class SetAccessRequests(Arguments):
    schema_name: SchemaName
    enabled: _IsEnabled


class RequestAccess(Arguments):
    schema_name: SchemaName
    message: _Message = None


class WithdrawRequest(Arguments):
    schema_name: SchemaName


class DecideRequest(Arguments):
    schema_name: SchemaName
    user_id: UserId
    approve: Annotated[bool, Field(description="Whether to give access.", examples=[True])]
    access_level: AccessLevel = "read"
    expires_at: Moment | None = None


class ListAccessRequests(Arguments):
    schema_name: SchemaName
    page_size: PageSize = 50
    after: Annotated[
        UUID | None, Field(description="The id of the last request of the page before.")
    ] = None


class ListMembers(Arguments):
    schema_name: SchemaName
    search: Annotated[
        str | None,
        Field(description="A part of the address or the display name.", examples=["bob"]),
    ] = None
    sort: Annotated[
        str,
        Field(
            description="email, display_name, access_level, granted_at or last_sign_in_at, "
            'alone or with ".desc" behind it.',
            examples=["email"],
        ),
    ] = "email"
    page_size: PageSize = 50
    after: PageCursor = None


class LeaveTenant(Arguments):
    schema_name: SchemaName


class TransferAdmin(Arguments):
    schema_name: SchemaName
    user_id: UserId


class DefineRole(Arguments):
    schema_name: SchemaName
    role_name: RoleName
    permissions: list[PermissionName]
    description: _RoleDescription = None


class DropRole(Arguments):
    schema_name: SchemaName
    role_name: RoleName


class ListRoles(Arguments):
    schema_name: SchemaName


class OpenSupportAccess(Arguments):
    schema_name: SchemaName
    reason: _Reason
    minutes: Annotated[StrictInt, Field(description="1 to 240.", examples=[60])] = 60
    access_level: AccessLevel = "read"


class CloseSupportAccess(Arguments):
    schema_name: SchemaName
    user_id: Annotated[
        UUID | None, Field(description="Whose support access ends; null is the caller's.")
    ] = None


class PromoteToAdmin(Arguments):
    user_id: UserId
    role: PlatformRole = "admin"
    expires_at: Moment | None = None


class ListStaff(Arguments):
    search: Annotated[
        str | None, Field(description="A part of the address.", examples=["bob"])
    ] = None
    page_size: PageSize = 50
    after: PageCursor = None


class RevokeAdmin(Arguments):
    user_id: UserId


# Olga, who runs the platform, looks into a tenant.
_SUPPORT = {
    "user_id": "0b6d1f4e-8a53-4c1e-9d57-2f0e6c3a9b10",
    "expires_at": "2026-11-23T10:00:00.820727+00:00",
    "support_reason": "Ticket 4711: the totals of March are wrong.",
    "roles": [],
    "permissions": [],
}

GROUP = Group(
    "access-control",
    __doc__,
    Operation("grant_schema_access", GrantSchemaAccess, SchemaAccess),
    Operation("revoke_schema_access", RevokeSchemaAccess, SchemaAccess),
    Operation("invite_member", InviteMember, NewInvitation),
    Operation("accept_invitation", AcceptInvitation, Tenant),
    Operation("decline_invitation", DeclineInvitation, Invitation),
    Operation("list_invitations", ListInvitations, list[Invitation]),
    Operation("revoke_invitation", RevokeInvitation, Invitation),
    Operation(
        "add_tenant_domain",
        AddTenantDomain,
        TenantDomain,
        reply_example={"verified_by": None, "verified_at": None},
    ),
    Operation("verify_tenant_domain", VerifyTenantDomain, TenantDomain),
    Operation("remove_tenant_domain", RemoveTenantDomain, TenantDomain),
    Operation("list_tenant_domains", ListTenantDomains, list[TenantDomain]),
    Operation(
        "join_tenant",
        JoinTenant,
        SchemaAccess,
        reply_example={"granted_by": None, "roles": [], "permissions": []},
    ),
    Operation("list_joinable_tenants", ListJoinableTenants, list[JoinableTenant]),
    Operation("set_access_requests", SetAccessRequests, AccessRequestsSetting),
    Operation("request_access", RequestAccess, AccessRequest),
    Operation("withdraw_request", WithdrawRequest, AccessRequest),
    Operation("decide_request", DecideRequest, AccessRequest),
    Operation("list_access_requests", ListAccessRequests, list[AccessRequest]),
    Operation("list_members", ListMembers, list[Member]),
    Operation("leave_tenant", LeaveTenant, SchemaAccess),
    Operation(
        "transfer_admin",
        TransferAdmin,
        SchemaAccess,
        # Ann, an admin of the tenant, makes Bob admin.
        reply_example={
            "access_level": "admin",
            "granted_by": "7c9e2a5d-3b41-4f86-a1c0-5d8e9f2b6a34",
        },
    ),
    Operation("define_role", DefineRole, Role),
    Operation("drop_role", DropRole, Role),
    Operation("list_roles", ListRoles, list[Role]),
    Operation(
        "open_support_access",
        OpenSupportAccess,
        SchemaAccess,
        reply_example=_SUPPORT,
    ),
    Operation("close_support_access", CloseSupportAccess, SchemaAccess, reply_example=_SUPPORT),
    Operation("list_staff", ListStaff, list[StaffMember]),
    Operation("promote_to_admin", PromoteToAdmin, AdminUser),
    Operation("revoke_admin", RevokeAdmin, AdminUser),
)


def access_control(request: Request) -> Response:
    return answer(GROUP, request)
