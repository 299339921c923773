"""Many tenants in a separate database or emulator, and the command that migrates them."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
from click.testing import CliRunner, Result
from psycopg.sql import SQL, Identifier, Placeholder
from psycopg.types.json import Jsonb

from support.environment import Address, Environment, Person
from tenantry_cli.main import main
from tenantry_cli.project import find_project

_PACKAGES = Path(__file__).resolve().parents[2] / "functions"
_NUMBERS = itertools.count(1)


# Creating and deleting a tenant take some 70 locks each, which a transaction keeps to its end.
_IN_ONE_TRANSACTION = 10


class Fleet(Environment):
    """An environment whose tenant migrations no other test sees, and which removes them.

    It is a database that only SQL reaches: where PostgREST listens, it reads its schema cache
    again after each commit, which costs more than most tests.
    """

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self._released = self._registered()
        self._script = self.sql.execute(
            "select to_jsonb(s) as script from tenancy.tenant_template_scripts s"
        ).fetchone()

    def _registered(self) -> int:
        row = self.sql.execute("select count(*) from tenancy.tenant_migrations").fetchone()
        assert row is not None
        return int(row["count"])

    def close_tenants(self) -> None:
        """Removes the tenants of the test, and then the tenant migrations that it registered.

        So each test begins with the template as released, and registers at the same cost.
        """
        names = [
            row["schema_name"]
            for row in self.sql.execute("select schema_name from public.tenants").fetchall()
        ]
        for some in _in_parts(names):
            with self.sql.transaction():
                for name in some:
                    self.sql.execute("select public.suspend_tenant(%s)", (name,))
                    self.sql.execute("select public.delete_tenant_schema(%s)", (name,))
        if self._registered() == self._released:
            return
        with self.sql.transaction():
            self.sql.execute(
                "delete from tenancy.tenant_migrations where position > %s", (self._released,)
            )
            self.sql.execute("drop schema tenant_template cascade")
            self.sql.execute("select tenancy.make_reference()")
            self.sql.execute(
                "select tenancy.apply_tenant_migration('tenant_template', m)"
                " from (select * from tenancy.tenant_migrations order by position) m"
            )
            self.sql.execute("select tenancy.apply_tenant_privileges('tenant_template')")
            if self._script is not None:
                self.sql.execute(
                    "insert into tenancy.tenant_template_scripts select s.* from"
                    " jsonb_populate_record(null::tenancy.tenant_template_scripts, %s) s",
                    (Jsonb(self._script["script"]),),
                )

    def table(self) -> str:
        """A table name that no tenant migration has used."""
        return f"orders_{next(_NUMBERS)}"

    def register(self, statements: str, *callable_routines: str) -> str:
        """Registers a tenant migration as `supabase db push` would, and returns the version.

        Each version sorts before the earlier ones, so that code which orders migrations by
        their versions fails.
        """
        version = f"test_{99_999 - next(_NUMBERS)}"
        self.sql.execute(
            "select tenancy.register_tenant_migration(%s, 'test', %s, %s)",
            (version, statements, list(callable_routines)),
        )
        return version

    def register_backfill(self, statement: str, batch: int = 10_000, **options: Any) -> str:
        """Registers a backfill, and returns its version."""
        version = f"test_{99_999 - next(_NUMBERS)}"
        self.sql.execute(
            "select tenancy.register_tenant_backfill(%s, 'test', %s, %s, %s)",
            (version, statement, batch, options.get("audit_rows", False)),
        )
        return version

    def register_index(self, statement: str) -> str:
        """Registers an index, and returns its version."""
        version = f"test_{99_999 - next(_NUMBERS)}"
        self.sql.execute(
            "select tenancy.register_tenant_index(%s, 'test', %s)", (version, statement)
        )
        return version

    def latest(self) -> str:
        row = self.sql.execute("select tenancy.latest_tenant_version() as version").fetchone()
        assert row is not None
        return str(row["version"])

    def tenants(self, count: int) -> list[str]:
        """Creates tenants, at most 50 in a session, and returns their names in order.

        A migration that writes rows leaves plans of that tenant's triggers in the session, and
        each later change of a table looks through all of them.
        """
        names = sorted(self.name() for _ in range(count))
        for some in (names[start : start + 50] for start in range(0, count, 50)):
            with psycopg.connect(self.address.db_url, autocommit=True) as session:
                for part in _in_parts(some):
                    with session.transaction():
                        for name in part:
                            session.execute("select public.create_tenant_schema(%s)", (name,))
        return names

    def query(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        """The rows that the operation returns to the platform."""
        given = SQL(", ").join(
            SQL("{} => {}").format(Identifier(name), Placeholder(name)) for name in arguments
        )
        rows = self.sql.execute(
            SQL("select to_jsonb(r) as row from public.{}({}) r").format(
                Identifier(operation), given
            ),
            {
                name: Jsonb(value) if isinstance(value, list) else value
                for name, value in arguments.items()
            },
        )
        return [row["row"] for row in rows]

    def query_as(
        self, person: Person, operation: str, **arguments: Any
    ) -> list[dict[str, Any]]:
        """The rows that the operation returns to a signed-in person, by SQL."""
        claims = Jsonb({"sub": person.id, "role": "authenticated"})
        with self.sql.transaction():
            self.sql.execute(
                "select set_config('request.jwt.claims', %s::text, true)", (claims,)
            )
            self.sql.execute("set local role authenticated")
            return Fleet.query(self, operation, **arguments)

    def migrate(self, schema_name: str) -> dict[str, Any]:
        [result] = self.query("migrate_tenant", schema_name=schema_name)
        return result

    def drift(self, schema_name: str) -> list[dict[str, Any]]:
        return self.query("get_schema_drift", schema_name=schema_name)

    def status(self) -> dict[str, Any]:
        [result] = self.query("get_migration_status")
        return result

    def versions(self) -> dict[str, str]:
        """The version of each tenant."""
        rows = self.sql.execute("select schema_name, schema_version from public.tenants")
        return {row["schema_name"]: row["schema_version"] for row in rows}

    def objects(self, schema_name: str) -> list[tuple[Any, ...]]:
        """All objects of the schema."""
        rows = self.sql.execute(
            "select * from tenancy.schema_objects(%s) order by 1, 2", (schema_name,)
        )
        return [tuple(row.values()) for row in rows]


class ServedFleet(Fleet):
    """A fleet in a separate emulator, which the Data API and the command reach."""

    def settle(self) -> None:
        """Collects statistics of the catalog, as autovacuum does over time.

        Without them loading PostgREST's cache may exceed the statement timeout of its role.
        """
        self.sql.execute("vacuum analyze")

    def query(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        """The rows that the Data API returns to the service key."""
        reply = self.rpc(self.service, operation, **arguments)
        assert reply.status_code == 200, reply.text
        rows: Any = reply.json()
        return rows if isinstance(rows, list) else [rows]

    def missing(self, schema_name: str, table: str, column: str) -> int:
        """The number of rows whose column is null."""
        row = self.sql.execute(
            SQL("select count(*) from {} where {} is null").format(
                Identifier(schema_name, table), Identifier(column)
            )
        ).fetchone()
        assert row is not None
        return int(row["count"])

    def wait_until_served(self, schema_name: str, table: str, column: str) -> None:
        """Waits until PostgREST has reloaded its schema cache after the commit."""
        deadline = time.monotonic() + 60
        while True:
            reply = self.rows(
                self.service,
                schema_name,
                table,
                params={"columns": column},
                method="POST",
                json=[],
            )
            if reply.is_success:
                return
            assert time.monotonic() < deadline, reply.text

    @property
    def variables(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(_PACKAGES),
            "SUPABASE_URL": self.address.api_url,
            "SUPABASE_SERVICE_ROLE_KEY": self.address.service_role_key,
        }

    def command(self, *arguments: str) -> Result:
        """Runs `tenantry …` until it ends, in this process: starting another costs more."""
        with contextlib.chdir(find_project().root):
            return CliRunner().invoke(
                main, arguments, env=dict(self.variables), catch_exceptions=False
            )

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts `tenantry …` in a process of its own, and does not wait for the end."""
        return subprocess.Popen(
            [sys.executable, "-m", "tenantry_cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=find_project().root,
            env=self.variables,
        )

    def roll_out(self, *arguments: str) -> dict[str, Any]:
        """Runs `tenantry migrate --json`, and returns the report."""
        done = self.command("migrate", "--json", *arguments)
        assert done.stdout, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        assert self.address.service_role_key not in done.stdout + done.stderr
        return report


def _in_parts(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _IN_ONE_TRANSACTION):
        yield names[start : start + _IN_ONE_TRANSACTION]
