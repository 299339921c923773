"""Tables that an admin creates in their tenant."""

from __future__ import annotations

from typing import Any

from support.environment import Environment, Person
from support.waiting import is_known, until

COLUMNS = [{"name": "title", "type": "text", "nullable": False}]


def create(
    environment: Environment, admin: Person, tenant: str, name: str, columns: Any = COLUMNS
) -> None:
    reply = environment.rpc(
        admin, "create_table", schema_name=tenant, table_name=name, columns=columns
    )
    assert reply.status_code == 200, reply.text
    until(lambda: is_known(environment, tenant, name))
