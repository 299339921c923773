"""A separate project without people: tests of the first and the last super_admin.

It has the generous default privileges of projects created before 30 October 2026.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from support.audited_call import audited_call
from support.entry_points import ENTRY_POINTS
from support.environment import Address, Environment
from support.privileges import EXPECTED, actual, expected_in_tenant, of_the_project
from tenantry_cli.emulator.stack import Stack


@pytest.fixture(scope="module")
def project() -> Iterator[Address]:
    with Stack.start(port=None, ephemeral=True, default_privileges="legacy") as stack:
        yield Address.of(stack)


@pytest.fixture
def environment(project: Address) -> Iterator[Environment]:
    with Environment(project) as environment:
        yield environment


def test_privileges_do_not_depend_on_the_default_privileges(
    environment: Environment,
) -> None:
    name = environment.tenant()

    with psycopg.connect(environment.address.db_url, row_factory=dict_row) as database:
        assert of_the_project(database) == EXPECTED
        assert actual(database, name) == expected_in_tenant(name)
        environment.suspend(name)
        assert actual(database, name) == set()
        # The positive control: the default privileges of this project are the generous ones.
        database.execute("create table public.forgotten ()")
        assert ("anon", "insert", "public.forgotten") in of_the_project(database)
        database.rollback()


def test_first_super_admin_is_appointed_with_the_service_key(environment: Environment) -> None:
    first = environment.person()
    arguments: dict[str, Any] = {"user_id": first.id, "role": "super_admin"}
    assert audited_call(environment, first, "promote_to_admin", **arguments).refusal == (
        403,
        "forbidden",
    )

    made = audited_call(environment, environment.service, "promote_to_admin", **arguments)

    assert made.entry["actor_role"] == "service_role"
    assert made.entry["actor_id"] is None
    assert audited_call(
        environment, first, "create_tenant_schema", schema_name=environment.name()
    ).result


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_last_super_admin_cannot_be_revoked(environment: Environment, entry_point: str) -> None:
    last = environment.staff("super_admin")
    environment.staff("admin")
    demotions: list[tuple[str, dict[str, Any]]] = [
        ("revoke_admin", {"user_id": last.id}),
        ("promote_to_admin", {"user_id": last.id, "role": "admin"}),
        ("promote_to_admin", {"user_id": last.id, "role": "viewer"}),
    ]

    for caller, (operation, arguments) in product((last, environment.service), demotions):
        refused = audited_call(
            environment, caller, operation, entry_point=entry_point, **arguments
        )
        assert refused.refusal == (409, "last_super_admin")

        second = environment.staff("super_admin")
        allowed = audited_call(
            environment, caller, operation, entry_point=entry_point, **arguments
        )
        assert allowed.entry
        # Restores the state for the next test.
        audited_call(
            environment, second, "promote_to_admin", user_id=last.id, role="super_admin"
        ).must_succeed()
        audited_call(environment, last, "revoke_admin", user_id=second.id).must_succeed()


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_number_of_tables_of_a_tenant_is_limited(
    environment: Environment, entry_point: str
) -> None:
    name = environment.tenant()
    environment.sql.execute(
        "update tenancy.platform_settings set max_tables = 4 where singleton"
    )
    try:
        asked = {"schema_name": name, "columns": []}
        fourth = audited_call(
            environment,
            environment.service,
            "create_table",
            entry_point=entry_point,
            table_name="a",
            **asked,
        )
        fifth = audited_call(
            environment,
            environment.service,
            "create_table",
            entry_point=entry_point,
            table_name="b",
            **asked,
        )
    finally:
        environment.sql.execute(
            "update tenancy.platform_settings set max_tables = default where singleton"
        )

    assert fourth.result
    assert fifth.refusal == (409, "table_limit")
