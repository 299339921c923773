"""The READMEs' statements for operators are true of the code."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from support.deployment import FUNCTIONS, Deployment, entry_points
from support.environment import Environment
from support.readme import block, table
from tenantry.errors import ERROR_CODES
from tenantry_cli.emulator.paths import ABSENT

ROOT = FUNCTIONS.parent
DOCUMENTS = [
    *(ROOT / folder / "README.md" for folder in (".", "functions", "supabase", "sql", "tests")),
    *(
        ROOT / name
        for name in (
            *("supabase/GUIDE.md", "functions/tenantry_cli/emulator/README.md"),
            *("supabase/BACKUP.md", "functions/DEPLOYING.md", "tests/bench/README.md"),
            "CHANGELOG.md",
            *(".github/CONTRIBUTING.md", ".github/SECURITY.md", "functions/JOINING.md"),
        )
    ),
]

# Set by the system or by HTTP, not by a deployment.
NOT_OURS = {
    *("CONTENT_LENGTH", "HTTP_APIKEY", "HTTP_TRANSFER_ENCODING", "PATH_INFO"),
    "NO_PROXY",
}
# Read by functions-framework, not by our code.
THEIRS = {"THREADS", "WORKERS"}


def anchors(document: Path) -> set[str]:
    """The headings of a document as GitHub links to them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def broken_links(document: Path) -> list[str]:
    broken = []
    for link in re.findall(r"\]\(([^)]+)\)", document.read_text()):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if link.startswith("http"):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(document: Path) -> None:
    assert broken_links(document) == []


def test_broken_links_are_found(tmp_path: Path) -> None:
    document = tmp_path / "README.md"
    document.write_text("# The `one`\n[a](#the-one) [b](#two) [c](README.md) [d](none.md)")
    assert broken_links(document) == ["#two", "none.md"]


def test_readmes_are_short() -> None:
    first, *others = (len(path.read_text().splitlines()) for path in DOCUMENTS[:10])
    assert first <= 220
    assert max(others) <= 400


def settings() -> dict[str, str]:
    """The variables in functions/DEPLOYING.md."""
    lines = block("yaml", "SUPABASE_URL").splitlines()
    return {name: value.strip('"') for name, value in (line.split(": ", 1) for line in lines)}


@pytest.mark.parametrize("command", ["gcloud functions deploy", "gcloud run deploy"])
def test_deploy_commands_deploy_every_target(command: str) -> None:
    script = block("sh", command)
    (loop,) = re.findall(r"for target in (.*?)\ndo\n", script, re.DOTALL)
    assert loop.replace("\\", "").split() == entry_points()
    assert f"--concurrency {settings()['THREADS']} " in script


def test_target_starts_with_the_settings_of_the_readme(deployment: Deployment) -> None:
    variables = settings() | {
        "SUPABASE_URL": "https://ref.supabase.co",
        "SUPABASE_ANON_KEY": "sb_publishable_key",
    }
    with deployment.serve("tenant_status", variables) as group:
        for origin in variables["TENANTRY_ALLOWED_ORIGINS"].split(","):
            reply = httpx.get(group.url, headers={"Origin": origin})
            assert reply.headers["Access-Control-Allow-Origin"] == origin


def test_table_of_variables_lists_all_that_the_code_reads() -> None:
    # Read by name, or declared as the variable of a command's option.
    reading = r"environ(?:ment)?(?:\.get\(|\[)|setting\(\s*|_Option\(\s*\"[a-z-]+\",\s*"
    read = {
        name
        for path in FUNCTIONS.rglob("*.py")
        for name in re.findall(rf'(?:{reading})"([A-Z]+_[A-Z_]+)"', path.read_text())
    }
    listed = {
        name
        for variables, *_ in table("Environment variables")
        for name in re.findall(r"`([A-Z_]+)`", variables)
    }
    assert listed == (read - NOT_OURS) | THEIRS | {"TENANTRY_SOAK"}


def test_table_of_projects_names_all_that_the_emulator_lacks() -> None:
    rows = table("What each project has")
    lacking = " ".join(what for what, emulator, *_ in rows if emulator.startswith("○"))
    assert [name for name in ABSENT.values() if name.split()[0] not in lacking] == []


def test_table_of_errors_lists_all_that_callers_can_get() -> None:
    listed = [
        (int(status), code.strip("`")) for status, code, _, _ in table("Errors and what to do")
    ]
    assert sorted(listed) == sorted((error.status, error.code) for error in ERROR_CODES)
    assert all(when and advice for _, _, when, advice in table("Errors and what to do"))


def test_request_id_leads_to_the_log_line_and_to_the_change(
    environment: Environment, deployment: Deployment
) -> None:
    tenant, admin = environment.tenant(), environment.staff("admin")
    variables = settings() | {
        "SUPABASE_URL": environment.address.api_url,
        "SUPABASE_ANON_KEY": environment.address.anon_key,
    }
    with deployment.serve("schema_management", variables) as group:
        for reason in ("unpaid", "unpaid", "x" * 1001):
            reply = httpx.post(
                f"{group.url}/suspend_tenant",
                headers=environment.headers(admin),
                json={"schema_name": tenant, "reason": reason},
            )
        lines = {line["request_id"]: line for line in group.requests()}

    # The first call changed the name, the second changed nothing, the third was refused.
    assert [line["status"] for line in lines.values()] == [200, 200, 422]
    refused = lines[reply.json()["request_id"]]
    assert (refused["operation"], refused["error"]) == ("suspend_tenant", "invalid_request")
    query = block("sql", "where request_id")
    (example,) = re.findall("'([0-9a-f]{32})'", query)
    assert f'request_id="{example}"' in block("sh", "gcloud logging read")
    found = [
        environment.sql.execute(query.replace(example, request_id).encode()).fetchall()
        for request_id in lines
    ]
    ((entry,), *others) = found
    assert others == [[], []]
    assert (entry["action"], entry["schema_name"]) == ("tenant.suspend", tenant)
    assert str(entry["actor_id"]) == admin.id == next(iter(lines.values()))["actor"]
