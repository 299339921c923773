"""`tenantry draft`, in a small project with a `sql/` beside its migrations."""

from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from support.trial import Trial
from tenantry_cli.errors import TenantryError
from tenantry_cli.main import main
from tenantry_cli.sources import build_database

_NOTES = (
    "create table public.notes (id integer primary key);\n"
    "grant select on public.notes to anon;\n"
)


def migrations(trial: Trial) -> list[Path]:
    return sorted(trial.project.migrations.iterdir())


def test_draft_turns_the_migrations_into_the_database_of_sql(trial: Trial) -> None:
    trial.write("sql/10_notes.sql", _NOTES)
    # The function uses a table that a later file creates.
    trial.write(
        "sql/05_count.sql",
        "create function public.notes_count() returns bigint language sql"
        " as $$ select count(*) from public.notes $$;\n",
    )
    # The draft must be applied last, even after a version in the future.
    trial.write("supabase/migrations/29991231235959_comment_notes.sql", "select 1;\n")

    drafted = trial.tenantry("draft", "create_notes_count")

    assert drafted.returncode == 0, drafted.stderr
    path = migrations(trial)[-1]
    assert path.name == "30000101000000_create_notes_count.sql"
    assert f"Wrote supabase/migrations/{path.name}, a draft." in drafted.stdout
    assert "does not compare" in drafted.stdout
    assert "notes_count" in path.read_text()
    assert "create table" not in path.read_text().lower()

    again = trial.tenantry("draft", "create_notes_count")

    assert again.returncode == 0, again.stderr
    assert "There is no difference" in again.stdout
    assert len(migrations(trial)) == 3

    trial.write("sql/20_broken.sql", "select nonsense;\n")
    failed = trial.tenantry("draft", "create_nonsense")

    assert failed.returncode == 1
    assert "sql/20_broken.sql failed: " in failed.stderr
    assert len(migrations(trial)) == 3
    assert trial.states() == []
    assert trial.processes() == []


def test_broken_sql_file_is_named_and_nothing_is_applied(
    trial: Trial, empty_project: str
) -> None:
    trial.write("sql/05_schema.sql", "create schema notes;\n")
    trial.write("sql/10_notes.sql", "create table public.notes (id nonsense);\n")

    with pytest.raises(TenantryError) as failed:
        build_database(trial.project, empty_project)

    complaint = 'sql/10_notes.sql failed: type "nonsense" does not exist'
    assert str(failed.value).startswith(complaint)
    with psycopg.connect(empty_project) as connection:
        assert connection.execute("select to_regnamespace('notes')").fetchone() == (None,)


@pytest.mark.parametrize(
    "name", ["Create_notes", "1_notes", "create-notes", "../notes", "", "a" * 250]
)
def test_invalid_migration_name_is_refused(name: str) -> None:
    refused = CliRunner().invoke(main, ["draft", "--", name])

    assert refused.exit_code == 1
    assert f'"{name}" is not a valid name for a migration' in refused.output


@pytest.mark.parametrize("version", ["99991231235959", "20269999999999"])
def test_migration_later_than_every_time_is_named(trial: Trial, version: str) -> None:
    trial.write("supabase/migrations/20200101000000_tenantry_0_1_0.sql", "select 1;\n")
    trial.write(f"supabase/migrations/{version}_late.sql", "select 1;\n")

    refused = trial.tenantry("new", "add_orders")

    assert refused.returncode == 1
    assert f"The migration {version}_" in refused.stderr
