"""Where it is measured: databases of one server, each with a Data API of its own."""

from __future__ import annotations

import http.client
import json
import os
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

from tenantry_cli.emulator.ports import Ports, claim_spare
from tenantry_cli.emulator.postgrest import start_postgrest
from tenantry_cli.emulator.process import Child
from tenantry_cli.emulator.stack import Stack
from tenantry_cli.emulator.supabase_cli import push_migrations, quiet_environment
from tenantry_cli.project import find_project

_CREATORS = 2


def new_name() -> str:
    """As long as those that `create_tenant_schema` makes itself."""
    return f"t_{uuid.uuid4().hex[:20]}"


@dataclass(frozen=True)
class Place:
    """A database with Tenantry in it, and a session of `postgres`."""

    stack: Stack
    database: str
    sql: psycopg.Connection[tuple[Any, ...]]
    by_processor: bool = False

    def clock(self, session: psycopg.Connection[tuple[Any, ...]] | None = None) -> float:
        """Seconds: of the layer, or those that the processor has spent on a session, which on
        a busy machine are the same for both sides (Linux)."""
        if not self.by_processor:
            return time.perf_counter()
        pid = (session or self.sql).info.backend_pid
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9

    @property
    def url(self) -> str:
        return self.stack.postgres.url(self.database)

    def names(self) -> list[str]:
        rows = self.sql.execute("select schema_name from public.tenants order by created_at")
        return [row[0] for row in rows]

    def one(self, query: str, *arguments: object) -> Any:
        row = self.sql.execute(query.encode(), arguments).fetchone()
        return None if row is None else row[0]

    def create(self, name: str | None = None) -> str:
        name = name or new_name()
        self.sql.execute("select public.create_tenant_schema(%s)", (name,))
        return name

    def remove(self, name: str) -> None:
        self.sql.execute("select public.suspend_tenant(%s)", (name,))
        self.sql.execute("select public.delete_tenant_schema(%s)", (name,))

    def grow(self, tenants: int, progress: Callable[[int], None]) -> None:
        """Creates tenants, by two sessions, until there are as many."""
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

    def settle(self) -> None:
        """Statistics as autovacuum would have made them by and by."""
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
        """A token of somebody with access to a tenant."""
        user_id = self.user()
        self.sql.execute(
            "select public.grant_schema_access(%s, %s, %s)", (schema_name, user_id, level)
        )
        return self.token(user_id)


@contextmanager
def place(stack: Stack, database: str, by_processor: bool) -> Iterator[Place]:
    """A further database with our migrations. No PostgREST looks at it yet, whose reading of
    the schema would compete with what is measured."""
    url = stack.postgres.create_database(database)
    with _scratch() as scratch:
        push_migrations(
            stack.components,
            root=find_project().root,
            database_url=url,
            env=quiet_environment(scratch),
        )
    with psycopg.connect(url, autocommit=True) as connection:
        yield Place(stack, database, connection, by_processor)
    stack.postgres.drop_database(database)


@contextmanager
def _scratch() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="tenantry-") as name:
        yield name


class Caller:
    """Somebody with a token and one open connection, as light as Python allows."""

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
        headers = {"Authorization": f"Bearer {self._token}", "apikey": self._token}
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
            raise RuntimeError(f"GET {path} ({profile}) was answered {status}: {content!r}")
        return content

    def post(self, path: str, body: object) -> bytes:
        status, content = self.request("POST", path, body=body)
        if status not in (200, 201):
            raise RuntimeError(f"POST {path} was answered {status}: {content!r}")
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
def data_api(place: Place, *, application: str = "bench", **settings: str) -> Iterator[DataApi]:
    """A PostgREST on this database, started as the emulator starts its own."""
    with ExitStack() as cleanup:
        scratch = cleanup.enter_context(_scratch())
        ports, claim = claim_spare()
        cleanup.enter_context(claim)
        url = place.stack.postgres.url(place.database, "authenticator")
        child = start_postgrest(
            place.stack.components,
            ports=ports,
            database_url=f"{url}?application_name={application}",
            jwt_secret=place.stack.jwt_secret,
            api_url=f"http://127.0.0.1:{ports.gateway}",
            log=Path(scratch, "postgrest.log"),
            env={"PATH": os.environ.get("PATH", os.defpath)},
            overrides=settings,
        )
        cleanup.callback(child.stop)
        child.wait_until(lambda: _ready(ports), seconds=60)
        yield DataApi(ports, child)


def _ready(ports: Ports) -> bool:
    try:
        ready = f"http://127.0.0.1:{ports.postgrest_admin}/ready"
        return requests.get(ready, timeout=60).status_code == 200
    except requests.ConnectionError:
        return False


def until(ask: Callable[[], bool], seconds: float = 60) -> float:
    """Asks again and again until the answer is yes; how long that took."""
    begun = time.perf_counter()
    while not ask():
        if time.perf_counter() - begun > seconds:
            raise RuntimeError(f"It was still not so after {seconds:.0f} s.")
    return time.perf_counter() - begun
