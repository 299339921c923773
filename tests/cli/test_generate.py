"""`tenantry generate`: an operation's file gives its catalogue entry, grants and table rows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tenantry.catalogue import CALLERS
from tenantry_cli.generate.command import generated_files
from tenantry_cli.generate.tables import errors_table
from tenantry_cli.main import main
from tenantry_cli.project import Project, find_project

CATALOGUE = Path("functions", "tenantry", "catalogue.json")
GRANTS = Path("sql", "90_privileges", "rpcs.sql")
RPC = Path("sql", "30_rpc", "tenant_status", "count_my_tenants.sql")
TEXT = """\
create function public.count_my_tenants(status tenancy.tenant_status default 'active')
    returns bigint
    stable
    security definer
    set search_path = ''
    language sql
as $$
    select 1::bigint
$$;

comment on function public.count_my_tenants(tenancy.tenant_status) is
    'Counts the caller''s tenants, a|b. Suspended ones are another status. '
    'Callers: anyone signed in. '
    'Errors: not_authenticated, busy.';
"""
README = """\
# Operations

<!-- tenantry generate: operations -->
<!-- end -->

By hand.

<!-- tenantry generate: errors -->
outdated
<!-- end -->
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of what the command reads and writes, as the working directory."""
    source = find_project().root
    for folder in ("sql", "supabase"):
        shutil.copytree(source / folder, tmp_path / folder)
    (tmp_path / "functions" / "tenantry").mkdir(parents=True)
    shutil.copy(source / CATALOGUE, tmp_path / CATALOGUE)
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def generate(*options: str) -> Result:
    return CliRunner().invoke(main, ["generate", *options])


def test_new_and_removed_operation_reach_every_generated_file(project: Project) -> None:
    (project.root / RPC).write_text(TEXT)
    # The grant of this one is still there, and does not stop the command.
    (project.root / RPC).with_name("list_my_tenants.sql").unlink()
    readme = project.root / "README.md"
    readme.write_text(README)
    (baseline,) = project.migrations.glob("*_tenantry_0_1_0.sql")

    outdated = generate("--check")
    assert outdated.exit_code == 1
    files = (str(CATALOGUE), str(GRANTS), "README.md", str(baseline.relative_to(project.root)))
    for name in files:
        assert name in outdated.output
    assert generate().exit_code == 0
    assert generate("--check").exit_code == 0

    (entry,) = [
        entry
        for entry in json.loads((project.root / CATALOGUE).read_text())
        if entry["name"] == "count_my_tenants"
    ]
    assert entry == {
        "name": "count_my_tenants",
        "group": "tenant-status",
        "parameters": [
            {
                "name": "status",
                "type": "tenancy.tenant_status",
                "default": "'active'::tenancy.tenant_status",
            }
        ],
        "returns": "bigint",
        "returns_set": False,
        "is_stable": True,
        "summary": "Counts the caller's tenants, a|b.",
        "description": "Suspended ones are another status.",
        "callers": ["anyone signed in"],
        "errors": ["not_authenticated", "busy"],
        "source": RPC.as_posix(),
    }
    signature = "public.count_my_tenants(tenancy.tenant_status)"
    # Revoked and granted, in the source and in the migration that is written from it.
    assert (project.root / GRANTS).read_text().count(signature) == 2
    assert baseline.read_text().count(f"    {signature}") == 2

    assert "list_my_tenants" not in (project.root / GRANTS).read_text()
    assert "check_tenant_status" in (project.root / GRANTS).read_text()

    # The READMEs have their tables between the markers.
    text = readme.read_text()
    assert (
        "`check_tenant_status` | member, member of a suspended tenant, platform viewer |"
        in text
    )
    # A bar would begin another cell.
    assert r"Counts the caller's tenants, a\|b. |" in text
    assert errors_table() in text
    assert "\nBy hand.\n" in text
    assert "outdated" not in text


@pytest.mark.parametrize(
    ("right", "damaged"),
    [
        ("<!-- end -->\n\nBy hand.", "By hand."),
        ("outdated\n<!-- end -->\n", "outdated\n"),
        ("<!-- tenantry generate: operations -->", "<!-- tenantry generate:operations -->"),
        ("<!-- tenantry generate: operations -->\n", ""),
        ("<!-- tenantry generate: errors -->", "<!-- tenantry generate: mistakes -->"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--check",)])
def test_damaged_marker_is_refused_and_no_text_is_lost(
    project: Project, right: str, damaged: str, options: tuple[str, ...]
) -> None:
    readme = project.root / "README.md"
    assert right in README
    text = README.replace(right, damaged, 1)
    readme.write_text(text)

    refused = generate(*options)

    assert refused.exit_code == 1
    assert "README.md: " in refused.output
    assert readme.read_text() == text


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("anyone signed in", "everybody", f"everybody. Callers are {', '.join(CALLERS)}"),
        ("Callers: anyone signed in. ", "", "a comment is '<Summary.>"),
        ("Errors: not_authenticated", "Errors: not_signed_in", "unknown errors not_signed_in"),
        ("count_my_tenants(", "count_tenants(", "count_my_tenants, count_tenants"),
        ("returns bigint", "returns nothing", "count_my_tenants.sql failed: type"),
    ],
)
def test_mistake_in_an_operation_is_named_with_its_file(
    project: Project, right: str, wrong: str, complaint: str
) -> None:
    (project.root / RPC).write_text(TEXT.replace(right, wrong))

    done = generate("--check")

    assert done.exit_code == 1
    assert complaint in done.output
    assert RPC.stem in done.output


@pytest.mark.parametrize("folder", ["", "tenant_statu", "tenant_status/more"])
def test_operation_in_a_folder_without_a_group_is_refused(
    project: Project, folder: str
) -> None:
    file = project.root / "sql" / "30_rpc" / folder / RPC.name
    file.parent.mkdir(exist_ok=True)
    file.write_text(TEXT)

    done = generate("--check")

    assert done.exit_code == 1
    assert f"{file.relative_to(project.root)}: the folder of an RPC is its group" in done.output
    assert "schema_management" in done.output


def test_unknown_table_is_named_with_its_readme(project: Project) -> None:
    (project.root / "README.md").write_text(
        README.replace("generate: errors", "generate: erors")
    )

    done = generate()

    assert done.exit_code == 1
    assert "README.md: there is no generated table erors" in done.output


def test_every_generated_file_is_up_to_date() -> None:
    outdated = [
        str(path)
        for path, text in generated_files(find_project()).items()
        if not path.exists() or path.read_text() != text
    ]
    assert outdated == [], "Run `tenantry generate`."
