"""The databases of a measurement: on one server, each with a separate Data API."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import string
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import psycopg
import requests

from tenantry_cli.emulator.ports import Ports, claim_free
from tenantry_cli.emulator.postgrest import start_postgrest
from tenantry_cli.emulator.process import Child
from tenantry_cli.emulator.stack import Stack
from tenantry_cli.emulator.supabase_cli import push_migrations, quiet_environment
from tenantry_cli.project import find_project

_CREATORS = 2


def new_name() -> str:
    """A name like those that `create_tenant_schema` generates."""
    return "t_" + "".join(
        secrets.choice(string.ascii_lowercase + string.digits) for _ in range(20)
    )


@dataclass(frozen=True)
class Database:
    """A database with Tenantry, and a session of `postgres`."""

    stack: Stack
    name: str
    sql: psycopg.Connection[tuple[Any, ...]]
    by_processor: bool = False

    def clock(self, session: psycopg.Connection[tuple[Any, ...]] | None = None) -> float:
        """Seconds of the wall clock, or seconds of processor time of a session (Linux). On a
        busy machine processor time is comparable for both sides."""
        if not self.by_processor:
            return time.perf_counter()
        pid = (session or self.sql).info.backend_pid
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9

    @property
    def url(self) -> str:
        return self.stack.postgres.url(self.name)

    def names(self) -> list[str]:
        rows = self.sql.execute("select schema_name from public.tenants order by created_at")
        return [row[0] for row in rows]

    def one(self, query: str, *arguments: object) -> Any:
        row = self.sql.execute(query.encode(), arguments).fetchone()
        return None if row is None else row[0]

    def create(self, tenant: str | None = None) -> str:
        tenant = tenant or new_name()
        self.sql.execute("select public.create_tenant_schema(%s)", (tenant,))
        return tenant

    def remove(self, tenant: str) -> None:
        self.sql.execute("select public.suspend_tenant(%s)", (tenant,))
        self.sql.execute("select public.delete_tenant_schema(%s)", (tenant,))

    def grow(self, tenants: int, progress: Callable[[int], None]) -> None:
        """Creates tenants in two sessions until there are this many."""
        missing = tenants - len(self.names())
        left = threading.Semaphore(missing) if missing > 0 else None

        def create_some() -> None:
            assert left is not None
            with psycopg.connect(self.url) as connection:
                while left.acquire(blocking=False):
                    connection.execute("select public.create_tenant_schema(%s)", (new_name(),))
                    connection.commit()
                    progress(1)

        if left is not None:
            with ThreadPoolExecutor(_CREATORS) as creators:
                for done in [creators.submit(create_some) for _ in range(_CREATORS)]:
                    done.result()
        self.settle()

    def churn(self, times: int) -> None:
        for _ in range(times):
            self.remove(self.create())

    def settle(self) -> None:
        """Writes the statistics that autovacuum would write later."""
        self.sql.execute("vacuum analyze")

    def user(self) -> str:
        user_id = str(uuid.uuid4())
        self.sql.execute(
            "insert into auth.users (id, email, aud, role)"
            " values (%s, %s, 'authenticated', 'authenticated')",
            (user_id, f"{user_id}@example.com"),
        )
        return user_id

    def token(self, user_id: str) -> str:
        now = int(time.time())
        claims = {"sub": user_id, "role": "authenticated", "iat": now, "exp": now + 3600}
        return jwt.encode(
            claims | {"aud": "authenticated"}, self.stack.jwt_secret, algorithm="HS256"
        )

    def member(self, schema_name: str, level: str = "read") -> str:
        """The token of a new user with access to a tenant."""
        user_id = self.user()
        self.sql.execute(
            "select public.grant_schema_access(%s, %s, %s)", (schema_name, user_id, level)
        )
        return self.token(user_id)


@contextmanager
def new_database(stack: Stack, name: str, by_processor: bool) -> Iterator[Database]:
    """A new database with our migrations. No PostgREST reads its schema yet, because that would
    compete with what is measured."""
    url = stack.postgres.create_database(name)
    with _scratch() as scratch:
        push_migrations(
            stack.components,
            root=find_project().root,
            database_url=url,
            env=quiet_environment(scratch),
        )
    with psycopg.connect(url, autocommit=True) as connection:
        yield Database(stack, name, connection, by_processor)
    stack.postgres.drop_database(name)


@contextmanager
def _scratch() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="tenantry-") as name:
        yield name


class Caller:
    """A caller with a token and one open connection, as cheap as possible in Python."""

    def __init__(self, port: int, token: str, prefix: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._token = token
        self._prefix = prefix

    def request(
        self,
        method: str,
        path: str,
        *,
        profile: str | None = None,
        body: object = None,
    ) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self._token}"}
        if profile is not None:
            headers |= {"Accept-Profile": profile, "Content-Profile": profile}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body)
        self._connection.request(method, self._prefix + path, content, headers)
        reply = self._connection.getresponse()
        return reply.status, reply.read()

    def get(self, path: str, profile: str | None = None) -> bytes:
        status, content = self.request("GET", path, profile=profile)
        if status != 200:
            raise RuntimeError(f"GET {path} ({profile}) got status {status}: {content!r}")
        return content

    def post(self, path: str, body: object) -> bytes:
        status, content = self.request("POST", path, body=body)
        if status not in (200, 201):
            raise RuntimeError(f"POST {path} got status {status}: {content!r}")
        return content

    def close(self) -> None:
        self._connection.close()


@dataclass(frozen=True)
class DataApi:
    ports: Ports
    child: Child

    @property
    def port(self) -> int:
        return self.ports.postgrest


@contextmanager
def data_api(
    database: Database, *, application: str = "bench", **settings: str
) -> Iterator[DataApi]:
    """A PostgREST for this database, started as the emulator starts PostgREST."""
    with ExitStack() as cleanup:
        scratch = cleanup.enter_context(_scratch())
        ports, claim = claim_free()
        cleanup.enter_context(claim)
        url = database.stack.postgres.url(database.name, "authenticator")
        child = start_postgrest(
            database.stack.components,
            ports=ports,
            database_url=f"{url}?application_name={application}",
            verifying_keys=database.stack.keys.verifying_keys,
            api_url=f"http://127.0.0.1:{ports.gateway}",
            log=Path(scratch, "postgrest.log"),
            env={"PATH": os.environ.get("PATH", os.defpath)},
            overrides=settings,
        )
        cleanup.callback(child.stop)
        child.wait_until(lambda: _ready(ports))
        yield DataApi(ports, child)


def _ready(ports: Ports) -> bool:
    try:
        ready = f"http://127.0.0.1:{ports.postgrest_admin}/ready"
        return requests.get(ready, timeout=60).status_code == 200
    except requests.ConnectionError:
        return False


def until(condition: Callable[[], bool], seconds: float = 60) -> float:
    """Waits until the condition holds. Returns the seconds of the wait."""
    begun = time.perf_counter()
    while not condition():
        if time.perf_counter() - begun > seconds:
            raise RuntimeError(f"The condition did not hold within {seconds:.0f} s.")
    return time.perf_counter() - begun
