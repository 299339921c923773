"""The list of a tenant's members, members who leave, and the last admin, who stays."""

from __future__ import annotations

import json
import random
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from support.audited_call import audited_call, registry
from support.counting import rows_read_by_each
from support.entry_points import ENTRY_POINTS, at_once
from support.environment import Address, Environment, Person
from support.refusals import code
from support.sessions import Session

NOW = datetime.now(UTC)
TOMORROW = NOW + timedelta(days=1)
YESTERDAY = NOW - timedelta(days=1)
COLUMNS = ("email", "display_name", "access_level", "granted_at", "last_sign_in_at")
SORTS = [*COLUMNS, *(f"{column}.desc" for column in COLUMNS)]
CROWD = 230


@pytest.fixture
def tenant(environment: Environment) -> str:
    """A tenant without members: its last admin matters."""
    return environment.tenant()


def listed(session: Session, schema_name: str, **arguments: Any) -> list[dict[str, Any]]:
    given = "".join(f", {name} => %({name})s" for name in arguments)
    return session.execute(
        f"select * from public.list_members(%(schema_name)s{given})".encode(),  # noqa: S608
        arguments | {"schema_name": schema_name},
    ).fetchall()


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [str(row["user_id"]) for row in rows]


def add_members(environment: Environment, schema_name: str, count: int) -> None:
    """Members with few different values, so that many have the same."""
    chance = random.Random(0)  # noqa: S311
    people = environment.sql.execute(
        "insert into auth.users (id, email, aud, role, last_sign_in_at)"
        " select gen_random_uuid(),"
        # Addresses are unique, but a user may have none.
        "  case when i %% 4 > 0 then gen_random_uuid() || '@Example.com' end,"
        "  'authenticated', 'authenticated',"
        "  (array[null, '2026-01-01', '2026-01-01 00:00:00.000001'])[i %% 3 + 1]::timestamptz"
        " from generate_series(1, %s) i returning id::text",
        (count,),
    ).fetchall()
    for row in people:
        environment.adopt_person(row["id"])
    with environment.sql.cursor() as cursor:
        cursor.executemany(
            "insert into public.user_schema_access"
            " (user_id, schema_name, access_level, expires_at, granted_at)"
            " values (%s, %s, %s, %s, %s)",
            [
                (
                    row["id"],
                    schema_name,
                    chance.choice(("read", "write", "admin")),
                    chance.choice((None, None, YESTERDAY, TOMORROW)),
                    chance.choice(("2026-01-01", "2026-02-01 12:00:00.5")),
                )
                for row in people
            ],
        )
        cursor.executemany(
            SQL("insert into {}.users (id, email, display_name) values (%s, %s, %s)").format(
                Identifier(schema_name)
            ),
            [
                (row["id"], f"old-{number}@example.com", chance.choice(("Ähre", "ähre", None)))
                for number, row in enumerate(people)
                if chance.random() < 0.7
            ],
        )


@pytest.fixture(scope="module")
def crowd(address: Address) -> Iterator[str]:
    """A tenant with several pages of members. Tests change it only in a transaction."""
    with Environment(address) as environment:
        name = environment.tenant()
        add_members(environment, name, CROWD)
        yield name


def in_order(session: Session, schema_name: str, sort: str) -> list[str]:
    """All members in this order, by a plain ORDER BY."""
    column, _, direction = sort.partition(".")
    expression = {
        "email": "lower(coalesce(case when g.expires_at < now() and p.id is not null"
        " then p.email else a.email end, ''))",
        "display_name": "lower(coalesce(p.display_name, ''))",
        "last_sign_in_at": "coalesce(case when g.expires_at < now() then null"
        " else a.last_sign_in_at end, '-infinity')",
    }.get(column, f"g.{column}")
    return ids(
        session.execute(
            SQL(
                "select g.user_id from public.user_schema_access g"
                " join auth.users a on a.id = g.user_id"
                " left join {}.users p on p.id = g.user_id"
                " where g.schema_name = %s order by {}"
            ).format(
                Identifier(schema_name),
                SQL(f"{expression} {direction}, g.user_id {direction}"),
            ),
            (schema_name,),
        ).fetchall()
    )


# Pages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sort", SORTS)
def test_every_member_is_on_one_page_in_order(
    environment: Environment, crowd: str, sort: str
) -> None:
    expected = in_order(environment.sql, crowd, sort)
    assert len(expected) == CROWD

    for page_size in (50, 1000):
        seen: list[str] = []
        after = None
        while True:
            arguments = {"sort": sort, "page_size": page_size, "after": after}
            page = listed(environment.sql, crowd, **arguments)
            assert {row["total_count"] for row in page} == {CROWD if after is None else None}
            seen += ids(page)
            if len(page) < page_size:
                break
            after = page[-1]["cursor"]
        assert seen == expected


@pytest.mark.parametrize("sort", SORTS)
def test_members_who_leave_and_come_shift_no_page(
    environment: Environment, crowd: str, sort: str
) -> None:
    session = environment.sql
    with session.transaction(force_rollback=True):
        steady = in_order(session, crowd, sort)
        seen: list[str] = []
        after = None
        while page := listed(session, crowd, sort=sort, page_size=40, after=after):
            seen += ids(page)
            after = page[-1]["cursor"]
            # The member whose cursor is used next is among those who leave.
            for user_id in ids(page)[-3:]:
                session.execute(
                    "delete from public.user_schema_access where user_id = %s", (user_id,)
                )
            environment.member(crowd, "read")
        assert [user_id for user_id in seen if user_id in steady] == steady
        assert len(seen) == len(set(seen))


def test_page_reads_no_more_rows_with_more_members_elsewhere(environment: Environment) -> None:
    tenants = [environment.tenant() for _ in range(4)]
    for name in tenants:
        add_members(environment, name, 4)

    def read() -> int:
        with psycopg.connect(environment.address.db_url, row_factory=dict_row) as database:
            return min(
                rows_read_by_each(
                    database, tenants, lambda name: listed(database, name, search="a")
                )
            )

    before = read()
    elsewhere = environment.tenant()
    add_members(environment, elsewhere, 600)

    assert read() - before < 150
    # Other members of the same tenant are read.
    tenants = [elsewhere, elsewhere, elsewhere]
    assert read() - before > 600


# Arguments ---------------------------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_search_finds_addresses_and_names_literally_in_any_case(
    environment: Environment, tenant: str, entry_point: str
) -> None:
    admin, other = environment.member(tenant, "admin"), environment.member(tenant, "read")
    environment.sql.execute(
        "select public.create_user_profile(%s, %s, %s)",
        (tenant, other.id, "Ähre 50% a_b '\"\\"),
    )
    assert other.email is not None

    def found(search: str) -> list[str]:
        done = audited_call(
            environment,
            admin,
            "list_members",
            entry_point=entry_point,
            schema_name=tenant,
            search=search,
        )
        return [row["user_id"] for row in done.result]

    assert found("a_b") == found("A_B '\"\\") == found("äHRE 50% A_b") == [other.id]
    assert found(other.email.upper()) == [other.id]
    assert set(found("@example")) == {admin.id, other.id}
    for pattern in ("5%b", "axb", "%", "_xample", "'; drop table x; --", ".*"):
        assert found(pattern) == ([other.id] if pattern == "%" else []), pattern


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize(
    "wrong",
    [
        {"sort": "email; drop table tenants"},
        {"sort": "email.down"},
        {"sort": "schema_name"},
        {"sort": None},
        {"after": "acme"},
        {"after": "WzEsMiwzLDRd"},
        {"after": b64encode(json.dumps(["email", 0, "", "acme"]).encode()).decode()},
        {"page_size": 0},
        {"page_size": 1001},
        {"search": "x" * 201},
        {"search": "a\nb"},
    ],
    ids=str,
)
def test_wrong_argument_is_refused(
    environment: Environment, tenant: str, entry_point: str, wrong: dict[str, Any]
) -> None:
    refused = audited_call(
        environment,
        environment.member(tenant, "admin"),
        "list_members",
        entry_point=entry_point,
        schema_name=tenant,
        **wrong,
    )

    assert refused.refusal == (422, "invalid_request")


def test_cursor_of_another_order_is_refused(environment: Environment, crowd: str) -> None:
    [row] = listed(environment.sql, crowd, sort="access_level.desc", page_size=1)
    after = row["cursor"]
    assert listed(environment.sql, crowd, sort="access_level.desc", page_size=1, after=after)

    for sort in ("access_level", "email.desc"):
        with pytest.raises(psycopg.Error, match="is no cursor of this order") as refused:
            listed(environment.sql, crowd, sort=sort, after=after)
        assert refused.value.sqlstate == "PT422"


# What a row says ---------------------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_row_tells_the_member(environment: Environment, tenant: str, entry_point: str) -> None:
    admin, person = environment.member(tenant, "admin"), environment.person()
    access = audited_call(
        environment,
        admin,
        "grant_schema_access",
        schema_name=tenant,
        user_id=person.id,
        access_level="write",
        expires_at=TOMORROW.isoformat(),
    ).result
    environment.sql.execute(
        "update auth.users set last_sign_in_at = '2026-05-05' where id = %s", (person.id,)
    )

    def row() -> Any:
        [found] = audited_call(
            environment,
            admin,
            "list_members",
            entry_point=entry_point,
            schema_name=tenant,
            search=person.email,
        ).result
        found.pop("cursor")
        return found

    expected = {
        "user_id": person.id,
        "email": person.email,
        "display_name": None,
        "access_level": "write",
        "granted_at": access["granted_at"],
        "granted_by": admin.id,
        "roles": [],
        "granted_by_email": admin.email,
        "expires_at": access["expires_at"],
        "support_reason": None,
        "last_sign_in_at": "2026-05-05T00:00:00+00:00",
        "is_active": True,
        "total_count": 1,
    }
    assert row() == expected
    environment.sql.execute(
        "select public.create_user_profile(%s, %s, 'Bob')", (tenant, person.id)
    )
    assert row() == expected | {"display_name": "Bob"}


@pytest.mark.parametrize("reason", ["expires_at", "banned_until", "deleted_at"])
def test_member_who_has_no_access_now_is_listed_as_inactive(
    environment: Environment, tenant: str, reason: str
) -> None:
    person = environment.member(tenant, "read")
    [before] = listed(environment.sql, tenant)
    assert before["is_active"] is True

    if reason == "expires_at":
        environment.grant(tenant, person, "read", YESTERDAY)
    else:
        until = "infinity" if reason == "banned_until" else "now"
        environment.set_auth_state(person, reason, until)

    [after] = listed(environment.sql, tenant)
    assert (after["is_active"], after["email"]) == (False, person.email)


def test_tenant_does_not_learn_later_addresses_and_sign_ins_of_an_expired_member(
    environment: Environment, tenant: str
) -> None:
    person = environment.member(tenant, "read")
    environment.sql.execute("select public.create_user_profile(%s, %s)", (tenant, person.id))
    environment.sql.execute(
        "update auth.users set email = %s, last_sign_in_at = now() where id = %s",
        (f"new-{person.email}", person.id),
    )
    [row] = listed(environment.sql, tenant)
    assert row["email"] == f"new-{person.email}"
    assert row["last_sign_in_at"] is not None

    environment.grant(tenant, person, "read", YESTERDAY)

    [row] = listed(environment.sql, tenant)
    assert (row["email"], row["last_sign_in_at"]) == (person.email, None)
    assert listed(environment.sql, tenant, search="new-") == []


def named(environment: Environment, tenant: str) -> tuple[Person, Person]:
    """Two members whose names are in the reverse order of their addresses."""
    first, second = sorted(
        (environment.member(tenant, "read") for _ in range(2)),
        key=lambda person: str(person.id),
    )
    for person, name in ((first, "Zoe"), (second, "Ann")):
        environment.sql.execute(
            "select public.create_user_profile(%s, %s, %s)", (tenant, person.id, name)
        )
    return first, second


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize("role", ["viewer", "admin", "super_admin"])
def test_staff_learn_nothing_of_the_profiles(
    environment: Environment, tenant: str, entry_point: str, role: str
) -> None:
    first, second = named(environment, tenant)
    staff = environment.staff(role)

    def found(**arguments: Any) -> list[tuple[str, str | None]]:
        done = audited_call(
            environment,
            staff,
            "list_members",
            entry_point=entry_point,
            schema_name=tenant,
            **arguments,
        )
        return [(row["user_id"], row["display_name"]) for row in done.result]

    assert found(sort="display_name") == [(first.id, None), (second.id, None)]
    assert found(search="zoe") == []
    # A member reads the rows of the tenant.
    environment.grant(tenant, staff, "read")
    assert found(sort="display_name")[1:] == [(second.id, "Ann"), (first.id, "Zoe")]
    assert found(search="zoe") == [(first.id, "Zoe")]


def test_nobody_reads_profiles_of_a_suspended_tenant(
    environment: Environment, tenant: str
) -> None:
    named(environment, tenant)
    staff = environment.staff("viewer")
    environment.grant(tenant, staff, "read")

    def names(caller: Person) -> set[str | None]:
        done = audited_call(environment, caller, "list_members", schema_name=tenant)
        return {row["display_name"] for row in done.result} - {None}

    for caller in (staff, environment.service):
        assert names(caller) == {"Zoe", "Ann"}
    environment.suspend(tenant)
    for caller in (staff, environment.service):
        assert names(caller) == set()


# Leaving -----------------------------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize("level", ["read", "write", "admin"])
def test_member_leaves_and_leaves_one_entry(
    environment: Environment, tenant: str, entry_point: str, level: str
) -> None:
    environment.member(tenant, "admin")
    person, elsewhere = environment.member(tenant, level), environment.tenant()
    environment.grant(elsewhere, person, "read")
    [before] = [
        access
        for access in registry(environment, tenant)["access"]
        if access["user_id"] == person.id
    ]

    done = audited_call(
        environment, person, "leave_tenant", entry_point=entry_point, schema_name=tenant
    )

    assert done.result == before
    assert done.entry == {
        "actor_id": person.id,
        "actor_role": f"tenant_{level}",
        "action": "access.revoke",
        "schema_name": tenant,
        "tenant_id": registry(environment, tenant)["tenant"]["id"],
        "details": {"before": before},
    }
    again = audited_call(
        environment, person, "leave_tenant", entry_point=entry_point, schema_name=tenant
    )
    assert again.refusal == (404, "tenant_not_found")
    assert len(registry(environment, tenant)["access"]) == 1
    assert audited_call(
        environment, person, "check_tenant_status", schema_name=elsewhere
    ).result


# The last admin ----------------------------------------------------------------------------

Leave = Callable[[Environment, str, Person, str], Any]


def leave(environment: Environment, tenant: str, person: Person, entry_point: str) -> Any:
    return audited_call(
        environment, person, "leave_tenant", entry_point=entry_point, schema_name=tenant
    )


def revoke_own(environment: Environment, tenant: str, person: Person, entry_point: str) -> Any:
    return audited_call(
        environment,
        person,
        "revoke_schema_access",
        entry_point=entry_point,
        schema_name=tenant,
        user_id=person.id,
    )


LEAVING = pytest.mark.parametrize("go", [leave, revoke_own])


@LEAVING
@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize("expires_at", [None, TOMORROW], ids=["for good", "expiring"])
def test_last_admin_cannot_leave(
    environment: Environment,
    tenant: str,
    go: Leave,
    entry_point: str,
    expires_at: datetime | None,
) -> None:
    admin = environment.member(tenant, "admin", expires_at)
    elsewhere = environment.tenant()
    environment.member(elsewhere, "admin")
    # None of these could administer the tenant.
    environment.member(tenant, "write")
    environment.member(tenant, "admin", YESTERDAY)
    for column, value in (("banned_until", "infinity"), ("deleted_at", "now")):
        environment.set_auth_state(environment.member(tenant, "admin"), column, value)
    before = registry(environment, tenant)

    refused = go(environment, tenant, admin, entry_point)

    assert refused.refusal == (409, "last_tenant_admin")
    assert "transfer_admin" in refused.reply.json()["hint"]
    assert registry(environment, tenant) == before
    environment.member(tenant, "admin", TOMORROW)
    assert go(environment, tenant, admin, entry_point).entry["action"] == "access.revoke"


@LEAVING
@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_last_admin_who_is_a_platform_admin_may_leave(
    environment: Environment, tenant: str, go: Leave, role: str
) -> None:
    staff = environment.staff(role)
    environment.grant(tenant, staff, "admin")

    done = go(environment, tenant, staff, "rpc")

    if role == "viewer":
        assert done.refusal == (409, "last_tenant_admin")
    else:
        assert done.entry["actor_role"] == role


@pytest.mark.parametrize("operation", ["revoke_schema_access", "grant_schema_access"])
def test_platform_admin_removes_the_last_admin(
    environment: Environment, tenant: str, operation: str
) -> None:
    admin = environment.member(tenant, "admin")

    audited_call(
        environment,
        environment.staff("admin"),
        operation,
        schema_name=tenant,
        user_id=admin.id,
    ).must_succeed()

    assert (
        environment.sql.execute(
            "select from tenancy.current_tenant_admins where schema_name = %s", (tenant,)
        ).fetchall()
        == []
    )


def test_last_admin_can_be_deleted_in_auth(environment: Environment, tenant: str) -> None:
    admin = environment.member(tenant, "admin")
    assert leave(environment, tenant, admin, "rpc").refusal == (409, "last_tenant_admin")

    environment.sql.execute("delete from auth.users where id = %s", (admin.id,))

    assert registry(environment, tenant)["access"] is None


# Each call by the person, about the other one. Without turns, both of two would succeed.
ENDING: dict[str, Callable[[str, Person], tuple[str, dict[str, Any]]]] = {
    "leave": lambda tenant, other: ("leave_tenant", {}),
    "revoke the other": lambda tenant, other: ("revoke_schema_access", {"user_id": other.id}),
    "demote the other": lambda tenant, other: (
        "grant_schema_access",
        {"user_id": other.id, "access_level": "read"},
    ),
    "transfer to the other": lambda tenant, other: ("transfer_admin", {"user_id": other.id}),
}


@pytest.mark.parametrize(
    ("one_way", "other_way"),
    [
        ("leave", "leave"),
        ("leave", "revoke the other"),
        ("revoke the other", "revoke the other"),
        ("demote the other", "demote the other"),
        ("transfer to the other", "leave"),
        ("transfer to the other", "transfer to the other"),
    ],
)
def test_one_of_two_admins_who_go_at_once_stays(
    environment: Environment, tenant: str, one_way: str, other_way: str
) -> None:
    one, other = environment.member(tenant, "admin"), environment.member(tenant, "admin")
    people = [one.id, other.id]
    outcomes = set()

    for number in range(6):
        entry_points = (
            [*ENTRY_POINTS.values()] if number % 2 else [*ENTRY_POINTS.values()][::-1]
        )
        calls: list[Callable[[], httpx.Response]] = []
        for entry_point, way, by, about in (
            (entry_points[0], one_way, one, other),
            (entry_points[1], other_way, other, one),
        ):
            operation, more = ENDING[way](tenant, about)
            calls.append(
                partial(entry_point, environment, by, operation, schema_name=tenant, **more)
            )
        replies = at_once(*calls)
        left = environment.sql.execute(
            "select from tenancy.current_tenant_admins"
            " where schema_name = %s and user_id = any (%s::uuid[])",
            (tenant, people),
        ).fetchall()
        outcomes |= {(reply.status_code, code(reply)) for reply in replies if reply.is_error}
        assert len(left) == 1, [reply.text for reply in replies]
        assert any(reply.is_success for reply in replies)
        for person in (one, other):
            environment.grant(tenant, person, "admin")

    # Whoever comes second is the last admin, or no admin or member any more.
    assert outcomes <= {
        (409, "last_tenant_admin"),
        (403, "forbidden"),
        (404, "tenant_not_found"),
        (404, "user_not_found"),
    }
    if one_way == other_way == "leave":
        assert outcomes == {(409, "last_tenant_admin")}


# Transferring ------------------------------------------------------------------------------


def transfer(
    environment: Environment, tenant: str, by: Person, to: Person, entry_point: str = "rpc"
) -> Any:
    return audited_call(
        environment,
        by,
        "transfer_admin",
        entry_point=entry_point,
        schema_name=tenant,
        user_id=to.id,
    )


def access(environment: Environment, tenant: str, person: Person) -> Any:
    [row] = [
        row for row in registry(environment, tenant)["access"] if row["user_id"] == person.id
    ]
    return row


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize("level", ["read", "write", "admin"])
@pytest.mark.parametrize("expires_at", [None, TOMORROW], ids=["for good", "expiring"])
def test_transfer_changes_both_grants_and_leaves_one_entry(
    environment: Environment,
    tenant: str,
    entry_point: str,
    level: str,
    expires_at: datetime | None,
) -> None:
    admin, person = (
        environment.member(tenant, "admin"),
        environment.member(tenant, level, expires_at),
    )
    before, own_before = (access(environment, tenant, each) for each in (person, admin))

    done = transfer(environment, tenant, admin, person, entry_point)

    after, own_after = (access(environment, tenant, each) for each in (person, admin))
    assert done.result == after
    assert (after["access_level"], after["expires_at"]) == ("admin", before["expires_at"])
    assert (own_after["access_level"], own_after["expires_at"]) == ("write", None)
    assert after["granted_by"] == own_after["granted_by"] == admin.id
    assert done.entry == {
        "actor_id": admin.id,
        "actor_role": "tenant_admin",
        "action": "access.transfer",
        "schema_name": tenant,
        "tenant_id": registry(environment, tenant)["tenant"]["id"],
        "details": {
            "before": before,
            "after": after,
            "own_before": own_before,
            "own_after": own_after,
        },
    }
    again = transfer(environment, tenant, admin, person, entry_point)
    assert again.refusal == (403, "forbidden")
    assert leave(environment, tenant, admin, "rpc").entry
    assert leave(environment, tenant, person, "rpc").refusal == (409, "last_tenant_admin")


def test_transfer_to_somebody_who_is_no_active_member_finds_nobody(
    environment: Environment, tenant: str
) -> None:
    admin, banned = environment.member(tenant, "admin"), environment.member(tenant, "read")
    environment.set_auth_state(banned, "banned_until", "infinity")
    expired = environment.member(tenant, "read", YESTERDAY)
    of_another_tenant = environment.member(environment.tenant(), "admin")
    before = registry(environment, tenant)

    for person in (environment.person(), banned, expired, of_another_tenant):
        refused = transfer(environment, tenant, admin, person)
        assert refused.refusal == (404, "user_not_found")
    assert registry(environment, tenant) == before

    environment.set_auth_state(banned, "banned_until", None)
    assert transfer(environment, tenant, admin, banned).entry


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_transfer_to_oneself_is_refused(
    environment: Environment, tenant: str, entry_point: str
) -> None:
    admin = environment.member(tenant, "admin")
    both = environment.staff("admin")
    environment.grant(tenant, both, "admin")

    for person in (admin, both):
        refused = transfer(environment, tenant, person, person, entry_point)
        assert refused.refusal == (422, "invalid_request")
        assert access(environment, tenant, person)["access_level"] == "admin"
    assert transfer(environment, tenant, admin, both, entry_point).entry


def test_expiring_admin_makes_nobody_admin(environment: Environment, tenant: str) -> None:
    admin = environment.member(tenant, "admin", TOMORROW)
    member = environment.member(tenant, "write", TOMORROW)
    before = registry(environment, tenant)

    assert transfer(environment, tenant, admin, member).refusal == (403, "forbidden")
    assert registry(environment, tenant) == before

    environment.grant(tenant, admin, "admin")
    assert transfer(environment, tenant, admin, member).entry
