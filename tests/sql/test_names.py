"""Names of schemas: refused, or accepted by every operation; never truncated."""

from __future__ import annotations

import secrets

import pytest

from support.audited_call import audited_call, registry
from support.entry_points import ENTRY_POINTS
from support.environment import Environment, Person
from support.refusals import refusal
from support.waiting import is_known, until

REFUSED = {
    "empty": "",
    "2 bytes": "ab",
    "64 bytes": "n" * 64,
    "1000 bytes": "n" * 1000,
    "upper case": "Tenant",
    "digit first": "1tenant",
    "underscore first": "_tenant",
    "dash": "ten-ant",
    "dot": "auth.users",
    "space": "ten ant",
    "trailing space": "tenant ",
    "trailing newline": "tenant\n",
    "inner newline": "tenant\ntenant",
    "double quote": 'ten"ant',
    "single quote": "ten'ant",
    "comma": "tenant,public",
    "percent": "ten%Iant",
    "backslash": "ten\\ant",
    "e acute": "t\u00e9nant",
    "cyrillic a": "ten\u0430nt",
    "fullwidth": "\uff54enant",
    "long s": "\u017ftenant",
    "dotless i": "ten\u0131nt",
    "arabic digit": "tenant\u0661",
    "63 characters of 2 bytes": "\u00df" * 63,
    "combining accent": "tenant\u0301",
}

RESERVED = [
    *("pg_catalog", "pg_toast", "pg_temp_1", "pg_anything", "information_schema"),
    *("public", "auth", "storage", "realtime", "extensions", "vault", "graphql"),
    *("graphql_public", "supabase_migrations", "supabase_functions", "supabase_anything"),
    *("pgbouncer", "pgsodium", "pgsodium_masks", "cron", "net", "pgmq", "pgmq_public"),
    *("tenancy", "tenant_template"),
    # Names of roles: the search path "$user" would lead these roles into the tenant.
    *("postgres", "authenticated", "anon", "service_role", "authenticator"),
]

ACCEPTED = {
    "3 bytes": "q7z",
    "63 bytes": "n" * 51 + secrets.token_hex(6),
    "digits and underscores": "a_1__2_",
    **{f"keyword {word}": word for word in ("order", "select", "user")},
}


@pytest.fixture
def super_admin(environment: Environment) -> Person:
    """Creates the tenants. They are removed with this user after the test."""
    return environment.staff("super_admin")


def schemas(environment: Environment) -> set[str]:
    found = environment.sql.execute("select nspname::text as name from pg_catalog.pg_namespace")
    return {row["name"] for row in found}


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize("name", [*REFUSED.values(), *RESERVED], ids=[*REFUSED, *RESERVED])
def test_name_is_refused(
    environment: Environment, super_admin: Person, name: str, entry_point: str
) -> None:
    existed = name in schemas(environment)

    done = audited_call(
        environment,
        super_admin,
        "create_tenant_schema",
        entry_point=entry_point,
        schema_name=name,
    )

    assert done.refusal == (400, "invalid_schema_name")
    assert registry(environment, name) is None
    assert (name in schemas(environment)) is existed
    assert name[:63] == name or name[:63] not in schemas(environment)


def test_every_schema_of_the_project_is_reserved(environment: Environment) -> None:
    of_the_project = environment.sql.execute(
        "select nspname::text as name from pg_catalog.pg_namespace"
        " where nspowner <> 'postgres'::regrole or nspname in"
        " ('extensions', 'supabase_migrations', 'tenancy', 'tenant_template')"
    ).fetchall()

    names = {row["name"] for row in of_the_project}
    assert {"auth", "public", "extensions", "tenancy"} <= names
    # Each session has its own pg_temp_ and pg_toast_temp_ schema.
    assert {name for name in names if not name.startswith("pg_")} <= set(RESERVED)


@pytest.mark.parametrize("name", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted_name_works_in_every_operation(
    environment: Environment, super_admin: Person, name: str
) -> None:
    member, reader = environment.person(), environment.person()
    of_it = {"schema_name": name}

    made = audited_call(
        environment, super_admin, "create_tenant_schema", entry_point="function", **of_it
    ).result
    assert made["schema_name"] == name
    assert name in schemas(environment)

    audited_call(
        environment,
        super_admin,
        "grant_schema_access",
        user_id=member.id,
        access_level="admin",
        **of_it,
    ).must_succeed()
    audited_call(
        environment, member, "grant_schema_access", user_id=reader.id, **of_it
    ).must_succeed()
    assert audited_call(
        environment, member, "ensure_user_profile", entry_point="function", **of_it
    ).result["is_new"]
    assert audited_call(
        environment, member, "update_user_profile", metadata={"a": 1}, **of_it
    ).result
    [mine] = audited_call(environment, reader, "list_my_tenants").result
    assert mine["schema_name"] == name

    until(lambda: is_known(environment, name, "settings"))
    setting = {"key": "theme", "value": {"dark": True}}
    written = environment.rows(member, name, "settings", "POST", json=setting)
    assert written.status_code == 201
    assert written.json()[0]["updated_by"] == member.id
    read = environment.rows(reader, name, "settings", params={"select": "key,value"})
    assert read.json() == [setting]
    # The guard and the policies get the name unchanged: each person has the right access.
    assert refusal(environment.rows(reader, name, "settings", "POST", json=setting)) == (
        403,
        "forbidden",
    )
    assert refusal(environment.rows(super_admin, name, "settings")) == (403, "forbidden")
    assert refusal(environment.rows(environment.nobody, name, "settings")) == (
        401,
        "not_authenticated",
    )

    audited_call(
        environment, super_admin, "suspend_tenant", entry_point="function", **of_it
    ).must_succeed()
    shut = (403, "tenant_suspended")
    assert refusal(environment.rows(reader, name, "settings")) == shut
    assert refusal(environment.rows(environment.service, name, "settings")) == shut
    audited_call(
        environment, super_admin, "activate_tenant", entry_point="function", **of_it
    ).must_succeed()
    assert environment.rows(
        reader, name, "settings", params={"select": "key,value"}
    ).json() == [setting]

    audited_call(environment, super_admin, "suspend_tenant", **of_it).must_succeed()
    audited_call(
        environment, super_admin, "delete_tenant_schema", entry_point="function", **of_it
    ).must_succeed()
    assert name not in schemas(environment)
    assert registry(environment, name) is None


def test_longer_name_does_not_reach_the_tenant_of_its_truncated_form(
    environment: Environment, super_admin: Person
) -> None:
    name = "n" * 51 + secrets.token_hex(6)
    audited_call(
        environment, super_admin, "create_tenant_schema", schema_name=name
    ).must_succeed()
    member = environment.member(name, "admin")
    until(lambda: is_known(environment, name, "settings"))
    before = registry(environment, name)

    for operation in ("suspend_tenant", "delete_tenant_schema", "check_tenant_status"):
        refused = audited_call(environment, super_admin, operation, schema_name=name + "x")
        assert refused.refusal == (404, "tenant_not_found")
    assert audited_call(
        environment, member, "ensure_user_profile", schema_name=name + "x"
    ).refusal == (
        404,
        "tenant_not_found",
    )
    assert environment.rows(member, name + "x", "settings").status_code == 406

    assert registry(environment, name) == before
    assert environment.rows(member, name, "settings").status_code == 200


@pytest.mark.parametrize("other", ["upper", "quoted"])
def test_other_spelling_does_not_reach_a_tenant(environment: Environment, other: str) -> None:
    name = environment.tenant()
    member = environment.member(name, "read")
    spelling = {"upper": name.upper(), "quoted": f'"{name}"'}[other]

    refused = audited_call(environment, member, "check_tenant_status", schema_name=spelling)
    assert refused.refusal == (404, "tenant_not_found")

    assert audited_call(environment, member, "check_tenant_status", schema_name=name).result
