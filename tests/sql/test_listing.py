"""The list of all tenants: its pages in every order, search, sizes, and the last activity."""

from __future__ import annotations

import json
import random
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from support.audited_call import audited_call
from support.entry_points import ENTRY_POINTS
from support.environment import Environment
from support.sessions import Session

COLUMNS = (
    *("schema_name", "display_name", "created_at", "status", "schema_version", "bytes"),
    "last_activity_at",
)
SORTS = [*COLUMNS, *(f"{column}.desc" for column in COLUMNS)]
# Few values, so that many tenants have the same.
NAMES = ("Ähre", "ähre", "Zeder", "Acme & Sons", "50 %", "a_b")
MOMENTS = ("2026-01-01", "2026-01-01 00:00:00.000001", "2026-03-05 12:00")
PREFIX = "listed"


def listed(session: Session, **arguments: Any) -> list[dict[str, Any]]:
    given = ", ".join(f"{name} => %({name})s" for name in arguments)
    return session.execute(
        f"select * from public.list_tenants({given})".encode(),  # noqa: S608
        arguments,
    ).fetchall()


# Every page is right, in any order ---------------------------------------------------------


@contextmanager
def registry_of_rows(session: Session, count: int) -> Iterator[list[str]]:
    """Tenants without schemas, except for some with a table, and three versions."""
    with session.transaction(force_rollback=True):
        session.execute(
            "insert into tenancy.tenant_migrations (version, position, name, statements)"
            # The order of the versions is not that of their names.
            " select v.version, (select max(position) from tenancy.tenant_migrations)"
            " + v.place, 'test', 'select 1'"
            " from (values ('zz_test', 1), ('aa_test', 2)) v (version, place)"
        )
        names = [f"{PREFIX}_{number:03}" for number in range(count)]
        for name in names:
            add(session, name)
        for number, name in enumerate(names[::4]):
            session.execute(SQL("create schema {}").format(Identifier(name)))
            table = Identifier(name, "rows")
            session.execute(
                SQL(
                    "create table {} as select repeat('x', 500) from generate_series(1, {})"
                ).format(table, number % 3 * 40)
            )
            session.execute(SQL("analyze {}").format(table))
        yield names


def add(session: Session, name: str) -> None:
    session.execute(
        "insert into public.tenants (schema_name, display_name, schema_version)"
        " values (%s, %s, 'zz_test')",
        (name, name),
    )
    change(session, name)


def change(session: Session, name: str) -> None:
    """Gives the tenant random values."""
    suspended = random.random() < 0.4  # noqa: S311
    session.execute(
        "update public.tenants set display_name = %s, created_at = %s, schema_version = %s,"
        " status = %s, suspended_at = case when %s then now() end where schema_name = %s",
        (
            *(random.choice(each) for each in (NAMES, MOMENTS, ("zz_test", "aa_test"))),  # noqa: S311
            "suspended" if suspended else "active",
            suspended,
            name,
        ),
    )
    session.execute("delete from tenancy.tenant_activity where schema_name = %s", (name,))
    if random.random() < 0.6:  # noqa: S311
        session.execute(
            "insert into tenancy.tenant_activity values (%s, %s)",
            (name, random.choice(("2026-06-01", "2026-07-01 10:00:00.5+00"))),  # noqa: S311
        )


def in_order(session: Session, sort: str) -> list[str]:
    """All tenants in this order, by a plain ORDER BY."""
    column, _, direction = sort.partition(".")
    expression = {
        "display_name": "lower(t.display_name)",
        "status": "t.status::text",
        "schema_version": "(select position from tenancy.tenant_migrations m"
        " where m.version = t.schema_version)",
        "bytes": "(select coalesce(sum(pg_relation_size(c.oid)), 0) from pg_class c"
        " where c.relnamespace = to_regnamespace(t.schema_name) and c.relkind = 'r')",
        "last_activity_at": "(select coalesce(max(last_activity_at), '-infinity')"
        " from tenancy.tenant_activity a where a.schema_name = t.schema_name)",
    }.get(column, f"t.{column}")
    rows = session.execute(
        f"select schema_name from public.tenants t where schema_name like '{PREFIX}_%'"  # noqa: S608
        f" order by {expression} {direction}, schema_name {direction}".encode()
    )
    return [row["schema_name"] for row in rows]


@pytest.mark.parametrize("seed", range(2))
def test_tenants_that_do_not_change_are_on_one_page_each_in_order(
    environment: Environment, seed: int
) -> None:
    random.seed(seed)
    with registry_of_rows(environment.sql, 40) as names:
        for sort in SORTS:
            with environment.sql.transaction(force_rollback=True):
                pages_while_rows_change(environment.sql, names, sort)


def pages_while_rows_change(session: Session, names: list[str], sort: str) -> None:
    changing = random.sample(names, 12)
    steady = [name for name in in_order(session, sort) if name not in changing]
    seen: list[str] = []
    after = None
    while page := listed(session, search=PREFIX, sort=sort, page_size=7, after=after):
        assert len(page) <= 7
        assert {row["total_count"] for row in page} == {40 if after is None else None}
        seen += [row["schema_name"] for row in page]
        after = page[-1]["cursor"]
        victim = changing.pop()
        match random.randrange(3):  # noqa: S311
            case 0:
                session.execute("delete from public.tenants where schema_name = %s", (victim,))
            case 1:
                add(session, f"{PREFIX}_{len(seen)}_new")
            case _:
                change(session, victim)
    assert [name for name in seen if name in steady] == steady, sort
    # The last row of a page may have been the one that changed.
    if sort.startswith("schema_name"):
        assert max(Counter(seen).values()) == 1


def test_page_has_the_whole_order_when_nothing_changes(environment: Environment) -> None:
    with registry_of_rows(environment.sql, 20):
        for sort in SORTS:
            page = listed(environment.sql, search=PREFIX, sort=sort, page_size=1000)
            assert [row["schema_name"] for row in page] == in_order(environment.sql, sort)


# Arguments ---------------------------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_search_finds_names_literally_in_any_case(
    environment: Environment, entry_point: str
) -> None:
    names = sorted(environment.tenant() for _ in range(2))
    viewer = environment.staff("viewer")
    mark = names[0].removeprefix("test_")
    environment.sql.execute(
        "select public.rename_tenant(%s, %s)", (names[0], f"Ähre 50% a_b {mark} '\"\\")
    )

    def found(search: str) -> list[str]:
        done = audited_call(
            environment, viewer, "list_tenants", entry_point=entry_point, search=search
        )
        return [row["schema_name"] for row in done.result]

    assert found(f"a_b {mark}") == found(f"A_B {mark.upper()}") == [names[0]]
    assert found(f"äHRE 50% A_b {mark} '\"\\") == [names[0]]
    assert found(names[1].upper()) == [names[1]]
    for pattern in (f"a%{mark}", f"axb {mark}", f"'; drop table x; -- {mark}", f"{mark}.*"):
        assert found(pattern) == []


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_status_leaves_out_the_others(environment: Environment, entry_point: str) -> None:
    names = sorted(environment.tenant() for _ in range(2))
    environment.suspend(names[0])

    def found(status: str | None) -> set[str]:
        seen = set()
        for name in names:
            done = audited_call(
                environment,
                environment.service,
                "list_tenants",
                entry_point=entry_point,
                search=name,
                status=status,
            )
            seen |= {(row["schema_name"], row["total_count"]) for row in done.result}
        return {name for name, count in seen if count == 1}

    assert found("suspended") == {names[0]}
    assert found("active") == {names[1]}
    assert found(None) == {*names}


def test_tenant_in_the_pool_is_neither_listed_nor_counted(environment: Environment) -> None:
    tenant = environment.tenant()
    environment.put_into_pool(tenant)
    for sort in SORTS:
        assert listed(environment.sql, search=tenant, sort=sort) == []
    assert listed(environment.sql, search=tenant, status="pooled") == []
    environment.take_from_pool(tenant)
    [row] = listed(environment.sql, search=tenant)
    assert row["total_count"] == 1


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize(
    "wrong",
    [
        {"sort": "schema_name; drop table tenants"},
        {"sort": "bytes.down"},
        {"sort": None},
        {"after": "acme"},
        {"after": "AA=="},
        {"after": "WzEsMiwzLDRd"},
        {"page_size": 0},
        {"page_size": 1001},
        {"search": "x" * 201},
        {"search": "a\nb"},
    ],
    ids=str,
)
def test_wrong_argument_is_refused(
    environment: Environment, entry_point: str, wrong: dict[str, Any]
) -> None:
    refused = audited_call(
        environment,
        environment.staff("viewer"),
        "list_tenants",
        entry_point=entry_point,
        **wrong,
    )

    assert refused.refusal == (422, "invalid_request")


def test_cursor_of_another_order_is_refused(environment: Environment) -> None:
    tenant = environment.tenant()
    [row] = listed(environment.sql, search=tenant, sort="bytes.desc")
    assert json.loads(b64decode(row["cursor"]))[0] == "bytes.desc"

    assert listed(environment.sql, search=tenant, sort="bytes.desc", after=row["cursor"]) == []
    for sort in ("bytes", "schema_name"):
        with pytest.raises(psycopg.Error, match="is no cursor of this order") as refused:
            listed(environment.sql, search=tenant, sort=sort, after=row["cursor"])
        assert refused.value.sqlstate == "PT422"


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_row_tells_the_tenant(environment: Environment, entry_point: str) -> None:
    tenant = environment.tenant()
    environment.sql.execute("select public.rename_tenant(%s, 'Wayne')", (tenant,))

    [row] = audited_call(
        environment,
        environment.staff("viewer"),
        "list_tenants",
        entry_point=entry_point,
        search=tenant,
    ).result

    registered = environment.sql.execute(
        "select to_jsonb(t) as row from public.tenants t where schema_name = %s", (tenant,)
    ).fetchone()
    assert registered is not None
    assert {name: row[name] for name in row if name in registered["row"]} == {
        name: registered["row"][name]
        for name in ("schema_name", "display_name", "status", "schema_version", "created_at")
    }
    assert row["bytes"] > 0
    assert row["last_activity_at"] is None
    assert row["total_count"] == 1


# Sizes -------------------------------------------------------------------------------------


def test_sizes_are_those_on_disk_after_a_vacuum(environment: Environment) -> None:
    tenant = environment.tenant()
    with psycopg.connect(environment.address.db_url, autocommit=True) as session:
        session.execute(
            SQL(
                "insert into {}.settings (key, value)"
                " select i::text, to_jsonb((select string_agg(md5(i::text || j), '')"
                " from generate_series(1, 100) j)) from generate_series(1, 300) i"
            ).format(Identifier(tenant))
        )
        for table in ("settings", "users", "audit_log"):
            session.execute(SQL("vacuum analyze {}").format(Identifier(tenant, table)))
    expected = environment.sql.execute(
        "select sum(pg_relation_size(r.oid))::bigint as bytes"
        " from pg_class c"
        " cross join lateral (select c.oid union all"
        "  select indexrelid from pg_index where indrelid = c.oid union all"
        "  select c.reltoastrelid where c.reltoastrelid <> 0) r (oid)"
        " where c.relnamespace = %s::regnamespace and c.relkind = 'r'",
        (tenant,),
    ).fetchone()
    assert expected is not None
    assert expected["bytes"] > 300 * 2000

    sizes = {
        sort: listed(environment.sql, search=tenant, sort=sort)[0]["bytes"]
        for sort in ("schema_name", "bytes.desc")
    }
    assert sizes == {"schema_name": expected["bytes"], "bytes.desc": expected["bytes"]}


# The last activity -------------------------------------------------------------------------


def last_activity(environment: Environment, tenant: str) -> Any:
    [row] = listed(environment.sql, search=tenant)
    return row["last_activity_at"]


def as_user(session: psycopg.Connection[Any], user_id: str | None) -> None:
    session.execute("set local role authenticated")
    session.execute(
        "select set_config('request.jwt.claims', %s, true)",
        (json.dumps({"sub": user_id, "role": "authenticated"}),),
    )


def test_change_by_a_member_or_the_service_key_is_activity(environment: Environment) -> None:
    for role in ("authenticated", "service_role"):
        tenant = environment.tenant()
        admin = environment.member(tenant, "admin")
        assert last_activity(environment, tenant) is None
        with environment.sql.transaction():
            if role == "authenticated":
                as_user(environment.sql, admin.id)
            else:
                environment.sql.execute("set local role service_role")
            environment.sql.execute(
                SQL("insert into {}.settings (key) values ('theme')").format(Identifier(tenant))
            )
        assert last_activity(environment, tenant) is not None


def test_sign_in_is_activity(environment: Environment) -> None:
    tenant = environment.tenant()
    member = environment.member(tenant, "read")
    environment.rpc(member, "ensure_user_profile", schema_name=tenant).raise_for_status()
    assert last_activity(environment, tenant) is not None


def test_what_changes_no_row_is_no_activity(environment: Environment) -> None:
    """Without the guard, so that the statements of a stranger run."""
    tenant = environment.tenant()
    environment.sql.execute(
        SQL("insert into {}.settings (key) values ('theme')").format(Identifier(tenant))
    )
    # SQL of the owner does not count.
    assert last_activity(environment, tenant) is None
    update = SQL("update {}.settings set value = '2' where key = 'theme'").format(
        Identifier(tenant)
    )
    delete = SQL("delete from {}.settings where key = 'theme'").format(Identifier(tenant))
    stranger, reader = environment.person(), environment.member(tenant, "read")
    admin = environment.member(tenant, "admin")
    for person in (stranger, reader):
        for statement in (update, delete):
            with environment.sql.transaction():
                as_user(environment.sql, person.id)
                assert environment.sql.execute(statement).rowcount == 0
            assert last_activity(environment, tenant) is None
    with environment.sql.transaction():
        as_user(environment.sql, admin.id)
        assert environment.sql.execute(update).rowcount == 1
    assert last_activity(environment, tenant) is not None


def test_operation_of_the_platform_is_no_activity(environment: Environment) -> None:
    tenant = environment.tenant()
    admin = environment.staff("admin")
    person = environment.person()
    done = environment.rpc(admin, "create_user_profile", schema_name=tenant, user_id=person.id)
    assert done.status_code == 200, done.text
    assert last_activity(environment, tenant) is None


def test_activity_is_written_once_in_five_minutes(environment: Environment) -> None:
    tenant = environment.tenant()
    member = environment.member(tenant, "read")

    def sign_in(age: str) -> Any:
        environment.sql.execute(
            "update tenancy.tenant_activity"
            " set last_activity_at = statement_timestamp() - %s::interval"
            " where schema_name = %s",
            (age, tenant),
        )
        before = last_activity(environment, tenant)
        environment.rpc(member, "ensure_user_profile", schema_name=tenant).raise_for_status()
        return last_activity(environment, tenant) != before

    environment.sql.execute(
        "update public.tenants set created_at = now() - interval '1 day'"
        " where schema_name = %s",
        (tenant,),
    )
    assert sign_in("0 minutes") is True
    assert sign_in("4 minutes") is False
    assert sign_in("6 minutes") is True


def test_writers_of_one_tenant_do_not_wait_for_each_other(environment: Environment) -> None:
    tenant = environment.tenant()
    members = [environment.member(tenant, "admin") for _ in range(2)]
    insert = SQL("insert into {}.settings (key) values (%s)").format(Identifier(tenant))
    with (
        psycopg.connect(environment.address.db_url) as first,
        psycopg.connect(environment.address.db_url) as second,
    ):
        for session, member in zip((first, second), members, strict=True):
            as_user(session, member.id)
            session.execute("set local statement_timeout = '5s'")
        first.execute(insert, ("first",))
        # The first transaction has noted the activity and is still open.
        second.execute(insert, ("second",))
        second.commit()
        assert last_activity(environment, tenant) is None
        first.commit()
    assert last_activity(environment, tenant) is not None


def test_writer_in_a_stricter_isolation_does_not_fail(environment: Environment) -> None:
    tenant = environment.tenant()
    members = [environment.member(tenant, "admin") for _ in range(2)]
    insert = SQL("insert into {}.settings (key) values (%s)").format(Identifier(tenant))
    with psycopg.connect(environment.address.db_url) as session:
        session.execute("set transaction isolation level repeatable read")
        as_user(session, members[0].id)
        session.execute("select 1")
        with environment.sql.transaction():
            as_user(environment.sql, members[1].id)
            environment.sql.execute(insert, ("between",))
        session.execute(insert, ("strict",))
        session.commit()
    assert last_activity(environment, tenant) is not None


def test_deletion_forgets_the_activity_and_does_not_wait(environment: Environment) -> None:
    tenant = environment.tenant()
    member = environment.member(tenant, "read")
    environment.rpc(member, "ensure_user_profile", schema_name=tenant).raise_for_status()
    environment.suspend(tenant)
    environment.sql.execute("select public.delete_tenant_schema(%s)", (tenant,))
    left = environment.sql.execute(
        "select from tenancy.tenant_activity where schema_name = %s", (tenant,)
    ).fetchall()
    assert left == []


def test_activity_of_a_former_tenant_is_not_that_of_its_successor(
    environment: Environment,
) -> None:
    tenant = environment.tenant()
    environment.sql.execute(
        "insert into tenancy.tenant_activity values (%s, '2026-01-01')", (tenant,)
    )
    assert last_activity(environment, tenant) is None
    [row] = listed(environment.sql, search=tenant, sort="last_activity_at")
    assert row["last_activity_at"] is None


def test_many_first_writers_leave_one_row(environment: Environment) -> None:
    tenant = environment.tenant()
    members = [environment.member(tenant, "read") for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        replies = threads.map(
            lambda member: (
                environment.rpc(member, "ensure_user_profile", schema_name=tenant).status_code
            ),
            members,
        )
        assert {*replies} == {200}
    assert last_activity(environment, tenant) is not None
