"""Requests for access: who asks, who decides, and what a stranger learns."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.audited_call import AuditedCall, audited_call
from support.entry_points import ENTRY_POINTS, HOLD_TENANT, holding
from support.environment import Environment, Person
from support.refusal_times import assert_refusals_take_the_same_time

TOMORROW = datetime.now(UTC) + timedelta(days=1)
NOT_FOUND = (404, "tenant_not_found")
LIMIT = (409, "request_limit")


@pytest.fixture
def admin(environment: Environment, tenant: str) -> Iterator[Person]:
    """An admin of the tenant, which takes requests during the test."""
    environment.sql.execute("select public.set_access_requests(%s, true)", (tenant,))
    yield environment.member(tenant, "admin")
    environment.sql.execute("select public.set_access_requests(%s, false)", (tenant,))


@pytest.fixture
def guest(environment: Environment) -> Person:
    """A person with a confirmed address and without access."""
    return environment.person(confirmed=True)


def call(
    environment: Environment, by: Person, operation: str, tenant: str, **more: Any
) -> AuditedCall:
    return audited_call(environment, by, operation, schema_name=tenant, **more)


def request(environment: Environment, by: Person, tenant: str, **more: Any) -> AuditedCall:
    return call(environment, by, "request_access", tenant, **more)


def decide(
    environment: Environment,
    by: Person,
    tenant: str,
    about: Person,
    *,
    approve: bool,
    **more: Any,
) -> AuditedCall:
    return call(
        environment, by, "decide_request", tenant, user_id=about.id, approve=approve, **more
    )


def set_requests(environment: Environment, person: Person, change: str) -> None:
    statement = f"update tenancy.tenants_access_requests set {change} where user_id = %s"  # noqa: S608
    environment.sql.execute(statement.encode(), (person.id,))


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_user_whose_request_is_approved_becomes_a_member(
    environment: Environment, tenant: str, admin: Person, guest: Person, entry_point: str
) -> None:
    asked = request(
        environment, guest, tenant, message="I am new.\nAnn", entry_point=entry_point
    )
    assert asked.result["email"] == guest.email
    assert (asked.entry["action"], asked.entry["actor_role"]) == ("request.create", "user")
    assert asked.entry["details"] == {"after": asked.result}
    again = request(environment, guest, tenant, entry_point=entry_point)
    assert again.refusal == (409, "request_exists")
    listed = call(
        environment, admin, "list_access_requests", tenant, entry_point=entry_point
    ).result
    assert asked.result in listed

    done = decide(
        environment,
        admin,
        tenant,
        guest,
        approve=True,
        access_level="write",
        expires_at=TOMORROW.isoformat(),
        entry_point=entry_point,
    )

    assert done.result == asked.result
    given = done.entry["details"]["after"]
    assert done.entry["action"] == "access.grant"
    assert done.entry["details"] == {
        "before": None,
        "after": given,
        "request": asked.result["id"],
    }
    assert (given["user_id"], given["access_level"], given["granted_by"]) == (
        *(guest.id, "write", admin.id),
    )
    assert datetime.fromisoformat(given["expires_at"]) == TOMORROW
    assert environment.rows(guest, tenant, "settings").status_code == 200
    assert request(environment, guest, tenant).refusal == (409, "member_exists")
    assert decide(environment, admin, tenant, guest, approve=False).refusal == (
        *(404, "request_not_found"),
    )


def test_refused_request_can_be_repeated_after_seven_days(
    environment: Environment, tenant: str, admin: Person, guest: Person
) -> None:
    asked = request(environment, guest, tenant).result

    refused = decide(environment, admin, tenant, guest, approve=False)

    assert refused.entry["action"] == "request.refuse"
    assert refused.entry["details"] == {"before": asked}
    assert environment.rows(guest, tenant, "settings").status_code == 403
    for days, outcome in ((0, False), (6, False), (7, True)):
        set_requests(environment, guest, f"ended_at = now() - interval '{days} days'")
        done = request(environment, guest, tenant)
        assert done.reply.is_success == outcome
        assert outcome or done.refusal == (409, "request_refused")


def test_withdrawn_request_is_none_and_can_be_repeated(
    environment: Environment, tenant: str, admin: Person, guest: Person
) -> None:
    other = environment.person(confirmed=True)
    asked = request(environment, guest, tenant).result
    missing = call(environment, other, "withdraw_request", tenant)
    assert missing.refusal == (404, "request_not_found")

    done = call(environment, guest, "withdraw_request", tenant)

    assert done.result == asked
    assert (done.entry["action"], done.entry["details"]) == (
        *("request.withdraw", {"before": asked}),
    )
    assert decide(environment, admin, tenant, guest, approve=True).refusal == (
        *(404, "request_not_found"),
    )
    assert asked not in call(environment, admin, "list_access_requests", tenant).result
    request(environment, guest, tenant).must_succeed()


def test_tenant_that_takes_no_requests_is_missing(
    environment: Environment, guest: Person
) -> None:
    tenant, suspended = environment.tenant(), environment.tenant()
    admin = environment.member(tenant, "admin")
    environment.sql.execute("select public.set_access_requests(%s, true)", (suspended,))
    environment.suspend(suspended)
    missing = "test_" + secrets.token_hex(6)

    def replies() -> list[Any]:
        found = []
        for name in (missing, tenant, suspended):
            reply = request(environment, guest, name).reply
            body = reply.json()
            found.append(
                (reply.status_code, body | {"message": body["message"].split(" ")[:4]})
            )
        return found

    first, *others = replies()
    assert (first[0], first[1]["details"]) == NOT_FOUND
    assert others == [first] * 2
    with holding(environment.address, HOLD_TENANT, tenant):
        assert request(environment, guest, tenant).refusal == NOT_FOUND

    done = call(environment, admin, "set_access_requests", tenant, enabled=True)
    assert (done.entry["action"], done.entry["details"]) == (
        *("access.set_requests", {"before": False, "after": True}),
    )
    again = call(environment, admin, "set_access_requests", tenant, enabled=True)
    assert (again.result, again.entries) == (done.result, [])
    anonymous = environment.person(confirmed=True)
    environment.sql.execute(
        "update auth.users set is_anonymous = true where id = %s", (anonymous.id,)
    )
    # They learn nothing of a tenant either.
    for person in (environment.person(), anonymous, environment.service):
        for name in (tenant, missing):
            assert request(environment, person, name).refusal == (403, "forbidden")
    request(environment, guest, tenant).must_succeed()

    call(environment, admin, "set_access_requests", tenant, enabled=False).must_succeed()
    assert request(environment, environment.person(confirmed=True), tenant).refusal == (
        NOT_FOUND
    )
    # An open request stays open.
    decide(environment, admin, tenant, guest, approve=True).must_succeed()


def test_missing_tenant_takes_as_long_as_one_that_takes_no_requests(
    environment: Environment, guest: Person
) -> None:
    assert_refusals_take_the_same_time(
        environment,
        guest,
        "select public.request_access(%s)",
        {"missing": "test_000000000000", "existing": environment.tenant()},
        "tenant_not_found",
    )


def test_decision_follows_the_rules_of_granting(
    environment: Environment, tenant: str, admin: Person, guest: Person
) -> None:
    expiring = environment.member(tenant, "admin", TOMORROW)
    stranger = environment.person(confirmed=True)
    request(environment, guest, tenant).must_succeed()
    for level, expires_at in (("admin", TOMORROW), ("read", None)):
        refused = decide(
            environment,
            expiring,
            tenant,
            guest,
            approve=True,
            access_level=level,
            expires_at=expires_at and expires_at.isoformat(),
        )
        assert refused.refusal == (403, "forbidden")
    assert decide(environment, admin, tenant, stranger, approve=True).refusal == (
        *(404, "request_not_found"),
    )
    other_tenant = environment.tenant()
    other_admin = environment.member(other_tenant, "admin")
    assert decide(environment, other_admin, other_tenant, guest, approve=True).refusal == (
        *(404, "request_not_found"),
    )

    # A refused decision leaves the request open.
    environment.grant(tenant, guest, "read")
    assert decide(environment, admin, tenant, guest, approve=True).refusal == (
        *(409, "member_exists"),
    )
    # Removed members may ask, and the admin decides.
    environment.sql.execute("select public.revoke_schema_access(%s, %s)", (tenant, guest.id))
    decide(
        environment, expiring, tenant, guest, approve=True, expires_at=TOMORROW.isoformat()
    ).must_succeed()


def test_requests_are_listed_in_pages_with_who_vouches_for_the_address(
    environment: Environment,
) -> None:
    tenant = environment.tenant()
    environment.sql.execute("select public.set_access_requests(%s, true)", (tenant,))
    admin = environment.member(tenant, "admin")
    guests = [environment.person(confirmed=True) for _ in range(4)]
    provider = "sso:0b6d1f4e-8a53-4c1e-9d57-2f0e6c3a9b10"
    environment.sql.execute(
        "update auth.users set raw_app_meta_data = jsonb_build_object('provider', %s::text)"
        " where id = %s",
        (provider, guests[0].id),
    )
    for guest in guests:
        request(environment, guest, tenant).must_succeed()
    environment.set_auth_state(guests[1], "banned_until", "infinity")

    def page(after: str | None) -> list[Any]:
        rows: list[Any] = call(
            environment, admin, "list_access_requests", tenant, page_size=2, after=after
        ).result
        return rows

    first = page(None)
    # What the last row of a page is about may end meanwhile.
    decide(environment, admin, tenant, guests[2], approve=False).must_succeed()
    second = page(first[-1]["id"])

    assert [row["user_id"] for row in first] == [guests[0].id, guests[2].id]
    assert [row["user_id"] for row in second] == [guests[3].id]
    assert first[0]["provider"] == provider
    unknown = call(
        environment, admin, "list_access_requests", tenant, after=environment.person().id
    )
    assert unknown.refusal == (422, "invalid_request")


def test_requests_are_limited(environment: Environment, guest: Person) -> None:
    first, second = environment.tenant(), environment.tenant()
    for name in (first, second):
        environment.sql.execute("select public.set_access_requests(%s, true)", (name,))

    def add(by: Person, number: int) -> None:
        """Requests of today that were withdrawn."""
        environment.sql.execute(
            "insert into tenancy.tenants_access_requests (schema_name, user_id, ended_at)"
            " select %s, %s, now() from generate_series(1, %s)",
            (first, by.id, number),
        )

    def next_day(person: Person) -> None:
        set_requests(environment, person, "created_at = created_at - interval '25 h'")

    # A tenant in a day.
    many = environment.person(confirmed=True)
    add(many, 499)
    request(environment, environment.person(confirmed=True), first).must_succeed()
    assert request(environment, guest, first).refusal == LIMIT
    request(environment, guest, second).must_succeed()
    next_day(many)
    request(environment, guest, first).must_succeed()
    # A user in a day, in all tenants.
    assert request(environment, guest, second).refusal == (409, "request_exists")
    call(environment, guest, "withdraw_request", second).must_succeed()
    add(guest, 17)
    request(environment, guest, second).must_succeed()
    call(environment, guest, "withdraw_request", second).must_succeed()
    assert request(environment, guest, second).refusal == LIMIT
    next_day(guest)
    request(environment, guest, second).must_succeed()


def test_message_is_a_short_text(
    environment: Environment, tenant: str, admin: Person, guest: Person
) -> None:
    for message in ("x" * 1001, "a\u202eb", "a\u0007b"):
        refused = request(environment, guest, tenant, message=message)
        assert refused.refusal == (422, "invalid_request")
    request(environment, guest, tenant, message="\u00fc" * 1000).must_succeed()
