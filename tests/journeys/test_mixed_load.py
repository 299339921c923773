"""Deletion of users and staff while others act, one race at a time and under a mixed load."""

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

from support.entry_points import ENTRY_POINTS, HOLD_TENANT, at_once, holding, waiter
from support.environment import Environment, Person
from support.load import STRAY_ACCESS
from support.refusals import code
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


def test_user_who_gave_access_can_be_deleted_while_the_tenant_is_deleted(
    own_environment: Environment, caller: ThreadPoolExecutor
) -> None:
    """Deleting a user locks first the user's access, then the access that the user granted.
    Deleting a tenant would lock them in the reverse order: one must wait for the other."""
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
        # The host's own access is deleted. The access that the host granted comes next.
        leaver = waiter(environment, holder.info.backend_pid, leaving)
        deleting = caller.submit(
            environment.rpc, environment.service, "delete_tenant_schema", schema_name=tenant
        )
        waiter(environment, leaver, deleting)

    leaving.result()
    assert deleting.result().status_code == 200, deleting.result().text


def test_creator_can_be_deleted_while_they_are_granted_access_to_their_tenant(
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
        # The tenant that the user created comes next.
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
def test_staff_deleted_during_the_wait_of_their_call_is_refused(
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
    # The token of a deleted user names nobody.
    refused = (acting.result().status_code, code(acting.result()))
    assert refused == (401, "not_authenticated")


def test_super_admin_who_appointed_others_can_be_deleted_while_one_is_revoked(
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
        # Revoking locks every super_admin, the colleague before the leaver.
        revoking = caller.submit(
            environment.rpc, environment.service, "revoke_admin", user_id=viewer.id
        )
        waiter(environment, pid, revoking)

    leaving.result()
    assert revoking.result().status_code == 200, revoking.result().text


def test_first_profile_call_locks_nothing_of_the_tenant_before_its_wait(
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
        # The deletion of a tenant takes this lock next.
        holder.execute(f"lock table {tenant}.users in access exclusive mode nowait".encode())

    assert asking.result().json()["is_new"], asking.result().text


class DeletionLoad:
    """Several threads that create, grant and delete a few tenants and users."""

    # The only refusals that concurrent calls may get.
    REFUSALS = frozenset(
        (
            *("forbidden", "tenant_suspended", "tenant_not_found", "user_not_found"),
            # The caller was deleted meanwhile.
            "not_authenticated",
            *("profile_not_found", "tenant_exists", "tenant_active", "profile_exists"),
            *("last_super_admin", "last_tenant_admin", "own_grant", "busy"),
        )
    )

    def __init__(self, environment: Environment, seconds: float) -> None:
        self.environment = environment
        self.until = time.monotonic() + seconds
        self.tenants = [environment.name() for _ in range(4)]
        self.people = [environment.person() for _ in range(8)]
        self.replies: Counter[tuple[str, int, str]] = Counter()
        self.faults: list[str] = []
        self.deleted = 0

    def run(self) -> None:
        tasks: list[Callable[[random.Random], None]] = [
            *[self.change_tenant] * 3,
            *[self.change_access] * 4,
            *[self.change_staff] * 2,
            *[self.change_profile] * 2,
            self.replace_user,
        ]
        with ThreadPoolExecutor(len(tasks)) as threads:
            for running in [threads.submit(self._repeat, task) for task in tasks]:
                running.result()

    def _repeat(self, task: Callable[[random.Random], None]) -> None:
        chance = random.Random()  # noqa: S311
        # On a busy machine it takes longer until every operation has succeeded.
        while time.monotonic() < self.until + (0 if self.is_complete else 40):
            task(chance)

    @property
    def is_complete(self) -> bool:
        """Whether every operation has succeeded and users were deleted."""
        succeeded = {operation for operation, status, _ in [*self.replies] if status == 200}
        return self.deleted > 20 and succeeded >= OPERATIONS

    # The tasks --------------------------------------------------------------------------

    def change_tenant(self, chance: random.Random) -> None:
        """Staff creates, suspends, activates and deletes tenants."""
        operation = chance.choice(
            ["create_tenant_schema"] * 3
            + ["suspend_tenant", "activate_tenant"]
            + ["delete_tenant_schema"] * 2
        )
        tenant = chance.choice(self.tenants)
        if operation == "delete_tenant_schema":
            self.call(chance, self.environment.service, "suspend_tenant", schema_name=tenant)
        self.call(chance, self.somebody(chance), operation, schema_name=tenant)

    def change_access(self, chance: random.Random) -> None:
        """Admins grant each other access to tenants, and revoke it."""
        friend = chance.choice(self.people).id
        tenant = chance.choice(self.tenants)
        if chance.random() < 0.7:
            level = chance.choice(["read", "admin", "admin"])
            arguments = {"schema_name": tenant, "user_id": friend, "access_level": level}
            self.call(chance, self.somebody(chance), "grant_schema_access", **arguments)
        else:
            arguments = {"schema_name": tenant, "user_id": friend}
            self.call(chance, self.somebody(chance), "revoke_schema_access", **arguments)

    def change_staff(self, chance: random.Random) -> None:
        """Staff appoints and revokes staff."""
        friend = chance.choice(self.people).id
        if chance.random() < 0.8:
            role = chance.choice(["admin", "super_admin", "super_admin"])
            self.call(
                chance, self.somebody(chance), "promote_to_admin", user_id=friend, role=role
            )
        else:
            self.call(chance, self.somebody(chance), "revoke_admin", user_id=friend)

    def change_profile(self, chance: random.Random) -> None:
        """Members create and change their profiles."""
        tenant = chance.choice(self.tenants)
        person = chance.choice(self.people)
        if chance.random() < 0.5:
            invited = {"schema_name": tenant, "user_id": person.id}
            self.call(chance, self.environment.service, "grant_schema_access", **invited)
            self.call(chance, person, "ensure_user_profile", schema_name=tenant)
        else:
            arguments = {"schema_name": tenant, "display_name": str(chance.random())}
            self.call(chance, person, "update_user_profile", **arguments)

    def replace_user(self, chance: random.Random) -> None:
        """Auth deletes a user, and a new user replaces the deleted one."""
        index = chance.randrange(len(self.people))
        leaver, self.people[index] = self.people[index], self.environment.person()
        try:
            delete_user(self.environment, leaver)
        except psycopg.Error as error:
            self.faults.append(f"delete user: {error!r}")
        else:
            self.deleted += 1

    # The calls --------------------------------------------------------------------------

    def somebody(self, chance: random.Random) -> Person:
        return self.environment.service if chance.random() < 0.5 else chance.choice(self.people)

    def call(
        self, chance: random.Random, person: Person, operation: str, **arguments: Any
    ) -> None:
        entry_point = chance.choice(list(ENTRY_POINTS))
        reply = self.environment.call(entry_point, person, operation, arguments)
        reason = "" if reply.is_success else code(reply)
        self.replies[operation, reply.status_code, reason] += 1
        if reply.is_error and reason not in self.REFUSALS:
            self.faults.append(f"{entry_point} {operation}: {reply.status_code} {reply.text}")


def deadlocks(environment: Environment) -> int:
    """The number so far. A session reports its deadlocks when it ends, so all are ended."""
    with psycopg.connect(environment.address.admin_db_url, autocommit=True) as admin:

        def are_idle() -> bool:
            busy = admin.execute(
                "select from pg_stat_activity"
                " where usename = 'authenticator' and state <> 'idle'"
            )
            return busy.fetchone() is None

        # Interrupted during a reload of its schema cache, PostgREST refuses all requests.
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


@pytest.mark.soak
def test_user_can_be_deleted_at_any_moment(own_environment: Environment) -> None:
    environment = own_environment
    before = deadlocks(environment)
    load = DeletionLoad(environment, 300 if SOAK else 3)

    load.run()
    assert not load.faults, "\n".join(load.faults)
    assert load.is_complete
    assert deadlocks(environment) == before
    registry = environment.sql.execute(REGISTRY).fetchall()
    assert environment.sql.execute(SCHEMAS).fetchall() == registry
    assert environment.sql.execute(EXPOSED).fetchall() == registry
    assert environment.sql.execute(STRAY_ACCESS).fetchall() == []
