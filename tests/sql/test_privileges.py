"""What the API roles may touch, and what the registry's policies let them see."""

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

# The catalogs; under a project's other default privileges in test_empty_project.py ---------


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
def test_privilege_too_many_shows(
    database: Database, mistake: str, shows: set[tuple[str, str, str]]
) -> None:
    database.execute(mistake.encode())

    assert of_the_project(database) - EXPECTED == shows


def test_active_tenant_has_exactly_the_expected_privileges(
    environment: Environment, database: Database
) -> None:
    name = environment.tenant()

    assert actual(database, name) == expected_in_tenant(name)


def test_suspended_tenant_has_none(environment: Environment, database: Database) -> None:
    name = environment.tenant()
    environment.suspend(name)

    assert actual(database, name) == set()


def test_every_function_but_the_guard_has_an_empty_search_path(database: Database) -> None:
    found = database.execute(
        """
        select p.pronamespace::regnamespace || '.' || p.proname as name, p.prosecdef as definer
        from pg_catalog.pg_proc p
        where p.pronamespace in ('public'::regnamespace, 'tenancy'::regnamespace)
            and not coalesce(p.proconfig, '{}') @> array['search_path=""']
        """
    ).fetchall()

    # Its search_path is what tells it the schema.
    assert found == [{"name": "tenancy.guard_request", "definer": False}]


def test_every_rpc_runs_as_its_owner_who_is_postgres(database: Database) -> None:
    found = database.execute(
        """
        select distinct prosecdef as definer, proowner::regrole::text as owner
        from pg_catalog.pg_proc where pronamespace = 'public'::regnamespace
        """
    ).fetchall()

    assert found == [{"definer": True, "owner": "postgres"}]


def test_everything_of_ours_has_a_comment(database: Database) -> None:
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

    # Fail closed: what nobody registered is reachable for nobody.
    assert actual(database, name) == expected_in_tenant(name)


# Writing the registry -------------------------------------------------------------------


@pytest.mark.parametrize("table", REGISTRY)
@pytest.mark.parametrize("kind", ["tenant admin", "super_admin", "service key"])
def test_nobody_writes_the_registry_by_hand(
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
    # Even on no row at all.
    assert status("POST", json={}) == 403
    for change in ({"json": {"schema_name": "x"}}, {"json": {"user_id": None}}):
        if table in ("tenants", "admin_audit_log") and "user_id" in change["json"]:
            continue
        if table == "admin_users" and "schema_name" in change["json"]:
            continue
        assert status("PATCH", params=anything, **change) == 403
    assert status("DELETE", params=anything) == 403


@pytest.mark.parametrize("table", REGISTRY)
def test_nobody_signed_in_sees_nothing_of_the_registry(
    environment: Environment, table: str
) -> None:
    assert refusal(environment.rows(environment.nobody, "public", table)) == (
        401,
        "not_authenticated",
    )
    assert environment.rows(environment.person(), "public", table).status_code == 200


# Reading the registry -------------------------------------------------------------------


class Scene:
    """Two tenants with an admin each, and one who once was admin of the first."""

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
            # Auth's subjects are UUIDs; another issuer's need not be.
            "foreigner": Person(environment.token("user_2abc")),
            "viewer": environment.staff("viewer"),
            "service": environment.service,
        }
        self.members = {"reader", "writer", "admin", "expired"}

    def sees(self, kind: str, table: str, column: str, **filters: str) -> set[Any]:
        """The values of a column in the rows about these tenants that a person is shown."""
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
def scene(address: Address) -> Iterator[Scene]:
    """For those who only look."""
    environment = Environment(address)
    try:
        yield Scene(environment)
    finally:
        environment.close()


def test_tenants_are_seen_by_their_members_and_by_staff(scene: Scene) -> None:
    for kind, expected in {
        "reader": {scene.ours},
        "writer": {scene.ours},
        "admin": {scene.ours},
        "other": {scene.theirs},
        "expired": set(),
        "stranger": set(),
        "foreigner": set(),
    }.items():
        # Without a filter: not one row of anybody else's tenant.
        assert scene.sees(kind, "tenants", "schema_name") == expected
    for kind in ("viewer", "service"):
        assert scene.sees(kind, "tenants", "schema_name", **scene.both) == {
            scene.ours,
            scene.theirs,
        }


def test_access_rows_are_seen_by_their_user_and_the_tenant_s_admins_and_staff(
    scene: Scene,
) -> None:
    for kind, expected in {
        "reader": {"reader"},
        "writer": {"writer"},
        "admin": scene.members,
        "other": {"other"},
        "expired": {"expired"},
        "stranger": set(),
        "foreigner": set(),
    }.items():
        assert scene.sees(kind, "user_schema_access", "user_id") == scene.named(*expected)
    for kind in ("viewer", "service"):
        assert scene.sees(kind, "user_schema_access", "user_id", **scene.both) == scene.named(
            *scene.members, "other"
        )


def test_audit_log_is_seen_by_the_tenant_s_admins_and_staff(scene: Scene) -> None:
    for kind, expected in {
        "reader": set(),
        "writer": set(),
        "admin": {scene.ours},
        "other": {scene.theirs},
        "expired": set(),
        "stranger": set(),
        "foreigner": set(),
    }.items():
        assert scene.sees(kind, "admin_audit_log", "schema_name") == expected
    for kind in ("viewer", "service"):
        assert scene.sees(kind, "admin_audit_log", "schema_name", **scene.both) == {
            scene.ours,
            scene.theirs,
        }


def test_entries_about_no_tenant_are_for_staff(scene: Scene) -> None:
    appointed = {"action": "eq.admin.promote"}

    for kind in ("admin", "stranger", "foreigner"):
        assert scene.sees(kind, "admin_audit_log", "action", **appointed) == set()
    for kind in ("viewer", "service"):
        assert scene.sees(kind, "admin_audit_log", "action", **appointed) == {"admin.promote"}


def test_staff_is_seen_by_staff_and_by_oneself(scene: Scene) -> None:
    super_admin = scene.environment.staff("super_admin")
    both = [super_admin.id, scene.people["viewer"].id]
    of_them = {"user_id": f"in.({','.join(map(str, both))})"}

    for kind in ("viewer", "service"):
        assert scene.sees(kind, "admin_users", "user_id", **of_them) == set(both)
    for kind in ("admin", "stranger", "foreigner"):
        assert scene.sees(kind, "admin_users", "user_id") == set()


def test_members_of_a_suspended_tenant_see_that_it_is_there(environment: Environment) -> None:
    scene = Scene(environment)
    scene.environment.suspend(scene.ours)

    for kind in ("reader", "admin"):
        assert scene.sees(kind, "tenants", "schema_name") == {scene.ours}
    assert scene.sees("admin", "user_schema_access", "user_id") == scene.named("admin")
    assert scene.sees("admin", "admin_audit_log", "schema_name") == set()

    scene.environment.activate(scene.ours)
    assert scene.sees("admin", "admin_audit_log", "schema_name") == {scene.ours}


def test_revoked_admin_sees_nothing_from_then_on(environment: Environment) -> None:
    scene = Scene(environment)
    admin: Person = scene.people["admin"]
    assert scene.sees("admin", "admin_audit_log", "schema_name") == {scene.ours}

    audited_call(
        scene.environment,
        scene.environment.service,
        "revoke_schema_access",
        schema_name=scene.ours,
        user_id=admin.id,
    ).must_succeed()

    for table in ("tenants", "user_schema_access", "admin_audit_log"):
        assert scene.sees("admin", table, "schema_name") == set()
