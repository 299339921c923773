"""A second database of the shared server, with a PostgREST of its own.

It starts in a tenth of the time of a second emulator. It has no gateway and no functions.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import requests
from rich.console import Console

from support.databases import complete_database
from support.environment import Address
from tenantry_cli.emulator.components import install_components
from tenantry_cli.emulator.ports import claim_free
from tenantry_cli.emulator.postgres import Postgres
from tenantry_cli.emulator.postgrest import start_postgrest
from tenantry_cli.http_client import HttpClient


@contextmanager
def separate_data_api(server: Postgres, address: Address) -> Iterator[Address]:
    """Where they answer. The URL of PostgREST is also that of the API."""
    ports, claim = claim_free()
    url = f"http://127.0.0.1:{ports.postgrest}"
    with (
        claim,
        complete_database(server) as name,
        tempfile.TemporaryDirectory() as directory,
        HttpClient(timeout=5) as http,
    ):
        postgrest = start_postgrest(
            install_components(Console(quiet=True)),
            ports=ports,
            database_url=server.url(name, "authenticator"),
            verifying_keys=address.jwt_secret,
            api_url=url,
            log=Path(directory, "postgrest.log"),
            env={"PATH": os.environ["PATH"]},
            # The server has 60 connections for all its databases.
            overrides={"PGRST_DB_POOL": "2"},
        )

        def is_ready() -> bool:
            try:
                reply = http.request("GET", f"http://127.0.0.1:{ports.postgrest_admin}/ready")
            except requests.RequestException:
                return False
            return reply.ok

        try:
            postgrest.wait_until(is_ready)
            yield replace(
                address,
                api_url=url,
                postgrest_url=url,
                db_url=server.url(name),
                admin_db_url=server.admin_url(name),
            )
        finally:
            postgrest.stop()
