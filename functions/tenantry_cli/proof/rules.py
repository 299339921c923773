"""The model of all permissions. `prove` computes every expected result from it.

It follows the design, not the SQL, and ignores the layers. From an identity, the state of a
tenant and the required level it computes whether an attempt is allowed or refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum


class Level(IntEnum):
    READ = 1
    WRITE = 2
    ADMIN = 3


class Platform(IntEnum):
    VIEWER = 1
    ADMIN = 2
    SUPER_ADMIN = 3


class Kind(Enum):
    NOBODY = "nobody"
    USER = "user"
    SERVICE = "service"


class State(Enum):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    MISSING = "missing"


class Visibility(Enum):
    """Which identities may see a marker, in any reply."""

    # Rows of a tenant.
    ROWS = "rows"
    # The names and comments of its tables.
    STRUCTURE = "structure"
    # Its registry row: display name and reason of a suspension.
    REGISTRY = "registry"


@dataclass(frozen=True)
class Tenant:
    letter: str
    name: str
    state: State


# Compared by identity, so that it can be a key of a dictionary.
@dataclass(frozen=True, eq=False)
class Identity:
    name: str
    kind: Kind
    # The unexpired grants, by the letter of the tenant.
    levels: Mapping[str, Level] = field(default_factory=dict)
    # The letters of the tenants for which the domain of the confirmed address is verified.
    joins: frozenset[str] = frozenset()
    platform: Platform | None = None
    # The permissions that its roles give, by the letter of the tenant.
    permissions: Mapping[str, frozenset[str]] = field(default_factory=dict)
    # Whether the rows of `proof_owned` are its own.
    owns_rows: bool = False
    # The token is invalid, so PostgREST must refuse it.
    has_invalid_token: bool = False
    # The token is valid, but names no user who counts.
    has_no_user: bool = False
    # The token is signed with a key that is not the project's, or is not meant to sign.
    is_forged: bool = False
    # Auth has banned or soft-deleted the user, who has grants or a platform role.
    is_inactive: bool = False

    def level(self, tenant: Tenant) -> Level | None:
        return self.levels.get(tenant.letter)


# The permissions that a run declares. One opens all rows of `proof_owned`, the other nothing.
ALL_ROWS = "all_rows"
OTHER = "other"


@dataclass(frozen=True)
class Permission:
    """The platform role, or the level of a member, that suffices to call an operation.

    None means that no role, or no level, suffices.
    """

    platform: Platform | None = None
    member: Level | None = None
    even_suspended: bool = False
    # Everybody signed in may call, whatever the tenant.
    anyone: bool = False
    # The service key, which is no person, may not call.
    is_for_people: bool = False
    # The service key may call, whatever role suffices.
    for_service: bool = False


def may_access_rows(identity: Identity, tenant: Tenant, needs: Level | None) -> bool:
    if needs is None or tenant.state is not State.ACTIVE:
        return False
    if identity.kind is Kind.SERVICE:
        return True
    level = identity.level(tenant)
    return level is not None and level >= needs


def has_permission(identity: Identity, tenant: Tenant, permission: str) -> bool:
    """By a role, or by the level admin."""
    return may_access_rows(identity, tenant, Level.ADMIN) or (
        may_access_rows(identity, tenant, Level.READ)
        and permission in identity.permissions.get(tenant.letter, ())
    )


def may_access_owned_rows(identity: Identity, tenant: Tenant, needs: Level | None) -> bool:
    """Whether the identity may access the rows of the owner, which have a level, too."""
    return may_access_rows(identity, tenant, needs) and (
        identity.owns_rows or has_permission(identity, tenant, ALL_ROWS)
    )


def may_call(identity: Identity, tenant: Tenant | None, permission: Permission) -> bool:
    """Whether the identity may call an operation, on a tenant or on none."""
    if identity.kind is Kind.NOBODY:
        return False
    if permission.for_service and identity.kind is Kind.SERVICE:
        return tenant is None or tenant.state is not State.MISSING
    if permission.is_for_people and identity.kind is Kind.SERVICE:
        return False
    if permission.anyone:
        return True
    if tenant is not None and tenant.state is State.MISSING:
        return False
    role = Platform.SUPER_ADMIN if identity.kind is Kind.SERVICE else identity.platform
    if permission.platform is not None and role is not None and role >= permission.platform:
        return True
    if tenant is None or permission.member is None:
        return False
    level = identity.level(tenant)
    is_accessible = tenant.state is State.ACTIVE or permission.even_suspended
    return level is not None and level >= permission.member and is_accessible


def may_join(identity: Identity, tenant: Tenant) -> bool:
    """Whether the identity may make itself a member. A member has no need to."""
    return (
        tenant.state is State.ACTIVE
        and tenant.letter in identity.joins
        and identity.level(tenant) is None
    )


def may_see(identity: Identity, tenant: Tenant, visibility: Visibility) -> bool:
    if visibility is Visibility.ROWS:
        return may_access_rows(identity, tenant, Level.READ)
    if visibility is Visibility.STRUCTURE:
        return may_access_rows(identity, tenant, Level.READ) or may_call(
            identity, tenant, Permission(platform=Platform.VIEWER)
        )
    return may_call(
        identity,
        tenant,
        Permission(platform=Platform.VIEWER, member=Level.READ, even_suspended=True),
    )
