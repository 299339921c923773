"""What `tenantry new` refuses, because the file would fail or was begun already."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tenantry_cli.main import main


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project, with one tenant migration."""
    folder = tmp_path / "supabase" / "migrations"
    folder.mkdir(parents=True)
    (tmp_path / "supabase" / "config.toml").touch()
    (folder / "20200101000000_tenantry_0_1_0.sql").touch()
    monkeypatch.chdir(tmp_path)
    assert new("add_orders").exit_code == 0
    return folder


def new(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["new", *arguments])


def version(migrations: Path) -> str:
    return min(migrations.glob("*_add_orders.sql")).name.split("_")[0]


def test_name_that_a_file_has_is_refused(migrations: Path) -> None:
    [file] = migrations.glob("*_add_orders.sql")
    before = sorted(migrations.iterdir())

    for more in ([], ["--withdraw", version(migrations)], ["--replace", version(migrations)]):
        refused = new("add_orders", *more)
        assert refused.exit_code == 1
        assert f'supabase/migrations/{file.name} has the name "add_orders"' in refused.output

    assert sorted(migrations.iterdir()) == before
    # Its name is only the end of that of the file.
    assert new("orders").exit_code == 0


@pytest.mark.parametrize("option", ["--withdraw", "--replace"])
def test_version_that_no_file_registers_is_refused(migrations: Path, option: str) -> None:
    before = [*migrations.iterdir()]

    refused = new("correct_it", option, "20270120090000")

    assert refused.exit_code == 1
    assert 'registers a tenant migration "20270120090000". Give its version' in refused.output
    assert [*migrations.iterdir()] == before
    assert new("correct_it", option, version(migrations)).exit_code == 0


@pytest.mark.parametrize("option", ["--withdraw", "--replace"])
def test_version_that_a_file_withdraws_is_refused(migrations: Path, option: str) -> None:
    first = version(migrations)
    assert new("withdraw_orders", "--withdraw", first).exit_code == 0

    refused = new("correct_it", option, first)

    assert refused.exit_code == 1
    assert f'withdraws the tenant migration "{first}" already' in refused.output
    # It may be registered anew.
    (migrations / "29990101000000_again.sql").write_text(
        f"select tenancy.register_tenant_migration(name => 'x', version => '{first}', "
        "statements => $tenant$ select 1 $tenant$);"
    )
    assert new("correct_it", option, first).exit_code == 0


@pytest.mark.parametrize(
    ("option", "call"),
    [
        ("--backfill", "register_tenant_backfill"),
        ("--index", "register_tenant_index"),
    ],
)
def test_phase_is_drafted_and_can_be_withdrawn(
    migrations: Path, option: str, call: str
) -> None:
    assert new("fill_totals", option).exit_code == 0
    [file] = migrations.glob("*_fill_totals.sql")
    phase = file.name.split("_")[0]

    assert f"select tenancy.{call}('{phase}', 'fill_totals', $tenant$" in file.read_text()
    assert new("fill_more", option, "--withdraw", phase).exit_code == 2
    assert new("withdraw_it", "--withdraw", phase).exit_code == 0
