"""The READMEs' code for client apps, run unmodified."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from rich.console import Console
from selenium.webdriver import Chrome

from support.databases import complete_database
from support.environment import Environment
from support.pages import Page, served
from support.readme import PYTHON_APP, block
from support.waiting import is_known, until
from tenantry_cli.emulator.components import NODE, install_components
from tenantry_cli.emulator.paths import FUNCTIONS as FUNCTIONS_PATH
from tenantry_cli.emulator.ports import Ports
from tenantry_cli.emulator.postgres import Postgres

JS_PRELUDE = """
const { SUPABASE_URL, SUPABASE_ANON_KEY, FUNCTIONS_URL, email, password } = process.env
"""
JS_EPILOGUE = """
console.log(JSON.stringify([profile, rows]))
process.exit()
"""
PAGE_PRELUDE = """
const { SUPABASE_URL, SUPABASE_ANON_KEY, FUNCTIONS_URL, email, password } =
    Object.fromEntries(new URLSearchParams(location.search))
window.onerror = (message) => { window.perform = async () => ({ message }) }
"""
PAGE_EPILOGUE = """
window.perform = async () => ({ profile, rows })
"""
PYTHON_EPILOGUE = """
import json
print(json.dumps([profile, [[row.key, row.value] for row in settings]]))
"""
TS_PRELUDE = """
declare const SUPABASE_URL: string, SUPABASE_ANON_KEY: string, FUNCTIONS_URL: string
declare const email: string, password: string
"""


@pytest.fixture
def acme(environment: Environment) -> str:
    """The README's tenant with one setting. One test at a time has the tenant."""
    environment.sql.execute("select pg_advisory_lock(hashtext('acme'))")
    environment.adopt_tenant("acme")
    environment.sql.execute("select public.create_tenant_schema('acme')")
    environment.sql.execute(
        "insert into acme.settings (key, value) values ('theme', '\"teal\"')"
    )
    return "acme"


@pytest.fixture
def variables(environment: Environment, acme: str) -> dict[str, str]:
    """The variables of the snippets. The functions have another address than the project."""
    gateway = urlsplit(environment.address.api_url).port
    assert gateway is not None
    password = secrets.token_urlsafe(16)
    person = environment.sign_up(password)
    environment.grant(acme, person, "read")
    until(lambda: is_known(environment, acme, "settings"))
    return {
        "PATH": os.environ["PATH"],
        "SUPABASE_URL": environment.address.api_url,
        "SUPABASE_ANON_KEY": environment.address.anon_key,
        "FUNCTIONS_URL": f"http://127.0.0.1:{Ports(gateway).functions}{FUNCTIONS_PATH}",
        "email": str(person.email),
        "password": password,
    }


@pytest.fixture(scope="session")
def supabase_cli(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that has the Supabase CLI, to be put on the PATH."""
    directory = tmp_path_factory.mktemp("bin")
    (directory / "supabase").symlink_to(install_components(Console(stderr=True)).supabase)
    return directory


@pytest.fixture(scope="module")
def generated_types(
    server: Postgres, supabase_cli: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder in which the README's commands have written the tenant's types.

    The types are of a separate database: the CLI reads the whole catalog, and fails where
    another test drops a schema at the same time.
    """
    folder = tmp_path_factory.mktemp("types")
    with complete_database(server) as name:
        url = server.url(name)
        done = subprocess.run(
            ["/bin/sh", "-euc", block("sh", "supabase gen types")],
            cwd=folder,
            env={
                "PATH": f"{supabase_cli}:{os.environ['PATH']}",
                "HOME": str(folder),
                "DB_URL": f"{url}?sslmode=disable",
                "DO_NOT_TRACK": "1",
                "SUPABASE_TELEMETRY_DISABLED": "1",
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def generated(generated_types: Path, tmp_path: Path) -> Path:
    """A copy of the types, to which a test adds its own files."""
    for file in generated_types.glob("database*types*"):
        shutil.copy(file, tmp_path)
    return tmp_path


def output(command: list[str | Path], cwd: Path, env: dict[str, str]) -> Any:
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_javascript_runs_unmodified(
    variables: dict[str, str], node_modules: Path, tmp_path: Path
) -> None:
    (tmp_path / "node_modules").symlink_to(node_modules)
    code = JS_PRELUDE + block("js", "FunctionsClient") + JS_EPILOGUE
    (tmp_path / "app.mjs").write_text(code)

    profile, rows = output([NODE, "app.mjs"], tmp_path, variables)

    assert (profile["email"], profile["is_new"]) == (variables["email"], True)
    assert rows == [{"key": "theme", "value": "teal"}]


def test_javascript_is_signed_in_after_a_reload_of_the_page(
    variables: dict[str, str], node_modules: Path, browser: Chrome
) -> None:
    browser.set_script_timeout(20)
    sign_in = "await supabase.auth.signInWithPassword"
    code = block("js", "FunctionsClient").replace(sign_in, f"if (password) {sign_in}")
    with served(node_modules, PAGE_PRELUDE + code + PAGE_EPILOGUE) as origin:
        page = Page(browser, origin)
        page.open(**variables)
        assert page.call("first")["profile"]["is_new"] is True
        # The second page has the session that the first one stored, and no password.
        page.open(**variables | {"password": ""})
        loaded = page.call("second")

    assert loaded["profile"]["email"] == variables["email"]
    assert loaded["profile"]["is_new"] is False
    assert loaded["rows"] == [{"key": "theme", "value": "teal"}]


def test_python_runs_unmodified(variables: dict[str, str], generated: Path) -> None:
    code = PYTHON_APP + block("python", "database_types") + PYTHON_EPILOGUE
    (generated / "app.py").write_text(code)

    profile, settings = output([sys.executable, "app.py"], generated, variables)

    assert (profile["email"], profile["is_new"]) == (variables["email"], True)
    assert settings == [["theme", "teal"]]


def test_generated_typescript_checks_the_code_that_uses_it(
    generated: Path, node_modules: Path
) -> None:
    (generated / "node_modules").symlink_to(node_modules)
    code = TS_PRELUDE + block("ts", "database.types")
    (generated / "good.ts").write_text(code)
    (generated / "bad.ts").write_text(code.replace("updated_at", "altered_at"))
    # The code in JavaScript is for projects in TypeScript, too.
    (generated / "app.ts").write_text(TS_PRELUDE + block("js", "FunctionsClient"))

    def errors(*names: str) -> str:
        return subprocess.run(
            [
                *(NODE, node_modules / "typescript" / "bin" / "tsc", "--noEmit", "--strict"),
                *("--target", "es2022", "--module", "esnext", "--lib", "es2022,dom"),
                *("--moduleResolution", "bundler", "--skipLibCheck", *names),
            ],
            cwd=generated,
            capture_output=True,
            text=True,
            timeout=120,
        ).stdout

    assert errors("good.ts", "app.ts") == ""
    assert "altered_at" in errors("bad.ts")


def test_generated_types_have_the_tenants_tables(generated: Path) -> None:
    typescript = (generated / "database.types.ts").read_text()
    python = (generated / "database_types.py").read_text()

    for table, model in (
        ("settings", "Settings"),
        ("users", "Users"),
        ("audit_log", "AuditLog"),
    ):
        assert f'"{table}": {{' in typescript
        assert f"class TenantTemplate{model}(BaseModel):" in python
    for name in ("create_tenant_schema", "tenants"):
        assert f'"{name}":' in typescript
