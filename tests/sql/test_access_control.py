"""Who lets whom in: grants on tenants, and roles of the platform."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from sql.act import DOORS, act, registry
from stage import Address, Person, Stage

NOW = datetime.now(UTC)
TOMORROW = NOW + timedelta(days=1)
SOONER = TOMORROW - timedelta(seconds=1)
LATER = TOMORROW + timedelta(seconds=1)


@pytest.fixture(scope="module")
def tenant(address: Address) -> Iterator[str]:
    """One for all tests here; each brings its own people."""
    stage = Stage(address)
    try:
        yield stage.tenant()
    finally:
        stage.close()


@pytest.fixture
def admin(stage: Stage, tenant: str) -> Person:
    """An admin of the tenant, for good."""
    return stage.member(tenant, "admin")


@pytest.fixture
def passing_admin(stage: Stage, tenant: str) -> Person:
    """An admin of the tenant until tomorrow."""
    return stage.member(tenant, "admin", TOMORROW)


@pytest.fixture
def super_admin(stage: Stage) -> Person:
    return stage.staff("super_admin")


def grant_of(stage: Stage, schema_name: str, person: Person) -> dict[str, Any] | None:
    row = stage.sql.execute(
        "select to_jsonb(a) as row from public.user_schema_access a"
        " where user_id = %s and schema_name = %s",
        (person.id, schema_name),
    ).fetchone()
    return row and row["row"]


def role_of(stage: Stage, person: Person) -> str | None:
    row = stage.sql.execute(
        "select role::text from public.admin_users where user_id = %s", (person.id,)
    ).fetchone()
    return None if row is None else str(row["role"])


# Grant ----------------------------------------------------------------------------------


@pytest.mark.parametrize("door", DOORS)
def test_granting_lets_a_user_in_and_leaves_one_entry(
    stage: Stage, tenant: str, admin: Person, door: str
) -> None:
    person = stage.person()
    assert act(stage, person, "check_tenant_status", schema_name=tenant).refusal == (
        404,
        "tenant_not_found",
    )

    done = act(
        stage,
        admin,
        "grant_schema_access",
        door=door,
        schema_name=tenant,
        user_id=person.id,
        access_level="write",
        expires_at=TOMORROW.isoformat(),
    )

    assert act(stage, person, "get_tenant_info", schema_name=tenant).result["access_level"] == (
        "write"
    )
    assert done.result == grant_of(stage, tenant, person)
    assert done.result["access_level"] == "write"
    assert datetime.fromisoformat(done.result["expires_at"]) == TOMORROW
    assert done.result["granted_by"] == admin.id
    assert done.entry == {
        "actor_id": admin.id,
        "actor_role": "tenant_admin",
        "action": "access.grant",
        "schema_name": tenant,
        "tenant_id": registry(stage, tenant)["tenant"]["id"],
        "details": {"before": None, "after": done.result},
    }


@pytest.mark.parametrize("door", DOORS)
def test_grant_is_to_read_until_revoked_unless_said(
    stage: Stage, tenant: str, admin: Person, door: str
) -> None:
    made = act(
        stage,
        admin,
        "grant_schema_access",
        door=door,
        schema_name=tenant,
        user_id=stage.person().id,
    ).result

    assert (made["access_level"], made["expires_at"]) == ("read", None)


@pytest.mark.parametrize("expires_at", [None, TOMORROW.isoformat()], ids=["for good", "ends"])
def test_same_grant_again_changes_nothing(
    stage: Stage, tenant: str, admin: Person, expires_at: str | None
) -> None:
    arguments: dict[str, Any] = {
        "schema_name": tenant,
        "user_id": stage.person().id,
        "access_level": "write",
        "expires_at": expires_at,
    }
    first = act(stage, stage.service, "grant_schema_access", **arguments)
    before = registry(stage, tenant)

    second = act(stage, admin, "grant_schema_access", **arguments)

    assert first.entry
    assert second.result == first.result
    assert second.entries == []
    assert registry(stage, tenant) == before


@pytest.mark.parametrize(
    ("level", "expires_at"),
    [("read", None), ("admin", None), ("write", LATER.isoformat())],
    ids=["lower", "higher", "with an end"],
)
def test_another_grant_replaces_the_first(
    stage: Stage, tenant: str, admin: Person, level: str, expires_at: str | None
) -> None:
    person = stage.member(tenant, "write")
    before = grant_of(stage, tenant, person)

    done = act(
        stage,
        admin,
        "grant_schema_access",
        schema_name=tenant,
        user_id=person.id,
        access_level=level,
        expires_at=expires_at,
    )

    assert done.result["access_level"] == level
    assert done.result["granted_by"] == admin.id
    assert done.result == grant_of(stage, tenant, person)
    assert done.entry["details"] == {"before": before, "after": done.result}


def test_expired_grant_is_renewed(stage: Stage, tenant: str, admin: Person) -> None:
    person = stage.member(tenant, "read", NOW - timedelta(hours=1))
    assert act(stage, person, "list_my_tenants").result == []

    act(
        stage, admin, "grant_schema_access", schema_name=tenant, user_id=person.id
    ).must_succeed()

    [mine] = act(stage, person, "list_my_tenants").result
    assert mine["schema_name"] == tenant


@pytest.mark.parametrize("door", DOORS)
def test_nobody_is_granted_what_no_user_of_auth_could_use(
    stage: Stage, tenant: str, admin: Person, door: str
) -> None:
    unknown = str(uuid.uuid4())

    refused = act(
        stage, admin, "grant_schema_access", door=door, schema_name=tenant, user_id=unknown
    )

    assert refused.refusal == (404, "user_not_found")


# One's own grant ------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["read", "write", "admin"])
@pytest.mark.parametrize("expires_at", [None, LATER.isoformat()], ids=["for good", "ends"])
def test_tenant_admin_cannot_change_their_own_grant(
    stage: Stage,
    tenant: str,
    admin: Person,
    passing_admin: Person,
    level: str,
    expires_at: str | None,
) -> None:
    arguments: dict[str, Any] = {
        "schema_name": tenant,
        "user_id": passing_admin.id,
        "access_level": level,
        "expires_at": expires_at,
    }
    before = grant_of(stage, tenant, passing_admin)

    own = act(stage, passing_admin, "grant_schema_access", **arguments)
    assert own.refusal == (409, "own_grant")
    assert grant_of(stage, tenant, passing_admin) == before

    of_another = act(stage, admin, "grant_schema_access", **arguments)
    assert of_another.entry


def test_viewer_who_is_a_tenant_admin_cannot_change_their_own_grant(
    stage: Stage, tenant: str
) -> None:
    viewer = stage.staff("viewer")
    stage.grant(tenant, viewer, "admin")

    refused = act(
        stage,
        viewer,
        "grant_schema_access",
        schema_name=tenant,
        user_id=viewer.id,
        access_level="write",
    )

    assert refused.refusal == (409, "own_grant")


@pytest.mark.parametrize("role", ["admin", "super_admin"])
def test_platform_admin_lets_themselves_in_and_the_log_says_so(
    stage: Stage, tenant: str, role: str
) -> None:
    person = stage.staff(role)
    assert act(stage, person, "get_user_profile", schema_name=tenant).refusal == (
        403,
        "forbidden",
    )

    done = act(stage, person, "grant_schema_access", schema_name=tenant, user_id=person.id)

    assert (done.entry["actor_id"], done.entry["actor_role"]) == (person.id, role)
    assert done.entry["details"]["after"]["user_id"] == person.id
    assert act(stage, person, "ensure_user_profile", schema_name=tenant).result["is_new"]


# An admin whose own grant ends ----------------------------------------------------------


@pytest.mark.parametrize("door", DOORS)
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
def test_passing_admin_cannot_grant_admin_nor_past_their_own_end(
    stage: Stage,
    tenant: str,
    admin: Person,
    passing_admin: Person,
    door: str,
    level: str,
    expires_at: datetime | None,
) -> None:
    arguments: dict[str, Any] = {
        "schema_name": tenant,
        "user_id": stage.person().id,
        "access_level": level,
        "expires_at": expires_at and expires_at.isoformat(),
    }

    refused = act(stage, passing_admin, "grant_schema_access", door=door, **arguments)
    assert refused.refusal == (403, "forbidden")

    allowed = act(stage, admin, "grant_schema_access", door=door, **arguments)
    assert allowed.entry


@pytest.mark.parametrize("level", ["read", "write"])
@pytest.mark.parametrize("expires_at", [SOONER, TOMORROW], ids=["sooner", "the same moment"])
def test_passing_admin_grants_within_their_own_time(
    stage: Stage, tenant: str, passing_admin: Person, level: str, expires_at: datetime
) -> None:
    done = act(
        stage,
        passing_admin,
        "grant_schema_access",
        schema_name=tenant,
        user_id=stage.person().id,
        access_level=level,
        expires_at=expires_at.isoformat(),
    )

    assert done.entry["actor_id"] == passing_admin.id


def test_passing_admin_cannot_stay_through_an_accomplice(
    stage: Stage, tenant: str, passing_admin: Person
) -> None:
    accomplice = stage.member(tenant, "write", TOMORROW)
    arguments: dict[str, Any] = {"schema_name": tenant, "access_level": "admin"}

    promoted = act(
        stage, passing_admin, "grant_schema_access", user_id=accomplice.id, **arguments
    )
    assert promoted.refusal == (403, "forbidden")

    extended = act(
        stage, accomplice, "grant_schema_access", user_id=passing_admin.id, **arguments
    )
    assert extended.refusal == (403, "forbidden")


# Revoke ---------------------------------------------------------------------------------


@pytest.mark.parametrize("door", DOORS)
def test_revoking_puts_a_user_out_and_leaves_one_entry(
    stage: Stage, tenant: str, admin: Person, door: str
) -> None:
    person = stage.member(tenant, "write")
    before = grant_of(stage, tenant, person)
    assert act(stage, person, "check_tenant_status", schema_name=tenant).result

    done = act(
        stage, admin, "revoke_schema_access", door=door, schema_name=tenant, user_id=person.id
    )

    assert act(stage, person, "check_tenant_status", schema_name=tenant).refusal == (
        404,
        "tenant_not_found",
    )
    assert grant_of(stage, tenant, person) is None
    assert done.result == before
    assert done.entry == {
        "actor_id": admin.id,
        "actor_role": "tenant_admin",
        "action": "access.revoke",
        "schema_name": tenant,
        "tenant_id": registry(stage, tenant)["tenant"]["id"],
        "details": {"before": before},
    }


def test_revoking_again_finds_nothing(stage: Stage, tenant: str, admin: Person) -> None:
    arguments: dict[str, Any] = {
        "schema_name": tenant,
        "user_id": stage.member(tenant, "read").id,
    }
    act(stage, admin, "revoke_schema_access", **arguments).must_succeed()

    again = act(stage, admin, "revoke_schema_access", **arguments)

    assert again.refusal == (404, "user_not_found")


def test_expired_grant_can_be_revoked(stage: Stage, tenant: str, admin: Person) -> None:
    person = stage.member(tenant, "read", NOW - timedelta(hours=1))

    act(
        stage, admin, "revoke_schema_access", schema_name=tenant, user_id=person.id
    ).must_succeed()

    assert grant_of(stage, tenant, person) is None


def test_revoking_ends_one_grant_alone(stage: Stage, tenant: str, admin: Person) -> None:
    other_tenant = stage.tenant()
    person, bystander = stage.member(tenant, "read"), stage.member(tenant, "read")
    stage.grant(other_tenant, person, "read")

    act(
        stage, admin, "revoke_schema_access", schema_name=tenant, user_id=person.id
    ).must_succeed()

    assert grant_of(stage, tenant, person) is None
    assert grant_of(stage, tenant, bystander)
    assert grant_of(stage, other_tenant, person)


@pytest.mark.parametrize("level", ["read", "write", "admin"])
def test_member_drops_their_own_grant(stage: Stage, tenant: str, level: str) -> None:
    person = stage.member(tenant, level)

    done = act(stage, person, "revoke_schema_access", schema_name=tenant, user_id=person.id)

    assert grant_of(stage, tenant, person) is None
    assert (done.entry["actor_id"], done.entry["actor_role"]) == (person.id, f"tenant_{level}")


@pytest.mark.parametrize("level", ["read", "write"])
def test_member_cannot_drop_the_grant_of_another(
    stage: Stage, tenant: str, admin: Person, level: str
) -> None:
    person, other = stage.member(tenant, level), stage.member(tenant, "read")
    arguments: dict[str, Any] = {"schema_name": tenant, "user_id": other.id}

    refused = act(stage, person, "revoke_schema_access", **arguments)
    assert refused.refusal == (403, "forbidden")
    assert grant_of(stage, tenant, other)

    assert act(stage, admin, "revoke_schema_access", **arguments).entry


# Platform roles -------------------------------------------------------------------------


@pytest.mark.parametrize("door", DOORS)
def test_promoting_gives_a_role_and_leaves_one_entry(
    stage: Stage, super_admin: Person, door: str
) -> None:
    person = stage.person()

    done = act(
        stage, super_admin, "promote_to_admin", door=door, user_id=person.id, role="viewer"
    )

    assert role_of(stage, person) == "viewer"
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


def test_role_left_out_is_admin(stage: Stage, super_admin: Person) -> None:
    made = act(stage, super_admin, "promote_to_admin", user_id=stage.person().id).result

    assert made["role"] == "admin"


@pytest.mark.parametrize("role", ["viewer", "admin", "super_admin"])
def test_promoting_to_the_role_one_has_changes_nothing(
    stage: Stage, super_admin: Person, role: str
) -> None:
    arguments: dict[str, Any] = {"user_id": stage.person().id, "role": role}
    first = act(stage, stage.service, "promote_to_admin", **arguments)

    second = act(stage, super_admin, "promote_to_admin", **arguments)

    assert first.entry["actor_role"] == "service_role"
    assert second.result == first.result
    assert second.entries == []


@pytest.mark.parametrize(
    ("old", "new"), [("viewer", "super_admin"), ("super_admin", "viewer")], ids=["up", "down"]
)
def test_promoting_replaces_a_role(
    stage: Stage, super_admin: Person, old: str, new: str
) -> None:
    person = stage.staff(old)

    done = act(stage, super_admin, "promote_to_admin", user_id=person.id, role=new)

    assert role_of(stage, person) == new
    assert done.entry["details"]["before"]["role"] == old
    assert done.entry["details"]["after"] == done.result


@pytest.mark.parametrize("door", DOORS)
def test_nobody_is_promoted_who_is_no_user_of_auth(
    stage: Stage, super_admin: Person, door: str
) -> None:
    refused = act(stage, super_admin, "promote_to_admin", door=door, user_id=str(uuid.uuid4()))

    assert refused.refusal == (404, "user_not_found")


@pytest.mark.parametrize("door", DOORS)
def test_revoking_a_role_leaves_one_entry(stage: Stage, super_admin: Person, door: str) -> None:
    person = stage.staff("admin")
    assert act(stage, person, "create_tenant_schema", schema_name=stage.name()).result

    done = act(stage, super_admin, "revoke_admin", door=door, user_id=person.id)

    assert role_of(stage, person) is None
    assert act(stage, person, "create_tenant_schema", schema_name=stage.name()).refusal == (
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


def test_revoking_a_role_again_finds_nothing(stage: Stage, super_admin: Person) -> None:
    person = stage.staff("viewer")
    act(stage, super_admin, "revoke_admin", user_id=person.id).must_succeed()

    again = act(stage, super_admin, "revoke_admin", user_id=person.id)

    assert again.refusal == (404, "user_not_found")


@pytest.mark.parametrize(
    ("operation", "arguments", "left"),
    [("revoke_admin", {}, None), ("promote_to_admin", {"role": "viewer"}, "viewer")],
    ids=["revoke", "demote"],
)
def test_super_admin_steps_down_as_a_super_admin(
    stage: Stage,
    super_admin: Person,
    operation: str,
    arguments: dict[str, str],
    left: str | None,
) -> None:
    stage.staff("super_admin")  # somebody remains

    done = act(stage, super_admin, operation, user_id=super_admin.id, **arguments)

    assert role_of(stage, super_admin) == left
    assert (done.entry["actor_id"], done.entry["actor_role"]) == (
        super_admin.id,
        "super_admin",
    )


# The last super_admin; over HTTP in test_empty_project.py ---------------------------------


Database = psycopg.Connection[dict[str, Any]]


@contextmanager
def signed_in(database: Database, person: Person) -> Iterator[None]:
    """Statements as PostgREST runs them for this person."""
    database.execute(
        "select set_config('role', 'authenticated', true),"
        " set_config('request.jwt.claims', jsonb_build_object('sub', %s::text)::text, true)",
        (person.id,),
    )
    with database.transaction():
        yield
    database.execute("select set_config('role', 'none', true)")


def leave_alone(database: Database, *people: Person) -> None:
    """Ends every other super_admin, for this transaction."""
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
    ],
)
@pytest.mark.parametrize("by_service", [False, True], ids=["themselves", "postgres"])
def test_last_super_admin_stays(
    stage: Stage, super_admin: Person, database: Database, call: str, by_service: bool
) -> None:
    second = stage.staff("super_admin")
    leave_alone(database, super_admin, second)

    # With two of them, one may go.
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


def test_last_super_admin_may_be_promoted_to_what_they_are(
    super_admin: Person, database: Database
) -> None:
    leave_alone(database, super_admin)

    with signed_in(database, super_admin):
        database.execute("select public.promote_to_admin(%s, 'super_admin')", (super_admin.id,))


# Deleting a user ------------------------------------------------------------------------


def test_deleting_a_user_ends_their_grants_and_roles(
    stage: Stage, tenant: str, super_admin: Person
) -> None:
    bystander = stage.member(tenant, "read")
    stage.grant(tenant, super_admin, "admin")

    stage.sql.execute("delete from auth.users where id = %s", (super_admin.id,))

    assert grant_of(stage, tenant, super_admin) is None
    assert role_of(stage, super_admin) is None
    assert grant_of(stage, tenant, bystander)


def test_what_a_deleted_user_did_stays_without_them(stage: Stage, super_admin: Person) -> None:
    name = stage.name()
    act(stage, super_admin, "create_tenant_schema", schema_name=name).must_succeed()
    member, colleague = stage.person(), stage.person()
    act(
        stage, super_admin, "grant_schema_access", schema_name=name, user_id=member.id
    ).must_succeed()
    act(stage, super_admin, "promote_to_admin", user_id=colleague.id).must_succeed()

    stage.sql.execute("delete from auth.users where id = %s", (super_admin.id,))

    grant = grant_of(stage, name, member)
    assert grant is not None
    assert grant["granted_by"] is None
    assert registry(stage, name)["tenant"]["created_by"] is None
    assert stage.sql.execute(
        "select role::text, granted_by from public.admin_users where user_id = %s",
        (colleague.id,),
    ).fetchone() == {"role": "admin", "granted_by": None}
    entries = stage.sql.execute(
        "select count(*) from public.admin_audit_log where actor_id = %s", (super_admin.id,)
    ).fetchone()
    assert entries == {"count": 3}


def test_deleted_user_s_token_is_a_stranger_s(stage: Stage, tenant: str, admin: Person) -> None:
    assert act(stage, admin, "check_tenant_status", schema_name=tenant).result

    stage.sql.execute("delete from auth.users where id = %s", (admin.id,))

    assert act(stage, admin, "check_tenant_status", schema_name=tenant).refusal == (
        404,
        "tenant_not_found",
    )


def test_user_of_a_suspended_and_of_a_deleted_tenant_can_be_deleted(stage: Stage) -> None:
    suspended, deleted = stage.tenant(), stage.tenant()
    person = stage.person()
    for name in (suspended, deleted):
        stage.grant(name, person, "admin")
        act(stage, person, "ensure_user_profile", schema_name=name).must_succeed()
        stage.suspend(name)
    stage.sql.execute("select public.delete_tenant_schema(%s)", (deleted,))

    stage.sql.execute("delete from auth.users where id = %s", (person.id,))

    profile = stage.sql.execute(
        SQL("select count(*) from {}.users").format(Identifier(suspended))
    ).fetchone()
    assert profile == {"count": 1}
    assert grant_of(stage, suspended, person) is None


def test_null_is_no_level_and_no_role(stage: Stage) -> None:
    tenant, person, root = stage.tenant(), stage.person(), stage.staff("super_admin")
    access: dict[str, Any] = {"schema_name": tenant, "user_id": person.id}

    for operation, arguments in (
        ("grant_schema_access", access | {"access_level": None}),
        ("promote_to_admin", {"user_id": person.id, "role": None}),
    ):
        for door in DOORS:
            refused = act(stage, root, operation, door=door, **arguments)
            assert refused.refusal == (422, "invalid_request")

    assert act(stage, root, "grant_schema_access", **access).result["access_level"] == "read"
