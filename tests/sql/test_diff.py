"""`tenantry diff` shows what a database has beyond the migrations, without its tenants."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import psycopg
import pytest

from support.databases import complete_database
from tenantry_cli.emulator.components import Components
from tenantry_cli.emulator.diff import beyond_migrations
from tenantry_cli.emulator.postgres import Postgres
from tenantry_cli.errors import TenantryError
from tenantry_cli.project import find_project

ROOT = find_project().root
# A schema of the project's own, which is adopted in its database.
LEGACY = """
create schema legacy;
create table legacy.orders (id integer primary key);
"""


def test_difference_has_what_the_project_lacks_and_none_of_fifty_tenants(
    components: Components, server: Postgres, tmp_path: Path
) -> None:
    supabase = tmp_path / "supabase"
    shutil.copytree(ROOT / "supabase/migrations", supabase / "migrations")
    shutil.copy(ROOT / "supabase/config.toml", supabase)
    (supabase / "migrations/29990101000000_create_legacy.sql").write_text(LEGACY)
    with complete_database(server) as name:
        url = server.url(name)
        with psycopg.connect(url) as connection:
            for number in range(50):
                connection.execute("select public.create_tenant_schema(%s)", [f"shop_{number}"])
            connection.execute(LEGACY.encode())
            connection.execute("select tenancy.register_tenant_schema('legacy')")
            connection.execute("create table public.made_by_hand (id integer primary key)")
            connection.execute("create schema warehouse")
            connection.execute("create view warehouse.stock as select 1 as id")
            connection.execute("create table shop_7.made_by_a_tenant (id integer)")
        found = beyond_migrations(components, server, tmp_path, url)

    # All of them are in one of the two schemas, and Tenantry's own tables do not differ.
    assert re.findall(r"CREATE (?:SCHEMA|TABLE|VIEW) (\S+?);?\s", found) == [
        *('"warehouse"', '"public"."made_by_hand"', '"warehouse"."stock"'),
    ]
    assert not re.search("shop_|legacy", found)
    with psycopg.connect(server.admin_url()) as connection:
        left = "select from pg_database where datname ~ '^tenantry_rehearsal'"
        assert connection.execute(left).fetchall() == []


def test_migration_that_fails_is_named(
    components: Components, server: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("project")
    (root / "supabase" / "migrations").mkdir(parents=True)
    (root / "supabase" / "config.toml").touch()
    file = root / "supabase" / "migrations" / "20260101000000_broken.sql"
    file.write_text("create table public.fine ();\n\ncreate table public.fine ();\n")

    with pytest.raises(TenantryError, match=r"_broken\.sql:3: create table public\.fine"):
        beyond_migrations(components, server, root, server.url())
