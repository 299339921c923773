"""The project that a command works on: all values belong to one project."""

from __future__ import annotations

import os
from itertools import chain
from pathlib import Path

import click
import jwt
import psutil
import pytest
from click.testing import CliRunner, Result

from support.backup import programs
from tenantry_cli.emulator.state import State, regular_file, write_state
from tenantry_cli.errors import TenantryError
from tenantry_cli.main import main
from tenantry_cli.project import Project
from tenantry_cli.target import Target, target_options

EMULATOR = {
    "API_URL": "http://127.0.0.1:54321",
    "ANON_KEY": "emulator.anon",
    "SERVICE_ROLE_KEY": "emulator.service",
    "DB_URL": "postgresql://postgres:postgres@127.0.0.1:9/postgres",
    "JWT_SECRET": "emulator secret",
    "FUNCTIONS_URL": "http://127.0.0.1:54321/functions/v1",
    "POSTGREST_URL": "http://127.0.0.1:54323",
}
VARIABLES = (
    "SUPABASE_URL",
    "SUPABASE_ANON_KEY",
    "SUPABASE_SERVICE_ROLE_KEY",
    "SUPABASE_DB_URL",
    "SUPABASE_JWT_SECRET",
    "TENANTRY_FUNCTIONS_URL",
    "TENANTRY_POSTGREST_URL",
)
HOSTED = {
    "SUPABASE_URL": "https://project.example/",
    "SUPABASE_ANON_KEY": "hosted.anon",
    "SUPABASE_SERVICE_ROLE_KEY": "hosted.service",
}


OPTIONS = {
    "--url": "https://project.example",
    "--anon-key": "hosted.anon",
    "--service-key": "hosted.service",
}


@click.command()
@target_options
def shown(target: Target) -> None:
    click.echo(repr(target))


@pytest.fixture(autouse=True)
def emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state file of a running emulator, in the working directory."""
    project = Project(tmp_path)
    project.migrations.mkdir(parents=True)
    (tmp_path / "supabase" / "config.toml").touch()
    started = psutil.Process().create_time()
    write_state(
        regular_file(project), State("run", 54321, os.getpid(), started, None, EMULATOR)
    )
    monkeypatch.chdir(tmp_path)


def run(command: click.Command, *arguments: str, **variables: str | None) -> Result:
    return CliRunner(env={**dict.fromkeys(VARIABLES), **variables}).invoke(
        command, arguments, prog_name="tenantry"
    )


def test_default_target_is_the_running_emulator() -> None:
    assert run(shown).output.strip() == repr(
        Target(
            EMULATOR["API_URL"],
            EMULATOR["ANON_KEY"],
            EMULATOR["SERVICE_ROLE_KEY"],
            EMULATOR["FUNCTIONS_URL"],
            EMULATOR["POSTGREST_URL"],
            EMULATOR["DB_URL"],
            EMULATOR["JWT_SECRET"],
        )
    )


def test_target_with_a_url_has_no_value_of_the_emulator() -> None:
    assert run(shown, **HOSTED).output.strip() == repr(
        Target("https://project.example", "hosted.anon", "hosted.service")
    )


def test_dump_is_restored_into_the_running_emulator_unless_another_project_is_named(
    tmp_path: Path,
) -> None:
    def restore(**variables: str) -> Result:
        return run(main, "restore", str(tmp_path), PATH=str(programs()), **variables)

    # Nothing listens on either port.
    assert "at 127.0.0.1:9, given" in restore().output
    named = restore(SUPABASE_DB_URL="postgresql://postgres@127.0.0.1:7/postgres")
    assert "at 127.0.0.1:7, given" in named.output
    half_named = restore(SUPABASE_URL="https://project.example")
    assert half_named.exit_code == 1
    assert "SUPABASE_URL names a project, so --db-url (or SUPABASE_DB_URL)" in half_named.output


@pytest.mark.parametrize("variable", VARIABLES[1:])
def test_variable_without_a_url_is_refused_and_named(variable: str) -> None:
    result = run(main, "doctor", "--fix", **{variable: "https://another.example"})

    assert result.exit_code == 1
    assert f"{variable} is given without a URL" in result.output
    assert "SUPABASE_URL" in result.output
    assert f"leave {variable} out" in result.output


def test_option_without_a_url_is_refused_and_named() -> None:
    result = run(
        main, "doctor", "--db-url", "postgresql://another", SUPABASE_SERVICE_ROLE_KEY="stale"
    )

    assert result.exit_code == 1
    assert "SUPABASE_SERVICE_ROLE_KEY and --db-url are given without a URL" in result.output


@pytest.mark.parametrize("command", ["migrate", "drift"])
def test_key_without_a_url_is_not_used_with_the_emulator(command: str) -> None:
    result = run(main, command, SUPABASE_SERVICE_ROLE_KEY="stale")

    assert result.exit_code == 1
    assert "SUPABASE_SERVICE_ROLE_KEY is given without a URL" in result.output


def test_url_without_keys_is_refused_and_the_keys_are_named() -> None:
    set_ = run(main, "doctor", SUPABASE_URL="https://project.example")
    given = run(main, "migrate", "--url", "https://project.example")

    assert (set_.exit_code, given.exit_code) == (1, 1)
    assert "SUPABASE_URL is given, so --anon-key (or SUPABASE_ANON_KEY)" in set_.output
    assert "--service-key (or SUPABASE_SERVICE_ROLE_KEY) must be given too" in set_.output
    assert "--url is given, so --service-key" in given.output


@pytest.mark.parametrize(
    "url",
    ["", "project.example", "ftp://project.example", "https://", "http://[::1", "http://a:b"],
)
def test_invalid_url_is_refused_and_shown(url: str) -> None:
    result = run(main, "migrate", "--url", url, "--service-key", "key")

    assert result.exit_code == 1
    assert f"--url is {url!r}, which is no URL" in result.output


@pytest.mark.parametrize("option", ["--db-url", "--jwt-secret"])
def test_empty_value_is_refused_and_does_not_mean_the_emulator(
    tmp_path: Path, option: str
) -> None:
    commands = [("prove", *chain.from_iterable(OPTIONS.items()))]
    if option == "--db-url":
        commands.append(("restore", str(tmp_path)))
    for command in commands:
        result = run(main, *command, option, "", PATH=str(programs()))

        assert result.exit_code != 0
        assert f"{option} is empty" in result.output


@pytest.mark.parametrize("key", ["", "secret\n", " secret", "secr\u00e9t", "secret\u200b"])
def test_invalid_key_is_refused_and_not_shown(key: str) -> None:
    result = run(main, "migrate", "--url", HOSTED["SUPABASE_URL"], "--service-key", key)

    assert result.exit_code == 1
    assert f"--service-key {'has white space' if key else 'is empty'}" in result.output
    assert "Copy the key again" in result.output
    assert "secr" not in result.output


def key_of(role: str) -> str:
    return jwt.encode({"role": role}, "a secret of at least thirty-two bytes", "HS256")


@pytest.mark.parametrize(
    ("option", "wrong", "right"),
    [
        ("--service-key", key_of("anon"), key_of("service_role")),
        ("--service-key", "sb_publishable_1", "sb_secret_1"),
        ("--anon-key", key_of("service_role"), key_of("anon")),
        ("--anon-key", "sb_secret_1", "sb_publishable_1"),
    ],
)
def test_key_of_the_other_kind_is_refused_and_not_shown(
    option: str, wrong: str, right: str
) -> None:
    variables = HOSTED | {}
    for key, expected in ((wrong, 1), (right, 0)):
        result = run(shown, option, key, **variables)
        assert result.exit_code == expected
        if expected:
            assert isinstance(result.exception, TenantryError)
            assert f"{option} is the" in str(result.exception)
            assert key not in str(result.exception)


@pytest.mark.parametrize(
    "url",
    [
        "https://project.example/rest/v1",
        "https://project.example/rest/v1/",
        "https://project.example/functions/v1",
        "https://project.example/?tab=keys",
        "https://project.example#keys",
    ],
)
def test_address_of_a_part_is_refused_with_that_of_the_project(url: str) -> None:
    result = run(main, "migrate", "--url", url, "--service-key", "key")

    assert result.exit_code == 1
    assert f"--url is {url!r}" in result.output
    assert "Give the address of the project: https://project.example\n" in result.output


@pytest.mark.parametrize("url", ["https://project.example//", "https://example.org/supabase/"])
def test_slash_at_the_end_of_a_url_is_left_out(url: str) -> None:
    result = run(shown, "--url", url, **{**HOSTED, "SUPABASE_URL": None})

    assert repr(url.rstrip("/")) in result.output
