"""Settings of a session change how PostgreSQL prints definitions, and no result.

Each scenario runs twice, in transactions that are rolled back: with the settings of a new
project, and with unusual ones, as `alter role … set` would give them to every session.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from support.databases import complete_database
from tenantry_cli.emulator.postgres import Postgres

Database = psycopg.Connection[dict[str, Any]]

UNUSUAL = {
    "quote_all_identifiers": "on",
    "bytea_output": "escape",
    "intervalstyle": "iso_8601",
    "datestyle": "SQL, DMY",
    "timezone": "Asia/Kathmandu",
    "extra_float_digits": "-10",
    "xmlbinary": "hex",
}

TEMPLATE = r"""
create type state as enum ('draft', 'sent');
create domain amount as numeric check (value >= 0);
create table orders (
    id bigint generated always as identity primary key,
    code serial,
    created_by uuid default auth.uid(),
    state state not null default 'draft',
    content bytea default '\x00ff'::bytea,
    grace interval default '1 day 02:00:00'::interval,
    due date default '2026-03-04'::date,
    sent_at timestamptz default '2026-03-04 05:06:07+00'::timestamptz,
    share double precision default 0.1234567890123456::double precision,
    total amount,
    constraint orders_code_key unique (code),
    constraint orders_due_check check (due > '2020-02-01'::date)
);
create index orders_state_idx on orders (state) where due > '2021-02-01'::date;
select tenancy.enable_tenant_table(current_schema(), 'orders');
create table lines (
    id bigint primary key,
    order_id bigint references orders (id),
    owner_id uuid
);
create function is_owner(owner uuid) returns boolean stable language sql
    as $$ select owner = (select auth.uid()) $$;
create function pick(wanted state) returns bigint stable language plpgsql
    as $$ begin return (select min(id) from orders where state = wanted); end $$;
alter table lines enable row level security;
create policy by_owner on lines for all to authenticated
    using (is_owner(owner_id)) with check (is_owner(owner_id));
create view sent_orders with (security_invoker = true) as
    select id, code from orders where state = 'sent'::state and due > '2022-02-01'::date;
"""
COLUMNS = json.dumps(
    [
        {"name": "day", "type": "date", "default": "2026-05-06"},
        {"name": "length", "type": "interval", "default": "2 days"},
        {"name": "content", "type": "bytea", "default": "\\x01"},
    ]
)
NEXT = """
alter table orders add column span interval default '3 days'::interval;
alter table lines add column day date default '2026-07-08'::date;
"""


@pytest.fixture(scope="module")
def project(server: Postgres) -> Iterator[str]:
    """The URL of a database with tenants: one with a table of its own, and a suspended one."""
    with complete_database(server) as name:
        url = server.url(name)
        with psycopg.connect(url) as session:
            session.execute(
                "select tenancy.register_tenant_migration('20270101000000', 'orders', %s, %s)",
                (TEMPLATE, ["pick", "is_owner"]),
            )
            for tenant in ("acme", "globex", "initech"):
                session.execute("select public.create_tenant_schema(%s)", (tenant,))
            session.execute("select public.create_table('acme', 'notes', %s)", (COLUMNS,))
            session.execute("select public.add_foreign_key('acme', 'notes', 'id', 'users')")
            session.execute("select public.suspend_tenant('initech')")
            session.execute("create schema former")
            session.execute("create table former.things (id bigint primary key, day date)")
        yield url


ALL_FINDINGS = (
    "select f.* from tenancy.platform_findings() f",
    *(
        f"select f.* from tenancy.tenant_findings('{name}') f"  # noqa: S608
        for name in ("acme", "globex", "initech", "tenant_template")
    ),
    "select tenancy.tenants_to_examine(array['acme', 'globex', 'initech'])",
    "select d.* from public.list_tenant_drift() d",
    "select d.* from public.get_schema_drift('acme') d",
    "select d.* from public.get_schema_drift('globex') d",
)
OBJECTS = "select o.* from tenancy.schema_objects('{0}') o order by 1, 2"
PRIVILEGES = "select tenancy.privileges_digest('{0}')"
DAMAGES = (
    "alter table globex.orders alter due set default '2026-03-05'::date",
    "alter table globex.orders drop column content",
    "alter table globex.orders drop constraint orders_due_check",
    "drop index globex.orders_state_idx",
    "drop policy by_owner on globex.lines",
    "alter table globex.settings disable trigger audit_update",
    "drop trigger audit_update on globex.settings",
    "drop function globex.tg_settings__audit() cascade",
    "drop function globex.pick(globex.state)",
    "create or replace view globex.sent_orders with (security_invoker = true) as"
    " select id, code from globex.orders",
    "grant select on globex.settings to anon",
    "grant insert (id) on globex.users to authenticated",
    "revoke usage on schema globex from service_role",
    "grant execute on function globex.is_owner(uuid) to public",
    "alter table acme.notes disable row level security",
    "drop policy select_member on acme.notes",
    "drop trigger audit_insert on acme.notes",
    "grant usage on schema tenancy to public",
    "grant execute on function public.suspend_tenant(text, text) to anon",
    "alter default privileges in schema acme grant select on tables to anon",
    "select tenancy.unexpose_schema('acme')",
)
SCENARIOS: dict[str, tuple[str, ...]] = {
    "healthy": ALL_FINDINGS,
    "damaged": (*DAMAGES, *ALL_FINDINGS),
    "create": (
        "select public.create_tenant_schema('hooli')",
        OBJECTS.format("hooli"),
        PRIVILEGES.format("hooli"),
        "select tenancy.find_creation_script('acme') is null",
        "select tenancy.find_creation_script('acme')",
    ),
    "compile": (
        "delete from tenancy.tenant_template_scripts",
        "select tenancy.renew_creation_script()",
        "select s.* from tenancy.tenant_template_scripts s",
    ),
    "pool": (
        "update tenancy.platform_settings set pool_size = 1, pool_wait_seconds = 0 where true",
        "select (public.refill_tenant_pool()).made",
        "select count(*) from public.tenants t, tenancy.tenant_findings(t.schema_name) f"
        " where t.status = 'pooled'",
        "select (public.create_tenant_schema()).status",
        "select count(*) from public.tenants t, tenancy.tenant_findings(t.schema_name) f",
    ),
    "suspend": (
        "select public.suspend_tenant('acme')",
        PRIVILEGES.format("acme"),
        "select f.* from tenancy.tenant_findings('acme') f",
        "select public.activate_tenant('acme')",
        PRIVILEGES.format("acme"),
        "select f.* from tenancy.tenant_findings('acme') f",
        "select public.suspend_tenant('acme')",
        "select public.delete_tenant_schema('acme')",
        *ALL_FINDINGS[:2],
    ),
    "migrate": (
        "select tenancy.register_tenant_migration('20270102000000', 'next', $text$"
        f"{NEXT}$text$)",
        "select o.* from tenancy.tenant_template_objects o order by 1, 2, 3",
        "select s.* from tenancy.tenant_template_scripts s",
        "select m.* from public.migrate_tenant('acme') m",
        "select m.* from public.migrate_tenant('initech') m",
        OBJECTS.format("acme"),
        PRIVILEGES.format("acme"),
        *ALL_FINDINGS,
    ),
    "index": (
        "select tenancy.register_tenant_index('20270102000000', 'due',"
        " 'create index orders_due on orders (due)')",
        "select o.* from tenancy.tenant_template_objects o order by 1, 2, 3",
        "select m.* from public.migrate_tenant('acme') m",
        OBJECTS.format("acme"),
        *ALL_FINDINGS,
    ),
    "replace": (
        "select tenancy.register_tenant_migration('20270102000000', 'next', 'select 1')",
        "select r.* from public.replace_tenant_migration('20270102000000', $text$"  # noqa: S608
        f"{NEXT}$text$) r",
        "select o.* from tenancy.tenant_template_objects o order by 1, 2, 3",
        "select r.* from public.withdraw_tenant_migration('20270102000000') r",
        "select o.* from tenancy.tenant_template_objects o order by 1, 2, 3",
        *ALL_FINDINGS,
    ),
    "adopt": (
        "select o.* from tenancy.adoption_obstacles('former') o",
        "select public.register_tenant_schema('former')",
        OBJECTS.format("former"),
        PRIVILEGES.format("former"),
        "select f.* from tenancy.tenant_findings('former') f",
        "select d.* from public.get_schema_drift('former') d",
        "select w.* from tenancy.tenants_own_objects w order by 1, 2, 3",
    ),
    "tables": (
        f"select c.* from public.create_table('globex', 'notes', '{COLUMNS}') c",  # noqa: S608
        "select c.* from public.add_column('globex', 'notes', 'user_id', 'uuid') c",
        "select k.* from public.add_foreign_key('globex', 'notes', 'user_id', 'users') k",
        "select k.* from public.get_table_foreign_keys('globex', 'notes') k",
        "select k.* from public.get_table_foreign_keys('globex', 'lines') k",
        "select k.* from public.drop_foreign_key('globex', 'notes', 'notes_user_id_fkey') k",
        "select c.* from public.get_table_columns('globex', 'notes') c",
        "select c.* from public.get_table_columns('globex', 'orders') c",
        "select c.* from public.add_column('globex', 'users', 'x_since', 'date',"
        " default_value => '\"2026-01-02\"') c",
        OBJECTS.format("globex"),
        *ALL_FINDINGS,
    ),
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_settings_of_the_session_change_no_result(project: str, scenario: str) -> None:
    usual, unusual = (
        results(project, SCENARIOS[scenario], settings) for settings in ({}, UNUSUAL)
    )
    assert [found for found in usual.values() if isinstance(found, psycopg.Error)] == []
    assert {
        place: (usual[place], unusual[place])
        for place in usual
        if usual[place] != unusual[place]
    } == {}


def results(
    project: str, statements: tuple[str, ...], settings: dict[str, str]
) -> dict[str, Any]:
    """What each statement returns, without moments and generated ids."""
    with (
        psycopg.connect(project, row_factory=dict_row) as database,
        database.transaction(force_rollback=True),
    ):
        for name, value in settings.items():
            database.execute("select set_config(%s, %s, false)", (name, value))
        return {
            f"{place}: {statement}": answer(database, statement)
            for place, statement in enumerate(statements)
        }


CHANGING = {"id", "created_at", "updated_at", "suspended_at", "compiled_at", "registered_at"}


def answer(database: Database, statement: str) -> Any:
    try:
        with database.transaction():
            if not statement.startswith("select"):
                return database.execute(statement.encode()).rowcount
            rows = database.execute(
                f"with r as ({statement}) select to_jsonb(r) as row from r".encode()  # noqa: S608
            ).fetchall()
    except psycopg.Error as error:
        return error
    return [
        {name: value for name, value in row["row"].items() if not is_changing(name, value)}
        for row in rows
    ]


def is_changing(name: str, value: Any) -> bool:
    return name in CHANGING or (isinstance(value, dict) and "created_at" in value)
