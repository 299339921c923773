"""Concurrent callers. Each has a tenant, and recognises foreign data in a reply."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from support.environment import Environment, Person


@dataclass(frozen=True)
class Caller:
    person: Person
    guest: Person
    # A unique text: the display name, the table and the constraint of the caller's tenant.
    unique_text: str
    tenant: str

    @property
    def own(self) -> set[str]:
        """Texts that only this caller's replies may contain."""
        given = (
            self.person.id,
            self.person.email,
            self.guest.id,
            self.unique_text,
            self.tenant,
        )
        return {text for text in given if text is not None}


@dataclass(frozen=True)
class Call:
    operation: str
    arguments: dict[str, Any]
    is_expected: Callable[[Any], bool]


Calls = Callable[[Caller], Iterator[Call]]


def gather(environment: Environment, size: int, *, staff: bool) -> list[Caller]:
    return [_caller(environment, staff) for _ in range(size)]


def _caller(environment: Environment, staff: bool) -> Caller:
    unique_text = f"m{secrets.token_hex(8)}"
    person = environment.staff("admin") if staff else environment.person()
    caller = Caller(person, environment.person(), unique_text, environment.tenant())
    columns = '[{"name": "id", "type": "uuid", "primary_key": true}]'
    for statement, values in (
        ("select public.rename_tenant(%s, %s)", (caller.tenant, unique_text)),
        ("select public.create_table(%s, %s, %s)", (caller.tenant, unique_text, columns)),
        ("select public.grant_schema_access(%s, %s, 'admin')", (caller.tenant, person.id)),
    ):
        environment.sql.execute(statement, values)
    # get_schema_drift reports this constraint for this tenant only.
    environment.sql.execute(
        f"alter table {caller.tenant}.settings add constraint {unique_text} check (key <> '')"
    )
    return caller


# The calls of each group, and how the caller recognises the reply -----------------------


def user_profiles(caller: Caller) -> Iterator[Call]:
    own = {"schema_name": caller.tenant}

    def is_expected(profile: Any) -> bool:
        return (profile["id"], profile["email"]) == (caller.person.id, caller.person.email)

    yield Call("ensure_user_profile", own, is_expected)
    yield Call("get_user_profile", own, is_expected)
    yield Call("update_user_profile", {**own, "display_name": caller.unique_text}, is_expected)


def tenant_status(caller: Caller) -> Iterator[Call]:
    own = {"schema_name": caller.tenant}
    yield Call(
        "list_my_tenants",
        {},
        lambda rows: [row["schema_name"] for row in rows] == [caller.tenant],
    )
    yield Call("get_tenant_info", own, lambda info: info["display_name"] == caller.unique_text)
    yield Call("check_tenant_status", own, lambda reply: reply["schema_name"] == caller.tenant)


def access_control(caller: Caller) -> Iterator[Call]:
    guest = {"schema_name": caller.tenant, "user_id": caller.guest.id}

    def is_expected(access: Any) -> bool:
        reply = access["schema_name"], access["user_id"], access["granted_by"]
        return reply == (caller.tenant, caller.guest.id, caller.person.id)

    yield Call("grant_schema_access", guest, is_expected)
    yield Call("grant_schema_access", {**guest, "access_level": "write"}, is_expected)
    yield Call("revoke_schema_access", guest, is_expected)


def schema_inspection(caller: Caller) -> Iterator[Call]:
    own = {"schema_name": caller.tenant}
    yield Call(
        "get_schema_tables",
        own,
        lambda tables: (
            {table["table_name"] for table in tables}
            == {"audit_log", "settings", "users", caller.unique_text}
        ),
    )
    yield Call(
        "get_table_columns",
        {**own, "table_name": caller.unique_text},
        lambda columns: [column["column_name"] for column in columns] == ["id"],
    )


def ddl_operations(caller: Caller) -> Iterator[Call]:
    column = {
        "schema_name": caller.tenant,
        "table_name": caller.unique_text,
        "column_name": f"c_{caller.unique_text}",
    }

    def is_expected(reply: Any) -> bool:
        return bool(reply["column_name"] == column["column_name"])

    yield Call("add_column", {**column, "column_type": "text"}, is_expected)
    yield Call("drop_column", column, is_expected)


def audit_log(caller: Caller) -> Iterator[Call]:
    own = {"schema_name": caller.tenant}
    yield Call(
        "get_audit_log",
        own,
        lambda entries: {entry["actor_id"] for entry in entries} == {caller.person.id},
    )
    yield Call(
        "get_admin_audit_log",
        own,
        lambda entries: {entry["schema_name"] for entry in entries} == {caller.tenant},
    )


def schema_management(caller: Caller) -> Iterator[Call]:
    def is_called(name: str) -> Callable[[Any], bool]:
        expected = (caller.tenant, name)
        return lambda tenant: (tenant["schema_name"], tenant["display_name"]) == expected

    for name in (f"{caller.unique_text} Ltd.", caller.unique_text):
        renaming = {"schema_name": caller.tenant, "display_name": name}
        yield Call("rename_tenant", renaming, is_called(name))


def tenant_migrations(caller: Caller) -> Iterator[Call]:
    yield Call(
        "get_schema_drift",
        {"schema_name": caller.tenant},
        lambda differences: caller.unique_text in str(differences),
    )


CALLS: dict[str, Calls] = {
    calls.__name__: calls
    for calls in (
        access_control,
        audit_log,
        ddl_operations,
        schema_inspection,
        schema_management,
        tenant_migrations,
        tenant_status,
        user_profiles,
    )
}

# Every other operation of tenant-migrations gives the same reply to all its callers.
FOR_STAFF = {"tenant_migrations"}


# All callers at the same time -----------------------------------------------------------


@dataclass
class ConcurrentCallers:
    url: str
    callers: list[Caller]
    calls: Calls
    seconds: float

    def __post_init__(self) -> None:
        self._foreign = re.compile("|".join(set().union(*(c.own for c in self.callers))))

    def run(self, index: int) -> Counter[int]:
        """Calls until the time is over, and counts the replies by status.

        Fails if a reply contains foreign data.
        """
        caller = self.callers[index]
        neighbour = self.callers[index - 1]
        statuses: Counter[int] = Counter()
        end = time.monotonic() + self.seconds
        with httpx.Client(timeout=60) as http:
            for round_ in itertools.count():
                for number, call in enumerate(self.calls(caller)):
                    request_id = f"{caller.unique_text}.{round_}.{number}"
                    reply = self._post(http, call.operation, call.arguments, caller, request_id)
                    self._check(reply, 200, request_id, caller.own)
                    assert call.is_expected(reply.json()), reply.text
                    statuses[reply.status_code] += 1

                # The same call on a missing tenant, and with a forged token: refusals must not
                # contain foreign data either.
                call = next(self.calls(neighbour))
                if "schema_name" in call.arguments:
                    request_id = f"{caller.unique_text}.{round_}.refused"
                    given = {**call.arguments, "schema_name": f"no_{caller.unique_text}"}
                    reply = self._post(http, call.operation, given, caller, request_id)
                    self._check(reply, 404, request_id, caller.own)
                    statuses[reply.status_code] += 1
                request_id = f"{caller.unique_text}.{round_}.forged"
                reply = self._post(
                    http, call.operation, call.arguments, caller, request_id, forged=True
                )
                self._check(reply, 401, request_id, caller.own)
                statuses[reply.status_code] += 1
                if time.monotonic() > end:
                    return statuses
        raise AssertionError("unreachable")

    def _post(
        self,
        http: httpx.Client,
        operation: str,
        arguments: dict[str, Any],
        caller: Caller,
        request_id: str,
        *,
        forged: bool = False,
    ) -> httpx.Response:
        token = caller.person.token or ""
        return http.post(
            f"{self.url}/{operation}",
            headers={
                "Authorization": f"Bearer {token[:-8] + 'forged00' if forged else token}",
                "X-Request-Id": request_id,
            },
            json=arguments,
        )

    def _check(
        self, reply: httpx.Response, status: int, request_id: str, own: set[str]
    ) -> None:
        assert reply.status_code == status, (reply.status_code, reply.text)
        assert reply.headers["X-Request-Id"] == request_id
        if status != 200:
            assert reply.json()["request_id"] == request_id
        foreign = set(self._foreign.findall(reply.text)) - own
        assert foreign == set(), reply.text
