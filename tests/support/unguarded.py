"""A Data API without the guard: a second PostgREST over the same database, without pre-request.

With it one test runs without the guard while all other tests keep it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from psycopg.conninfo import make_conninfo
from rich.console import Console

from support.environment import Environment
from tenantry_cli.emulator.components import install_components
from tenantry_cli.emulator.ports import claim_free
from tenantry_cli.emulator.process import Child


@contextmanager
def unguarded_data_api(
    environment: Environment, *schema_names: str, verifying_keys: str | None = None
) -> Iterator[str]:
    """Starts it for `public` and these schemas in their present state, and yields its URL.

    Without `verifying_keys`, it verifies tokens by the JWT secret of the emulator.
    The application name of its database sessions is the first schema's name."""
    address = environment.address
    ports, claim = claim_free()
    with claim, tempfile.TemporaryDirectory() as directory:
        postgrest = Child(
            "The unguarded PostgREST",
            [install_components(Console(quiet=True)).postgrest],
            log=Path(directory, "postgrest.log"),
            env={
                "PATH": os.environ["PATH"],
                "PGRST_DB_URI": make_conninfo(
                    address.db_url.replace("//postgres:", "//authenticator:"),
                    application_name=schema_names[0],
                ),
                "PGRST_DB_SCHEMAS": ", ".join(("public", *schema_names)),
                "PGRST_DB_ANON_ROLE": "anon",
                # If true, PostgREST reads the role's settings, which install the guard.
                "PGRST_DB_CONFIG": "false",
                "PGRST_DB_CHANNEL_ENABLED": "false",
                "PGRST_DB_POOL": "2",
                "PGRST_JWT_SECRET": verifying_keys or address.jwt_secret,
                "PGRST_SERVER_HOST": "127.0.0.1",
                "PGRST_SERVER_PORT": str(ports.postgrest),
                "PGRST_ADMIN_SERVER_PORT": str(ports.postgrest_admin),
            },
            cwd=Path(directory),
        )

        def is_ready() -> bool:
            try:
                reply = environment.http.get(f"http://127.0.0.1:{ports.postgrest_admin}/ready")
            except httpx.TransportError:
                return False
            return reply.is_success

        try:
            postgrest.wait_until(is_ready)
            yield f"http://127.0.0.1:{ports.postgrest}"
        finally:
            postgrest.stop()
