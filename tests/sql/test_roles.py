"""Permissions that the project declares, the roles that give them, and who has them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from support.audited_call import audited_call, registry
from support.databases import complete_database
from support.entry_points import ENTRY_POINTS, HOLD_TENANT, at_once, holding
from support.environment import Address, Environment, Person
from support.refusals import refusal
from support.waiting import until
from tenantry_cli.emulator.postgres import Postgres

NOW = datetime.now(UTC)
YESTERDAY = NOW - timedelta(days=1)
TOMORROW = NOW + timedelta(days=1)


@dataclass(frozen=True)
class Permissions:
    """Three permissions that no other test uses."""

    approve: str
    read: str
    void: str


@pytest.fixture(scope="module")
def permissions(address: Address) -> Iterator[Permissions]:
    area = f"a{secrets.token_hex(6)}"
    declared = Permissions(*(f"{area}.{verb}" for verb in ("approve", "read", "void")))
    with Environment(address) as environment:
        for name in vars(declared).values():
            environment.sql.execute("select tenancy.declare_permission(%s, 'Try it.')", (name,))
        yield declared
        environment.sql.execute(
            "delete from tenancy.permissions where permission = any (%s)",
            ([*vars(declared).values()],),
        )


@pytest.fixture
def tenant(environment: Environment) -> str:
    return environment.tenant()


@pytest.fixture
def admin(environment: Environment, tenant: str) -> Person:
    return environment.member(tenant, "admin")


def grant_of(session: Any, tenant: str, person: Person) -> dict[str, Any]:
    row = session.execute(
        "select to_jsonb(a) as row from public.user_schema_access a"
        " where user_id = %s and schema_name = %s",
        (person.id, tenant),
    ).fetchone()
    assert row is not None
    grant: dict[str, Any] = row["row"]
    return grant


def define(environment: Environment, tenant: str, name: str, *permissions: str) -> None:
    environment.sql.execute(
        "select public.define_role(%s, %s, %s)", (tenant, name, [*permissions])
    )


def give(
    environment: Environment, tenant: str, person: Person, *roles: str, **more: Any
) -> None:
    given = {"access_level": "read", "expires_at": None} | more
    environment.sql.execute(
        "select public.grant_schema_access(%s, %s, %s, %s, %s)",
        (tenant, person.id, given["access_level"], given["expires_at"], [*roles]),
    )


def has(
    environment: Environment,
    person: Person | None,
    tenant: str,
    permission: str,
    role: str = "authenticated",
) -> tuple[bool, bool]:
    """What has_permission answers, and the condition that policies have."""
    with environment.sql.transaction(force_rollback=True):
        test = environment.sql.execute(
            "select format('select %%s as has', tenancy.permission_test(%s, %s)) as text",
            (tenant, permission),
        ).fetchone()
        assert test is not None
        environment.sql.execute(
            "select set_config('request.jwt.claims', %s, true)",
            (json.dumps({"sub": person.id} if person else {}),),
        )
        environment.sql.execute(f"set local role {role}".encode())
        asked = environment.sql.execute(
            "select tenancy.has_permission(%s, %s) as has", (tenant, permission)
        ).fetchone()
        assert asked is not None
        if role != "authenticated":
            return asked["has"], asked["has"]
        tested = environment.sql.execute(test["text"].encode()).fetchone()
        assert tested is not None
        return asked["has"], tested["has"]


# Defining, changing and dropping roles ----------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_role_gives_its_permissions_until_it_is_dropped(
    environment: Environment,
    tenant: str,
    admin: Person,
    permissions: Permissions,
    entry_point: str,
) -> None:
    member = environment.person()

    def call(operation: str, **arguments: Any) -> Any:
        done = audited_call(
            environment,
            admin,
            operation,
            entry_point=entry_point,
            schema_name=tenant,
            **arguments,
        )
        # What changes a role is an entry on access, which no pruning removes.
        if operation in ("define_role", "drop_role"):
            assert done.entry["action"] == f"access.{operation}"
        return done.result

    def state() -> tuple[list[str], list[str]]:
        grant = grant_of(environment.sql, tenant, member)
        return grant["roles"], grant["permissions"]

    both = [permissions.approve, permissions.read]
    defined = call(
        "define_role",
        role_name="accountant",
        permissions=[*reversed(both), permissions.read],
        description="Approves.",
    )
    assert defined == {
        "role_name": "accountant",
        "permissions": both,
        "description": "Approves.",
        "is_template": False,
    }
    assert call("list_roles") == [defined]
    call("define_role", role_name="voider", permissions=[permissions.void])
    given = call(
        "grant_schema_access",
        user_id=member.id,
        access_level="read",
        roles=["voider", "accountant", "voider"],
    )
    assert (given["roles"], given["permissions"]) == (
        ["accountant", "voider"],
        [*both, permissions.void],
    )

    call("define_role", role_name="accountant", permissions=[permissions.read])
    assert state() == (["accountant", "voider"], [permissions.read, permissions.void])
    [listed] = [row for row in call("list_members") if row["user_id"] == member.id]
    assert listed["roles"] == ["accountant", "voider"]
    mine = audited_call(environment, member, "get_tenant_info", schema_name=tenant).result
    assert (mine["roles"], mine["permissions"]) == state()

    dropped = call("drop_role", role_name="accountant")
    assert (dropped["role_name"], dropped["permissions"]) == ("accountant", [permissions.read])
    assert state() == (["voider"], [permissions.void])
    # A later role of this name does not belong to whoever had the earlier one.
    call("define_role", role_name="accountant", permissions=both)
    assert state() == (["voider"], [permissions.void])


def test_roles_are_kept_unless_the_grant_names_others(
    environment: Environment, tenant: str, admin: Person, permissions: Permissions
) -> None:
    member = environment.person()
    define(environment, tenant, "reader", permissions.read)

    def grant(**arguments: Any) -> tuple[list[str], list[str], int]:
        done = audited_call(
            environment,
            admin,
            "grant_schema_access",
            schema_name=tenant,
            user_id=member.id,
            **arguments,
        )
        return done.result["roles"], done.result["permissions"], len(done.entries)

    had = ["reader"], [permissions.read]
    assert grant() == ([], [], 1)
    assert grant(roles=["reader"]) == (*had, 1)
    assert grant(roles=["reader"]) == (*had, 0)
    assert grant(access_level="write") == (*had, 1)
    audited_call(
        environment, admin, "transfer_admin", schema_name=tenant, user_id=member.id
    ).must_succeed()
    grant_after = grant_of(environment.sql, tenant, member)
    assert (grant_after["roles"], grant_after["permissions"]) == had
    environment.grant(tenant, admin, "admin")
    environment.sql.execute(
        "update public.user_schema_access set expires_at = %s"
        " where schema_name = %s and user_id = %s",
        (YESTERDAY, tenant, member.id),
    )
    assert grant(access_level="write") == ([], [], 1)
    assert grant(access_level="write", roles=["reader"]) == (*had, 1)
    assert grant(access_level="admin", roles=[]) == ([], [], 1)


def test_invited_person_gets_the_roles_that_are_left(
    environment: Environment, tenant: str, admin: Person, permissions: Permissions
) -> None:
    guest = environment.person(confirmed=True)
    define(environment, tenant, "reader", permissions.read)
    define(environment, tenant, "voider", permissions.void)

    def invite(**more: Any) -> Any:
        return audited_call(
            environment, admin, "invite_member", schema_name=tenant, email=guest.email, **more
        )

    assert invite(roles=["reader", "no_such"]).refusal == (404, "role_not_found")
    assert invite(roles=None).refusal == (422, "invalid_request")
    assert invite().result["roles"] == []
    invited = invite(roles=["voider", "reader", "voider"]).result
    assert invited["roles"] == ["reader", "voider"]
    audited_call(
        environment, admin, "drop_role", schema_name=tenant, role_name="voider"
    ).must_succeed()
    [listed] = audited_call(environment, admin, "list_invitations", schema_name=tenant).result
    assert listed["roles"] == ["reader"]
    # A later role of this name is not meant.
    define(environment, tenant, "voider", permissions.void)
    # What a role gives is what it gives when the person accepts.
    define(environment, tenant, "reader", permissions.approve)
    audited_call(
        environment, guest, "accept_invitation", secret=invited["secret"]
    ).must_succeed()

    grant = grant_of(environment.sql, tenant, guest)
    assert (grant["roles"], grant["permissions"]) == (["reader"], [permissions.approve])


def test_role_of_another_tenant_is_none_here(
    environment: Environment, tenant: str, permissions: Permissions
) -> None:
    other = environment.tenant()
    member = environment.person()
    define(environment, other, "clerk", permissions.read)

    def grant(schema_name: str, *roles: str | None) -> Any:
        return audited_call(
            environment,
            environment.service,
            "grant_schema_access",
            schema_name=schema_name,
            user_id=member.id,
            roles=roles,
        )

    assert grant(tenant, "clerk").refusal == (404, "role_not_found")
    assert grant(other, "clerk", "no_such").refusal == (404, "role_not_found")
    define(environment, tenant, "clerk", permissions.void)
    grant(tenant, "clerk").must_succeed()
    grant(other, "clerk").must_succeed()
    # Each tenant's role is its own.
    define(environment, other, "clerk")
    assert grant_of(environment.sql, tenant, member)["permissions"] == [permissions.void]
    assert grant_of(environment.sql, other, member)["permissions"] == []


def test_repeated_definition_changes_nothing(
    environment: Environment, tenant: str, admin: Person, permissions: Permissions
) -> None:
    def define_again(**more: Any) -> int:
        arguments = {"role_name": "clerk", "permissions": [permissions.read]} | more
        done = audited_call(environment, admin, "define_role", schema_name=tenant, **arguments)
        done.must_succeed()
        return len(done.entries)

    assert define_again() == 1
    before = registry(environment, tenant)
    assert define_again() == 0
    assert registry(environment, tenant) == before
    assert define_again(description="For clerks.") == 1


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"role_name": "Clerk"}, (400, "invalid_identifier")),
        ({"description": "x" * 1001}, (422, "invalid_request")),
        ({"description": "a\nb"}, (422, "invalid_request")),
        ({"permissions": None}, (422, "invalid_request")),
        ({"permissions": [None]}, (404, "permission_not_found")),
    ],
)
def test_impossible_role_is_refused(
    environment: Environment, tenant: str, wrong: dict[str, Any], code: tuple[int, str]
) -> None:
    arguments: dict[str, Any] = {"role_name": "clerk", "permissions": []}

    refused = audited_call(
        environment,
        environment.service,
        "define_role",
        schema_name=tenant,
        **(arguments | wrong),
    )

    assert refused.refusal == code
    audited_call(
        environment, environment.service, "define_role", schema_name=tenant, **arguments
    ).must_succeed()


# Who has a permission ---------------------------------------------------------------------


def test_permission_is_had_by_role_or_by_the_level_admin(
    environment: Environment, tenant: str, admin: Person, permissions: Permissions
) -> None:
    define(environment, tenant, "approver", permissions.approve)
    holder, expired, banned = (environment.person() for _ in range(3))
    give(environment, tenant, holder, "approver", expires_at=TOMORROW)
    give(environment, tenant, expired, "approver", expires_at=YESTERDAY)
    give(environment, tenant, banned, "approver")
    environment.set_auth_state(banned, "banned_until", "infinity")
    other = environment.tenant()
    define(environment, other, "approver", permissions.read)

    def who(permission: str, schema_name: str = tenant) -> dict[str, tuple[bool, bool]]:
        return {
            name: answers
            for name, person in {
                "holder": holder,
                "admin": admin,
                "writer": environment.member(tenant, "write"),
                "expired": expired,
                "banned": banned,
                "staff": environment.staff("super_admin"),
                "nobody": None,
            }.items()
            if any(answers := has(environment, person, schema_name, permission))
        }

    both = (True, True)
    assert who(permissions.approve) == {"holder": both, "admin": both}
    assert who(permissions.read) == {"admin": both}
    assert who(permissions.approve, other) == {}
    assert has(environment, None, tenant, permissions.approve, role="service_role")[0]
    environment.suspend(tenant)
    assert who(permissions.approve) == {}
    assert not has(environment, None, tenant, permissions.approve, role="service_role")[0]


def test_nobody_has_a_permission_that_is_not_declared(
    database: psycopg.Connection[dict[str, Any]], environment: Environment, tenant: str
) -> None:
    name = f"{tenant}.undeclared"
    ask = "select tenancy.has_permission(%s, %s) as has"

    assert database.execute(ask, (tenant, name)).fetchone() == {"has": False}
    with pytest.raises(psycopg.Error, match="There is no permission"), database.transaction():
        database.execute("select tenancy.permission_test(%s, %s)", (tenant, name))

    database.execute("select tenancy.declare_permission(%s)", (name,))
    assert database.execute(ask, (tenant, name)).fetchone() == {"has": True}


# Roles of the template --------------------------------------------------------------------


@pytest.fixture(scope="module")
def url(server: Postgres) -> Iterator[str]:
    """A project of its own, because a declared role is one of all tenants."""
    with complete_database(server) as name:
        url = server.url(name)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("select tenancy.declare_permission('invoices.approve')")
            connection.execute("select tenancy.declare_permission('invoices.read')")
            for tenant in ("acme", "globex"):
                connection.execute("select public.create_tenant_schema(%s)", (tenant,))
        yield url


@pytest.fixture
def project(url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        yield connection
        connection.rollback()


def hire(project: psycopg.Connection[dict[str, Any]], tenant: str, *roles: str) -> Person:
    row = project.execute(
        "insert into auth.users (id, aud, role) values"
        " (gen_random_uuid(), 'authenticated', 'authenticated') returning id::text"
    ).fetchone()
    assert row is not None
    project.execute(
        "select public.grant_schema_access(%s, %s, roles => %s)", (tenant, row["id"], [*roles])
    )
    return Person(None, row["id"])


def test_declared_role_is_one_of_every_tenant_and_changes_in_all(
    project: psycopg.Connection[dict[str, Any]],
) -> None:
    declare = "select tenancy.declare_role('approver', %s, 'Approves.')"
    both = ["invoices.approve", "invoices.read"]
    project.execute(declare, (both,))
    project.execute("select public.define_role('acme', 'reader', '{invoices.read}')")
    ann, bob = hire(project, "acme", "approver", "reader"), hire(project, "globex", "approver")
    assert grant_of(project, "globex", bob)["permissions"] == both

    project.execute(declare, (["invoices.approve"],))
    entries = (
        "select count(*) as n from public.admin_audit_log where action = 'access.declare_role'"
    )
    assert project.execute(entries).fetchone() == {"n": 2}
    project.execute(declare, (["invoices.approve"],))
    assert project.execute(entries).fetchone() == {"n": 2}

    assert grant_of(project, "globex", bob)["permissions"] == ["invoices.approve"]
    # Ann's own role of Acme gives the other one.
    assert grant_of(project, "acme", ann)["permissions"] == both
    rows = project.execute("select * from public.list_roles('acme')").fetchall()
    assert [(row["role_name"], row["is_template"]) for row in rows] == [
        ("approver", True),
        ("reader", False),
    ]


def test_a_role_is_of_the_template_or_of_the_tenant(
    project: psycopg.Connection[dict[str, Any]],
) -> None:
    def refusal(statement: str) -> str | None:
        try:
            with project.transaction():
                project.execute(statement.encode())
        except psycopg.Error as error:
            return error.diag.message_detail
        return None

    project.execute("select tenancy.declare_role('approver', '{}')")
    assert refusal("select public.define_role('acme', 'approver', '{}')") == "role_exists"
    assert refusal("select public.drop_role('acme', 'approver')") == "role_not_found"
    assert refusal("select public.define_role('acme', 'reader', '{}')") is None
    assert refusal("select tenancy.declare_role('reader', '{}')") == "role_exists"
    assert refusal("select tenancy.declare_role('writer', '{invoices.sign}')") == (
        "permission_not_found"
    )
    for name in ("invoices", "Invoices.read", "invoices.", "a." + "b" * 100):
        assert refusal(f"select tenancy.declare_permission('{name}')") == "invalid_identifier"


def test_grant_in_the_moment_of_a_change_gets_the_changed_permissions(url: str) -> None:
    with (
        psycopg.connect(url, autocommit=True, row_factory=dict_row) as owner,
        psycopg.connect(url, row_factory=dict_row) as admin,
        ThreadPoolExecutor() as thread,
    ):
        owner.execute("select tenancy.declare_role('racer', '{invoices.read}')")
        member = hire(admin, "acme", "racer")
        narrowing = thread.submit(owner.execute, "select tenancy.declare_role('racer', '{}')")

        def is_waiting() -> bool:
            row = admin.execute(
                "select pg_blocking_pids(%s) as pids", (owner.info.backend_pid,)
            ).fetchone()
            assert row is not None
            return bool(row["pids"])

        until(is_waiting)
        assert grant_of(admin, "acme", member)["permissions"] == ["invoices.read"]
        admin.commit()
        narrowing.result()

        assert grant_of(admin, "acme", member)["permissions"] == []


def test_roles_change_under_the_lock_of_the_tenant(
    environment: Environment, tenant: str, admin: Person
) -> None:
    define(environment, tenant, "clerk")
    operations: dict[str, Any] = {"define_role": {"permissions": []}, "drop_role": {}}

    calls = [
        partial(environment.rpc, admin, name, schema_name=tenant, role_name="clerk", **more)
        for name, more in operations.items()
    ]

    with holding(environment.address, HOLD_TENANT, tenant):
        assert [refusal(reply) for reply in at_once(*calls)] == [(429, "busy")] * 2
    assert [call().status_code for call in calls] == [200, 200]


def test_impossible_rule_for_own_rows_is_refused(
    project: psycopg.Connection[dict[str, Any]],
) -> None:
    own = "rows => 'own', owner_column => "
    project.execute("create table acme.own (owner_id uuid, note text)")

    for arguments, problem in (
        ("rows => 'mine', owner_column => 'owner_id'", "with rows => 'own'"),
        ("rows => 'own'", "with rows => 'own'"),
        ("owner_column => 'owner_id'", "with rows => 'own'"),
        ("all_rows => 'invoices.read'", "with rows => 'own'"),
        (own + "'other_id'", 'no column "other_id" of type uuid'),
        (own + "'note'", 'no column "note" of type uuid'),
        (own + "'owner_id', all_rows => 'own.read'", 'no permission "own.read"'),
        (own + "'owner_id', all_rows => 'invoices.read'", None),
    ):
        enable = f"select tenancy.enable_tenant_table('acme', 'own', {arguments})"
        if problem is None:
            project.execute(enable.encode())
        else:
            with pytest.raises(psycopg.Error, match=problem), project.transaction():
                project.execute(enable.encode())
