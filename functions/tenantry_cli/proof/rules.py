"""The one model of who may do what. Everything `prove` expects is computed from here.

It is written from the design, not from the SQL, and knows nothing of layers: an identity,
a tenant's state and an object's needs go in, allowed or refused comes out.
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


class Audience(Enum):
    """Whom a marker may reach, wherever it turns up."""

    # Rows of a tenant.
    ROWS = "rows"
    # What its tables are called and said to be.
    STRUCTURE = "structure"
    # Its registry row: display name, reason of a suspension.
    REGISTRY = "registry"


@dataclass(frozen=True)
class Tenant:
    letter: str
    name: str
    state: State


# Each is one of a kind: compared by being the same, so that it can be a key.
@dataclass(frozen=True, eq=False)
class Identity:
    name: str
    kind: Kind
    # By the tenant's letter; unexpired grants alone.
    levels: Mapping[str, Level] = field(default_factory=dict)
    platform: Platform | None = None
    # Holds a token that PostgREST itself must turn away.
    is_impostor: bool = False
    # A signed token of a signed-in role that names no user.
    is_unnamed: bool = False

    def level(self, tenant: Tenant) -> Level | None:
        return self.levels.get(tenant.letter)


@dataclass(frozen=True)
class Permission:
    """What suffices to call an operation on a tenant; None means nobody of that kind."""

    platform: Platform | None = None
    member: Level | None = None
    even_suspended: bool = False


def may_touch_rows(identity: Identity, tenant: Tenant, needs: Level | None) -> bool:
    if needs is None or tenant.state is not State.ACTIVE:
        return False
    if identity.kind is Kind.SERVICE:
        return True
    level = identity.level(tenant)
    return level is not None and level >= needs


def may_call(identity: Identity, tenant: Tenant | None, permission: Permission) -> bool:
    """An operation on a tenant, or on none."""
    if identity.kind is Kind.NOBODY:
        return False
    if tenant is not None and tenant.state is State.MISSING:
        return False
    role = Platform.SUPER_ADMIN if identity.kind is Kind.SERVICE else identity.platform
    if permission.platform is not None and role is not None and role >= permission.platform:
        return True
    if tenant is None or permission.member is None:
        return False
    level = identity.level(tenant)
    is_open = tenant.state is State.ACTIVE or permission.even_suspended
    return level is not None and level >= permission.member and is_open


def may_see(identity: Identity, tenant: Tenant, audience: Audience) -> bool:
    if audience is Audience.ROWS:
        return may_touch_rows(identity, tenant, Level.READ)
    if audience is Audience.STRUCTURE:
        return may_touch_rows(identity, tenant, Level.READ) or may_call(
            identity, tenant, Permission(platform=Platform.VIEWER)
        )
    return may_call(
        identity,
        tenant,
        Permission(platform=Platform.VIEWER, member=Level.READ, even_suspended=True),
    )
