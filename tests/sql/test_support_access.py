"""Support access: staff open it, the tenant sees and ends it, nothing else lets staff in."""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg.sql import SQL, Identifier

from support.audited_call import AuditedCall, audited_call
from support.entry_points import ENTRY_POINTS
from support.environment import Environment, Person

REASON = "Ticket 4711: totals are wrong"
TOMORROW = datetime.now(UTC) + timedelta(days=1)
FORBIDDEN = (403, "forbidden")


@pytest.fixture
def admin(environment: Environment, tenant: str) -> Person:
    """An admin of the tenant, without an expiry."""
    return environment.member(tenant, "admin")


@pytest.fixture
def staff(environment: Environment) -> Person:
    return environment.staff("admin")


def opened(
    environment: Environment, by: Person, tenant: str, entry_point: str = "rpc", **more: Any
) -> AuditedCall:
    arguments = {"schema_name": tenant, "reason": REASON} | more
    return audited_call(
        environment, by, "open_support_access", entry_point=entry_point, **arguments
    )


def read(environment: Environment, person: Person, tenant: str) -> int:
    return environment.rows(person, tenant, "settings").status_code


def expire(environment: Environment, tenant: str, person: Person) -> None:
    environment.sql.execute(
        "update public.user_schema_access set expires_at = now() - interval '1 second'"
        " where schema_name = %s and user_id = %s",
        (tenant, person.id),
    )


# Opening and closing --------------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_staff_read_for_an_hour_and_the_tenant_sees_and_closes_it(
    environment: Environment, tenant: str, admin: Person, staff: Person, entry_point: str
) -> None:
    assert read(environment, staff, tenant) == 403

    done = opened(environment, staff, tenant, entry_point)

    access = done.result
    assert (access["user_id"], access["granted_by"]) == (staff.id, staff.id)
    assert (access["access_level"], access["support_reason"]) == ("read", REASON)
    lasts = datetime.fromisoformat(access["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < lasts <= timedelta(minutes=60)
    assert (done.entry["action"], done.entry["actor_role"]) == ("support.open", "admin")
    assert done.entry["details"] == {"before": None, "after": access}
    assert read(environment, staff, tenant) == 200
    beyond = audited_call(environment, staff, "get_audit_log", schema_name=tenant)
    assert beyond.refusal == FORBIDDEN

    members = audited_call(environment, admin, "list_members", schema_name=tenant).result
    reasons = {row["user_id"]: row["support_reason"] for row in members}
    assert (reasons[admin.id], reasons[staff.id]) == (None, REASON)
    info = audited_call(environment, admin, "get_tenant_info", schema_name=tenant).result
    assert info["member_count"] == [row["support_reason"] for row in members].count(None)
    log = audited_call(environment, admin, "get_admin_audit_log", schema_name=tenant).result
    assert log[0]["details"]["after"]["support_reason"] == REASON

    closed = audited_call(
        environment,
        admin,
        "close_support_access",
        entry_point=entry_point,
        schema_name=tenant,
        user_id=staff.id,
    )
    assert closed.result == access
    assert closed.entry["action"] == "support.close"
    assert read(environment, staff, tenant) == 403
    again = audited_call(
        environment, admin, "close_support_access", schema_name=tenant, user_id=staff.id
    )
    assert again.refusal == (404, "user_not_found")


def test_everybody_who_may_close_it_does(
    environment: Environment, tenant: str, admin: Person, staff: Person
) -> None:
    expiring = environment.member(tenant, "admin", datetime.now(UTC) + timedelta(minutes=1))
    reader = environment.member(tenant, "read")
    of_staff: dict[str, Any] = {"schema_name": tenant, "user_id": staff.id}
    for operation in ("close_support_access", "revoke_schema_access"):
        for closer in (staff, admin, expiring, environment.staff("admin")):
            opened(environment, staff, tenant, minutes=240).must_succeed()
            assert audited_call(environment, reader, operation, **of_staff).refusal == FORBIDDEN
            assert read(environment, staff, tenant) == 200
            done = audited_call(environment, closer, operation, **of_staff)
            assert done.entry["action"] == "support.close"
            assert read(environment, staff, tenant) == 403

    opened(environment, staff, tenant).must_succeed()
    own = audited_call(environment, staff, "close_support_access", schema_name=tenant)
    assert own.entry["actor_id"] == staff.id
    # It closes nothing but support access.
    of_reader: dict[str, Any] = {"schema_name": tenant, "user_id": reader.id}
    refused = audited_call(environment, admin, "close_support_access", **of_reader)
    assert refused.refusal == (404, "user_not_found")
    assert read(environment, reader, tenant) == 200


def test_it_ends_by_itself_and_stays_listed(
    environment: Environment, tenant: str, admin: Person, staff: Person
) -> None:
    opened(environment, staff, tenant, access_level="admin").must_succeed()
    assert read(environment, staff, tenant) == 200

    expire(environment, tenant, staff)

    assert read(environment, staff, tenant) == 403
    members = audited_call(environment, admin, "list_members", schema_name=tenant).result
    assert {row["user_id"]: row["is_active"] for row in members}[staff.id] is False
    closed = audited_call(environment, staff, "close_support_access", schema_name=tenant)
    assert closed.refusal == (404, "user_not_found")
    assert opened(environment, staff, tenant).entry["details"]["before"]["user_id"] == staff.id
    assert read(environment, staff, tenant) == 200


def test_another_call_replaces_it(environment: Environment, tenant: str, staff: Person) -> None:
    opened(environment, staff, tenant).must_succeed()

    again = opened(environment, staff, tenant, minutes=5, access_level="write").result

    assert again["access_level"] == "write"
    left = datetime.fromisoformat(again["expires_at"]) - datetime.now(UTC)
    assert left <= timedelta(minutes=5)


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_impossible_arguments_open_nothing(
    environment: Environment, tenant: str, staff: Person, entry_point: str
) -> None:
    impossible: list[dict[str, Any]] = [
        *({"minutes": each} for each in (0, -1, 241, None)),
        *({"reason": each} for each in ("ab", " \t ", "x" * 501, "a\nb", None)),
        {"access_level": None},
    ]
    for wrong in impossible:
        refused = opened(environment, staff, tenant, entry_point, **wrong)
        assert refused.refusal == (422, "invalid_request"), wrong
    for right in ({"minutes": 1}, {"minutes": 240}, {"reason": "abc"}, {"reason": "x" * 500}):
        opened(environment, staff, tenant, entry_point, **right).must_succeed()


def test_member_needs_no_support_access(
    environment: Environment, tenant: str, staff: Person
) -> None:
    environment.grant(tenant, staff, "write", TOMORROW)
    assert opened(environment, staff, tenant).refusal == (409, "member_exists")

    expire(environment, tenant, staff)

    assert opened(environment, staff, tenant).result["access_level"] == "read"


@pytest.mark.parametrize("operation", ["revoke_admin", "promote_to_admin"])
def test_it_ends_with_the_role(
    environment: Environment, tenant: str, staff: Person, operation: str
) -> None:
    boss = environment.staff("super_admin")
    opened(environment, staff, tenant).must_succeed()
    role = {"role": "viewer"} if operation == "promote_to_admin" else {}
    if role:
        # The control: a change to another role that may open it leaves it open.
        audited_call(
            environment, boss, operation, user_id=staff.id, role="super_admin"
        ).must_succeed()
        assert read(environment, staff, tenant) == 200

    done = audited_call(environment, boss, operation, user_id=staff.id, **role)

    [ended] = done.entry["details"]["ended_support_access"]
    assert (ended["schema_name"], ended["user_id"]) == (tenant, staff.id)
    assert read(environment, staff, tenant) == 403


# What it does not allow -----------------------------------------------------------------


def test_support_access_is_no_admin_of_the_tenant(
    environment: Environment, staff: Person
) -> None:
    tenant = environment.tenant()
    admin = environment.member(tenant, "admin")
    member = environment.member(tenant, "write")
    opened(environment, staff, tenant, access_level="admin").must_succeed()
    audited_call(environment, staff, "get_audit_log", schema_name=tenant).must_succeed()

    left = audited_call(environment, admin, "leave_tenant", schema_name=tenant)
    assert left.refusal == (409, "last_tenant_admin")
    of_member: dict[str, Any] = {"schema_name": tenant, "user_id": member.id}
    of_staff: dict[str, Any] = {"schema_name": tenant, "user_id": staff.id}
    for refused, code in (
        (audited_call(environment, staff, "transfer_admin", **of_member), FORBIDDEN),
        (
            audited_call(environment, admin, "transfer_admin", **of_staff),
            (404, "user_not_found"),
        ),
        (audited_call(environment, staff, "grant_schema_access", **of_member), FORBIDDEN),
        (
            audited_call(
                environment, staff, "invite_member", schema_name=tenant, email="a@example.com"
            ),
            FORBIDDEN,
        ),
    ):
        assert refused.refusal == code, refused.reply.text
    soon = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    for operation, of in (
        ("grant_schema_access", of_member),
        ("invite_member", {"schema_name": tenant, "email": "a@example.com"}),
    ):
        audited_call(environment, staff, operation, **of, expires_at=soon).must_succeed()
    audited_call(environment, staff, "leave_tenant", schema_name=tenant).must_succeed()
    # Now as any platform admin.
    audited_call(environment, staff, "grant_schema_access", **of_member).must_succeed()


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_staff_guess_no_values_by_a_foreign_key(
    environment: Environment, tenant: str, admin: Person, staff: Person, entry_point: str
) -> None:
    secret, guess = str(uuid.uuid4()), str(uuid.uuid4())
    names = [f"t_{secrets.token_hex(4)}" for _ in range(2)]
    for name, value in zip(names, (secret, guess), strict=True):
        column = {"name": "a", "type": "uuid", "unique": True}
        audited_call(
            environment,
            staff,
            "create_table",
            schema_name=tenant,
            table_name=name,
            columns=[column],
        ).must_succeed()
        table = Identifier(tenant, name)
        environment.sql.execute(SQL("insert into {} (a) values (%s)").format(table), (value,))

    def guessed(by: Person) -> tuple[int, str] | None:
        arguments: dict[str, Any] = {"schema_name": tenant, "table_name": names[0]}
        arguments |= {"column_name": "a", "foreign_table": names[1], "foreign_column": "a"}
        done = audited_call(
            environment, by, "add_foreign_key", entry_point=entry_point, **arguments
        )
        return done.refusal if done.reply.status_code != 200 else None

    violation = (409, "foreign_key_violation")
    assert guessed(staff) == FORBIDDEN
    assert guessed(environment.staff("super_admin")) == FORBIDDEN
    opened(environment, staff, tenant, access_level="write").must_succeed()
    assert guessed(staff) == FORBIDDEN
    for by in (admin, environment.service):
        assert guessed(by) == violation
    opened(environment, staff, tenant, access_level="admin").must_succeed()
    assert guessed(staff) == violation


# The other ways -------------------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_staff_let_no_staff_in(
    environment: Environment, tenant: str, admin: Person, entry_point: str
) -> None:
    giver = environment.staff("super_admin")
    colleague = environment.staff("viewer")
    outsider = environment.person()

    def give(by: Person, to: Person) -> list[AuditedCall]:
        return [
            audited_call(
                environment, by, name, entry_point=entry_point, schema_name=tenant, **about
            )
            for name, about in (
                ("grant_schema_access", {"user_id": to.id}),
                ("invite_member", {"email": str(to.email).upper()}),
            )
        ]

    for done in give(giver, colleague):
        assert done.refusal == FORBIDDEN
        assert "open_support_access" in done.reply.json()["hint"]
    for done in give(giver, giver):
        assert done.refusal == (409, "own_grant")
    # Not even if the giver becomes an admin of the tenant whose own access ends.
    environment.grant(tenant, giver, "admin", TOMORROW)
    assert [done.refusal for done in give(giver, colleague)] == [FORBIDDEN] * 2
    assert read(environment, colleague, tenant) == 403

    for by, to in ((giver, outsider), (admin, colleague), (environment.service, giver)):
        granted = give(by, to)[0]
        granted.must_succeed()
        assert read(environment, to, tenant) == 200


def test_staff_accept_no_invitation_of_staff(
    environment: Environment, tenant: str, admin: Person
) -> None:
    def invited(by: Person) -> tuple[Person, str]:
        guest = environment.person(confirmed=True)
        made = audited_call(
            environment, by, "invite_member", schema_name=tenant, email=guest.email
        )
        return guest, made.result["secret"]

    inviters = (environment.staff("admin"), admin, environment.service)
    invitations = [invited(by) for by in inviters]
    for guest, _ in invitations:
        environment.sql.execute("select public.promote_to_admin(%s, 'viewer')", (guest.id,))

    first, *others = [
        audited_call(environment, guest, "accept_invitation", secret=secret)
        for guest, secret in invitations
    ]

    assert first.refusal == FORBIDDEN
    assert read(environment, invitations[0][0], tenant) == 403
    for (guest, _), done in zip(invitations[1:], others, strict=True):
        done.must_succeed()
        assert read(environment, guest, tenant) == 200


def test_staff_do_not_join_by_a_domain(environment: Environment, tenant: str) -> None:
    domain = f"{secrets.token_hex(6)}.example"
    staff, guest = (
        environment.person(f"{name}@{domain}", confirmed=True) for name in ("staff", "guest")
    )
    environment.sql.execute("select public.promote_to_admin(%s, 'admin')", (staff.id,))
    for operation in ("add_tenant_domain", "verify_tenant_domain"):
        audited_call(
            environment, staff, operation, schema_name=tenant, domain=domain
        ).must_succeed()

    joined = audited_call(environment, staff, "join_tenant", schema_name=tenant)

    assert joined.refusal == FORBIDDEN
    assert read(environment, staff, tenant) == 403
    audited_call(environment, guest, "join_tenant", schema_name=tenant).must_succeed()
    assert read(environment, guest, tenant) == 200


def test_profiles_and_tenants_that_staff_make_open_nothing(
    environment: Environment, tenant: str, staff: Person
) -> None:
    audited_call(
        environment, staff, "create_user_profile", schema_name=tenant, user_id=staff.id
    ).must_succeed()
    made, adopted = environment.name(), environment.name()
    audited_call(environment, staff, "create_tenant_schema", schema_name=made).must_succeed()
    environment.sql.execute(SQL("create schema {}").format(Identifier(adopted)))
    boss = environment.staff("super_admin")
    audited_call(
        environment, boss, "register_tenant_schema", schema_name=adopted
    ).must_succeed()

    for name in (tenant, made, adopted):
        assert {read(environment, each, name) for each in (staff, boss)} == {403}
    opened(environment, staff, tenant).must_succeed()
    assert read(environment, staff, tenant) == 200
