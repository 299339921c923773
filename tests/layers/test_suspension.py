"""Suspension closes a tenant to everybody from the next statement on. Activation restores
exactly the privileges of before."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import errors, sql

from support.entry_points import HOLD_TENANT, holding, waiter
from support.environment import Environment, Person
from support.readers import Answer, reading
from support.refusals import code
from support.waiting import is_known, until

ROUNDS = 200 if os.environ.get("TENANTRY_SOAK") == "1" else 5


@pytest.fixture
def tenant(environment: Environment) -> str:
    """A tenant with tables, views, sequences, a routine, and an unregistered table."""
    name = environment.tenant()
    for statement in (
        "create table {}.notes (id serial primary key, body text not null)",
        "select tenancy.enable_tenant_table({name}, 'notes')",
        "create sequence {}.numbers",
        "create view {}.notes_open with (security_invoker = true) as select * from {}.notes",
        "create view {}.notes_leaky as select * from {}.notes",
        "create function {}.peek() returns setof text security definer stable "
        "begin atomic select body from {}.notes; end",
        "select tenancy.apply_tenant_privileges({name})",
        # The privileges were applied before these existed.
        "create table {}.scraps (id integer)",
        "insert into {}.notes (body) values ('secret')",
        "insert into {}.scraps values (1)",
    ):
        environment.sql.execute(
            sql.SQL(statement).format(*[sql.Identifier(name)] * 2, name=name)
        )
    until(lambda: is_known(environment, name, "scraps"))
    return name


CALLERS = ("read", "write", "admin", "service key")


def _caller(environment: Environment, tenant: str, kind: str) -> Person:
    return environment.service if kind == "service key" else environment.member(tenant, kind)


# Suspension: the next statement ---------------------------------------------------------


@pytest.mark.parametrize("kind", CALLERS)
def test_the_next_request_to_the_data_api_is_refused(
    environment: Environment, tenant: str, kind: str
) -> None:
    who = _caller(environment, tenant, kind)

    def statuses() -> set[int]:
        return {
            environment.rows(who, tenant, relation).status_code
            for relation in ("notes", "notes_open")
        }

    assert statuses() == {200}
    environment.suspend(tenant)
    assert statuses() == {403}
    environment.activate(tenant)
    assert statuses() == {200}


@contextmanager
def _session(environment: Environment, who: Person) -> Iterator[psycopg.Connection[Any]]:
    """A direct connection with the privileges that PostgREST gives this caller."""
    url = environment.address.db_url.replace("//postgres:", "//authenticator:")
    with psycopg.connect(url, autocommit=True) as connection:
        role = "service_role" if who.id is None else "authenticated"
        connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
        connection.execute(
            "select set_config('request.jwt.claims', %s, false)",
            (json.dumps({"sub": who.id}),),
        )
        yield connection


STATEMENTS = {
    "select": "select body from {}.notes",
    "select from a view": "select body from {}.notes_open",
    "insert": "insert into {}.notes (body) values ('more') returning id",
    "update": "update {}.notes set body = 'other' returning id",
    "delete": "delete from {}.notes returning id",
    "nextval": "select nextval('{}.notes_id_seq')",
}


@pytest.mark.parametrize("kind", ["write", "admin", "service key"])
def test_the_next_statement_of_an_open_session_is_refused(
    environment: Environment, tenant: str, kind: str
) -> None:
    statements = [
        sql.SQL(statement.replace("'{}.", "'" + tenant + ".")).format(sql.Identifier(tenant))
        for statement in STATEMENTS.values()
    ]
    with _session(environment, _caller(environment, tenant, kind)) as session:

        def refusals() -> set[str | None]:
            return {_refusal(session, statement) for statement in statements}

        assert refusals() == {None}
        environment.suspend(tenant)
        assert refusals() == {f"permission denied for schema {tenant}"}
        environment.activate(tenant)
        assert refusals() == {None}


def _refusal(session: psycopg.Connection[Any], statement: sql.Composed) -> str | None:
    try:
        with session.transaction(force_rollback=True):
            session.execute(statement)
    except errors.InsufficientPrivilege as refusal:
        return refusal.diag.message_primary
    return None


def test_the_next_statement_of_a_transaction_that_began_before_is_refused(
    environment: Environment, tenant: str
) -> None:
    query = sql.SQL("select body from {}.notes").format(sql.Identifier(tenant))
    with (
        _session(environment, environment.member(tenant, "read")) as session,
        session.transaction(),
    ):
        session.execute("select 1")
        environment.suspend(tenant)
        with pytest.raises(errors.InsufficientPrivilege), session.transaction():
            session.execute(query)
        environment.activate(tenant)
        assert session.execute(query).fetchall() == [("secret",)]


# Activation -----------------------------------------------------------------------------


def _privileges(environment: Environment, tenant: str) -> dict[str, str | None]:
    """All access lists of a tenant from the catalog."""
    rows = environment.sql.execute(
        """
        select 'schema' as object, nspacl::text as acl
        from pg_namespace where nspname = %(tenant)s
        union all
        select relkind::text || ' ' || relname, relacl::text
        from pg_class where relnamespace = %(tenant)s::regnamespace and relkind <> 'i'
        union all
        select 'column ' || relname || '.' || attname, attacl::text
        from pg_attribute join pg_class on pg_class.oid = attrelid
        where relnamespace = %(tenant)s::regnamespace and attnum > 0
        union all
        select 'routine ' || proname, proacl::text
        from pg_proc where pronamespace = %(tenant)s::regnamespace
        """,
        {"tenant": tenant},
    ).fetchall()
    return {row["object"]: row["acl"] for row in rows}


def _belongs_to_an_api_role(acl: str | None) -> bool:
    entries = (acl or "").strip("{}").split(",")
    return any(
        entry.split("=")[0] in ("", "anon", "authenticated", "service_role")
        for entry in entries
        if entry
    )


def test_activation_restores_exactly_the_privileges_that_suspension_revoked(
    environment: Environment, tenant: str
) -> None:
    before = _privileges(environment, tenant)
    open_objects = {name for name, acl in before.items() if _belongs_to_an_api_role(acl)}
    assert open_objects == {
        "schema",
        "r settings",
        "r users",
        "r audit_log",
        "r notes",
        "v notes_open",
        "S notes_id_seq",
    }

    environment.suspend(tenant)
    while_suspended = _privileges(environment, tenant)
    assert while_suspended.keys() == before.keys()
    assert not [name for name, acl in while_suspended.items() if _belongs_to_an_api_role(acl)]
    environment.activate(tenant)

    assert _privileges(environment, tenant) == before


def test_activation_revokes_what_was_granted_during_the_suspension(
    environment: Environment, tenant: str
) -> None:
    before = _privileges(environment, tenant)
    environment.suspend(tenant)
    for statement in (
        "grant usage on schema {} to anon, authenticated",
        "grant all on all tables in schema {} to anon, authenticated",
        "grant all on all sequences in schema {} to anon, authenticated",
        "grant all on all routines in schema {} to anon, public",
    ):
        environment.sql.execute(sql.SQL(statement).format(sql.Identifier(tenant)))
    assert _privileges(environment, tenant) != before

    environment.activate(tenant)

    after = _privileges(environment, tenant)
    assert {name for name, acl in after.items() if _belongs_to_an_api_role(acl)} == {
        name for name, acl in before.items() if _belongs_to_an_api_role(acl)
    }


@pytest.mark.parametrize("relation", ["scraps", "notes_leaky"])
@pytest.mark.parametrize("kind", ["admin", "service key"])
def test_unregistered_relation_is_never_reachable(
    environment: Environment, tenant: str, relation: str, kind: str
) -> None:
    who = _caller(environment, tenant, kind)

    def status() -> int:
        return environment.rows(who, tenant, relation).status_code

    assert status() == 403
    environment.suspend(tenant)
    assert status() == 403
    environment.activate(tenant)
    assert status() == 403
    assert environment.rows(who, tenant, "notes").status_code == 200


# Suspension under load ------------------------------------------------------------------


@pytest.mark.soak
def test_no_request_begun_after_the_reply_to_suspend_succeeds(
    environment: Environment, tenant: str
) -> None:
    admin = environment.staff("admin")
    people = [
        environment.member(tenant, "read"),
        environment.member(tenant, "admin"),
        environment.service,
    ]
    with reading(environment, [(who, tenant, "notes") for who in people]) as answers:
        for _ in range(ROUNDS):
            _wait_for(answers, 10, 200, since=time.monotonic())

            environment.rpc(admin, "suspend_tenant", schema_name=tenant).raise_for_status()
            closed_at = time.monotonic()

            _wait_for(answers, 30, 403, since=closed_at)
            assert {each.status for each in answers if each.began > closed_at} == {403}
            environment.rpc(admin, "activate_tenant", schema_name=tenant).raise_for_status()

    assert {each.status for each in answers} == {200, 403}


def _wait_for(answers: list[Answer], count: int, status: int, since: float) -> None:
    until(
        lambda: (
            sum(1 for each in answers if each.status == status and each.began > since) >= count
        )
    )


# Suspension during changes of the tenant ------------------------------------------------

# The index of this table takes four seconds to make for a caller of the Data API.
SLOW_TABLE = """
create table {0}.slow (id serial primary key, title text);
create function {0}.slowly(title text) returns text immutable language plpgsql as $$
begin
    if current_setting('request.method', true) is not null then
        perform pg_sleep({1});
    end if;
    return title;
end $$;
create index on {0}.slow ({0}.slowly(title));
insert into {0}.slow (title) values ('tea');
select tenancy.enable_tenant_table({2}, 'slow');
select tenancy.apply_tenant_privileges({2});
"""


def _slow_tenant(environment: Environment, seconds: float = 4) -> str:
    name = environment.tenant()
    environment.sql.execute(
        sql.SQL(SLOW_TABLE).format(sql.Identifier(name), seconds, sql.Literal(name))
    )
    return name


def _rewrite(environment: Environment, admin: Person, tenant: str) -> httpx.Response:
    """Adds a column to the slow table, which makes its index anew."""
    return environment.rpc(
        admin,
        "add_column",
        schema_name=tenant,
        table_name="slow",
        column_name="token",
        column_type="uuid",
        default_expression="gen_random_uuid()",
    )


def _is_rewriting(environment: Environment, tenant: str) -> bool:
    held = environment.sql.execute(
        "select from pg_locks where relation = to_regclass(%s) and granted"
        " and mode = 'AccessExclusiveLock'",
        (f"{tenant}.slow",),
    )
    return held.fetchone() is not None


def _suspend(environment: Environment, admin: Person, tenant: str) -> httpx.Response:
    return environment.rpc(admin, "suspend_tenant", schema_name=tenant)


def test_suspension_cancels_a_change_that_takes_long(environment: Environment) -> None:
    tenant = _slow_tenant(environment)
    tenant_admin, admin = environment.member(tenant, "admin"), environment.staff("admin")

    with ThreadPoolExecutor(1) as thread:
        change = thread.submit(_rewrite, environment, tenant_admin, tenant)
        until(lambda: _is_rewriting(environment, tenant))
        began = time.monotonic()
        reply = _suspend(environment, admin, tenant)
        took = time.monotonic() - began

    assert reply.status_code == 200, reply.text
    assert took < 3
    assert code(change.result()) == "busy"
    assert code(_rewrite(environment, tenant_admin, tenant)) == "tenant_suspended"


def test_platform_admin_revokes_access_during_a_change_that_takes_long(
    environment: Environment,
) -> None:
    tenant = _slow_tenant(environment)
    tenant_admin, admin = environment.member(tenant, "admin"), environment.staff("admin")

    with ThreadPoolExecutor(1) as thread:
        member = environment.member(tenant, "admin")
        change = thread.submit(_rewrite, environment, member, tenant)
        until(lambda: _is_rewriting(environment, tenant))
        # An admin of the tenant does not win against another one.
        asked = {"schema_name": tenant, "user_id": member.id}
        waited = environment.rpc(tenant_admin, "revoke_schema_access", **asked)
        revoked = environment.rpc(admin, "revoke_schema_access", **asked)

    assert code(waited) == "busy"
    assert revoked.status_code == 200, revoked.text
    assert code(change.result()) == "busy"
    assert code(_rewrite(environment, member, tenant)) == "tenant_not_found"


def test_suspension_does_not_cancel_a_change_of_another_tenant(
    environment: Environment,
) -> None:
    tenant, other = _slow_tenant(environment), _slow_tenant(environment, 1)
    admin = environment.staff("admin")
    other_admin = environment.member(other, "admin")

    with (
        ThreadPoolExecutor(1) as thread,
        # A lock that keeps the suspension waiting, because its owner runs no statement.
        holding(environment.address, HOLD_TENANT, tenant),
    ):
        change = thread.submit(_rewrite, environment, other_admin, other)
        until(lambda: _is_rewriting(environment, other))
        reply = _suspend(environment, admin, tenant)

    assert code(reply) == "busy"
    assert change.result().status_code == 200, change.result().text


def test_nobody_queues_behind_a_suspension(environment: Environment) -> None:
    tenant = environment.tenant()
    member, admin = environment.member(tenant, "read"), environment.staff("admin")
    environment.rpc(member, "ensure_user_profile", schema_name=tenant).raise_for_status()

    def update() -> tuple[httpx.Response, float]:
        began = time.monotonic()
        reply = environment.rpc(
            member, "update_user_profile", schema_name=tenant, display_name="Ann"
        )
        return reply, time.monotonic() - began

    with (
        ThreadPoolExecutor(1) as thread,
        holding(environment.address, HOLD_TENANT, tenant) as holder,
    ):
        _, waited = update()
        suspension = thread.submit(_suspend, environment, admin, tenant)
        waiter(environment, holder.info.backend_pid, suspension)
        refused, took = update()
        holder.rollback()
        assert suspension.result().status_code == 200, suspension.result().text

    assert waited > 0.9
    assert code(refused) == "busy"
    assert took < 0.9
    environment.activate(tenant)
    assert update()[0].status_code == 200


@pytest.mark.parametrize(
    "registration",
    [
        pytest.param(
            "migration('slow', 'Slow',"
            " $$ select pg_sleep(case when current_schema() = 'acme' then 20 else 0 end) $$)",
            id="change",
        ),
        pytest.param(
            "backfill('slow', 'Slow', $$ update settings set value = '2'"
            " where value = '1' and ctid >= $1 and ctid < $2 and pg_sleep(20) is not null $$)",
            id="backfill",
        ),
    ],
)
def test_migration_that_a_suspension_cancels_is_not_a_failed_one(
    other_project: str, registration: str
) -> None:
    def call(statement: str) -> tuple[Any, ...]:
        with psycopg.connect(other_project, autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchone() or ()

    call("select public.create_tenant_schema('acme')")
    call("insert into acme.settings (key, value) values ('a', '1') returning key")
    call(f"select tenancy.register_tenant_{registration}")
    with ThreadPoolExecutor(1) as thread:
        migration = thread.submit(call, "select public.migrate_tenant('acme')")
        until(
            lambda: call(
                "select exists (select from pg_locks where locktype = 'advisory'"
                " and database ="
                " (select oid from pg_database where datname = current_database()))"
            )[0]
        )
        call("select public.suspend_tenant('acme')")
        with pytest.raises(psycopg.Error) as refused:
            migration.result()

    assert refused.value.diag.message_detail == "busy"
    assert call("select count(*) from tenancy.unfinished_migrations") == (0,)
    assert call("select status from public.tenants") == ("suspended",)
