"""The rehearsal of a project's files, and the words in which the emulator applies them."""

from __future__ import annotations

import secrets
from pathlib import Path

import psycopg
import pytest

from tenantry_cli.emulator.postgres import Postgres
from tenantry_cli.emulator.rehearsal import adapted_files, rehearse, rehearsed

pytestmark = pytest.mark.long

FIRST = "supabase/migrations/20260101000000_first.sql"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "supabase" / "migrations").mkdir(parents=True)
    (tmp_path / "supabase" / "config.toml").touch()
    return tmp_path


def write(root: Path, *texts: str) -> None:
    for name, text in zip(
        ("20260101000000_first", "20260102000000_second"), texts, strict=False
    ):
        (root / "supabase" / "migrations" / f"{name}.sql").write_text(text)


@pytest.mark.parametrize(
    ("text", "left_out", "failure"),
    [
        ("begin;\ncreate table public.fine ();\ncommit;", [], ""),
        ("select from public.missing;", [], ":1: select from public.missing: relation"),
        ("create extension pg_cron;\nselect 1;\nselect cron.unschedule(1);", [1, 3], ""),
        # What needs something that was left out is a consequence.
        ("create extension pg_cron;\nselect from public.missing;", [1, 2], ""),
        (
            "create extension pg_cron;\n\ncreate table public.a ();\ncreate table public.a ();",
            [1],
            ":4: create table public.a (): relation",
        ),
    ],
)
def test_what_the_emulator_lacks_is_left_out_and_a_mistake_is_not(
    server: Postgres, root: Path, text: str, left_out: list[int], failure: str
) -> None:
    write(root, text)

    found = rehearse(server, root)

    assert [each.line for each in found.left_out] == left_out
    assert failure in found.failure
    assert bool(failure) == bool(found.failure)


def test_rest_of_a_file_keeps_its_lines(server: Postgres, root: Path) -> None:
    write(root, "create extension pg_cron\n    with schema extensions;\nselect 1;")

    (kept,) = rehearse(server, root).replaced.values()

    assert kept.split("\n") == [" " * 24, " " * 27, "select 1;"]


def test_nothing_remains_of_a_rehearsal_and_of_a_file(server: Postgres, root: Path) -> None:
    role = f"shop_{secrets.token_hex(4)}"
    write(
        root,
        f"create role {role};\nset search_path = '';\nset role anon;",
        "create table made ();\ninsert into made default values;",
    )

    with rehearsed(server, root) as (url, found):
        assert found.failure == ""
        with psycopg.connect(url) as session:
            assert session.execute("select from public.made").rowcount == 1

    with psycopg.connect(server.admin_url()) as session:
        left = session.execute(
            "select rolname from pg_roles where rolname = %s"
            " union all select datname from pg_database where datname = %s",
            (role, url.rpartition("/")[2]),
        )
        assert left.fetchall() == []


@pytest.mark.parametrize(("seeds", "fails"), [(True, True), (False, False)])
def test_seeds_are_a_part_if_asked(
    server: Postgres, root: Path, seeds: bool, fails: bool
) -> None:
    (root / "supabase" / "seed.sql").write_text("select from public.missing;")

    with rehearsed(server, root, seeds=seeds) as (_, found):
        assert ("supabase/seed.sql:1" in found.failure) == fails


def test_migrations_that_the_project_turned_off_are_left_alone(
    server: Postgres, root: Path
) -> None:
    write(root, "select from public.missing;")
    assert rehearse(server, root).failure

    (root / "supabase" / "config.toml").write_text("[db.migrations]\nenabled = false\n")
    assert not rehearse(server, root).failure


@pytest.mark.parametrize(
    ("statement", "call"),
    [
        ("drop trigger On_User on auth.users;", "('on_user', 'users', false);"),
        ('drop trigger if exists "On User"\n  on auth.Users;', "('On User', 'users', true)\n;"),
        ("drop trigger on_user on public.users;", None),
        ("-- drop trigger on_user on auth.users;", None),
    ],
)
def test_trigger_of_auth_is_dropped_by_a_function(
    root: Path, statement: str, call: str | None
) -> None:
    write(root, f"select 1;\n{statement}\nselect 2;")

    adapted = adapted_files(root)

    if call is None:
        assert adapted == {}
    else:
        expected = f"select 1;\nselect extensions.drop_auth_trigger{call}\nselect 2;"
        assert adapted == {root / FIRST: expected}
