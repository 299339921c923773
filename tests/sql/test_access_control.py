"""Grants on tenants, and platform roles: who gives them, who revokes them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from support.audited_call import audited_call, registry
from support.entry_points import ENTRY_POINTS, HOLD_TENANT, holding, waiter
from support.environment import Address, Environment, Person

NOW = datetime.now(UTC)
TOMORROW = NOW + timedelta(days=1)
SOONER = TOMORROW - timedelta(seconds=1)
LATER = TOMORROW + timedelta(seconds=1)


@pytest.fixture
def admin(environment: Environment, tenant: str) -> Person:
    """An admin of the tenant, without an expiry."""
    return environment.member(tenant, "admin")


@pytest.fixture
def expiring_admin(environment: Environment, tenant: str) -> Person:
    """An admin of the tenant whose access expires tomorrow."""
    return environment.member(tenant, "admin", TOMORROW)


@pytest.fixture
def super_admin(environment: Environment) -> Person:
    return environment.staff("super_admin")


def grant_of(
    environment: Environment, schema_name: str, person: Person
) -> dict[str, Any] | None:
    row = environment.sql.execute(
        "select to_jsonb(a) as row from public.user_schema_access a"
        " where user_id = %s and schema_name = %s",
        (person.id, schema_name),
    ).fetchone()
    return row and row["row"]


def role_of(environment: Environment, person: Person) -> str | None:
    row = environment.sql.execute(
        "select role::text from public.admin_users where user_id = %s", (person.id,)
    ).fetchone()
    return None if row is None else str(row["role"])


# Grant ----------------------------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_grant_gives_access_and_leaves_one_entry(
    environment: Environment, tenant: str, admin: Person, entry_point: str
) -> None:
    person = environment.person()
    assert audited_call(
        environment, person, "check_tenant_status", schema_name=tenant
    ).refusal == (
        404,
        "tenant_not_found",
    )

    done = audited_call(
        environment,
        admin,
        "grant_schema_access",
        entry_point=entry_point,
        schema_name=tenant,
        user_id=person.id,
        access_level="write",
        expires_at=TOMORROW.isoformat(),
    )

    assert audited_call(environment, person, "get_tenant_info", schema_name=tenant).result[
        "access_level"
    ] == ("write")
    assert done.result == grant_of(environment, tenant, person)
    assert done.result["access_level"] == "write"
    assert datetime.fromisoformat(done.result["expires_at"]) == TOMORROW
    assert done.result["granted_by"] == admin.id
    assert done.entry == {
        "actor_id": admin.id,
        "actor_role": "tenant_admin",
        "action": "access.grant",
        "schema_name": tenant,
        "tenant_id": registry(environment, tenant)["tenant"]["id"],
        "details": {"before": None, "after": done.result},
    }


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_grant_defaults_to_read_without_an_expiry(
    environment: Environment, tenant: str, admin: Person, entry_point: str
) -> None:
    made = audited_call(
        environment,
        admin,
        "grant_schema_access",
        entry_point=entry_point,
        schema_name=tenant,
        user_id=environment.person().id,
    ).result

    assert (made["access_level"], made["expires_at"]) == ("read", None)


@pytest.mark.parametrize("expires_at", [None, TOMORROW.isoformat()], ids=["for good", "ends"])
def test_same_grant_again_changes_nothing(
    environment: Environment, tenant: str, admin: Person, expires_at: str | None
) -> None:
    arguments: dict[str, Any] = {
        "schema_name": tenant,
        "user_id": environment.person().id,
        "access_level": "write",
        "expires_at": expires_at,
    }
    first = audited_call(environment, environment.service, "grant_schema_access", **arguments)
    before = registry(environment, tenant)

    second = audited_call(environment, admin, "grant_schema_access", **arguments)

    assert first.entry
    assert second.result == first.result
    assert second.entries == []
    assert registry(environment, tenant) == before


@pytest.mark.parametrize(
    ("level", "expires_at"),
    [("read", None), ("admin", None), ("write", LATER.isoformat())],
    ids=["lower", "higher", "with an end"],
)
def test_another_grant_replaces_the_first(
    environment: Environment, tenant: str, admin: Person, level: str, expires_at: str | None
) -> None:
    person = environment.member(tenant, "write")
    before = grant_of(environment, tenant, person)

    done = audited_call(
        environment,
        admin,
        "grant_schema_access",
        schema_name=tenant,
        user_id=person.id,
        access_level=level,
        expires_at=expires_at,
    )

    assert done.result["access_level"] == level
    assert done.result["granted_by"] == admin.id
    assert done.result == grant_of(environment, tenant, person)
    assert done.entry["details"] == {"before": before, "after": done.result}


def test_expired_grant_is_renewed(environment: Environment, tenant: str, admin: Person) -> None:
    person = environment.member(tenant, "read", NOW - timedelta(hours=1))
    assert audited_call(environment, person, "list_my_tenants").result == []

    audited_call(
        environment, admin, "grant_schema_access", schema_name=tenant, user_id=person.id
    ).must_succeed()

    [mine] = audited_call(environment, person, "list_my_tenants").result
    assert mine["schema_name"] == tenant


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_grant_to_an_unknown_user_is_refused(
    environment: Environment, tenant: str, admin: Person, entry_point: str
) -> None:
    unknown = str(uuid.uuid4())

    refused = audited_call(
        environment,
        admin,
        "grant_schema_access",
        entry_point=entry_point,
        schema_name=tenant,
        user_id=unknown,
    )

    assert refused.refusal == (404, "user_not_found")


# One's own grant ------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["read", "write", "admin"])
@pytest.mark.parametrize("expires_at", [None, LATER.isoformat()], ids=["for good", "ends"])
def test_tenant_admin_cannot_change_their_own_grant(
    environment: Environment,
    tenant: str,
    admin: Person,
    expiring_admin: Person,
    level: str,
    expires_at: str | None,
) -> None:
    arguments: dict[str, Any] = {
        "schema_name": tenant,
        "user_id": expiring_admin.id,
        "access_level": level,
        "expires_at": expires_at,
    }
    before = grant_of(environment, tenant, expiring_admin)

    own = audited_call(environment, expiring_admin, "grant_schema_access", **arguments)
    assert own.refusal == (409, "own_grant")
    assert grant_of(environment, tenant, expiring_admin) == before

    of_another = audited_call(environment, admin, "grant_schema_access", **arguments)
    assert of_another.entry


def test_viewer_who_is_a_tenant_admin_cannot_change_their_own_grant(
    environment: Environment, tenant: str
) -> None:
    viewer = environment.staff("viewer")
    environment.grant(tenant, viewer, "admin")

    refused = audited_call(
        environment,
        viewer,
        "grant_schema_access",
        schema_name=tenant,
        user_id=viewer.id,
        access_level="write",
    )

    assert refused.refusal == (409, "own_grant")


# An admin whose own grant expires -------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize(
    ("level", "expires_at"),
    [
        ("admin", None),
        ("admin", TOMORROW),
        ("admin", SOONER),
        ("read", None),
        ("write", None),
        ("read", LATER),
        ("write", LATER),
    ],
    ids=[
        "admin for good",
        "admin until the same moment",
        "admin until sooner",
        "read for good",
        "write for good",
        "read until later",
        "write until later",
    ],
)
def test_expiring_admin_cannot_grant_admin_nor_past_their_own_expiry(
    environment: Environment,
    tenant: str,
    admin: Person,
    expiring_admin: Person,
    entry_point: str,
    level: str,
    expires_at: datetime | None,
) -> None:
    arguments: dict[str, Any] = {
        "schema_name": tenant,
        "user_id": environment.person().id,
        "access_level": level,
        "expires_at": expires_at and expires_at.isoformat(),
    }

    refused = audited_call(
        environment, expiring_admin, "grant_schema_access", entry_point=entry_point, **arguments
    )
    assert refused.refusal == (403, "forbidden")

    allowed = audited_call(
        environment, admin, "grant_schema_access", entry_point=entry_point, **arguments
    )
    assert allowed.entry


@pytest.mark.parametrize("level", ["read", "write"])
@pytest.mark.parametrize("expires_at", [SOONER, TOMORROW], ids=["sooner", "the same moment"])
def test_expiring_admin_grants_up_to_their_own_expiry(
    environment: Environment,
    tenant: str,
    expiring_admin: Person,
    level: str,
    expires_at: datetime,
) -> None:
    done = audited_call(
        environment,
        expiring_admin,
        "grant_schema_access",
        schema_name=tenant,
        user_id=environment.person().id,
        access_level=level,
        expires_at=expires_at.isoformat(),
    )

    assert done.entry["actor_id"] == expiring_admin.id


def test_expiring_admin_cannot_be_extended_by_somebody_they_granted(
    environment: Environment, tenant: str, expiring_admin: Person
) -> None:
    colleague = environment.member(tenant, "write", TOMORROW)
    arguments: dict[str, Any] = {"schema_name": tenant, "access_level": "admin"}

    promoted = audited_call(
        environment, expiring_admin, "grant_schema_access", user_id=colleague.id, **arguments
    )
    assert promoted.refusal == (403, "forbidden")

    extended = audited_call(
        environment, colleague, "grant_schema_access", user_id=expiring_admin.id, **arguments
    )
    assert extended.refusal == (403, "forbidden")


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize(
    "change",
    ["revoke", "shorten", "demote and shorten", "raise and shorten"],
)
@pytest.mark.parametrize("level", ["read", "write", "admin"])
@pytest.mark.parametrize("expires_at", [None, LATER], ids=["for good", "later"])
def test_expiring_admin_cannot_change_or_end_a_grant_that_ends_later(
    environment: Environment,
    tenant: str,
    admin: Person,
    expiring_admin: Person,
    entry_point: str,
    change: str,
    level: str,
    expires_at: datetime | None,
) -> None:
    person = environment.member(tenant, level, expires_at)
    before = grant_of(environment, tenant, person)
    arguments: dict[str, Any] = {"schema_name": tenant, "user_id": person.id}
    operation = "revoke_schema_access" if change == "revoke" else "grant_schema_access"
    if change != "revoke":
        new_level = {"demote and shorten": "read", "raise and shorten": "write"}
        arguments |= {
            "access_level": new_level.get(change, "read" if level == "admin" else level),
            "expires_at": SOONER.isoformat(),
        }

    refused = audited_call(
        environment, expiring_admin, operation, entry_point=entry_point, **arguments
    )
    assert refused.refusal == (403, "forbidden")
    assert grant_of(environment, tenant, person) == before

    assert audited_call(
        environment, admin, operation, entry_point=entry_point, **arguments
    ).entry


@pytest.mark.parametrize("operation", ["revoke_schema_access", "grant_schema_access"])
@pytest.mark.parametrize("level", ["read", "admin"])
@pytest.mark.parametrize(
    "expires_at",
    [NOW - timedelta(hours=1), SOONER, TOMORROW],
    ids=["expired", "sooner", "the same moment"],
)
def test_expiring_admin_changes_and_ends_grants_that_end_no_later(
    environment: Environment,
    tenant: str,
    expiring_admin: Person,
    operation: str,
    level: str,
    expires_at: datetime,
) -> None:
    person = environment.member(tenant, level, expires_at)
    arguments: dict[str, Any] = {"schema_name": tenant, "user_id": person.id}
    if operation == "grant_schema_access":
        arguments |= {"access_level": "write", "expires_at": SOONER.isoformat()}

    done = audited_call(environment, expiring_admin, operation, **arguments)

    assert done.entry["actor_id"] == expiring_admin.id


@pytest.mark.usefixtures("admin")
def test_expiring_admin_may_leave(
    environment: Environment, tenant: str, expiring_admin: Person
) -> None:
    audited_call(
        environment,
        expiring_admin,
        "revoke_schema_access",
        schema_name=tenant,
        user_id=expiring_admin.id,
    ).must_succeed()

    assert grant_of(environment, tenant, expiring_admin) is None


@pytest.mark.parametrize("role", ["viewer", "admin", "super_admin"])
def test_platform_admin_whose_grant_expires_ends_every_grant(
    environment: Environment, tenant: str, role: str
) -> None:
    staff, person = environment.staff(role), environment.member(tenant, "admin")
    environment.grant(tenant, staff, "admin", TOMORROW)

    done = audited_call(
        environment, staff, "revoke_schema_access", schema_name=tenant, user_id=person.id
    )

    if role == "viewer":
        assert done.refusal == (403, "forbidden")
    else:
        assert done.entry["actor_role"] == role


def test_admin_whose_own_expiry_was_set_meanwhile_cannot_revoke(
    environment: Environment, tenant: str, address: Address, admin: Person
) -> None:
    """The expiry counts that is in force when the call gets the tenant."""
    person = environment.member(tenant, "admin")
    with holding(address, HOLD_TENANT, tenant) as holder, ThreadPoolExecutor(1) as threads:
        call = threads.submit(
            audited_call,
            environment,
            admin,
            "revoke_schema_access",
            schema_name=tenant,
            user_id=person.id,
        )
        with Environment(address) as observer:
            waiter(observer, holder.info.backend_pid, call)
        holder.execute(
            "update public.user_schema_access set expires_at = %s"
            " where schema_name = %s and user_id = %s",
            (TOMORROW, tenant, admin.id),
        )
        holder.commit()
        assert call.result().refusal == (403, "forbidden")

    assert grant_of(environment, tenant, person)


# Revoke ---------------------------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_revoking_ends_access_and_leaves_one_entry(
    environment: Environment, tenant: str, admin: Person, entry_point: str
) -> None:
    person = environment.member(tenant, "write")
    before = grant_of(environment, tenant, person)
    assert audited_call(environment, person, "check_tenant_status", schema_name=tenant).result

    done = audited_call(
        environment,
        admin,
        "revoke_schema_access",
        entry_point=entry_point,
        schema_name=tenant,
        user_id=person.id,
    )

    assert audited_call(
        environment, person, "check_tenant_status", schema_name=tenant
    ).refusal == (
        404,
        "tenant_not_found",
    )
    assert grant_of(environment, tenant, person) is None
    assert done.result == before
    assert done.entry == {
        "actor_id": admin.id,
        "actor_role": "tenant_admin",
        "action": "access.revoke",
        "schema_name": tenant,
        "tenant_id": registry(environment, tenant)["tenant"]["id"],
        "details": {"before": before},
    }


def test_revoking_again_finds_nothing(
    environment: Environment, tenant: str, admin: Person
) -> None:
    arguments: dict[str, Any] = {
        "schema_name": tenant,
        "user_id": environment.member(tenant, "read").id,
    }
    audited_call(environment, admin, "revoke_schema_access", **arguments).must_succeed()

    again = audited_call(environment, admin, "revoke_schema_access", **arguments)

    assert again.refusal == (404, "user_not_found")


def test_expired_grant_can_be_revoked(
    environment: Environment, tenant: str, admin: Person
) -> None:
    person = environment.member(tenant, "read", NOW - timedelta(hours=1))

    audited_call(
        environment, admin, "revoke_schema_access", schema_name=tenant, user_id=person.id
    ).must_succeed()

    assert grant_of(environment, tenant, person) is None


def test_revoking_ends_only_one_grant(
    environment: Environment, tenant: str, admin: Person
) -> None:
    other_tenant = environment.tenant()
    person, bystander = environment.member(tenant, "read"), environment.member(tenant, "read")
    environment.grant(other_tenant, person, "read")

    audited_call(
        environment, admin, "revoke_schema_access", schema_name=tenant, user_id=person.id
    ).must_succeed()

    assert grant_of(environment, tenant, person) is None
    assert grant_of(environment, tenant, bystander)
    assert grant_of(environment, other_tenant, person)


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize("level", ["read", "write", "admin"])
def test_member_drops_their_own_grant(
    environment: Environment, tenant: str, level: str
) -> None:
    person = environment.member(tenant, level)

    done = audited_call(
        environment, person, "revoke_schema_access", schema_name=tenant, user_id=person.id
    )

    assert grant_of(environment, tenant, person) is None
    assert (done.entry["actor_id"], done.entry["actor_role"]) == (person.id, f"tenant_{level}")


@pytest.mark.parametrize("level", ["read", "write"])
def test_member_cannot_drop_the_grant_of_another(
    environment: Environment, tenant: str, admin: Person, level: str
) -> None:
    person, other = environment.member(tenant, level), environment.member(tenant, "read")
    arguments: dict[str, Any] = {"schema_name": tenant, "user_id": other.id}

    refused = audited_call(environment, person, "revoke_schema_access", **arguments)
    assert refused.refusal == (403, "forbidden")
    assert grant_of(environment, tenant, other)

    assert audited_call(environment, admin, "revoke_schema_access", **arguments).entry


# Platform roles -------------------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_promoting_gives_a_role_and_leaves_one_entry(
    environment: Environment, super_admin: Person, entry_point: str
) -> None:
    person = environment.person()

    done = audited_call(
        environment,
        super_admin,
        "promote_to_admin",
        entry_point=entry_point,
        user_id=person.id,
        role="viewer",
    )

    assert role_of(environment, person) == "viewer"
    assert done.result["user_id"] == person.id
    assert done.result["role"] == "viewer"
    assert done.result["granted_by"] == super_admin.id
    assert done.entry == {
        "actor_id": super_admin.id,
        "actor_role": "super_admin",
        "action": "admin.promote",
        "schema_name": None,
        "tenant_id": None,
        "details": {"before": None, "after": done.result},
    }


def test_role_left_out_is_admin(environment: Environment, super_admin: Person) -> None:
    made = audited_call(
        environment, super_admin, "promote_to_admin", user_id=environment.person().id
    ).result

    assert made["role"] == "admin"


@pytest.mark.parametrize("role", ["viewer", "admin", "super_admin"])
def test_promoting_to_the_present_role_changes_nothing(
    environment: Environment, super_admin: Person, role: str
) -> None:
    arguments: dict[str, Any] = {"user_id": environment.person().id, "role": role}
    first = audited_call(environment, environment.service, "promote_to_admin", **arguments)

    second = audited_call(environment, super_admin, "promote_to_admin", **arguments)

    assert first.entry["actor_role"] == "service_role"
    assert second.result == first.result
    assert second.entries == []


@pytest.mark.parametrize(
    ("old", "new"), [("viewer", "super_admin"), ("super_admin", "viewer")], ids=["up", "down"]
)
def test_promoting_replaces_a_role(
    environment: Environment, super_admin: Person, old: str, new: str
) -> None:
    person = environment.staff(old)

    done = audited_call(
        environment, super_admin, "promote_to_admin", user_id=person.id, role=new
    )

    assert role_of(environment, person) == new
    assert done.entry["details"]["before"]["role"] == old
    assert done.entry["details"]["after"] == done.result


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_promoting_an_unknown_user_is_refused(
    environment: Environment, super_admin: Person, entry_point: str
) -> None:
    refused = audited_call(
        environment,
        super_admin,
        "promote_to_admin",
        entry_point=entry_point,
        user_id=str(uuid.uuid4()),
    )

    assert refused.refusal == (404, "user_not_found")


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_revoking_a_role_leaves_one_entry(
    environment: Environment, super_admin: Person, entry_point: str
) -> None:
    person = environment.staff("admin")
    assert audited_call(
        environment, person, "create_tenant_schema", schema_name=environment.name()
    ).result

    done = audited_call(
        environment, super_admin, "revoke_admin", entry_point=entry_point, user_id=person.id
    )

    assert role_of(environment, person) is None
    assert audited_call(
        environment, person, "create_tenant_schema", schema_name=environment.name()
    ).refusal == (
        403,
        "forbidden",
    )
    assert (done.result["user_id"], done.result["role"]) == (person.id, "admin")
    assert done.entry == {
        "actor_id": super_admin.id,
        "actor_role": "super_admin",
        "action": "admin.revoke",
        "schema_name": None,
        "tenant_id": None,
        "details": {"before": done.result},
    }


def test_revoking_a_role_again_finds_nothing(
    environment: Environment, super_admin: Person
) -> None:
    person = environment.staff("viewer")
    audited_call(environment, super_admin, "revoke_admin", user_id=person.id).must_succeed()

    again = audited_call(environment, super_admin, "revoke_admin", user_id=person.id)

    assert again.refusal == (404, "user_not_found")


@pytest.mark.parametrize(
    ("operation", "arguments", "left"),
    [("revoke_admin", {}, None), ("promote_to_admin", {"role": "viewer"}, "viewer")],
    ids=["revoke", "demote"],
)
def test_super_admin_revokes_their_own_role_and_is_logged_as_super_admin(
    environment: Environment,
    super_admin: Person,
    operation: str,
    arguments: dict[str, str],
    left: str | None,
) -> None:
    environment.staff("super_admin")  # The last one could not be revoked.

    done = audited_call(
        environment, super_admin, operation, user_id=super_admin.id, **arguments
    )

    assert role_of(environment, super_admin) == left
    assert (done.entry["actor_id"], done.entry["actor_role"]) == (
        super_admin.id,
        "super_admin",
    )


# The last super_admin; through HTTP in test_empty_project.py ----------------------------


Database = psycopg.Connection[dict[str, Any]]


@contextmanager
def signed_in(database: Database, person: Person) -> Iterator[None]:
    """A session with the role and the claims that PostgREST sets for this person."""
    database.execute(
        "select set_config('role', 'authenticated', true),"
        " set_config('request.jwt.claims', jsonb_build_object('sub', %s::text)::text, true)",
        (person.id,),
    )
    with database.transaction():
        yield
    database.execute("select set_config('role', 'none', true)")


def remove_other_super_admins(database: Database, *people: Person) -> None:
    """Removes every other super_admin within this transaction, and lets no test add one."""
    database.execute("lock table public.admin_users in share row exclusive mode")
    database.execute("select tenancy.lock_super_admins()")
    database.execute(
        "delete from public.admin_users"
        " where role = 'super_admin' and user_id <> all (%s::uuid[])",
        ([person.id for person in people],),
    )


@pytest.mark.parametrize(
    "call",
    [
        "select public.revoke_admin(%s)",
        "select public.promote_to_admin(%s, 'admin')",
        "select public.promote_to_admin(%s, 'viewer')",
        "select public.promote_to_admin(%s, 'super_admin', 'tomorrow')",
    ],
)
@pytest.mark.parametrize("by_service", [False, True], ids=["themselves", "postgres"])
def test_last_super_admin_cannot_be_revoked(
    environment: Environment,
    super_admin: Person,
    database: Database,
    call: str,
    by_service: bool,
) -> None:
    second = environment.staff("super_admin")
    remove_other_super_admins(database, super_admin, second)

    # Of two super_admins, one can be revoked.
    with signed_in(database, super_admin):
        database.execute("select public.revoke_admin(%s)", (second.id,))
    with pytest.raises(psycopg.Error) as refused:  # noqa: PT012
        if by_service:
            with database.transaction():
                database.execute(call.encode(), (super_admin.id,))
        else:
            with signed_in(database, super_admin):
                database.execute(call.encode(), (super_admin.id,))

    assert refused.value.sqlstate == "PT409"
    assert refused.value.diag.message_detail == "last_super_admin"


def test_last_super_admin_may_be_promoted_to_super_admin_again(
    super_admin: Person, database: Database
) -> None:
    remove_other_super_admins(database, super_admin)

    with signed_in(database, super_admin):
        database.execute("select public.promote_to_admin(%s, 'super_admin')", (super_admin.id,))


# Deleting a user ------------------------------------------------------------------------


def test_deleting_a_user_ends_their_grants_and_roles(
    environment: Environment, tenant: str, super_admin: Person
) -> None:
    bystander = environment.member(tenant, "read")
    environment.grant(tenant, super_admin, "admin")

    environment.sql.execute("delete from auth.users where id = %s", (super_admin.id,))

    assert grant_of(environment, tenant, super_admin) is None
    assert role_of(environment, super_admin) is None
    assert grant_of(environment, tenant, bystander)


def test_records_of_a_deleted_user_stay_without_the_user(
    environment: Environment, super_admin: Person
) -> None:
    name = environment.name()
    audited_call(
        environment, super_admin, "create_tenant_schema", schema_name=name
    ).must_succeed()
    member, colleague = environment.person(), environment.person()
    audited_call(
        environment, super_admin, "grant_schema_access", schema_name=name, user_id=member.id
    ).must_succeed()
    audited_call(
        environment, super_admin, "promote_to_admin", user_id=colleague.id
    ).must_succeed()

    environment.sql.execute("delete from auth.users where id = %s", (super_admin.id,))

    grant = grant_of(environment, name, member)
    assert grant is not None
    assert grant["granted_by"] is None
    assert registry(environment, name)["tenant"]["created_by"] is None
    assert environment.sql.execute(
        "select role::text, granted_by from public.admin_users where user_id = %s",
        (colleague.id,),
    ).fetchone() == {"role": "admin", "granted_by": None}
    entries = environment.sql.execute(
        "select count(*) from public.admin_audit_log where actor_id = %s", (super_admin.id,)
    ).fetchone()
    assert entries == {"count": 3}


def test_token_of_a_deleted_user_names_nobody(
    environment: Environment, tenant: str, admin: Person
) -> None:
    assert audited_call(environment, admin, "check_tenant_status", schema_name=tenant).result

    environment.sql.execute("delete from auth.users where id = %s", (admin.id,))

    assert audited_call(
        environment, admin, "check_tenant_status", schema_name=tenant
    ).refusal == (
        401,
        "not_authenticated",
    )


def test_user_of_a_suspended_and_of_a_deleted_tenant_can_be_deleted(
    environment: Environment,
) -> None:
    suspended, deleted = environment.tenant(), environment.tenant()
    person = environment.person()
    for name in (suspended, deleted):
        environment.grant(name, person, "admin")
        audited_call(
            environment, person, "ensure_user_profile", schema_name=name
        ).must_succeed()
        environment.suspend(name)
    environment.sql.execute("select public.delete_tenant_schema(%s)", (deleted,))

    environment.sql.execute("delete from auth.users where id = %s", (person.id,))

    profile = environment.sql.execute(
        SQL("select count(*) from {}.users").format(Identifier(suspended))
    ).fetchone()
    assert profile == {"count": 1}
    assert grant_of(environment, suspended, person) is None


def test_null_level_and_null_role_are_refused(environment: Environment) -> None:
    tenant, person, root = (
        environment.tenant(),
        environment.person(),
        environment.staff("super_admin"),
    )
    access: dict[str, Any] = {"schema_name": tenant, "user_id": person.id}

    for operation, arguments in (
        ("grant_schema_access", access | {"access_level": None}),
        ("promote_to_admin", {"user_id": person.id, "role": None}),
    ):
        for entry_point in ENTRY_POINTS:
            refused = audited_call(
                environment, root, operation, entry_point=entry_point, **arguments
            )
            assert refused.refusal == (422, "invalid_request")

    assert (
        audited_call(environment, root, "grant_schema_access", **access).result["access_level"]
        == "read"
    )
