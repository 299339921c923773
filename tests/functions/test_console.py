"""Serving the console: its files and headers, and the error if a file is missing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.callers import Start
from support.deployment import repository, uploaded


def test_page_and_its_files_are_found_with_and_without_the_folder(start: Start) -> None:
    console = start("console")
    assert console.get("/").mimetype == "text/html"
    for name, kind in {
        "console.js": "text/javascript",
        "console.css": "text/css",
        "icon.svg": "image/svg+xml",
        "supabase.js": "text/javascript",
    }.items():
        alone, in_folder = console.get(f"/{name}"), console.get(f"/console/{name}")
        assert (alone.status_code, alone.mimetype) == (200, kind)
        assert in_folder.data == alone.data


def test_headers_restrict_scripts_and_connections(
    start: Start, variables: dict[str, str]
) -> None:
    console = start("console", TENANTRY_FUNCTIONS_URL="https://functions.example/v1/")
    for path in ("/", "/console.js", "/nowhere"):
        headers = console.get(path).headers
        policy = dict(
            part.partition(" ")[::2] for part in headers["Content-Security-Policy"].split("; ")
        )
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert policy["connect-src"].split() == [
            "'self'",
            variables["SUPABASE_URL"],
            "https://functions.example",
        ]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_page_gets_the_addresses_that_a_browser_can_reach(
    start: Start, variables: dict[str, str]
) -> None:
    config = start("console").get("/config.json")
    assert config.headers["Cache-Control"] == "no-store"
    assert config.json == {
        "supabase_url": variables["SUPABASE_URL"],
        "anon_key": variables["SUPABASE_ANON_KEY"],
        "functions_url": None,
    }
    public = start("console", TENANTRY_PUBLIC_SUPABASE_URL="https://db.example")
    assert public.get("/config.json").json == config.json | {
        "supabase_url": "https://db.example"
    }


def test_known_file_is_not_sent_again(start: Start) -> None:
    console = start("console")
    first = console.get("/supabase.js")
    assert first.headers["Cache-Control"] == "no-cache"
    again = console.get("/supabase.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    other = console.get("/supabase.js", headers={"If-None-Match": '"another"'})
    assert other.data == first.data


@pytest.mark.parametrize("path", ["/nothing.js", "/../settings.py", "/console_page/console.js"])
def test_other_files_are_not_served(start: Start, path: str) -> None:
    reply = start("console").get(path)
    assert (reply.status_code, (reply.json or {})["code"]) == (404, "not_found")


def test_only_reading_is_allowed(start: Start) -> None:
    console = start("console")
    assert console.head("/").status_code == 200
    for method in ("POST", "OPTIONS"):
        reply = console.open("/", method=method)
        assert (reply.status_code, reply.headers["Allow"]) == (405, "GET, HEAD")


def test_deploy_without_supabase_js_names_the_command_that_adds_it(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    functions = repository(tmp_path / "functions")
    script = functions / "tenantry" / "console_page" / "supabase.js"
    assert "tenantry/console_page/supabase.js" in uploaded(functions)
    script.unlink()
    asked = """
import functions_framework
for target in ("console", "tenant_status"):
    reply = functions_framework.create_app(target, "main.py", "http").test_client().get("/")
    print(reply.status_code, reply.text)
"""
    done = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=functions,
        env=variables,
        check=True,
        capture_output=True,
        text=True,
    )
    replies = [line for line in done.stdout.splitlines() if not line.startswith("{")]
    status, _, refusal = replies[0].partition(" ")
    assert (status, json.loads(refusal)["code"]) == ("503", "console_incomplete")
    assert "`tenantry bundle`" in json.loads(refusal)["hint"]
    # Only the console needs supabase-js.
    assert replies[1].startswith("200 ")
