"""A mixed load on one project, by both entry points: what was asked, and what it was told.

And whether the project is of one piece afterwards: the trail, told again from its beginning,
has to end at what is there.
"""

from __future__ import annotations

import itertools
import random
import secrets
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from psycopg.sql import SQL, Identifier

from support.entry_points import code
from support.environment import GROUPS, Environment, Person

# What two who meet may be told, and nothing else.
REFUSALS = frozenset(
    (
        *("tenant_suspended", "tenant_not_found", "tenant_exists", "tenant_active", "busy"),
        *("table_exists", "table_not_found", "column_exists", "forbidden", "user_not_found"),
    )
)
# What the trail has an entry of whenever it succeeds; the others may find nothing to do.
ALWAYS = frozenset(
    (
        *("create_tenant_schema", "delete_tenant_schema"),
        *("create_table", "drop_table", "add_column"),
    )
)
OPERATIONS = ALWAYS | {
    *("suspend_tenant", "activate_tenant", "grant_schema_access", "ensure_user_profile"),
    "sign up",
}
COLUMNS = [{"name": "id", "type": "uuid", "primary_key": True}]


@dataclass
class Load:
    environment: Environment
    # Where a connection may break at any moment, an answer may be lost.
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
        parts = [self.manage, self.grant, self.grant, self.shape, self.shape, self.visit]
        while not over.is_set():
            chance.choice(parts)(chance)
            if chance.random() < 0.04:
                self.sign_up()

    def manage(self, chance: random.Random) -> None:
        tenant = chance.choice(self.tenants)
        operation = chance.choice(
            ["create_tenant_schema"] * 3
            + ["suspend_tenant"] * 2
            + ["activate_tenant", "delete_tenant_schema"]
        )
        self.ask(chance, self.environment.service, operation, schema_name=tenant)
        if operation == "suspend_tenant":
            # A suspended tenant has little to show, and only such a one can be deleted.
            then = "activate_tenant" if chance.random() < 0.7 else "delete_tenant_schema"
            self.ask(chance, self.environment.service, then, schema_name=tenant)

    def grant(self, chance: random.Random) -> None:
        arguments = {
            "schema_name": chance.choice(self.tenants),
            "user_id": chance.choice(self.people).id,
        }
        if chance.random() < 0.3:
            self.ask(chance, self.environment.service, "revoke_schema_access", **arguments)
            return
        level = chance.choice(["read", "write", "admin"])
        self.ask(
            chance,
            self.environment.service,
            "grant_schema_access",
            access_level=level,
            **arguments,
        )

    def shape(self, chance: random.Random) -> None:
        where = {
            "schema_name": chance.choice(self.tenants),
            "table_name": f"things_{chance.randrange(3)}",
        }
        what = chance.random()
        if what < 0.4:
            self.ask(chance, self.environment.service, "create_table", columns=COLUMNS, **where)
        elif what < 0.8:
            column = {"column_name": f"c_{chance.randrange(50)}", "column_type": "text"}
            self.ask(chance, self.environment.service, "add_column", **where, **column)
        else:
            self.ask(chance, self.environment.service, "drop_table", **where)

    def visit(self, chance: random.Random) -> None:
        tenant = chance.choice(self.tenants)
        self.ask(chance, chance.choice(self.people), "ensure_user_profile", schema_name=tenant)

    def sign_up(self) -> None:
        reply = self._send(
            "/auth/v1/signup",
            {"apikey": self.environment.address.anon_key},
            {
                "email": f"{self._run}-{next(self._numbers)}@example.com",
                "password": secrets.token_urlsafe(16),
            },
        )
        if reply is None:
            return
        self.replies["sign up", reply.status_code] += 1
        if reply.status_code == 200:
            self.acknowledged[f"user {reply.json()['user']['id']}"] = ("sign up", None)
        elif not self.may_break:
            self.faults.append(f"sign up: {reply.status_code} {reply.text}")

    def ask(
        self, chance: random.Random, person: Person, operation: str, **arguments: Any
    ) -> None:
        request_id = f"{self._run}-{next(self._numbers)}"
        path = chance.choice((f"/functions/v1/{GROUPS[operation]}", "/rest/v1/rpc"))
        headers = self.environment.headers(person) | {"X-Request-Id": request_id}
        reply = self._send(f"{path}/{operation}", headers, arguments)
        if reply is None:
            return
        self.replies[operation, reply.status_code] += 1
        if reply.status_code == 200:
            self.acknowledged[request_id] = (operation, reply.json())
        elif self.may_break and _tells_of_a_break(reply):
            self.lost += 1
        elif code(reply) not in REFUSALS:
            self.faults.append(f"{path} {operation}: {reply.status_code} {reply.text}")

    def _send(self, path: str, headers: dict[str, str], body: Any) -> httpx.Response | None:
        try:
            return self.environment.http.post(path, headers=headers, json=body)
        except httpx.TransportError as error:
            self.lost += 1
            if not self.may_break:
                self.faults.append(f"{path}: {error!r}")
            return None


# What the trail tells ---------------------------------------------------------------------

TRAIL = """
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
class Told:
    """The state that the trail ends with, by tenant."""

    tenants: dict[str, Any] = field(default_factory=dict)
    access: dict[tuple[str, str], Any] = field(default_factory=dict)
    tables: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    profiles: dict[str, set[str]] = field(default_factory=dict)

    def follow(self, entry: dict[str, Any]) -> None:
        tenant, details = entry["tenant"], entry["details"]
        before, after = details.get("before"), details.get("after")
        # Each change starts from what the last one left.
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


def assert_trail_tells_what_is_there(load: Load) -> int:
    """Returns how many entries there are."""
    sql = load.environment.sql
    trail = sql.execute(TRAIL).fetchall()
    told = Told()
    for entry in trail:
        told.follow(entry)

    there = [row["tenant"] for row in sql.execute(REGISTRY)]
    assert told.tenants == {tenant["id"]: tenant for tenant in there}
    ids = {tenant["schema_name"]: tenant["id"] for tenant in there}
    assert told.access == {
        (ids[row["access"]["schema_name"]], row["access"]["user_id"]): row["access"]
        for row in sql.execute(ACCESS)
    }
    assert told.tables == {
        (row["tenant"], row["table"]): set(row["columns"])
        for row in sql.execute(COLUMNS_OF_OWN_TABLES)
    }
    for name, tenant in ids.items():
        profiles = sql.execute(
            SQL("select id::text from {}.users").format(Identifier(name))
        ).fetchall()
        assert told.profiles[tenant] == {row["id"] for row in profiles}

    entries = Counter(entry["request_id"] for entry in trail if entry["request_id"])
    assert set(entries.values()) <= {1}
    states = [entry["details"].get("after") for entry in trail]
    known = {_key(state) for state in states if state is not None}
    for request_id, (operation, body) in load.acknowledged.items():
        if operation in ALWAYS or (operation == "ensure_user_profile" and body["is_new"]):
            assert entries[request_id] == 1, (request_id, operation, body)
        elif operation in ("suspend_tenant", "activate_tenant", "grant_schema_access"):
            # Also what was so already became so by an entry.
            assert _key(body) in known, (request_id, operation, body)
    users = {row["id"] for row in sql.execute("select id::text from auth.users")}
    signed_up = {
        name.split()[1] for name, (what, _) in load.acknowledged.items() if what == "sign up"
    }
    assert signed_up <= users
    return len(trail)


def _tells_of_a_break(reply: httpx.Response) -> bool:
    """PostgREST has no code for a backend that died under it, and calls it a 400."""
    return reply.status_code >= 500 or reply.json()["code"] == ""


def _key(state: dict[str, Any]) -> str:
    return repr(sorted(state.items(), key=lambda item: item[0]))
