"""`tenantry uninstall`: the files, and the migration that removes the objects."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from support.catalog import KINDS, Facts, facts
from support.own_project import OwnProject, record, run, succeed
from tenantry_cli.emulator.stack import erase_database
from tenantry_cli.project import Project

# What a project may have in its database, also beside Tenantry.
SCHEMAS = ("public", "api", "auth", "tenancy", "tenant_template")
# These read tables of Tenantry.
OURS = {"tenant migrations", "template objects"}
API = """
create schema api;
create table public.products (id bigint primary key);
-- A name of the project's own, which looks like one of Tenantry's.
create function public.count_open() returns bigint language plpgsql as $$
begin
    return (select count(*) from public.products tenancy where tenancy.status);
end;
$$;
"""


def facts_of(session: psycopg.Connection) -> dict[str, Facts]:
    query = "select nspname from pg_namespace where nspname = any (%s)"
    present = [name for (name,) in session.execute(query, [list(SCHEMAS)])]
    with session.transaction():
        return {kind: facts(session, kind, present) for kind in KINDS if kind not in OURS}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnProject:
    project = OwnProject.create(tmp_path / "shop")
    project.replace("supabase/config.toml", '["public", ', '["public", "api", ')
    project.write("supabase/migrations/20250401000000_create_api.sql", API)
    monkeypatch.chdir(project.root)
    return project


@pytest.fixture
def session(empty_project: str) -> Iterator[psycopg.Connection]:
    """A session in a database that has the project's own migrations."""
    with psycopg.connect(empty_project, autocommit=True) as session:
        yield session


def apply(session: psycopg.Connection, *files: Path) -> None:
    """Each file in one transaction, as a push applies it."""
    for file in files:
        session.execute(file.read_bytes())


def installed(project: OwnProject, session: psycopg.Connection, *own: str) -> Path:
    """The removal, after Tenantry has been pushed and the statements have been run."""
    before = project.migrations()
    apply(session, *before)
    succeed("init")
    apply(session, *(file for file in project.migrations() if file not in before))
    for statement in own:
        session.execute(statement.encode())
    succeed("uninstall")
    removal = project.migrations()[-1]
    assert removal.name.endswith("_remove_tenantry.sql")
    return removal


def set_pre_request(session: psycopg.Connection, name: str) -> None:
    session.execute(
        sql.SQL("alter role authenticator in database {} set pgrst.db_pre_request = {}").format(
            sql.Identifier(session.info.dbname), name
        )
    )


@pytest.mark.parametrize("pre_request", [None, "public.check_request"])
def test_database_is_as_before_the_baseline(
    project: OwnProject, session: psycopg.Connection, pre_request: str | None
) -> None:
    own = project.migrations()
    apply(session, *own)
    if pre_request:
        set_pre_request(session, pre_request)
    before = facts_of(session)
    succeed("init")
    apply(session, *(file for file in project.migrations() if file not in own))
    assert facts_of(session) != before
    session.execute("select tenancy.share_table('public.products')")
    session.execute("select public.create_tenant_schema('acme', 'Acme')")
    session.execute("select public.suspend_tenant('acme')")
    session.execute("select public.delete_tenant_schema('acme')")
    succeed("uninstall")

    apply(session, project.migrations()[-1])

    after = facts_of(session)
    assert {
        kind: after[kind] ^ before[kind] for kind in before if after[kind] != before[kind]
    } == {}

    # And again: what was removed is no obstacle.
    succeed("init")
    count = len([file for file in project.migrations() if file not in own])
    assert count == 5
    apply(session, *project.migrations()[-2:])
    assert facts_of(session) != before


def test_removal_is_refused_while_a_tenant_exists(
    project: OwnProject, session: psycopg.Connection
) -> None:
    removal = installed(project, session, "select public.create_tenant_schema('acme', 'Acme')")
    before = facts_of(session)

    with pytest.raises(
        psycopg.errors.RaiseException, match=r"exist \(1\), such as acme\. Back"
    ):
        apply(session, removal)

    assert facts_of(session) == before


def test_tenants_in_a_given_database_are_an_obstacle_at_once(
    other_project: str, project: OwnProject
) -> None:
    succeed("init")
    before = project.files()
    with psycopg.connect(other_project) as session:
        session.execute("select public.create_tenant_schema('acme', 'Acme')")

    refused = run("uninstall", "--db-url", other_project)

    assert refused.exit_code == 1
    assert "The database has 1 tenant, such as acme." in refused.output
    assert project.files() == before


# Objects of the project, and how the refusal names them.
DEPENDENT = [
    ("create view public.names as select schema_name from public.tenants", "view names"),
    (
        "create table public.grants (level tenancy.access_level)",
        "column level of table grants",
    ),
    (
        "create function public.found() returns void language plpgsql as"
        " $$ begin perform tenancy.as_owner('create_tenant_schema', '{}'); end $$",
        "function found()",
    ),
    (
        "create function public.found() returns trigger language plpgsql as"
        " $$ begin perform public.grant_schema_access('a', new.id, 'read'); end $$",
        "function found()",
    ),
    (
        "create table public.notes (tenant_id uuid"
        " constraint tenant references public.tenants)",
        "constraint tenant on table notes",
    ),
]


def test_removal_names_what_depends_on_tenantry(
    project: OwnProject, session: psycopg.Connection
) -> None:
    removal = installed(project, session)

    for own, named in DEPENDENT:
        with session.transaction(force_rollback=True):
            session.execute(own.encode())
            with pytest.raises(
                psycopg.errors.RaiseException, match="depend on Tenantry: "
            ) as refused:
                apply(session, removal)

        assert f"depend on Tenantry: {named}. Drop" in str(refused.value)


def test_only_unchanged_files_are_removed(project: OwnProject) -> None:
    project.write(".gitignore", "node_modules\n")
    before = project.files()
    succeed("init")
    succeed("new", "add_parts")
    (made,) = project.root.glob("supabase/migrations/*_add_parts.sql")
    made.unlink()
    project.write("supabase/migrations/.tenantry-draft", "of an interrupted run")
    project.write("functions/main.py", "changed = True\n")
    (project.root / ".tenantry").mkdir()
    installed = project.files()

    plan = succeed("uninstall", "--dry-run")

    assert project.files() == installed
    assert "functions/main.py stays: it was changed since." in plan
    assert "tenantry_0_1_0.sql stays: a push stops where" in plan
    assert "the line .tenantry/ in .gitignore" in plan
    assert ".tenantry/ stays: it has" in plan

    succeed("uninstall")

    after = project.files()
    assert before.items() <= after.items()
    assert [path.partition("_")[2] or path for path in after if path not in before] == [
        "functions/main.py",
        "tenantry_0_1_0.sql",
        "expose_schemas.sql",
        "remove_tenantry.sql",
    ]
    assert run("uninstall").exit_code == 1
    assert "has no migration of Tenantry's" in run("new", "add_parts").output
    assert project.files() == after


def test_folders_with_the_keys_and_the_database_are_named(project: OwnProject) -> None:
    succeed("init")
    # As root, PostgreSQL's own user cannot reach the project. The folder is made at the start.
    project.root.chmod(0o700)
    erase_database(Project(project.root))
    folder = Project(project.root).database_of_root
    try:
        plan = succeed("uninstall", "--dry-run")
    finally:
        if folder.exists():
            folder.rmdir()

    database = f"{folder} stays: it has the emulator's database. Delete both"
    assert (database in plan) == (os.geteuid() == 0)
    assert (".tenantry/ stays: it has the emulator's keys." in plan) == (os.geteuid() == 0)


@pytest.mark.parametrize("before", [b"node_modules/\r\n.env\r\n", b"a\x0cb\n\xe9\n"])
def test_other_lines_of_a_file_stay_to_the_byte(project: OwnProject, before: bytes) -> None:
    ignored = project.root / ".gitignore"
    ignored.write_bytes(before)
    line_break = b"\r\n" if b"\r" in before else b"\n"

    succeed("init")
    assert ignored.read_bytes() == before + b".tenantry/" + line_break

    succeed("uninstall")
    assert ignored.read_bytes() == before


def test_folder_of_functions_that_is_a_link_stays(project: OwnProject, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (project.root / "functions").symlink_to(elsewhere)

    succeed("init")
    assert (elsewhere / "main.py").exists()
    succeed("uninstall")

    assert (project.root / "functions").is_symlink()
    assert [*elsewhere.iterdir()] == []
    assert not (project.root / "supabase" / "tenantry.json").exists()


def test_interrupted_run_is_completed_by_a_repeat(project: OwnProject) -> None:
    succeed("init")
    manifest = (project.root / "supabase/tenantry.json").read_text()
    # Python caches the module that it has loaded.
    project.write("functions/__pycache__/main.cpython-311.pyc", "")
    succeed("uninstall")
    complete = project.files()
    assert not (project.root / "functions").exists()

    # Of everything, only the last step is missing.
    project.write("supabase/tenantry.json", manifest)
    succeed("uninstall")

    assert project.files() == complete


def test_file_that_is_gone_is_no_obstacle(project: OwnProject) -> None:
    succeed("init")
    (project.root / "functions/main.py").unlink()
    (project.root / ".gitignore").unlink()

    assert "functions/main.py stays" not in succeed("uninstall", "--dry-run")
    succeed("uninstall")

    assert not (project.root / "functions").exists()


def test_file_that_has_nothing_but_our_line_is_removed(project: OwnProject) -> None:
    before = {*project.files()}
    succeed("init")
    assert ".gitignore" in project.files()

    succeed("uninstall")

    assert ".gitignore" not in project.files()
    assert before <= {*project.files()}


def test_draft_stands_behind_what_a_database_has(
    project: OwnProject, session: psycopg.Connection
) -> None:
    succeed("init")
    record(session, "29990101000000")
    url = f"postgresql://postgres:{session.info.password}@127.0.0.1:{session.info.port}"

    succeed("uninstall", "--db-url", f"{url}/{session.info.dbname}")

    assert project.migrations()[-1].name == "29990101000001_remove_tenantry.sql"
