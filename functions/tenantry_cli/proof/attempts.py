"""One try: who, on what, through which entry point, and what should come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tenantry_cli.proof.rules import Identity, Tenant
from tenantry_cli.proof.wire import Reply, Request, Statement


class Expected(Enum):
    ALLOWED = "allowed"
    REFUSED = "refused"
    # Not ours to say, for example what a gateway makes of two headers of one name. Markers
    # and rows count all the same.
    EITHER = "either"


@dataclass(frozen=True)
class Sentinel:
    """A row that a write was aimed at, and that is looked for afterwards."""

    tenant: Tenant
    table: str
    key: str
    # The row's state if the write went through: there, gone, or changed.
    effect: str


@dataclass(frozen=True)
class Attempt:
    identity: Identity
    tenant: Tenant | None
    # A column of the matrix.
    group: str
    object: str
    verb: str
    entry_point: str
    expected: Expected
    what: Request | Statement
    # Whether a reply gives what was asked for.
    shows: Callable[[Reply], bool]
    # A refusal counts only if somebody else got through the same way.
    twin: tuple[str, str, str]
    sentinel: Sentinel | None = None


def expect(may: bool) -> Expected:
    return Expected.ALLOWED if may else Expected.REFUSED


def shows_rows(reply: Reply) -> bool:
    return reply.is_success and bool(reply.json)


def shows_text(text: str, reply: Reply) -> bool:
    return reply.is_success and text in reply.text


def shows_count(reply: Reply) -> bool:
    counted = reply.content_range.rpartition("/")[2]
    return reply.is_success and counted not in ("", "0", "*")
