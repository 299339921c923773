"""Every RPC, who may call it, and arguments with which a call changes nothing.

The RPCs and their callers come from the catalogue, the arguments from the names of the
parameters. Where a permitted call would change something, special arguments lead the call to an
error that comes after the check of the permission. That error proves the permission.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tenantry.catalogue import CatalogueEntry, catalogue
from tenantry_cli.proof.identities import (
    ADMIN_B,
    BANNED,
    DELETED,
    READER,
    STRANGER,
    SUPER_ADMIN,
    VIEWER,
    WRITER,
)
from tenantry_cli.proof.rules import Identity, Kind, Level, Permission, Platform, State, Tenant

Json = dict[str, Any]
NO_ONE = Permission()


@dataclass(frozen=True)
class CallContext:
    """The values that arguments are made of."""

    tenant: Tenant
    other: Tenant
    identity: Identity
    ids: Mapping[Identity, str]
    display_name: str
    has_inactive_users: bool
    # The limits of the platform, if they are known.
    limits: Mapping[str, int]

    @property
    def own_id(self) -> str:
        return self.ids.get(self.identity, self.ids[STRANGER])


Arguments = Callable[[CallContext], Json]


@dataclass(frozen=True)
class Operation:
    name: str
    group: str
    permission: Permission
    # The arguments of a permitted caller. With them a call changes nothing.
    arguments: Arguments
    # The arguments of everybody else. With them a permitted call would change something.
    attack: Arguments | None = None
    # Errors that only a permitted caller can get.
    passes: frozenset[str] = frozenset()
    has_tenant: bool = True
    is_stable: bool = False
    # Whether a permitted call of this caller would change something all the same. Such a call
    # is left out.
    is_left_out: Callable[[CallContext], bool] = lambda context: False
    # The operation whose success is the positive control, if not this one.
    control: str = ""
    label: str = ""
    # Whether an empty list is a success.
    may_be_empty: bool = False
    # Everybody signed in gets an answer: a leak is an answer that names a foreign tenant.
    is_list_of_tenants: bool = False

    @property
    def title(self) -> str:
        return self.label or self.name


def _fixed(**arguments: Any) -> Arguments:
    return lambda context: dict(arguments)


def _nothing(context: CallContext) -> Json:
    return {}


@dataclass(frozen=True)
class _Special:
    """Properties of an operation that the catalogue does not have."""

    # Added to the arguments by name. Without an attack, all callers send the same arguments.
    arguments: Arguments = _nothing
    attack: Arguments | None = None
    passes: frozenset[str] = frozenset()
    is_left_out: Callable[[CallContext], bool] = lambda context: False
    control: str = ""
    may_be_empty: bool = False
    has_tenant: bool = True
    # Who may call, if the catalogue does not say it.
    permission: Permission | None = None


# Arguments by name ----------------------------------------------------------------------------

_NEUTRAL_VALUES: Mapping[str, Callable[[CallContext], Any]] = {
    "schema_name": lambda context: context.tenant.name,
    # The name that the tenant has already.
    "display_name": lambda context: context.display_name,
    # A user with a profile and without access.
    "user_id": lambda context: context.ids[STRANGER],
    "table_name": lambda context: "proof_notes",
}
_CHANGING_VALUES = {**_NEUTRAL_VALUES, "display_name": lambda context: "taken"}
# Parameters that are always given, because their default means all tenants or the caller.
_ALWAYS = ("schema_name", "user_id")


def _by_name(
    entry: CatalogueEntry,
    more: Arguments,
    values: Mapping[str, Callable[[CallContext], Any]] = _NEUTRAL_VALUES,
) -> Arguments:
    names = [
        parameter.name
        for parameter in entry.parameters
        if parameter.name in values and (parameter.default is None or parameter.name in _ALWAYS)
    ]
    return lambda context: {name: values[name](context) for name in names} | more(context)


# Special arguments ----------------------------------------------------------------------------


def _resident(context: CallContext) -> str:
    """A user who has access to the tenant."""
    return context.ids[ADMIN_B if context.tenant.letter == "B" else READER]


def _another_resident(context: CallContext) -> str:
    return context.ids[WRITER if context.identity != WRITER else READER]


def _resident_level(context: CallContext) -> str:
    return "admin" if context.tenant.letter == "B" else "read"


def _is_platform_admin(context: CallContext) -> bool:
    return (
        context.identity.kind is Kind.SERVICE
        or (context.identity.platform or 0) >= Platform.ADMIN
    )


# Whoever may read anything of a tenant may call it.
_CONTROL = "get_schema_summary"

_COLUMN = {"name": "body", "type": "text"}

_SPECIAL: Mapping[str, _Special] = {
    "create_tenant_schema": _Special(
        _fixed(schema_name="pg_proof"),
        passes=frozenset({"invalid_schema_name"}),
        has_tenant=False,
    ),
    "register_tenant_schema": _Special(
        _fixed(schema_name="pg_proof"),
        passes=frozenset({"invalid_schema_name"}),
        has_tenant=False,
    ),
    "suspend_tenant": _Special(
        is_left_out=lambda context: context.tenant.state is State.ACTIVE
    ),
    "activate_tenant": _Special(
        is_left_out=lambda context: context.tenant.state is State.SUSPENDED
    ),
    "delete_tenant_schema": _Special(
        passes=frozenset({"tenant_active"}),
        is_left_out=lambda context: context.tenant.state is State.SUSPENDED,
    ),
    "create_user_profile": _Special(
        attack=lambda context: {"user_id": context.ids[SUPER_ADMIN]},
        passes=frozenset({"profile_exists"}),
    ),
    "update_user_profile": _Special(
        _fixed(display_name="renamed"), passes=frozenset({"profile_not_found"})
    ),
    "grant_schema_access": _Special(
        lambda context: {
            "user_id": _resident(context),
            "access_level": _resident_level(context),
        },
        attack=lambda context: {"user_id": context.own_id, "access_level": "admin"},
        passes=frozenset({"own_grant"}),
    ),
    "revoke_schema_access": _Special(
        # Everybody may drop their own access.
        attack=lambda context: {"user_id": _another_resident(context)},
        passes=frozenset({"user_not_found"}),
    ),
    # A permitted call always ends the caller's access.
    "leave_tenant": _Special(is_left_out=lambda context: True, control=_CONTROL),
    "transfer_admin": _Special(
        # The user has no access.
        attack=lambda context: {"user_id": _another_resident(context)},
        passes=frozenset({"user_not_found"}),
    ),
    "invite_member": _Special(
        _fixed(email="nobody"),
        attack=_fixed(email="proof@example.com", access_level="admin"),
        # The functions check only that the address is a text.
        passes=frozenset({"invalid_request"}),
    ),
    **dict.fromkeys(
        ("accept_invitation", "decline_invitation"),
        _Special(
            # A text that is no secret.
            lambda context: {"secret": context.own_id},
            passes=frozenset({"invitation_not_found"}),
        ),
    ),
    "list_invitations": _Special(may_be_empty=True),
    "revoke_invitation": _Special(
        _fixed(invitation_id="00000000-0000-0000-0000-000000000000"),
        passes=frozenset({"invitation_not_found"}),
    ),
    "define_role": _Special(
        _fixed(role_name="proof", permissions=["proof.none"]),
        passes=frozenset({"permission_not_found"}),
    ),
    "drop_role": _Special(_fixed(role_name="proof_none"), passes=frozenset({"role_not_found"})),
    "add_tenant_domain": _Special(
        _fixed(domain="localhost"),
        attack=_fixed(domain="proof.example", access_level="write"),
        passes=frozenset({"invalid_request"}),
    ),
    **dict.fromkeys(
        ("verify_tenant_domain", "remove_tenant_domain"),
        _Special(
            _fixed(domain="no.proof.example"),
            passes=frozenset({"domain_not_found"}),
        ),
    ),
    "list_tenant_domains": _Special(may_be_empty=True),
    "set_access_requests": _Special(
        # No tenant of the run takes requests, nor shall one.
        _fixed(enabled=False),
        attack=_fixed(enabled=True),
    ),
    # No tenant takes any.
    "request_access": _Special(control=_CONTROL),
    "withdraw_request": _Special(passes=frozenset({"request_not_found"})),
    "decide_request": _Special(
        lambda context: {"user_id": context.own_id, "approve": True},
        passes=frozenset({"request_not_found"}),
    ),
    "list_access_requests": _Special(may_be_empty=True),
    # These identities have no address of a tenant's domain.
    "join_tenant": _Special(control=_CONTROL),
    "list_joinable_tenants": _Special(permission=NO_ONE, control=_CONTROL),
    "open_support_access": _Special(
        # The functions check only that it is a number.
        _fixed(reason="The proof.", minutes=0),
        attack=_fixed(reason="The proof.", access_level="admin"),
        passes=frozenset({"invalid_request"}),
    ),
    "close_support_access": _Special(
        # The user has no access.
        passes=frozenset({"user_not_found"}),
    ),
    "list_roles": _Special(may_be_empty=True),
    "list_staff": _Special(_fixed(page_size=1)),
    "promote_to_admin": _Special(
        lambda context: {"user_id": context.ids[SUPER_ADMIN], "role": "super_admin"},
        attack=lambda context: {"user_id": context.own_id, "role": "super_admin"},
    ),
    "revoke_admin": _Special(
        # Not the super_admin, who may be the last one.
        attack=lambda context: {"user_id": context.ids[VIEWER]},
        passes=frozenset({"user_not_found"}),
    ),
    "create_table": _Special(
        _fixed(table_name="settings", columns=[_COLUMN]),
        attack=_fixed(table_name="proof_forged", columns=[_COLUMN]),
        passes=frozenset({"table_exists"}),
    ),
    "drop_table": _Special(
        _fixed(table_name="settings"),
        attack=_fixed(table_name="proof_spare"),
        passes=frozenset({"protected_table"}),
    ),
    "add_column": _Special(
        _fixed(table_name="audit_log", column_name="x_forged", column_type="text"),
        attack=_fixed(table_name="proof_spare", column_name="x_forged", column_type="text"),
        passes=frozenset({"protected_table"}),
    ),
    "drop_column": _Special(
        _fixed(table_name="settings", column_name="key"),
        attack=_fixed(table_name="proof_spare", column_name="body"),
        passes=frozenset({"protected_table"}),
    ),
    "add_foreign_key": _Special(
        _fixed(table_name="settings", column_name="key", foreign_table="users"),
        attack=_fixed(table_name="proof_spare", column_name="body", foreign_table="proof_tags"),
        passes=frozenset({"protected_table"}),
    ),
    "drop_foreign_key": _Special(
        _fixed(table_name="settings", constraint_name="none"),
        attack=_fixed(table_name="proof_notes", constraint_name="proof_notes_tag_fkey"),
        passes=frozenset({"protected_table"}),
    ),
    # An attack must not remove anything either: it could be of the project.
    "prune_audit_log": _Special(_fixed(before="1970-01-01T00:00:00Z")),
    "redact_audit_log": _Special(_fixed(user_id="00000000-0000-0000-0000-000000000000")),
    "list_tenants": _Special(_fixed(page_size=1)),
    "list_tenant_drift": _Special(_fixed(page_size=1), may_be_empty=True),
    "list_tenants_behind": _Special(_fixed(page_size=1), may_be_empty=True),
    "get_schema_drift": _Special(may_be_empty=True),
    "withdraw_tenant_migration": _Special(
        _fixed(version="proof_none"),
        passes=frozenset({"migration_not_found"}),
        has_tenant=False,
    ),
    "replace_tenant_migration": _Special(
        _fixed(version="proof_none", statements="select 1"),
        passes=frozenset({"migration_not_found"}),
        has_tenant=False,
    ),
}


# From the catalogue ---------------------------------------------------------------------------

_PLATFORM = {
    "platform viewer": Platform.VIEWER,
    "platform admin": Platform.ADMIN,
    "signed-in platform admin": Platform.ADMIN,
    "super_admin": Platform.SUPER_ADMIN,
}
_MEMBER = {
    # Everybody signed in may ask, and gets only the tenants of which they are a member.
    "anyone signed in": Level.READ,
    "member": Level.READ,
    "member of a suspended tenant": Level.READ,
    "tenant admin": Level.ADMIN,
}
_EVEN_SUSPENDED = {"anyone signed in", "member of a suspended tenant"}


def permission(entry: CatalogueEntry) -> Permission:
    """Who may call. Oneself is left out: the arguments by name are about somebody else."""
    return Permission(
        is_for_people="signed-in platform admin" in entry.callers,
        for_service="service key" in entry.callers,
        # A list has only the tenants of the caller.
        anyone="anyone signed in" in entry.callers and not entry.returns_set,
        platform=min(
            (_PLATFORM[each] for each in entry.callers if each in _PLATFORM), default=None
        ),
        member=min((_MEMBER[each] for each in entry.callers if each in _MEMBER), default=None),
        even_suspended=not _EVEN_SUSPENDED.isdisjoint(entry.callers),
    )


def _operation(entry: CatalogueEntry) -> Operation:
    special = _SPECIAL.get(entry.name, _Special())
    is_list_of_tenants = "anyone signed in" in entry.callers and entry.returns_set
    names = {parameter.name for parameter in entry.parameters}
    return Operation(
        entry.name,
        entry.group,
        special.permission or permission(entry),
        _by_name(entry, special.arguments),
        _by_name(entry, special.attack or special.arguments, _CHANGING_VALUES),
        special.passes,
        has_tenant=special.has_tenant and (is_list_of_tenants or "schema_name" in names),
        is_stable=entry.is_stable,
        is_left_out=special.is_left_out,
        control=special.control,
        may_be_empty=special.may_be_empty,
        is_list_of_tenants=is_list_of_tenants,
    )


def _attack(name: str, label: str, arguments: Arguments, **more: Any) -> Operation:
    """A call that must be refused to everybody."""
    entry = catalogue()[name]
    return Operation(
        name,
        entry.group,
        NO_ONE,
        _by_name(entry, arguments),
        control=_CONTROL,
        label=label,
        **more,
    )


def _gift(user: Identity, more: Json, context: CallContext) -> Json:
    return {"user_id": context.ids[user], **more}


def _into_another_tenant(spelling: str) -> Arguments:
    return lambda context: {
        "table_name": "proof_notes",
        "column_name": "tag",
        "foreign_table": spelling.format(context.other.name),
        "foreign_column": "id",
    }


def _gives_nothing(context: CallContext) -> bool:
    """Callers who may give nobody anything try the same operation with other users."""
    may_give = _is_platform_admin(context) or (
        context.identity.level(context.tenant) is Level.ADMIN
    )
    return not (context.has_inactive_users and may_give)


# A request of this size must be enough to exceed a limit.
_LARGEST_BODY = 1_500_000


def _exceeds_no_limit(context: CallContext) -> bool:
    limits = context.limits
    return not limits or (
        max(limits["max_unique_columns"] * 50, limits["max_text_bytes"]) > _LARGEST_BODY
    )


def _too_many_unique_columns(context: CallContext) -> Json:
    return _forged_table(
        {"name": f"c{n}", "type": "text", "unique": True}
        for n in range(context.limits["max_unique_columns"] + 1)
    )


def _too_much_text(context: CallContext) -> Json:
    each = min(context.limits["max_default_bytes"], 8000)
    return _forged_table(
        {"name": f"c{n}", "type": "text", "default": "x" * each}
        for n in range(context.limits["max_text_bytes"] // max(each, 1) + 1)
    )


def _too_long_default(context: CallContext) -> Json:
    default = "x" * (context.limits["max_default_bytes"] + 1)
    return _forged_table([{"name": "c", "type": "text", "default": default}])


def _forged_table(columns: Iterable[Json]) -> Json:
    return {"table_name": "proof_forged", "columns": list(columns)}


_ATTACKS = (
    *(
        _attack(
            name,
            f"{name} to a {user.name}",
            partial(_gift, user, more),
            is_left_out=_gives_nothing,
            has_tenant=name != "promote_to_admin",
        )
        for user in (BANNED, DELETED)
        for name, more in (
            ("grant_schema_access", {"access_level": "admin"}),
            ("create_user_profile", {}),
            ("promote_to_admin", {"role": "viewer"}),
        )
    ),
    _attack(
        "grant_schema_access",
        "grant_schema_access to oneself",
        lambda context: {
            "user_id": context.own_id,
            "access_level": "admin",
            "expires_at": "2999-01-01T00:00:00Z",
        },
        # The service key is nobody's.
        is_left_out=lambda context: context.identity.kind is Kind.SERVICE,
    ),
    _attack(
        "add_foreign_key",
        "foreign key into another tenant",
        _into_another_tenant("{}.proof_tags"),
    ),
    _attack(
        "add_foreign_key",
        "foreign key into another tenant, quoted",
        _into_another_tenant('{}"."proof_tags'),
    ),
    _attack(
        "create_table",
        "column of another tenant's type",
        lambda context: {
            "table_name": "proof_forged",
            "columns": [{"name": "row", "type": f"{context.other.name}.proof_notes"}],
        },
    ),
    _attack(
        "drop_table",
        "drop another tenant's table",
        lambda context: {"table_name": f"{context.other.name}.proof_spare"},
    ),
)

# These are tried one after the other, because each of them may change the tenant for seconds.
EXCESSES = tuple(
    _attack("create_table", label, arguments, is_left_out=_exceeds_no_limit)
    for label, arguments in (
        ("too many unique columns", _too_many_unique_columns),
        ("a default that is too long", _too_long_default),
        ("more text than the budget", _too_much_text),
    )
)

_ALL_ADMIN_ACTIONS = Operation(
    "get_admin_audit_log",
    "audit-log",
    Permission(platform=Platform.VIEWER),
    _fixed(page_size=5),
    is_stable=True,
    has_tenant=False,
    label="get_admin_audit_log of all",
)

OPERATIONS = (*map(_operation, catalogue().values()), *_ATTACKS, _ALL_ADMIN_ACTIONS)
