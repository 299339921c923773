"""Profiles: who a user is within one tenant."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sql.act import DOORS, act, refusal, registry
from stage import Address, Person, Stage
from walls.waiting import is_known, until


@pytest.fixture(scope="module")
def tenant(address: Address) -> Iterator[str]:
    """One for all tests here; each brings its own people."""
    stage = Stage(address)
    try:
        yield stage.tenant()
    finally:
        stage.close()


@pytest.fixture
def reader(stage: Stage, tenant: str) -> Person:
    return stage.member(tenant, "read")


@pytest.fixture
def admin(stage: Stage, tenant: str) -> Person:
    return stage.member(tenant, "admin")


# Ensure ---------------------------------------------------------------------------------


@pytest.mark.parametrize("door", DOORS)
def test_first_visit_makes_a_profile_and_one_entry(
    stage: Stage, tenant: str, reader: Person, door: str
) -> None:
    done = act(
        stage, reader, "ensure_user_profile", door=door, schema_name=tenant, display_name="Ada"
    )

    profile = dict(done.result)
    assert profile.pop("is_new") is True
    assert profile["id"] == reader.id
    assert profile["email"] == reader.email
    assert profile["display_name"] == "Ada"
    assert profile["role"] == "member"
    assert profile["metadata"] == {}
    assert profile["is_active"] is True
    assert done.entry == {
        "actor_id": reader.id,
        "actor_role": "tenant_read",
        "action": "profile.create",
        "schema_name": tenant,
        "tenant_id": registry(stage, tenant)["tenant"]["id"],
        "details": {"after": {"id": profile["id"]}},
    }


def test_second_visit_finds_the_profile_as_it_is(
    stage: Stage, tenant: str, reader: Person
) -> None:
    first = act(stage, reader, "ensure_user_profile", schema_name=tenant, display_name="Ada")

    second = act(stage, reader, "ensure_user_profile", schema_name=tenant, display_name="Bob")

    assert second.result == first.result | {"is_new": False}
    assert second.entries == []


# Create ---------------------------------------------------------------------------------


@pytest.mark.parametrize("door", DOORS)
def test_admin_makes_a_profile_for_somebody_else(
    stage: Stage, tenant: str, admin: Person, door: str
) -> None:
    newcomer = stage.person()

    done = act(
        stage,
        admin,
        "create_user_profile",
        door=door,
        schema_name=tenant,
        user_id=newcomer.id,
        display_name="Ada",
        role="accountant",
        metadata={"floor": 3},
    )

    profile = done.result
    assert profile["id"] == newcomer.id
    assert profile["email"] == newcomer.email
    assert profile["display_name"] == "Ada"
    assert profile["role"] == "accountant"
    assert profile["metadata"] == {"floor": 3}
    assert done.entry == {
        "actor_id": admin.id,
        "actor_role": "tenant_admin",
        "action": "profile.create",
        "schema_name": tenant,
        "tenant_id": registry(stage, tenant)["tenant"]["id"],
        "details": {"after": {"id": profile["id"]}},
    }


@pytest.mark.parametrize("door", DOORS)
def test_profile_has_defaults(stage: Stage, tenant: str, admin: Person, door: str) -> None:
    made = act(
        stage,
        admin,
        "create_user_profile",
        door=door,
        schema_name=tenant,
        user_id=stage.person().id,
    ).result

    assert (made["display_name"], made["role"], made["metadata"]) == (None, "member", {})


def test_second_profile_of_a_user_is_refused(stage: Stage, tenant: str, admin: Person) -> None:
    arguments: dict[str, Any] = {"schema_name": tenant, "user_id": stage.person().id}
    act(stage, admin, "create_user_profile", display_name="Ada", **arguments).must_succeed()

    again = act(stage, admin, "create_user_profile", display_name="Bob", **arguments)

    assert again.refusal == (409, "profile_exists")
    found = act(stage, admin, "get_user_profile", **arguments).result
    assert found["display_name"] == "Ada"


def test_profile_of_nobody_is_refused(stage: Stage, tenant: str, admin: Person) -> None:
    refused = act(
        stage, admin, "create_user_profile", schema_name=tenant, user_id=str(uuid.uuid4())
    )

    assert refused.refusal == (404, "user_not_found")


def test_profile_grants_no_access(stage: Stage, tenant: str, admin: Person) -> None:
    newcomer = stage.person()
    act(
        stage, admin, "create_user_profile", schema_name=tenant, user_id=newcomer.id
    ).must_succeed()

    refused = act(stage, newcomer, "get_user_profile", schema_name=tenant)
    assert refused.refusal == (404, "tenant_not_found")

    stage.grant(tenant, newcomer, "read")
    assert act(stage, newcomer, "get_user_profile", schema_name=tenant).result["id"] == (
        newcomer.id
    )


# Read -----------------------------------------------------------------------------------


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("arguments", [{}, {"user_id": None}], ids=["left out", "null"])
def test_profile_read_without_a_user_is_the_caller_s_own(
    stage: Stage, tenant: str, reader: Person, door: str, arguments: dict[str, Any]
) -> None:
    ensured = act(stage, reader, "ensure_user_profile", schema_name=tenant).result

    found = act(
        stage, reader, "get_user_profile", door=door, schema_name=tenant, **arguments
    ).result

    assert found | {"is_new": True} == ensured


def test_member_reads_the_profile_of_another(
    stage: Stage, tenant: str, reader: Person, admin: Person
) -> None:
    ensured = act(stage, admin, "ensure_user_profile", schema_name=tenant).result

    found = act(stage, reader, "get_user_profile", schema_name=tenant, user_id=admin.id).result

    assert found | {"is_new": True} == ensured


@pytest.mark.parametrize("operation", ["get_user_profile", "update_user_profile"])
@pytest.mark.parametrize("door", DOORS)
def test_member_without_a_profile_is_told_so(
    stage: Stage, tenant: str, reader: Person, operation: str, door: str
) -> None:
    missing = act(stage, reader, operation, door=door, schema_name=tenant)
    assert missing.refusal == (404, "profile_not_found")

    act(stage, reader, "ensure_user_profile", schema_name=tenant).must_succeed()
    assert act(stage, reader, operation, door=door, schema_name=tenant).result


# Active or not --------------------------------------------------------------------------


def test_is_active_follows_the_grant(
    stage: Stage, tenant: str, reader: Person, admin: Person
) -> None:
    person = stage.person()
    arguments: dict[str, Any] = {"schema_name": tenant, "user_id": person.id}
    made = act(stage, admin, "create_user_profile", **arguments).result
    assert made["is_active"] is False

    def is_active() -> bool:
        active: bool = act(stage, reader, "get_user_profile", **arguments).result["is_active"]
        return active

    now = datetime.now(UTC)
    assert is_active() is False
    stage.grant(tenant, person, "read")
    assert is_active() is True
    stage.grant(tenant, person, "read", now + timedelta(hours=1))
    assert is_active() is True
    stage.grant(tenant, person, "read", now - timedelta(hours=1))
    assert is_active() is False
    stage.grant(tenant, person, "read")
    act(stage, admin, "revoke_schema_access", **arguments).must_succeed()
    assert is_active() is False


def test_profile_outlives_its_user_and_is_inactive(
    stage: Stage, tenant: str, reader: Person
) -> None:
    person = stage.member(tenant, "read")
    act(stage, person, "ensure_user_profile", schema_name=tenant).must_succeed()

    stage.sql.execute("delete from auth.users where id = %s", (person.id,))

    found = act(stage, reader, "get_user_profile", schema_name=tenant, user_id=person.id)
    assert found.result["is_active"] is False
    assert found.result["email"] == person.email


# Update ---------------------------------------------------------------------------------


@pytest.mark.parametrize("door", DOORS)
def test_updating_leaves_what_is_not_named(
    stage: Stage, tenant: str, reader: Person, door: str
) -> None:
    act(
        stage, reader, "ensure_user_profile", schema_name=tenant, display_name="Ada"
    ).must_succeed()
    before = act(stage, reader, "get_user_profile", schema_name=tenant).result

    done = act(
        stage,
        reader,
        "update_user_profile",
        door=door,
        schema_name=tenant,
        metadata={"theme": "dark"},
    )

    after = done.result
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {"metadata", "updated_at"}
    assert done.entry == {
        "actor_id": reader.id,
        "actor_role": "tenant_read",
        "action": "profile.update",
        "schema_name": tenant,
        "tenant_id": registry(stage, tenant)["tenant"]["id"],
        "details": {"after": {"id": reader.id}, "changed": ["metadata", "updated_at"]},
    }


def test_metadata_is_replaced_whole(stage: Stage, tenant: str, reader: Person) -> None:
    act(stage, reader, "ensure_user_profile", schema_name=tenant).must_succeed()
    for metadata in ({"theme": "dark", "size": 2}, {"size": 3}):
        done = act(stage, reader, "update_user_profile", schema_name=tenant, metadata=metadata)
        assert done.result["metadata"] == metadata
        assert done.entry


@pytest.mark.parametrize(
    "arguments",
    [{}, {"display_name": "Ada"}, {"metadata": {}}, {"display_name": "Ada", "metadata": {}}],
    ids=["nothing", "same name", "same metadata", "same of both"],
)
def test_updating_to_what_is_there_changes_nothing(
    stage: Stage, tenant: str, reader: Person, arguments: dict[str, Any]
) -> None:
    act(
        stage, reader, "ensure_user_profile", schema_name=tenant, display_name="Ada"
    ).must_succeed()
    before = act(stage, reader, "get_user_profile", schema_name=tenant).result

    done = act(stage, reader, "update_user_profile", schema_name=tenant, **arguments)

    assert done.result == before
    assert done.entries == []


def test_updating_touches_nobody_else(
    stage: Stage, tenant: str, reader: Person, admin: Person
) -> None:
    for person in (reader, admin):
        act(stage, person, "ensure_user_profile", schema_name=tenant).must_succeed()
    before = act(stage, reader, "get_user_profile", schema_name=tenant).result

    act(
        stage, admin, "update_user_profile", schema_name=tenant, display_name="Bob"
    ).must_succeed()

    assert act(stage, reader, "get_user_profile", schema_name=tenant).result == before


# Limits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("metadata", [[], "text", 1, True], ids=["array", "text", "1", "true"])
@pytest.mark.parametrize("operation", ["create_user_profile", "update_user_profile"])
def test_metadata_is_an_object(
    stage: Stage, tenant: str, admin: Person, operation: str, metadata: Any
) -> None:
    act(stage, admin, "ensure_user_profile", schema_name=tenant).must_succeed()
    arguments: dict[str, Any] = {"schema_name": tenant}
    if operation == "create_user_profile":
        arguments["user_id"] = stage.person().id

    for door in DOORS:
        refused = act(stage, admin, operation, door=door, metadata=metadata, **arguments)
        assert refusal(refused.reply) == (422, "invalid_request")
        assert refused.entries == []

    allowed = act(stage, admin, operation, metadata={"a": metadata}, **arguments)
    assert allowed.result["metadata"] == {"a": metadata}


def nested(levels: int) -> Any:
    return {"a": nested(levels - 1)} if levels else 1


@pytest.mark.parametrize(
    ("metadata", "allowed"),
    [
        ({"a": "x" * 65_527}, True),
        ({"a": "x" * 65_528}, False),
        (nested(63), True),
        (nested(64), False),
    ],
    ids=["64 KB", "larger", "deep", "deeper"],
)
def test_metadata_is_small_enough_for_a_log(
    stage: Stage, tenant: str, reader: Person, metadata: Any, allowed: bool
) -> None:
    act(stage, reader, "ensure_user_profile", schema_name=tenant).must_succeed()

    done = act(stage, reader, "update_user_profile", schema_name=tenant, metadata=metadata)

    if allowed:
        assert done.result["metadata"] == metadata
    else:
        assert done.refusal == (422, "invalid_request")


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("field", "longest"), [("display_name", 200), ("role", 100)], ids=["display name", "role"]
)
def test_texts_of_a_created_profile_are_limited(
    stage: Stage, tenant: str, admin: Person, door: str, field: str, longest: int
) -> None:
    arguments: dict[str, Any] = {"schema_name": tenant, "user_id": stage.person().id}

    refused = act(
        stage,
        admin,
        "create_user_profile",
        door=door,
        **arguments,
        **{field: "ß" * (longest + 1)},
    )
    assert refusal(refused.reply) == (422, "invalid_request")
    assert refused.entries == []

    allowed = act(
        stage, admin, "create_user_profile", door=door, **arguments, **{field: "ß" * longest}
    )
    assert allowed.result[field] == "ß" * longest


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("operation", ["ensure_user_profile", "update_user_profile"])
def test_own_display_name_has_at_most_200_characters(
    stage: Stage, tenant: str, reader: Person, operation: str, door: str
) -> None:
    if operation == "update_user_profile":
        act(stage, reader, "ensure_user_profile", schema_name=tenant).must_succeed()

    refused = act(
        stage, reader, operation, door=door, schema_name=tenant, display_name="x" * 201
    )
    assert refusal(refused.reply) == (422, "invalid_request")
    assert refused.entries == []

    allowed = act(
        stage, reader, operation, door=door, schema_name=tenant, display_name="x" * 200
    )
    assert allowed.result["display_name"] == "x" * 200


def test_profiles_are_written_through_the_rpcs_alone(
    stage: Stage, tenant: str, admin: Person
) -> None:
    act(stage, admin, "ensure_user_profile", schema_name=tenant).must_succeed()
    mine = {"id": f"eq.{admin.id}"}
    until(lambda: is_known(stage, tenant, "users"))

    reads = stage.rows(admin, tenant, "users", params=mine)
    assert [row["id"] for row in reads.json()] == [admin.id]
    writes = stage.rows(admin, tenant, "users", "PATCH", params=mine, json={"role": "owner"})
    assert refusal(writes) == (403, "forbidden")
