"""`supabase/migrations` and `sql/` build the same database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from support.catalog import KINDS, facts
from tenantry_cli.emulator.components import Components
from tenantry_cli.emulator.supabase_cli import difference, push_migrations, quiet_environment
from tenantry_cli.project import find_project
from tenantry_cli.sources import build_database

SQL = find_project().root / "sql"


@pytest.fixture(scope="module")
def pushed(
    empty: Callable[[], str], components: Components, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """A database built from `supabase/migrations`, by the Supabase CLI."""
    url = empty()
    home = str(tmp_path_factory.mktemp("supabase"))
    push_migrations(
        components, root=find_project().root, database_url=url, env=quiet_environment(home)
    )
    return url


@pytest.fixture(scope="module")
def present(empty: Callable[[], str]) -> str:
    """A database built from `sql/`."""
    url = empty()
    build_database(find_project(), url)
    return url


@pytest.fixture
def from_migrations(pushed: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(pushed) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def from_sql(present: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(present) as connection:
        yield connection
        connection.rollback()


def test_supabase_cli_finds_no_difference(
    components: Components, pushed: str, present: str
) -> None:
    assert difference(components, pushed, present) == ""


def test_names_that_the_project_has_already_stop_the_push(empty: Callable[[], str]) -> None:
    [baseline] = (SQL.parent / "supabase/migrations").glob("*_tenantry_0_1_0.sql")
    for statement, name in (
        ("create table public.admin_users ()", "public.admin_users"),
        # A table keeps the name of its primary key when it is renamed.
        (
            "create table public.customers (id int constraint tenants_pkey primary key)",
            "index public.tenants_pkey",
        ),
        ("create type public.tenantry_tenant_info as enum ()", "public.tenantry_tenant_info"),
        ("create function public.add_column() returns int return 1", "public.add_column"),
        ("create schema tenancy", "schema tenancy"),
    ):
        with psycopg.connect(empty()) as connection:
            connection.execute(statement.encode())
            with pytest.raises(psycopg.errors.RaiseException, match=name) as refused:
                connection.execute(baseline.read_bytes())
        way_out = "Rename yours by SQL, or in a migration whose file stands before this one"
        assert way_out in str(refused.value)


def test_supabase_cli_finds_planted_differences(
    components: Components, pushed: str, empty: Callable[[], str]
) -> None:
    other = empty()
    build_database(find_project(), other)
    with psycopg.connect(other) as connection:
        connection.execute("comment on column tenant_template.users.role is 'Anything.'")
        connection.execute(
            "grant execute on function public.list_my_tenants(integer, text) to anon"
        )

    found = difference(components, pushed, other)

    assert 'COMMENT ON COLUMN "tenant_template"."users"."role" IS \'Anything.\'' in found
    assert (
        'GRANT EXECUTE ON FUNCTION "public"."list_my_tenants"(integer, text) TO "anon"' in found
    )


@pytest.mark.parametrize("kind", KINDS)
def test_migrations_and_sql_build_the_same_catalog(
    kind: str, from_migrations: psycopg.Connection, from_sql: psycopg.Connection
) -> None:
    assert facts(from_migrations, kind) == facts(from_sql, kind)


@pytest.mark.parametrize(
    ("kind", "planted"),
    [
        ("schemas", "grant usage on schema tenancy to public"),
        ("schemas", "comment on schema tenancy is 'Public helpers.'"),
        ("relations", "grant insert on public.tenants to service_role"),
        ("relations", "grant select on sequence public.admin_audit_log_id_seq to anon"),
        ("relations", "alter table tenant_template.users disable row level security"),
        ("relations", "comment on table public.tenants is 'Tenants.'"),
        ("relations", "create view public.everybody as select 1 as one"),
        ("columns", "alter table public.tenants alter display_name set default 'Nameless'"),
        ("columns", "alter table public.tenants drop suspension_reason"),
        ("columns", "comment on column public.tenants.schema_name is 'Name.'"),
        ("columns", "grant update (status) on public.tenants to authenticated"),
        ("constraints", "alter table public.tenants drop constraint tenants_created_by_fkey"),
        ("indexes", "drop index public.tenants_created_by_idx"),
        ("policies", "alter policy select_member on public.tenants using (true)"),
        ("policies", "alter policy select_member on tenant_template.users to public"),
        ("triggers", "drop trigger stamp on tenant_template.settings"),
        ("triggers", "alter table tenant_template.settings disable trigger stamp"),
        ("routines", "grant execute on function public.suspend_tenant(text, text) to public"),
        ("routines", "alter function tenancy.lock_tenant_row reset lock_timeout"),
        ("routines", "alter function tenancy.guard_request security invoker"),
        ("routines", "comment on function public.list_my_tenants(integer, text) is null"),
        ("types", "alter type tenancy.tenant_status add value 'deleted'"),
        ("types", "comment on type tenancy.access_level is 'A level.'"),
        (
            "default privileges",
            "alter default privileges revoke execute on routines from public",
        ),
        ("extensions", "create extension citext with schema extensions"),
        (
            "role settings",
            "alter role authenticator in database {database} set pgrst.db_schemas = 'auth'",
        ),
        (
            "role settings",
            "alter role authenticator in database {database} reset pgrst.db_pre_request",
        ),
        (
            "tenant migrations",
            "update tenancy.tenant_migrations set statements = statements || ' '",
        ),
        (
            "tenant migrations",
            "update tenancy.tenant_migrations set callable_routines = array['reply']",
        ),
        ("tenant migrations", "update tenancy.tenant_migrations set position = 2"),
        (
            "template objects",
            "delete from tenancy.tenant_template_objects where object_name = 'users'",
        ),
    ],
)
def test_planted_difference_is_detected(
    kind: str,
    planted: str,
    from_migrations: psycopg.Connection,
    from_sql: psycopg.Connection,
) -> None:
    from_sql.execute(planted.format(database=from_sql.info.dbname).encode())

    assert facts(from_migrations, kind) != facts(from_sql, kind)


def test_changed_template_cannot_be_registered_under_its_old_version(
    from_sql: psycopg.Connection,
) -> None:
    template = (SQL / "25_tenant_template" / "tenantry_0001_template.sql").read_bytes()

    from_sql.execute(template)
    with pytest.raises(psycopg.errors.RaiseException, match="registered already"):
        from_sql.execute(template.replace(b"between 1 and 200", b"between 1 and 300"))


# The file of a table also defines its indexes. 90 and 95 define no objects.
ONE_OBJECT = re.compile(
    r"^create (?:or replace )?(schema|type|table|function|view|trigger|policy) ([\w.]+)",
    re.MULTILINE,
)
DEFINITIONS = sorted(
    path.relative_to(SQL).as_posix()
    for path in SQL.rglob("*.sql")
    if not re.match(
        r"(25_tenant_template/|45_triggers/|9\d_)", path.relative_to(SQL).as_posix()
    )
)


@pytest.mark.parametrize("path", DEFINITIONS)
def test_file_defines_the_one_object_it_is_named_after(path: str) -> None:
    defined = ONE_OBJECT.findall((SQL / path).read_text())

    assert len(defined) == 1
    kind, name = defined[0]
    stem = Path(path).stem
    if kind == "policy":
        assert f" on public.{stem}\n" in (SQL / path).read_text()
    elif kind != "schema":
        assert name.split(".")[-1] == stem
