"""`tenantry demo --url`: what it makes in a project, and takes away again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from werkzeug.wrappers import Request, Response

from support.commands import tenantry
from support.environment import Environment
from support.hosted import serving
from tenantry_cli.demo.project import PEOPLE, email_of
from tenantry_cli.emulator.functions import create_app
from tenantry_cli.target import Target

TENANTS = ["demo_acme", "demo_globex"]
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def target(environment: Environment) -> Iterator[Target]:
    """The shared emulator, with keys of the new format, as a project of --url."""
    for name in TENANTS:
        environment.adopt_tenant(name)
    address = environment.address
    target = Target(address.api_url, address.publishable_key, address.secret_key)
    yield target
    tenantry(target, "demo", "--remove")
    environment.sql.execute("delete from auth.users where email like 'tenantry-demo-%'")


def made(environment: Environment) -> dict[str, int]:
    """How many users, tenants and staff of the demo there are."""
    row = environment.sql.execute(
        "select count(u) as users, count(a) as staff,"
        " (select count(*) from public.tenants where schema_name = any(%(names)s)) as tenants,"
        " (select count(*) from pg_namespace where nspname = any(%(names)s)) as schemas"
        " from auth.users u left join public.admin_users a on a.user_id = u.id"
        " where u.email like 'tenantry-demo-%%'",
        {"names": TENANTS},
    ).fetchone()
    return {name: count for name, count in (row or {}).items() if count}


def test_demo_is_repeated_and_removed(environment: Environment, target: Target) -> None:
    first = tenantry(target, "demo")
    assert first.exit_code == 0, first.output
    assert "The demo is finished." in first.output
    assert "exists already" not in first.output
    complete = {"users": 3, "tenants": 2, "schemas": 2, "staff": 1}
    assert made(environment) == complete

    # As a run that ended too early.
    environment.suspend("demo_acme")
    again = tenantry(target, "demo")
    assert again.exit_code == 0, again.output
    assert "Olga activates it." in again.output
    for what, times in (("user", 3), ("tenant", 2), ("row", 1), ("table", 1)):
        assert again.output.count(f"The {what} exists already, from an earlier demo.") == times
    assert made(environment) == complete

    for key in (target.anon_key, target.service_key):
        assert key not in first.output + again.output

    removed = tenantry(target, "demo", "--remove")
    assert removed.exit_code == 0, removed.output
    assert removed.output.count("was deleted.") == 5
    assert made(environment) == {}
    assert "The demo has made nothing here." in tenantry(target, "demo", "--remove").output


def test_names_of_somebody_else_are_refused_and_stay(
    environment: Environment, target: Target
) -> None:
    environment.sql.execute("select public.create_tenant_schema('demo_globex')")
    # Only the service key can mark an account as one of the demo's.
    environment.http.post(
        "/auth/v1/signup",
        headers={"apikey": target.anon_key},
        json={
            "email": email_of(PEOPLE[0]),
            "password": "correct horse",
            "data": {"tenantry_demo": True},
        },
    ).raise_for_status()
    theirs = {"users": 1, "tenants": 1, "schemas": 1}

    refused = tenantry(target, "demo")

    assert refused.exit_code == 1
    names = f"the user {email_of(PEOPLE[0])} and the tenant demo_globex"
    assert f"The demo has not made {names}, and needs the names." in refused.output
    removed = tenantry(target, "demo", "--remove")
    assert "The demo has not made the tenant demo_globex, which stays." in removed.output
    assert made(environment) == theirs


def newer_functions(request: Request) -> Response:
    """Functions of a later release, as far as they say who they are."""
    return Response('{"name": "schema-management", "version": "99.0.0"}')


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("older", "upgrade_needed: the database of "),
        ("functions", f"{NOWHERE} does not answer: no server listens there. Check the address"),
        ("no functions", "does not answer as Tenantry's functions. Serve the functions with"),
        ("started early", "main.py is missing. If that is mended, or `tenantry init` was run"),
        ("no project", "this URL does not belong to a Supabase project"),
        ("nothing", f"{NOWHERE} does not answer"),
        ("anon key", "refuses the anon key (Invalid API key)"),
        ("service key", "refuses the service key (Invalid API key)"),
    ],
)
def test_project_that_does_not_fit_is_refused_before_anything_is_written(
    environment: Environment, target: Target, tmp_path: Path, case: str, sentence: str
) -> None:
    with (
        serving(Request.application(newer_functions)) as newer,
        serving(Response("<p>Welcome</p>", 404)) as page,
        serving(create_app(tmp_path / "main.py", tmp_path, tmp_path)) as early,
    ):
        given = {
            "older": replace(target, functions_url=newer),
            "functions": replace(target, functions_url=NOWHERE),
            "no functions": replace(target, functions_url=f"{target.api_url}/rest/v1"),
            "started early": replace(target, functions_url=early),
            "no project": replace(target, api_url=page),
            "nothing": replace(target, api_url=NOWHERE),
            "anon key": replace(target, anon_key="sb_publishable_other"),
            "service key": replace(target, service_key="sb_secret_other"),
        }[case]

        refused = tenantry(given, "demo")

    assert refused.exit_code == 1
    assert sentence in refused.output
    assert refused.output.count("\n") == 1
    assert made(environment) == {}
