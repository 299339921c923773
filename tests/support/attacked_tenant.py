"""A tenant under attack: the table in tests/layers/attacks.md as HTTP requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx

from support.environment import Environment, Person
from support.unguarded import unguarded_data_api
from support.waiting import until
from tenantry_cli.project import find_project

TABLE = (find_project().root / "tests" / "layers" / "attacks.md").read_text()
LAYERS = ("grants", "RLS", "guard")


def cells() -> Iterator[tuple[str, str, str]]:
    """The table as (attack, layer, mark)."""
    header, _, *lines = (
        [cell.strip() for cell in row.split("|")[1:-1]] for row in TABLE.splitlines()
    )
    assert header == ["attack", *LAYERS]
    for attack, *marks in lines:
        for layer, mark in zip(LAYERS, marks, strict=True):
            assert mark in ("", "●", "● unless granted")
            yield attack, layer, mark


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    json: Any = None


READ = Request("GET", "/notes?order=id")
WRITES = (
    Request("POST", "/notes", {"id": 3, "body": "forged"}),
    Request("PATCH", "/notes?id=eq.1", {"body": "forged"}),
    Request("DELETE", "/notes?id=eq.1"),
)


@dataclass(frozen=True)
class Attack:
    """Requests of a person without the permission; `permit` gives the permission."""

    who: Person
    requests: tuple[Request, ...]
    permit: Callable[[], None]
    # Who sends the positive control, where the attacker can never get the permission.
    permitted: Person | None = None


@dataclass(frozen=True)
class AttackedTenant:
    """A tenant: `notes` is registered, `scraps` is not, `peek()` bypasses all policies."""

    environment: Environment
    name: str

    @classmethod
    def build(cls, environment: Environment) -> AttackedTenant:
        tenant = cls(environment, environment.tenant())
        for table in ("notes", "scraps"):
            tenant.run(
                "create table {}." + table + " (id integer primary key, body text not null)"
            )
        tenant.run("select tenancy.enable_tenant_table('{}', 'notes')")
        tenant.run(
            "create function {}.peek() returns setof text stable security definer "
            "begin atomic select body from {}.notes; end"
        )
        tenant.apply_privileges()
        tenant.reset()
        return tenant

    def run(self, statement: str) -> list[dict[str, Any]]:
        done = self.environment.sql.execute(statement.replace("{}", self.name))
        return done.fetchall() if done.description else []

    def apply_privileges(self) -> None:
        self.run("select tenancy.apply_tenant_privileges('{}')")

    def reset(self) -> None:
        self.run(
            "truncate {}.notes, {}.scraps;"
            "insert into {}.notes values (1, 'secret'), (2, 'secret');"
            "insert into {}.scraps values (1, 'secret'), (2, 'secret');"
        )

    def pooled(self) -> list[Attack]:
        """Attacks on this tenant while it is in the pool. A mistake has left the grant of a
        member there: without one, nobody but the service key has anything to try."""
        member = self.environment.member(self.name, "admin")
        self.environment.put_into_pool(self.name)

        def permit() -> None:
            self.environment.take_from_pool(self.name)

        return [
            Attack(who, (READ, *WRITES), permit) for who in (member, self.environment.service)
        ]

    def contents(self) -> list[dict[str, Any]]:
        return self.run(
            "select 'notes', to_jsonb(n) from {}.notes n union all "
            "select 'scraps', to_jsonb(s) from {}.scraps s order by 1, 2"
        )

    def disable(self, layer: str) -> None:
        if layer == "grants":
            everybody = "to anon, authenticated, service_role"
            self.run("grant usage on schema {} " + everybody)
            self.run("grant all on all tables in schema {} " + everybody)
            self.run("grant execute on all routines in schema {} " + everybody)
        if layer == "RLS":
            self.run("create policy open on {}.notes to public using (true) with check (true)")

    def attacks(self) -> dict[str, Callable[[], list[Attack]]]:
        return {
            "anonymous reads or writes": self._anonymous,
            "signed-in stranger, or member of another tenant": self._strangers,
            "expired or just revoked grant": self._former_members,
            "user whom Auth has banned or deleted": self._inactive_users,
            "reader who writes rows": self._reader,
            "member of a suspended tenant": self._members_of_suspended,
            "service key on a suspended tenant": self._service_key,
            "calling a routine in the tenant schema": self._routine_callers,
            "a table made without `enable_tenant_table`": self._unregistered_table,
        }

    def _anonymous(self) -> list[Attack]:
        writer = self.environment.member(self.name, "write")
        return [
            Attack(self.environment.nobody, (READ, *WRITES), lambda: None, permitted=writer)
        ]

    def _strangers(self) -> list[Attack]:
        foreigner = self.environment.member(self.environment.tenant(), "admin")
        return [self._until_granted(who) for who in (self.environment.person(), foreigner)]

    def _former_members(self) -> list[Attack]:
        expired, revoked = (self.environment.member(self.name, "admin") for _ in range(2))
        self.environment.sql.execute(
            "update public.user_schema_access set expires_at = now() where user_id = %s",
            (expired.id,),
        )
        self.environment.sql.execute(
            "select public.revoke_schema_access(%s, %s)", (self.name, revoked.id)
        )
        return [self._until_granted(who) for who in (expired, revoked)]

    def _inactive_users(self) -> list[Attack]:
        attacks = []
        for column in ("banned_until", "deleted_at"):
            member = self.environment.member(self.name, "admin")
            self.environment.set_auth_state(member, column, "infinity")
            permit = partial(self.environment.set_auth_state, member, column, None)
            attacks.append(Attack(member, (READ, *WRITES), permit))
        return attacks

    def _reader(self) -> list[Attack]:
        return [self._until_granted(self.environment.member(self.name, "read"), WRITES)]

    def _members_of_suspended(self) -> list[Attack]:
        levels = {"read": (READ,), "admin": (READ, *WRITES)}
        people = [
            (self.environment.member(self.name, level), levels[level]) for level in levels
        ]
        return [self._until_activated(*each) for each in people]

    def _service_key(self) -> list[Attack]:
        return [self._until_activated(self.environment.service, (READ, *WRITES))]

    def _routine_callers(self) -> list[Attack]:
        stranger = self.environment.person()

        def permit() -> None:
            self.environment.grant(self.name, stranger, "read")
            self.run("grant execute on function {}.peek() to authenticated")

        return [
            Attack(
                stranger,
                (Request("POST", "/rpc/peek", {}), Request("GET", "/rpc/peek")),
                permit,
            )
        ]

    def _unregistered_table(self) -> list[Attack]:
        def permit() -> None:
            self.run("select tenancy.enable_tenant_table('{}', 'scraps')")
            self.apply_privileges()

        requests = tuple(
            Request(each.method, each.path.replace("notes", "scraps"), each.json)
            for each in (READ, *WRITES)
        )
        return [Attack(self.environment.member(self.name, "admin"), requests, permit)]

    def _until_granted(
        self, who: Person, requests: tuple[Request, ...] = (READ, *WRITES)
    ) -> Attack:
        return Attack(who, requests, lambda: self.environment.grant(self.name, who, "write"))

    def _until_activated(self, who: Person, requests: tuple[Request, ...]) -> Attack:
        self.environment.suspend(self.name)
        return Attack(who, requests, lambda: self.environment.activate(self.name))


EntryPoint = Callable[[Person, Request], httpx.Response]


@contextmanager
def entry_point(attacked: AttackedTenant, *, guarded: bool) -> Iterator[EntryPoint]:
    """Sends requests to the tenant, with the guard or without it."""
    with entry_points([attacked], guarded=guarded) as (send,):
        yield send


@contextmanager
def entry_points(tenants: list[AttackedTenant], *, guarded: bool) -> Iterator[list[EntryPoint]]:
    """Sends requests to each of the tenants, through one Data API."""
    environment = tenants[0].environment
    with ExitStack() as closing:
        url = environment.address.postgrest_url
        if not guarded:
            names = (tenant.name for tenant in tenants)
            url = closing.enter_context(unguarded_data_api(environment, *names))
        senders = [partial(_send, tenant, url) for tenant in tenants]
        for send in senders if guarded else ():
            until(partial(_is_known, send))
        yield [*senders]


def _is_known(send: EntryPoint) -> bool:
    # PostgREST reads tables and routines one after the other, so it may know the routine first.
    return all(
        send(Person(None), Request("OPTIONS", path)).is_success
        for path in (READ.path, "/rpc/peek")
    )


def _send(attacked: AttackedTenant, url: str, who: Person, request: Request) -> httpx.Response:
    environment = attacked.environment
    headers = environment.headers(who) | {
        "Accept-Profile": attacked.name,
        "Content-Profile": attacked.name,
        "Prefer": "return=representation",
    }
    return environment.http.request(
        request.method, url + request.path, headers=headers, json=request.json
    )
