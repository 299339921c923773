"""A mixed load on one project through both entry points, and a check of the project after it.

The check replays the audit log from its beginning. The replay must end at the present state.
"""

from __future__ import annotations

import itertools
import random
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from psycopg.sql import SQL, Identifier

from support.entry_points import ENTRY_POINTS
from support.environment import Environment, Person
from support.refusals import code

# The only refusals that concurrent calls may get.
REFUSALS = frozenset(
    (
        *("tenant_suspended", "tenant_not_found", "tenant_exists", "tenant_active", "busy"),
        *("table_exists", "table_not_found", "column_exists", "forbidden", "user_not_found"),
    )
)
# A success of these always leaves an entry. The other operations may find nothing to change.
ALWAYS_LOGGED = frozenset(
    (
        *("create_tenant_schema", "delete_tenant_schema"),
        *("create_table", "drop_table", "add_column"),
    )
)
OPERATIONS = ALWAYS_LOGGED | {
    *("suspend_tenant", "activate_tenant", "grant_schema_access", "ensure_user_profile"),
    "sign up",
}
# Access to a tenant or of a user that no longer exists.
STRAY_ACCESS = """
    select * from public.user_schema_access a
    where not exists (select from public.tenants t where t.schema_name = a.schema_name)
        or not exists (select from auth.users u where u.id = a.user_id)
"""
COLUMNS = [{"name": "id", "type": "uuid", "primary_key": True}]


@dataclass
class Load:
    """Calls from several threads, with counts of the replies and a list of the faults."""

    environment: Environment
    # While the test breaks connections, a lost reply is no fault.
    may_break: bool
    acknowledged: dict[str, tuple[str, Any]] = field(default_factory=dict)
    replies: Counter[tuple[str, int]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    lost: int = 0

    def __post_init__(self) -> None:
        self.tenants = [self.environment.name() for _ in range(6)]
        self.people = [self.environment.person() for _ in range(6)]
        self._numbers = itertools.count()
        self._run = secrets.token_hex(4)

    @contextmanager
    def running(self, workers: int = 8) -> Iterator[None]:
        over = threading.Event()
        with ThreadPoolExecutor(workers) as threads:
            started = [threads.submit(self._work, over) for _ in range(workers)]
            try:
                yield
            finally:
                over.set()
            for worker in started:
                worker.result()

    @property
    def done(self) -> Counter[str]:
        """How often each operation succeeded."""
        counts: Counter[str] = Counter()
        for (operation, status), count in self.replies.copy().items():
            if status == 200:
                counts[operation] += count
        return counts

    def _work(self, over: threading.Event) -> None:
        chance = random.Random()  # noqa: S311
        tasks = [
            self.change_tenant,
            *[self.change_access] * 2,
            *[self.change_tables] * 2,
            self.ensure_profile,
        ]
        while not over.is_set():
            chance.choice(tasks)(chance)
            if chance.random() < 0.04:
                self.sign_up()

    def change_tenant(self, chance: random.Random) -> None:
        tenant = chance.choice(self.tenants)
        operation = chance.choice(
            ["create_tenant_schema"] * 3
            + ["suspend_tenant"] * 2
            + ["activate_tenant", "delete_tenant_schema"]
        )
        self.call(chance, self.environment.service, operation, schema_name=tenant)
        if operation == "suspend_tenant":
            # Most operations need an active tenant, and only a suspended one can be deleted.
            then = "activate_tenant" if chance.random() < 0.7 else "delete_tenant_schema"
            self.call(chance, self.environment.service, then, schema_name=tenant)

    def change_access(self, chance: random.Random) -> None:
        arguments = {
            "schema_name": chance.choice(self.tenants),
            "user_id": chance.choice(self.people).id,
        }
        if chance.random() < 0.3:
            self.call(chance, self.environment.service, "revoke_schema_access", **arguments)
            return
        level = chance.choice(["read", "write", "admin"])
        self.call(
            chance,
            self.environment.service,
            "grant_schema_access",
            access_level=level,
            **arguments,
        )

    def change_tables(self, chance: random.Random) -> None:
        where = {
            "schema_name": chance.choice(self.tenants),
            "table_name": f"things_{chance.randrange(3)}",
        }
        what = chance.random()
        if what < 0.4:
            self.call(
                chance, self.environment.service, "create_table", columns=COLUMNS, **where
            )
        elif what < 0.8:
            column = {"column_name": f"c_{chance.randrange(50)}", "column_type": "text"}
            self.call(chance, self.environment.service, "add_column", **where, **column)
        else:
            self.call(chance, self.environment.service, "drop_table", **where)

    def ensure_profile(self, chance: random.Random) -> None:
        tenant = chance.choice(self.tenants)
        self.call(chance, chance.choice(self.people), "ensure_user_profile", schema_name=tenant)

    def sign_up(self) -> None:
        credentials = {
            "email": f"{self._run}-{next(self._numbers)}@example.com",
            "password": secrets.token_urlsafe(16),
        }
        reply = self._reply(
            "sign up",
            lambda: self.environment.http.post(
                "/auth/v1/signup",
                headers={"apikey": self.environment.address.anon_key},
                json=credentials,
            ),
        )
        if reply is None:
            return
        self.replies["sign up", reply.status_code] += 1
        if reply.status_code == 200:
            self.acknowledged[f"user {reply.json()['user']['id']}"] = ("sign up", None)
        elif not self.may_break:
            self.faults.append(f"sign up: {reply.status_code} {reply.text}")

    def call(
        self, chance: random.Random, person: Person, operation: str, **arguments: Any
    ) -> None:
        request_id = f"{self._run}-{next(self._numbers)}"
        entry_point = chance.choice(list(ENTRY_POINTS))
        reply = self._reply(
            f"{entry_point} {operation}",
            lambda: self.environment.call(
                entry_point, person, operation, arguments, request_id
            ),
        )
        if reply is None:
            return
        self.replies[operation, reply.status_code] += 1
        if reply.status_code == 200:
            self.acknowledged[request_id] = (operation, reply.json())
        elif self.may_break and _reports_a_broken_connection(reply):
            self.lost += 1
        elif code(reply) not in REFUSALS:
            self.faults.append(f"{entry_point} {operation}: {reply.status_code} {reply.text}")

    def _reply(
        self, description: str, send: Callable[[], httpx.Response]
    ) -> httpx.Response | None:
        try:
            return send()
        except httpx.TransportError as error:
            self.lost += 1
            if not self.may_break:
                self.faults.append(f"{description}: {error!r}")
            return None


# The audit log, replayed ----------------------------------------------------------------

AUDIT_LOG = """
    select action, schema_name, tenant_id::text as tenant, details, request_id
    from public.admin_audit_log order by id
"""
REGISTRY = "select to_jsonb(t) as tenant from public.tenants t"
ACCESS = """
    select to_jsonb(a) as access from public.user_schema_access a
    join public.tenants t on t.schema_name = a.schema_name
"""
COLUMNS_OF_OWN_TABLES = """
    select t.id::text as tenant, c.relname as table, array_agg(a.attname::text) as columns
    from public.tenants t
    join pg_class c on c.relnamespace = to_regnamespace(t.schema_name) and c.relkind = 'r'
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relname not in ('settings', 'users', 'audit_log')
    group by 1, 2
"""


@dataclass
class Replay:
    """The state that the entries of the audit log lead to, by the ids of tenants."""

    tenants: dict[str, Any] = field(default_factory=dict)
    access: dict[tuple[str, str], Any] = field(default_factory=dict)
    tables: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    profiles: dict[str, set[str]] = field(default_factory=dict)

    def apply(self, entry: dict[str, Any]) -> None:
        tenant, details = entry["tenant"], entry["details"]
        before, after = details.get("before"), details.get("after")
        # Each change starts from the state that the last one left.
        match entry["action"]:
            case "tenant.create":
                assert tenant not in self.tenants
                self.tenants[tenant] = after
                self.profiles[tenant] = set()
            case "tenant.suspend" | "tenant.activate":
                assert self.tenants[tenant] == before
                self.tenants[tenant] = after
            case "tenant.delete":
                assert self.tenants.pop(tenant) == before
                del self.profiles[tenant]
                for state in (self.access, self.tables):
                    for key in [key for key in state if key[0] == tenant]:
                        del state[key]
            case "access.grant":
                assert self.access.get((tenant, after["user_id"])) == before
                self.access[tenant, after["user_id"]] = after
            case "access.revoke":
                assert self.access.pop((tenant, before["user_id"])) == before
            case "table.create":
                assert (tenant, details["table_name"]) not in self.tables
                self.tables[tenant, details["table_name"]] = {
                    column["column_name"] for column in after["columns"]
                }
            case "table.drop":
                del self.tables[tenant, details["table_name"]]
            case "column.add":
                columns = self.tables[tenant, details["table_name"]]
                assert after["column_name"] not in columns
                columns.add(after["column_name"])
            case "profile.create":
                assert after["id"] not in self.profiles[tenant]
                self.profiles[tenant].add(after["id"])
            case "profile.update":
                pass
            case other:
                raise AssertionError(other)


def assert_audit_log_leads_to_the_present_state(load: Load) -> int:
    """Returns the number of entries."""
    sql = load.environment.sql
    audit_log = sql.execute(AUDIT_LOG).fetchall()
    replay = Replay()
    for entry in audit_log:
        replay.apply(entry)

    registered = [row["tenant"] for row in sql.execute(REGISTRY)]
    assert replay.tenants == {tenant["id"]: tenant for tenant in registered}
    ids = {tenant["schema_name"]: tenant["id"] for tenant in registered}
    assert replay.access == {
        (ids[row["access"]["schema_name"]], row["access"]["user_id"]): row["access"]
        for row in sql.execute(ACCESS)
    }
    assert replay.tables == {
        (row["tenant"], row["table"]): set(row["columns"])
        for row in sql.execute(COLUMNS_OF_OWN_TABLES)
    }
    for name, tenant in ids.items():
        profiles = sql.execute(
            SQL("select id::text from {}.users").format(Identifier(name))
        ).fetchall()
        assert replay.profiles[tenant] == {row["id"] for row in profiles}

    entries = Counter(entry["request_id"] for entry in audit_log if entry["request_id"])
    assert set(entries.values()) <= {1}
    states = [entry["details"].get("after") for entry in audit_log]
    known = {_key(state) for state in states if state is not None}
    for request_id, (operation, body) in load.acknowledged.items():
        if operation in ALWAYS_LOGGED or (
            operation == "ensure_user_profile" and body["is_new"]
        ):
            assert entries[request_id] == 1, (request_id, operation, body)
        elif operation in ("suspend_tenant", "activate_tenant", "grant_schema_access"):
            # The call may have found nothing to change. An earlier entry has that state then.
            assert _key(body) in known, (request_id, operation, body)
    users = {row["id"] for row in sql.execute("select id::text from auth.users")}
    signed_up = {
        name.split()[1] for name, (what, _) in load.acknowledged.items() if what == "sign up"
    }
    assert signed_up <= users
    return len(audit_log)


def _reports_a_broken_connection(reply: httpx.Response) -> bool:
    """PostgREST replies 400 without a code where its database session has ended."""
    return reply.status_code >= 500 or reply.json()["code"] == ""


def _key(state: dict[str, Any]) -> str:
    return repr(sorted(state.items(), key=lambda item: item[0]))
