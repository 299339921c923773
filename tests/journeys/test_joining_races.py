"""Users who join a tenant at once, and a domain that is removed meanwhile."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from support.entry_points import (
    ENTRY_POINTS,
    HOLD_TENANT,
    EntryPoint,
    at_once,
    holding,
    waiter,
)
from support.environment import Environment, Person
from support.refusals import refusal

MEMBER = (409, "member_exists")
NOT_FOUND = (404, "tenant_not_found")
BUSY = {(429, "busy"), (503, "busy")}


def tenant_and_user(environment: Environment) -> tuple[str, str, Person]:
    """A tenant with a verified domain, and a user of the domain."""
    tenant, domain = environment.tenant(), f"{secrets.token_hex(8)}.example"
    environment.sql.execute("select public.add_tenant_domain(%s, %s)", (tenant, domain))
    environment.sql.execute("select public.verify_tenant_domain(%s, %s)", (tenant, domain))
    return tenant, domain, environment.person(f"ann@{domain}", confirmed=True)


def grants_and_entries(
    environment: Environment, tenant: str, person: Person
) -> tuple[int, list[Any]]:
    """The number of grants of a user, and what the audit log says of them."""
    grants = environment.sql.execute(
        "select from public.user_schema_access where schema_name = %s and user_id = %s",
        (tenant, person.id),
    ).fetchall()
    entries = environment.sql.execute(
        "select action from public.admin_audit_log where schema_name = %s"
        " and action ~ '^access[.](join|grant|remove_domain)$' order by id",
        (tenant,),
    ).fetchall()
    return len(grants), [entry["action"] for entry in entries]


@pytest.mark.soak
def test_concurrent_joins_of_one_user_make_one_grant(
    environment: Environment, soak: bool
) -> None:
    for _ in range(200 if soak else 2):
        tenant, _, person = tenant_and_user(environment)

        replies = at_once(
            *(
                partial(entry_point, environment, person, "join_tenant", schema_name=tenant)
                for entry_point in [*ENTRY_POINTS.values()] * 4
            )
        )

        assert [reply.is_success for reply in replies].count(True) == 1
        assert {refusal(reply) for reply in replies if reply.is_error} <= {MEMBER, *BUSY}
        assert grants_and_entries(environment, tenant, person) == (1, ["access.join"])


@pytest.mark.soak
def test_domain_is_removed_before_or_after_a_user_joins(
    environment: Environment, soak: bool
) -> None:
    for number in range(200 if soak else 4):
        tenant, domain, person = tenant_and_user(environment)
        join = partial(environment.rpc, person, "join_tenant", schema_name=tenant)
        remove = partial(
            environment.rpc,
            environment.service,
            "remove_tenant_domain",
            schema_name=tenant,
            domain=domain,
        )

        replies = at_once(join, remove) if number % 2 else at_once(remove, join)

        joined, removed = replies if number % 2 else replies[::-1]
        assert removed.is_success, removed.text
        expected = ["access.join"] if joined.is_success else []
        assert grants_and_entries(environment, tenant, person) == (
            *(len(expected), [*expected, "access.remove_domain"]),
        )
        assert joined.is_success or refusal(joined) in {NOT_FOUND, *BUSY}


@pytest.mark.soak
def test_one_of_many_answers_to_a_request_counts(environment: Environment, soak: bool) -> None:
    for _ in range(200 if soak else 2):
        tenant, person = environment.tenant(), environment.person(confirmed=True)
        environment.sql.execute("select public.set_access_requests(%s, true)", (tenant,))
        request = partial(environment.rpc, person, "request_access", schema_name=tenant)
        asked = at_once(*(request for _ in range(4)))
        assert [reply.is_success for reply in asked].count(True) == 1
        assert {refusal(reply) for reply in asked if reply.is_error} <= {
            *((409, "request_exists"), *BUSY),
        }

        answers = at_once(
            *(
                partial(
                    environment.rpc,
                    environment.service,
                    "decide_request",
                    schema_name=tenant,
                    user_id=person.id,
                    approve=approve,
                )
                for approve in (True, False) * 2
            ),
            partial(environment.rpc, person, "withdraw_request", schema_name=tenant),
        )

        [counts] = [place for place, reply in enumerate(answers) if reply.is_success]
        assert {refusal(reply) for reply in answers if reply.is_error} <= {
            *((404, "request_not_found"), *BUSY),
        }
        expected = (1, ["access.grant"]) if counts in (0, 2) else (0, [])
        assert grants_and_entries(environment, tenant, person) == expected


CHANGES = {
    "domain removed": (
        "delete from tenancy.tenants_domains where schema_name = %s",
        NOT_FOUND,
    ),
    "tenant suspended": (
        "update public.tenants set status = 'suspended', suspended_at = now()"
        " where schema_name = %s",
        NOT_FOUND,
    ),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("commits", [True, False], ids=["committed", "rolled back"])
def test_user_who_waits_finds_what_was_changed_meanwhile(
    environment: Environment,
    entry_point: EntryPoint,
    caller: ThreadPoolExecutor,
    change: str,
    commits: bool,
) -> None:
    tenant, _, person = tenant_and_user(environment)
    statement, expected = CHANGES[change]

    with holding(environment.address, HOLD_TENANT, tenant) as holder:
        call = caller.submit(
            entry_point, environment, person, "join_tenant", schema_name=tenant
        )
        waiter(environment, holder.info.backend_pid, call)
        holder.execute(statement.encode(), (tenant,))
        if commits:
            holder.commit()
        else:
            holder.rollback()

    reply = call.result()
    assert reply.is_success is not commits, reply.text
    assert reply.is_success or refusal(reply) == expected
    assert grants_and_entries(environment, tenant, person)[0] == int(not commits)
