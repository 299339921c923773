"""A project of one's own, to be damaged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tenantry_cli.emulator.stack import Stack
from tenantry_cli.target import Target


@pytest.fixture(scope="session")
def spare() -> Iterator[Target]:
    """A spare emulator: faults in the shared one would be everybody's."""
    with Stack.start(port=None, ephemeral=True) as stack:
        yield Target(
            stack.api_url,
            stack.anon_key,
            stack.service_role_key,
            stack.functions_url,
            stack.postgrest_url,
            stack.db_url,
            stack.jwt_secret,
        )


@pytest.fixture
def database(spare: Target) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A connection to it as `postgres`, each statement by itself."""
    assert spare.db_url is not None
    with psycopg.connect(
        spare.db_url, autocommit=True, row_factory=psycopg.rows.dict_row
    ) as connection:
        yield connection
