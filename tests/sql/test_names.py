"""Names of schemas: refused, or working everywhere; never cut."""

from __future__ import annotations

import secrets

import pytest

from sql.act import DOORS, act, refusal, registry
from stage import Person, Stage
from walls.waiting import is_known, until

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
    # Roles: their unqualified names would mean the tenant's tables.
    *("postgres", "authenticated", "anon", "service_role", "authenticator"),
]

ACCEPTED = {
    "3 bytes": "q7z",
    "63 bytes": "n" * 51 + secrets.token_hex(6),
    "digits and underscores": "a_1__2_",
    **{f"keyword {word}": word for word in ("order", "select", "user")},
}


@pytest.fixture
def super_admin(stage: Stage) -> Person:
    """Makes the tenants, which therefore go with the test."""
    return stage.staff("super_admin")


def schemas(stage: Stage) -> set[str]:
    found = stage.sql.execute("select nspname::text as name from pg_catalog.pg_namespace")
    return {row["name"] for row in found}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", [*REFUSED.values(), *RESERVED], ids=[*REFUSED, *RESERVED])
def test_name_is_refused(stage: Stage, super_admin: Person, name: str, door: str) -> None:
    existed = name in schemas(stage)

    done = act(stage, super_admin, "create_tenant_schema", door=door, schema_name=name)

    assert done.refusal == (400, "invalid_schema_name")
    assert registry(stage, name) is None
    assert (name in schemas(stage)) is existed
    assert name[:63] == name or name[:63] not in schemas(stage)


def test_every_schema_of_the_project_is_reserved(stage: Stage) -> None:
    of_the_project = stage.sql.execute(
        "select nspname::text as name from pg_catalog.pg_namespace"
        " where nspowner <> 'postgres'::regrole or nspname in"
        " ('extensions', 'supabase_migrations', 'tenancy', 'tenant_template')"
    ).fetchall()

    names = {row["name"] for row in of_the_project}
    assert {"auth", "public", "extensions", "tenancy"} <= names
    # Every session has a pg_temp_ and a pg_toast_temp_ schema of its own.
    assert {name for name in names if not name.startswith("pg_")} <= set(RESERVED)


@pytest.mark.parametrize("name", ACCEPTED.values(), ids=ACCEPTED)
def test_name_works_everywhere(stage: Stage, super_admin: Person, name: str) -> None:
    member, reader = stage.person(), stage.person()
    of_it = {"schema_name": name}

    made = act(stage, super_admin, "create_tenant_schema", door="function", **of_it).result
    assert made["schema_name"] == name
    assert name in schemas(stage)

    act(
        stage,
        super_admin,
        "grant_schema_access",
        user_id=member.id,
        access_level="admin",
        **of_it,
    ).must_succeed()
    act(stage, member, "grant_schema_access", user_id=reader.id, **of_it).must_succeed()
    assert act(stage, member, "ensure_user_profile", door="function", **of_it).result["is_new"]
    assert act(stage, member, "update_user_profile", metadata={"a": 1}, **of_it).result
    [mine] = act(stage, reader, "list_my_tenants").result
    assert mine["schema_name"] == name

    until(lambda: is_known(stage, name, "settings"))
    setting = {"key": "theme", "value": {"dark": True}}
    written = stage.rows(member, name, "settings", "POST", json=setting)
    assert written.status_code == 201
    assert written.json()[0]["updated_by"] == member.id
    read = stage.rows(reader, name, "settings", params={"select": "key,value"})
    assert read.json() == [setting]
    # The name reaches the guard and the policies unharmed: they know who is who.
    assert refusal(stage.rows(reader, name, "settings", "POST", json=setting)) == (
        403,
        "forbidden",
    )
    assert refusal(stage.rows(super_admin, name, "settings")) == (403, "forbidden")
    assert refusal(stage.rows(stage.nobody, name, "settings")) == (401, "not_authenticated")

    act(stage, super_admin, "suspend_tenant", door="function", **of_it).must_succeed()
    shut = (403, "tenant_suspended")
    assert refusal(stage.rows(reader, name, "settings")) == shut
    assert refusal(stage.rows(stage.service, name, "settings")) == shut
    act(stage, super_admin, "activate_tenant", door="function", **of_it).must_succeed()
    assert stage.rows(reader, name, "settings", params={"select": "key,value"}).json() == [
        setting
    ]

    act(stage, super_admin, "suspend_tenant", **of_it).must_succeed()
    act(stage, super_admin, "delete_tenant_schema", door="function", **of_it).must_succeed()
    assert name not in schemas(stage)
    assert registry(stage, name) is None


def test_longer_name_does_not_reach_the_tenant_it_would_be_cut_to(
    stage: Stage, super_admin: Person
) -> None:
    name = "n" * 51 + secrets.token_hex(6)
    act(stage, super_admin, "create_tenant_schema", schema_name=name).must_succeed()
    member = stage.member(name, "admin")
    until(lambda: is_known(stage, name, "settings"))
    before = registry(stage, name)

    for operation in ("suspend_tenant", "delete_tenant_schema", "check_tenant_status"):
        refused = act(stage, super_admin, operation, schema_name=name + "x")
        assert refused.refusal == (404, "tenant_not_found")
    assert act(stage, member, "ensure_user_profile", schema_name=name + "x").refusal == (
        404,
        "tenant_not_found",
    )
    assert stage.rows(member, name + "x", "settings").status_code == 406

    assert registry(stage, name) == before
    assert stage.rows(member, name, "settings").status_code == 200


@pytest.mark.parametrize("other", ["upper", "quoted"])
def test_another_spelling_does_not_reach_a_tenant(stage: Stage, other: str) -> None:
    name = stage.tenant()
    member = stage.member(name, "read")
    spelling = {"upper": name.upper(), "quoted": f'"{name}"'}[other]

    refused = act(stage, member, "check_tenant_status", schema_name=spelling)
    assert refused.refusal == (404, "tenant_not_found")

    assert act(stage, member, "check_tenant_status", schema_name=name).result
