"""`tenantry init` in projects of different shapes."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import psutil
import psycopg
import pytest

from support.own_project import OwnProject, record, run, succeed
from tenantry import __version__
from tenantry_cli.emulator.state import State, regular_file, write_state
from tenantry_cli.installation.own_objects import own_objects, pre_request_function
from tenantry_cli.project import Project, find_project

ROOT = find_project().root
BASELINE = f"tenantry_{__version__.replace('.', '_')}.sql"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnProject:
    project = OwnProject.create(tmp_path / "shop")
    monkeypatch.chdir(project.root)
    return project


def names(project: OwnProject) -> list[str]:
    """The names of the migrations, without their versions."""
    return [file.name.partition("_")[2] for file in project.migrations()]


def test_files_stand_behind_those_of_the_project(project: OwnProject) -> None:
    project.write(".gitignore", "node_modules")
    before = project.files()

    plan = succeed("init", "--dry-run")

    assert project.files() == before
    assert "3 migrations, the last one 20250301000000_check_requests.sql" in plan
    assert "PostgreSQL 17 (supabase/config.toml)" in plan

    succeed("init")

    after = project.files()
    added = [path for path in after if path not in before]
    (baseline,) = (path for path in added if path.endswith(BASELINE))
    assert added == [
        "functions/.gitignore",
        "functions/main.py",
        "functions/requirements.txt",
        baseline,
        "supabase/tenantry.json",
    ]
    assert project.migrations()[-1].name == Path(baseline).name
    assert (
        after[baseline]
        == next((ROOT / "supabase/migrations").glob(f"*_{BASELINE}")).read_text()
    )
    assert after["functions/requirements.txt"] == f"tenantry=={__version__}\n"
    assert after[".gitignore"] == "node_modules\n.tenantry/\n"
    assert {**before, ".gitignore": ""} == {
        **{path: after[path] for path in before},
        ".gitignore": "",
    }
    manifest = json.loads(after["supabase/tenantry.json"])
    assert manifest["release"] == __version__
    assert {*manifest["files"]} == {*added} - {"supabase/tenantry.json"}

    assert "Nothing was changed" in succeed("init")
    assert project.files() == after


def test_baseline_is_later_than_a_migration_of_the_future(project: OwnProject) -> None:
    project.write("supabase/migrations/29990101000000_create_future.sql", "select 1;")

    succeed("init")

    assert project.migrations()[-1].name == f"29990101000001_{BASELINE}"


def test_project_two_folders_down_is_found_from_within(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = OwnProject.create(tmp_path / "apps" / "backend")
    inside = project.root / "src" / "pages"
    inside.mkdir(parents=True)
    (tmp_path / "package.json").write_text("{}")
    monkeypatch.chdir(inside)

    succeed("init")

    assert names(project)[-1] == BASELINE
    assert {file.name for file in tmp_path.iterdir()} == {"apps", "package.json"}


def test_every_clash_is_named_before_anything_is_written(project: OwnProject) -> None:
    project.write(
        "supabase/migrations/20250401000000_create_companies.sql",
        """\ufeffCREATE TABLE IF NOT EXISTS "public"."tenants" (id uuid PRIMARY KEY);
        create table billing.admin_users (id uuid);
        create or replace function revoke_admin(user_id uuid) returns void
            language sql as $$ select $$;
        create schema tenancy;
        create view admin_audit_log as select 1;
        """,
    )
    project.replace("supabase/config.toml", "major_version = 17", "major_version = 14")
    before = project.files()

    refused = run("init")

    assert refused.exit_code == 1
    assert project.files() == before
    place = "(supabase/migrations/20250401000000_create_companies.sql)"
    assert re.findall(r"^  (.*)$", refused.output, re.MULTILINE) == [
        f"function public.revoke_admin {place}",
        f"index public.tenants_pkey {place}",
        f"schema tenancy {place}",
        f"table public.tenants {place}",
        f"view public.admin_audit_log {place}",
        "PostgreSQL 14 (supabase/config.toml); Tenantry needs 15",
    ]
    assert "Nothing was written." in refused.output

    # A rename, a drop or another schema is the way out.
    project.write(
        "supabase/migrations/20250501000000_rename_companies.sql",
        """
        alter table public.tenants rename to companies;
        alter function public.revoke_admin(uuid) set schema billing;
        drop view if exists public.admin_audit_log, public.orders_view cascade;
        drop schema tenancy;
        """,
    )
    project.replace("supabase/config.toml", "major_version = 14", "major_version = 15")
    # A table that was renamed keeps its index.
    assert f"\n  index public.tenants_pkey {place}\nTenantry" in run("init").output
    project.write(
        "supabase/migrations/20250601000000_rename_companies_key.sql",
        "alter table companies rename constraint tenants_pkey to companies_pkey;",
    )
    succeed("init")


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("create table a (t text default 'it''s; create table b ();');", ["a"]),
        (r"select E'\'; create table b();'; create table a ();", ["a"]),
        ("do $x$ create table b (); $$ create table c () $$ $x$; create table a ();", ["a"]),
        ('create table "A ""b" (); -- create table b ();', ['A "b']),
        ("create unlogged table a (); create temporary table b ();", ["a"]),
        (
            "create materialized view a as select; create foreign table b () server s;",
            ["a", "b"],
        ),
        ("create table a (); drop function a(int, int), b; ", ["a"]),
        ("create function a(x int) returns int return 1; drop function a(int);", []),
        ("create schema s; create table s.a (); drop schema if exists s cascade;", []),
        ("create table if not exists a (); alter table only a rename to b;", ["b"]),
        ("alter table a rename to b; create type c as enum ();", ["c"]),
        ("create unique index concurrently if not exists i on only a (b);", ["i"]),
        ("create index i on a (b); alter index i rename to j; create index on a (c);", ["j"]),
        ("create table a (id int primary key); drop index concurrently b;", ["a", "a_pkey"]),
        ("create table a (id int primary key); create index i on a (id); drop table a;", []),
        ("create table a (id int, constraint k primary key (id));", ["a", "k"]),
        (
            "create table a (id int primary key); alter table a rename to b;"
            "alter table b rename constraint a_pkey to b_pkey;",
            ["b", "b_pkey"],
        ),
    ],
)
def test_objects_of_a_file(tmp_path: Path, sql: str, found: list[str]) -> None:
    file = tmp_path / "1_a.sql"
    file.write_text(sql)
    assert [own.name for own in own_objects(tmp_path, [file])] == found


@pytest.mark.parametrize(
    ("sql", "function"),
    [
        ("alter role authenticator set pgrst.db_pre_request = 'public.check';", "public.check"),
        ("ALTER ROLE authenticator SET pgrst.db_pre_request TO 'check';", "check"),
        ("do $$ execute 'alter role a set pgrst.db_pre_request = ''b.c'''; $$", "b.c"),
        ("-- alter role authenticator set pgrst.db_pre_request = 'public.check';", None),
        (
            "alter role a set pgrst.db_pre_request = 'b';"
            "alter role a reset pgrst.db_pre_request;",
            None,
        ),
    ],
)
def test_pre_request_function_of_a_file(tmp_path: Path, sql: str, function: str | None) -> None:
    file = tmp_path / "1_a.sql"
    file.write_text(sql)
    assert pre_request_function([file]) == function


def test_names_and_settings_in_the_database_count(
    project: OwnProject, empty_project: str
) -> None:
    with psycopg.connect(empty_project) as session:
        for file in project.migrations():
            session.execute(file.read_bytes())
        session.execute("create table public.tenants (id uuid)")
        session.execute("create index tenants_schema_name_key on public.tenants (id)")
        session.execute("create function public.drop_table(text) returns int return 1")
        database = session.info.dbname
        setting = f"alter role authenticator in database {database} set pgrst.db_pre_request"
        session.execute(f"{setting} = 'public.check_request'".encode())

    refused = run("init", "--db-url", empty_project)

    assert refused.exit_code == 1
    assert re.findall(r"^  (.*)$", refused.output, re.MULTILINE) == [
        "function public.drop_table (in the database)",
        "index public.tenants_schema_name_key (in the database)",
        "table public.tenants (in the database)",
    ]
    with psycopg.connect(empty_project) as session:
        session.execute("drop table public.tenants; drop function public.drop_table(text)")
    plan = succeed("init", "--dry-run", "--db-url", empty_project)
    assert "(the database)" in plan
    assert "pre-request function public.check_request: goes on" in plan


def test_database_that_has_tenantry_from_elsewhere_is_refused(
    other_project: str, project: OwnProject
) -> None:
    before = project.files()

    refused = run("init", "--db-url", other_project)

    assert refused.exit_code == 1
    assert "The database has Tenantry already, and this project has not the" in refused.output
    assert project.files() == before


def test_exposed_schemas_stay_exposed_in_their_order(project: OwnProject) -> None:
    listed = '["public", "graphql_public"]'
    project.replace("supabase/config.toml", listed, '["api", "public", "reports"]')

    assert "exposed schemas api, reports: stay exposed" in succeed("init")

    assert names(project)[-2:] == [BASELINE, "expose_schemas.sql"]
    statements = project.migrations()[-1].read_text().splitlines()
    assert [line for line in statements if not line.startswith("--")] == [
        "select tenancy.expose_schema(n.nspname)",
        "from pg_catalog.pg_namespace n",
        "where n.nspname in ('api', 'reports')",
        "order by array_position(array['api', 'reports'], n.nspname::text);",
        "select tenancy.lock_exposure();",
        "select tenancy.set_exposed_schemas("
        "array['api'] || array_remove(tenancy.exposed_schemas(), 'api'))",
        "where 'api' = any (tenancy.exposed_schemas());",
    ]


def test_exposed_schema_that_does_not_exist_is_left_out(
    project: OwnProject, empty_project: str
) -> None:
    listed = '["public", "graphql_public"]'
    project.replace("supabase/config.toml", listed, '["missing", "public", "api"]')
    succeed("init")
    with psycopg.connect(empty_project, autocommit=True) as session:
        session.execute("create schema api")
        for file in project.migrations():
            session.execute(file.read_bytes())

        exposed = session.execute("select tenancy.exposed_schemas()").fetchone()

    assert exposed == (["public", "graphql_public", "api"],)


@pytest.mark.parametrize("name", ["notes_later.sql", "2026b_later.sql"])
def test_file_without_a_version_counts_for_nothing(project: OwnProject, name: str) -> None:
    project.write(f"supabase/migrations/{name}", "create table public.tenants ();")

    plan = succeed("init", "--dry-run")

    assert "3 migrations, the last one 20250301000000_check_requests.sql" in plan


def test_lost_manifest_is_written_again(project: OwnProject) -> None:
    succeed("init")
    complete = project.files()
    (project.root / "supabase/tenantry.json").unlink()

    assert "Writes:\n  supabase/tenantry.json\n" in succeed("init")

    assert project.files() == complete


def test_running_emulator_has_to_be_started_again(project: OwnProject) -> None:
    own = Project(project.root)
    started = psutil.Process().create_time()
    write_state(regular_file(own), State("run", 54321, os.getpid(), started, None))
    assert "or `tenantry down` and `tenantry up` on this machine." in succeed("init")
    for path in ("supabase/tenantry.json", ".tenantry/emulator.json"):
        (project.root / path).unlink()
    assert "or `tenantry up` on this machine." in succeed("init")


def test_project_that_hides_public_is_told(project: OwnProject) -> None:
    project.replace("supabase/config.toml", '["public", "graphql_public"]', '["api"]')

    assert "The Data API does not expose public now. It will" in succeed("init", "--dry-run")


def test_files_of_the_project_are_not_overwritten(project: OwnProject) -> None:
    project.write("functions/main.py", "def mine(request):\n    return {}\n")
    project.write("functions/requirements.txt", "flask\n")
    project.write(".gitignore", "/.tenantry\n")
    before = project.files()

    shown = succeed("init")

    assert before.items() <= project.files().items()
    assert "functions/main.py is yours. Add to it:\n    from tenantry.entry_points" in shown
    assert f"requirements.txt is yours. Add to it:\n    tenantry=={__version__}" in shown


def test_interrupted_run_is_completed_by_a_repeat(project: OwnProject) -> None:
    project.replace("supabase/config.toml", '["public", ', '["public", "api", ')
    before = project.files()
    succeed("init")
    complete = project.files()
    (baseline,) = (path for path in complete if path.endswith(BASELINE))
    (exposing,) = (path for path in complete if path.endswith("_expose_schemas.sql"))
    written = [
        baseline,
        exposing,
        "functions/main.py",
        "functions/requirements.txt",
        "functions/.gitignore",
        ".gitignore",
    ]
    assert {*before, *written, "supabase/tenantry.json"} == {*complete}

    for kept in range(1, len(written) + 1):
        for path in (*written[kept:], "supabase/tenantry.json"):
            (project.root / path).unlink(missing_ok=True)
        project.write("supabase/migrations/.tenantry-draft", "half a fi")
        succeed("init")
        repeated = project.files()
        if kept > 1:
            assert repeated == complete
        else:
            assert names(project)[-2:] == [BASELINE, "expose_schemas.sql"]
            complete = repeated
            written[1] = next(path for path in complete if path.endswith("_expose_schemas.sql"))


def test_bytes_that_are_no_text_stay(project: OwnProject) -> None:
    ignored = project.root / ".gitignore"
    ignored.write_bytes(b"caf\xe9\n")

    succeed("init")
    assert ignored.read_bytes() == b"caf\xe9\n.tenantry/\n"

    succeed("uninstall")
    assert ignored.read_bytes() == b"caf\xe9\n"


def test_changed_baseline_is_not_taken_for_ours(project: OwnProject) -> None:
    project.write(f"supabase/migrations/20250401000000_{BASELINE}", "select 1;")

    refused = run("init")

    assert refused.exit_code == 1
    assert (
        f"supabase/migrations/20250401000000_{BASELINE} is not the migration" in refused.output
    )


def test_clone_of_tenantry_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "sql")

    refused = run("init")

    assert refused.exit_code == 1
    assert refused.output.startswith(f"Error: {ROOT} is a clone of Tenantry itself.")
    assert not (ROOT / "supabase" / "tenantry.json").exists()


# The history of the Supabase CLI ------------------------------------------------------------


def test_files_stand_behind_what_a_database_has(
    project: OwnProject, empty_project: str
) -> None:
    """Somebody has pushed a file of another branch."""
    project.replace("supabase/config.toml", '["public", ', '["public", "api", ')
    with psycopg.connect(empty_project) as session:
        record(session, "29990101000000")

    succeed("init", "--db-url", empty_project)

    assert [file.name for file in project.migrations()[-2:]] == [
        f"29990101000001_{BASELINE}",
        "29990101000002_expose_schemas.sql",
    ]


def test_lost_manifest_of_a_pushed_project_is_written_again(
    project: OwnProject, empty_project: str
) -> None:
    setting = "alter role authenticator in database {} set pgrst.db_pre_request = 'public.{}'"
    with psycopg.connect(empty_project, autocommit=True) as session:
        for file in project.migrations():
            session.execute(file.read_bytes())
        name = session.info.dbname
        session.execute(setting.format(name, "check_request").encode())
        project.write(
            "supabase/migrations/20250401000000_set.sql", setting.format("x", "check_request")
        )
        succeed("init")
        complete = project.files()
        session.execute(project.migrations()[-1].read_bytes())
        record(session, *(file.name.split("_")[0] for file in project.migrations()))
    (project.root / "supabase/tenantry.json").unlink()

    shown = succeed("init", "--db-url", empty_project)

    assert "Writes:\n  supabase/tenantry.json\n" in shown
    # The setting of the database is Tenantry's by now.
    assert "pre-request function public.check_request: goes on" in shown
    assert project.files() == complete


def test_repeat_names_files_that_are_missing(project: OwnProject) -> None:
    succeed("init")
    assert "is missing" not in succeed("init")
    (project.root / "functions/main.py").unlink()

    assert "functions/main.py is missing: take it from your version" in succeed("init")


def test_repeat_names_a_missing_main_of_the_project(project: OwnProject) -> None:
    project.write("functions/main.py", "# Ours.\n")
    succeed("init")
    assert "is missing" not in succeed("init")
    (project.root / "functions/main.py").unlink()

    assert "functions/main.py is missing: take it from your version" in succeed("init")


def test_doctor_names_init_in_a_database_without_tenantry(empty_project: str) -> None:
    given = ("--url=http://127.0.0.1:1", "--anon-key=a", "--service-key=b")

    assert "Run `tenantry init` in" in run("doctor", "--db-url", empty_project, *given).output


def test_running_emulator_counts_without_being_given(
    project: OwnProject, empty_project: str
) -> None:
    own = Project(project.root)
    write_state(
        regular_file(own),
        State(
            run_id="",
            gateway_port=1,
            supervisor_pid=os.getpid(),
            supervisor_started=psutil.Process().create_time(),
            throw_away=None,
            connection={"DB_URL": empty_project},
        ),
    )
    with psycopg.connect(empty_project) as session:
        session.execute("create table public.tenants (id uuid)")

    refused = run("init")

    assert refused.exit_code == 1
    assert "table public.tenants (in the emulator)" in refused.output
    assert "in a new migration, push it, then run `tenantry init` again" in refused.output
    with psycopg.connect(empty_project) as session:
        session.execute("drop table public.tenants")
        record(session, "29990101000000")
    plan = succeed("init")
    assert "\n  looked into the running emulator\n" in plan
    # The hosted project may have another version.
    assert "PostgreSQL 17 (supabase/config.toml)" in plan
    assert project.migrations()[-1].name == f"29990101000001_{BASELINE}"

    # The emulator has what the project has lost.
    with psycopg.connect(empty_project, autocommit=True) as session:
        for file in project.migrations():
            session.execute(file.read_bytes())
    succeed("uninstall")
    assert "Push 29990101000002_remove_tenantry.sql first" in run("init").output
    for file in project.migrations()[-2:]:
        file.unlink()
    assert "or empty the emulator: `tenantry reset`" in run("init").output


def test_first_schema_of_the_list_stays_the_first(project: OwnProject) -> None:
    project.replace("supabase/config.toml", '["public", ', '["public", "o\'hara", ')

    succeed("init")

    assert names(project)[-1] == "expose_schemas.sql"
    statements = project.migrations()[-1].read_text()
    assert "where n.nspname in ('o''hara')\n" in statements
    assert "set_exposed_schemas" not in statements


@pytest.mark.parametrize(
    ("kept", "shown"),
    [
        (0, "\n  no migrations\n"),
        (1, "\n  1 migration, the last one"),
        (3, "3 migrations, the last"),
    ],
)
def test_migrations_of_the_project_are_counted(
    project: OwnProject, kept: int, shown: str
) -> None:
    for file in project.migrations()[kept:]:
        file.unlink()

    assert shown in succeed("init", "--dry-run")


# Files of the project ------------------------------------------------------------------------


def test_file_of_the_project_with_the_name_of_ours_is_another_one(project: OwnProject) -> None:
    project.replace("supabase/config.toml", '["public", ', '["public", "api", ')
    own = "supabase/migrations/20250401000000_expose_schemas.sql"
    project.write(own, "select 1;")

    succeed("init")

    assert names(project)[-2:] == [BASELINE, "expose_schemas.sql"]
    assert own not in (project.root / "supabase/tenantry.json").read_text()


def test_lines_that_files_of_the_project_have_are_not_asked_for(project: OwnProject) -> None:
    succeed("init")
    main = project.files()["functions/main.py"]
    (project.root / "supabase/tenantry.json").unlink()
    project.write("functions/requirements.txt", f"flask\ntenantry=={__version__}\n")

    project.write("functions/main.py", f"import mine\n{main}")
    shown = succeed("init", "--dry-run")
    assert "is yours" not in shown
    assert "functions/requirements.txt" not in shown

    first, *others = main.splitlines()
    project.write("functions/main.py", f"{first}\n")
    asked = "".join(f"\n    {line}" for line in others if line not in first)
    assert f"functions/main.py is yours. Add to it:{asked}\n" in succeed("init", "--dry-run")


def test_name_in_a_file_and_in_the_database_is_named_once(
    project: OwnProject, empty_project: str
) -> None:
    with psycopg.connect(empty_project) as session:
        session.execute("create table public.tenants ()")
    place = "supabase/migrations/20250401000000_create_tenants.sql"
    project.write(place, "create table public.tenants ();")

    refused = run("init", "--db-url", empty_project)

    assert re.findall(r"^  (.*)$", refused.output, re.MULTILINE) == [
        f"table public.tenants ({place})"
    ]


def test_link_in_the_project_stays_a_link(project: OwnProject) -> None:
    project.write("shared/ignored", "node_modules\n")
    (project.root / ".gitignore").symlink_to("shared/ignored")

    succeed("init")

    assert (project.root / ".gitignore").is_symlink()
    assert project.files()["shared/ignored"] == "node_modules\n.tenantry/\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "supabase/tenantry.json is damaged: take it from your version control"),
        ('{"name": "shop"}', "supabase/tenantry.json is damaged"),
        ('{"release": "next"}', '"next" is not a release, such as'),
    ],
)
def test_damaged_manifest_is_named(project: OwnProject, text: str, message: str) -> None:
    project.write("supabase/tenantry.json", text)

    for command in ("init", "upgrade", "uninstall"):
        refused = run(command)
        assert refused.exit_code == 1
        assert message in refused.output
