"""A separate project, which tests may damage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psycopg
import pytest

from support.commands import diagnosis
from support.removal import remove_tenant
from tenantry_cli.emulator.stack import Stack
from tenantry_cli.target import Target


@pytest.fixture(scope="session")
def project() -> Iterator[Target]:
    """A second emulator, because faults in the shared one would affect other tests."""
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
def database(project: Target) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A connection to the second emulator as `postgres`, with autocommit.

    Tenants that a failed test leaves are repaired and deleted, because later tests would find
    them.
    """
    assert project.db_url is not None
    with psycopg.connect(
        project.db_url, autocommit=True, row_factory=psycopg.rows.dict_row
    ) as connection:
        yield connection
        remove_tenants(project, connection)


def remove_tenants(project: Target, database: psycopg.Connection[dict[str, Any]]) -> None:
    """Repairs and deletes all tenants. Damaged ones cannot be deleted otherwise."""
    tenants = "select schema_name from public.tenants"
    if database.execute(tenants).rowcount:
        diagnosis(project, "--fix", "--forget-missing")
    for row in database.execute(tenants).fetchall():
        remove_tenant(database, row["schema_name"])


@pytest.fixture
def clear(project: Target, database: psycopg.Connection[dict[str, Any]]) -> Callable[[], None]:
    return partial(remove_tenants, project, database)
