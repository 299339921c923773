"""The doctor compares each object of Tenantry with its release.

Each fault is planted in a transaction that is rolled back, in a database of this module.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from support.counting import rows_read
from support.databases import complete_database
from support.waiting import until
from tenantry import __version__
from tenantry_cli.doctor.catalog import connect, examine_catalog
from tenantry_cli.doctor.release import examine_release
from tenantry_cli.emulator.postgres import DefaultPrivileges, Postgres
from tenantry_cli.errors import TenantryError
from tenantry_cli.generate.database import empty_database
from tenantry_cli.generate.objects import objects_path, objects_text
from tenantry_cli.project import find_project
from tenantry_cli.sources import apply_sources, source_texts

Database = psycopg.Connection[dict[str, Any]]
DEBIAN = Path("/usr/lib/postgresql/15/bin")
# That the cost of the comparison must not depend on.
TENANTS = 40


@pytest.fixture(scope="module")
def url(server: Postgres) -> Iterator[str]:
    """A database in which the comparison finds nothing, before and after all tests."""
    with complete_database(server) as name:
        _require_no_difference(server.url(name))
        yield server.url(name)
        _require_no_difference(server.url(name))


def _require_no_difference(url: str) -> None:
    with psycopg.connect(url, row_factory=dict_row) as session:
        assert examine_release(session) == []


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with psycopg.connect(url, row_factory=dict_row) as session:
        yield session
        session.rollback()


def found(database: Database) -> list[tuple[str, str]]:
    """The problems and warnings: on which object, and the sentence."""
    return [
        (f"{'warning: ' if problem.is_warning else ''}{problem.object}", problem.detail)
        for problem in examine_release(database)
    ]


@dataclass(frozen=True)
class Fault:
    sql: str
    object: str
    # What the sentence says, beside the name of the object.
    says: str
    advice: str = "_tenantry_0_1_0.sql has `create "


GUARD = "tenancy.guard_request(text,tenancy.access_level)"
FAULTS = (
    # Functions.
    Fault(
        f"do $do$ begin execute replace(pg_get_functiondef('{GUARD}'::regprocedure),"
        " 'active', 'actjve'); end $do$",
        GUARD,
        "The body of the function",
        "as `create or replace`",
    ),
    Fault(
        f"alter function {GUARD} reset search_path",
        GUARD,
        'lacks the settings (search_path="")',
    ),
    Fault(
        f"alter function {GUARD} security invoker",
        GUARD,
        "stable security invoker instead of plpgsql stable security definer",
    ),
    Fault(
        "alter function tenancy.release() volatile",
        "tenancy.release()",
        "sql volatile security",
    ),
    Fault(
        "drop function public.suspend_tenant(text, text)",
        "public.suspend_tenant(text,text)",
        "of release 0.1.0 is missing",
    ),
    Fault("drop function tenancy.lock_tenant_first", "tenancy.lock_tenant_first", "is missing"),
    Fault(
        "create function tenancy.open() returns void language sql as ''",
        "tenancy.open()",
        "The function tenancy.open() is not in release 0.1.0",
        "drop function tenancy.open();",
    ),
    Fault(
        "create function tenancy.release(text) returns text language sql as 'select $1'",
        "tenancy.release(text)",
        "is not in release 0.1.0",
        "drop function tenancy.release(text);",
    ),
    Fault(
        "grant create on schema tenancy to pg_database_owner;"
        "alter function tenancy.caller() owner to pg_database_owner",
        "tenancy.caller()",
        "pg_database_owner instead of postgres",
        "alter function tenancy.caller() owner to postgres;",
    ),
    # Privileges.
    Fault(
        "grant execute on function public.suspend_tenant(text, text) to anon",
        "public.suspend_tenant(text,text)",
        "execute on the function public.suspend_tenant(text,text) is granted to anon",
        "revoke execute on function public.suspend_tenant(text,text) from anon;",
    ),
    Fault(
        "grant execute on function tenancy.as_owner to public",
        "tenancy.as_owner(text,jsonb)",
        "is granted to PUBLIC",
        "revoke execute on function tenancy.as_owner(text,jsonb) from public;",
    ),
    Fault(
        "grant select on tenancy.calling_user to authenticated",
        "tenancy.calling_user",
        "select on the view tenancy.calling_user is granted to authenticated",
        "revoke select on table tenancy.calling_user from authenticated;",
    ),
    Fault(
        "grant update (status) on public.tenants to authenticated",
        "public.tenants",
        "update (status) on the table public.tenants is granted to authenticated",
        "revoke update (status) on table public.tenants from authenticated;",
    ),
    Fault(
        "grant usage on sequence public.admin_audit_log_id_seq to service_role",
        "public.admin_audit_log_id_seq",
        "is granted to service_role",
        "revoke usage on sequence public.admin_audit_log_id_seq from service_role;",
    ),
    Fault(
        "grant create on schema tenancy to anon",
        "tenancy",
        "create on the schema tenancy is granted to anon",
        "revoke create on schema tenancy from anon;",
    ),
    Fault(
        "grant usage on schema tenant_template to authenticated",
        "tenant_template",
        "is granted to authenticated",
        "revoke usage on schema tenant_template from authenticated;",
    ),
    Fault(
        "grant select on public.tenants to authenticated with grant option",
        "public.tenants",
        "with grant option",
        "revoke grant option for select on table public.tenants from authenticated cascade;",
    ),
    Fault(
        "revoke select on public.tenants from authenticated",
        "public.tenants",
        "authenticated lacks select",
        "grant select on table public.tenants to authenticated;",
    ),
    Fault(
        "revoke usage on type tenancy.access_level from public",
        "tenancy.access_level",
        "PUBLIC lacks usage",
        "grant usage on type tenancy.access_level to public;",
    ),
    Fault(
        "revoke execute on function tenancy.caller() from postgres",
        "tenancy.caller()",
        "postgres lacks execute",
        "grant execute on function tenancy.caller() to postgres;",
    ),
    # Tables and what belongs to them.
    Fault(
        "alter table public.tenants disable row level security",
        "public.tenants",
        "Row level security is off on the table public.tenants",
        "alter table public.tenants enable row level security;",
    ),
    Fault(
        "alter table tenancy.audit_seals disable row level security",
        "tenancy.audit_seals",
        "Row level security is off on the table tenancy.audit_seals",
        "alter table tenancy.audit_seals enable row level security;",
    ),
    Fault(
        "alter policy select_member on public.tenants using (true)",
        "public.tenants",
        "The condition of policy select_member",
        "has `create policy select_member on public.tenants`",
    ),
    Fault(
        "alter policy select_staff on public.admin_users to public",
        "public.admin_users",
        "permissive for select to public instead of permissive for select to authenticated",
    ),
    Fault("drop policy select_staff on public.admin_users", "public.admin_users", "lacks the"),
    Fault(
        "create policy everybody on public.tenants for select using (true)",
        "public.tenants",
        "has the policy everybody (permissive for select to public)",
        "drop policy everybody on public.tenants;",
    ),
    Fault(
        "alter table public.admin_audit_log disable trigger append_only",
        "public.admin_audit_log",
        "The trigger append_only of the table public.admin_audit_log is disabled",
        "alter table public.admin_audit_log enable trigger append_only;",
    ),
    Fault(
        "drop trigger append_only on public.admin_audit_log",
        "public.admin_audit_log",
        "lacks the trigger append_only",
        "select tenancy.make_append_only('public', 'admin_audit_log');",
    ),
    Fault(
        "create function public.skip() returns trigger language plpgsql"
        " as 'begin return null; end';"
        "create trigger skip before insert on public.admin_audit_log"
        " for each row execute function public.skip()",
        "public.admin_audit_log",
        "has the trigger skip",
        "drop trigger skip on public.admin_audit_log;",
    ),
    Fault(
        "create rule forget as on insert to public.admin_audit_log do instead nothing",
        "public.admin_audit_log",
        "has the rule forget",
        "drop rule forget on public.admin_audit_log;",
    ),
    Fault(
        "alter table public.tenants drop constraint tenants_display_name_length",
        "public.tenants",
        "lacks the constraint tenants_display_name_length",
        "has `create table public.tenants`",
    ),
    Fault(
        "drop index public.tenants_created_by_idx",
        "public.tenants",
        "lacks the index tenants_created_by_idx",
        "create index tenants_created_by_idx on public.tenants (created_by);",
    ),
    Fault(
        "alter table public.tenants add plan text not null default 'free'",
        "public.tenants",
        "has the column plan (text not null default 'free'::text)",
        "alter table public.tenants drop column plan;",
    ),
    Fault(
        "alter table tenancy.tenant_migrations drop column name cascade",
        "tenancy.tenant_migrations",
        "lacks the column name",
    ),
    Fault(
        "alter table public.tenants alter created_at drop default",
        "public.tenants",
        "The column created_at of the table public.tenants differs",
    ),
    Fault(
        "create table tenancy.notes (id int)",
        "tenancy.notes",
        "is not in release 0.1.0",
        "drop table tenancy.notes;",
    ),
    Fault("drop table tenancy.shared_tables cascade", "tenancy.shared_tables", "is missing"),
    Fault(
        "alter sequence public.admin_audit_log_id_seq cycle",
        "public.admin_audit_log_id_seq",
        "The definition of the sequence",
        "",
    ),
    # Views, types, and others.
    Fault(
        "create or replace view tenancy.active_users as select u.id from auth.users u"
        " where u.deleted_at is null",
        "tenancy.active_users",
        "The definition of the view tenancy.active_users differs",
        "has `create view tenancy.active_users`",
    ),
    Fault(
        "alter view tenancy.open_tenants reset (security_barrier)",
        "tenancy.open_tenants",
        "lacks the options (security_barrier=true)",
    ),
    Fault(
        "alter type tenancy.tenant_status add value 'deleted'",
        "tenancy.tenant_status",
        "'active', 'suspended', 'pooled', 'deleted' instead of 'active', 'suspended', 'pooled'",
        "has `create type tenancy.tenant_status`",
    ),
    Fault(
        "alter type public.tenantry_schema_summary add attribute more text",
        "public.tenantry_schema_summary",
        "The definition of the type",
    ),
    Fault(
        "create operator tenancy.=== (leftarg = int, rightarg = int, function = int4eq)",
        "tenancy.===(integer,integer)",
        "The operator tenancy.===(integer,integer) is not in release",
        "drop operator tenancy.===(integer,integer);",
    ),
    Fault(
        "create extension citext with schema tenancy",
        "extension citext",
        "The extension citext is not in release",
        "If nobody needs it: remove it.",
    ),
    # What somebody may have wanted.
    Fault(
        "grant select on public.tenants to pg_monitor",
        "warning: public.tenants",
        "is granted to pg_monitor",
        "revoke select on table public.tenants from pg_monitor;",
    ),
    Fault(
        "create index by_name on public.tenants (display_name)",
        "warning: public.tenants",
        "has the index by_name",
        "drop index public.by_name;",
    ),
    Fault(
        "create function public.greet() returns trigger language plpgsql"
        " as 'begin return null; end';"
        "create trigger greet after insert on public.tenants"
        " for each row execute function public.greet()",
        "warning: public.tenants",
        "has the trigger greet",
        "drop trigger greet on public.tenants;",
    ),
    Fault(
        "comment on table public.tenants is 'Our customers.'",
        "warning: public.tenants",
        "The comment of the table public.tenants differs",
        "comment on table public.tenants is '",
    ),
    Fault(
        "create policy fewer on public.tenants as restrictive using (status = 'active')",
        "warning: public.tenants",
        "has the policy fewer (restrictive for all to public)",
        "drop policy fewer on public.tenants;",
    ),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.sql[:60])
def test_difference_is_named_with_what_to_do(database: Database, fault: Fault) -> None:
    database.execute(fault.sql.encode())

    problems = [
        problem
        for problem in examine_release(database)
        if f"{'warning: ' if problem.is_warning else ''}{problem.object}".startswith(
            fault.object
        )
    ]
    assert len(problems) == 1, problems
    assert fault.says in problems[0].detail
    assert fault.advice in problems[0].remediation
    # A person decides about the repair, or a check has it.
    assert problems[0].repair is None


@pytest.mark.parametrize(
    "damage",
    [
        "drop index public.user_schema_access_schema_name_idx",
        "drop index public.tenants_created_by_idx;"
        "create index tenants_created_by_idx on public.tenants (status)",
        "comment on table public.tenants is 'Our customers.'",
        "comment on column public.tenants.schema_name is null",
        'comment on column tenancy.tenant_migrations."position" is null',
        "comment on column public.tenants.id is 'Ours.'",
        # Its text is several literals, and its arguments have names of types of their own.
        "comment on function public.get_admin_audit_log is null",
        "comment on function tenancy.release() is 'Ours.'",
        "drop trigger append_only on tenancy.retention_floors",
    ],
    ids=lambda damage: damage[:60],
)
def test_advice_is_the_statement_that_restores(database: Database, damage: str) -> None:
    database.execute(damage.encode())

    for problem in examine_release(database):
        statement = problem.remediation.removeprefix("If nobody needs it: ")
        database.execute(statement.encode())

    assert found(database) == []


def test_objects_of_the_project_are_not_named(database: Database) -> None:
    database.execute("""
        create function public.is_member(id uuid) returns boolean security definer language sql
            as 'select true';
        -- Names of Tenantry with other arguments, and in other schemas.
        create function public.suspend_tenant(id uuid) returns boolean language sql
            as 'select true';
        create function public.caller() returns void language sql as '';
        grant execute on function public.suspend_tenant(uuid) to anon;
        create type public.access_level as enum ('low', 'high');
        create table public.orders (
            id bigint generated always as identity primary key,
            tenant_id uuid references public.tenants (id) on delete cascade,
            status tenancy.tenant_status default 'active'
        );
        grant all on public.orders to anon;
        create view public.open_tenants as select t.schema_name from public.tenants t;
        create schema app;
        create table app.tenants (id int);
        create publication news for table public.tenants;
        alter table public.tenants replica identity full;
        -- A check of the doctor judges these.
        alter default privileges in schema tenancy grant select on tables to anon;
        alter table public.admin_audit_log set (autovacuum_enabled = false);
    """)

    assert found(database) == []


def test_states_that_tenantry_itself_makes_are_no_difference(database: Database) -> None:
    database.execute("""
        create function public.before() returns void language plpgsql as 'begin return; end';
        do $$ begin execute format('alter role authenticator in database %I set'
            ' pgrst.db_pre_request = ''public.before''', current_database()); end $$;
        select tenancy.install_guard();
        create schema api;
        select tenancy.expose_schema('api');
        update tenancy.platform_settings set audit_retention_days = 365, max_tables = 7
        where singleton;
        select public.create_tenant_schema('acme'), public.create_tenant_schema('globex');
        select public.create_table('acme', 'notes', '[{"name": "body", "type": "text"}]');
        select public.suspend_tenant('globex');
        create table public.products (id bigint primary key);
        alter table public.products enable row level security;
        create policy all_products on public.products for select to authenticated using (true);
        select tenancy.share_table('public.products');
        select tenancy.register_tenant_migration('20260101000000', 'orders', $tenant$
            create table orders (id uuid, product bigint references public.products);
            create index on orders (product);
        $tenant$);
        select public.migrate_tenant('acme');
    """)

    assert found(database) == []
    # The positive control.
    database.execute("revoke usage on schema tenancy from anon")
    assert [name for name, _ in found(database)] == ["tenancy"]


def test_line_breaks_of_a_windows_checkout_are_no_difference(database: Database) -> None:
    definition = f"pg_get_functiondef('{GUARD}'::regprocedure)"
    database.execute(
        f"do $do$ begin execute replace({definition}, e'\\n', e'\\r\\n'); end $do$".encode()
    )
    row = database.execute(f"select {definition} as text".encode()).fetchone()

    assert row is not None
    assert "\r\n" in row["text"]
    assert found(database) == []


def test_database_from_an_older_postgresql_is_no_difference(database: Database) -> None:
    """Its tables do not have the privilege that PostgreSQL 17 brought."""
    if database.info.server_version < 170_000:
        pytest.skip("This PostgreSQL has no privilege MAINTAIN.")
    database.execute("revoke maintain on table public.tenants from postgres")

    assert found(database) == []


def test_settings_of_a_session_are_no_difference(database: Database) -> None:
    for setting in (
        "search_path = public, tenancy, extensions",
        "quote_all_identifiers = on",
        "datestyle = 'SQL, DMY'",
        "timezone = 'Asia/Tokyo'",
        "standard_conforming_strings = off",
    ):
        database.execute(f"set {setting}".encode())

    assert found(database) == []


def test_comparison_reads_nothing_of_the_tenants(url: str, database: Database) -> None:
    # Otherwise autovacuum or the first creation does it meanwhile, and the plans change.
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("vacuum analyze")
    # In a small catalog the planner reads whole tables, with some join or other.
    for method in ("seqscan", "hashjoin", "mergejoin"):
        database.execute(f"set local enable_{method} = off".encode())

    def rows() -> int:
        before = rows_read(database)
        assert examine_release(database) == []
        return rows_read(database) - before

    few = min(rows() for _ in range(3))
    for number in range(TENANTS):
        database.execute(f"select public.create_tenant_schema('tenant_{number}')".encode())
    # Each tenant has a row of its own at least in every catalog. When other tests change many
    # objects, a session reads parts of the catalog again, which counts, too.
    until(lambda: rows() - few < TENANTS)


@pytest.mark.parametrize(
    ("present", "advice"),
    [
        ("0.0.9", "Run `tenantry upgrade` and supabase db push --remote. Or install"),
        ("99.0.0", "Install the release of the database: pip install 'tenantry==99.0.0'."),
    ],
)
def test_other_release_is_one_problem(database: Database, present: str, advice: str) -> None:
    database.execute(
        "create or replace function tenancy.release() returns text immutable language sql"
        f" set search_path = '' as $$ select '{present}'; $$".encode()
    )
    database.execute("drop function tenancy.as_owner; drop table tenancy.owner_calls")

    [problem] = examine_release(database)

    assert (problem.kind, problem.is_warning) == ("another release", False)
    assert f"has Tenantry {present}, and {__version__} is installed" in problem.detail
    assert problem.remediation.startswith(advice)
    assert f"pip install 'tenantry=={present}'" in problem.remediation


def damaged(url: str, *statements: str) -> list[tuple[str, str]]:
    """What the doctor finds in the catalog: kind and sentence."""
    with psycopg.connect(url, autocommit=True) as session:
        for statement in statements:
            session.execute(statement.encode())
    with connect(url) as connection:
        return [(problem.kind, problem.detail) for problem in examine_catalog(connection)]


def test_difference_that_a_check_repairs_is_named_once(other_project: str) -> None:
    assert damaged(other_project) == []

    problems = damaged(
        other_project,
        "alter table public.tenants disable row level security",
        "grant select (id), insert on public.tenants to anon",
        "grant usage on sequence public.admin_audit_log_id_seq to anon",
        "revoke select on public.admin_users from service_role",
        "grant execute on function tenancy.as_owner, public.get_table_columns to anon",
        "revoke execute on function tenancy.caller() from authenticated",
        "grant usage on schema tenancy to public",
        "alter table public.admin_audit_log disable trigger append_only",
    )

    assert sorted(kind for kind, _ in problems) == sorted(
        ["RLS off", *["too wide"] * 6, *["missing grant"] * 2, "trigger missing"]
    )


def test_damaged_checks_do_not_hide_what_is_unlike_the_release(other_project: str) -> None:
    problems = damaged(
        other_project,
        "drop function tenancy.exposed_schemas",
        # This check says nothing any more.
        "create or replace function tenancy.check_rpc_grants() returns setof tenancy.finding"
        " stable set search_path = '' language sql"
        " as 'select null, null, null, null, null where false'",
        "grant execute on function public.suspend_tenant(text, text) to anon",
    )

    details = " ".join(detail for _, detail in problems)
    assert "is granted to anon" in details
    assert "The body of the function tenancy.check_rpc_grants() differs" in details
    assert "The function tenancy.exposed_schemas() of release 0.1.0 is missing" in details
    assert problems[-1] == (
        "checks broken",
        "The database cannot be examined: function tenancy.exposed_schemas() does not exist. "
        "So nothing else was checked.",
    )


def test_database_without_a_release_is_refused(other_project: str) -> None:
    with pytest.raises(TenantryError, match="does not say which release"):
        damaged(other_project, "drop function tenancy.release() cascade")


def test_order_of_texts_does_not_depend_on_the_locale() -> None:
    """The databases of the tests have the locale C, those of hosted projects another one."""
    ordered = re.findall(
        r'order by ([^\s)]+(?: collate "C")?)',
        objects_path(find_project()).with_suffix(".sql").read_text(),
    )

    assert ordered == ['c.entry collate "C"', "e.enumsortorder", "a.attnum", "g.rolname"]


@pytest.mark.parametrize(
    ("binaries", "privileges"), [(None, "legacy"), (DEBIAN, "current")], ids=["17", "15"]
)
def test_file_depends_neither_on_version_nor_on_default_privileges(
    monkeypatch: pytest.MonkeyPatch, binaries: Path | None, privileges: DefaultPrivileges
) -> None:
    if binaries is not None:
        if not binaries.is_dir():
            pytest.skip("Debian's PostgreSQL 15 is not installed.")
        monkeypatch.setenv("TENANTRY_PG_BIN", os.fspath(binaries))
    project = find_project()

    with empty_database(privileges) as address, psycopg.connect(address) as session:
        apply_sources(session, source_texts(project))
        text = objects_text(session)

    expected = json.loads(objects_path(project).read_text())
    assert json.loads(text) == expected
    assert len(expected["objects"]) > 300
