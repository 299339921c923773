"""`sql/` and `supabase/migrations` are two texts of one database.

The Supabase CLI compares most of it. What it cannot see, and what matters too much to leave
it to one tool, is read from the catalogs of both databases here, a query for each kind.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from rich.console import Console

from tenantry_cli.emulator.components import Components, install_components
from tenantry_cli.emulator.postgres import Postgres
from tenantry_cli.emulator.supabase_cli import difference, push_migrations, quiet_environment
from tenantry_cli.project import find_project
from tenantry_cli.sources import build_database

SQL = find_project().root / "sql"
SCHEMAS = ["public", "tenancy", "tenant_template"]

Facts = set[tuple[Any, ...]]

# Each answers rows that read alike in any database that is the same: names for oids, and
# privileges written out, whoever gave them first.
KINDS = {
    "schemas": """
        select n.nspname, n.nspowner::regrole::text, acl.entries, obj_description(n.oid)
        from pg_namespace n
        cross join lateral (
            select array_agg(e::text order by e::text) as entries
            from unnest(coalesce(n.nspacl, acldefault('n', n.nspowner))) e
        ) acl
        where n.nspname = any (%(schemas)s)
    """,
    "relations": """
        select c.oid::regclass::text, c.relkind::text, c.relowner::regrole::text,
            c.relrowsecurity, c.relforcerowsecurity, c.relpersistence::text, c.reloptions,
            acl.entries, obj_description(c.oid, 'pg_class')
        from pg_class c
        cross join lateral (
            select array_agg(e::text order by e::text) as entries
            from unnest(coalesce(
                c.relacl,
                acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner)
            )) e
        ) acl
        where c.relnamespace = any (%(schemas)s::regnamespace[])
    """,
    "columns": """
        select a.attrelid::regclass::text, a.attname,
            row_number() over (partition by a.attrelid order by a.attnum),
            format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text,
            a.attgenerated::text, a.attcollation::regcollation::text, a.attacl::text,
            pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum)
        from pg_attribute a
        join pg_class c on c.oid = a.attrelid
        left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where c.relnamespace = any (%(schemas)s::regnamespace[])
            and c.relkind <> 'i' and a.attnum > 0 and not a.attisdropped
    """,
    "constraints": """
        select c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid),
            c.convalidated, obj_description(c.oid, 'pg_constraint')
        from pg_constraint c
        where c.connamespace = any (%(schemas)s::regnamespace[])
    """,
    "indexes": """
        select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), i.indisvalid
        from pg_index i
        join pg_class c on c.oid = i.indrelid
        where c.relnamespace = any (%(schemas)s::regnamespace[])
    """,
    "policies": """
        select p.polrelid::regclass::text, p.polname, p.polcmd::text, p.polpermissive,
            p.polroles::regrole[]::text, pg_get_expr(p.polqual, p.polrelid),
            pg_get_expr(p.polwithcheck, p.polrelid), obj_description(p.oid, 'pg_policy')
        from pg_policy p
        join pg_class c on c.oid = p.polrelid
        where c.relnamespace = any (%(schemas)s::regnamespace[])
    """,
    "triggers": """
        select t.tgrelid::regclass::text, t.tgname, pg_get_triggerdef(t.oid),
            t.tgenabled::text, obj_description(t.oid, 'pg_trigger')
        from pg_trigger t
        join pg_class c on c.oid = t.tgrelid
        where c.relnamespace = any (%(schemas)s::regnamespace[]) and not t.tgisinternal
    """,
    "routines": """
        select p.oid::regprocedure::text, pg_get_functiondef(p.oid),
            p.proowner::regrole::text, acl.entries, obj_description(p.oid, 'pg_proc')
        from pg_proc p
        cross join lateral (
            select array_agg(e::text order by e::text) as entries
            from unnest(coalesce(p.proacl, acldefault('f', p.proowner))) e
        ) acl
        where p.pronamespace = any (%(schemas)s::regnamespace[]) and p.prokind in ('f', 'p')
    """,
    "types": """
        select t.oid::regtype::text, t.typtype::text, t.typowner::regrole::text, acl.entries,
            array(
                select e.enumlabel::text from pg_enum e
                where e.enumtypid = t.oid order by e.enumsortorder
            ),
            obj_description(t.oid, 'pg_type')
        from pg_type t
        cross join lateral (
            select array_agg(e::text order by e::text) as entries
            from unnest(coalesce(t.typacl, acldefault('T', t.typowner))) e
        ) acl
        where t.typnamespace = any (%(schemas)s::regnamespace[])
    """,
    "default privileges": """
        select d.defaclrole::regrole::text, d.defaclnamespace::regnamespace::text,
            d.defaclobjtype::text, e::text
        from pg_default_acl d
        cross join unnest(d.defaclacl) e
    """,
    "extensions": """
        select e.extname, e.extversion, e.extnamespace::regnamespace::text from pg_extension e
    """,
    "event triggers": """
        select t.evtname, t.evtevent, t.evtfoid::regprocedure::text, t.evtenabled::text
        from pg_event_trigger t
    """,
    # Of this database only, and no name of it: a setting without one is the cluster's.
    "role settings": """
        select s.setrole::regrole::text, entry
        from pg_db_role_setting s
        join pg_database d on d.oid = s.setdatabase and d.datname = current_database()
        cross join unnest(s.setconfig) entry
    """,
    "tenant migrations": """
        select m.version, m.name, m.statements, m.callable_routines::text
        from tenancy.tenant_migrations m
    """,
}


@pytest.fixture(scope="module")
def components() -> Components:
    return install_components(Console(quiet=True))


@pytest.fixture(scope="module")
def empty(server: Postgres) -> Iterator[Callable[[], str]]:
    """Makes databases of projects without migrations, beside the shared emulator's own."""
    made: list[str] = []

    def make() -> str:
        made.append(f"text_{secrets.token_hex(6)}")
        return server.create_database(made[-1])

    yield make
    for name in made:
        server.drop_database(name)


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


def facts(database: psycopg.Connection, kind: str) -> Facts:
    def frozen(value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    # Names come out qualified, also those in the text of a policy.
    database.execute("set local search_path = ''")
    rows = database.execute(KINDS[kind], {"schemas": SCHEMAS}).fetchall()
    return {tuple(map(frozen, row)) for row in rows}


def test_supabase_cli_finds_no_difference(
    components: Components, pushed: str, present: str
) -> None:
    assert difference(components, pushed, present) == ""


def test_supabase_cli_finds_a_difference_where_there_is_one(
    components: Components, pushed: str, empty: Callable[[], str]
) -> None:
    other = empty()
    build_database(find_project(), other)
    with psycopg.connect(other) as connection:
        connection.execute("comment on column tenant_template.users.role is 'Anything.'")
        connection.execute("grant execute on function public.list_my_tenants() to anon")

    found = difference(components, pushed, other)

    assert 'COMMENT ON COLUMN "tenant_template"."users"."role" IS \'Anything.\'' in found
    assert 'GRANT EXECUTE ON FUNCTION "public"."list_my_tenants"() TO "anon"' in found


@pytest.mark.parametrize("kind", KINDS)
def test_both_texts_make_the_same(
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
        ("routines", "alter function tenancy.lock_tenant reset lock_timeout"),
        ("routines", "alter function tenancy.has_access security invoker"),
        ("routines", "comment on function public.list_my_tenants() is null"),
        ("types", "alter type public.tenant_status add value 'deleted'"),
        ("types", "comment on type public.access_level is 'A level.'"),
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
    ],
)
def test_planted_difference_shows(
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
    template = (SQL / "25_tenant_template" / "0_template.sql").read_bytes()

    from_sql.execute(template)
    with pytest.raises(psycopg.errors.RaiseException, match="registered already"):
        from_sql.execute(template.replace(b"between 1 and 200", b"between 1 and 300"))


# Tables bring their indexes, and 90 and 95 define nothing.
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
