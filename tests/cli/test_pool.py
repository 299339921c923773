"""`tenantry pool`: status and refill, for a person and for a program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import responses
from click.testing import CliRunner, Result

from support.environment import Environment
from tenantry_cli.main import main

URL = "https://project.example"
RPC = f"{URL}/rest/v1/rpc"
FULL = {"pool_size": 3, "ready": 1, "waiting": 2, "behind": 0, "missing": 0, "surplus": 0}
FULL |= {"made": 0, "removed": 0}


@pytest.fixture
def upstream() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as upstream:
        yield upstream


def command(*arguments: str, url: str = URL, key: str = "sb_secret_x") -> Result:
    return CliRunner().invoke(main, ["pool", *arguments, "--url", url, "--service-key", key])


def test_status_shows_the_pool_of_a_real_project(environment: Environment) -> None:
    address = environment.address
    done = command("status", "--json", url=address.api_url, key=address.service_role_key)

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout).keys() == FULL.keys()


def test_refill_repeats_until_nothing_is_left_to_do(upstream: responses.RequestsMock) -> None:
    states: list[dict[str, Any]] = [
        FULL | {"missing": 1, "surplus": 1, "removed": 1},
        FULL | {"missing": 1, "made": 2},
        FULL | {"made": 1},
    ]
    upstream.post(f"{RPC}/get_tenant_pool", json=FULL | {"missing": 3, "surplus": 2})
    for state in states:
        upstream.post(f"{RPC}/refill_tenant_pool", json=state)

    done = command("refill", "--json")

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == FULL | {"made": 3, "removed": 1}
    assert len(upstream.calls) == 1 + len(states)


def test_refill_of_a_full_pool_calls_nothing_more(upstream: responses.RequestsMock) -> None:
    upstream.post(f"{RPC}/get_tenant_pool", json=FULL)

    done = command("refill")

    assert done.exit_code == 0
    assert done.stdout == (
        "The pool should have 3 tenants. 1 is ready, 2 wait until "
        "PostgREST has loaded its tables.\n"
    )
    assert len(upstream.calls) == 1


def test_interrupted_refill_reports_what_it_did(upstream: responses.RequestsMock) -> None:
    def interrupt(_: object) -> tuple[int, dict[str, str], str]:
        raise KeyboardInterrupt

    upstream.post(f"{RPC}/get_tenant_pool", json=FULL | {"missing": 3})
    upstream.post(f"{RPC}/refill_tenant_pool", json=FULL | {"missing": 2, "made": 1})
    upstream.add_callback(responses.POST, f"{RPC}/refill_tenant_pool", interrupt)

    done = command("refill")

    assert done.exit_code == 130
    assert "1 made, 0 removed." in done.stdout
    assert "2 are missing" in done.stdout


def test_missing_pool_is_explained(upstream: responses.RequestsMock) -> None:
    upstream.post(f"{RPC}/get_tenant_pool", json=dict.fromkeys(FULL, 0))

    assert "set pool_size = 20" in command("status").stdout
