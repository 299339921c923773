"""From the first super_admin to the deleted tenant, with users of Auth, by each entry point."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest

from support.entry_points import ENTRY_POINTS, HOLD_TENANT, EntryPoint, holding
from support.environment import Address, Environment, Person
from support.refusals import code
from support.waiting import is_known, until

PRIVILEGES = """
    select n.nspname as name, n.nspacl::text as privileges
    from pg_namespace n where n.nspname = %(name)s
    union all
    select c.relname, c.relacl::text
    from pg_class c where c.relnamespace = to_regnamespace(%(name)s)
    union all
    select p.oid::regprocedure::text, p.proacl::text
    from pg_proc p where p.pronamespace = to_regnamespace(%(name)s)
    order by name
"""

WAITING = """
    select from pg_stat_activity
    where usename = 'authenticator' and wait_event_type = 'Lock'
        and query ~ 'ensure_user_profile'
"""

EXPOSED = "select tenancy.exposed_schemas() as names"


class Journey:
    """Calls through one entry point, and keeps the replies in a form common to both."""

    def __init__(self, environment: Environment, entry_point: EntryPoint) -> None:
        self.environment = environment
        self.entry_point = entry_point
        self.replies: list[tuple[str, int, Any]] = []
        self._words: dict[str, str] = {}

    def named(self, word: str, value: str) -> str:
        """Replaces a value, which differs between journeys, by a word in the replies."""
        self._words[value] = word
        return value

    def call(self, person: Person, operation: str, **arguments: Any) -> httpx.Response:
        reply = self.entry_point(self.environment, person, operation, **arguments)
        body = reply.json()
        if reply.is_error:
            body = {"code": code(reply), "message": body["message"], "hint": body["hint"]}
        self.replies.append((operation, reply.status_code, self._comparable(body)))
        return reply

    def succeed(self, person: Person, operation: str, **arguments: Any) -> Any:
        reply = self.call(person, operation, **arguments)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def refused(
        self, status: int, reason: str, person: Person, operation: str, **arguments: Any
    ) -> None:
        reply = self.call(person, operation, **arguments)
        assert (reply.status_code, code(reply)) == (status, reason)

    def _comparable(self, value: Any) -> Any:
        match value:
            case dict():
                return {
                    key: bool(item) if key.endswith("_at") else self._comparable(item)
                    for key, item in value.items()
                    if key != "id" or item in self._words
                }
            case list():
                return [self._comparable(item) for item in value]
            case str():
                for text, word in self._words.items():
                    value = value.replace(text, word)
        return value


def answered(
    environment: Environment, person: Person, schema_name: str, *statuses: int
) -> httpx.Response:
    """The Data API's reply after PostgREST has reloaded the list of schemas."""
    deadline = time.monotonic() + 10
    while (
        reply := environment.rows(person, schema_name, "settings")
    ).status_code not in statuses:
        assert time.monotonic() < deadline, reply.text
    return reply


def concurrent_replies(
    environment: Environment, size: int, call: Callable[..., httpx.Response], schema_name: str
) -> list[httpx.Response]:
    """The replies to calls of which several wait in the database before the first proceeds."""
    with ThreadPoolExecutor(size) as threads:
        with holding(environment.address, HOLD_TENANT, schema_name):
            calls = [threads.submit(call, schema_name=schema_name) for _ in range(size)]
            deadline = time.monotonic() + 10
            while len(environment.sql.execute(WAITING).fetchall()) < 5:
                assert time.monotonic() < deadline, "Fewer than five calls wait."
        return [call.result() for call in calls]


def run_journey(
    environment: Environment, entry_point: EntryPoint
) -> list[tuple[str, int, Any]]:
    journey = Journey(environment, entry_point)
    people = {word: environment.sign_up() for word in ("owner", "alice", "bob", "carol")}
    owner, alice, bob, carol = people.values()
    for word, person in people.items():
        journey.named(f"<{word}>", str(person.id))
        journey.named(f"<{word}'s address>", str(person.email))
    acme = journey.named("<acme>", environment.name())
    globex = journey.named("<globex>", environment.name())

    # The service key appoints the first super_admin; nobody appoints themselves.
    journey.refused(403, "forbidden", owner, "promote_to_admin", user_id=owner.id)
    appointed = journey.succeed(
        environment.service, "promote_to_admin", user_id=owner.id, role="super_admin"
    )
    assert (appointed["user_id"], appointed["role"]) == (owner.id, "super_admin")

    # Two tenants. A stranger cannot create one, and a name cannot be used twice.
    journey.refused(403, "forbidden", alice, "create_tenant_schema", schema_name=acme)
    created = journey.succeed(
        owner, "create_tenant_schema", schema_name=acme, display_name="Acme"
    )
    assert (created["schema_name"], created["status"]) == (acme, "active")
    journey.succeed(owner, "create_tenant_schema", schema_name=globex)
    journey.refused(409, "tenant_exists", owner, "create_tenant_schema", schema_name=acme)

    # Grants: alice administers acme and gives bob access; carol belongs to globex.
    journey.refused(404, "tenant_not_found", alice, "check_tenant_status", schema_name=acme)
    journey.succeed(
        owner, "grant_schema_access", schema_name=acme, user_id=alice.id, access_level="admin"
    )
    journey.succeed(alice, "grant_schema_access", schema_name=acme, user_id=bob.id)
    journey.succeed(
        owner, "grant_schema_access", schema_name=globex, user_id=carol.id, access_level="write"
    )
    assert [
        (tenant["schema_name"], tenant["access_level"])
        for tenant in journey.succeed(alice, "list_my_tenants")
    ] == [(acme, "admin")]

    # Profiles: the first call creates one, the second finds it, twenty at once create one.
    first = journey.succeed(
        alice, "ensure_user_profile", schema_name=acme, display_name="Alice"
    )
    again = journey.succeed(
        alice, "ensure_user_profile", schema_name=acme, display_name="Other"
    )
    assert (first["is_new"], first["email"]) == (True, alice.email)
    assert again == first | {"is_new": False}
    replies = concurrent_replies(
        environment, 20, partial(entry_point, environment, bob, "ensure_user_profile"), acme
    )
    assert [reply.status_code for reply in replies] == [200] * 20
    assert sorted(reply.json()["is_new"] for reply in replies) == [False] * 19 + [True]
    profiles = environment.rows(alice, acme, "users", params={"select": "id"}).json()
    assert sorted(row["id"] for row in profiles) == sorted([str(alice.id), str(bob.id)])

    # Rows through the Data API: the admin writes, the reader reads, carol does neither.
    assert answered(environment, alice, acme, 200).json() == []
    until(lambda: is_known(environment, acme, "settings"))
    written = environment.rows(
        alice, acme, "settings", "POST", json={"key": "colour", "value": "teal"}
    )
    assert written.status_code == 201, written.text
    assert (written.json()[0]["value"], written.json()[0]["updated_by"]) == ("teal", alice.id)
    assert environment.rows(bob, acme, "settings").json() == written.json()
    assert (
        environment.rows(bob, acme, "settings", "POST", json={"key": "font", "value": "serif"})
    ).status_code == 403
    assert answered(environment, carol, globex, 200).json() == []
    for person in (carol, owner):
        other = environment.rows(person, acme, "settings")
        assert (other.status_code, code(other)) == (403, "forbidden")
    journey.refused(404, "tenant_not_found", carol, "get_tenant_info", schema_name=acme)
    journey.refused(404, "tenant_not_found", carol, "ensure_user_profile", schema_name=acme)

    # Suspension: the next request is refused, whoever sends it.
    before = environment.sql.execute(PRIVILEGES, {"name": acme}).fetchall()
    journey.refused(403, "forbidden", alice, "suspend_tenant", schema_name=acme)
    journey.refused(409, "tenant_active", owner, "delete_tenant_schema", schema_name=acme)
    assert environment.rows(environment.service, acme, "settings").status_code == 200
    suspended = journey.succeed(
        owner, "suspend_tenant", schema_name=acme, reason="The invoice is unpaid."
    )
    for person in (alice, bob, environment.service):
        closed = environment.rows(person, acme, "settings")
        assert (closed.status_code, code(closed)) == (403, "tenant_suspended")
    journey.refused(403, "tenant_suspended", alice, "ensure_user_profile", schema_name=acme)
    assert environment.rows(carol, globex, "settings").status_code == 200
    assert environment.sql.execute(PRIVILEGES, {"name": acme}).fetchall() != before
    assert (
        journey.succeed(bob, "check_tenant_status", schema_name=acme)["status"] == "suspended"
    )
    assert journey.succeed(owner, "suspend_tenant", schema_name=acme) == suspended

    # Activation: the tenant has exactly the privileges and the rows of before.
    journey.succeed(owner, "activate_tenant", schema_name=acme)
    assert environment.sql.execute(PRIVILEGES, {"name": acme}).fetchall() == before
    for person in (alice, bob, environment.service):
        assert environment.rows(person, acme, "settings").json() == written.json()

    # Deletion: nothing remains but the audit log.
    journey.succeed(owner, "suspend_tenant", schema_name=acme)
    journey.succeed(owner, "delete_tenant_schema", schema_name=acme)
    gone = answered(environment, alice, acme, 406)
    assert acme not in gone.text
    assert globex in gone.text
    (exposed,) = environment.sql.execute(EXPOSED).fetchall()
    assert acme not in exposed["names"]
    assert globex in exposed["names"]
    assert environment.sql.execute(PRIVILEGES, {"name": acme}).fetchall() == []
    assert (
        environment.sql.execute(
            "select from public.user_schema_access where schema_name = %s", (acme,)
        ).fetchall()
        == []
    )
    assert journey.succeed(alice, "list_my_tenants") == []
    journey.refused(404, "tenant_not_found", owner, "get_tenant_info", schema_name=acme)
    assert environment.rows(carol, globex, "settings").status_code == 200
    entries = environment.sql.execute(
        "select action, actor_id::text, actor_role from public.admin_audit_log"
        " where schema_name = %s order by id",
        (acme,),
    ).fetchall()
    assert [(entry["action"], entry["actor_id"], entry["actor_role"]) for entry in entries] == [
        ("tenant.create", owner.id, "super_admin"),
        ("access.grant", owner.id, "super_admin"),
        ("access.grant", alice.id, "tenant_admin"),
        ("profile.create", alice.id, "tenant_admin"),
        ("profile.create", bob.id, "tenant_read"),
        ("tenant.suspend", owner.id, "super_admin"),
        ("tenant.activate", owner.id, "super_admin"),
        ("tenant.suspend", owner.id, "super_admin"),
        ("tenant.delete", owner.id, "super_admin"),
    ]
    return journey.replies


def test_journey_from_the_first_super_admin_to_the_deleted_tenant(
    environment: Environment, entry_point: EntryPoint
) -> None:
    run_journey(environment, entry_point)


@pytest.fixture
def second_environment(address: Address) -> Iterator[Environment]:
    with Environment(address) as environment:
        yield environment


def test_both_entry_points_give_the_same_replies(
    environment: Environment, second_environment: Environment
) -> None:
    assert run_journey(environment, ENTRY_POINTS["function"]) == run_journey(
        second_environment, ENTRY_POINTS["rpc"]
    )
