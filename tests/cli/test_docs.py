"""The page that shows the OpenAPI document loads nothing from another host."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from support.environment import GROUPS, Environment

DOCS = "/functions/v1/docs"


def test_page_and_its_files_come_from_the_emulator(environment: Environment) -> None:
    page = environment.http.get(DOCS)

    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    named = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(named) == 4
    for path in named:
        assert path.startswith(f"{DOCS}/")
        assert environment.http.get(path).status_code == 200
    assert "//" not in environment.http.get(f"{DOCS}/docs.js").text.replace("    // ", "")


def test_policy_forbids_the_browser_to_load_from_another_host(environment: Environment) -> None:
    policy = environment.http.get(DOCS).headers["Content-Security-Policy"]

    sources = {source for rule in policy.split(";") for source in rule.split()[1:]}
    assert "default-src 'none'" in policy
    assert sources == {"'none'", "'self'", "'unsafe-inline'", "data:", "http://127.0.0.1:*"}
    assert "script-src 'self';" in policy


def test_page_reads_the_document_of_all_groups(environment: Environment) -> None:
    script = environment.http.get(f"{DOCS}/docs.js").text
    (path,) = re.findall(r'url: "([^"]*)"', script)

    whole = environment.http.get(path).json()

    assert whole["servers"] == [{"url": f"{environment.address.api_url}/functions/v1"}]
    own = environment.http.get("/functions/v1/tenant-status/openapi.json").json()
    assert own["servers"] == [
        {"url": f"{environment.address.api_url}/functions/v1/tenant-status"}
    ]
    for operation, group in GROUPS.items():
        assert f"/{group}/{operation}" in whole["paths"]


@pytest.mark.parametrize("path", ["nothing.js", "../package.json", "%2e%2e/package.json"])
def test_other_files_are_not_served(environment: Environment, path: str) -> None:
    url = httpx.URL(environment.address.api_url).copy_with(raw_path=f"{DOCS}/{path}".encode())
    assert environment.http.get(url).status_code == 404


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no chromium")
def test_browser_without_the_internet_shows_every_operation(
    environment: Environment, tmp_path: Path
) -> None:
    chromium = shutil.which("chromium")
    assert chromium
    shown = subprocess.run(
        [
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
            # The browser can reach no other host.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            *("--virtual-time-budget=20000", f"--user-data-dir={tmp_path}"),
            f"{environment.address.api_url}{DOCS}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout

    for operation, group in GROUPS.items():
        assert f'id="operations-{group}-{operation}"' in shown
