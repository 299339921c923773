"""`tenantry tenants`, as an operator runs it against any project."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import responses
from click.testing import CliRunner, Result

from support.environment import Environment
from tenantry_cli.main import main


def command(environment: Environment, *arguments: str) -> Result:
    address = environment.address
    return CliRunner().invoke(
        main,
        ["tenants", *arguments, "--url", address.api_url],
        env={"SUPABASE_SERVICE_ROLE_KEY": address.service_role_key},
        catch_exceptions=False,
    )


def test_tenants_are_listed_for_a_person_and_for_a_program(environment: Environment) -> None:
    names = sorted(environment.tenant() for _ in range(3))
    mark = f"[red]{names[0]}"
    for name, label in zip(names, ("C", "A", "B"), strict=True):
        environment.sql.execute(
            "select public.rename_tenant(%s, %s)", (name, f"{label} {mark}")
        )
    environment.suspend(names[2])

    shown = command(environment, "--search", mark.upper())
    assert shown.exit_code == 0
    lines = [line for line in shown.stdout.splitlines() if mark in line]
    assert [name for name in names if name in "".join(lines)] == names
    assert "suspended" in lines[2]
    # The size, in the unit of the console.
    assert re.search(r" \d+ KB ", lines[0])
    assert shown.stdout.endswith("3 of 3 tenants.\n")

    rows = json.loads(
        command(
            environment,
            *("--search", mark, "--sort", "display_name", "--descending", "--json"),
        ).stdout
    )
    assert [row["display_name"][0] for row in rows] == ["C", "B", "A"]
    assert rows[0].keys() == {
        *("schema_name", "display_name", "status", "schema_version", "bytes"),
        *("last_activity_at", "created_at"),
    }
    assert [
        row["schema_name"]
        for row in json.loads(
            command(environment, "--search", mark, "--status", "suspended", "--json").stdout
        )
    ] == [names[2]]
    assert "2 of 3 tenants." in command(environment, "--search", mark, "--most", "2").stdout
    by_size = command(environment, "--search", mark, "--sort", "size", "--json")
    sizes = [row["bytes"] for row in json.loads(by_size.stdout)]
    assert len(sizes) == 3
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("as_json", [False, True])
def test_nothing_found_is_no_error(environment: Environment, as_json: bool) -> None:
    arguments = ["--search", "no tenant has this name", *(["--json"] if as_json else [])]
    done = command(environment, *arguments)
    assert done.exit_code == 0
    assert done.stdout == ("[]\n" if as_json else "No tenant matches.\n")


def test_every_page_is_read() -> None:
    asked: list[dict[str, Any]] = []

    def page(request: Any) -> tuple[int, dict[str, str], str]:
        given = json.loads(request.body)
        asked.append(given)
        first = 0 if given["after"] is None else int(given["after"])
        rows = [
            {
                "schema_name": f"t_{number:05}",
                "cursor": str(number + 1),
                "total_count": 2000 if first == 0 else None,
            }
            for number in range(first, min(first + given["page_size"], 2000))
        ]
        return 200, {}, json.dumps(rows)

    with responses.RequestsMock() as upstream:
        upstream.add_callback(
            "POST", "https://project.example/rest/v1/rpc/list_tenants", callback=page
        )
        done = CliRunner().invoke(
            main,
            ["tenants", "--json", "--url", "https://project.example", "--service-key", "key"],
        )

    assert [row["schema_name"] for row in json.loads(done.stdout)] == [
        f"t_{number:05}" for number in range(2000)
    ]
    assert [given["after"] for given in asked] == [None, "1000", "2000"]


def test_unknown_order_is_refused_with_the_known_ones() -> None:
    done = CliRunner().invoke(main, ["tenants", "--sort", "weight"])
    assert done.exit_code == 2
    assert "last_activity_at" in done.output
