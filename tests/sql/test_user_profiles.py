"""Profiles: the data of a user within one tenant."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg.sql import SQL, Identifier

from support.audited_call import audited_call, registry
from support.entry_points import ENTRY_POINTS
from support.environment import Environment, Person
from support.refusals import refusal
from support.waiting import is_known, until
from tenantry.catalogue import catalogue


@pytest.fixture
def reader(environment: Environment, tenant: str) -> Person:
    return environment.member(tenant, "read")


@pytest.fixture
def admin(environment: Environment, tenant: str) -> Person:
    return environment.member(tenant, "admin")


# Ensure ---------------------------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_first_call_creates_the_profile_and_one_entry(
    environment: Environment, tenant: str, reader: Person, entry_point: str
) -> None:
    done = audited_call(
        environment,
        reader,
        "ensure_user_profile",
        entry_point=entry_point,
        schema_name=tenant,
        display_name="Ada",
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
        "tenant_id": registry(environment, tenant)["tenant"]["id"],
        "details": {"after": {"id": profile["id"]}},
    }


def test_second_call_returns_the_profile_unchanged(
    environment: Environment, tenant: str, reader: Person
) -> None:
    first = audited_call(
        environment, reader, "ensure_user_profile", schema_name=tenant, display_name="Ada"
    )

    second = audited_call(
        environment, reader, "ensure_user_profile", schema_name=tenant, display_name="Bob"
    )

    assert second.result == first.result | {"is_new": False}
    assert second.entries == []


# Create ---------------------------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_admin_creates_a_profile_for_another_user(
    environment: Environment, tenant: str, admin: Person, entry_point: str
) -> None:
    newcomer = environment.person()

    done = audited_call(
        environment,
        admin,
        "create_user_profile",
        entry_point=entry_point,
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
        "tenant_id": registry(environment, tenant)["tenant"]["id"],
        "details": {"after": {"id": profile["id"]}},
    }


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_profile_has_defaults(
    environment: Environment, tenant: str, admin: Person, entry_point: str
) -> None:
    made = audited_call(
        environment,
        admin,
        "create_user_profile",
        entry_point=entry_point,
        schema_name=tenant,
        user_id=environment.person().id,
    ).result

    assert (made["display_name"], made["role"], made["metadata"]) == (None, "member", {})


def test_second_profile_of_a_user_is_refused(
    environment: Environment, tenant: str, admin: Person
) -> None:
    arguments: dict[str, Any] = {"schema_name": tenant, "user_id": environment.person().id}
    audited_call(
        environment, admin, "create_user_profile", display_name="Ada", **arguments
    ).must_succeed()

    again = audited_call(
        environment, admin, "create_user_profile", display_name="Bob", **arguments
    )

    assert again.refusal == (409, "profile_exists")
    found = audited_call(environment, admin, "get_user_profile", **arguments).result
    assert found["display_name"] == "Ada"


def test_profile_of_an_unknown_user_is_refused(
    environment: Environment, tenant: str, admin: Person
) -> None:
    refused = audited_call(
        environment, admin, "create_user_profile", schema_name=tenant, user_id=str(uuid.uuid4())
    )

    assert refused.refusal == (404, "user_not_found")


def test_profile_grants_no_access(environment: Environment, tenant: str, admin: Person) -> None:
    newcomer = environment.person()
    audited_call(
        environment, admin, "create_user_profile", schema_name=tenant, user_id=newcomer.id
    ).must_succeed()

    refused = audited_call(environment, newcomer, "get_user_profile", schema_name=tenant)
    assert refused.refusal == (404, "tenant_not_found")

    environment.grant(tenant, newcomer, "read")
    assert audited_call(environment, newcomer, "get_user_profile", schema_name=tenant).result[
        "id"
    ] == (newcomer.id)


# Read -----------------------------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize("arguments", [{}, {"user_id": None}], ids=["left out", "null"])
def test_default_user_of_a_read_is_the_caller(
    environment: Environment,
    tenant: str,
    reader: Person,
    entry_point: str,
    arguments: dict[str, Any],
) -> None:
    ensured = audited_call(
        environment, reader, "ensure_user_profile", schema_name=tenant
    ).result

    found = audited_call(
        environment,
        reader,
        "get_user_profile",
        entry_point=entry_point,
        schema_name=tenant,
        **arguments,
    ).result

    assert found | {"is_new": True} == ensured


def test_member_reads_the_profile_of_another(
    environment: Environment, tenant: str, reader: Person, admin: Person
) -> None:
    ensured = audited_call(environment, admin, "ensure_user_profile", schema_name=tenant).result

    found = audited_call(
        environment, reader, "get_user_profile", schema_name=tenant, user_id=admin.id
    ).result

    assert found | {"is_new": True} == ensured


@pytest.mark.parametrize("operation", ["get_user_profile", "update_user_profile"])
@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_read_of_a_missing_profile_is_refused_with_that_reason(
    environment: Environment, tenant: str, reader: Person, operation: str, entry_point: str
) -> None:
    missing = audited_call(
        environment, reader, operation, entry_point=entry_point, schema_name=tenant
    )
    assert missing.refusal == (404, "profile_not_found")

    audited_call(environment, reader, "ensure_user_profile", schema_name=tenant).must_succeed()
    assert audited_call(
        environment, reader, operation, entry_point=entry_point, schema_name=tenant
    ).result


# is_active ------------------------------------------------------------------------------


def test_is_active_follows_the_grant(
    environment: Environment, tenant: str, reader: Person, admin: Person
) -> None:
    person = environment.person()
    arguments: dict[str, Any] = {"schema_name": tenant, "user_id": person.id}
    made = audited_call(environment, admin, "create_user_profile", **arguments).result
    assert made["is_active"] is False

    def is_active() -> bool:
        active: bool = audited_call(
            environment, reader, "get_user_profile", **arguments
        ).result["is_active"]
        return active

    now = datetime.now(UTC)
    assert is_active() is False
    environment.grant(tenant, person, "read")
    assert is_active() is True
    environment.grant(tenant, person, "read", now + timedelta(hours=1))
    assert is_active() is True
    environment.grant(tenant, person, "read", now - timedelta(hours=1))
    assert is_active() is False
    environment.grant(tenant, person, "read")
    audited_call(environment, admin, "revoke_schema_access", **arguments).must_succeed()
    assert is_active() is False


def test_profile_outlives_its_user_and_is_inactive(
    environment: Environment, tenant: str, reader: Person
) -> None:
    person = environment.member(tenant, "read")
    audited_call(environment, person, "ensure_user_profile", schema_name=tenant).must_succeed()

    environment.sql.execute("delete from auth.users where id = %s", (person.id,))

    found = audited_call(
        environment, reader, "get_user_profile", schema_name=tenant, user_id=person.id
    )
    assert found.result["is_active"] is False
    assert found.result["email"] == person.email


# Update ---------------------------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_update_keeps_arguments_that_are_left_out(
    environment: Environment, tenant: str, reader: Person, entry_point: str
) -> None:
    audited_call(
        environment, reader, "ensure_user_profile", schema_name=tenant, display_name="Ada"
    ).must_succeed()
    before = audited_call(environment, reader, "get_user_profile", schema_name=tenant).result

    done = audited_call(
        environment,
        reader,
        "update_user_profile",
        entry_point=entry_point,
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
        "tenant_id": registry(environment, tenant)["tenant"]["id"],
        "details": {"after": {"id": reader.id}, "changed": ["metadata", "updated_at"]},
    }


def test_update_replaces_the_whole_metadata(
    environment: Environment, tenant: str, reader: Person
) -> None:
    audited_call(environment, reader, "ensure_user_profile", schema_name=tenant).must_succeed()
    for metadata in ({"theme": "dark", "size": 2}, {"size": 3}):
        done = audited_call(
            environment, reader, "update_user_profile", schema_name=tenant, metadata=metadata
        )
        assert done.result["metadata"] == metadata
        assert done.entry


@pytest.mark.parametrize(
    "arguments",
    [{}, {"display_name": "Ada"}, {"metadata": {}}, {"display_name": "Ada", "metadata": {}}],
    ids=["nothing", "same name", "same metadata", "same of both"],
)
def test_update_to_the_present_values_changes_nothing(
    environment: Environment, tenant: str, reader: Person, arguments: dict[str, Any]
) -> None:
    audited_call(
        environment, reader, "ensure_user_profile", schema_name=tenant, display_name="Ada"
    ).must_succeed()
    before = audited_call(environment, reader, "get_user_profile", schema_name=tenant).result

    done = audited_call(
        environment, reader, "update_user_profile", schema_name=tenant, **arguments
    )

    assert done.result == before
    assert done.entries == []


def test_update_changes_no_other_profile(
    environment: Environment, tenant: str, reader: Person, admin: Person
) -> None:
    for person in (reader, admin):
        audited_call(
            environment, person, "ensure_user_profile", schema_name=tenant
        ).must_succeed()
    before = audited_call(environment, reader, "get_user_profile", schema_name=tenant).result

    audited_call(
        environment, admin, "update_user_profile", schema_name=tenant, display_name="Bob"
    ).must_succeed()

    assert (
        audited_call(environment, reader, "get_user_profile", schema_name=tenant).result
        == before
    )


# Limits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("metadata", [[], "text", 1, True], ids=["array", "text", "1", "true"])
@pytest.mark.parametrize("operation", ["create_user_profile", "update_user_profile"])
def test_metadata_must_be_an_object(
    environment: Environment, tenant: str, admin: Person, operation: str, metadata: Any
) -> None:
    audited_call(environment, admin, "ensure_user_profile", schema_name=tenant).must_succeed()
    arguments: dict[str, Any] = {"schema_name": tenant}
    if operation == "create_user_profile":
        arguments["user_id"] = environment.person().id

    for entry_point in ENTRY_POINTS:
        refused = audited_call(
            environment,
            admin,
            operation,
            entry_point=entry_point,
            metadata=metadata,
            **arguments,
        )
        assert refusal(refused.reply) == (422, "invalid_request")
        assert refused.entries == []

    allowed = audited_call(environment, admin, operation, metadata={"a": metadata}, **arguments)
    assert allowed.result["metadata"] == {"a": metadata}


def nested(levels: int) -> Any:
    return {"a": nested(levels - 1)} if levels else 1


@pytest.mark.parametrize(
    ("metadata", "allowed"),
    [
        ({"a": "x" * 8_183}, True),
        ({"a": "x" * 8_184}, False),
        (nested(63), True),
        (nested(64), False),
    ],
    ids=["8 KB", "larger", "deep", "deeper"],
)
def test_size_of_metadata_is_limited(
    environment: Environment, tenant: str, reader: Person, metadata: Any, allowed: bool
) -> None:
    audited_call(environment, reader, "ensure_user_profile", schema_name=tenant).must_succeed()

    done = audited_call(
        environment, reader, "update_user_profile", schema_name=tenant, metadata=metadata
    )

    if allowed:
        assert done.result["metadata"] == metadata
    else:
        assert done.refusal == (422, "invalid_request")


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize(
    ("field", "longest"), [("display_name", 200), ("role", 100)], ids=["display name", "role"]
)
def test_texts_of_a_created_profile_are_limited(
    environment: Environment,
    tenant: str,
    admin: Person,
    entry_point: str,
    field: str,
    longest: int,
) -> None:
    arguments: dict[str, Any] = {"schema_name": tenant, "user_id": environment.person().id}

    refused = audited_call(
        environment,
        admin,
        "create_user_profile",
        entry_point=entry_point,
        **arguments,
        **{field: "ß" * (longest + 1)},
    )
    assert refusal(refused.reply) == (422, "invalid_request")
    assert refused.entries == []

    allowed = audited_call(
        environment,
        admin,
        "create_user_profile",
        entry_point=entry_point,
        **arguments,
        **{field: "ß" * longest},
    )
    assert allowed.result[field] == "ß" * longest


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize("operation", ["ensure_user_profile", "update_user_profile"])
def test_own_display_name_has_at_most_200_characters(
    environment: Environment, tenant: str, reader: Person, operation: str, entry_point: str
) -> None:
    if operation == "update_user_profile":
        audited_call(
            environment, reader, "ensure_user_profile", schema_name=tenant
        ).must_succeed()

    refused = audited_call(
        environment,
        reader,
        operation,
        entry_point=entry_point,
        schema_name=tenant,
        display_name="x" * 201,
    )
    assert refusal(refused.reply) == (422, "invalid_request")
    assert refused.entries == []

    allowed = audited_call(
        environment,
        reader,
        operation,
        entry_point=entry_point,
        schema_name=tenant,
        display_name="x" * 200,
    )
    assert allowed.result["display_name"] == "x" * 200


def test_profiles_are_written_only_through_the_rpcs(
    environment: Environment, tenant: str, admin: Person
) -> None:
    audited_call(environment, admin, "ensure_user_profile", schema_name=tenant).must_succeed()
    mine = {"id": f"eq.{admin.id}"}
    until(lambda: is_known(environment, tenant, "users"))

    reads = environment.rows(admin, tenant, "users", params=mine)
    assert [row["id"] for row in reads.json()] == [admin.id]
    writes = environment.rows(
        admin, tenant, "users", "PATCH", params=mine, json={"role": "owner"}
    )
    assert refusal(writes) == (403, "forbidden")


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("Zoë\u200d\U0001f468 עמוד", True),
        ("a\nb", False),
        ("a\tb", False),
        ("a\x1b[31mb", False),
        ("a\x7fb", False),
        ("a\x85b", False),
        ("a\u202eb", False),
        ("a\u200fb", False),
        ("a\u2067b", False),
        ("a\u2028b", False),
    ],
    ids=lambda value: ascii(value),
)
def test_texts_that_people_read_have_no_control_or_bidirectional_characters(
    environment: Environment, tenant: str, reader: Person, text: str, allowed: bool
) -> None:
    service, user_id = environment.service, environment.person().id
    own, named = {"schema_name": tenant}, {"display_name": text}
    naming = {
        entry.name: {parameter.name for parameter in entry.parameters}
        for entry in catalogue().values()
        if any(parameter.name == "display_name" for parameter in entry.parameters)
    }
    assert len(naming) == 6
    new = {name: environment.name() for name in naming if name.endswith("_tenant_schema")}
    if allowed:
        existing = Identifier(new["register_tenant_schema"])
        environment.sql.execute(SQL("create schema {}").format(existing))
    calls: list[tuple[Person, str, dict[str, Any]]] = [
        *(
            (
                reader if "member" in catalogue()[operation].callers else service,
                operation,
                {"schema_name": new[operation]} | named
                if operation in new
                else own | named | ({"user_id": user_id} if "user_id" in parameters else {}),
            )
            for operation, parameters in naming.items()
        ),
        (
            service,
            "create_user_profile",
            own | {"user_id": environment.person().id, "role": text},
        ),
        (service, "suspend_tenant", {"schema_name": environment.tenant(), "reason": text}),
    ]

    for person, operation, arguments in calls:
        done = audited_call(environment, person, operation, **arguments)
        if allowed:
            done.must_succeed()
        else:
            assert done.refusal == (422, "invalid_request"), operation
