"""The environment of one test: people, tenants, and the calls that reach them.

A call goes through the functions, through the Data API, or through SQL as `postgres`. Most
people are inserted by SQL and get a token signed as Auth signs it. To the database they equal
people who signed up through Auth, and inserting them takes a thousandth of the time.
"""

from __future__ import annotations

import os
import secrets
import ssl
import threading
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, field, fields
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self

import httpx
import jwt
import psycopg

from support import sessions
from support.waiting import until
from tenantry.catalogue import catalogue
from tenantry_cli.emulator.stack import Stack

# The group of each operation.
GROUPS = {entry.name: entry.group for entry in catalogue().values()}

# Reading the certificates of all authorities takes longer than most tests, and httpx would
# read them for each client.
_TLS = ssl.create_default_context()


@dataclass(frozen=True)
class Address:
    """The URLs of an emulator, and its keys."""

    api_url: str
    db_url: str
    admin_db_url: str
    postgrest_url: str
    anon_key: str
    service_role_key: str
    publishable_key: str
    secret_key: str
    jwt_secret: str

    @classmethod
    def of(cls, stack: Stack) -> Address:
        return cls(**{field.name: getattr(stack, field.name) for field in fields(cls)})


@dataclass(frozen=True)
class Person:
    """A caller with a token. `id` is None for the service key and for nobody."""

    token: str | None
    id: str | None = None
    email: str | None = None


@dataclass
class Leftovers:
    """The people and tenants of closed environments. They are removed many at a time."""

    people: list[str] = field(default_factory=list)
    # Each name with the test that used it.
    tenants: dict[str, str] = field(default_factory=dict)

    @property
    def are_many(self) -> bool:
        return len(self.tenants) >= 10 or len(self.people) >= 200

    def remove_tenants(self, session: sessions.Session) -> None:
        """Removes the tenants, and those that the people created, in any state."""
        created = session.execute(
            "select schema_name from public.tenants"
            " where schema_name = any(%s) or created_by = any(%s::uuid[])",
            ([*self.tenants], self.people),
        ).fetchall()
        tests, self.tenants = self.tenants, {}
        names = [row["schema_name"] for row in created]
        for start in range(0, len(names), _AT_ONCE):
            # Other tests may lock a tenant or the list of exposed schemas for a while.
            until(partial(_remove_tenants, session, names[start : start + _AT_ONCE], tests))

    def remove(self, session: sessions.Session) -> None:
        self.remove_tenants(session)
        people, self.people = self.people, []
        session.execute("delete from auth.users where id = any(%s::uuid[])", (people,))


def _new_name() -> str:
    return f"test_{secrets.token_hex(6)}"


def _make_tenants(db_url: str) -> list[str]:
    names = [_new_name() for _ in range(_AT_ONCE)]
    session = sessions.borrow(db_url)
    with session.transaction():
        for name in names:
            session.execute("select public.create_tenant_schema(%s)", (name,))
    sessions.give_back(db_url, session)
    return names


def _remove_tenants(session: sessions.Session, names: list[str], tests: dict[str, str]) -> bool:
    """Whether the tenants were removed. False if the answer was `busy`."""
    name = ""
    try:
        with session.transaction():
            for name in names:
                # A tenant in the pool is a missing one for every operation.
                session.execute(
                    "update public.tenants set status = 'active'"
                    " where schema_name = %s and status = 'pooled'",
                    (name,),
                )
                session.execute("select public.suspend_tenant(%s)", (name,))
                session.execute("select public.delete_tenant_schema(%s)", (name,))
    except psycopg.Error as error:
        if error.diag.message_detail == "busy":
            return False
        error.add_note(f"The tenant {name} of {tests.get(name)} cannot be removed.")
        raise
    return True


# What is left in each database.
_LEFT: defaultdict[str, Leftovers] = defaultdict(Leftovers)
# New tenants in each database. They are made and removed several at a time, because PostgREST
# reads its schema cache again after each transaction, which takes longer than making a tenant.
# Meanwhile other tests wait for the lock of the list of exposed schemas, so they are few.
_NEW: defaultdict[str, list[str]] = defaultdict(list)
_AT_ONCE = 4
# A test may make tenants in several threads.
_MAKING = threading.Lock()


class Environment:
    """People, tenants and calls of one test.

    `close` removes the people and tenants, or leaves them to a later test, or to the end of
    their emulator.
    """

    def __init__(
        self, address: Address, *, removes: Literal["now", "later", "never"] = "now"
    ) -> None:
        self.address = address
        self.http = httpx.Client(base_url=address.api_url, timeout=30, verify=_TLS)
        self.sql = sessions.borrow(address.db_url)
        self.service = Person(address.service_role_key)
        self.nobody = Person(None)
        self._removes = removes
        self._own = Leftovers()
        # The tenants whose names other tests need. They never stay.
        self._adopted = Leftovers()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        exc_traceback: TracebackType | None,
    ) -> None:
        self.close()

    def reconnect(self) -> None:
        """Opens the session for SQL again, after a test has killed the server."""
        self.sql.close()
        self.sql = sessions.borrow(self.address.db_url)

    # People -----------------------------------------------------------------------------

    def person(self, email: str | None = None, *, confirmed: bool = False) -> Person:
        """A user of Auth, created by SQL, with a token like Auth's."""
        user_id = str(uuid.uuid4())
        email = email or f"{user_id}@example.com"
        self.sql.execute(
            "insert into auth.users (id, email, aud, role, email_confirmed_at)"
            " values (%s, %s, 'authenticated', 'authenticated', %s)",
            (user_id, email, "now" if confirmed else None),
        )
        self._own.people.append(user_id)
        return Person(self.token(user_id), user_id, email)

    def sign_up(self, password: str | None = None) -> Person:
        """A user of Auth, created by sign-up over HTTP."""
        email = f"{uuid.uuid4()}@example.com"
        reply = self.http.post(
            "/auth/v1/signup",
            headers={"apikey": self.address.anon_key},
            json={"email": email, "password": password or secrets.token_urlsafe(16)},
        ).raise_for_status()
        session = reply.json()
        self._own.people.append(session["user"]["id"])
        return Person(session["access_token"], session["user"]["id"], email)

    def adopt_person(self, user_id: str) -> None:
        """Marks a user whom a client signed up; the user is removed after the test."""
        self._own.people.append(user_id)

    def staff(self, role: str) -> Person:
        """A person with a platform role."""
        person = self.person()
        self.sql.execute("select public.promote_to_admin(%s, %s)", (person.id, role))
        return person

    def expire_role(self, person: Person) -> None:
        """Lets a platform role end now. No operation does that."""
        self.sql.execute(
            "update public.admin_users set expires_at = now() where user_id = %s", (person.id,)
        )

    def member(self, schema_name: str, level: str, expires_at: Any = None) -> Person:
        """A person with access to a tenant."""
        person = self.person()
        self.grant(schema_name, person, level, expires_at)
        return person

    def set_auth_state(self, person: Person, column: str, value: str | None) -> None:
        """Sets `banned_until` or `deleted_at` of a person, as Auth does."""
        self.sql.execute(
            psycopg.sql.SQL("update auth.users set {} = %s where id = %s").format(
                psycopg.sql.Identifier(column)
            ),
            (value, person.id),
        )

    def token(self, user_id: str, **claims: Any) -> str:
        """An access token as Auth signs it; `claims` override."""
        now = int(time.time())
        payload = {
            "sub": user_id,
            "role": "authenticated",
            "aud": "authenticated",
            "iat": now,
            "exp": now + 3600,
        }
        return jwt.encode(payload | claims, self.address.jwt_secret, algorithm="HS256")

    # Tenants ----------------------------------------------------------------------------

    def name(self) -> str:
        """An unused schema name. A tenant that gets the name is removed after the test."""
        return self._named(_new_name())

    def _named(self, name: str) -> str:
        self._own.tenants[name] = os.environ.get("PYTEST_CURRENT_TEST", "")
        return name

    def adopt_tenant(self, schema_name: str) -> None:
        """Marks a chosen name. A tenant with the name is removed at the end of this test."""
        self._adopted.tenants[schema_name] = os.environ.get("PYTEST_CURRENT_TEST", "")

    def tenant(self) -> str:
        """The schema name of a new, active tenant."""
        if self._removes != "later":
            name = self.name()
            self.sql.execute("select public.create_tenant_schema(%s)", (name,))
            return name
        with _MAKING:
            new = _NEW[self.address.db_url]
            if not new:
                new += _make_tenants(self.address.db_url)
            return self._named(new.pop())

    def grant(
        self, schema_name: str, person: Person, level: str, expires_at: Any = None
    ) -> None:
        self.sql.execute(
            "select public.grant_schema_access(%s, %s, %s, %s)",
            (schema_name, person.id, level, expires_at),
        )

    def suspend(self, schema_name: str) -> None:
        self.sql.execute("select public.suspend_tenant(%s)", (schema_name,))

    def put_into_pool(self, schema_name: str) -> None:
        """Makes a tenant look as if it were in the pool, where no creation takes it."""
        self.sql.execute(
            "update public.tenants"
            " set status = 'pooled', suspended_at = null, updated_at = 'infinity'"
            " where schema_name = %s",
            (schema_name,),
        )
        self.sql.execute("select tenancy.apply_tenant_privileges(%s)", (schema_name,))

    def take_from_pool(self, schema_name: str) -> None:
        self.sql.execute(
            "update public.tenants set status = 'active', updated_at = now()"
            " where schema_name = %s",
            (schema_name,),
        )
        self.sql.execute("select tenancy.apply_tenant_privileges(%s)", (schema_name,))

    def activate(self, schema_name: str) -> None:
        self.sql.execute("select public.activate_tenant(%s)", (schema_name,))

    # Calls ------------------------------------------------------------------------------

    def headers(self, person: Person) -> dict[str, str]:
        """What a client library sends: the anon key, and the token of a signed-in person."""
        headers = {"apikey": self.address.anon_key}
        if person.token is not None:
            headers["Authorization"] = f"Bearer {person.token}"
        return headers

    def function(self, person: Person, operation: str, **arguments: Any) -> httpx.Response:
        """The operation through our HTTPS function."""
        return self.call("function", person, operation, arguments)

    def rpc(self, person: Person, operation: str, **arguments: Any) -> httpx.Response:
        """The operation through `/rest/v1/rpc`."""
        return self.call("rpc", person, operation, arguments)

    def call(
        self,
        entry_point: str,
        person: Person,
        operation: str,
        arguments: dict[str, Any],
        request_id: str | None = None,
    ) -> httpx.Response:
        """The operation through the entry point of that name."""
        paths = {"function": f"/functions/v1/{GROUPS[operation]}", "rpc": "/rest/v1/rpc"}
        headers = self.headers(person)
        if request_id is not None:
            headers["X-Request-Id"] = request_id
        return self.http.post(
            f"{paths[entry_point]}/{operation}", headers=headers, json=arguments
        )

    def rows(
        self, person: Person, schema_name: str, table: str, method: str = "GET", **request: Any
    ) -> httpx.Response:
        """A table of a tenant through the Data API; a write returns the rows it wrote."""
        headers = self.headers(person) | {
            "Accept-Profile": schema_name,
            "Content-Profile": schema_name,
            "Prefer": "return=representation",
        }
        return self.http.request(
            method, f"/rest/v1/{table}", headers=headers | request.pop("headers", {}), **request
        )

    # Removal ----------------------------------------------------------------------------

    def close(self) -> None:
        """Removes every tenant and person of the test, in any state, or leaves them."""
        if self._removes == "later":
            self._adopted.remove_tenants(self.sql)
            left = _LEFT[self.address.db_url]
            left.people += self._own.people
            left.tenants |= self._own.tenants
            if left.are_many:
                left.remove(self.sql)
        elif self._removes == "now":
            self.close_tenants()
            self._own.remove(self.sql)
        sessions.give_back(self.address.db_url, self.sql)
        self.http.close()

    def close_tenants(self) -> None:
        """Removes every tenant of the test, in any state."""
        self._adopted.remove_tenants(self.sql)
        self._own.remove_tenants(self.sql)
