"""`tenantry prove` tries every operation."""

from __future__ import annotations

from support.environment import GROUPS
from tenantry_cli.proof.operations import OPERATIONS


def test_every_rpc_is_tried_through_its_own_group() -> None:
    assert {operation.name: operation.group for operation in OPERATIONS} == GROUPS
