"""`tenantry upgrade` to an artificial release, 0.1.1."""

from __future__ import annotations

import json
import re
from pathlib import Path

import psycopg
import pytest

from support.artificial_release import NEWER, UPGRADE, UPGRADE_FILE, ArtificialRelease
from support.own_project import OwnProject, record, run, succeed
from tenantry import __version__


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> ArtificialRelease:
    return ArtificialRelease.create(tmp_path_factory.mktemp("newer"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnProject:
    """A project with the present release, and a migration that was written afterwards."""
    project = OwnProject.create(tmp_path / "shop")
    monkeypatch.chdir(project.root)
    succeed("init")
    project.write("supabase/migrations/29990101000000_add_notes.sql", "create table notes ();")
    return project


def test_new_migrations_stand_behind_those_of_the_project(
    project: OwnProject, newer: ArtificialRelease
) -> None:
    before = project.files()
    plan = newer.succeed(project, "upgrade", "--dry-run")
    assert project.files() == before
    assert (
        f"Writes:\n  supabase/migrations/29990101000001_{UPGRADE_FILE}\n"
        "  functions/requirements.txt\n  supabase/tenantry.json\n" in plan
    )
    assert "- `count_tenants` counts." in plan
    assert "The first release" not in plan
    assert "Not yet" not in plan

    newer.succeed(project, "upgrade")

    after = project.files()
    assert [path for path in after if path not in before] == [
        f"supabase/migrations/29990101000001_{UPGRADE_FILE}"
    ]
    assert after[f"supabase/migrations/29990101000001_{UPGRADE_FILE}"] == UPGRADE
    assert after["functions/requirements.txt"] == f"tenantry=={NEWER}\n"
    assert json.loads(after["supabase/tenantry.json"])["release"] == NEWER
    assert "Nothing was changed" in newer.succeed(project, "upgrade")
    assert "Nothing was changed" in newer.succeed(project, "init")
    assert project.files() == after


def test_interrupted_upgrade_is_completed_by_a_repeat(
    project: OwnProject, newer: ArtificialRelease
) -> None:
    before = (project.root / "supabase/tenantry.json").read_text()
    newer.succeed(project, "upgrade")
    complete = project.files()

    for requirements in (f"tenantry=={NEWER}\n", f"tenantry=={__version__}\n"):
        project.write("supabase/tenantry.json", before)
        project.write("functions/requirements.txt", requirements)
        newer.succeed(project, "upgrade")
        assert project.files() == complete


def test_init_of_a_newer_release_asks_for_the_upgrade(
    project: OwnProject, newer: ArtificialRelease
) -> None:
    refused = newer.run(project, "init")

    assert refused.returncode == 1
    assert f"has Tenantry {__version__}, and {NEWER} is installed. Run `tenantry upgrade`" in (
        refused.stderr
    )


def test_older_release_is_refused(project: OwnProject, newer: ArtificialRelease) -> None:
    newer.succeed(project, "upgrade")
    before = project.files()

    for command in ("upgrade", "uninstall"):
        refused = run(command)
        assert refused.exit_code == 1
        assert f"supabase/tenantry.json has {NEWER}. Install that release: pip install" in (
            refused.output
        )

    assert project.files() == before


def test_release_older_than_the_database_is_refused(
    project: OwnProject, empty_project: str
) -> None:
    with psycopg.connect(empty_project) as session:
        session.execute("create schema tenancy")
        session.execute(
            f"create function tenancy.release() returns text language sql return '{NEWER}'"
        )

    refused = run("upgrade", "--db-url", empty_project)

    assert refused.exit_code == 1
    assert f"the database has {NEWER}. Install that release" in refused.output


def test_pin_in_requirements_of_the_project_is_replaced(
    project: OwnProject, newer: ArtificialRelease
) -> None:
    lines = "flask\ntenantry == {0}  # ours\ntenantry[local]=={0}\n"
    project.write("functions/requirements.txt", lines.format(__version__))

    newer.succeed(project, "upgrade")

    pinned = (project.root / "functions/requirements.txt").read_text()
    assert pinned == lines.replace(" == ", "==").format(NEWER)


def test_name_that_the_new_release_needs_is_a_clash(
    project: OwnProject, newer: ArtificialRelease
) -> None:
    project.write(
        "supabase/migrations/20260101000000_count.sql",
        "create function count_tenants() returns int language sql return 1;",
    )
    before = project.files()

    refused = newer.run(project, "upgrade")

    assert refused.returncode == 1
    assert "  function public.count_tenants (supabase/migrations/20260101000000_count.sql)" in (
        refused.stderr
    )
    assert project.files() == before


def test_names_and_versions_in_the_database_count(
    project: OwnProject, newer: ArtificialRelease, empty_project: str
) -> None:
    with psycopg.connect(empty_project, autocommit=True) as session:
        # A database that has nothing yet.
        newer.succeed(project, "upgrade", "--dry-run", "--db-url", empty_project)
        for file in project.migrations():
            session.execute(file.read_bytes())
        versions = (file.name.split("_")[0] for file in project.migrations())
        record(session, *versions, "29990401000000")
        session.execute("create function public.count_tenants() returns int return 1")

        refused = newer.run(project, "upgrade", "--db-url", empty_project)

        assert refused.returncode == 1
        assert re.findall(r"^  (.*)$", refused.stderr, re.MULTILINE) == [
            "function public.count_tenants (in the database)"
        ]
        session.execute("drop function public.count_tenants()")
    newer.succeed(project, "upgrade", "--db-url", empty_project)
    assert project.migrations()[-1].name == f"29990401000001_{UPGRADE_FILE}"


def test_removal_by_a_newer_release_names_what_the_project_has(
    project: OwnProject, newer: ArtificialRelease
) -> None:
    newer.succeed(project, "uninstall")

    removal = project.migrations()[-1].read_text()
    assert "public.suspend_tenant" in removal
    assert "count_tenants" not in removal


def test_project_without_tenantry_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(OwnProject.create(tmp_path).root)

    for command in ("upgrade", "uninstall"):
        refused = run(command)
        assert refused.exit_code == 1
        assert "has no supabase/tenantry.json, so `tenantry init` was not run" in refused.output
