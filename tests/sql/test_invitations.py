"""Invitations: who invites, who accepts, and what ends an invitation."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier, Literal

from support.audited_call import AuditedCall, audited_call
from support.entry_points import ENTRY_POINTS, HOLD_TENANT, holding
from support.environment import Environment, Person
from support.refusal_times import assert_refusals_take_the_same_time

NOW = datetime.now(UTC)
TOMORROW = NOW + timedelta(days=1)
SOONER = TOMORROW - timedelta(hours=1)
LATER = TOMORROW + timedelta(hours=1)
NOT_FOUND = (404, "invitation_not_found")


@pytest.fixture
def admin(environment: Environment, tenant: str) -> Person:
    """An admin of the tenant, without an expiry."""
    return environment.member(tenant, "admin")


@pytest.fixture
def guest(environment: Environment) -> Person:
    """A person with a confirmed address and without access."""
    return environment.person(confirmed=True)


def invite(
    environment: Environment, by: Person, tenant: str, email: str | None, **more: Any
) -> dict[str, Any]:
    done = audited_call(
        environment, by, "invite_member", schema_name=tenant, email=email, **more
    )
    assert done.entry["action"] == "invitation.create"
    invitation: dict[str, Any] = done.result
    return invitation


def accept(
    environment: Environment, person: Person, secret: str, entry_point: str = "rpc"
) -> AuditedCall:
    return audited_call(
        environment, person, "accept_invitation", entry_point=entry_point, secret=secret
    )


def listed(environment: Environment, by: Person, tenant: str, **more: Any) -> list[str]:
    rows = audited_call(environment, by, "list_invitations", schema_name=tenant, **more).result
    return [row["email"] for row in rows]


def grant_of(environment: Environment, tenant: str, person: Person) -> Any:
    row = environment.sql.execute(
        "select to_jsonb(a) as row from public.user_schema_access a"
        " where user_id = %s and schema_name = %s",
        (person.id, tenant),
    ).fetchone()
    return row and row["row"]


def set_invitation(environment: Environment, invitation: dict[str, Any], change: str) -> None:
    statement = f"update tenancy.tenants_invitations set {change} where id = %s"  # noqa: S608
    environment.sql.execute(statement.encode(), (invitation["id"],))


# Inviting and accepting -----------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_invited_person_becomes_a_member_once(
    environment: Environment, tenant: str, admin: Person, guest: Person, entry_point: str
) -> None:
    invited = audited_call(
        environment,
        admin,
        "invite_member",
        entry_point=entry_point,
        schema_name=tenant,
        email=guest.email,
        access_level="write",
        expires_at=TOMORROW.isoformat(),
    )
    assert (invited.result["invited_by"], invited.result["email"]) == (admin.id, guest.email)
    assert datetime.fromisoformat(invited.result["valid_until"]) == TOMORROW
    assert grant_of(environment, tenant, guest) is None

    done = accept(environment, guest, invited.result["secret"], entry_point)

    assert (done.result["schema_name"], done.result["status"]) == (tenant, "active")
    grant = grant_of(environment, tenant, guest)
    assert (grant["access_level"], grant["granted_by"]) == ("write", admin.id)
    assert datetime.fromisoformat(grant["expires_at"]) == TOMORROW
    assert done.entry == {
        "actor_id": guest.id,
        "actor_role": "user",
        "action": "access.grant",
        "schema_name": tenant,
        "tenant_id": done.result["id"],
        "details": {"before": None, "after": grant, "invitation": invited.result["id"]},
    }
    [mine] = audited_call(environment, guest, "list_my_tenants").result
    assert mine["schema_name"] == tenant
    assert accept(environment, guest, invited.result["secret"], entry_point).refusal == (
        NOT_FOUND
    )


def test_invitation_is_valid_for_seven_days_and_gives_read_unless_said(
    environment: Environment, tenant: str, guest: Person
) -> None:
    made = invite(environment, environment.service, tenant, guest.email)

    assert (made["access_level"], made["expires_at"], made["invited_by"]) == (
        "read",
        None,
        None,
    )
    lasts = datetime.fromisoformat(made["valid_until"]) - datetime.fromisoformat(
        made["created_at"]
    )
    assert lasts == timedelta(days=7)
    accept(environment, guest, made["secret"]).must_succeed()
    assert grant_of(environment, tenant, guest)["granted_by"] is None


@pytest.mark.parametrize(
    ("of_auth", "invited"),
    [
        ("ann.{}@example.com", " ANN.{}@Example.COM\n"),
        ("Ann.{}@Example.com", "ann.{}@example.com"),
    ],
    ids=["invited", "of Auth"],
)
def test_case_of_an_address_does_not_matter(
    environment: Environment, tenant: str, admin: Person, of_auth: str, invited: str
) -> None:
    unique = secrets.token_hex(6)
    guest = environment.person(of_auth.format(unique), confirmed=True)

    made = invite(environment, admin, tenant, invited.format(unique))

    assert made["email"] == invited.format(unique).strip()
    accept(environment, guest, made["secret"]).must_succeed()


# The Kelvin sign, whose lower case is an ASCII k, and a dotted capital I.
@pytest.mark.parametrize("letter", ["\u212a", "\u0130"])
def test_no_other_letter_becomes_one_of_an_invited_address(
    environment: Environment, tenant: str, admin: Person, letter: str
) -> None:
    unique = secrets.token_hex(6)
    plain = "k" if letter == "\u212a" else "i"
    other = environment.person(f"{letter}{unique}@example.com", confirmed=True)
    right = environment.person(f"{plain}{unique}@example.com", confirmed=True)
    refused = audited_call(
        environment, admin, "invite_member", schema_name=tenant, email=other.email
    )
    assert refused.refusal == (422, "invalid_request")

    made = invite(environment, admin, tenant, right.email)

    assert accept(environment, other, made["secret"]).refusal == NOT_FOUND
    accept(environment, right, made["secret"]).must_succeed()


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize(
    "email",
    [
        *("", "ann", "@example.com", "ann@", "a b@example.com", "a@b@example.com"),
        *("ann@example..com", "ann@-example.com", "ann@example.com\nBcc: all@example.com"),
        *("\u00e4nn@example.com", f"{'a' * 250}@example.com", "Ann <ann@example.com>", None),
    ],
)
def test_text_that_is_no_address_is_refused(
    environment: Environment, tenant: str, admin: Person, entry_point: str, email: str | None
) -> None:
    refused = audited_call(
        environment,
        admin,
        "invite_member",
        entry_point=entry_point,
        schema_name=tenant,
        email=email,
    )

    assert refused.refusal == (422, "invalid_request")


def test_access_that_ends_in_the_past_is_refused(
    environment: Environment, tenant: str, admin: Person, guest: Person
) -> None:
    refused = audited_call(
        environment,
        admin,
        "invite_member",
        schema_name=tenant,
        email=guest.email,
        expires_at=(NOW - timedelta(minutes=1)).isoformat(),
    )

    assert refused.refusal == (422, "invalid_request")
    invite(environment, admin, tenant, guest.email, expires_at=TOMORROW.isoformat())


@pytest.mark.parametrize("answer", ["accept_invitation", "decline_invitation"])
def test_null_secret_is_an_invalid_argument(
    environment: Environment, guest: Person, answer: str
) -> None:
    for entry_point in ENTRY_POINTS:
        refused = audited_call(environment, guest, answer, entry_point=entry_point, secret=None)
        assert refused.refusal == (422, "invalid_request")


# Members --------------------------------------------------------------------------------


def test_member_is_not_invited_again(
    environment: Environment, tenant: str, admin: Person
) -> None:
    member = environment.member(tenant, "read")
    assert member.email

    refused = audited_call(
        environment, admin, "invite_member", schema_name=tenant, email=member.email.upper()
    )
    assert refused.refusal == (409, "member_exists")

    other_tenant = environment.tenant()
    invite(environment, environment.service, other_tenant, member.email)


def test_expired_member_is_invited_again(
    environment: Environment, tenant: str, admin: Person, guest: Person
) -> None:
    environment.grant(tenant, guest, "admin", NOW - timedelta(hours=1))
    before = grant_of(environment, tenant, guest)

    made = invite(environment, admin, tenant, guest.email)
    done = accept(environment, guest, made["secret"])

    assert done.entry["details"]["before"] == before
    assert grant_of(environment, tenant, guest)["access_level"] == "read"


def test_invitation_does_not_change_the_access_of_a_member(
    environment: Environment, tenant: str, admin: Person, guest: Person
) -> None:
    made = invite(environment, admin, tenant, guest.email, access_level="read")
    environment.grant(tenant, guest, "write")
    before = grant_of(environment, tenant, guest)

    refused = accept(environment, guest, made["secret"])

    assert refused.refusal == (409, "member_exists")
    assert grant_of(environment, tenant, guest) == before
    audited_call(environment, guest, "decline_invitation", secret=made["secret"]).must_succeed()


# To everybody but the invited person all secrets look alike ------------------------------


def anonymous(body: dict[str, Any]) -> dict[str, Any]:
    return body | {"request_id": None}


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize("answer", ["accept_invitation", "decline_invitation"])
def test_every_wrong_secret_gets_the_same_refusal(
    environment: Environment, tenant: str, admin: Person, entry_point: str, answer: str
) -> None:
    def invited(**more: Any) -> tuple[Person, dict[str, Any]]:
        guest = environment.person(confirmed=True)
        return guest, invite(environment, admin, tenant, guest.email, **more)

    def replies() -> dict[str, tuple[int, Any]]:
        found = {}
        for name, (person, secret) in attempts.items():
            reply = audited_call(
                environment, person, answer, entry_point=entry_point, secret=secret
            )
            assert reply.entries == []
            found[name] = reply.reply.status_code, anonymous(reply.reply.json())
        return found

    attempts: dict[str, tuple[Person, str]] = {}
    guest, right = invited()
    attempts["wrong"] = guest, "inv_" + secrets.token_hex(32)
    attempts["empty"] = guest, ""
    attempts["of another person"] = environment.person(confirmed=True), right["secret"]
    attempts["of the inviter"] = admin, right["secret"]
    attempts["of the service key"] = environment.service, right["secret"]
    unconfirmed = environment.person()
    attempts["unconfirmed address"] = (
        unconfirmed,
        invite(environment, admin, tenant, unconfirmed.email)["secret"],
    )
    person, made = invited()
    set_invitation(environment, made, "valid_until = now() - interval '1 second'")
    attempts["expired"] = person, made["secret"]
    person, made = invited()
    audited_call(
        environment, person, "decline_invitation", secret=made["secret"]
    ).must_succeed()
    attempts["declined"] = person, made["secret"]
    person, made = invited()
    audited_call(
        environment,
        admin,
        "revoke_invitation",
        schema_name=tenant,
        invitation_id=made["id"],
    ).must_succeed()
    attempts["revoked"] = person, made["secret"]
    person, made = invited()
    invite(environment, admin, tenant, person.email)
    attempts["replaced"] = person, made["secret"]
    person, made = invited()
    accept(environment, person, made["secret"]).must_succeed()
    attempts["accepted"] = person, made["secret"]
    other_admin = environment.member(tenant, "admin")
    person = environment.person(confirmed=True)
    attempts["of a former admin"] = (
        person,
        invite(environment, other_admin, tenant, person.email)["secret"],
    )
    environment.sql.execute(
        "select public.revoke_schema_access(%s, %s)", (tenant, other_admin.id)
    )
    pooled = environment.tenant()
    person = environment.person(confirmed=True)
    attempts["of a tenant in the pool"] = (
        person,
        invite(environment, environment.service, pooled, person.email)["secret"],
    )
    environment.put_into_pool(pooled)
    try:
        found = replies()
    finally:
        environment.take_from_pool(pooled)

    status, body = found["wrong"]
    assert (status, body["message"]) == (404, "You have no open invitation with this secret.")
    assert found == dict.fromkeys(attempts, (status, body))
    # The positive control.
    audited_call(
        environment, guest, answer, entry_point=entry_point, secret=right["secret"]
    ).must_succeed()


def test_no_wrong_secret_takes_longer_than_another(
    environment: Environment, tenant: str, admin: Person, guest: Person
) -> None:
    foreign = invite(environment, admin, tenant, environment.person(confirmed=True).email)
    used = invite(environment, admin, tenant, guest.email)
    accept(environment, guest, used["secret"]).must_succeed()

    assert_refusals_take_the_same_time(
        environment,
        guest,
        "select public.accept_invitation(%s)",
        {"wrong": "inv_" + "0" * 64, "foreign": foreign["secret"], "used": used["secret"]},
        "invitation_not_found",
    )


def test_stranger_with_a_secret_does_not_wait(
    environment: Environment, tenant: str, admin: Person, guest: Person
) -> None:
    made = invite(environment, admin, tenant, guest.email)

    with holding(environment.address, HOLD_TENANT, tenant):
        refused = accept(environment, environment.person(confirmed=True), made["secret"])
        waited = accept(environment, guest, made["secret"])

    assert refused.refusal == NOT_FOUND
    assert waited.refusal == (429, "busy")


@pytest.mark.parametrize("answer", ["accept_invitation", "decline_invitation"])
def test_suspended_tenant_is_shown_to_the_invited_person_alone(
    environment: Environment, guest: Person, answer: str
) -> None:
    tenant = environment.tenant()
    admin = environment.member(tenant, "admin")
    made = invite(environment, admin, tenant, guest.email)
    environment.suspend(tenant)

    for person, refusal in (
        (guest, (403, "tenant_suspended")),
        (environment.person(confirmed=True), NOT_FOUND),
        (admin, NOT_FOUND),
    ):
        refused = audited_call(environment, person, answer, secret=made["secret"])
        assert refused.refusal == refusal

    environment.activate(tenant)
    audited_call(environment, guest, answer, secret=made["secret"]).must_succeed()


# The inviter ----------------------------------------------------------------------------


def sql_of(statement: str) -> Callable[[Environment, str, Person], None]:
    def change(environment: Environment, tenant: str, inviter: Person) -> None:
        environment.sql.execute(
            SQL(statement).format(tenant=Literal(tenant), inviter=Literal(inviter.id))
        )

    return change


CHANGES = {
    "revoked": sql_of("select public.revoke_schema_access({tenant}, {inviter})"),
    "demoted": sql_of("select public.grant_schema_access({tenant}, {inviter}, 'write')"),
    "expired": sql_of(
        "select public.grant_schema_access({tenant}, {inviter}, 'admin',"
        " now() - interval '1 s')"
    ),
    "limited": sql_of(
        "select public.grant_schema_access({tenant}, {inviter}, 'admin',"
        " now() + interval '1 h')"
    ),
    "banned": sql_of("update auth.users set banned_until = 'infinity' where id = {inviter}"),
    "soft-deleted": sql_of("update auth.users set deleted_at = now() where id = {inviter}"),
    "deleted": sql_of("delete from auth.users where id = {inviter}"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("expires_at", [None, TOMORROW.isoformat()], ids=["for good", "ends"])
def test_inviter_who_could_not_give_the_access_takes_the_invitation_along(
    environment: Environment,
    tenant: str,
    admin: Person,
    guest: Person,
    change: str,
    expires_at: str | None,
) -> None:
    inviter = environment.member(tenant, "admin")
    made = invite(environment, inviter, tenant, guest.email, expires_at=expires_at)
    assert guest.email in listed(environment, admin, tenant)

    CHANGES[change](environment, tenant, inviter)

    assert accept(environment, guest, made["secret"]).refusal == NOT_FOUND
    assert grant_of(environment, tenant, guest) is None
    assert guest.email not in listed(environment, admin, tenant)
    again = invite(environment, admin, tenant, guest.email)
    accept(environment, guest, again["secret"]).must_succeed()


def test_admin_of_another_tenant_does_not_keep_an_invitation_open(
    environment: Environment, tenant: str, guest: Person
) -> None:
    inviter, other_tenant = environment.member(tenant, "admin"), environment.tenant()
    environment.grant(other_tenant, inviter, "admin")
    made = invite(environment, inviter, tenant, guest.email)
    of_the_other = invite(environment, inviter, other_tenant, guest.email)

    CHANGES["revoked"](environment, tenant, inviter)

    assert accept(environment, guest, made["secret"]).refusal == NOT_FOUND
    accept(environment, guest, of_the_other["secret"]).must_succeed()


@pytest.mark.parametrize("level", ["write", "admin"])
def test_admin_who_expires_meanwhile_lets_no_admin_in(
    environment: Environment, tenant: str, guest: Person, level: str
) -> None:
    inviter = environment.member(tenant, "admin")
    made = invite(
        environment,
        inviter,
        tenant,
        guest.email,
        access_level=level,
        expires_at=SOONER.isoformat(),
    )

    environment.grant(tenant, inviter, "admin", TOMORROW)

    done = accept(environment, guest, made["secret"])
    assert done.reply.is_success == (level == "write")
    assert level == "write" or done.refusal == NOT_FOUND


@pytest.mark.parametrize(
    ("role", "change", "lasts"),
    [
        ("admin", "select public.promote_to_admin({inviter}, 'super_admin')", True),
        ("admin", "select public.promote_to_admin({inviter}, 'viewer')", False),
        ("super_admin", "select public.promote_to_admin({inviter}, 'admin')", True),
        ("admin", "select public.revoke_admin({inviter})", False),
        ("admin", "select public.promote_to_admin({inviter}, 'admin', 'tomorrow')", True),
        (
            "admin",
            "update public.admin_users set expires_at = now() where user_id = {inviter}",
            False,
        ),
        (
            "admin",
            "update auth.users set banned_until = 'infinity' where id = {inviter}",
            False,
        ),
    ],
)
def test_invitation_of_staff_lasts_as_long_as_their_role(
    environment: Environment, tenant: str, guest: Person, role: str, change: str, lasts: bool
) -> None:
    environment.staff("super_admin")
    inviter = environment.staff(role)
    made = invite(environment, inviter, tenant, guest.email, access_level="admin")

    sql_of(change)(environment, tenant, inviter)

    done = accept(environment, guest, made["secret"])
    assert lasts == done.reply.is_success
    assert lasts or done.refusal == NOT_FOUND
    assert lasts == (grant_of(environment, tenant, guest) is not None)


def test_invitation_of_an_expiring_admin_lasts_within_their_access(
    environment: Environment, tenant: str, guest: Person
) -> None:
    inviter = environment.member(tenant, "admin", TOMORROW)
    made = invite(environment, inviter, tenant, guest.email, expires_at=SOONER.isoformat())

    accept(environment, guest, made["secret"]).must_succeed()


@pytest.mark.parametrize(
    ("level", "expires_at"),
    [("admin", SOONER), ("read", None), ("write", LATER)],
    ids=["admin", "for good", "later"],
)
def test_expiring_admin_cannot_invite_beyond_their_own_access(
    environment: Environment,
    tenant: str,
    admin: Person,
    guest: Person,
    level: str,
    expires_at: datetime | None,
) -> None:
    expiring = environment.member(tenant, "admin", TOMORROW)
    arguments: dict[str, Any] = {
        "schema_name": tenant,
        "email": guest.email,
        "access_level": level,
        "expires_at": expires_at and expires_at.isoformat(),
    }

    refused = audited_call(environment, expiring, "invite_member", **arguments)
    assert refused.refusal == (403, "forbidden")

    audited_call(environment, admin, "invite_member", **arguments).must_succeed()


# Ending an invitation -------------------------------------------------------------------


def test_another_invitation_replaces_the_first(
    environment: Environment, tenant: str, admin: Person, guest: Person
) -> None:
    assert guest.email
    first = invite(environment, admin, tenant, guest.email, access_level="admin")
    done = audited_call(
        environment, admin, "invite_member", schema_name=tenant, email=guest.email.upper()
    )

    assert done.entry["details"]["before"]["id"] == first["id"]
    found = [email.lower() for email in listed(environment, admin, tenant)]
    assert found.count(guest.email) == 1
    assert accept(environment, guest, first["secret"]).refusal == NOT_FOUND
    accept(environment, guest, done.result["secret"]).must_succeed()
    assert grant_of(environment, tenant, guest)["access_level"] == "read"


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_revoking_ends_an_invitation_of_the_tenant_alone(
    environment: Environment, tenant: str, admin: Person, guest: Person, entry_point: str
) -> None:
    made = invite(environment, admin, tenant, guest.email)
    other_tenant = environment.tenant()
    other_admin = environment.member(other_tenant, "admin")

    def revoke(by: Person, schema_name: str) -> AuditedCall:
        return audited_call(
            environment,
            by,
            "revoke_invitation",
            entry_point=entry_point,
            schema_name=schema_name,
            invitation_id=made["id"],
        )

    assert revoke(other_admin, other_tenant).refusal == NOT_FOUND
    assert revoke(other_admin, tenant).refusal == (404, "tenant_not_found")

    done = revoke(admin, tenant)

    assert done.result == {name: made[name] for name in made if name != "secret"}
    assert done.entry["action"] == "invitation.revoke"
    assert done.entry["details"] == {"before": done.result}
    assert guest.email not in listed(environment, admin, tenant)
    assert accept(environment, guest, made["secret"]).refusal == NOT_FOUND
    assert revoke(admin, tenant).refusal == NOT_FOUND


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_declining_ends_an_invitation(
    environment: Environment, tenant: str, admin: Person, guest: Person, entry_point: str
) -> None:
    made = invite(environment, admin, tenant, guest.email)

    done = audited_call(
        environment,
        guest,
        "decline_invitation",
        entry_point=entry_point,
        secret=made["secret"],
    )

    assert done.result == {name: made[name] for name in made if name != "secret"}
    assert (done.entry["action"], done.entry["actor_id"], done.entry["actor_role"]) == (
        *("invitation.decline", guest.id, "user"),
    )
    assert done.entry["details"] == {"before": done.result}
    assert accept(environment, guest, made["secret"]).refusal == NOT_FOUND
    assert grant_of(environment, tenant, guest) is None


def test_deleting_a_tenant_deletes_its_invitations(
    environment: Environment, guest: Person
) -> None:
    tenant = environment.tenant()
    made = invite(environment, environment.service, tenant, guest.email)
    environment.suspend(tenant)

    environment.sql.execute("select public.delete_tenant_schema(%s)", (tenant,))

    assert accept(environment, guest, made["secret"]).refusal == NOT_FOUND
    found = environment.sql.execute(
        "select from tenancy.tenants_invitations where id = %s", (made["id"],)
    ).fetchall()
    assert found == []


# The list -------------------------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_list_has_the_open_invitations_by_address_in_pages(
    environment: Environment, entry_point: str
) -> None:
    tenant = environment.tenant()
    admin = environment.member(tenant, "admin")
    names = ["Eve@example.com", "ann@example.com", "bob@example.com", "Dora@example.com"]
    made = {name: invite(environment, admin, tenant, name) for name in names}
    expired = invite(environment, admin, tenant, "carol@example.com")
    set_invitation(environment, expired, "valid_until = now()")
    assert listed(environment, environment.service, environment.tenant()) == []

    pages: list[list[Any]] = []
    after = None
    for _ in range(2):
        page = audited_call(
            environment,
            admin,
            "list_invitations",
            entry_point=entry_point,
            schema_name=tenant,
            page_size=3,
            after=after,
        ).result
        pages.append(page)
        after = page[-1]["email"]

    assert [[row["email"] for row in page] for page in pages] == [
        ["ann@example.com", "bob@example.com", "Dora@example.com"],
        ["Eve@example.com"],
    ]
    for row in (row for page in pages for row in page):
        expected = made[row["email"]]
        assert row == {name: expected[name] for name in expected if name != "secret"}


# The secret -----------------------------------------------------------------------------


def test_secret_is_stored_as_a_hash_alone(
    environment: Environment, tenant: str, admin: Person, guest: Person
) -> None:
    made = invite(environment, admin, tenant, guest.email)
    digits = made["secret"].removeprefix("inv_")
    assert len(digits) == 64

    row = environment.sql.execute(
        "select secret_hash, i::text as text from tenancy.tenants_invitations i where id = %s",
        (made["id"],),
    ).fetchone()
    assert row is not None
    assert row["secret_hash"] == hashlib.sha256(made["secret"].encode()).digest()
    assert digits not in row["text"]

    accept(environment, guest, made["secret"]).must_succeed()
    entries = environment.sql.execute(
        "select l::text as text from public.admin_audit_log l where l.schema_name = %s",
        (tenant,),
    ).fetchall()
    assert any(made["id"] in entry["text"] for entry in entries)
    for entry in entries:
        assert digits not in entry["text"]
        assert row["secret_hash"].hex() not in entry["text"]


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
@pytest.mark.parametrize("relation", ["tenants_invitations", "open_invitations"])
def test_no_api_role_reads_the_invitations(
    database: psycopg.Connection[dict[str, Any]], role: str, relation: str
) -> None:
    asked = "select has_any_column_privilege(%s, %s::regclass, 'select') as is_allowed"
    allowed = [
        database.execute(asked, (role, name)).fetchone()
        for name in (f"tenancy.{relation}", "public.tenants")
    ]
    assert allowed == [{"is_allowed": False}, {"is_allowed": role != "anon"}]


# The limits -----------------------------------------------------------------------------


def add_invitations(
    environment: Environment,
    tenant: str,
    number: int,
    by: Person | None = None,
    *,
    ended: bool = False,
    created_at: str = "now",
) -> None:
    environment.sql.execute(
        "insert into tenancy.tenants_invitations (schema_name, email, access_level,"
        " secret_hash, invited_by, created_at, valid_until, ended_at)"
        " select %s, gen_random_uuid() || '@example.com', 'read',"
        " sha256(uuid_send(gen_random_uuid())), %s, %s, 'infinity', %s"
        " from generate_series(1, %s)",
        (tenant, by and by.id, created_at, "now" if ended else None, number),
    )


def refused_at(environment: Environment, by: Person, tenant: str) -> Any:
    done = audited_call(
        environment,
        by,
        "invite_member",
        schema_name=tenant,
        email=f"{uuid.uuid4()}@example.com",
    )
    assert done.refusal == (409, "invitation_limit")
    return done.reply.json()["message"]


def test_open_invitations_of_a_tenant_are_limited(
    environment: Environment, guest: Person
) -> None:
    tenant = environment.tenant()
    admin = environment.member(tenant, "admin")
    add_invitations(environment, tenant, 199)
    made = invite(environment, admin, tenant, guest.email)

    assert "200 open invitations" in refused_at(environment, admin, tenant)
    assert "200 open invitations" in refused_at(environment, environment.service, tenant)

    # One that replaces another is none more.
    made = invite(environment, admin, tenant, guest.email)
    accept(environment, guest, made["secret"]).must_succeed()
    invite(environment, admin, tenant, f"{uuid.uuid4()}@example.com")


def test_invitations_of_a_tenant_in_a_day_are_limited(environment: Environment) -> None:
    tenant = environment.tenant()
    admin = environment.member(tenant, "admin")
    add_invitations(environment, tenant, 499, ended=True)
    add_invitations(environment, tenant, 50, ended=True, created_at="yesterday")
    invite(environment, admin, tenant, f"{uuid.uuid4()}@example.com")

    assert "has made 500 invitations" in refused_at(environment, admin, tenant)
    invite(environment, environment.service, environment.tenant(), "ann@example.com")


def test_invitations_of_a_user_in_a_day_are_limited(environment: Environment) -> None:
    tenant, other_tenant = environment.tenant(), environment.tenant()
    admin = environment.member(tenant, "admin")
    other_admin = environment.member(tenant, "admin")
    add_invitations(environment, other_tenant, 499, admin, ended=True)
    invite(environment, admin, tenant, f"{uuid.uuid4()}@example.com")

    assert "You have made 500 invitations" in refused_at(environment, admin, tenant)
    invite(environment, other_admin, tenant, f"{uuid.uuid4()}@example.com")


def test_invitations_that_ended_are_kept_for_a_day(environment: Environment) -> None:
    tenant = environment.tenant()
    add_invitations(environment, tenant, 3, ended=True, created_at="yesterday")
    add_invitations(environment, tenant, 2, ended=True)
    add_invitations(environment, tenant, 1, created_at="yesterday")

    invite(environment, environment.service, tenant, "ann@example.com")

    row = environment.sql.execute(
        "select count(*) as n from tenancy.tenants_invitations where schema_name = %s",
        (tenant,),
    ).fetchone()
    assert row == {"n": 4}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *(("invitation_days", -1), ("invitation_days", 366)),
        *(("max_open_invitations", -1), ("max_daily_invitations", -1)),
    ],
)
def test_impossible_setting_is_refused(
    database: psycopg.Connection[Any], setting: str, value: int
) -> None:
    update = SQL("update tenancy.platform_settings set {} = %s where true").format(
        Identifier(setting)
    )
    database.execute(update, (0,))
    with pytest.raises(psycopg.errors.CheckViolation):
        database.execute(update, (value,))
