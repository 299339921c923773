"""Many tenants in a separate emulator, and the command that migrates them."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from support.environment import Address, Environment
from tenantry_cli.project import find_project

_PACKAGES = Path(__file__).resolve().parents[2] / "functions"
_NUMBERS = itertools.count(1)


class Fleet(Environment):
    """An environment whose tenant migrations no other test sees, and which removes them."""

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self._released = self._registered()

    def _registered(self) -> int:
        row = self.sql.execute("select count(*) from tenancy.tenant_migrations").fetchone()
        assert row is not None
        return int(row["count"])

    def close_tenants(self) -> None:
        """Removes the tenants of the test, and then the tenant migrations that it registered.

        So each test begins with the template as released, and registers at the same cost.
        """
        super().close_tenants()
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
                for name in some:
                    session.execute("select public.create_tenant_schema(%s)", (name,))
        return names

    def settle(self) -> None:
        """Collects statistics of the catalog, as autovacuum does over time.

        Without them loading PostgREST's cache may exceed the statement timeout of its role.
        """
        self.sql.execute("vacuum analyze")

    def migrate(self, schema_name: str) -> dict[str, Any]:
        """migrate_tenant through the Data API, with the service key."""
        reply = self.rpc(self.service, "migrate_tenant", schema_name=schema_name)
        assert reply.status_code == 200, reply.text
        result: dict[str, Any] = reply.json()
        return result

    def drift(self, schema_name: str) -> list[dict[str, Any]]:
        reply = self.rpc(self.service, "get_schema_drift", schema_name=schema_name)
        assert reply.status_code == 200, reply.text
        rows: list[dict[str, Any]] = reply.json()
        return rows

    def wait_until_served(self, schema_name: str, table: str, column: str) -> None:
        """Waits until PostgREST has reloaded its schema cache after the commit."""
        deadline = time.monotonic() + 30
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

    @property
    def variables(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(_PACKAGES),
            "SUPABASE_URL": self.address.api_url,
            "SUPABASE_SERVICE_ROLE_KEY": self.address.service_role_key,
        }

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `tenantry …` until it ends."""
        return subprocess.run(
            [sys.executable, "-m", "tenantry_cli", *arguments],
            capture_output=True,
            text=True,
            cwd=find_project().root,
            env=self.variables,
            timeout=600,
            check=False,
        )

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts `tenantry …`, and does not wait for the end."""
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
