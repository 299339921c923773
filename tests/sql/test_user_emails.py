"""A tenant's copy of an e-mail address follows Auth."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from support.aged_log import seal_everything
from support.audited_call import AuditedCall, audited_call
from support.entry_points import ENTRY_POINTS, HOLD_TENANT, holding
from support.environment import Address, Environment, Person


@pytest.fixture
def tenant(environment: Environment) -> str:
    return environment.tenant()


@pytest.fixture
def admin(environment: Environment, tenant: str) -> Person:
    return environment.member(tenant, "admin")


@pytest.fixture
def reader(environment: Environment, tenant: str) -> Person:
    """A reader with a profile."""
    return with_profile(environment, tenant)


def with_profile(environment: Environment, tenant: str) -> Person:
    person = environment.member(tenant, "read")
    environment.sql.execute("select public.create_user_profile(%s, %s)", (tenant, person.id))
    return person


def set_email(environment: Environment, person: Person, email: str | None) -> str | None:
    environment.sql.execute(
        "update auth.users set email = %s where id = %s", (email, person.id)
    )
    return email


def change_email(environment: Environment, person: Person) -> str:
    return str(set_email(environment, person, f"{uuid.uuid4()}@example.com"))


def copy_of(environment: Environment, tenant: str, person: Person) -> str | None:
    """The address in the tenant's table, as a member reads it through the Data API."""
    [row] = environment.rows(
        environment.service, tenant, "users", params={"id": f"eq.{person.id}"}
    ).json()
    email: str | None = row["email"]
    return email


def changes(environment: Environment, tenant: str) -> list[dict[str, Any]]:
    """The updates in the tenant's audit log."""
    return environment.sql.execute(
        SQL(
            "select actor_id::text, actor_role, record_id ->> 'id' as id,"
            " old_values ->> 'email' as old, new_values ->> 'email' as new"
            " from {}.audit_log where action = 'update' order by id"
        ).format(Identifier(tenant))
    ).fetchall()


def refresh(environment: Environment, person: Person, tenant: str) -> AuditedCall:
    return audited_call(environment, person, "refresh_user_emails", schema_name=tenant)


# Operations on a profile -------------------------------------------------------------------


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize("operation", ["get_user_profile", "ensure_user_profile"])
def test_operation_returns_the_address_of_auth_and_refreshes_the_copy(
    environment: Environment, tenant: str, reader: Person, operation: str, entry_point: str
) -> None:
    before = audited_call(environment, reader, operation, schema_name=tenant)
    assert (before.result["email"], before.entries) == (reader.email, [])
    email = change_email(environment, reader)
    assert copy_of(environment, tenant, reader) == reader.email

    done = audited_call(
        environment, reader, operation, entry_point=entry_point, schema_name=tenant
    )

    assert done.result["email"] == email
    assert done.result["updated_at"] > before.result["updated_at"]
    assert copy_of(environment, tenant, reader) == email
    entry = done.entry
    assert (entry["action"], entry["actor_id"], entry["schema_name"]) == (
        "profile.refresh",
        reader.id,
        tenant,
    )
    assert entry["details"] == {"after": {"id": reader.id}, "changed": ["email"]}
    assert changes(environment, tenant) == [
        {
            "actor_id": reader.id,
            "actor_role": "user",
            "id": reader.id,
            "old": reader.email,
            "new": email,
        }
    ]

    again = audited_call(
        environment, reader, operation, entry_point=entry_point, schema_name=tenant
    )
    assert (again.result, again.entries) == (done.result, [])


def test_refresh_is_logged_as_the_change_of_whoever_called(
    environment: Environment, tenant: str, reader: Person
) -> None:
    other = environment.member(tenant, "read")
    email = change_email(environment, reader)

    done = audited_call(
        environment, other, "get_user_profile", schema_name=tenant, user_id=reader.id
    )

    assert done.result["email"] == email
    assert done.entry["actor_id"] == other.id
    assert done.entry["details"]["after"] == {"id": reader.id}
    [change] = changes(environment, tenant)
    assert (change["actor_id"], change["id"], change["new"]) == (other.id, reader.id, email)


def test_get_request_reads_the_address_of_auth_and_writes_nothing(
    environment: Environment, tenant: str, reader: Person
) -> None:
    email = change_email(environment, reader)

    reply = environment.http.get(
        "/rest/v1/rpc/get_user_profile",
        headers=environment.headers(reader),
        params={"schema_name": tenant},
    )

    assert (reply.status_code, reply.json()["email"]) == (200, email)
    assert copy_of(environment, tenant, reader) == reader.email
    assert changes(environment, tenant) == []


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [("update_user_profile", {"display_name": "Ada"}), ("update_user_profile", {})],
    ids=["a change", "no change"],
)
def test_other_operations_return_the_address_of_auth_too(
    environment: Environment,
    tenant: str,
    reader: Person,
    operation: str,
    arguments: dict[str, str],
) -> None:
    email = change_email(environment, reader)

    done = audited_call(environment, reader, operation, schema_name=tenant, **arguments)

    assert done.result["email"] == email


@pytest.mark.parametrize("operation", ["get_user_profile", "refresh_user_emails"])
def test_addresses_that_are_new_or_gone_are_followed(
    environment: Environment, tenant: str, admin: Person, reader: Person, operation: str
) -> None:
    # An anonymous user has no address. One whose address is removed has none either.
    for email in (None, f"{uuid.uuid4()}@example.com"):
        set_email(environment, reader, email)
        arguments: dict[str, Any] = {}
        if operation == "get_user_profile":
            arguments["user_id"] = reader.id

        audited_call(
            environment, admin, operation, schema_name=tenant, **arguments
        ).must_succeed()

        assert copy_of(environment, tenant, reader) == email


# Users whom Auth has deleted ---------------------------------------------------------------


def test_copy_of_a_soft_deleted_user_becomes_what_auth_has(
    environment: Environment, tenant: str, admin: Person, reader: Person
) -> None:
    # Auth overwrites the address of a user whom it deletes softly.
    email = change_email(environment, reader)
    environment.set_auth_state(reader, "deleted_at", "now")

    assert refresh(environment, admin, tenant).result["refreshed"] == 1

    assert copy_of(environment, tenant, reader) == email


def test_copy_of_a_deleted_user_stays(
    environment: Environment, tenant: str, admin: Person, reader: Person
) -> None:
    environment.sql.execute("delete from auth.users where id = %s", (reader.id,))

    assert refresh(environment, admin, tenant).result["refreshed"] == 0
    found = audited_call(
        environment, admin, "get_user_profile", schema_name=tenant, user_id=reader.id
    )

    assert found.result["email"] == reader.email == copy_of(environment, tenant, reader)


# A whole tenant ----------------------------------------------------------------------------


@pytest.mark.parametrize("is_expired", [False, True], ids=["revoked", "expired"])
def test_tenant_does_not_learn_the_later_address_of_a_former_member(
    environment: Environment, tenant: str, admin: Person, reader: Person, is_expired: bool
) -> None:
    present = with_profile(environment, tenant)
    if is_expired:
        environment.sql.execute(
            "update public.user_schema_access set granted_at = now() - interval '2 days',"
            " expires_at = now() - interval '1 day' where schema_name = %s and user_id = %s",
            (tenant, reader.id),
        )
    else:
        environment.sql.execute(
            "select public.revoke_schema_access(%s, %s)", (tenant, reader.id)
        )
    change_email(environment, reader)
    email = change_email(environment, present)

    for person, expected in ((reader, reader.email), (present, email)):
        profile = audited_call(
            environment, admin, "get_user_profile", schema_name=tenant, user_id=person.id
        )
        assert profile.result["email"] == expected
    change_email(environment, present)
    assert refresh(environment, admin, tenant).result["refreshed"] == 1
    assert copy_of(environment, tenant, reader) == reader.email


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_refresh_of_a_tenant_changes_what_differs_and_leaves_one_entry(
    environment: Environment, tenant: str, admin: Person, reader: Person, entry_point: str
) -> None:
    second, third = (with_profile(environment, tenant) for _ in range(2))
    other_tenant = environment.tenant()
    environment.sql.execute(
        "select public.create_user_profile(%s, %s)", (other_tenant, reader.id)
    )
    emails = [change_email(environment, person) for person in (reader, second)]

    done = audited_call(
        environment,
        admin,
        "refresh_user_emails",
        entry_point=entry_point,
        schema_name=tenant,
    )

    assert done.result == {"schema_name": tenant, "refreshed": 2}
    entry = done.entry
    assert (entry["action"], entry["actor_id"], entry["actor_role"]) == (
        "profile.refresh",
        admin.id,
        "tenant_admin",
    )
    assert entry["details"] == {"refreshed": 2, "changed": ["email"]}
    assert [copy_of(environment, tenant, each) for each in (reader, second, third)] == [
        *emails,
        third.email,
    ]
    assert {change["actor_id"] for change in changes(environment, tenant)} == {admin.id}
    assert len(changes(environment, tenant)) == 2
    assert copy_of(environment, other_tenant, reader) == reader.email

    again = refresh(environment, admin, tenant)
    assert (again.result["refreshed"], again.entries) == (0, [])


def test_platform_admin_refreshes_a_suspended_tenant(
    environment: Environment, tenant: str, admin: Person, reader: Person
) -> None:
    change_email(environment, reader)
    environment.suspend(tenant)

    assert refresh(environment, admin, tenant).refusal == (403, "tenant_suspended")
    assert refresh(environment, environment.service, tenant).result["refreshed"] == 1


def test_one_call_changes_a_limited_number_of_profiles(
    environment: Environment,
    tenant: str,
    database: psycopg.Connection[dict[str, Any]],
) -> None:
    for _ in range(3):
        change_email(environment, with_profile(environment, tenant))

    refreshed = [
        row["n"]
        for _ in range(3)
        for row in database.execute(
            "select tenancy.refresh_emails(%s, at_most => 2) as n", (tenant,)
        )
    ]

    assert refreshed == [2, 1, 0]


# Redaction ---------------------------------------------------------------------------------


def test_redaction_covers_old_addresses(
    environment: Environment, tenant: str, admin: Person, reader: Person
) -> None:
    bystander = with_profile(environment, tenant)
    emails = [str(reader.email)]
    for by in (reader, admin):
        emails.append(change_email(environment, reader))
        audited_call(
            environment, by, "get_user_profile", schema_name=tenant, user_id=reader.id
        ).must_succeed()
    emails.append(change_email(environment, reader))
    refresh(environment, admin, tenant).must_succeed()

    def traces(email: str) -> int:
        row = environment.sql.execute(
            SQL(
                "select (select count(*) from {0}.audit_log e where e::text like %(email)s)"
                " + (select count(*) from public.admin_audit_log e"
                "    where e.schema_name = %(tenant)s and e::text like %(email)s) as n"
            ).format(Identifier(tenant)),
            {"tenant": tenant, "email": f"%{email}%"},
        ).fetchone()
        assert row is not None
        return int(row["n"])

    assert [traces(email) for email in emails] == [2, 2, 2, 1]
    seal_everything(environment.sql, tenant)
    audited_call(
        environment,
        environment.service,
        "redact_audit_log",
        schema_name=tenant,
        user_id=reader.id,
    ).must_succeed()
    assert [traces(email) for email in emails] == [0, 0, 0, 0]
    # The positive control: the entries of others stay.
    assert traces(str(bystander.email)) == 1


# Locks -------------------------------------------------------------------------------------


@contextmanager
def replies_while_held(
    environment: Environment, address: Address, person: Person, tenant: str, *held: Any
) -> Iterator[dict[str, httpx.Response]]:
    """Replies that come while another session holds the locks of a statement."""
    with holding(address, *held), ThreadPoolExecutor(2) as threads:
        calls = {
            operation: threads.submit(
                environment.rpc, person, operation, schema_name=tenant
            ).result(10)
            for operation in ("get_user_profile", "ensure_user_profile")
        }
        yield calls


CLOSING = "select pg_advisory_xact_lock(hashtextextended('tenancy.closing.' || %s, 0))"


@pytest.mark.parametrize("held", [HOLD_TENANT, CLOSING], ids=["being changed", "closing"])
def test_profile_is_read_while_the_tenant_is_locked(
    environment: Environment, tenant: str, reader: Person, address: Address, held: str
) -> None:
    email = change_email(environment, reader)

    with replies_while_held(environment, address, reader, tenant, held, tenant) as replies:
        assert {reply.status_code for reply in replies.values()} == {200}
        assert {reply.json()["email"] for reply in replies.values()} == {email}
        assert copy_of(environment, tenant, reader) == reader.email

    audited_call(environment, reader, "get_user_profile", schema_name=tenant).must_succeed()
    assert copy_of(environment, tenant, reader) == email


def test_refresh_does_not_wait_for_the_deletion_of_a_user(
    environment: Environment, tenant: str, admin: Person, reader: Person, address: Address
) -> None:
    email = change_email(environment, reader)
    deleting = "delete from auth.users where id = %s"

    with holding(address, deleting, reader.id):
        assert refresh(environment, admin, tenant).result["refreshed"] == 1

    assert copy_of(environment, tenant, reader) == email


def test_refresh_of_a_tenant_waits_for_its_turn(
    environment: Environment, tenant: str, admin: Person, reader: Person, address: Address
) -> None:
    change_email(environment, reader)

    with holding(address, HOLD_TENANT, tenant):
        refused = refresh(environment, admin, tenant)

    assert refused.refusal == (429, "busy")
    assert refresh(environment, admin, tenant).result["refreshed"] == 1


def test_revoked_member_refreshes_nothing(
    environment: Environment, tenant: str, admin: Person, reader: Person
) -> None:
    change_email(environment, reader)
    environment.sql.execute("select public.revoke_schema_access(%s, %s)", (tenant, reader.id))

    for operation in ("get_user_profile", "ensure_user_profile"):
        refused = audited_call(environment, reader, operation, schema_name=tenant)
        assert refused.refusal == (404, "tenant_not_found")
    assert copy_of(environment, tenant, reader) == reader.email
    environment.sql.execute("select public.grant_schema_access(%s, %s)", (tenant, reader.id))
    assert refresh(environment, admin, tenant).result["refreshed"] == 1


# A constraint of the product's own ---------------------------------------------------------


def test_constraint_of_the_product_does_not_stop_people_from_reading_a_profile(
    environment: Environment, tenant: str, admin: Person, reader: Person
) -> None:
    environment.sql.execute(
        SQL("alter table {}.users add constraint users_email_key unique (email)").format(
            Identifier(tenant)
        )
    )
    second = with_profile(environment, tenant)
    # The first address is free in Auth, but the tenant still has it.
    change_email(environment, second)
    audited_call(environment, second, "ensure_user_profile", schema_name=tenant).must_succeed()
    taken = copy_of(environment, tenant, second)
    change_email(environment, second)
    set_email(environment, reader, taken)

    done = audited_call(environment, reader, "ensure_user_profile", schema_name=tenant)

    assert (done.result["email"], done.entries) == (taken, [])
    assert copy_of(environment, tenant, reader) == reader.email
    # One by one, the addresses fit.
    for person in (second, reader):
        audited_call(environment, person, "get_user_profile", schema_name=tenant).must_succeed()
    assert copy_of(environment, tenant, reader) == taken
