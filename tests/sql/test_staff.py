"""Platform roles that expire, and the list of the staff."""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.audited_call import AuditedCall, audited_call
from support.entry_points import ENTRY_POINTS, holding, waiter
from support.environment import Environment, Person

NOW = datetime.now(UTC)
TOMORROW = NOW + timedelta(days=1)
SOONER = TOMORROW - timedelta(microseconds=1)
LATER = TOMORROW + timedelta(microseconds=1)
FORBIDDEN = (403, "forbidden")


@pytest.fixture
def boss(environment: Environment) -> Person:
    """A super_admin whose role does not expire."""
    return environment.staff("super_admin")


def promoted(
    environment: Environment,
    by: Person,
    user: Person,
    role: str,
    expires_at: datetime | str | None = None,
    entry_point: str = "rpc",
) -> AuditedCall:
    return audited_call(
        environment,
        by,
        "promote_to_admin",
        entry_point=entry_point,
        user_id=user.id,
        role=role,
        expires_at=expires_at.isoformat() if isinstance(expires_at, datetime) else expires_at,
    )


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


# Roles that expire ----------------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_promoting_replaces_the_end_of_a_role(
    environment: Environment, boss: Person, entry_point: str
) -> None:
    person = environment.person()

    first = promoted(environment, boss, person, "admin", TOMORROW, entry_point)

    assert moment(first.result["expires_at"]) == TOMORROW
    assert first.entry["details"] == {"before": None, "after": first.result}
    again = promoted(environment, boss, person, "admin", TOMORROW, entry_point)
    assert (again.result, again.entries) == (first.result, [])
    sooner = promoted(environment, boss, person, "admin", SOONER, entry_point)
    assert moment(sooner.result["expires_at"]) == SOONER
    lasting = promoted(environment, boss, person, "admin", None, entry_point)
    assert lasting.result["expires_at"] is None
    assert lasting.entry["details"] == {"before": sooner.result, "after": lasting.result}


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_end_in_the_past_or_never_is_refused(
    environment: Environment, boss: Person, entry_point: str
) -> None:
    person = environment.person()
    for end in (NOW - timedelta(days=1), NOW, "infinity", "-infinity"):
        refused = promoted(environment, boss, person, "viewer", end, entry_point)
        assert refused.refusal == (422, "invalid_request"), end
    promoted(environment, boss, person, "viewer", TOMORROW, entry_point).must_succeed()


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_super_admin_whose_role_expires_gives_nothing_beyond_that_moment(
    environment: Environment, boss: Person, entry_point: str
) -> None:
    person = environment.person()
    expiring = environment.person()
    promoted(environment, boss, expiring, "super_admin", TOMORROW).must_succeed()

    for to in (person, expiring, boss):
        for role, end in (
            ("super_admin", SOONER),
            ("super_admin", None),
            ("admin", None),
            ("viewer", LATER),
        ):
            refused = promoted(environment, expiring, to, role, end, entry_point)
            assert refused.refusal == FORBIDDEN, (role, end)

    for to, role, end in (
        (person, "viewer", SOONER),
        (person, "admin", TOMORROW),
        (expiring, "admin", TOMORROW),
    ):
        promoted(environment, expiring, to, role, end, entry_point).must_succeed()
    promoted(environment, boss, person, "super_admin", LATER, entry_point).must_succeed()


def test_expired_role_gives_nothing(
    environment: Environment, tenant: str, boss: Person
) -> None:
    """The readers of a role that no other test has with an expired one."""
    staff, colleague = environment.staff("super_admin"), environment.staff("admin")
    email = f"{secrets.token_hex(8)}@example.com"

    def gift() -> AuditedCall:
        # Only to somebody who is no staff.
        return audited_call(
            environment, colleague, "invite_member", schema_name=tenant, email=staff.email
        )

    def seen() -> tuple[int, int]:
        reads = [
            environment.rows(staff, "public", table).json()
            for table in ("admin_users", "admin_audit_log")
        ]
        return len(reads[0]), len(reads[1])

    def invited() -> AuditedCall:
        return audited_call(
            environment, staff, "invite_member", schema_name=tenant, email=email
        )

    def state() -> list[bool]:
        rows = audited_call(environment, boss, "list_staff", search=staff.email).result
        return [row["is_active"] for row in rows]

    assert gift().refusal == FORBIDDEN
    assert min(seen()) > 0
    invited().must_succeed()
    assert state() == [True]

    environment.expire_role(staff)

    gift().must_succeed()
    assert seen() == (0, 0)
    assert invited().refusal == (404, "tenant_not_found")
    assert state() == [False]
    promoted(environment, boss, staff, "viewer", TOMORROW).must_succeed()
    assert min(seen()) > 0
    assert state() == [True]


def test_super_admin_whose_role_expires_does_not_count_as_another(
    environment: Environment, boss: Person
) -> None:
    # In one transaction, because other tests have super_admins of their own.
    others = [environment.staff("super_admin") for _ in range(3)]
    with environment.sql.transaction(force_rollback=True):
        environment.sql.execute(
            "update public.admin_users set expires_at = now() + interval '1 hour'"
            " where user_id = %s",
            (others[0].id,),
        )
        environment.expire_role(others[1])
        row = environment.sql.execute("select tenancy.lock_super_admins() as ids").fetchone()
        assert row is not None
        locked = {str(each) for each in row["ids"]}
    assert {str(boss.id), str(others[2].id)} <= locked
    assert locked.isdisjoint({str(others[0].id), str(others[1].id)})


# Support access -------------------------------------------------------------------------


def test_support_access_ends_no_later_than_the_role(
    environment: Environment, tenant: str, boss: Person
) -> None:
    staff, other = environment.person(), environment.staff("admin")
    of_member = environment.tenant()
    end = datetime.now(UTC) + timedelta(minutes=30)
    promoted(environment, boss, staff, "admin", end).must_succeed()
    environment.grant(of_member, staff, "read", TOMORROW)

    def opened(by: Person, minutes: int) -> datetime:
        access = audited_call(
            environment,
            by,
            "open_support_access",
            schema_name=tenant,
            reason="Ticket 4711",
            minutes=minutes,
        ).result
        return moment(access["expires_at"])

    def ends(person: Person, schema_name: str) -> Any:
        row = environment.sql.execute(
            "select expires_at from public.user_schema_access"
            " where user_id = %s and schema_name = %s",
            (person.id, schema_name),
        ).fetchone()
        return row and row["expires_at"]

    assert opened(staff, 10) < end - timedelta(minutes=15)
    assert opened(staff, 240) == end
    others_end = opened(other, 240)
    assert others_end > end

    # A later end changes nothing, an earlier one shortens that of this user alone.
    later = promoted(environment, boss, staff, "admin", end + timedelta(minutes=5))
    assert "shortened_support_access" not in later.entry["details"]
    assert ends(staff, tenant) == end
    end -= timedelta(minutes=20)
    done = promoted(environment, boss, staff, "admin", end)
    [shortened] = done.entry["details"]["shortened_support_access"]
    assert (shortened["schema_name"], moment(shortened["expires_at"])) == (tenant, end)
    assert ends(staff, tenant) == end
    assert ends(other, tenant) == others_end
    assert ends(staff, of_member) == TOMORROW

    lower = promoted(environment, boss, staff, "viewer", TOMORROW)
    assert len(lower.entry["details"]["ended_support_access"]) == 1
    assert ends(staff, tenant) is None


def test_support_access_ends_with_a_role_that_is_shortened_meanwhile(
    environment: Environment, tenant: str
) -> None:
    staff = environment.staff("admin")
    end = datetime.now(UTC) + timedelta(minutes=10)
    with (
        ThreadPoolExecutor(1) as caller,
        holding(
            environment.address,
            "update public.admin_users set expires_at = %s where user_id = %s",
            *(end, staff.id),
        ) as holder,
    ):
        call = caller.submit(
            environment.rpc,
            staff,
            "open_support_access",
            schema_name=tenant,
            reason="Ticket 4711",
            minutes=240,
        )
        waiter(environment, holder.info.backend_pid, call)
        holder.commit()

    assert moment(call.result().json()["expires_at"]) == end


# The list of the staff ------------------------------------------------------------------


@pytest.fixture
def crowd(environment: Environment) -> tuple[str, list[Person]]:
    """Seven viewers in the order of their addresses, and what the addresses have in common."""
    domain = f"{secrets.token_hex(6)}.example"
    people = [environment.person(f"{letter}@{domain}") for letter in "aBcDeFg"]
    for person in people:
        environment.sql.execute("select public.promote_to_admin(%s, 'viewer')", (person.id,))
    return domain, people


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_list_shows_each_member_of_the_staff(
    environment: Environment, boss: Person, crowd: tuple[str, list[Person]], entry_point: str
) -> None:
    domain, people = crowd
    first, banned, expired, *_ = people
    environment.sql.execute(
        "update auth.users set last_sign_in_at = '2026-01-01 10:00+00' where id = %s",
        (first.id,),
    )
    environment.set_auth_state(banned, "banned_until", "infinity")
    environment.expire_role(expired)
    changed = promoted(environment, boss, first, "admin", TOMORROW).result

    def found(search: str) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = audited_call(
            environment, people[-1], "list_staff", entry_point=entry_point, search=search
        ).result
        return result

    rows = found(domain.upper())

    assert [row["user_id"] for row in rows] == [person.id for person in people]
    assert {row["total_count"] for row in rows} == {7}
    assert [row["is_active"] for row in rows] == [True, False, False, *[True] * 4]
    row = rows[0]
    assert {name: row[name] for name in changed} == changed
    assert (row["email"], row["role"], row["granted_by"]) == (first.email, "admin", boss.id)
    assert moment(row["last_sign_in_at"]) == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert rows[1]["last_sign_in_at"] is None
    # Literally, and no one who is no staff.
    assert found(f"%@{domain}") == found(f"_@{domain}") == []
    assert found(str(environment.person().email)) == []


def test_pages_have_everybody_once_whoever_comes_and_goes(
    environment: Environment, boss: Person, crowd: tuple[str, list[Person]]
) -> None:
    domain, people = crowd
    pages: list[list[dict[str, Any]]] = []
    after = None
    for _ in range(10):
        page = audited_call(
            environment, boss, "list_staff", search=domain, page_size=2, after=after
        ).result
        pages.append(page)
        if len(page) < 2:
            break
        after = page[-1]["cursor"]
        if len(pages) == 1:
            # The last one of the page goes, and another one comes before.
            environment.sql.execute("select public.revoke_admin(%s)", (people[1].id,))
            newcomer = environment.person(f"ab@{domain}")
            promoted(environment, boss, newcomer, "viewer").must_succeed()

    found = [row["user_id"] for page in pages for row in page]
    assert found == [person.id for person in people]
    counts = [{row["total_count"] for row in page} for page in pages]
    assert counts == [{7}, {None}, {None}, {None}]


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_wrong_argument_is_refused(
    environment: Environment, boss: Person, entry_point: str
) -> None:
    def listed(**arguments: Any) -> AuditedCall:
        return audited_call(
            environment, boss, "list_staff", entry_point=entry_point, **arguments
        )

    def cursor(*parts: Any) -> str:
        return b64encode(json.dumps(parts).encode()).decode()

    key = str(boss.id)
    for wrong in (
        {"after": "acme"},
        {"after": cursor("email", 0, "", "acme")},
        {"after": cursor("role", 0, "", key)},
        {"search": "x" * 201},
        {"search": "a\nb"},
    ):
        assert listed(**wrong).refusal == (422, "invalid_request"), wrong
    listed(after=cursor("email", 0, "", key), search="x" * 200).must_succeed()
