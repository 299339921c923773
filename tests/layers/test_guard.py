"""The guard in front of PostgREST: which schema it checks, and its messages."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from support.environment import Address, Environment, Person
from support.separate_data_api import separate_data_api
from support.waiting import is_known, until
from tenantry_cli.emulator.components import Components
from tenantry_cli.emulator.postgres import Postgres
from tenantry_cli.emulator.supabase_cli import push_migrations
from tenantry_cli.project import find_project

pytestmark = pytest.mark.long

ROOT = find_project().root


# Which schema the guard checks ----------------------------------------------------------


@dataclass(frozen=True)
class TwoTenants:
    """A person's own tenant, and another one without access."""

    environment: Environment
    who: Person
    own: str
    other: str

    def names(self, *order: str) -> list[str]:
        return [{"own": self.own, "other": self.other}.get(word, word) for word in order]

    def contents(self, schema_name: str) -> list[dict[str, Any]]:
        return self.environment.sql.execute(
            psycopg.sql.SQL("select * from {}.settings order by key").format(
                psycopg.sql.Identifier(schema_name)
            )
        ).fetchall()


@pytest.fixture
def two_tenants(environment: Environment) -> TwoTenants:
    own, other = environment.tenant(), environment.tenant()
    for name in (own, other):
        schema = psycopg.sql.Identifier(name)
        for statement in (
            "insert into {}.settings (key, value) values ('whose', to_jsonb({}::text))",
            "create function {}.whose() returns text immutable return {}",
        ):
            environment.sql.execute(psycopg.sql.SQL(statement).format(schema, name))
        environment.sql.execute(
            psycopg.sql.SQL("grant execute on function {}.whose() to authenticated").format(
                schema
            )
        )
    two_tenants = TwoTenants(environment, environment.member(own, "admin"), own, other)
    until(
        lambda: (
            is_known(environment, own, "rpc/whose")
            and is_known(environment, other, "rpc/whose")
        )
    )
    return two_tenants


REQUESTS = {
    "GET": ("GET", "/settings?key=eq.whose", None),
    "HEAD": ("HEAD", "/settings?key=eq.whose", None),
    "POST": ("POST", "/settings", {"key": "new", "value": 1}),
    "PATCH": ("PATCH", "/settings?key=eq.whose", {"value": 1}),
    "DELETE": ("DELETE", "/settings?key=eq.whose", None),
    "GET rpc": ("GET", "/rpc/whose", None),
    "POST rpc": ("POST", "/rpc/whose", {}),
    "root": ("GET", "/", None),
}
READS = {"GET", "HEAD", "GET rpc", "root"}
CHANGES = {"POST", "PATCH", "DELETE"}


@pytest.mark.parametrize("kind", REQUESTS)
def test_guard_checks_the_profile_header_that_postgrest_uses(
    two_tenants: TwoTenants, kind: str
) -> None:
    method, path, body = REQUESTS[kind]
    header = "Accept-Profile" if kind in READS else "Content-Profile"
    others_before = two_tenants.contents(two_tenants.other)

    for order in (("other", "own"), ("other", "public"), ("other", "other")):
        profiles = [(header, name) for name in two_tenants.names(*order)]
        _assert_refused(
            two_tenants,
            kind,
            *_send(two_tenants.environment, two_tenants.who, method, path, profiles, body),
        )
    for order, status in ((("public", "other"), 404), (("unknown", "other"), 406)):
        profiles = [(header, name) for name in two_tenants.names(*order)]
        answer = _send(two_tenants.environment, two_tenants.who, method, path, profiles, body)
        if kind == "root" and "public" in order:
            assert "/settings" not in json.loads(answer[1])["paths"]
        else:
            assert answer[0] == status, answer

    own_first = [(header, name) for name in two_tenants.names("own", "other")]
    _assert_own(
        two_tenants,
        kind,
        *_send(two_tenants.environment, two_tenants.who, method, path, own_first, body),
    )
    assert two_tenants.contents(two_tenants.other) == others_before


@pytest.mark.parametrize("kind", REQUESTS)
def test_guard_ignores_the_profile_header_of_the_other_kind(
    two_tenants: TwoTenants, kind: str
) -> None:
    method, path, body = REQUESTS[kind]
    used, ignored = "Accept-Profile", "Content-Profile"
    if kind not in READS:
        used, ignored = ignored, used
    others_before = two_tenants.contents(two_tenants.other)

    for profiles in (
        [(used, two_tenants.other), (ignored, two_tenants.own)],
        [(ignored, two_tenants.own), (used, two_tenants.other)],
    ):
        _assert_refused(
            two_tenants,
            kind,
            *_send(two_tenants.environment, two_tenants.who, method, path, profiles, body),
        )
    profiles = [(ignored, two_tenants.other), (used, two_tenants.own)]
    _assert_own(
        two_tenants,
        kind,
        *_send(two_tenants.environment, two_tenants.who, method, path, profiles, body),
    )
    assert two_tenants.contents(two_tenants.other) == others_before


def _send(
    environment: Environment,
    who: Person,
    method: str,
    path: str,
    profiles: list[tuple[str, str]],
    body: Any = None,
) -> tuple[int, str]:
    """To PostgREST's own port, header by header: clients and gateways join repeated headers."""
    connection = http.client.HTTPConnection(
        urlsplit(environment.address.postgrest_url).netloc, timeout=30
    )
    content = b"" if body is None else json.dumps(body).encode()
    headers = [
        *environment.headers(who).items(),
        *profiles,
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(content))),
        ("Prefer", "return=representation"),
    ]
    try:
        connection.putrequest(method, path)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders(content)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def _assert_refused(two_tenants: TwoTenants, kind: str, status: int, reply: str) -> None:
    assert status == 403, reply
    if kind != "HEAD":
        assert (
            json.loads(reply)["message"]
            == f'You have no access to tenant "{two_tenants.other}".'
        )


def _assert_own(two_tenants: TwoTenants, kind: str, status: int, reply: str) -> None:
    assert 200 <= status < 300, reply
    assert two_tenants.other not in reply
    if kind == "root":
        assert "/settings" in json.loads(reply)["paths"]
    elif kind in ("GET", "DELETE"):
        assert [row["value"] for row in json.loads(reply)] == [two_tenants.own]
    elif kind in ("GET rpc", "POST rpc"):
        assert json.loads(reply) == two_tenants.own
    elif kind in CHANGES:
        assert [row["value"] for row in json.loads(reply)] == [1]


# What the guard replies -----------------------------------------------------------------


@pytest.fixture
def tenant(environment: Environment) -> str:
    """A tenant that the Data API answers for."""
    name = environment.tenant()
    until(lambda: is_known(environment, name, "settings"))
    return name


def _refusal(
    environment: Environment, who: Person, tenant: str, method: str = "GET"
) -> tuple[int, Any, Any]:
    reply = environment.rows(who, tenant, "settings", method, **_body(method))
    body = reply.json()
    assert body["code"] == "42501"
    assert body["hint"]
    return reply.status_code, body["details"], body["message"]


def _body(method: str) -> dict[str, Any]:
    return {"json": {"key": "colour", "value": "red"}} if method == "POST" else {}


def _has_access(
    environment: Environment, who: Person, tenant: str, method: str = "GET"
) -> bool:
    return environment.rows(who, tenant, "settings", method, **_body(method)).is_success


def test_request_without_a_token_is_asked_to_sign_in(
    environment: Environment, tenant: str
) -> None:
    refusal = _refusal(environment, environment.nobody, tenant)

    assert refusal == (401, "not_authenticated", f'Sign in to reach tenant "{tenant}".')
    assert _has_access(environment, environment.member(tenant, "read"), tenant)


def test_stranger_is_refused_for_lack_of_access(environment: Environment, tenant: str) -> None:
    stranger = environment.person()

    refusal = _refusal(environment, stranger, tenant)

    assert refusal == (403, "forbidden", f'You have no access to tenant "{tenant}".')
    environment.grant(tenant, stranger, "read")
    assert _has_access(environment, stranger, tenant)


def test_member_whose_access_expired_is_refused_with_that_reason(
    environment: Environment, tenant: str
) -> None:
    member = environment.member(tenant, "read", datetime.fromisoformat("9999-01-01T00:00:00Z"))
    assert _has_access(environment, member, tenant)

    environment.sql.execute(
        "update public.user_schema_access set expires_at = now() where user_id = %s",
        (member.id,),
    )

    refusal = _refusal(environment, member, tenant)
    assert refusal == (403, "forbidden", f'Your access to tenant "{tenant}" has expired.')


@pytest.mark.parametrize("level", ["read", "write", "admin", "service key"])
def test_member_of_a_suspended_tenant_is_refused_with_that_reason(
    environment: Environment, tenant: str, level: str
) -> None:
    who = environment.service if level == "service key" else environment.member(tenant, level)
    environment.suspend(tenant)

    refusal = _refusal(environment, who, tenant)

    assert refusal == (403, "tenant_suspended", f'Tenant "{tenant}" is suspended.')
    environment.activate(tenant)
    assert _has_access(environment, who, tenant)


def test_a_stranger_does_not_learn_that_a_tenant_is_suspended(
    environment: Environment, tenant: str
) -> None:
    stranger = environment.person()
    before = _refusal(environment, stranger, tenant)

    environment.suspend(tenant)

    assert _refusal(environment, stranger, tenant) == before


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
def test_reader_who_writes_is_refused_with_the_level_that_is_needed(
    environment: Environment, tenant: str, method: str
) -> None:
    reader = environment.member(tenant, "read")
    request: dict[str, Any] = {"params": {"key": "eq.colour"}} if method != "POST" else {}
    if method != "DELETE":
        request["json"] = {"key": "colour", "value": "red"}

    reply = environment.rows(reader, tenant, "settings", method, **request)

    assert reply.status_code == 403
    assert reply.json()["details"] == "forbidden"
    assert reply.json()["message"] == (
        f'Your access level in tenant "{tenant}" is below "write", which this request needs.'
    )
    environment.grant(tenant, reader, "admin")
    assert environment.rows(reader, tenant, "settings", method, **request).is_success


# The call that a refusal names, for each table that requests cannot write: to insert, to update
# and to delete.
WAYS = {
    "users": ("ensure_user_profile", "update_user_profile", "revoke_schema_access"),
    "audit_log": ("Triggers write", "redact_audit_log", "prune_audit_log"),
    "public.tenants": ("create_tenant_schema", "suspend_tenant", "delete_tenant_schema"),
    "public.user_schema_access": (
        *("grant_schema_access", "grant_schema_access", "revoke_schema_access"),
    ),
    "public.admin_users": ("promote_to_admin", "promote_to_admin", "revoke_admin"),
    "public.admin_audit_log": ("writes its own entry", "never changed", "prune_audit_log"),
}
# The method of a write, its preference, and the position of its call above.
WRITES = (
    ("POST", "return=minimal", 0, "insert into"),
    ("POST", "resolution=merge-duplicates", 0, "insert into"),
    ("PATCH", "return=minimal", 1, "update"),
    ("DELETE", "return=minimal", 2, "delete from"),
)


def test_write_that_nobody_can_make_is_refused_with_the_call_that_does_it(
    environment: Environment, tenant: str
) -> None:
    admin = environment.member(tenant, "admin")
    # The tables of tenant migrations, too: only their privileges tell.
    environment.sql.execute(
        psycopg.sql.SQL(
            "create table {0}.rates (id uuid primary key);"
            "select tenancy.enable_tenant_table({1}, 'rates', writes => null);"
            "create view {0}.all_rates with (security_invoker) as table {0}.rates;"
            "select tenancy.apply_tenant_privileges({1}), tenancy.reload_schema_cache()"
        ).format(psycopg.sql.Identifier(tenant), tenant)
    )
    until(lambda: is_known(environment, tenant, "all_rates"))
    nobody = ("The tenant migration",) * 3
    for name, ways in {**WAYS, "rates": nobody, "all_rates": nobody}.items():
        schema_name, _, table = name.rpartition(".")
        column = "user_id" if table in ("user_schema_access", "admin_users") else "id"
        for method, preference, position, verb in WRITES:
            request: dict[str, Any] = {"headers": {"Prefer": preference}}
            if method != "POST":
                request["params"] = {column: "not.is.null"}
            if method != "DELETE":
                request["json"] = {column: None}
            for who in (admin, environment.service):
                reply = environment.rows(who, schema_name or tenant, table, method, **request)
                refusal = reply.json()
                assert (reply.status_code, refusal["details"]) == (403, "forbidden"), refusal
                message = f'No request can {verb} table "{table}" directly. '
                assert refusal["message"].startswith(message), refusal
                assert ways[position] in refusal["message"]
        assert environment.rows(admin, schema_name or tenant, table).status_code == 200
    anonymous = environment.rows(
        environment.nobody, "public", "tenants", "POST", json={"schema_name": "acme"}
    )
    assert (anonymous.status_code, anonymous.json()["details"]) == (401, "not_authenticated")


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
def test_writer_is_told_the_level_that_writing_a_table_needs(
    environment: Environment, tenant: str, method: str
) -> None:
    writer = environment.member(tenant, "write")
    environment.sql.execute(
        psycopg.sql.SQL(
            "insert into {0}.settings (key, value) values ('colour', '1');"
            # Another policy lets writers in, too.
            "create table {0}.notes (key text primary key, value jsonb);"
            "select tenancy.enable_tenant_table({1}, 'notes', writes => 'admin');"
            "create policy own on {0}.notes to authenticated using (true);"
            "select tenancy.apply_tenant_privileges({1}), tenancy.reload_schema_cache()"
        ).format(psycopg.sql.Identifier(tenant), tenant)
    )
    until(lambda: is_known(environment, tenant, "notes"))
    request: dict[str, Any] = {"params": {"key": "eq.colour"}} if method != "POST" else {}
    if method != "DELETE":
        request["json"] = {"key": "colour" if method != "POST" else "size", "value": "red"}

    reply = environment.rows(writer, tenant, "settings", method, **request)

    assert (reply.status_code, reply.json()["details"]) == (403, "forbidden")
    assert reply.json()["message"] == (
        f'Your access level in tenant "{tenant}" is below "admin", which writing table '
        '"settings" needs.'
    )
    assert environment.rows(writer, tenant, "notes", method, **request).is_success
    environment.grant(tenant, writer, "admin")
    assert environment.rows(writer, tenant, "settings", method, **request).is_success


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_openapi_page_is_closed_to_strangers_and_open_to_members(
    environment: Environment, tenant: str, method: str
) -> None:
    def page(who: Person) -> int:
        return environment.rows(who, tenant, "", method).status_code

    assert page(environment.nobody) == 401
    assert page(environment.person()) == 403
    assert page(environment.member(tenant, "read")) == 200


@pytest.fixture
def foreign_schema(environment: Environment) -> Iterator[str]:
    """An exposed schema of the project's own, with a table for everybody."""
    name = environment.name()
    schema = psycopg.sql.Identifier(name)
    with environment.sql.transaction():
        environment.sql.execute(psycopg.sql.SQL("create schema {}").format(schema))
        environment.sql.execute(
            psycopg.sql.SQL("create table {}.things (id integer)").format(schema)
        )
        for what in ("usage on schema {}", "select, insert on {}.things"):
            environment.sql.execute(
                psycopg.sql.SQL(f"grant {what} to anon, authenticated").format(schema)
            )
        environment.sql.execute("select tenancy.expose_schema(%s)", (name,))
    try:
        yield name
    finally:
        environment.sql.execute("select tenancy.drop_tenant_schema(%s)", (name,))


def test_guard_passes_requests_to_a_schema_that_is_no_tenant(
    environment: Environment, foreign_schema: str, tenant: str
) -> None:
    stranger = environment.person()
    until(lambda: is_known(environment, foreign_schema, "things"))

    for who in (stranger, environment.nobody):
        assert environment.rows(who, foreign_schema, "things").status_code == 200
        assert (
            environment.rows(who, foreign_schema, "things", "POST", json={"id": 1}).status_code
            == 201
        )
        assert environment.rows(who, tenant, "settings").status_code in (401, 403)


# A project that already has a pre-request function --------------------------------------

# PostgREST quotes the name, so its letters keep their case.
THEIRS = """
create schema app;
grant usage on schema app to anon, authenticated, service_role;
create table app.calls (path text);
grant insert on app.calls to anon, authenticated, service_role;
create function app."checkRequest"() returns void language plpgsql as $$
declare
    v_case text := current_setting('request.headers', true)::json ->> 'x-case';
begin
    if v_case = 'refuse' then
        raise exception 'Maintenance.' using errcode = 'PT418', detail = 'maintenance';
    elsif v_case = 'path' then
        perform set_config('search_path', 'public', true);
    elsif current_setting('request.method', true) <> 'GET' then
        insert into app.calls values (current_setting('request.path', true));
    end if;
end;
$$;
"""


def test_pushed_migration_keeps_the_pre_request_function_of_the_project(
    empty_project: str, components: Components, tmp_path: Path
) -> None:
    _install(empty_project, THEIRS)

    _push(empty_project, components, tmp_path)

    assert _pre_request(empty_project) == "tenancy.pre_request"


def test_project_function_and_guard_both_judge_each_request(
    server: Postgres, address: Address
) -> None:
    with separate_data_api(server, address) as api, Environment(api) as environment:
        tenant = environment.tenant()
        member, stranger = environment.member(tenant, "admin"), environment.person()

        def call(who: Person, method: str, **request: Any) -> httpx.Response:
            profile = {"Accept-Profile": tenant, "Content-Profile": tenant}
            return environment.http.request(
                method,
                f"{api.postgrest_url}/settings",
                headers=environment.headers(who) | profile | request.pop("headers", {}),
                **request,
            )

        def read(who: Person, case: str = "") -> tuple[int, str | None]:
            reply = call(who, "GET", headers={"X-Case": case})
            return reply.status_code, None if reply.is_success else reply.json()["details"]

        def write(who: Person) -> int:
            return call(who, "POST", json={"key": "colour", "value": "red"}).status_code

        def calls() -> list[dict[str, Any]]:
            return environment.sql.execute("select path from app.calls").fetchall()

        until(lambda: read(member) == (200, None))
        _install(api.db_url, THEIRS)
        environment.sql.execute("select tenancy.install_guard()")
        # Refused by the project's function, a stranger too: the guard comes second.
        until(lambda: read(member, "refuse") == (418, "maintenance"))
        assert read(stranger, "refuse") == (418, "maintenance")

        assert (read(member), read(stranger)) == ((200, None), (403, "forbidden"))
        assert (read(member, "path"), read(stranger, "path")) == (
            (200, None),
            (403, "forbidden"),
        )
        assert read(environment.nobody, "path") == (401, "not_authenticated")
        # What the project's function writes goes with a refused request. Until the schema cache
        # has the tenant, PostgREST itself refuses a write.
        until(lambda: write(stranger) == 403)
        assert calls() == []
        assert (write(member), calls()) == (201, [{"path": "/settings"}])


def test_the_migration_installs_the_guard_where_there_was_none(
    empty_project: str, components: Components, tmp_path: Path
) -> None:
    _push(empty_project, components, tmp_path)

    assert _pre_request(empty_project) == "tenancy.guard_request"


def _install(url: str, statements: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statements)
        connection.execute(
            psycopg.sql.SQL(
                "alter role authenticator in database {} set pgrst.db_pre_request = "
                "'app.checkRequest'"
            ).format(psycopg.sql.Identifier(connection.info.dbname))
        )


def _push(url: str, components: Components, home: Path) -> None:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "SUPABASE_HOME": str(home),
        "SUPABASE_TELEMETRY_DISABLED": "1",
        "SUPABASE_NO_UPDATE_NOTIFIER": "1",
    }
    push_migrations(components, root=ROOT, database_url=url, env=env)


def _pre_request(url: str) -> str | None:
    """The function that PostgREST calls before each request to this database."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select substring(entry from '=(.*)') "
            "from pg_db_role_setting s "
            "join pg_database d on d.oid = s.setdatabase and d.datname = current_database() "
            "cross join unnest(s.setconfig) entry "
            "where s.setrole = 'authenticator'::regrole "
            "and entry like 'pgrst.db_pre_request=%'"
        ).fetchone()
    return None if row is None else str(row[0])
