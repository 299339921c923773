"""What `supabase/config.toml` says, and what the Supabase CLI is given of it."""

import re
import tomllib
from pathlib import Path

import pytest

from tenantry_cli.configuration import AuthSettings, Configuration, Site, read_toml
from tenantry_cli.emulator.workdir import command_folder
from tenantry_cli.errors import TenantryError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "supabase").mkdir()
    file = tmp_path / "supabase" / "config.toml"
    file.touch()
    return file


def test_empty_file_means_the_defaults_of_the_supabase_cli(file: Path) -> None:
    told = Configuration.read(file)

    assert (told.port, told.max_rows) == (None, 1000)
    assert told.schemas == ("public", "graphql_public")
    assert told.extra_search_path == ("public", "extensions")
    assert (told.has_migrations, told.has_seed, told.seed_paths) == (
        True,
        True,
        ("./seed.sql",),
    )
    assert told.site == Site("http://localhost:3000", ("https://localhost:3000",))
    assert told.auth == AuthSettings()
    assert told.not_followed == ()


def test_value_may_name_a_variable_of_the_environment(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITE", "https://app.example")
    monkeypatch.setenv("API_PORT", "54400")
    monkeypatch.setenv("SIGN_UP", "false")
    file.write_text(
        """
        [api]
        port = "env(API_PORT)"
        [auth]
        site_url = "env(SITE)"
        additional_redirect_urls = ["env(SITE)", "https://*.example"]
        enable_signup = "env(SIGN_UP)"
        """
    )

    told = Configuration.read(file)

    assert told.port == 54400
    assert told.site == Site(
        "https://app.example", ("https://app.example", "https://*.example")
    )
    assert not told.auth.enable_signup


def test_variable_may_be_in_a_file_of_the_project(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_PORT", "54400")
    file.write_text(
        """
        [api]
        port = "env(API_PORT)"
        max_rows = "env(MAX_ROWS)"
        [auth]
        site_url = "env(SITE)"
        additional_redirect_urls = ["env(FIRST)", "env(SECOND)"]
        enable_signup = "env(SIGN_UP)"
        """
    )
    file.with_name(".env.local").write_text("SITE=https://app.example # ours\n")
    file.with_name(".env").write_text(
        "SITE=https://other.example\n# MAX_ROWS=1\nexport MAX_ROWS = 50\r\nAPI_PORT=54500\n"
    )
    (file.parents[1] / ".env").write_text(
        'MAX_ROWS=60\nFIRST=\'https://#1.example\' # one\nSECOND="https://\\"2\\".example"\n'
        "SIGN_UP=false"
    )

    told = Configuration.read(file)

    assert (told.port, told.max_rows) == (54400, 50)
    assert told.site == Site(
        "https://app.example", ("https://#1.example", 'https://"2".example')
    )
    assert not told.auth.enable_signup


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[auth\n", "is not valid TOML: "),
        ("auth = 3\n", ": auth must be a table, and is 3."),
        ("[auth]\nsite_url = 3\n", ": auth.site_url must be a text, and is 3."),
        ("api.max_rows = 'all'\n", ": api.max_rows must be a number that is not negative, and"),
        ("api.max_rows = true\n", ": api.max_rows must be a number"),
        ("api.port = 'env(NO_SUCH_PORT)'\n", "and is 'env(NO_SUCH_PORT)'."),
        ("[db]\nseed.enabled = 1\n", ": db.seed.enabled must be true or false, and is 1."),
        ("[db.seed]\nsql_paths = './x.sql'\n", ": db.seed.sql_paths must be a list of texts"),
        ("api.port = 65536\n", ": api.port must be a number from 1024 to 65000, and is 65536."),
        ("[auth]\nhook = 1\n", ": auth.hook must be a table, and is 1."),
    ],
)
def test_wrong_value_is_named_with_its_file(file: Path, text: str, sentence: str) -> None:
    file.write_text(text)
    with pytest.raises(TenantryError, match=f"^{re.escape(str(file))}.*{re.escape(sentence)}"):
        Configuration.read(file)


def test_settings_that_the_emulator_does_not_follow_are_known_by_name(file: Path) -> None:
    file.write_text(
        """
        [api]
        port = 54400
        [db]
        port = 54401
        [auth.email]
        enable_confirmations = true
        [auth.sms]
        enable_signup = true
        [auth.sms.twilio]
        enabled = false
        [auth.hook.custom_access_token]
        enabled = true
        [auth.external.github]
        enabled = true
        [auth.external.apple]
        enabled = false
        """
    )
    assert Configuration.read(file).not_followed == (
        *("auth.email.enable_confirmations", "auth.hook.custom_access_token.enabled"),
        "auth.external.github.enabled",
    )

    file.write_text("[db]\nport = 6543\n")
    assert Configuration.read(file).not_followed == ("db.port",)


def test_cli_gets_an_older_file_under_the_names_of_today(file: Path) -> None:
    text = """
project_id = "a \\"quoted\\" name"
[inbucket]
enabled = true
port = 54324
[experimental]
orioledb_version = ""
s3_host = "h"
[db]
port = 54322
[auth.external.slack]
enabled = false
secret = "ü"
[auth.sms.test_otp]
4152127777 = "123456"
[remotes.staging.inbucket]
enabled = false
"""
    file.write_text(text)
    (file.parent / "functions").mkdir()

    with command_folder(file.parents[1]) as folder:
        assert folder != file.parents[1]
        given = read_toml(folder / "supabase" / "config.toml")
        # New files are the project's.
        (folder / "supabase" / "migrations" / "1_a.sql").write_text("select 1;")

    told = tomllib.loads(text)
    assert given["local_smtp"] == told["inbucket"]
    assert given["db"] == {"orioledb_version": "", "port": 54322}
    assert given["experimental"] == {"s3_host": "h"}
    assert given["auth"] == {
        "external": {"slack_oidc": told["auth"]["external"]["slack"]},
        "sms": told["auth"]["sms"],
    }
    assert given["remotes"] == {"staging": {"local_smtp": {"enabled": False}}}
    assert given["project_id"] == told["project_id"]
    assert file.read_text() == text
    assert (file.parent / "migrations" / "1_a.sql").is_file()


def test_cli_works_in_the_project_whose_file_it_accepts(file: Path) -> None:
    file.write_text('project_id = "x"\n')
    with command_folder(file.parents[1]) as folder:
        assert folder == file.parents[1]
