"""An upgraded database equals a new one, from every released version on.

In addition to the released versions, the test uses an artificial release: a copy of this
project in which the present baseline counts as released and `sql/` has later changes.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import scalar_row

from support.catalog import SCHEMAS, catalog_differences
from tenantry_cli.draft import draft_statements
from tenantry_cli.emulator.components import Components
from tenantry_cli.emulator.supabase_cli import push_migrations, quiet_environment
from tenantry_cli.generate.command import generated_files
from tenantry_cli.migration_files import (
    changed_releases,
    checksum,
    next_migration_version,
    released_checksums,
)
from tenantry_cli.project import Project, find_project
from tenantry_cli.sources import build_database

ARTIFICIAL = "artificial"
USER = "3f2a7c1e-5b90-4d86-9e41-8c7d6f5a4b32"
SUSPENDED = "bolt"
TENANTS = ("acme", SUSPENDED)
# The only columns of a tenant's registry row that the upgrade may change.
ADVANCED = {"schema_version", "updated_at"}

Rows = dict[str, list[dict[str, Any]]]


# The artificial release ---------------------------------------------------------------------


def copied_project(directory: Path) -> Project:
    for name in ("sql", "supabase"):
        shutil.copytree(find_project().root / name, directory / name)
    return Project(directory)


def release_latest(project: Project) -> str:
    """Declares the latest migration released, and returns its name."""
    latest = max(project.migrations.glob("*.sql"))
    with (project.migrations.parent / "released.sha256").open("a") as releases:
        releases.write(f"{checksum(latest)}  {latest.name}\n")
    return latest.name


def edit(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))


def change_sources(project: Project) -> None:
    """Makes one change of each kind that a later version may have."""
    sources = project.root / "sql"
    edit(
        sources / "20_tenancy/migrations/latest_tenant_version.sql",
        "limit 1;",
        "fetch first row only;",
    )
    tenants = sources / "10_tables/tenants.sql"
    last_column = "    updated_at timestamptz not null default now(),\n"
    edit(tenants, last_column, f"{last_column}    region text,\n")
    with tenants.open("a") as text:
        text.write("comment on column public.tenants.region is 'Where its users are.';\n")
    (sources / "20_tenancy/tenants/tenants_in_region.sql").write_text("""\
create function tenancy.tenants_in_region(region text)
    returns setof public.tenants
    stable
    security definer
    set search_path = ''
    language sql
as $$
    select t.* from public.tenants t where t.region = tenants_in_region.region;
$$;

comment on function tenancy.tenants_in_region(text) is 'Tenants of a region.';
""")
    (sources / "91_later_privileges.sql").write_text("""\
grant execute on function tenancy.tenants_in_region(text) to service_role;
revoke select on table public.admin_users from service_role;
""")
    (sources / "25_tenant_template/tenantry_0002_labels.sql").write_text("""\
select tenancy.add_tenant_migration('tenantry_0002', 'labels', $tenant$
    create table labels (name text primary key);
    alter table users add column label text references labels (name);
    comment on column users.label is 'How the tenant sorts its users.';
    insert into labels values ('none');
    update users set label = 'none';
$tenant$);
""")


def write_upgrade(project: Project, draft: str) -> None:
    """Completes the draft as `tenantry draft` requests."""
    statements = re.split(r"(?<=;)\n\n(?=[A-Z])", draft)
    # A tenant migration makes the changes of tenant_template.
    kept = [each for each in statements if "tenant_template" not in each]
    assert len(kept) < len(statements)
    registration = project.root / "sql/25_tenant_template/tenantry_0002_labels.sql"
    version = next_migration_version(project)
    (project.migrations / f"{version}_tenantry_0_1_1.sql").write_text(
        "\n\n".join([*kept, registration.read_text()])
    )


# Upgrading ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Upgrade:
    # A database of the released version whose tenants hold data, upgraded and migrated.
    upgraded: str
    # A database built from `sql/`, in which the same tenants were created.
    new: str
    # The rows of the first database before the upgrade.
    before: Rows


@pytest.fixture(params=[*released_checksums(find_project()), ARTIFICIAL])
def upgrade(
    request: pytest.FixtureRequest,
    components: Components,
    empty: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Upgrade:
    project = copied_project(tmp_path_factory.mktemp("project"))
    environment = quiet_environment(str(tmp_path_factory.mktemp("supabase")))
    later = tmp_path_factory.mktemp("later")
    released = release_latest(project) if request.param == ARTIFICIAL else request.param
    upgraded, new = empty(), empty()

    def push() -> None:
        push_migrations(components, root=project.root, database_url=upgraded, env=environment)

    for file in project.migrations.glob("*.sql"):
        if file.name > released:
            shutil.move(file, later)
    push()
    for file in later.iterdir():
        shutil.move(file, project.migrations)
    if request.param == ARTIFICIAL:
        change_sources(project)
        write_upgrade(project, draft_statements(project, components, upgraded, new))
    else:
        build_database(project, new)
    with psycopg.connect(upgraded, autocommit=True) as database:
        create_tenants(database)
        before = all_rows(database)
    push()
    with psycopg.connect(upgraded, autocommit=True) as database:
        for tenant in TENANTS:
            migrate(database, tenant)
        database.execute("select public.create_tenant_schema('fresh')")
    with psycopg.connect(new, autocommit=True) as database:
        create_tenants(database)
        database.execute("select public.create_tenant_schema('fresh')")
    return Upgrade(upgraded, new, before)


def create_tenants(database: psycopg.Connection) -> None:
    database.execute(
        "insert into auth.users (id, email, aud, role)"
        " values (%s, 'ann@example.com', 'authenticated', 'authenticated')",
        (USER,),
    )
    database.execute("select public.promote_to_admin(%s, 'super_admin')", (USER,))
    for tenant in TENANTS:
        database.execute("select public.create_tenant_schema(%s)", (tenant,))
        database.execute("select public.grant_schema_access(%s, %s, 'admin')", (tenant, USER))
        database.execute("select public.create_user_profile(%s, %s)", (tenant, USER))
        database.execute(
            "select public.create_table(%s, 'notes', %s)",
            (tenant, '[{"name": "id", "type": "bigint", "primary_key": true}]'),
        )
        for statement in (
            "insert into {}.settings (key, value) values ('colour', '\"blue\"'), ('size', '3')",
            "update {}.settings set value = '4' where key = 'size'",
            "insert into {}.notes values (1), (2)",
        ):
            database.execute(sql.SQL(statement).format(sql.Identifier(tenant)))
    database.execute("select public.suspend_tenant(%s, 'unpaid')", (SUSPENDED,))


def migrate(database: psycopg.Connection, tenant: str) -> None:
    pending = 1
    while pending:
        row = database.execute(
            "select m.outcome::text, m.pending, m.message from public.migrate_tenant(%s) m",
            (tenant,),
        ).fetchone()
        assert row is not None
        outcome, pending, message = row
        assert outcome in ("migrated", "up_to_date"), message


def all_rows(database: psycopg.Connection) -> Rows:
    """The rows of the registry and of the tenants, by table."""
    tables = [
        *(
            ("public", table)
            for table in ("tenants", "admin_users", "user_schema_access", "admin_audit_log")
        ),
        *(
            (tenant, table)
            for tenant in TENANTS
            for table in ("settings", "users", "notes", "audit_log")
        ),
    ]
    with database.cursor(row_factory=scalar_row) as cursor:
        return {
            ".".join(table): cursor.execute(
                sql.SQL("select to_jsonb(t) from {} t").format(sql.Identifier(*table))
            ).fetchall()
            for table in tables
        }


# A single test, because each worker of pytest-xdist would repeat the upgrade.
def test_upgraded_database_equals_a_new_one_and_keeps_its_rows(upgrade: Upgrade) -> None:
    schemas = (*SCHEMAS, *TENANTS, "fresh")
    with psycopg.connect(upgrade.upgraded) as upgraded, psycopg.connect(upgrade.new) as new:
        # The comparison includes the upgraded tenants and the new tenants.
        assert catalog_differences(upgraded, new, schemas) == {}
        for tenant in (*TENANTS, "fresh"):
            drift = upgraded.execute("select * from public.get_schema_drift(%s)", (tenant,))
            assert drift.fetchall() == [], tenant
        tenants = upgraded.execute(
            "select t.schema_name, t.status::text,"
            " t.schema_version = tenancy.latest_tenant_version()"
            " from public.tenants t order by 1"
        )
        assert tenants.fetchall() == [
            ("acme", "active", True),
            ("bolt", "suspended", True),
            ("fresh", "active", True),
        ]
        assert_rows_are_kept(upgrade.before, all_rows(upgraded))


def assert_rows_are_kept(before: Rows, after: Rows) -> None:
    assert all(before.values())
    for table, rows in before.items():
        for row in rows:
            if table == "public.tenants":
                row = {name: value for name, value in row.items() if name not in ADVANCED}
            # An upgraded row may have more columns.
            kept = [found for found in after[table] if row.items() <= found.items()]
            assert len(kept) == 1, (table, row)
        if table.endswith((".settings", ".users", ".notes")):
            assert len(after[table]) == len(rows)


# Released files -----------------------------------------------------------------------------


def test_no_released_file_has_changed() -> None:
    assert changed_releases(find_project()) == []


def test_changed_or_missing_released_file_is_found(tmp_path: Path) -> None:
    project = copied_project(tmp_path)
    released = release_latest(project)
    assert changed_releases(project) == []

    with (project.migrations / released).open("a") as file:
        file.write("-- One more line.\n")
    assert changed_releases(project) == [released]

    (project.migrations / released).unlink()
    assert changed_releases(project) == [released]


def test_released_baseline_is_not_generated_again(tmp_path: Path) -> None:
    project = copied_project(tmp_path)
    baseline = max(project.migrations.glob("*.sql"))
    assert baseline in generated_files(project)

    release_latest(project)

    assert baseline not in generated_files(project)
