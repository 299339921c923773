"""The image of functions/Dockerfile: its command, and the files that it needs."""

from __future__ import annotations

import signal
import subprocess
from typing import Any

import httpx

from support.callers import token
from support.deployment import (
    FUNCTIONS,
    IMAGE_COMMAND,
    Deployment,
    entry_points,
    image_variables,
)
from support.upstream import Upstream, result


def test_container_serves_every_group_behind_one_port(
    deployment: Deployment, variables: dict[str, str], upstream: Upstream
) -> None:
    status = {"schema_name": "acme", "status": "active"}
    upstream.will(result([]), result(status))
    paths = {f"/{name.replace('_', '-')}" for name in entry_points()}
    with (
        deployment.serve("container", image_variables(variables), *IMAGE_COMMAND) as served,
        httpx.Client(
            base_url=served.url, headers={"Authorization": f"Bearer {token(sub='a')}"}
        ) as client,
    ):

        def call(path: str, **arguments: Any) -> Any:
            return client.post(path, json=arguments).json()

        assert call("/tenant-status/list_my_tenants") == []
        changed = call("/tenant-migrations/get_database_release")
        assert changed == {"release": changed["release"]}
        assert call("/tenant-status/check_tenant_status", schema_name="acme") == status
        assert {*client.get("/").json()["groups"]} == paths
        for path in paths - {"/console"}:
            assert client.get(path).json()["name"] == path[1:]
        assert client.get("/openapi.json").json()["openapi"].startswith("3.1")
        assert client.get("/console").status_code in {200, 503}
        unknown = client.post("/tenant/nothing")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "operation_not_found")
        # One process has asked for the release once, whatever the group.
        assert upstream.questions == 2

        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(timeout=20) == 0
    starts = [line["group"] for line in served.logged() if "release" in line]
    assert sorted(starts) == sorted(path[1:] for path in paths)


def test_container_without_a_setting_ends_with_one_sentence(
    deployment: Deployment, variables: dict[str, str]
) -> None:
    del variables["SUPABASE_URL"]
    with deployment.start(
        "container", image_variables(variables), subprocess.PIPE, *IMAGE_COMMAND
    ) as process:
        _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert err == "SUPABASE_URL is not set: it holds the address of the Supabase project.\n"


def test_image_has_the_files_that_a_deploy_uploads() -> None:
    def kept(name: str) -> set[str]:
        lines = (FUNCTIONS / name).read_text().splitlines()
        return {line[1:].strip("/") for line in lines if line.startswith("!")}

    assert kept(".dockerignore") == kept(".gcloudignore")
