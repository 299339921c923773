"""Somebody's own project, from `tenantry init` over an upgrade to `tenantry uninstall`.

It exposes a schema `api` before `public`, and has a pre-request function.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql

from support.artificial_release import NEWER, ArtificialRelease
from support.own_project import OwnProject, succeed
from tenantry_cli.emulator.stack import Stack
from tenantry_cli.project import Project

ORDERS = """
select tenancy.register_tenant_migration('20270101000000', 'add_orders', $tenant$
    create table orders (id int primary key, note text);
$tenant$);
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnProject:
    project = OwnProject.create(tmp_path / "shop")
    project.put_api_first()
    monkeypatch.chdir(project.root)
    succeed("init")
    return project


@pytest.fixture
def stack(project: OwnProject) -> Iterator[Stack]:
    with Stack.start(Project(project.root), port=None, ephemeral=True) as stack:
        yield stack


@pytest.fixture
def newer(tmp_path: Path) -> ArtificialRelease:
    return ArtificialRelease.create(tmp_path / "newer")


def push(project: OwnProject, stack: Stack) -> subprocess.CompletedProcess[str]:
    remote = f"--remote={stack.db_url}?sslmode=disable"
    return subprocess.run(
        [stack.components.supabase, "db", "push", remote, "--yes"],
        capture_output=True,
        text=True,
        cwd=project.root,
        env={"HOME": str(project.root), "NO_COLOR": "1", "SUPABASE_TELEMETRY_DISABLED": "1"},
        stdin=subprocess.DEVNULL,
        check=False,
    )


def own_answers(stack: Stack) -> list[tuple[int, str]]:
    """What the project's own objects answer."""
    key = {"apikey": stack.anon_key}
    return [
        (reply.status_code, reply.text)
        for headers in ({}, {"x-blocked": "1"})
        for reply in [httpx.get(f"{stack.api_url}/rest/v1/items", headers=key | headers)]
    ]


@pytest.mark.soak
def test_project_goes_on_beside_tenantry(
    project: OwnProject, stack: Stack, newer: ArtificialRelease, soak: bool
) -> None:
    answers = own_answers(stack)
    assert [status for status, _ in answers] == [200, 400]
    assert '"id":7' in answers[0][1]
    assert "blocked" in answers[1][1]
    tenants = [f"tenant_{number}" for number in range(50 if soak else 3)]
    given = ("--url", stack.api_url, "--service-key", stack.service_role_key)
    with psycopg.connect(stack.db_url, autocommit=True) as session:
        for name in tenants:
            session.execute("select public.create_tenant_schema(%s, %s)", [name, name])

        # What somebody made by hand becomes a migration, which this database has already.
        session.execute("create table public.made_by_hand (id int primary key)")
        written = succeed("diff", "--file", "add_made_by_hand")
        [file] = (project.root / "supabase" / "migrations").glob("*_add_made_by_hand.sql")
        assert re.findall(r"create table (\S+)", file.read_text(), re.IGNORECASE) == [
            '"public"."made_by_hand"'
        ]
        assert "already exists" in push(project, stack).stderr
        [repair] = re.findall(r"`tenantry (supabase migration repair [^`]+)`", written)
        # A person at a terminal is asked.
        succeed(*repair.split(), "--yes")

        # A tenant migration of the project's own, then the upgrade.
        project.write("supabase/migrations/29990101000000_add_orders.sql", ORDERS)
        assert push(project, stack).returncode == 0

        # A schema that was created behind the file that exposes those of config.toml.
        project.replace("supabase/config.toml", '"public"]', '"public", "reports"]')
        late = "supabase/migrations/2999010100000"
        project.write(f"{late}1_create_reports.sql", "create schema reports;")
        call = "select tenancy.expose_schema('reports');"
        assert call in succeed("push")
        project.write(f"{late}2_expose_reports.sql", call)
        assert "expose_schema(" not in succeed("push")
        succeed("migrate", *given)
        for name in tenants:
            statement = sql.SQL("insert into {}.orders values (1, {})")
            session.execute(statement.format(sql.Identifier(name), name))
        refused = newer.run(project, "demo", *given, "--anon-key", stack.anon_key)
        assert "upgrade_needed: the database of " in refused.stderr
        newer.succeed(project, "upgrade")
        pushed = push(project, stack)
        assert pushed.returncode == 0, pushed.stderr
        assert session.execute("select tenancy.release()").fetchone() == (NEWER,)
        newer.succeed(project, "migrate", *given)
        newer.succeed(project, "drift", *given)
        for name in tenants:
            query = sql.SQL(
                "select note from {0}.orders where not exists (select from {0}.labels)"
            )
            row = session.execute(query.format(sql.Identifier(name))).fetchone()
            assert row == (name,)
        assert session.execute("select public.count_tenants()").fetchone() == (len(tenants),)
        assert own_answers(stack) == answers

        # The removal is refused at once, and later by the push.
        for chosen, place in ((["--db-url", stack.db_url], "database"), ([], "emulator")):
            refused = newer.run(project, "uninstall", *chosen)
            sentence = f"The {place} has {len(tenants)} tenants, such as tenant_0."
            assert sentence in refused.stderr
        for name in tenants:
            session.execute("select public.suspend_tenant(%s)", [name])
            session.execute("select public.delete_tenant_schema(%s)", [name])
        newer.succeed(project, "uninstall")
        session.execute("select public.create_tenant_schema('late', 'Late')")
        assert "Tenants exist (1), such as late." in push(project, stack).stderr
        session.execute("select public.suspend_tenant('late')")
        session.execute("select public.delete_tenant_schema('late')")
        pushed = push(project, stack)
        assert pushed.returncode == 0, pushed.stderr
        gone = "select to_regnamespace('tenancy'), to_regclass('public.tenants')"
        assert session.execute(gone).fetchone() == (None, None)
        (setting,) = session.execute(
            "select c.entry from pg_db_role_setting s cross join unnest(s.setconfig) c (entry)"
            " where s.setrole = 'authenticator'::regrole and c.entry like 'pgrst.db_pre%'"
        ).fetchall()
        assert setting == ("pgrst.db_pre_request=public.check_request",)
