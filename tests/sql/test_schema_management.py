"""Creating, renaming, suspending and deleting a tenant: the changes and the audit log."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from support.audited_call import audited_call, registry
from support.entry_points import ENTRY_POINTS
from support.environment import Environment, Person


@pytest.fixture
def admin(environment: Environment) -> Person:
    """A platform admin. The tenants that this user creates are removed after the test."""
    return environment.staff("admin")


@pytest.fixture
def super_admin(environment: Environment) -> Person:
    return environment.staff("super_admin")


def tables(environment: Environment, schema_name: str) -> set[str]:
    found = environment.sql.execute(
        "select tablename from pg_catalog.pg_tables where schemaname = %s", (schema_name,)
    )
    return {row["tablename"] for row in found}


def exposed(environment: Environment) -> list[str]:
    row = environment.sql.execute("select tenancy.exposed_schemas() as schemas").fetchone()
    assert row is not None
    schemas: list[str] = row["schemas"]
    return schemas


def actions(environment: Environment, schema_name: str) -> list[str]:
    found = environment.sql.execute(
        "select action from public.admin_audit_log where schema_name = %s order by id",
        (schema_name,),
    )
    return [row["action"] for row in found]


# Create ---------------------------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_creation_adds_the_schema_the_row_and_one_entry(
    environment: Environment, admin: Person, entry_point: str
) -> None:
    name = environment.name()

    done = audited_call(
        environment,
        admin,
        "create_tenant_schema",
        entry_point=entry_point,
        schema_name=name,
        display_name="Acme, Inc.",
    )

    assert done.result["schema_name"] == name
    assert done.result["display_name"] == "Acme, Inc."
    assert done.result["status"] == "active"
    assert done.result["created_by"] == admin.id
    assert tables(environment, name) == {"settings", "users", "audit_log"}
    assert name in exposed(environment)
    assert done.entry == {
        "actor_id": admin.id,
        "actor_role": "admin",
        "action": "tenant.create",
        "schema_name": name,
        "tenant_id": done.result["id"],
        "details": {"after": done.result},
    }


def test_default_display_name_is_the_schema_name(
    environment: Environment, admin: Person
) -> None:
    name = environment.name()

    made = audited_call(environment, admin, "create_tenant_schema", schema_name=name).result

    assert made["display_name"] == name


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_default_schema_name_is_opaque(
    environment: Environment, admin: Person, entry_point: str
) -> None:
    done = audited_call(
        environment, admin, "create_tenant_schema", entry_point=entry_point, display_name="Acme"
    )

    name = done.result["schema_name"]
    assert re.fullmatch("t_[0-9a-z]{20}", name)
    assert done.result["display_name"] == "Acme"
    assert done.entry["schema_name"] == name
    assert tables(environment, name) == {"settings", "users", "audit_log"}


def test_two_opaque_names_differ(environment: Environment, admin: Person) -> None:
    names = {
        audited_call(environment, admin, "create_tenant_schema").result["schema_name"]
        for _ in range(2)
    }

    assert len(names) == 2


def test_name_of_another_tenant_is_refused(environment: Environment, admin: Person) -> None:
    name = environment.tenant()
    before = registry(environment, name)

    again = audited_call(environment, admin, "create_tenant_schema", schema_name=name)

    assert again.refusal == (409, "tenant_exists")
    assert registry(environment, name) == before


def test_name_of_another_schema_is_refused(environment: Environment, admin: Person) -> None:
    name = environment.name()
    environment.sql.execute(SQL("create schema {}").format(Identifier(name)))
    try:
        refused = audited_call(environment, admin, "create_tenant_schema", schema_name=name)
        assert refused.refusal == (409, "schema_exists")
        assert registry(environment, name) is None
    finally:
        environment.sql.execute(SQL("drop schema {}").format(Identifier(name)))

    assert audited_call(environment, admin, "create_tenant_schema", schema_name=name).result


# Rename ---------------------------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_renaming_changes_only_the_display_name(
    environment: Environment, admin: Person, entry_point: str
) -> None:
    name = environment.tenant()
    before = registry(environment, name)

    done = audited_call(
        environment,
        admin,
        "rename_tenant",
        entry_point=entry_point,
        schema_name=name,
        display_name="New name",
    )

    after = registry(environment, name)
    assert after["tenant"] == done.result
    changed = {key for key in after["tenant"] if after["tenant"][key] != before["tenant"][key]}
    assert changed == {"display_name", "updated_at"}
    assert done.entry == {
        "actor_id": admin.id,
        "actor_role": "admin",
        "action": "tenant.rename",
        "schema_name": name,
        "tenant_id": done.result["id"],
        "details": {"before": name, "after": "New name"},
    }


def test_renaming_by_a_tenant_admin_is_logged_with_their_role(environment: Environment) -> None:
    name = environment.tenant()
    tenant_admin = environment.member(name, "admin")

    done = audited_call(
        environment, tenant_admin, "rename_tenant", schema_name=name, display_name="Ours"
    )

    assert (done.entry["actor_id"], done.entry["actor_role"]) == (
        tenant_admin.id,
        "tenant_admin",
    )


def test_renaming_to_the_same_name_changes_nothing(
    environment: Environment, admin: Person
) -> None:
    name = environment.tenant()
    arguments: dict[str, Any] = {"schema_name": name, "display_name": "Acme"}
    first = audited_call(environment, admin, "rename_tenant", **arguments)
    before = registry(environment, name)

    second = audited_call(environment, admin, "rename_tenant", **arguments)

    assert first.entry
    assert second.result == first.result
    assert second.entries == []
    assert registry(environment, name) == before


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize("operation", ["create_tenant_schema", "rename_tenant"])
@pytest.mark.parametrize(
    ("display_name", "status"),
    [("", 422), (" \n\u3000\u00a0\u200b", 422), ("x", 200), ("ß" * 200, 200), ("ß" * 201, 422)],
    ids=["empty", "blank", "one", "longest", "too long"],
)
def test_display_name_has_1_to_200_characters(
    environment: Environment,
    admin: Person,
    entry_point: str,
    operation: str,
    display_name: str,
    status: int,
) -> None:
    name = environment.name() if operation == "create_tenant_schema" else environment.tenant()
    before = registry(environment, name)

    done = audited_call(
        environment,
        admin,
        operation,
        entry_point=entry_point,
        schema_name=name,
        display_name=display_name,
    )

    assert done.reply.status_code == status
    if status == 200:
        assert done.result["display_name"] == display_name
        assert done.entry
    else:
        assert done.entries == []
        assert registry(environment, name) == before


# Suspend and activate -------------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_suspension_records_the_time_and_the_reason(
    environment: Environment, admin: Person, entry_point: str
) -> None:
    name = environment.tenant()
    before = registry(environment, name)["tenant"]

    done = audited_call(
        environment,
        admin,
        "suspend_tenant",
        entry_point=entry_point,
        schema_name=name,
        reason="unpaid",
    )

    assert done.result["status"] == "suspended"
    assert done.result["suspended_at"] is not None
    assert done.result["suspension_reason"] == "unpaid"
    assert done.entry == {
        "actor_id": admin.id,
        "actor_role": "admin",
        "action": "tenant.suspend",
        "schema_name": name,
        "tenant_id": before["id"],
        "details": {"before": before, "after": done.result},
    }


def test_suspending_again_keeps_the_first_reason(
    environment: Environment, admin: Person
) -> None:
    name = environment.tenant()
    first = audited_call(
        environment, admin, "suspend_tenant", schema_name=name, reason="unpaid"
    )
    before = registry(environment, name)

    second = audited_call(
        environment, admin, "suspend_tenant", schema_name=name, reason="other"
    )

    assert second.result == first.result
    assert second.entries == []
    assert registry(environment, name) == before


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize(("length", "status"), [(1000, 200), (1001, 422)])
def test_reason_has_at_most_1000_characters(
    environment: Environment, admin: Person, entry_point: str, length: int, status: int
) -> None:
    name = environment.tenant()

    done = audited_call(
        environment,
        admin,
        "suspend_tenant",
        entry_point=entry_point,
        schema_name=name,
        reason="x" * length,
    )

    assert done.reply.status_code == status
    assert len(done.entries) == (status == 200)
    expected = "suspended" if status == 200 else "active"
    assert registry(environment, name)["tenant"]["status"] == expected


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_activating_clears_the_suspension_and_restores_the_privileges(
    environment: Environment, admin: Person, entry_point: str
) -> None:
    name = environment.tenant()
    fresh = registry(environment, name)
    suspended = audited_call(
        environment, admin, "suspend_tenant", schema_name=name, reason="unpaid"
    ).result
    closed = registry(environment, name)

    done = audited_call(
        environment, admin, "activate_tenant", entry_point=entry_point, schema_name=name
    )

    reopened = registry(environment, name)
    assert done.result["status"] == "active"
    assert done.result["suspended_at"] is None
    assert done.result["suspension_reason"] is None
    assert done.entry == {
        "actor_id": admin.id,
        "actor_role": "admin",
        "action": "tenant.activate",
        "schema_name": name,
        "tenant_id": done.result["id"],
        "details": {"before": suspended, "after": done.result},
    }
    for acl in ("schema_acl", "relation_acls"):
        assert closed[acl] != fresh[acl]
        assert reopened[acl] == fresh[acl]


def test_tenant_without_its_schema_cannot_be_activated(
    environment: Environment, database: psycopg.Connection[dict[str, Any]]
) -> None:
    name = environment.tenant()
    environment.suspend(name)

    # Not committed: a listed schema that is missing would make the whole Data API fail.
    database.execute(SQL("drop schema {} cascade").format(Identifier(name)))
    with pytest.raises(psycopg.errors.InvalidSchemaName):
        database.execute("select public.activate_tenant(%s)", (name,))

    database.rollback()
    database.execute("select public.activate_tenant(%s)", (name,))


def test_activating_an_active_tenant_changes_nothing(
    environment: Environment, admin: Person
) -> None:
    name = environment.tenant()
    before = registry(environment, name)

    done = audited_call(environment, admin, "activate_tenant", schema_name=name)

    assert done.result == before["tenant"]
    assert done.entries == []
    assert registry(environment, name) == before


# Delete ---------------------------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_active_tenant_cannot_be_deleted(
    environment: Environment, super_admin: Person, entry_point: str
) -> None:
    name = environment.tenant()
    before = registry(environment, name)

    refused = audited_call(
        environment,
        super_admin,
        "delete_tenant_schema",
        entry_point=entry_point,
        schema_name=name,
    )

    assert refused.refusal == (409, "tenant_active")
    assert registry(environment, name) == before


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_deletion_removes_the_tenant_and_keeps_its_audit_log(
    environment: Environment, super_admin: Person, entry_point: str
) -> None:
    name = environment.tenant()
    member = environment.member(name, "read")
    environment.suspend(name)
    before = registry(environment, name)["tenant"]
    size = environment.rpc(super_admin, "get_schema_summary", schema_name=name).json()[
        "total_bytes"
    ]

    done = audited_call(
        environment,
        super_admin,
        "delete_tenant_schema",
        entry_point=entry_point,
        schema_name=name,
    )

    assert done.result == before
    assert done.entry == {
        "actor_id": super_admin.id,
        "actor_role": "super_admin",
        "action": "tenant.delete",
        "schema_name": name,
        "tenant_id": before["id"],
        "details": {
            "before": before,
            "audit_log": {
                **{"entries": 0, "unsealed": 0, "pruned": 0},
                **{"sealed_total": 0, "head": None},
            },
            "removed": {
                "tables": 3,
                "rows": done.entry["details"]["removed"]["rows"],
                "rows_are_estimated": True,
                "bytes": size,
            },
        },
    }
    assert registry(environment, name) is None
    assert grants(environment, member) == 0
    assert exposed(environment).count(name) == 0
    assert environment.sql.execute("select to_regnamespace(%s) as n", (name,)).fetchone() == {
        "n": None
    }
    assert actions(environment, name) == [
        "tenant.create",
        "access.grant",
        "tenant.suspend",
        "tenant.delete",
    ]


# Objects of the project that depend on a tenant {0}, and what the refusal calls them. {1} is
# another tenant, {2} a name.
OUTSIDE = {
    "view over two tenants": (
        "create view public.{2} as"
        " select key from {0}.settings union select key from {1}.settings",
        "drop view public.{2}",
        "view public.{2}",
    ),
    "materialized view": (
        "create materialized view public.{2} as select key from {0}.settings",
        "drop materialized view public.{2}",
        "materialized view public.{2}",
    ),
    "function that returns a row": (
        "create function public.{2}() returns setof {0}.users language sql"
        " as 'select null::{0}.users'",
        "drop function public.{2}()",
        "function public.{2}()",
    ),
    "function that reads a table": (
        "create function public.{2}() returns bigint begin atomic"
        " select count(*) from {0}.users; end",
        "drop function public.{2}()",
        "function public.{2}()",
    ),
    "foreign key": (
        "create table public.{2} (user_id uuid constraint {2}_fkey references {0}.users (id))",
        "drop table public.{2}",
        "constraint {2}_fkey on table public.{2}",
    ),
    "column of a row's type": (
        "create table public.{2} (seen {0}.users)",
        "drop table public.{2}",
        "column seen of table public.{2}",
    ),
    "partition": (
        "create table {0}.parts (id integer) partition by list (id);"
        "create table public.{2} partition of {0}.parts default",
        "drop table public.{2}",
        "table public.{2}",
    ),
    "foreign key of another tenant": (
        "alter table {1}.users add constraint {2}_fkey"
        " foreign key (id) references {0}.users (id) not valid",
        "alter table {1}.users drop constraint {2}_fkey",
        "constraint {2}_fkey on table {1}.users",
    ),
}


@pytest.mark.parametrize("kind", OUTSIDE)
def test_tenant_on_which_others_depend_cannot_be_deleted(
    environment: Environment, super_admin: Person, kind: str
) -> None:
    name, other, outside = environment.tenant(), environment.tenant(), environment.name()
    make, drop, description = (text.format(name, other, outside) for text in OUTSIDE[kind])

    def delete() -> Any:
        return audited_call(environment, super_admin, "delete_tenant_schema", schema_name=name)

    environment.sql.execute(make.encode())
    try:
        environment.suspend(name)
        before = registry(environment, name)
        refused = delete()
        assert refused.refusal == (409, "has_dependents")
        assert refused.reply.json()["message"].endswith(
            f'depend on tenant "{name}": {description}.'
        )
        assert registry(environment, name) == before
    finally:
        environment.sql.execute(drop.encode())

    delete().must_succeed()


def test_objects_in_a_tenant_do_not_keep_it_from_being_deleted(
    environment: Environment, super_admin: Person
) -> None:
    name = environment.tenant()
    environment.sql.execute(
        SQL(
            "create table {0}.orders (id serial primary key, user_id uuid references {0}.users,"
            " state text check (state <> ''), unique (user_id, state));"
            "create index on {0}.orders (state);"
            "create statistics {0}.orders_stats on user_id, state from {0}.orders;"
            "create view {0}.open_orders as select * from {0}.orders;"
            "create view {0}.of_users as select o from {0}.open_orders o;"
            "create domain {0}.word as text; create type {0}.pair as (a {0}.word, b {0}.users);"
            "create function {0}.first() returns {0}.orders language sql"
            " as 'select null::{0}.orders';"
            "create publication {1} for table {0}.orders;"
            "alter default privileges in schema {0} grant select on tables to postgres"
        ).format(Identifier(name), Identifier(name))
    )
    try:
        environment.suspend(name)
        audited_call(
            environment, super_admin, "delete_tenant_schema", schema_name=name
        ).must_succeed()
    finally:
        environment.sql.execute(SQL("drop publication {}").format(Identifier(name)))


def test_readers_do_not_wait_while_the_audit_log_is_closed(
    environment: Environment, database: psycopg.Connection[dict[str, Any]]
) -> None:
    name = environment.tenant()
    database.execute("select tenancy.close_audit_log(%s)", (name,))

    with psycopg.connect(environment.address.db_url, autocommit=True) as other:
        other.execute("set lock_timeout = '1s'")
        log = Identifier(name, "audit_log")
        assert other.execute(SQL("select from {}").format(log)).fetchall() == []
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute(
                SQL("insert into {} (action, table_name) values ('x', 'x')").format(log)
            )


def test_deletion_keeps_the_other_tenants(
    environment: Environment, super_admin: Person
) -> None:
    doomed, other = environment.tenant(), environment.tenant()
    member = environment.member(other, "read")
    environment.suspend(doomed)
    before = registry(environment, other)

    audited_call(
        environment, super_admin, "delete_tenant_schema", schema_name=doomed
    ).must_succeed()

    assert registry(environment, other) == before
    assert grants(environment, member) == 1
    assert other in exposed(environment)


def test_deleted_tenant_is_not_found(environment: Environment, super_admin: Person) -> None:
    name = environment.tenant()
    environment.suspend(name)
    audited_call(
        environment, super_admin, "delete_tenant_schema", schema_name=name
    ).must_succeed()

    again = audited_call(environment, super_admin, "delete_tenant_schema", schema_name=name)

    assert again.refusal == (404, "tenant_not_found")


def test_new_tenant_with_an_old_name_does_not_show_the_old_audit_log(
    environment: Environment, super_admin: Person
) -> None:
    name = environment.tenant()
    old_id = registry(environment, name)["tenant"]["id"]
    environment.suspend(name)
    audited_call(
        environment, super_admin, "delete_tenant_schema", schema_name=name
    ).must_succeed()
    new = audited_call(
        environment, super_admin, "create_tenant_schema", schema_name=name
    ).result
    new_admin = environment.member(name, "admin")

    def seen_by(person: Person) -> list[Any]:
        reply = environment.rows(
            person,
            "public",
            "admin_audit_log",
            params={"schema_name": f"eq.{name}", "select": "tenant_id,action", "order": "id"},
        ).raise_for_status()
        return [(row["tenant_id"], row["action"]) for row in reply.json()]

    news = [(new["id"], "tenant.create"), (new["id"], "access.grant")]
    olds = [(old_id, f"tenant.{verb}") for verb in ("create", "suspend", "delete")]
    assert seen_by(new_admin) == news
    assert seen_by(super_admin) == olds + news


def grants(environment: Environment, person: Person) -> int:
    row = environment.sql.execute(
        "select count(*) from public.user_schema_access where user_id = %s", (person.id,)
    ).fetchone()
    assert row is not None
    count: int = row["count"]
    return count
