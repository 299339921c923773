"""The whole story, told with real users, once through each entry_point."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest

from support.entry_points import ENTRY_POINTS, HOLD_TENANT, EntryPoint, code, holding
from support.environment import Address, Environment, Person
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
        self.told: list[tuple[str, int, Any]] = []
        self._words: dict[str, str] = {}

    def named(self, word: str, value: str) -> str:
        """Replaces a value that differs from journey to journey by a word."""
        self._words[value] = word
        return value

    def ask(self, person: Person, operation: str, **arguments: Any) -> httpx.Response:
        reply = self.entry_point(self.environment, person, operation, **arguments)
        body = reply.json()
        if reply.is_error:
            body = {"code": code(reply), "message": body["message"], "hint": body["hint"]}
        self.told.append((operation, reply.status_code, self._comparable(body)))
        return reply

    def done(self, person: Person, operation: str, **arguments: Any) -> Any:
        reply = self.ask(person, operation, **arguments)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def refused(
        self, status: int, reason: str, person: Person, operation: str, **arguments: Any
    ) -> None:
        reply = self.ask(person, operation, **arguments)
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
                for spoken, word in self._words.items():
                    value = value.replace(spoken, word)
        return value


def answered(
    environment: Environment, person: Person, schema_name: str, *statuses: int
) -> httpx.Response:
    """The Data API's reply once PostgREST has read the list of schemas anew."""
    deadline = time.monotonic() + 10
    while (
        reply := environment.rows(person, schema_name, "settings")
    ).status_code not in statuses:
        assert time.monotonic() < deadline, reply.text
    return reply


def crowd(
    environment: Environment, size: int, call: Callable[..., httpx.Response], schema_name: str
) -> list[httpx.Response]:
    """The replies to calls that met in the database before any of them got through."""
    with ThreadPoolExecutor(size) as threads:
        with holding(environment.address, HOLD_TENANT, schema_name):
            calls = [threads.submit(call, schema_name=schema_name) for _ in range(size)]
            deadline = time.monotonic() + 10
            while len(environment.sql.execute(WAITING).fetchall()) < 5:
                assert time.monotonic() < deadline, "They do not meet."
        return [call.result() for call in calls]


def walk(environment: Environment, entry_point: EntryPoint) -> list[tuple[str, int, Any]]:
    journey = Journey(environment, entry_point)
    people = {word: environment.sign_up() for word in ("owner", "alice", "bob", "carol")}
    owner, alice, bob, carol = people.values()
    for word, person in people.items():
        journey.named(f"<{word}>", str(person.id))
        journey.named(f"<{word}'s address>", str(person.email))
    acme = journey.named("<acme>", environment.name())
    rival = journey.named("<rival>", environment.name())

    # The service key appoints the first super_admin; nobody appoints themselves.
    journey.refused(403, "forbidden", owner, "promote_to_admin", user_id=owner.id)
    appointed = journey.done(
        environment.service, "promote_to_admin", user_id=owner.id, role="super_admin"
    )
    assert (appointed["user_id"], appointed["role"]) == (owner.id, "super_admin")

    # Two tenants, which a stranger cannot make and a name cannot have twice.
    journey.refused(403, "forbidden", alice, "create_tenant_schema", schema_name=acme)
    made = journey.done(owner, "create_tenant_schema", schema_name=acme, display_name="Acme")
    assert (made["schema_name"], made["status"]) == (acme, "active")
    journey.done(owner, "create_tenant_schema", schema_name=rival)
    journey.refused(409, "tenant_exists", owner, "create_tenant_schema", schema_name=acme)

    # Grants: alice administers acme and lets bob in; carol belongs to the rival.
    journey.refused(404, "tenant_not_found", alice, "check_tenant_status", schema_name=acme)
    journey.done(
        owner, "grant_schema_access", schema_name=acme, user_id=alice.id, access_level="admin"
    )
    journey.done(alice, "grant_schema_access", schema_name=acme, user_id=bob.id)
    journey.done(
        owner, "grant_schema_access", schema_name=rival, user_id=carol.id, access_level="write"
    )
    assert [
        (tenant["schema_name"], tenant["access_level"])
        for tenant in journey.done(alice, "list_my_tenants")
    ] == [(acme, "admin")]

    # Profiles: the first call makes one, the second finds it, twenty at once make one.
    first = journey.done(alice, "ensure_user_profile", schema_name=acme, display_name="Alice")
    again = journey.done(alice, "ensure_user_profile", schema_name=acme, display_name="Other")
    assert (first["is_new"], first["email"]) == (True, alice.email)
    assert again == first | {"is_new": False}
    replies = crowd(
        environment, 20, partial(entry_point, environment, bob, "ensure_user_profile"), acme
    )
    assert [reply.status_code for reply in replies] == [200] * 20
    assert sorted(reply.json()["is_new"] for reply in replies) == [False] * 19 + [True]
    profiles = environment.rows(alice, acme, "users", params={"select": "id"}).json()
    assert sorted(row["id"] for row in profiles) == sorted([str(alice.id), str(bob.id)])

    # Rows through the Data API: the admin writes, the reader reads, the rival neither.
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
    assert answered(environment, carol, rival, 200).json() == []
    for person in (carol, owner):
        other = environment.rows(person, acme, "settings")
        assert (other.status_code, code(other)) == (403, "forbidden")
    journey.refused(404, "tenant_not_found", carol, "get_tenant_info", schema_name=acme)
    journey.refused(404, "tenant_not_found", carol, "ensure_user_profile", schema_name=acme)

    # Suspended: refused from the next request on, whoever asks.
    before = environment.sql.execute(PRIVILEGES, {"name": acme}).fetchall()
    journey.refused(403, "forbidden", alice, "suspend_tenant", schema_name=acme)
    journey.refused(409, "tenant_active", owner, "delete_tenant_schema", schema_name=acme)
    assert environment.rows(environment.service, acme, "settings").status_code == 200
    suspended = journey.done(
        owner, "suspend_tenant", schema_name=acme, reason="The invoice is unpaid."
    )
    for person in (alice, bob, environment.service):
        closed = environment.rows(person, acme, "settings")
        assert (closed.status_code, code(closed)) == (403, "tenant_suspended")
    journey.refused(403, "tenant_suspended", alice, "ensure_user_profile", schema_name=acme)
    assert environment.rows(carol, rival, "settings").status_code == 200
    assert environment.sql.execute(PRIVILEGES, {"name": acme}).fetchall() != before
    assert journey.done(bob, "check_tenant_status", schema_name=acme)["status"] == "suspended"
    assert journey.done(owner, "suspend_tenant", schema_name=acme) == suspended

    # Active again, with exactly the privileges and the rows it had.
    journey.done(owner, "activate_tenant", schema_name=acme)
    assert environment.sql.execute(PRIVILEGES, {"name": acme}).fetchall() == before
    for person in (alice, bob, environment.service):
        assert environment.rows(person, acme, "settings").json() == written.json()

    # Deleted: nothing stays but the trail.
    journey.done(owner, "suspend_tenant", schema_name=acme)
    journey.done(owner, "delete_tenant_schema", schema_name=acme)
    gone = answered(environment, alice, acme, 406)
    assert acme not in gone.text
    assert rival in gone.text
    (exposed,) = environment.sql.execute(EXPOSED).fetchall()
    assert acme not in exposed["names"]
    assert rival in exposed["names"]
    assert environment.sql.execute(PRIVILEGES, {"name": acme}).fetchall() == []
    assert (
        environment.sql.execute(
            "select from public.user_schema_access where schema_name = %s", (acme,)
        ).fetchall()
        == []
    )
    assert journey.done(alice, "list_my_tenants") == []
    journey.refused(404, "tenant_not_found", owner, "get_tenant_info", schema_name=acme)
    assert environment.rows(carol, rival, "settings").status_code == 200
    trail = environment.sql.execute(
        "select action, actor_id::text, actor_role from public.admin_audit_log"
        " where schema_name = %s order by id",
        (acme,),
    ).fetchall()
    assert [(entry["action"], entry["actor_id"], entry["actor_role"]) for entry in trail] == [
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
    return journey.told


def test_journey_from_the_first_super_admin_to_the_last_trace(
    environment: Environment, entry_point: EntryPoint
) -> None:
    walk(environment, entry_point)


@pytest.fixture
def second_environment(address: Address) -> Iterator[Environment]:
    environment = Environment(address)
    try:
        yield environment
    finally:
        environment.close()


def test_both_entry_points_tell_the_same(
    environment: Environment, second_environment: Environment
) -> None:
    assert walk(environment, ENTRY_POINTS["functions"]) == walk(
        second_environment, ENTRY_POINTS["rpc"]
    )
