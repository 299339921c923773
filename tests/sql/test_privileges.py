"""The privileges of the API roles, and the rows that the registry's policies show them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg.sql import SQL, Identifier

from support.audited_call import audited_call
from support.environment import Address, Environment, Person
from support.privileges import (
    EXPECTED,
    REGISTRY,
    Database,
    actual,
    expected_in_tenant,
    of_the_project,
)
from support.refusals import refusal

# The catalog; with other default privileges in test_empty_project.py --------------------


def test_api_roles_have_exactly_the_expected_privileges(database: Database) -> None:
    assert of_the_project(database) == EXPECTED


@pytest.mark.parametrize(
    ("mistake", "shows"),
    [
        (
            "grant insert on public.tenants to authenticated",
            {("authenticated", "insert", "public.tenants")},
        ),
        (
            "grant update (status) on public.tenants to anon",
            {("anon", "update", "public.tenants")},
        ),
        (
            "grant execute on function tenancy.platform_role() to public",
            {
                (role, "execute", "tenancy.platform_role")
                for role in ("public", "anon", "authenticated", "service_role")
            },
        ),
        (
            "create function public.forgotten() returns void language sql as ''",
            {
                (role, "execute", "public.forgotten")
                for role in ("public", "anon", "authenticated", "service_role")
            },
        ),
        (
            "grant usage on schema tenant_template to service_role",
            {("service_role", "usage", "tenant_template")},
        ),
    ],
)
def test_additional_privilege_is_detected(
    database: Database, mistake: str, shows: set[tuple[str, str, str]]
) -> None:
    database.execute(mistake.encode())

    assert of_the_project(database) - EXPECTED == shows


def test_active_tenant_has_exactly_the_expected_privileges(
    environment: Environment, database: Database
) -> None:
    name = environment.tenant()

    assert actual(database, name) == expected_in_tenant(name)


def test_suspended_tenant_has_no_privileges(
    environment: Environment, database: Database
) -> None:
    name = environment.tenant()
    environment.suspend(name)

    assert actual(database, name) == set()


def test_every_function_has_an_empty_search_path(database: Database) -> None:
    found = database.execute(
        """
        select p.oid::regprocedure::text as name
        from pg_catalog.pg_proc p
        where p.pronamespace in ('public'::regnamespace, 'tenancy'::regnamespace)
            and not coalesce(p.proconfig, '{}') @> array['search_path=""']
        """
    ).fetchall()

    assert found == []


def test_every_rpc_runs_as_its_owner_postgres(database: Database) -> None:
    found = database.execute(
        """
        select distinct prosecdef as definer, proowner::regrole::text as owner
        from pg_catalog.pg_proc where pronamespace = 'public'::regnamespace
        """
    ).fetchall()

    assert found == [{"definer": True, "owner": "postgres"}]


def test_all_our_objects_have_comments(database: Database) -> None:
    ours = "('public'::regnamespace, 'tenancy'::regnamespace)"
    bare = database.execute(
        f"""
        select oid::regprocedure::text as name from pg_catalog.pg_proc
        where pronamespace in {ours} and obj_description(oid, 'pg_proc') is null
        union all
        select oid::regclass::text from pg_catalog.pg_class
        where relnamespace in {ours} and relkind = 'r'
            and obj_description(oid, 'pg_class') is null
        """.encode()  # noqa: S608
    ).fetchall()

    assert bare == []


def test_every_table_has_row_level_security(
    environment: Environment, database: Database
) -> None:
    name = environment.tenant()
    found = database.execute(
        """
        select c.relname::text as name, c.relrowsecurity as secured
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('public', 'tenancy', 'tenant_template', %s)
            and c.relkind in ('r', 'p')
        """,
        (name,),
    ).fetchall()

    assert {row["name"] for row in found} >= {*REGISTRY, "settings", "users", "audit_log"}
    assert [row["name"] for row in found if not row["secured"]] == []


def test_no_default_privileges_of_ours(environment: Environment, database: Database) -> None:
    name = environment.tenant()
    environment.sql.execute(
        SQL("create table {}.unregistered (id int)").format(Identifier(name))
    )

    # Fail closed: nobody can reach an unregistered table.
    assert actual(database, name) == expected_in_tenant(name)


# Writing the registry -------------------------------------------------------------------


@pytest.mark.parametrize("table", REGISTRY)
@pytest.mark.parametrize("kind", ["tenant admin", "super_admin", "service key"])
def test_registry_is_written_only_by_rpcs(
    environment: Environment, table: str, kind: str
) -> None:
    if kind == "tenant admin":
        caller = environment.member(environment.tenant(), "admin")
    else:
        caller = (
            environment.service if kind == "service key" else environment.staff("super_admin")
        )
    anything = {"schema_name" if table != "admin_users" else "user_id": "not.is.null"}

    def status(method: str, **request: Any) -> int:
        return environment.rows(caller, "public", table, method, **request).status_code

    assert status("GET", params={"limit": 1}) == 200
    # Also with a statement that matches no row.
    assert status("POST", json={}) == 403
    for change in ({"json": {"schema_name": "x"}}, {"json": {"user_id": None}}):
        if table in ("tenants", "admin_audit_log") and "user_id" in change["json"]:
            continue
        if table == "admin_users" and "schema_name" in change["json"]:
            continue
        assert status("PATCH", params=anything, **change) == 403
    assert status("DELETE", params=anything) == 403


@pytest.mark.parametrize("table", REGISTRY)
def test_anonymous_request_reads_nothing_of_the_registry(
    environment: Environment, table: str
) -> None:
    assert refusal(environment.rows(environment.nobody, "public", table)) == (
        401,
        "not_authenticated",
    )
    assert environment.rows(environment.person(), "public", table).status_code == 200


# Reading the registry -------------------------------------------------------------------


class Readers:
    """People with different access to two tenants, who read the registry."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.ours, self.theirs = environment.tenant(), environment.tenant()
        self.people = {
            "reader": environment.member(self.ours, "read"),
            "writer": environment.member(self.ours, "write"),
            "admin": environment.member(self.ours, "admin"),
            "expired": environment.member(
                self.ours, "admin", datetime.now(UTC) - timedelta(minutes=1)
            ),
            "other": environment.member(self.theirs, "admin"),
            "stranger": environment.person(),
            # A subject of Auth is a UUID. Another issuer's subject need not be.
            "foreigner": Person(environment.token("user_2abc")),
            "viewer": environment.staff("viewer"),
            "service": environment.service,
        }
        environment.sql.execute(
            "select public.promote_to_admin(%s, 'super_admin')", (self.people["expired"].id,)
        )
        environment.expire_role(self.people["expired"])
        self.members = {"reader", "writer", "admin", "expired"}

    def sees(self, kind: str, table: str, column: str, **filters: str) -> set[Any]:
        """The values of a column in the rows about both tenants that a person can read."""
        reply = self.environment.rows(
            self.people[kind], "public", table, params={"select": column} | filters
        ).raise_for_status()
        return {row[column] for row in reply.json()}

    def named(self, *kinds: str) -> set[str | None]:
        return {self.people[kind].id for kind in kinds}

    @property
    def both(self) -> dict[str, str]:
        return {"schema_name": f"in.({self.ours},{self.theirs})"}


@pytest.fixture(scope="module")
def readers(address: Address) -> Iterator[Readers]:
    """For tests that change nothing."""
    with Environment(address) as environment:
        yield Readers(environment)


def test_members_and_staff_see_a_tenant(readers: Readers) -> None:
    for kind, expected in {
        "reader": {readers.ours},
        "writer": {readers.ours},
        "admin": {readers.ours},
        "other": {readers.theirs},
        "expired": set(),
        "stranger": set(),
        "foreigner": set(),
    }.items():
        # Without a filter: no row of another tenant.
        assert readers.sees(kind, "tenants", "schema_name") == expected
    for kind in ("viewer", "service"):
        assert readers.sees(kind, "tenants", "schema_name", **readers.both) == {
            readers.ours,
            readers.theirs,
        }


def test_user_tenant_admins_and_staff_see_access_rows(
    readers: Readers,
) -> None:
    for kind, expected in {
        "reader": {"reader"},
        "writer": {"writer"},
        "admin": readers.members,
        "other": {"other"},
        "expired": {"expired"},
        "stranger": set(),
        "foreigner": set(),
    }.items():
        assert readers.sees(kind, "user_schema_access", "user_id") == readers.named(*expected)
    for kind in ("viewer", "service"):
        assert readers.sees(
            kind, "user_schema_access", "user_id", **readers.both
        ) == readers.named(*readers.members, "other")


def test_tenant_admins_and_staff_see_the_audit_log(readers: Readers) -> None:
    for kind, expected in {
        "reader": set(),
        "writer": set(),
        "admin": {readers.ours},
        "other": {readers.theirs},
        "expired": set(),
        "stranger": set(),
        "foreigner": set(),
    }.items():
        assert readers.sees(kind, "admin_audit_log", "schema_name") == expected
    for kind in ("viewer", "service"):
        assert readers.sees(kind, "admin_audit_log", "schema_name", **readers.both) == {
            readers.ours,
            readers.theirs,
        }


def test_only_staff_sees_entries_without_a_tenant(readers: Readers) -> None:
    appointed = {"action": "eq.admin.promote"}

    for kind in ("admin", "stranger", "foreigner"):
        assert readers.sees(kind, "admin_audit_log", "action", **appointed) == set()
    for kind in ("viewer", "service"):
        assert readers.sees(kind, "admin_audit_log", "action", **appointed) == {"admin.promote"}


def test_only_staff_sees_platform_roles(readers: Readers) -> None:
    super_admin = readers.environment.staff("super_admin")
    both = [super_admin.id, readers.people["viewer"].id]
    of_them = {"user_id": f"in.({','.join(map(str, both))})"}

    for kind in ("viewer", "service"):
        assert readers.sees(kind, "admin_users", "user_id", **of_them) == set(both)
    for kind in ("admin", "expired", "stranger", "foreigner"):
        assert readers.sees(kind, "admin_users", "user_id") == set()


def test_members_see_a_suspended_tenant(environment: Environment) -> None:
    readers = Readers(environment)
    readers.environment.suspend(readers.ours)

    for kind in ("reader", "admin"):
        assert readers.sees(kind, "tenants", "schema_name") == {readers.ours}
    assert readers.sees("admin", "user_schema_access", "user_id") == readers.named("admin")
    assert readers.sees("admin", "admin_audit_log", "schema_name") == set()

    readers.environment.activate(readers.ours)
    assert readers.sees("admin", "admin_audit_log", "schema_name") == {readers.ours}


def test_revoked_admin_sees_nothing_any_more(environment: Environment) -> None:
    readers = Readers(environment)
    admin: Person = readers.people["admin"]
    assert readers.sees("admin", "admin_audit_log", "schema_name") == {readers.ours}

    audited_call(
        readers.environment,
        readers.environment.service,
        "revoke_schema_access",
        schema_name=readers.ours,
        user_id=admin.id,
    ).must_succeed()

    for table in ("tenants", "user_schema_access", "admin_audit_log"):
        assert readers.sees("admin", table, "schema_name") == set()
