"""Own objects that conflict with a migration: it succeeds, or fails in that tenant only."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from support.fleet import Fleet, ServedFleet

# Calls of a tenant's admin. {} is the name of the migration's table.
TABLE = {"columns": [{"name": "title", "type": "text"}]}
CONFLICTS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "a table of the same name": [("create_table", {"table_name": "{}"} | TABLE)],
    "a table named like its key": [("create_table", {"table_name": "{}_pkey"} | TABLE)],
    "a table named like its index": [("create_table", {"table_name": "{}_total_idx"} | TABLE)],
    "a table named like its sequence": [("create_table", {"table_name": "{}_id_seq"} | TABLE)],
    "a table named like its type": [("create_table", {"table_name": "{}_kind"} | TABLE)],
    "a table named like its view": [("create_table", {"table_name": "{}_sums"} | TABLE)],
    "a table named like a routine": [
        ("create_table", {"table_name": "current_schema"} | TABLE)
    ],
    "a key to users": [
        (
            "create_table",
            {"table_name": "notes", "columns": [{"name": "author", "type": "uuid"}]},
        ),
        (
            "add_foreign_key",
            {
                "table_name": "notes",
                "column_name": "author",
                "foreign_table": "users",
                "foreign_column": "id",
            },
        ),
    ],
    "a column in users": [
        (
            "add_column",
            {"table_name": "users", "column_name": "x_phone", "column_type": "text"},
        )
    ],
    "a default in settings": [
        (
            "add_column",
            {
                "table_name": "settings",
                "column_name": "x_key",
                "column_type": "uuid",
                "is_nullable": False,
                "default_expression": "gen_random_uuid()",
            },
        )
    ],
}
MIGRATIONS = {
    "plain": "create table {0} (id bigint primary key generated always as identity,"
    " total numeric, by uuid references users (id)); create index on {0} (total);"
    " create type {0}_kind as enum ('a'); alter table {0} add column kind {0}_kind;"
    " create view {0}_sums with (security_invoker) as select sum(total) from {0};"
    " alter table users add column phone_{0} text default 'x';",
    "careless": "create table if not exists {0} (id bigint primary key, total numeric);"
    " alter table users add column if not exists phone_{0} text;"
    " create index if not exists {0}_total_idx on {0} (total);"
    " alter table users rename column display_name to name_{0};"
    " alter table users rename column name_{0} to display_name;",
    "destructive": "drop table if exists {0}, notes cascade;"
    " create table {0} (id bigint primary key);",
}
# Own objects that conflict with none of the migrations.
WITHOUT_CONFLICT = {"a column in users", "a default in settings"}


@pytest.mark.parametrize("style", MIGRATIONS)
def test_conflicting_tenant_is_migrated_or_stays_unchanged(fleet: Fleet, style: str) -> None:
    table = fleet.table()
    tenants = {}
    for conflict, calls in CONFLICTS.items():
        tenant = tenants[conflict] = fleet.tenant()
        admin = fleet.member(tenant, "admin")
        for operation, arguments in calls:
            given = {
                key: value.format(table) if isinstance(value, str) else value
                for key, value in arguments.items()
            }
            try:
                fleet.query_as(admin, operation, schema_name=tenant, **given)
            except psycopg.Error as refused:
                # A name that is refused at once cannot conflict later.
                if refused.sqlstate != "PT400":
                    raise
    other = fleet.tenant()
    version = fleet.register(MIGRATIONS[style].format(table))

    outcomes = {}
    for conflict, tenant in tenants.items():
        before = fleet.objects(tenant)
        result = fleet.migrate(tenant)
        outcomes[conflict] = result["outcome"]
        drift = fleet.drift(tenant)
        if result["outcome"] == "failed":
            assert result["message"]
            assert fleet.objects(tenant) == before
            [missing] = drift
            assert (missing["object_kind"], missing["object_name"]) == ("migration", version)
        else:
            assert drift == []
            assert fleet.versions()[tenant] == version
            kept = [found for found in before if found[3]]
            assert [found for found in fleet.objects(tenant) if found[3]] == kept

    assert {outcomes[conflict] for conflict in WITHOUT_CONFLICT} == {"migrated"}
    assert outcomes["a table of the same name"] == "failed"
    assert outcomes["a key to users"] == ("failed" if style == "destructive" else "migrated")
    assert fleet.migrate(other)["outcome"] == "migrated"


def test_tenant_is_migrated_after_its_admin_drops_the_conflicting_table(
    served: ServedFleet,
) -> None:
    tenant, table = served.tenant(), served.table()
    admin, name = served.member(tenant, "admin"), {"schema_name": tenant, "table_name": table}
    served.rpc(admin, "create_table", **name, **TABLE).raise_for_status()
    served.register(f"create table {table} (id bigint primary key)")
    assert served.migrate(tenant)["sqlstate"] == "42P07"

    served.rpc(admin, "drop_table", **name).raise_for_status()

    assert served.migrate(tenant)["outcome"] == "migrated"
    # The table now belongs to the template.
    refused = served.rpc(admin, "drop_table", **name)
    assert (refused.status_code, refused.json()["details"]) == (409, "protected_table")


def test_dropped_template_table_is_protected_until_the_tenant_is_migrated(
    served: ServedFleet,
) -> None:
    tenant, table = served.tenant(), served.table()
    admin, name = served.member(tenant, "admin"), {"schema_name": tenant, "table_name": table}
    served.register(f"create table {table} (id bigint primary key)")
    served.migrate(tenant)
    served.register(f"drop table {table}")

    refused = served.rpc(admin, "drop_table", **name)

    assert (refused.status_code, refused.json()["details"]) == (409, "protected_table")
    assert served.migrate(tenant)["outcome"] == "migrated"
    served.rpc(admin, "create_table", **name, **TABLE).raise_for_status()
    served.rpc(admin, "drop_table", **name).raise_for_status()
