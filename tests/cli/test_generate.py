"""`tenantry generate`: the generated files belong to their sources."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from tenantry_cli.main import main
from tenantry_cli.project import find_project


def test_every_generated_file_is_up_to_date() -> None:
    checked = CliRunner().invoke(main, ["generate", "--check"])

    assert checked.exit_code == 0, checked.output
    assert "Every generated file is up to date." in checked.output


def test_outdated_file_is_named_and_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sql", "supabase", "functions"):
        shutil.copytree(find_project().root / name, tmp_path / name)
    shutil.copy(find_project().root / "pyproject.toml", tmp_path)
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "sql/00_schemas.sql").open("a") as source:
        source.write("\n-- An edit.\n")

    checked = CliRunner().invoke(main, ["generate", "--check"])

    assert checked.exit_code == 1
    assert "Out of date: supabase/migrations/" in checked.output
    assert CliRunner().invoke(main, ["generate"]).exit_code == 0
    assert CliRunner().invoke(main, ["generate", "--check"]).exit_code == 0
