"""Statements that no tenant migration may have, and what to do instead of each."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from support.fleet import Fleet

# Without these a migration would change more than one tenant. Each has the part of the message
# that names the object, and the way out.
OUTSIDE = "belong before the registration"
ONCE = "once for the whole project"
SCHEMA = "must not rename or drop the tenant's schema"
SESSION = "other requests use the same session afterwards"
LEFT = "tried leaves in the session: "
MEMBERS = "Write policies that narrow this"
REFUSED: dict[str, tuple[str, ...]] = {
    # Raw errors of PostgreSQL.
    "create index concurrently on users (email)": ("without CONCURRENTLY",),
    "begin; create table orders (); commit": ("Remove begin, commit",),
    "do $$ begin commit; end $$": ("Remove begin, commit",),
    "vacuum": ("Remove begin, commit", "such as vacuum"),
    "set local role anon": ("Remove SET ROLE",),
    "copy users from stdin": ("Write INSERT",),
    "select * from stock": ('relation "stock" does not exist', "write public.<name>"),
    "create table users (id int)": ("The tenants have this name already",),
    # What the whole project has once.
    "create server s foreign data wrapper postgres_fdw": ("servers", ONCE),
    "create foreign table f (n int) server nowhere": ("foreign tables in a schema that", ONCE),
    "create function f() returns int language plpython3u as 'return 1'": ("extension", ONCE),
    "create extension postgres_fdw": ("extension", ONCE),
    "create extension nowhere": ("is not available", "pg_available_extensions"),
    "grant select on users to nobody_knows": ('role "nobody_knows" does not exist', ONCE),
    "create table t (v geometry)": ("with schema extensions", "write public.<name>"),
    "create table t (v extensions.geometry)": ("or the extension that has it",),
    "select * from public.nowhere": ('"public.nowhere" does not exist', "create it, or"),
    # The schema itself.
    "do $$ begin execute format('alter schema %I rename to lost', current_schema()); end $$": (
        SCHEMA,
    ),
    "do $$ begin execute format('drop schema %I cascade', current_schema()); end $$": (SCHEMA,),
    "do $$ begin execute format('alter schema %I owner to authenticated',"
    " current_schema()); end $$": (SCHEMA,),
    # Relations that no policy protects.
    "create sequence loose": ("alter sequence loose owned by <table>.<column>",),
    "create materialized view copies as select 1 as n": ("Make it a view with (security_",),
    "create rule r as on delete to settings do also delete from users": ('"r" is a rule',),
    "create view v with (security_invoker) as select * from users;"
    "create rule r as on insert to v do instead nothing": ('"r" is a rule of "v"',),
    # Objects of others, and of the whole project.
    "drop table if exists public.stock": ("table public.stock", OUTSIDE),
    "drop function public.answer()": ("routine public.answer", OUTSIDE),
    "drop policy p on public.stock": ("table public.stock", OUTSIDE),
    "truncate public.stock": ("table public.stock", OUTSIDE),
    "comment on column public.stock.n is 'x'": ("table public.stock", OUTSIDE),
    "grant select (n) on public.stock to anon": ("table public.stock", OUTSIDE),
    "select lo_create(0)": ("large object", OUTSIDE),
    "create extension citext": ("before the registration", "with schema extensions"),
    "create role planted; drop role planted": ("memberships of roles, roles. The", OUTSIDE),
    "alter role authenticator set pgrst.db_schemas = 'public'": ("role authenticator", OUTSIDE),
    "do $$ begin execute format('alter database %I set work_mem = 64',"
    " current_database()); end $$": ("settings of roles and databases", OUTSIDE),
    "do $$ begin execute format('alter default privileges in schema %I"
    " grant select on tables to anon', current_schema()); end $$": (
        "default privileges for role postgres",
        OUTSIDE,
    ),
    "update public.tenants set display_name = 'x'": ("rows of table public.tenants", OUTSIDE),
    # What stays in the session.
    "set app.tenant = 'x'": ("parameters changed: app.tenant", SESSION),
    "do $$ begin perform set_config(concat('app', '.tenant'), 'x', false); end $$": (
        "set_config",
        SESSION,
    ),
    "do $$ begin execute 'select pg_' || 'advisory_lock(1, -2)'; end $$": (
        "advisory lock (1, -2)",
        "pg_advisory_xact_lock",
    ),
    "create function f() returns void language sql as 'select pg_advisory_lock(1)'": (
        "pg_advisory_xact_lock",
    ),
    "prepare p as select 1": (f'{LEFT}prepared statement "p"', "deallocate"),
    "declare c cursor with hold for select 1": (f'{LEFT}cursor "c"', "close"),
    "create temporary table scratch ()": (f'{LEFT}temporary object "scratch"', "Drop"),
    "create type pg_temp.mood as enum ()": (f'{LEFT}temporary object "mood"', "Drop"),
    "create function pg_temp.f() returns int return 1": (f"{LEFT}temporary object", "Drop"),
    "do $$ declare f boolean; begin perform set_config('tenancy' || '.maintaining', 'on', f);"
    " end $$": ("parameters changed: tenancy.maintaining", SESSION),
    "listen changes": ("Remove LISTEN",),
    # Policies that ask nothing of the caller.
    "create policy p on settings using (true)": ('policy "p" of table "settings"', MEMBERS),
    "create policy p on settings for insert to authenticated with check (true)": (MEMBERS,),
    "alter policy select_member on users using (true)": ('"select_member"', MEMBERS),
    "create policy p on settings for select to authenticated"
    " using ((select auth.uid()) is not null)": ("auth.uid()", MEMBERS),
    # What has no effect, and what opens the audit log or breaks the operations.
    "create table staff (id int, pay int); revoke select (pay) on staff from authenticated": (
        'on columns of "staff"',
        "grant select (<the other columns>) on staff to authenticated",
    ),
    "REVOKE ALL PRIVILEGES (id) ON TABLE audit_log, users FROM anon, service_role": (
        'on columns of "audit_log"',
    ),
    "create policy p on audit_log for insert to authenticated with check (id > 0)": (
        'forged or dropped by policy "only_insert_writer", policy "p"',
    ),
    "create function f() returns trigger language plpgsql as 'begin return null; end';"
    "create trigger t before insert on audit_log for each row execute function f()": (
        'forged or dropped by trigger "t"',
        "triggers AFTER INSERT are possible",
    ),
    "alter table users drop column updated_at": ("updated_at", "as they are, with the key"),
    "alter table users alter column id type text": ("operator does not exist", "as they are"),
    "declare c cursor for select 1": ("Close the cursor",),
    "select * into copies from users": ("create table … as select",),
    "create table stocks (n int); create function f() returns int language sql"
    " set search_path = '' as 'select n from stocks'": ('Leave "set search_path = …" out',),
    "create function f() returns trigger language plpgsql as 'begin perform net.post(); end';"
    "create trigger t before insert on settings for each row execute function f()": (
        'a member could not insert into table "settings": schema "net" does not exist.',
    ),
}
ACCEPTED = (
    "create sequence kept; create table orders (id int default nextval('kept'));"
    "alter sequence kept owned by orders.id",
    "set app.tenant = 'x'; set app.tenant = ''",
    "select pg_advisory_xact_lock(1, -2)",
    "prepare q as select 1; deallocate q; create temporary table t (); drop table t",
    "insert into public.stock values (1)",
    "-- no pg_advisory_lock(1) here\nselect 1",
    "create policy p on settings as restrictive for select to authenticated using (true)",
    "create policy p on audit_log for select to authenticated using (actor_id = auth.uid())",
    "create table staff (id int, pay int); revoke all on staff from authenticated;"
    "grant select (id, pay) on staff to authenticated;"
    "revoke select (pay) on staff from authenticated",
)


@pytest.fixture
def session(fleet: Fleet) -> Iterator[psycopg.Connection]:
    """A session whose registrations are rolled back."""
    fleet.sql.execute(
        "create table public.stock (n int); create policy p on public.stock using (true);"
        "create function public.answer() returns int return 42"
    )
    with psycopg.connect(fleet.address.db_url) as connection:
        connection.execute("set client_min_messages = error")
        yield connection
        connection.rollback()
    fleet.sql.execute("drop table public.stock; drop function public.answer()")


def register(session: psycopg.Connection, statements: str, *callable_routines: str) -> None:
    session.execute(
        "select tenancy.register_tenant_migration('tried', 'test', %s, %s)",
        (statements, list(callable_routines)),
    )


def refusal(session: psycopg.Connection, statements: str, *callable_routines: str) -> str:
    """The message alone, because the Supabase CLI prints neither details nor hints."""
    try:
        with session.transaction():
            register(session, statements, *callable_routines)
            raise psycopg.Rollback
    except psycopg.Error as error:
        return error.diag.message_primary or ""
    return ""


def test_message_names_the_fault_and_the_way_out(session: psycopg.Connection) -> None:
    for statements, parts in REFUSED.items():
        message = refusal(session, statements)
        assert message, f"accepted: {statements}"
        assert all(part in message for part in parts), (statements, message)
        assert not message.endswith((" ", ". .")), message
    for statements in ACCEPTED:
        assert refusal(session, statements) == ""
    held = session.execute(
        "select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
    ).fetchall()
    assert held == []


def test_policies_that_keep_out_strangers_stay(
    fleet: Fleet, session: psycopg.Connection
) -> None:
    """The layer has added them beside the policies of a migration."""
    fleet.register(
        "create table notes (owner uuid); alter table notes enable row level security;"
        "create policy p on notes to authenticated using (owner = auth.uid())"
    )
    for statements in (
        "drop policy only_select_member on notes",
        "alter policy only_select_member on notes using (true)",
        "alter policy only_select_member on notes to service_role",
        "alter policy only_update_writer on notes with check (true)",
        "alter policy only_insert_writer on notes with check (owner is not null)",
    ):
        message = refusal(session, statements)
        assert "people who are not members, or no longer, could" in message, statements
        assert "was dropped or changed. Leave the policies" in message
    assert refusal(session, "alter policy p on notes using (owner is not null)") == ""


def test_library_may_define_its_parameters(session: psycopg.Connection) -> None:
    """pg_trgm defines parameters when the session first calls it, as pgvector does."""
    session.execute("create extension if not exists pg_trgm with schema extensions")
    session.commit()
    with psycopg.connect(session.info.dsn, password="postgres") as fresh:
        uses = "create table names (name text); create index on names using gin (name {})"
        register(fresh, uses.format("gin_trgm_ops") + "; select similarity('a', 'b')")
        assert fresh.execute("select from pg_settings where name ~ '^pg_trgm'").fetchall()
        fresh.rollback()

    changed = "set pg_trgm.similarity_threshold = 0.5"
    assert "changed: pg_trgm.similarity_threshold" in refusal(session, changed)


def listening(session: psycopg.Connection) -> list[str]:
    rows = session.execute("select pg_listening_channels()").fetchall()
    return [row[0] for row in rows]


def test_session_listens_to_what_it_listened_to_before(fleet: Fleet) -> None:
    tenant = fleet.tenant()
    with psycopg.connect(fleet.address.db_url, autocommit=True) as session:
        session.execute("listen news")
        register(session, "do $$ begin execute 'unli' || 'sten *; lis' || 'ten x'; end $$")
        assert listening(session) == ["news"]

        session.execute("select public.migrate_tenant(%s)", (tenant,))
        assert listening(session) == ["news"]
    assert fleet.versions()[tenant] == "tried"


def test_migration_that_leaves_something_for_a_row_fails_in_the_tenant(fleet: Fleet) -> None:
    """The reference schema has no rows, so the migration is registered."""
    tenant = fleet.tenant()
    fleet.sql.execute(
        sql.SQL("insert into {}.settings values ('a')").format(sql.Identifier(tenant))
    )
    # As a function of the project may do.
    fleet.sql.execute(
        "create function public.keep() returns text begin atomic"
        " select pg_advisory_lock(5)::text; end"
    )
    with psycopg.connect(fleet.address.db_url, autocommit=True) as session:

        def migrated() -> tuple[str, str]:
            row = session.execute(
                "select outcome::text, message from public.migrate_tenant(%s)", (tenant,)
            ).fetchone()
            assert row is not None
            held = session.execute(
                "select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
            ).fetchall()
            assert held == []
            return row

        for statements, part in (
            ("select public.keep() from settings", "keeps the advisory lock (5)"),
            ("select public.keep(), 1 / (length(key) - 1) from settings", "division by zero"),
            (
                "do $$ begin perform from settings; if found then"
                " create temporary table scratch (); end if; end $$",
                'leaves in the session: temporary object "scratch"',
            ),
        ):
            version = fleet.register(statements)
            outcome, message = migrated()
            assert (outcome, part in message) == ("failed", True), message
            session.execute("select public.withdraw_tenant_migration(%s)", (version,))
        fleet.register("select pg_advisory_xact_lock(5) from settings")
        assert migrated()[0] == "migrated"
    fleet.sql.execute("drop function public.keep()")


def test_failure_names_the_table_and_the_key_but_no_value(fleet: Fleet) -> None:
    tenant, table = fleet.tenant(), fleet.table()
    fleet.register(f"create table {table} (email text, region text)")
    fleet.migrate(tenant)
    for _ in range(2):
        fleet.sql.execute(
            sql.SQL("insert into {} values ('a@secret', 'x')").format(
                sql.Identifier(tenant, table)
            )
        )
    fleet.register(f"create unique index {table}_key on {table} (email, region)")

    failed = fleet.migrate(tenant)

    assert failed["sqlstate"] == "23505"
    assert (
        f'table "{table}" have the same values in the key "{table}_key" (email, region)'
        in (failed["message"])
    )
    assert "secret" not in failed["message"]


def test_renamed_own_table_still_has_the_name_of_its_index(fleet: Fleet) -> None:
    tenant, table = fleet.tenant(), fleet.table()
    fleet.sql.execute(
        f"create table {tenant}.{table} (id bigint primary key);"
        f"alter table {tenant}.{table} rename to mine".encode()
    )
    fleet.register(f"create table {table} (id bigint primary key)")

    message = fleet.migrate(tenant)["message"]

    assert (
        f'The name "{table}_pkey" is taken by an index of the tenant\'s own table "mine"'
        in (message)
    )
    found = re.search(r"Write: (alter index \S+ rename to )…;", message)
    assert found is not None
    fleet.sql.execute(f"{found[1]} mine_pkey".encode())
    assert fleet.migrate(tenant)["outcome"] == "migrated"
