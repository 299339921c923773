"""The tables and views of a tenant schema, with the levels that read and write their rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tenantry_cli.proof.rules import (
    Identity,
    Level,
    Tenant,
    may_access_owned_rows,
    may_access_rows,
)


@dataclass(frozen=True)
class Relation:
    name: str
    reads: Level | None
    writes: Level | None
    key: str
    # The object of the positive control, for an object that nobody may access.
    control: str
    # Only SQL can create it.
    is_extra: bool = False
    # Members see and write their own rows, and holders of a permission all.
    is_owned: bool = False
    body: Callable[[str], dict[str, Any]] = lambda key: {"id": key, "body": "forged"}
    change: tuple[str, Any] = ("body", "changed")

    def may(self, identity: Identity, tenant: Tenant, needs: Level | None) -> bool:
        if self.is_owned:
            return may_access_owned_rows(identity, tenant, needs)
        return may_access_rows(identity, tenant, needs)


RELATIONS = (
    Relation(
        "settings",
        Level.READ,
        Level.ADMIN,
        "key",
        "settings",
        body=lambda key: {"key": key, "value": "forged"},
        change=("value", "changed"),
    ),
    Relation(
        "users",
        Level.READ,
        None,
        "id",
        "proof_notes",
        body=lambda key: {"id": "00000000-0000-0000-0000-000000000001", "email": "forged"},
        change=("display_name", "forged"),
    ),
    Relation(
        "audit_log",
        Level.ADMIN,
        None,
        "id",
        "proof_notes",
        body=lambda key: {"actor_role": "forged", "action": "forged", "table_name": "forged"},
        change=("action", "forged"),
    ),
    Relation("proof_notes", Level.READ, Level.WRITE, "id", "proof_notes"),
    Relation(
        "proof_owned",
        Level.READ,
        Level.WRITE,
        "id",
        "proof_owned",
        is_extra=True,
        is_owned=True,
    ),
    Relation("proof_invoker_view", Level.READ, None, "id", "proof_notes", is_extra=True),
    Relation("proof_definer_view", None, None, "id", "proof_notes", is_extra=True),
    Relation("proof_materialized_view", None, None, "id", "proof_notes", is_extra=True),
    Relation("proof_unregistered", None, None, "id", "proof_notes", is_extra=True),
)
WRITABLE = tuple(relation for relation in RELATIONS if relation.writes is not None)

HIDDEN = ("proof_definer_view", "proof_materialized_view", "proof_unregistered")


def row_key(verb: str, identity: Identity, entry_point: str) -> str:
    return f"{verb}-{identity.name}-{entry_point}".replace(" ", "_")
