"""The functions that supabase/GUIDE.md shows, called by Auth and through the Data API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.audited_call import audited_call
from support.environment import Environment, Person
from support.readme import block
from support.waiting import until


@pytest.fixture
def environment(own_environment: Environment) -> Environment:
    """Not the shared emulator: the trigger on auth.users would affect other tests."""
    return own_environment


def entries(environment: Environment, schema_name: str) -> list[dict[str, Any]]:
    return environment.sql.execute(
        "select action, actor_id::text, actor_role, details ->> 'by' as by,"
        " details ->> 'signed_in' as signed_in"
        " from public.admin_audit_log where schema_name = %s order by id",
        (schema_name,),
    ).fetchall()


@pytest.fixture
def trigger(environment: Environment) -> Iterator[None]:
    environment.sql.execute(block("sql", "handle_new_user").encode())
    yield
    environment.sql.execute("drop function public.handle_new_user cascade")


@pytest.fixture
def acme(environment: Environment) -> str:
    """The tenant of the guide."""
    environment.adopt_tenant("acme")
    environment.sql.execute("select public.create_tenant_schema('acme')")
    return "acme"


@pytest.mark.usefixtures("trigger")
def test_trigger_of_the_guide_gives_a_new_user_a_place(
    environment: Environment, acme: str
) -> None:
    person = environment.sign_up()

    profile = audited_call(environment, person, "ensure_user_profile", schema_name=acme).result
    assert (profile["email"], profile["is_active"], profile["is_new"]) == (
        person.email,
        True,
        False,
    )
    [row] = environment.rows(person, acme, "users").json()
    assert row["id"] == person.id
    by = {
        "actor_id": None,
        "actor_role": "postgres",
        "by": "public.handle_new_user()",
        "signed_in": None,
    }
    _, *made = entries(environment, acme)
    assert made == [{"action": action, **by} for action in ("access.grant", "profile.create")]


@pytest.mark.usefixtures("trigger")
def test_error_of_the_trigger_refuses_the_sign_up(environment: Environment) -> None:
    before = environment.sql.execute("select count(*) from auth.users").fetchone()

    with pytest.raises(httpx.HTTPStatusError):
        environment.sign_up()

    assert environment.sql.execute("select count(*) from auth.users").fetchone() == before


def found_company(environment: Environment, person: Person, company: str) -> httpx.Response:
    return environment.http.post(
        "/rest/v1/rpc/found_company",
        headers=environment.headers(person),
        json={"company": company},
    )


@pytest.fixture
def founding(environment: Environment) -> Iterator[None]:
    environment.sql.execute(block("sql", "found_company").encode())
    environment.sql.execute("notify pgrst, 'reload schema'")
    yield
    environment.sql.execute("drop function public.found_company")


@pytest.mark.usefixtures("founding")
def test_function_of_the_guide_lets_a_user_found_a_company(environment: Environment) -> None:
    until(lambda: found_company(environment, environment.nobody, "x").status_code != 404)
    founder, other = environment.sign_up(), environment.person()
    assert audited_call(environment, founder, "create_tenant_schema").refusal == (
        403,
        "forbidden",
    )

    reply = found_company(environment, founder, "Acme Inc.")

    name = reply.raise_for_status().json()
    environment.adopt_tenant(name)
    info = audited_call(environment, founder, "get_tenant_info", schema_name=name).result
    assert (info["display_name"], info["access_level"]) == ("Acme Inc.", "admin")
    assert audited_call(environment, founder, "get_user_profile", schema_name=name).result
    by = {
        "actor_id": None,
        "actor_role": "postgres",
        "by": "public.found_company(text)",
        "signed_in": founder.id,
    }
    assert entries(environment, name) == [
        {"action": action, **by}
        for action in ("tenant.create", "access.grant", "profile.create")
    ]

    # The second company, and one of nobody, are refused by the function.
    assert found_company(environment, founder, "Another").status_code == 403
    assert found_company(environment, environment.nobody, "Another").status_code == 401
    # The founder is still no platform admin, and the helper is out of reach.
    assert audited_call(environment, founder, "create_tenant_schema").refusal[1] == "forbidden"
    for schema_name in ("tenancy", "public"):
        direct = environment.http.post(
            "/rest/v1/rpc/as_owner",
            headers=environment.headers(founder) | {"Content-Profile": schema_name},
            json={"operation": "get_migration_status"},
        )
        assert direct.status_code in (404, 406)
    assert found_company(environment, other, "Globex").is_success
    [theirs] = audited_call(environment, other, "list_my_tenants").result
    environment.adopt_tenant(theirs["schema_name"])
