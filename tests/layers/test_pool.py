"""A tenant in the pool is closed: each layer alone refuses it, and no operation finds it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from support.attacked_tenant import LAYERS, AttackedTenant, entry_point
from support.entry_points import ENTRY_POINTS
from support.environment import Environment
from support.waiting import is_known, until
from tenantry.catalogue import catalogue

Database = psycopg.Connection[dict[str, Any]]


@pytest.mark.parametrize("layer", LAYERS)
def test_each_layer_alone_closes_a_tenant_of_the_pool(
    environment: Environment, layer: str
) -> None:
    tenant = AttackedTenant.build(environment)
    member, service_key = tenant.pooled()
    # The service key bypasses policies.
    attacks = [member] if layer == "RLS" else [member, service_key]
    for other in {*LAYERS} - {layer}:
        tenant.disable(other)
    before = tenant.contents()

    with entry_point(tenant, guarded=layer == "guard") as send:
        for attack in attacks:
            for request in attack.requests:
                reply = send(attack.who, request)
                if layer == "RLS" and reply.status_code == 200:
                    assert reply.json() == []
                else:
                    assert reply.status_code == 403, reply.text
                    assert reply.json()["code"] == "42501"
        assert tenant.contents() == before
        for attack in attacks:
            attack.permit()
            for request in attack.requests:
                reply = send(attack.who, request)
                assert reply.is_success, reply.text
                assert reply.json(), "no row was read or written"
                tenant.reset()


def test_guard_refuses_every_caller_like_a_stranger(environment: Environment) -> None:
    name = environment.tenant()
    until(lambda: is_known(environment, name, "settings"))
    stranger, staff = environment.person(), environment.staff("super_admin")
    refusals = [
        environment.rows(stranger, name, "settings").json(),
    ]
    environment.put_into_pool(name)

    refusals += [
        environment.rows(who, name, "settings").json()
        for who in (stranger, staff, environment.service)
    ]

    assert refusals == [refusals[0]] * 4
    assert refusals[0]["details"] == "forbidden"


# What an operation needs beside the tenant's name, where it has no default.
_ARGUMENTS = {
    "user_id": "00000000-0000-0000-0000-000000000000",
    "invitation_id": "00000000-0000-0000-0000-000000000000",
    "email": "ann@acme.example",
    "display_name": "Acme",
    "access_level": "read",
    "table_name": "notes",
    "column_name": "body",
    "column_type": "text",
    "columns": [{"name": "id", "type": "uuid"}],
    "constraint_name": "notes_id_fkey",
    "foreign_table": "users",
    "before": "2026-01-01T00:00:00Z",
    "domain": "acme.example",
    "enabled": True,
    "approve": True,
    "role_name": "accountant",
    "permissions": [],
    "reason": "A ticket.",
}
# These say that the name is taken.
_MAKES_A_TENANT = {"create_tenant_schema", "register_tenant_schema"}
# Its tenants are migrated like all others.
_REACHES_THE_POOL = {"migrate_tenant"}
# Platform staff read what the log says of a name, whether or not there is such a tenant.
_READS_THE_PLATFORMS_LOG = {"get_admin_audit_log"}
# Refused before it looks for the tenant, unless a user with a confirmed address calls.
_ASKS_FOR_AN_ADDRESS = {"request_access"}


def _operations() -> list[str]:
    return sorted(
        entry.name
        for entry in catalogue().values()
        if "schema_name" in {parameter.name for parameter in entry.parameters}
        and entry.name
        not in _MAKES_A_TENANT
        | _REACHES_THE_POOL
        | _READS_THE_PLATFORMS_LOG
        | _ASKS_FOR_AN_ADDRESS
    )


def test_no_operation_finds_a_tenant_of_the_pool(environment: Environment) -> None:
    pooled, missing = environment.tenant(), environment.name()
    environment.put_into_pool(pooled)
    people = (environment.service, environment.staff("super_admin"))

    for operation in _operations():
        needed = {
            parameter.name: _ARGUMENTS[parameter.name]
            for parameter in catalogue()[operation].parameters
            if parameter.default is None and parameter.name != "schema_name"
        }
        for who in people:
            answers = []
            for name in (pooled, missing):
                reply = environment.rpc(who, operation, schema_name=name, **needed)
                assert reply.status_code == 404, (operation, reply.text)
                answers.append(reply.text.replace(name, "…"))
            assert answers[0] == answers[1]

    assert _operations()
    assert environment.rpc(environment.service, "migrate_tenant", schema_name=pooled).is_success


@pytest.mark.parametrize("entry_point_name", ENTRY_POINTS)
def test_operations_find_the_tenant_once_it_is_active(
    environment: Environment, entry_point_name: str
) -> None:
    name, staff = environment.tenant(), environment.staff("viewer")

    def status() -> int:
        return environment.call(
            entry_point_name, staff, "check_tenant_status", {"schema_name": name}
        ).status_code

    environment.put_into_pool(name)
    assert status() == 404
    environment.take_from_pool(name)
    assert status() == 200


def test_platform_staff_do_not_see_the_pool(environment: Environment) -> None:
    name, staff = environment.tenant(), environment.staff("super_admin")

    def rows() -> list[dict[str, Any]]:
        reply = environment.http.get(
            f"/rest/v1/tenants?select=schema_name&schema_name=eq.{name}",
            headers=environment.headers(staff),
        )
        found: list[dict[str, Any]] = reply.raise_for_status().json()
        return found

    environment.put_into_pool(name)
    assert rows() == []
    environment.take_from_pool(name)
    assert rows() == [{"schema_name": name}]


def test_pool_counts_only_among_the_tenants_behind(database: Database) -> None:
    database.execute("select public.create_tenant_schema('pool_behind')")
    database.execute(
        "select tenancy.register_tenant_migration('20270101000000', 'nothing', 'select 1')"
    )

    def status() -> dict[str, Any]:
        row = database.execute("select s.* from public.get_migration_status() s").fetchone()
        assert row is not None
        return row

    before = status()
    database.execute(
        "update public.tenants set status = 'pooled' where schema_name = 'pool_behind'"
    )
    after = status()
    behind = database.execute(
        "select b.schema_name, b.is_pooled from public.list_tenants_behind(null, 1000) b"
        " where b.schema_name = 'pool_behind'"
    ).fetchall()

    assert after["tenant_count"] == before["tenant_count"] - 1
    assert after["behind"] == before["behind"] - 1
    assert after["pooled_behind"] == before["pooled_behind"] + 1
    assert behind == [{"schema_name": "pool_behind", "is_pooled": True}]
