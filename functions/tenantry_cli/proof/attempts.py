"""An attempt: identity, object, verb, entry point and expected result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tenantry_cli.proof.rules import Identity, Tenant
from tenantry_cli.proof.transport import PagePaths, Reply, Request, Statement


class Expected(Enum):
    ALLOWED = "allowed"
    REFUSED = "refused"
    # The result depends on a gateway, for example with two headers of one name. Markers in the
    # reply and changed rows are leaks all the same.
    EITHER = "either"


@dataclass(frozen=True)
class Sentinel:
    """The row that an attempt tries to write. Its state is inspected after all attempts."""

    tenant: Tenant
    table: str
    key: str
    # The state of the row after a successful write: there, gone or changed.
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
    # Whether a reply shows that the attempt succeeded.
    shows: Callable[[Reply], bool]
    # The object, verb and entry point of an attempt that must succeed for another identity.
    # Otherwise the refusal of this attempt proves nothing.
    positive_control: tuple[str, str, str]
    sentinel: Sentinel | None = None


def expect(may: bool) -> Expected:
    return Expected.ALLOWED if may else Expected.REFUSED


def shows_rows(reply: Reply) -> bool:
    return reply.is_success and bool(reply.json)


def shows_text(text: str, reply: Reply) -> bool:
    return reply.is_success and text in reply.text


def shows_our_paths(reply: Reply) -> bool:
    """Whether an OpenAPI page of public has anything of Tenantry."""
    return reply.is_success and bool(PagePaths.of(reply.text).ours)


def shows_count(reply: Reply) -> bool:
    counted = reply.content_range.rpartition("/")[2]
    return reply.is_success and counted not in ("", "0", "*")
