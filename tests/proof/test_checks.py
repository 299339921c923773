"""The checks of the doctor: each finds its damage, and repairs the damaged object alone.

Each test works in a transaction that is rolled back, in a database of this module. The template
there has every kind of object that a template may have.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from support import sessions
from support.counting import calls, rows_read
from support.databases import complete_database
from tenantry_cli.emulator.postgres import Postgres
from tenantry_cli.project import find_project

pytestmark = pytest.mark.long

Database = psycopg.Connection[dict[str, Any]]

TEMPLATE = """
create type state as enum ('draft', 'sent');
create domain amount as numeric check (value >= 0);
create table orders (
    id bigint generated always as identity primary key,
    code serial,
    created_by uuid default auth.uid(),
    state state not null default 'draft',
    total amount,
    constraint orders_code_key unique (code)
);
create index orders_state_idx on orders (state);
select tenancy.enable_tenant_table(current_schema(), 'orders');
create policy own_orders on orders as restrictive for select to authenticated
    using (created_by = (select auth.uid()) or state <> 'draft');

create table claims (id bigint primary key, owner_id uuid, amount amount);
select tenancy.enable_tenant_table(current_schema(), 'claims', reads => 'write',
    rows => 'own', owner_column => 'owner_id', all_rows => 'claims.read_all');

create table drafts (
    id bigint primary key,
    order_id bigint references orders (id),
    created_by uuid,
    updated_at timestamptz
);
create function is_owner(owner uuid) returns boolean stable language sql
    as $$ select owner = (select auth.uid()) and ' with check ' <> '' $$;
create function tg_drafts__touch() returns trigger language plpgsql
    as $$ begin new.updated_at := now(); return new; end $$;
create trigger touch before update of order_id on drafts
    for each row when (new.order_id is not null) execute function tg_drafts__touch();
create constraint trigger checked after insert on drafts deferrable initially deferred
    for each row execute function tg_drafts__touch();
alter table drafts disable trigger checked;
alter table drafts enable row level security;
alter table drafts force row level security;
create policy by_owner on drafts for all to authenticated, service_role
    using (is_owner(created_by)) with check (is_owner(created_by) and order_id is not null);
create policy of_everybody on drafts as restrictive to public using (true);

create table events (id bigint, at date, primary key (id, at)) partition by range (at);
create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');

create table hidden (id bigint primary key);
alter table hidden enable row level security;

create view sent_orders with (security_invoker = true) as
    select id, code from orders where state = 'sent'::state;
create type span as range (subtype = float8);
create view read_only with (security_invoker = true) as select id, email from users;
create view read_again with (security_invoker = true) as select * from read_only;
create view written with (security_invoker = true) as select key, value from settings;
create view written_again with (security_invoker = true) as select * from written;

create function count_orders() returns bigint stable security definer language plpgsql
    as $$ begin return (select count(*) from orders); end $$;
create function pick(wanted state) returns bigint stable language plpgsql
    as $$ begin return (select min(id) from orders where state = wanted); end $$;
create procedure sweep() language plpgsql as $$ begin delete from drafts where false; end $$;
"""


@dataclass(frozen=True)
class Damage:
    """Damage to the tenant `acme`; `globex` is another one."""

    sql: str
    kind: str
    object: str


def given_away(target: str, name: str) -> Damage:
    return Damage(
        f"grant create on schema acme to service_role; alter {target} owner to service_role;"
        " revoke create on schema acme from service_role",
        "wrong owner",
        name,
    )


ANN = "7c9e2a5d-3b41-4f86-a1c0-5d8e9f2b6a34"
# Ann's role in Acme gives invoices.read.
ANN_READS = f"""
select tenancy.declare_permission('invoices.read');
select tenancy.declare_permission('invoices.approve');
select public.define_role('acme', 'reader', '{{invoices.read}}');
insert into auth.users (id, aud, role) values ('{ANN}', 'authenticated', 'authenticated');
select public.grant_schema_access('acme', '{ANN}', roles => '{{reader}}');
update public.user_schema_access set """  # noqa: S608


TENANT_DAMAGES = (
    # check_row_security
    Damage("alter table acme.settings disable row level security", "RLS off", "acme.settings"),
    Damage("alter table acme.drafts no force row level security", "RLS off", "acme.drafts"),
    Damage("alter table acme.notes disable row level security", "RLS off", "acme.notes"),
    Damage(
        "alter table acme.events_2026 disable row level security", "RLS off", "acme.events_2026"
    ),
    # check_policies
    Damage("drop policy delete_writer on acme.orders", "wrong policy", "acme.orders"),
    Damage("drop policy own_orders on acme.orders", "wrong policy", "acme.orders"),
    Damage(
        "drop policy own_orders on acme.orders; create policy own_orders on acme.orders for"
        " select to authenticated using (created_by = (select auth.uid()) or state <> 'draft')",
        "wrong policy",
        "acme.orders",
    ),
    Damage(
        "alter policy own_orders on acme.orders using (true)", "wrong policy", "acme.orders"
    ),
    Damage("alter policy own_orders on acme.orders to anon", "wrong policy", "acme.orders"),
    Damage("drop policy by_owner on acme.drafts", "wrong policy", "acme.drafts"),
    Damage("drop policy of_everybody on acme.drafts", "wrong policy", "acme.drafts"),
    Damage(
        "alter policy by_owner on acme.drafts using (globex.is_owner(created_by))",
        "wrong policy",
        "acme.drafts",
    ),
    Damage(
        "alter policy by_owner on acme.drafts with check (true)", "wrong policy", "acme.drafts"
    ),
    Damage("create policy open on acme.orders using (true)", "wrong policy", "acme.orders"),
    Damage("drop policy only_select_owner on acme.claims", "wrong policy", "acme.claims"),
    Damage(
        "alter policy only_update_owner on acme.claims using (true)",
        "wrong policy",
        "acme.claims",
    ),
    Damage(
        "drop policy update_admin on acme.settings; create policy more on acme.settings to anon"
        " using (true); alter policy select_member on acme.settings using (true)",
        "wrong policy",
        "acme.settings",
    ),
    # check_own_policies
    Damage(
        "alter policy select_member on acme.notes using (true)", "wrong policy", "acme.notes"
    ),
    Damage("drop policy insert_writer on acme.notes", "wrong policy", "acme.notes"),
    Damage(
        "create policy open on acme.notes to anon using (true)", "wrong policy", "acme.notes"
    ),
    Damage(
        "drop policy select_member on acme.notes; drop policy insert_writer on acme.notes;"
        "drop policy update_writer on acme.notes; drop policy delete_writer on acme.notes",
        "wrong policy",
        "acme.notes",
    ),
    Damage(
        "alter policy update_writer on acme.notes using (exists (select from"
        " tenancy.open_tenants o where o.schema_name = 'globex'))",
        "wrong policy",
        "acme.notes",
    ),
    # check_triggers
    Damage("drop trigger audit_update on acme.orders", "trigger missing", "acme.orders"),
    Damage("drop trigger touch on acme.drafts", "trigger missing", "acme.drafts"),
    Damage("drop trigger checked on acme.drafts", "trigger missing", "acme.drafts"),
    Damage("alter table acme.drafts enable trigger checked", "trigger missing", "acme.drafts"),
    Damage("alter table acme.drafts disable trigger touch", "trigger missing", "acme.drafts"),
    Damage("alter table acme.users disable trigger user", "trigger missing", "acme.users"),
    Damage(
        "alter table acme.audit_log disable trigger append_only",
        "trigger missing",
        "acme.audit_log",
    ),
    Damage("drop trigger stamp on acme.settings", "trigger missing", "acme.settings"),
    # check_own_triggers
    Damage("drop trigger audit_insert on acme.notes", "trigger missing", "acme.notes"),
    Damage("alter table acme.notes disable trigger user", "trigger missing", "acme.notes"),
    Damage("drop function acme.tg_notes__audit() cascade", "trigger missing", "acme.notes"),
    Damage(
        "drop trigger audit_delete on acme.notes; create trigger audit_delete after insert on"
        " acme.notes for each row execute function suppress_redundant_updates_trigger()",
        "trigger missing",
        "acme.notes",
    ),
    # check_audit_routines
    Damage(
        "drop function acme.tg_orders__audit() cascade",
        "wrong routine",
        "acme.tg_orders__audit()",
    ),
    Damage(
        "create or replace function acme.tg_orders__audit() returns trigger security definer"
        " set search_path = '' language plpgsql as 'begin return null; end'",
        "wrong routine",
        "acme.tg_orders__audit()",
    ),
    Damage(
        "create or replace function acme.tg_notes__audit() returns trigger security definer"
        " set search_path = '' language plpgsql as 'begin return null; end'",
        "wrong routine",
        "acme.tg_notes__audit()",
    ),
    Damage(
        "alter function acme.tg_users__audit() security invoker",
        "wrong routine",
        "acme.tg_users__audit()",
    ),
    Damage(
        "alter function acme.tg_notes__audit() reset search_path",
        "wrong routine",
        "acme.tg_notes__audit()",
    ),
    # check_routines
    Damage("drop function acme.count_orders()", "wrong routine", "acme.count_orders()"),
    Damage(
        "drop function acme.pick(acme.state)", "wrong routine", "acme.pick(wanted acme.state)"
    ),
    Damage("drop procedure acme.sweep()", "wrong routine", "acme.sweep()"),
    Damage(
        "alter function acme.count_orders() reset search_path",
        "wrong routine",
        "acme.count_orders()",
    ),
    Damage(
        "create or replace function acme.is_owner(owner uuid) returns boolean stable language"
        " sql as 'select true'",
        "wrong routine",
        "acme.is_owner(owner uuid)",
    ),
    Damage(
        "drop function acme.is_owner(uuid) cascade",
        "wrong routine",
        "acme.is_owner(owner uuid)",
    ),
    Damage(
        "drop function acme.tg_drafts__touch() cascade",
        "wrong routine",
        "acme.tg_drafts__touch()",
    ),
    # check_objects
    Damage("drop view acme.sent_orders", "unlike the template", "acme.sent_orders"),
    Damage(
        "alter view acme.sent_orders reset (security_invoker)",
        "unlike the template",
        "acme.sent_orders",
    ),
    # check_tenant_grants
    Damage("grant usage on schema acme to anon", "wrong grants", "acme"),
    Damage("revoke usage on schema acme from authenticated", "wrong grants", "acme"),
    Damage("grant select on acme.orders to public", "wrong grants", "acme.orders"),
    Damage("grant update (total) on acme.orders to anon", "wrong grants", "acme.orders.total"),
    Damage("revoke select on acme.orders from authenticated", "wrong grants", "acme.orders"),
    Damage("grant delete on acme.audit_log to service_role", "wrong grants", "acme.audit_log"),
    Damage("grant select on acme.hidden to authenticated", "wrong grants", "acme.hidden"),
    Damage("grant all on acme.notes to authenticated", "wrong grants", "acme.notes"),
    Damage("grant usage on acme.orders_id_seq to anon", "wrong grants", "acme.orders_id_seq"),
    Damage(
        "revoke all on acme.orders_code_seq from authenticated",
        "wrong grants",
        "acme.orders_code_seq",
    ),
    Damage(
        "grant truncate on acme.sent_orders to authenticated",
        "wrong grants",
        "acme.sent_orders",
    ),
    Damage(
        "revoke insert on acme.sent_orders from authenticated",
        "wrong grants",
        "acme.sent_orders",
    ),
    Damage(
        "grant execute on function acme.count_orders() to anon",
        "wrong grants",
        "acme.count_orders()",
    ),
    Damage(
        "revoke execute on function acme.count_orders() from authenticated",
        "wrong grants",
        "acme.count_orders()",
    ),
    Damage(
        "grant execute on function acme.pick(acme.state) to authenticated",
        "wrong grants",
        "acme.pick(wanted acme.state)",
    ),
    Damage("grant execute on procedure acme.sweep() to public", "wrong grants", "acme.sweep()"),
    Damage(
        "create function acme.leak() returns bigint security definer language sql"
        " as 'select 1'",
        "wrong grants",
        "acme.leak()",
    ),
    Damage(
        "create view acme.leaks as select count(*) from acme.orders;"
        " grant select on acme.leaks to authenticated, service_role",
        "wrong grants",
        "acme.leaks",
    ),
    # check_listing
    Damage("select tenancy.unexpose_schema('acme')", "not listed", "acme"),
    # check_owners
    given_away("table acme.hidden", "acme.hidden"),
    given_away("table acme.notes", "acme.notes"),
    given_away("view acme.sent_orders", "acme.sent_orders"),
    given_away("function acme.is_owner(uuid)", "acme.is_owner(owner uuid)"),
    given_away("domain acme.amount", "acme.amount"),
    given_away("type acme.state", "acme.state"),
    Damage("alter schema acme owner to service_role", "wrong owner", "acme"),
    # check_other_grants: requests can act as this role
    Damage("grant usage on schema acme to authenticator", "grants around the layers", "acme"),
    Damage(
        "grant select (key), insert on acme.settings to authenticator",
        "grants around the layers",
        "acme",
    ),
)
# The same checks look at the reference schema.
REFERENCE_DAMAGES = (
    Damage(
        "drop policy own_orders on tenant_template.orders",
        "wrong policy",
        "tenant_template.orders",
    ),
    Damage("grant usage on schema tenant_template to anon", "wrong grants", "tenant_template"),
    Damage(
        "grant execute on function tenant_template.pick(tenant_template.state) to"
        " authenticated",
        "wrong grants",
        "tenant_template.pick(wanted tenant_template.state)",
    ),
    Damage(
        "alter table tenant_template.users disable row level security",
        "RLS off",
        "tenant_template.users",
    ),
)
# Repairing them would lose or refuse rows, or open what somebody closed.
LEFT_ALONE = (
    # check_tables
    Damage("drop table acme.events", "table missing", "acme.events"),
    Damage(
        "alter table acme.orders drop column total", "unlike the template", "acme.orders.total"
    ),
    Damage(
        "drop index acme.orders_state_idx",
        "unlike the template",
        "acme.orders.orders_state_idx",
    ),
    Damage(
        "alter table acme.orders drop constraint orders_code_key",
        "unlike the template",
        "acme.orders.orders_code_key",
    ),
    Damage("alter type acme.state add value 'lost'", "unlike the template", "acme.state"),
    Damage(
        "alter domain acme.amount drop constraint amount_check",
        "unlike the template",
        "acme.amount",
    ),
    Damage(
        "alter sequence acme.orders_code_seq cycle",
        "unlike the template",
        "acme.orders_code_seq",
    ),
    Damage(
        "alter table acme.hidden set (fillfactor = 50)", "unlike the template", "acme.hidden"
    ),
    Damage(
        "create policy closed on acme.orders as restrictive to authenticated using (false)",
        "wrong policy",
        "acme.orders",
    ),
    # It would run with the rights of postgres.
    given_away("function acme.count_orders()", "acme.count_orders()"),
    *(
        Damage(grant, "warning: grants to another role", "acme")
        for grant in (
            "grant usage on schema acme to supabase_auth_admin",
            "grant select on acme.settings to supabase_auth_admin",
            "grant update (value) on acme.settings to supabase_auth_admin",
            "grant usage on acme.orders_code_seq to supabase_auth_admin",
            "grant execute on function acme.pick(acme.state) to supabase_auth_admin",
        )
    ),
)
PLATFORM_DAMAGES = (
    # check_exposed_schemas
    Damage("select tenancy.expose_schema('gone')", "listed but missing", "gone"),
    *(
        Damage(f"select tenancy.expose_schema('{name}')", "private schema exposed", name)
        for name in ("tenancy", "auth", "information_schema", "pg_catalog")
    ),
    # check_guard
    Damage(
        "do $$ begin execute format('alter role authenticator in database %I reset"
        " pgrst.db_pre_request', current_database()); end $$",
        "guard not installed",
        "tenancy.guard_request",
    ),
    # check_registry
    Damage("drop schema acme cascade", "tenant without schema", "acme"),
    Damage(
        "delete from public.tenants where schema_name = 'acme'", "schema without tenant", "acme"
    ),
    # check_registry_access
    Damage("grant select on public.admin_users to anon", "too wide", "public.admin_users"),
    Damage("grant insert on public.tenants to service_role", "too wide", "public.tenants"),
    Damage(
        "grant select (status) on public.tenants to anon", "too wide", "public.tenants.status"
    ),
    Damage(
        "grant usage on public.admin_audit_log_id_seq to public",
        "too wide",
        "public.admin_audit_log_id_seq",
    ),
    Damage(
        "revoke select on public.user_schema_access from authenticated",
        "missing grant",
        "public.user_schema_access",
    ),
    Damage(
        "alter table public.admin_audit_log disable row level security",
        "RLS off",
        "public.admin_audit_log",
    ),
    # check_registry_triggers
    Damage(
        "alter table public.admin_audit_log disable trigger append_only",
        "trigger missing",
        "public.admin_audit_log",
    ),
    Damage(
        "drop trigger append_only_truncate on public.admin_audit_log",
        "trigger missing",
        "public.admin_audit_log",
    ),
    # check_rpc_grants
    Damage(
        "grant execute on function public.suspend_tenant(text, text) to anon",
        "too wide",
        "public.suspend_tenant(schema_name text, reason text)",
    ),
    Damage(
        "revoke execute on function public.suspend_tenant(text, text) from service_role",
        "missing grant",
        "public.suspend_tenant(schema_name text, reason text)",
    ),
    # check_helper_grants
    Damage(
        "grant execute on function tenancy.log_action(text, public.tenants, jsonb, text)"
        " to authenticated",
        "too wide",
        "tenancy.log_action(action text, tenant public.tenants, details jsonb,"
        " actor_role text)",
    ),
    Damage(
        "create function tenancy.another() returns integer language sql as 'select 1'",
        "too wide",
        "tenancy.another()",
    ),
    Damage(
        "revoke execute on function tenancy.caller() from authenticated",
        "missing grant",
        "tenancy.caller()",
    ),
    Damage("revoke usage on schema tenancy from anon", "missing grant", "tenancy"),
    Damage("grant select on tenancy.audit_seals to anon", "too wide", "tenancy.audit_seals"),
    Damage(
        "revoke select on tenancy.open_tenants from authenticated",
        "missing grant",
        "tenancy.open_tenants",
    ),
    # check_roles
    Damage(
        ANN_READS + "permissions = '{invoices.approve,invoices.read}' where true",
        "too many permissions",
        f"{ANN} in acme",
    ),
    Damage(
        ANN_READS + "roles = '{approver,reader}' where true",
        "unknown role",
        f"{ANN} in acme",
    ),
    # check_views
    Damage(
        "create view public.around as select * from acme.settings;"
        " grant select on public.around to anon",
        "view around the layers",
        "public.around",
    ),
    Damage(
        "create materialized view public.around as select * from acme.settings;"
        " grant select on public.around to authenticated",
        "view around the layers",
        "public.around",
    ),
    # check_publications
    Damage("create publication news for table acme.settings", "published", "acme.settings"),
    # check_foreign_keys
    Damage(
        "alter table acme.notes add column x_o uuid references globex.users (id)",
        "foreign key out of the tenant",
        "acme.notes",
    ),
    # check_shared_tables
    Damage(
        "create table public.gone (); select tenancy.share_table('public.gone');"
        " drop table public.gone",
        "shared table missing",
        "tenancy.shared_tables",
    ),
    # check_default_privileges
    Damage(
        "alter default privileges in schema acme grant select on tables to anon",
        "default privileges",
        "acme",
    ),
    Damage(
        "alter default privileges in schema tenancy grant execute on functions to public",
        "default privileges",
        "tenancy",
    ),
)
# What the doctor reports and leaves to a person.
PLATFORM_LEFT_ALONE = (
    Damage(
        "drop schema tenant_template cascade", "reference schema missing", "tenant_template"
    ),
    # check_stuck_tenants
    Damage(
        "insert into tenancy.unfinished_migrations"
        " values ('acme', '20260101000000', '23514', 'A row violates it.', now(), now(), 1)",
        "stuck tenant",
        "acme",
    ),
    # check_tenants_behind
    Damage(
        "update public.tenants set schema_version = ("
        "select version from tenancy.tenant_migrations order by position limit 1)"
        " where schema_name = 'acme'",
        "warning: tenants behind",
        "public.tenants",
    ),
    # check_pool
    Damage(
        "update tenancy.platform_settings set pool_size = 1 where true",
        "warning: pool too small",
        "tenancy.platform_settings",
    ),
    # check_roles: a repair opens nothing.
    Damage(
        ANN_READS + "permissions = '{}' where true",
        "too few permissions",
        f"{ANN} in acme",
    ),
    # check_template_references
    Damage(
        "insert into tenancy.tenant_template_objects values ('20260101000000', 'constraint',"
        " 'notes.gone', 'notes', 'FOREIGN KEY (id) REFERENCES public.gone(id)')",
        "template broken",
        "tenant migration 20260101000000",
    ),
    # check_routines_around
    Damage(
        "create function public.count_tenants() returns bigint security definer"
        " begin atomic select count(*) from public.tenants; end",
        "routine around the layers",
        "public.count_tenants()",
    ),
    Damage(
        "create table public.links (id uuid references acme.users (id))",
        "warning: foreign key into a tenant",
        "public.links",
    ),
    Damage(
        "alter default privileges grant select on tables to anon",
        "warning: default privileges",
        "database",
    ),
)


@pytest.fixture(scope="module")
def url(server: Postgres) -> Iterator[str]:
    with complete_database(server) as name:
        url = server.url(name)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("select tenancy.declare_permission('claims.read_all')")
            connection.execute(
                "select tenancy.register_tenant_migration("
                "'20260101000000', 'everything', %s, array['count_orders', 'is_owner'])",
                (TEMPLATE,),
            )
            for tenant in ("acme", "globex"):
                connection.execute("select public.create_tenant_schema(%s)", (tenant,))
            connection.execute(
                "select public.create_table('acme', 'notes', '[{\"name\": \"body\","
                ' "type": "text"}]\')'
            )
        yield url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    session = sessions.borrow(url)
    session.set_autocommit(False)
    session.execute("set client_min_messages = warning")
    yield session
    session.rollback()
    session.set_autocommit(True)
    sessions.give_back(url, session)


def findings(database: Database, schema: str | None) -> list[tuple[str, str]]:
    rows = database.execute(
        "select f.kind, f.object from unnest(tenancy.findings(%s)) f", (schema,)
    )
    found = [(row["kind"], row["object"]) for row in rows]
    if schema is None:
        # Of the template, without any damage.
        found.remove(REPLAYED)
    return found


def to_examine(database: Database, *tenants: str) -> list[str]:
    """Those of the tenants that the doctor examines one by one."""
    rows = database.execute(
        "select n.name from tenancy.tenants_to_examine(%s) n (name) order by n.name",
        ([*tenants],),
    )
    return [row["name"] for row in rows]


def repair(database: Database, schema: str | None) -> list[tuple[str, str]]:
    """Repairs everything, as the command does, and returns the findings that are left."""
    found = findings(database, schema)
    for _ in range(4):
        for kind, name in dict.fromkeys(found):
            with database.transaction():
                database.execute(
                    "select tenancy.repair_findings(%s, %s, %s)", (schema, kind, name)
                )
        left, found = found, findings(database, schema)
        if found in ([], left):
            break
    return found


def catalog(database: Database, schema: str) -> dict[str, Any]:
    """All objects of a schema with their definitions, and the privileges of API roles."""
    rows = database.execute(
        """
        select o.object_kind || ' ' || o.object_name as name, o.definition
        from tenancy.schema_objects(%(schema)s) o
        union all
        select 'privileges on ' || a.name,
            array(
                select concat_ws(' ', e.grantee::regrole, e.privilege_type)
                from aclexplode(a.acl) e
                where e.grantee in (
                    0, 'anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole
                )
                order by 1
            )::text
        from (
            select c.relname::text as name, c.relacl as acl
            from pg_class c
            where c.relnamespace = %(schema)s::regnamespace and c.relkind not in ('i', 'I', 'c')
            union all
            select p.oid::regprocedure::text, coalesce(p.proacl, acldefault('f', p.proowner))
            from pg_proc p
            where p.pronamespace = %(schema)s::regnamespace
            union all
            select 'schema', n.nspacl from pg_namespace n where n.nspname = %(schema)s
        ) a
        """,
        {"schema": schema},
    )
    return {row["name"]: row["definition"] for row in rows}


def policies(database: Database, table: str) -> dict[str, int]:
    rows = database.execute(
        "select polname as name, oid::bigint as id from pg_policy"
        " where polrelid = %s::regclass",
        (table,),
    )
    return {row["name"]: row["id"] for row in rows}


def plant(database: Database, function: str, right: str, wrong: str) -> None:
    """Replaces the right text of a function by a wrong one."""
    row = database.execute(
        "select pg_get_functiondef(%s::regprocedure) as text", (function,)
    ).fetchone()
    assert row is not None
    assert right in row["text"]
    database.execute(row["text"].replace(right, wrong).encode())


# check_unreachable_tables
UNREACHABLE = ("warning: unreachable table", "tenant_template.hidden")
# check_creation_script: a script makes no partitions.
REPLAYED = ("warning: creation script", "tenant migration 20260101000000")


def test_undamaged_database_has_no_finding(database: Database) -> None:
    assert findings(database, None) == []
    assert findings(database, "acme") == []
    assert findings(database, "globex") == []
    assert findings(database, "tenant_template") == [UNREACHABLE]
    # Drift decides with another function than the doctor.
    for tenant in ("acme", "globex"):
        drift = database.execute("select * from public.get_schema_drift(%s)", (tenant,))
        assert drift.fetchall() == []


@pytest.mark.parametrize("damage", TENANT_DAMAGES, ids=lambda each: each.sql)
def test_damage_to_a_tenant_is_found_and_repaired(database: Database, damage: Damage) -> None:
    before, elsewhere = catalog(database, "acme"), catalog(database, "globex")
    database.execute(damage.sql.encode())

    assert (damage.kind, damage.object) in findings(database, "acme")
    assert repair(database, "acme") == []
    after = catalog(database, "acme")
    assert {name: text for name, text in after.items() if "leak" not in name} == before
    assert catalog(database, "globex") == elsewhere


def test_damage_to_a_tenant_that_was_like_the_template_is_not_passed_over(
    database: Database,
) -> None:
    """One of several equal tenants is examined in place of all."""
    tenants = ["dunder", "initech"]
    for tenant in tenants:
        database.execute("select public.create_tenant_schema(%s)", (tenant,))
    assert to_examine(database, *tenants) == []

    # The two tenants have no tables of their own.
    damages = [damage for damage in TENANT_DAMAGES if "notes" not in damage.sql]
    for damage, damaged in zip(damages, itertools.cycle(tenants), strict=False):
        with database.transaction(force_rollback=True):
            database.execute(damage.sql.replace("acme", damaged).encode())
            assert findings(database, damaged), damage.sql
            assert to_examine(database, *tenants) == [damaged], damage.sql


def test_open_tenant_of_the_pool_is_found_and_closed(database: Database) -> None:
    database.execute("update public.tenants set status = 'pooled' where schema_name = 'globex'")
    database.execute("select tenancy.apply_tenant_privileges('globex')")
    before = catalog(database, "globex")
    assert findings(database, "globex") == []
    assert to_examine(database, "globex") == []

    for damage in (
        Damage("grant select on globex.users to authenticated", "wrong grants", "globex.users"),
        Damage(
            "grant select (email) on globex.users to service_role",
            "wrong grants",
            "globex.users.email",
        ),
        Damage("grant usage on schema globex to anon", "wrong grants", "globex"),
        Damage("revoke usage on schema globex from service_role", "wrong grants", "globex"),
        Damage("select tenancy.unexpose_schema('globex')", "not listed", "globex"),
    ):
        database.execute(damage.sql.encode())
        assert findings(database, "globex") == [(damage.kind, damage.object)]
        assert to_examine(database, "globex") == ["globex"]
        assert repair(database, "globex") == []
        assert catalog(database, "globex") == before


def test_problem_of_all_tenants_is_not_passed_over(database: Database) -> None:
    plant(
        database,
        "tenancy.grant_differences(text)",
        "where g.expected is distinct from g.found",
        "where g.expected is not null",
    )
    tenants = ["globex", "initech"]
    database.execute("select public.create_tenant_schema('initech')")
    for tenant in tenants:
        database.execute("select public.suspend_tenant(%s)", (tenant,))

    assert to_examine(database, *tenants) == tenants


def test_tenants_like_the_template_are_examined_once(database: Database) -> None:
    tenants = [f"equal_{number}" for number in range(5)]
    for tenant in tenants:
        database.execute("select public.create_tenant_schema(%s)", (tenant,))
    for tenant in tenants[:2]:
        database.execute("select public.suspend_tenant(%s)", (tenant,))
    database.execute("set local track_functions = 'all'")

    # Acme has a table of its own.
    assert to_examine(database, *tenants, "acme") == ["acme"]

    counted = calls(database)
    assert counted["schema_objects"] == len(tenants) + 1 + counted["tenant_findings"]
    # One of those that are active, and one of those that are suspended.
    assert counted["tenant_findings"] == 2


@pytest.mark.parametrize("check", ["check_owners", "check_other_grants"])
def test_check_reads_nothing_of_other_tenants(database: Database, check: str) -> None:
    database.execute("grant select on acme.settings to supabase_auth_admin")
    database.execute("alter schema acme owner to service_role")

    def rows() -> int:
        call = SQL("select from tenancy.{}('acme')").format(Identifier(check))
        # The first call fills the caches of the session.
        assert database.execute(call).rowcount == 1
        before = rows_read(database)
        database.execute(call)
        return rows_read(database) - before

    alone = rows()
    for number in range(10):
        database.execute("select public.create_tenant_schema(%s)", (f"other_{number}",))

    assert rows() <= alone + 5


@pytest.mark.parametrize("damage", REFERENCE_DAMAGES, ids=lambda each: each.sql)
def test_damage_to_the_reference_schema_is_found_and_repaired(
    database: Database, damage: Damage
) -> None:
    before = catalog(database, "tenant_template")
    database.execute(damage.sql.encode())

    assert (damage.kind, damage.object) in findings(database, "tenant_template")
    assert repair(database, "tenant_template") == [UNREACHABLE]
    assert catalog(database, "tenant_template") == before


@pytest.mark.parametrize("damage", PLATFORM_DAMAGES, ids=lambda each: each.sql)
def test_damage_outside_the_tenants_is_found_and_repaired(
    database: Database, damage: Damage
) -> None:
    database.execute(damage.sql.encode())

    assert (damage.kind, damage.object) in findings(database, None)
    assert repair(database, None) == []


@pytest.mark.parametrize("damage", LEFT_ALONE, ids=lambda each: each.sql)
def test_damage_that_no_repair_can_undo_is_reported_and_left(
    database: Database, damage: Damage
) -> None:
    database.execute(damage.sql.encode())
    damaged = catalog(database, "acme")

    assert (damage.kind, damage.object) in findings(database, "acme")
    assert (damage.kind, damage.object) in repair(database, "acme")
    after = catalog(database, "acme")
    # The audit follows the columns.
    assert {name for name in after if after[name] != damaged[name]} <= {
        "routine tg_orders__audit()"
    }
    assert after.keys() == damaged.keys()


@pytest.mark.parametrize("damage", PLATFORM_LEFT_ALONE, ids=lambda each: each.sql)
def test_what_the_project_has_to_decide_is_reported_and_left(
    database: Database, damage: Damage
) -> None:
    database.execute(damage.sql.encode())

    found = findings(database, None)

    assert (damage.kind, damage.object) in found
    assert repair(database, None) == found


def test_right_policies_of_a_repaired_table_are_not_touched(database: Database) -> None:
    before = policies(database, "acme.orders")
    database.execute("drop policy delete_writer on acme.orders")

    repair(database, "acme")

    after = policies(database, "acme.orders")
    assert {name: id for name, id in after.items() if before[name] != id}.keys() == {
        "delete_writer"
    }
    assert after.keys() == before.keys()


def test_repair_of_a_policy_never_makes_a_restrictive_one_permissive(
    database: Database,
) -> None:
    kinds = (
        "select polname, polpermissive from pg_policy"
        " where polrelid = 'acme.orders'::regclass order by 1"
    )
    before = database.execute(kinds).fetchall()
    assert {"polname": "own_orders", "polpermissive": False} in before
    database.execute("drop policy own_orders on acme.orders")
    database.execute("drop policy delete_writer on acme.orders")

    repair(database, "acme")

    assert database.execute(kinds).fetchall() == before


def test_suspended_tenant_gets_no_privilege_by_a_repair(database: Database) -> None:
    database.execute("select public.suspend_tenant('acme')")
    assert findings(database, "acme") == []
    before = catalog(database, "acme")
    for damage in (
        "grant select on acme.orders to authenticated",
        "drop policy select_member on acme.orders",
        "drop function acme.count_orders()",
        "drop function acme.is_owner(uuid) cascade",
    ):
        database.execute(damage.encode())

    assert repair(database, "acme") == []
    assert catalog(database, "acme") == before


def test_privilege_is_not_granted_while_a_policy_of_the_table_is_wrong(
    database: Database,
) -> None:
    database.execute("revoke select on acme.orders from authenticated")
    database.execute("alter policy select_member on acme.orders using (true)")

    with (
        pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="select_member"),
        database.transaction(),
    ):
        database.execute(
            "select tenancy.repair_findings('acme', 'wrong grants', 'acme.orders')"
        )
    database.execute("revoke usage on schema acme from authenticated")
    with (
        pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="select_member"),
        database.transaction(),
    ):
        database.execute("select tenancy.repair_findings('acme', 'wrong grants', 'acme')")

    assert repair(database, "acme") == []


def test_open_policy_is_removed_with_the_privileges_that_it_justified(
    database: Database,
) -> None:
    before = catalog(database, "acme")
    database.execute("create policy anyone on acme.users for all to authenticated using (true)")
    database.execute("grant insert, update, delete on acme.users to authenticated")
    database.execute("grant insert, update, delete on acme.users to service_role")

    assert repair(database, "acme") == []
    assert catalog(database, "acme") == before


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ("return concat_ws", "return 'select 1;'; return concat_ws", "select_member"),
        (
            "|| ';'",
            "|| '; alter table acme.users disable row level security;'",
            "Row level security is off on acme.users",
        ),
    ],
    ids=["the same", "another"],
)
def test_repair_that_would_leave_a_problem_is_rolled_back(
    database: Database, right: str, wrong: str, problem: str
) -> None:
    database.execute("drop policy select_member on acme.settings")
    plant(database, "tenancy.policy_statement(text, text, text, text)", right, wrong)
    damaged = catalog(database, "acme")

    with (
        pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=problem),
        database.transaction(),
    ):
        database.execute(
            "select tenancy.repair_findings('acme', 'wrong policy', 'acme.settings')"
        )

    assert catalog(database, "acme") == damaged


def test_mistake_of_what_grants_is_found(database: Database) -> None:
    """The checks compute the privileges themselves."""
    plant(
        database,
        "tenancy.grant_differences(text)",
        "where g.expected is distinct from g.found",
        "where g.expected is not null",
    )
    database.execute("select public.suspend_tenant('globex')")

    assert ("wrong grants", "globex.settings") in findings(database, "globex")
    assert ("wrong grants", "globex") in findings(database, "globex")
    assert repair(database, "globex") == []


def test_mistake_of_what_makes_policies_is_found(database: Database) -> None:
    plant(
        database,
        "tenancy.policy_test(text, tenancy.access_level)",
        "o.schema_name = %L and",
        "%L is not null and",
    )
    database.execute("select public.create_tenant_schema('initech')")
    database.execute("select public.create_table('globex', 'plans', '[]')")

    assert ("wrong policy", "initech.settings") in findings(database, "initech")
    assert ("wrong policy", "globex.plans") in findings(database, "globex")
    for tenant in ("initech", "globex"):
        assert repair(database, tenant) == []


def test_tables_of_the_project_in_a_tenant_are_not_judged(database: Database) -> None:
    """Somebody with SQL made them, by enable_tenant_table or with policies of their own."""
    database.execute(
        "create table acme.plans (id bigint primary key);"
        "select tenancy.enable_tenant_table('acme', 'plans', reads => 'admin', writes => null,"
        " audited => false);"
        "create table acme.visits (id bigint primary key);"
        "alter table acme.visits enable row level security;"
        "create policy mine on acme.visits for select to authenticated using (id > 0);"
        "create policy narrow on acme.notes as restrictive for select to authenticated"
        " using (body <> 'x');"
        "select tenancy.apply_tenant_privileges('acme');"
        "create function acme.mine() returns integer language sql as 'select 1';"
        "revoke execute on function acme.mine() from public"
    )

    assert findings(database, "acme") == []
    database.execute("create table acme.unregistered (id bigint)")
    assert findings(database, "acme") == [("warning: unreachable table", "acme.unregistered")]


def test_granted_routine_that_no_migration_declares_is_reported_by_doctor_and_drift(
    database: Database,
) -> None:
    """The next activation would revoke the grant."""
    drift = (
        "select d.object_name from public.get_schema_drift('acme') d"
        " where d.object_kind = 'grant' order by 1"
    )
    database.execute(
        "create function acme.mine() returns integer language sql as 'select 1';"
        "insert into tenancy.tenants_own_objects values ('acme', 'routine', 'mine()');"
        "select tenancy.apply_tenant_privileges('acme')"
    )
    assert findings(database, "acme") == []
    assert database.execute(drift).fetchall() == []

    database.execute("grant execute on function acme.mine() to authenticated, service_role")

    assert findings(database, "acme") == [("wrong grants", "acme.mine()")]
    assert [row["object_name"] for row in database.execute(drift)] == [
        "on routine acme.mine() to authenticated",
        "on routine acme.mine() to service_role",
    ]
    assert repair(database, "acme") == []
    assert database.execute(drift).fetchall() == []


def test_objects_of_the_project_in_public_are_not_judged(database: Database) -> None:
    database.execute(
        """
        create function public.is_member(id uuid) returns boolean security definer language sql
            as 'select true';
        create function public.suspend_tenant(id uuid) returns boolean security definer
            language sql as 'select true';
        grant execute on function public.is_member(uuid) to anon;
        create table public.pages (id bigint primary key, is_public boolean);
        grant all on public.pages to anon, authenticated, service_role;
        alter table public.pages enable row level security;
        create policy readable on public.pages for select to anon
            using (is_public or public.is_member(null));
        create table public.plain (id bigint primary key references public.pages (id));
        grant select on public.plain to anon;
        create view public.all_pages as select * from public.pages;
        grant select on public.all_pages to anon;
        create publication project_news for table public.pages;
        alter default privileges in schema public grant all on tables to anon;
        """
    )

    assert findings(database, None) == []


def test_guard_is_missed_beside_any_pre_request_function(database: Database) -> None:
    def install(name: str, function: str, where: str = "in database %I") -> None:
        database.execute(
            f"create or replace function public.{name}() returns void {function};"
            f"do $do$ begin execute format($$alter role authenticator {where} set"
            f" pgrst.db_pre_request = 'public.{name}'$$, current_database()); end $do$".encode()
        )

    def repair() -> None:
        for kind, name in findings(database, None):
            database.execute("select tenancy.repair_findings(null, %s, %s)", (kind, name))
        assert findings(database, None) == []

    # The guard is installed. PostgREST does not see the project's setting.
    install("before", "language plpgsql as 'begin return; end'", where="")
    assert findings(database, None) == [("pre-request function not called", "public.before")]
    repair()

    # Now the project's setting hides that of the guard.
    install("before", "language plpgsql as 'begin return; end'")
    assert findings(database, None) == [("guard not called", "public.before")]
    repair()
    install("later", "language plpgsql as 'begin return; end'")
    assert findings(database, None) == [("guard not called", "public.later")]
    repair()

    calling = "as 'begin perform tenancy.guard_request(); end'"
    install("later", f"language plpgsql {calling}")
    assert findings(database, None) == []
    install("later", f"language plpgsql set search_path = '' {calling}")
    assert findings(database, None) == [("guard not called", "public.later")]
    install("atomic", "begin atomic select tenancy.guard_request(); end")
    assert findings(database, None) == []


@pytest.mark.parametrize(
    "damage",
    [
        "create or replace function tenancy.pre_request() returns void language plpgsql"
        " as 'begin perform public.before(); end'",
        "alter function tenancy.pre_request() security definer",
        "alter function tenancy.pre_request() set search_path = ''",
    ],
)
def test_changed_call_of_project_function_and_guard_is_repaired(
    database: Database, damage: str
) -> None:
    database.execute(
        "create function public.before() returns void language plpgsql as 'begin return; end';"
        "do $$ begin execute format('alter role authenticator in database %I set"
        " pgrst.db_pre_request = ''public.before''', current_database()); end $$;"
        "select tenancy.install_guard()"
    )
    assert findings(database, None) == []

    database.execute(damage.encode())

    assert findings(database, None) == [("guard not called", "tenancy.pre_request")]
    [sentence] = database.execute(
        "select detail from tenancy.platform_findings() where kind = 'guard not called'"
    ).fetchall()
    assert "pre-request function public.before of the project" in sentence["detail"]
    database.execute(
        "select tenancy.repair_findings(null, 'guard not called', 'tenancy.pre_request')"
    )
    assert findings(database, None) == []


def test_role_of_the_project_gets_the_guard(database: Database) -> None:
    database.execute("create role shop_manager; grant shop_manager to authenticator")
    missing = ("missing grant", "tenancy.guard_request of shop_manager")
    # check_cache_load
    unlimited = ("warning: API role without statement timeout", "shop_manager")
    assert findings(database, None) == [missing, unlimited]

    for finding in (missing, unlimited):
        database.execute("select tenancy.repair_findings(null, %s, %s)", finding)

    assert findings(database, None) == []


def test_load_of_the_schema_cache_gets_its_time_limit_back(database: Database) -> None:
    database.execute(
        SQL("alter role authenticator in database {} reset statement_timeout").format(
            Identifier(database.info.dbname)
        )
    )
    unlimited = ("schema cache load without time limit", "authenticator")
    assert findings(database, None) == [unlimited]

    database.execute("select tenancy.repair_findings(null, %s, %s)", unlimited)

    assert findings(database, None) == []


UNSET = ("pre-request function without setting", "public.before")


def forget_setting(database: Database) -> None:
    """Installs the guard beside the project's function, whose setting is then removed."""
    database.execute(
        "create function public.before() returns void language plpgsql as 'begin return; end';"
        "do $$ begin execute format('alter role authenticator in database %I reset"
        " pgrst.db_pre_request', current_database()); end $$;"
        "alter role authenticator set pgrst.db_pre_request = 'public.before';"
        "select tenancy.install_guard()"
    )
    assert findings(database, None) == []
    database.execute("alter role authenticator reset pgrst.db_pre_request")


@pytest.mark.parametrize(
    "damage", ["", "alter function tenancy.pre_request() security definer"]
)
def test_function_without_setting_is_named_and_no_repair_removes_it(
    database: Database, damage: str
) -> None:
    forget_setting(database)
    database.execute(damage.encode())

    assert findings(database, None) == [UNSET]
    database.execute("select tenancy.repair_findings(null, %s, %s)", UNSET)
    row = database.execute("select remediation from tenancy.platform_findings()").fetchone()
    assert row is not None
    keeping, _, removing = row["remediation"].partition(" If the project does not need it: ")

    with database.transaction(force_rollback=True):
        database.execute(removing.encode())
        assert findings(database, None) == []
    database.execute(keeping.removeprefix("To keep it: ").encode())
    assert findings(database, None) == []
    kept = database.execute(
        "select f.function_name from tenancy.find_pre_request() f"
    ).fetchone()
    assert kept == {"function_name": "public.before"}


def test_repair_that_installs_the_guard_names_the_function_without_setting(
    database: Database,
) -> None:
    forget_setting(database)
    database.execute(
        "do $$ begin execute format('alter role authenticator in database %I reset"
        " pgrst.db_pre_request', current_database()); end $$"
    )
    warnings: list[str | None] = []
    database.add_notice_handler(lambda notice: warnings.append(notice.message_primary))

    row = database.execute(
        "select kind, object, detail from tenancy.platform_findings()"
    ).fetchone()
    assert row is not None
    found = (row["kind"], row["object"])
    assert found == ("guard not installed", "tenancy.guard_request")
    keeping = "alter role authenticator set pgrst.db_pre_request = 'public.before'"
    assert keeping in row["detail"]
    database.execute("select tenancy.repair_findings(null, %s, %s)", found)

    assert findings(database, None) == []
    assert [keeping in (text or "") for text in warnings] == [True]


def test_function_without_setting_that_is_gone_is_not_kept(database: Database) -> None:
    forget_setting(database)
    database.execute("drop function public.before()")

    assert findings(database, None) == [("guard not called", "tenancy.pre_request")]
    database.execute(
        "select tenancy.repair_findings(null, 'guard not called', 'tenancy.pre_request')"
    )
    assert findings(database, None) == []


def test_missing_pre_request_function_of_the_project_is_named(database: Database) -> None:
    database.execute(
        "do $$ begin execute format('alter role authenticator in database %I set"
        " pgrst.db_pre_request = ''public.gone''', current_database()); end $$"
    )

    assert findings(database, None) == [("pre-request function missing", "public.gone")]


def test_tenant_at_an_older_version_is_repaired_as_that_version_has_it(
    database: Database,
) -> None:
    database.execute(
        "select tenancy.register_tenant_migration('20260201000000', 'narrower',"
        " 'alter policy own_orders on orders using (false);"
        "  drop policy of_everybody on drafts; drop view sent_orders')"
    )
    assert findings(database, "acme") == []
    before = catalog(database, "acme")
    database.execute("drop policy own_orders on acme.orders")
    database.execute("alter policy of_everybody on acme.drafts using (false)")

    assert repair(database, "acme") == []
    assert catalog(database, "acme") == before
    row = database.execute("select outcome::text from public.migrate_tenant('acme')").fetchone()
    assert row == {"outcome": "migrated"}
    assert findings(database, "acme") == []


def test_owner_who_may_not_cancel_is_reported(url: str, server: Postgres) -> None:
    """check_cancelling: a suspension depends on it."""
    admin = make_conninfo(server.admin_url(), dbname=conninfo_to_dict(url)["dbname"])
    with psycopg.connect(admin, row_factory=dict_row) as database:
        database.execute("revoke pg_signal_backend, authenticator from postgres")
        found = findings(database, None)
        database.execute("grant pg_signal_backend to postgres")
        repaired = findings(database, None)
        database.rollback()

    assert found == [("cannot cancel", "postgres")]
    assert repaired == []


# check_catalog_statistics: tests/sql/test_catalog_statistics.py
# check_dump_locks: tests/sql/test_capacity.py
def test_every_check_has_a_damage() -> None:
    """Each comment above names the check of the damages below it."""
    checks = {
        path.stem for path in (find_project().root / "sql" / "50_checks").glob("check_*.sql")
    }
    named = set(re.findall(r"check_\w+", Path(__file__).read_text()))

    assert checks - named == set()


# check_api_roles
@pytest.mark.parametrize(
    ("damage", "role", "remedy"),
    [
        (
            "alter role authenticated bypassrls",
            "authenticated",
            "alter role authenticated nobypassrls nosuperuser;",
        ),
        (
            "create role boss_of_checks bypassrls; grant boss_of_checks to anon",
            "anon",
            "revoke boss_of_checks from anon;",
        ),
    ],
)
def test_api_role_that_passes_policies_is_reported(
    server: Postgres, database: Database, damage: str, role: str, remedy: str
) -> None:
    name = database.info.dbname
    with psycopg.connect(server.admin_url(name), row_factory=dict_row) as superuser:
        superuser.execute(damage.encode())
        query = "select f.kind, f.object, f.remediation from tenancy.platform_findings() f"
        found = [
            (row["kind"], row["object"], row["remediation"]) for row in superuser.execute(query)
        ]
        assert ("API role passes policies", role, remedy) in found
        superuser.execute(remedy.encode())
        kinds = {row["kind"] for row in superuser.execute(query)}
        superuser.rollback()
    assert "API role passes policies" not in kinds
