"""Everybody at once, for a while, in an emulator of one's own."""

from __future__ import annotations

import itertools
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import psycopg
import pytest

from support.entry_points import ENTRY_POINTS, HOLD_TENANT, at_once, code, holding, waiter
from support.environment import Environment, Person
from support.waiting import until

SOAK = os.environ.get("TENANTRY_SOAK") == "1"

OPERATIONS = {
    *("create_tenant_schema", "suspend_tenant", "activate_tenant", "delete_tenant_schema"),
    *("grant_schema_access", "revoke_schema_access", "promote_to_admin", "ensure_user_profile"),
}

SUPER_ADMINS = "select user_id::text from public.admin_users where role = 'super_admin'"


@pytest.mark.soak
def test_one_of_two_super_admins_who_revoke_each_other_remains(
    own_environment: Environment,
) -> None:
    environment = own_environment
    pairs = itertools.cycle(itertools.product(ENTRY_POINTS.values(), repeat=2))
    one, other = environment.staff("super_admin"), environment.staff("super_admin")
    assert len(environment.sql.execute(SUPER_ADMINS).fetchall()) == 2

    for entry_points in itertools.islice(pairs, 1000 if SOAK else 100):
        revoke_other = partial(
            entry_points[0], environment, one, "revoke_admin", user_id=other.id
        )
        revoke_one = partial(
            entry_points[1], environment, other, "revoke_admin", user_id=one.id
        )
        first, second = at_once(revoke_other, revoke_one)

        statuses = sorted([first.status_code, second.status_code])
        assert statuses in ([200, 403], [200, 409]), (first.text, second.text)
        left = [row["user_id"] for row in environment.sql.execute(SUPER_ADMINS)]
        assert left == [one.id if first.is_success else other.id]
        for person in (one, other):
            environment.sql.execute(
                "select public.promote_to_admin(%s, 'super_admin')", (person.id,)
            )


def delete_user(environment: Environment, person: Person) -> None:
    """Deletes a user as Auth does it."""
    url = environment.address.db_url.replace("//postgres:", "//supabase_auth_admin:")
    with psycopg.connect(url) as auth:
        auth.execute("delete from auth.users where id = %s", (person.id,))


HOLD_ACCESS = "select from public.user_schema_access where user_id = %s for update"
HOLD_ADMIN = "select from public.admin_users where user_id = %s for update"


def test_user_who_let_others_in_can_be_deleted_while_the_tenant_is(
    own_environment: Environment, caller: ThreadPoolExecutor
) -> None:
    """The user's deletion goes from their access to that of others, the tenant's the other
    way: both may not be on the way at once."""
    environment = own_environment
    tenant, elsewhere = environment.tenant(), environment.tenant()
    host, guest, other_guest = (
        environment.staff("admin"),
        environment.person(),
        environment.person(),
    )
    for schema_name, person in ((elsewhere, other_guest), (tenant, guest)):
        environment.rpc(
            host, "grant_schema_access", schema_name=schema_name, user_id=person.id
        ).raise_for_status()
    environment.grant(tenant, host, "read")
    environment.suspend(tenant)

    with holding(environment.address, HOLD_ACCESS, other_guest.id) as holder:
        leaving = caller.submit(delete_user, environment, host)
        # The host's own access is gone; next come those whom they let in.
        leaver = waiter(environment, holder.info.backend_pid, leaving)
        deleting = caller.submit(
            environment.rpc, environment.service, "delete_tenant_schema", schema_name=tenant
        )
        waiter(environment, leaver, deleting)

    leaving.result()
    assert deleting.result().status_code == 200, deleting.result().text


def test_creator_can_be_deleted_while_they_are_let_into_their_tenant(
    own_environment: Environment, caller: ThreadPoolExecutor
) -> None:
    environment = own_environment
    creator, viewer = environment.staff("super_admin"), environment.person()
    tenant = environment.name()
    for operation, arguments in (
        ("create_tenant_schema", {"schema_name": tenant}),
        ("promote_to_admin", {"user_id": viewer.id, "role": "viewer"}),
    ):
        environment.rpc(creator, operation, **arguments).raise_for_status()
    grant = {"schema_name": tenant, "user_id": creator.id}

    with holding(environment.address, HOLD_ADMIN, viewer.id) as holder:
        leaving = caller.submit(delete_user, environment, creator)
        # The tenant that bears their name comes next.
        leaver = waiter(environment, holder.info.backend_pid, leaving)
        granting = caller.submit(
            environment.rpc, environment.service, "grant_schema_access", **grant
        )
        waiter(environment, leaver, granting)

    leaving.result()
    assert (granting.result().status_code, code(granting.result())) == (404, "user_not_found")


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("create_tenant_schema", {}),
        ("promote_to_admin", {"role": "super_admin"}),
    ],
)
def test_staff_deleted_while_they_act_is_staff_no_more(
    own_environment: Environment,
    caller: ThreadPoolExecutor,
    operation: str,
    arguments: dict[str, str],
) -> None:
    environment = own_environment
    leaver, viewer = environment.staff("super_admin"), environment.person()
    environment.rpc(
        leaver, "promote_to_admin", user_id=viewer.id, role="viewer"
    ).raise_for_status()
    what = (
        {"user_id": environment.person().id}
        if arguments
        else {"schema_name": environment.name()}
    )

    with holding(environment.address, HOLD_ADMIN, viewer.id) as holder:
        leaving = caller.submit(delete_user, environment, leaver)
        pid = waiter(environment, holder.info.backend_pid, leaving)
        acting = caller.submit(environment.rpc, leaver, operation, **what, **arguments)
        waiter(environment, pid, acting)

    leaving.result()
    assert (acting.result().status_code, code(acting.result())) == (403, "forbidden")


def test_super_admin_who_appointed_others_can_be_deleted_while_one_is_dismissed(
    own_environment: Environment, caller: ThreadPoolExecutor
) -> None:
    environment = own_environment
    colleague, leaver, viewer = sorted(
        (environment.person() for _ in range(3)), key=lambda person: str(person.id)
    )
    for boss, person, role in (
        (environment.service, leaver, "super_admin"),
        (leaver, viewer, "viewer"),
        (leaver, colleague, "super_admin"),
    ):
        environment.rpc(
            boss, "promote_to_admin", user_id=person.id, role=role
        ).raise_for_status()

    with holding(environment.address, HOLD_ADMIN, viewer.id) as holder:
        leaving = caller.submit(delete_user, environment, leaver)
        pid = waiter(environment, holder.info.backend_pid, leaving)
        # Every super_admin is locked for that, the colleague before the leaver.
        dismissing = caller.submit(
            environment.rpc, environment.service, "revoke_admin", user_id=viewer.id
        )
        waiter(environment, pid, dismissing)

    leaving.result()
    assert dismissing.result().status_code == 200, dismissing.result().text


def test_a_first_sign_in_holds_nothing_of_a_tenant_that_it_waits_for(
    own_environment: Environment, caller: ThreadPoolExecutor
) -> None:
    environment = own_environment
    tenant = environment.tenant()
    member = environment.member(tenant, "read")

    with holding(environment.address, HOLD_TENANT, tenant) as holder:
        asking = caller.submit(
            environment.rpc, member, "ensure_user_profile", schema_name=tenant
        )
        waiter(environment, holder.info.backend_pid, asking)
        # What deletes a tenant does next.
        holder.execute(f"lock table {tenant}.users in access exclusive mode nowait".encode())

    assert asking.result().json()["is_new"], asking.result().text


class Storm:
    """A few tenants and users, and more who create, grant and delete them than is healthy."""

    # What two who meet may be told, and nothing else.
    REFUSALS = frozenset(
        (
            *("forbidden", "tenant_suspended", "tenant_not_found", "user_not_found"),
            *("profile_not_found", "tenant_exists", "tenant_active", "profile_exists"),
            *("last_super_admin", "own_grant", "busy"),
        )
    )

    def __init__(self, environment: Environment, seconds: float) -> None:
        self.environment = environment
        self.until = time.monotonic() + seconds
        self.tenants = [environment.name() for _ in range(4)]
        self.people = [environment.person() for _ in range(8)]
        self.replies: Counter[tuple[str, int, str]] = Counter()
        self.faults: list[str] = []
        self.left = 0

    def blow(self) -> None:
        parts: list[Callable[[random.Random], None]] = [
            *[self.manage] * 3,
            *[self.grant] * 4,
            *[self.appoint] * 2,
            *[self.visit] * 2,
            self.leave,
        ]
        with ThreadPoolExecutor(len(parts)) as threads:
            for part in [threads.submit(self._repeat, part) for part in parts]:
                part.result()

    def _repeat(self, part: Callable[[random.Random], None]) -> None:
        chance = random.Random()  # noqa: S311
        # On a busy machine it takes longer until all of it has happened.
        while time.monotonic() < self.until + (0 if self.has_happened else 40):
            part(chance)

    @property
    def has_happened(self) -> bool:
        """Whether every operation succeeded and users left: otherwise it shows nothing."""
        succeeded = {operation for operation, status, _ in [*self.replies] if status == 200}
        return self.left > 20 and succeeded >= OPERATIONS

    # Who takes part ---------------------------------------------------------------------

    def manage(self, chance: random.Random) -> None:
        """Staff makes, suspends, activates and deletes tenants."""
        operation = chance.choice(
            ["create_tenant_schema"] * 3
            + ["suspend_tenant", "activate_tenant"]
            + ["delete_tenant_schema"] * 2
        )
        tenant = chance.choice(self.tenants)
        if operation == "delete_tenant_schema":
            self.ask(chance, self.environment.service, "suspend_tenant", schema_name=tenant)
        self.ask(chance, self.somebody(chance), operation, schema_name=tenant)

    def grant(self, chance: random.Random) -> None:
        """Admins let each other into tenants and out again."""
        friend = chance.choice(self.people).id
        tenant = chance.choice(self.tenants)
        if chance.random() < 0.7:
            level = chance.choice(["read", "admin", "admin"])
            arguments = {"schema_name": tenant, "user_id": friend, "access_level": level}
            self.ask(chance, self.somebody(chance), "grant_schema_access", **arguments)
        else:
            arguments = {"schema_name": tenant, "user_id": friend}
            self.ask(chance, self.somebody(chance), "revoke_schema_access", **arguments)

    def appoint(self, chance: random.Random) -> None:
        """Staff appoints staff, and dismisses it."""
        friend = chance.choice(self.people).id
        if chance.random() < 0.8:
            role = chance.choice(["admin", "super_admin", "super_admin"])
            self.ask(
                chance, self.somebody(chance), "promote_to_admin", user_id=friend, role=role
            )
        else:
            self.ask(chance, self.somebody(chance), "revoke_admin", user_id=friend)

    def visit(self, chance: random.Random) -> None:
        """Members look after their profiles."""
        tenant = chance.choice(self.tenants)
        person = chance.choice(self.people)
        if chance.random() < 0.5:
            invited = {"schema_name": tenant, "user_id": person.id}
            self.ask(chance, self.environment.service, "grant_schema_access", **invited)
            self.ask(chance, person, "ensure_user_profile", schema_name=tenant)
        else:
            arguments = {"schema_name": tenant, "display_name": str(chance.random())}
            self.ask(chance, person, "update_user_profile", **arguments)

    def leave(self, chance: random.Random) -> None:
        """A user is deleted as Auth does it, and somebody else signs up in their place."""
        place = chance.randrange(len(self.people))
        leaver, self.people[place] = self.people[place], self.environment.person()
        try:
            delete_user(self.environment, leaver)
        except psycopg.Error as error:
            self.faults.append(f"delete user: {error!r}")
        else:
            self.left += 1

    # What they are told -----------------------------------------------------------------

    def somebody(self, chance: random.Random) -> Person:
        return self.environment.service if chance.random() < 0.5 else chance.choice(self.people)

    def ask(
        self, chance: random.Random, person: Person, operation: str, **arguments: Any
    ) -> None:
        entry_point = chance.choice(list(ENTRY_POINTS))
        reply = ENTRY_POINTS[entry_point](self.environment, person, operation, **arguments)
        told = "" if reply.is_success else code(reply)
        self.replies[operation, reply.status_code, told] += 1
        if reply.is_error and told not in self.REFUSALS:
            self.faults.append(f"{entry_point} {operation}: {reply.status_code} {reply.text}")


def deadlocks(environment: Environment) -> int:
    """So far. A session tells what it met when it ends, so all of them have to."""
    with psycopg.connect(environment.address.admin_db_url, autocommit=True) as admin:

        def are_idle() -> bool:
            busy = admin.execute(
                "select from pg_stat_activity"
                " where usename = 'authenticator' and state <> 'idle'"
            )
            return busy.fetchone() is None

        # Interrupted while it reads the schema cache, PostgREST answers nobody until it has.
        until(are_idle, 30)
        admin.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where usename = 'authenticator'"
        )
        found = admin.execute(
            "select deadlocks from pg_stat_database where datname = current_database()"
        ).fetchone()
    assert found is not None
    return int(found[0])


REGISTRY = "select schema_name as name from public.tenants order by 1"
SCHEMAS = """
    select n.nspname::text as name
    from pg_namespace n
    join pg_class c on c.relnamespace = n.oid and c.relname = 'audit_log'
    where n.nspname not in ('tenant_template', 'auth')
    order by 1
"""
EXPOSED = """
    select name from unnest(tenancy.exposed_schemas()) name
    where name not in ('public', 'graphql_public')
    order by 1
"""
STRAY_ACCESS = """
    select * from public.user_schema_access a
    where not exists (select from public.tenants t where t.schema_name = a.schema_name)
        or not exists (select from auth.users u where u.id = a.user_id)
"""


@pytest.mark.soak
def test_user_can_be_deleted_at_any_moment(own_environment: Environment) -> None:
    environment = own_environment
    before = deadlocks(environment)
    storm = Storm(environment, 300 if SOAK else 6)

    storm.blow()
    assert not storm.faults, "\n".join(storm.faults)
    assert storm.has_happened
    assert deadlocks(environment) == before
    registry = environment.sql.execute(REGISTRY).fetchall()
    assert environment.sql.execute(SCHEMAS).fetchall() == registry
    assert environment.sql.execute(EXPOSED).fetchall() == registry
    assert environment.sql.execute(STRAY_ACCESS).fetchall() == []
