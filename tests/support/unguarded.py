"""A Data API whose guard is down: PostgREST over the same database, told of no pre-request.

It is how the guard is taken away from one test while everybody else keeps theirs.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from rich.console import Console

from support.environment import Environment
from tenantry_cli.emulator.components import install_components
from tenantry_cli.emulator.ports import claim_spare
from tenantry_cli.emulator.process import Child


@contextmanager
def unguarded_data_api(environment: Environment, schema_name: str) -> Iterator[str]:
    """Its URL. It answers for `public` and for one schema, and knows what is in there now."""
    address = environment.address
    ports, claim = claim_spare()
    with claim, tempfile.TemporaryDirectory() as directory:
        postgrest = Child(
            "The unguarded PostgREST",
            [install_components(Console(quiet=True)).postgrest],
            log=Path(directory, "postgrest.log"),
            env={
                "PATH": os.environ["PATH"],
                "PGRST_DB_URI": address.db_url.replace("//postgres:", "//authenticator:"),
                "PGRST_DB_SCHEMAS": f"public, {schema_name}",
                "PGRST_DB_ANON_ROLE": "anon",
                # With it, it would read the role's settings, and so install the guard.
                "PGRST_DB_CONFIG": "false",
                "PGRST_DB_CHANNEL_ENABLED": "false",
                "PGRST_DB_POOL": "2",
                "PGRST_JWT_SECRET": address.jwt_secret,
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
