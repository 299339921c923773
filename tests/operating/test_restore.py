"""A dump of the whole database, restored into an empty project by `tenantry restore`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
from click.testing import CliRunner, Result
from psycopg.rows import dict_row

from support.backup import programs
from support.privileges import EXPECTED, actual, expected_in_tenant, of_the_project
from support.waiting import until
from tenantry_cli.main import main
from tenantry_cli.signals import INTERRUPTED

TRIGGER = """
create table public.profiles (id uuid primary key references auth.users on delete cascade);
create function public.handle_new_user() returns trigger security definer set search_path = ''
    language plpgsql
    as $$ begin insert into public.profiles values (new.id); return null; end $$;
revoke execute on function public.handle_new_user() from public, anon, authenticated;
create trigger on_auth_user_created after insert on auth.users
    for each row execute function public.handle_new_user();
"""


# How Auth knows the address with which somebody signs in.
IDENTITY = """
insert into auth.identities
    (id, provider, provider_id, user_id, identity_data, created_at, updated_at)
select gen_random_uuid(), 'email', u.id::text, u.id, '{}', now(), now()
from auth.users u where u.id = %s
"""
# It prints more than a pipe holds when its rows are restored.
TALKATIVE = """
create function public.say(what text) returns boolean language plpgsql
    as $$ begin raise warning using message = repeat(what, 100); return true; end $$;
revoke execute on function public.say(text) from public, anon, authenticated;
create table public.talkative (what text check (public.say(what)));
insert into public.talkative select 'x' from generate_series(1, 2000);
"""


DEFAULT_PRIVILEGES = """
select d.defaclrole::regrole::text as owner, d.defaclnamespace, d.defaclobjtype::text,
    a.grantee::regrole::text, string_agg(a.privilege_type, ',' order by a.privilege_type)
from pg_default_acl d
cross join aclexplode(d.defaclacl) a
group by d.oid, a.grantee
order by 1, 2, 3, 4
"""


def dump(db_url: str, file: Path) -> None:
    subprocess.run(
        [programs() / "pg_dump", db_url, "--format=custom", f"--file={file}"], check=True
    )


def restore(file: Path, db_url: str, *programs_first: Path) -> Result:
    path = os.pathsep.join(map(str, (*programs_first, programs(), os.defpath)))
    return CliRunner(env={"PATH": path}).invoke(
        main, ["restore", str(file), f"--db-url={db_url}"]
    )


def query(db_url: str, statement: str, *values: Any) -> list[dict[str, Any]]:
    with psycopg.connect(db_url, autocommit=True, row_factory=dict_row) as session:
        done = session.execute(statement.encode(), values)
        return done.fetchall() if done.description else []


def seal_everything(db_url: str, head: str | None = None) -> tuple[int, dict[str, Any]]:
    """Seals the log of acme, and returns how many entries that were and the verification.

    An entry waits for every older transaction of the server, those of other tests included.
    """
    count = 0
    found: dict[str, Any] = {}

    def is_sealed() -> bool:
        nonlocal count, found
        [seal] = query(db_url, "select * from public.seal_audit_log('acme')")
        [found] = query(db_url, "select * from public.verify_audit_log('acme', %s)", head)
        count += seal["sealed_now"]
        return bool(found["unsealed"] == 0)

    until(is_sealed)
    return count, found


def test_restored_project_is_closed_complete_and_checked(
    other_project: str, empty_project: str, tmp_path: Path
) -> None:
    query(other_project, TRIGGER)
    query(other_project, TALKATIVE)
    [user] = query(
        other_project,
        "insert into auth.users (id, email) values (gen_random_uuid(), 'ann@example.com')"
        " returning id",
    )
    query(other_project, IDENTITY, user["id"])
    for call in (
        "select public.create_tenant_schema('acme')",
        "select public.create_tenant_schema('closed')",
        "select public.suspend_tenant('closed', 'unpaid')",
        f"select public.grant_schema_access('acme', '{user['id']}', 'admin')",
        "insert into acme.settings (key) values ('kept')",
    ):
        query(other_project, call)
    _, sealed = seal_everything(other_project)
    head = sealed["head"]
    file = tmp_path / "whole.dump"
    dump(other_project, file)

    require_nothing_restored(file, empty_project, tmp_path)
    defaults = query(empty_project, DEFAULT_PRIVILEGES)
    assert defaults

    done = restore(file, empty_project)

    assert (done.exit_code, done.output) == (
        0,
        "Restored whole.dump. The guard is installed, and every tenant is exposed. "
        "The doctor found no problem.\n",
    )
    assert query(empty_project, DEFAULT_PRIVILEGES) == defaults
    with psycopg.connect(empty_project, row_factory=dict_row) as restored:
        project = {
            ("service_role", "execute", f"public.{name}") for name in ("handle_new_user", "say")
        }
        assert of_the_project(restored) - project == EXPECTED
        assert actual(restored, "acme") == expected_in_tenant("acme")
        assert actual(restored, "closed") == set()
    [state] = query(
        empty_project,
        "select tenancy.exposed_schemas() as exposed,"
        " (select count(*) from public.profiles) as own,"
        " (select count(*) from auth.identities) as identities,"
        " (select count(*) from tenancy.check_guard()) as unguarded,"
        " (select access_level from public.user_schema_access) as access_level",
    )
    assert state["exposed"] == ["public", "graphql_public", "acme", "closed"]
    assert (state["own"], state["identities"], state["unguarded"]) == (1, 1, 0)
    assert state["access_level"] == "admin"
    # The log goes on from its head, whatever number the next transaction of this server has.
    query(empty_project, "insert into acme.settings (key) values ('later')")
    later, verified = seal_everything(empty_project, head)
    assert (later, verified["is_intact"]) == (1, True)
    # A trigger of the project on auth.users works again.
    query(empty_project, "insert into auth.users (id) values (gen_random_uuid())")
    assert query(empty_project, "select count(*) as n from public.profiles") == [{"n": 2}]

    again = restore(file, empty_project)
    assert again.exit_code == 1
    assert "is not empty: it has Tenantry. Make a new project" in again.output


def require_nothing_restored(file: Path, db_url: str, folder: Path) -> None:
    """A part of the dump, a pg_restore that fails, and an object in the way."""
    part = folder / "part.dump"
    part.write_bytes(file.read_bytes()[:-200])
    assert restore(part, db_url).exit_code == 1
    failing = folder / "programs" / "pg_restore"
    failing.parent.mkdir()
    failing.write_text(
        f'#!/bin/sh\n"{programs() / "pg_restore"}" "$@"\n'
        "case $1 in --list) exit 0;; esac; echo It failed. >&2; exit 1\n"
    )
    failing.chmod(0o755)
    failed = restore(file, db_url, failing.parent)
    assert failed.exit_code == 1
    assert failed.output.startswith("Error: Nothing was restored:\n")
    assert "It failed." in failed.output
    assert is_empty(db_url)
    query(db_url, "create function public.say(what text) returns boolean return true")
    refused = restore(file, db_url)
    assert refused.exit_code == 1
    assert "Nothing was restored" in refused.output
    assert 'function "say" already exists' in refused.output
    query(db_url, "drop function public.say(text)")
    assert is_empty(db_url)


def is_empty(db_url: str) -> bool:
    return query(db_url, "select to_regnamespace('tenancy') as name") == [{"name": None}]


def test_dump_of_a_newer_version_names_the_program_that_cannot_read_it(
    empty_project: str, tmp_path: Path
) -> None:
    file = tmp_path / "newer.dump"
    file.write_bytes(b"PGDMP" + bytes([1, 99, 0, 4, 8, 1]))

    refused = restore(file, empty_project)

    program = programs() / "pg_restore"
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert refused.exit_code == 1
    assert refused.output == (
        f"Error: {file} was written by a newer pg_dump than {program} can read, which is "
        f"{version.stdout.strip()}. Put the PostgreSQL client programs of the version "
        "that wrote the dump first on the PATH.\n"
    )


def test_project_with_a_table_is_not_empty(empty_project: str, tmp_path: Path) -> None:
    query(empty_project, "create table public.notes (id integer)")

    refused = restore(tmp_path, empty_project)

    assert refused.exit_code == 1
    assert "is not empty: it has the table notes. Make a new project" in refused.output


def test_role_with_too_few_privileges_is_named(empty_project: str, tmp_path: Path) -> None:
    url = empty_project.replace("//postgres:", "//authenticator:")

    refused = restore(tmp_path, url)

    assert refused.exit_code == 1
    assert refused.output == (
        "Error: The database refuses the role authenticator (permission denied for schema "
        "auth). Give a --db-url with the role postgres.\n"
    )


def test_interrupted_restore_changes_nothing_and_says_so(
    other_project: str, empty_project: str, tmp_path: Path
) -> None:
    file = tmp_path / "project.dump"
    dump(other_project, file)
    with psycopg.connect(empty_project) as holder:
        holder.execute("create schema tenancy")
        running = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tenantry_cli",
                "restore",
                file,
                f"--db-url={empty_project}",
            ],
            env={**os.environ, "PATH": f"{programs()}{os.pathsep}{os.defpath}"},
            stderr=subprocess.PIPE,
            text=True,
        )
        waiting = "select pid from pg_stat_activity where %s = any (pg_blocking_pids(pid))"
        until(lambda: bool(query(empty_project, waiting, holder.info.backend_pid)))
        running.send_signal(signal.SIGINT)
        _, shown = running.communicate(timeout=60)
        holder.rollback()

    assert running.returncode == INTERRUPTED
    assert shown == "Interrupted. Nothing was restored: run the command again.\n"
    done = restore(file, empty_project)
    assert done.exit_code == 0, done.output
