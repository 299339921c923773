"""The table in attacks.md, cell by cell.

For each cell the test disables the other two layers and sends the attack over HTTP. Where the
table has a mark, the remaining layer refuses the attack with its own message, and no row
changes. As positive control, the same request succeeds after its sender got the permission.
Where the table has no mark, the attack succeeds: the table may not claim too little either.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from support.attacked_tenant import (
    LAYERS,
    TABLE,
    AttackedTenant,
    Request,
    cells,
    entry_point,
)
from support.environment import Environment
from tenantry_cli.project import find_project


def _cells() -> Iterator[Any]:
    for attack, layer, mark in cells():
        yield pytest.param(attack, layer, mark != "", id=f"{attack} - {layer}")


@pytest.fixture
def attacked(environment: Environment) -> AttackedTenant:
    return AttackedTenant.build(environment)


@pytest.mark.parametrize(("attack", "layer", "is_stopped"), list(_cells()))
def test_each_layer_alone_stops_what_the_table_says(
    attacked: AttackedTenant, attack: str, layer: str, is_stopped: bool
) -> None:
    attacks = attacked.attacks()[attack]()
    for other in {*LAYERS} - {layer}:
        attacked.disable(other)

    with ExitStack() as closing:
        send = closing.enter_context(entry_point(attacked, guarded=layer == "guard"))
        for each in attacks:
            for request in each.requests:
                before = attacked.contents()
                reply = send(each.who, request)
                if is_stopped:
                    _assert_refused(reply, layer)
                    assert attacked.contents() == before
                else:
                    _assert_succeeds(reply)
                    attacked.reset()
        if not is_stopped:
            return
        for each in attacks:
            each.permit()
            for request in each.requests:
                _assert_succeeds(send(each.permitted or each.who, request))
                attacked.reset()


def test_the_readme_shows_this_table() -> None:
    assert TABLE in (find_project().root / "README.md").read_text()


def test_granted_routine_is_protected_by_the_guard_alone(attacked: AttackedTenant) -> None:
    attacked.run("grant execute on function {}.peek() to authenticated")
    stranger, member = (
        attacked.environment.person(),
        attacked.environment.member(attacked.name, "read"),
    )
    call = Request("POST", "/rpc/peek", {})

    with entry_point(attacked, guarded=False) as send:
        _assert_succeeds(send(stranger, call))
    with entry_point(attacked, guarded=True) as send:
        _assert_refused(send(stranger, call), "guard")
        _assert_succeeds(send(member, call))


def _assert_succeeds(reply: httpx.Response) -> None:
    assert reply.is_success, reply.text
    assert reply.json(), "no row was read or written"


def _assert_refused(reply: httpx.Response, layer: str) -> None:
    if layer == "RLS" and reply.status_code == 200:
        assert reply.json() == []
        return
    refusal = reply.json()
    assert reply.status_code in (401, 403), refusal
    # A token that names no active user is refused with 401, whatever its role.
    is_nobody = layer == "guard" and reply.status_code == 401
    assert refusal["code"] == "42501" or (is_nobody and refusal["code"] == "PT401")
    if layer == "guard":
        assert refusal["details"] in ("not_authenticated", "forbidden", "tenant_suspended")
    else:
        words = {
            "grants": "permission denied for ",
            "RLS": "new row violates row-level security",
        }
        assert refusal["message"].startswith(words[layer])
