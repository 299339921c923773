"""`tenantry prove` with a hosted project: a URL, two keys, and sign-up with confirmation."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.commands import tenantry
from support.environment import Address, Environment
from support.hosted import Hosted, serving
from tenantry_cli.target import Target

KINDS = ("new", "legacy") if os.environ.get("TENANTRY_SOAK") == "1" else ("new",)


@pytest.fixture
def hosted(address: Address) -> Hosted:
    return Hosted(address)


@pytest.fixture
def url(hosted: Hosted, environment: Environment) -> Iterator[str]:
    with serving(hosted) as url:
        yield url
    environment.sql.execute(
        "delete from auth.users where id = any(%s::uuid[])", ([*hosted.users],)
    )


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_hosted_project_is_proved_although_no_proxy_answers_and_nothing_stays(
    hosted: Hosted,
    url: str,
    address: Address,
    environment: Environment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    keys = {
        "legacy": (address.anon_key, address.service_role_key),
        "new": (address.publishable_key, address.secret_key),
    }
    file = tmp_path / "proof.json"
    # All requests go to this machine.
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")

    result = tenantry(Target(url, *keys[kind]), "prove", "--json", str(file))

    assert result.exit_code == 0, result.output
    assert "Attempts by identity and object" in result.output
    assert "no leak" in result.output
    assert keys[kind][1] not in file.read_text()
    report = json.loads(file.read_text())
    assert (report["is_proved"], report["findings"]) == (True, [])
    assert report["attempts"] > 500
    assert report["disclosures"]
    refused = {row["identity"]: row["refused"] for row in report["matrix"] if row["refused"]}
    assert {
        *("banned user", "soft-deleted user", "banned super_admin", "public key as a secret")
    } <= refused.keys()
    assert [
        note.split()[1].rstrip(",") for note in report["notes"] if note.startswith("Without")
    ] == [
        *("--db-url", "--db-url", "--functions-url", "--jwt-secret", "--postgrest-url"),
    ]
    assert not any("remains" in note for note in report["notes"])
    assert hosted.users == set()
    (run,) = {email.split("-")[1] for email in hosted.emails}
    left = environment.sql.execute(
        "select (select count(*) from public.tenants where schema_name like %(tenant)s)"
        " + (select count(*) from auth.users where email like %(user)s) as left",
        {"tenant": f"proof\\_{run}\\_%", "user": f"proof-{run}-%"},
    ).fetchone()
    assert left == {"left": 0}


def test_project_without_admin_api_and_with_confirmation_is_refused(
    hosted: Hosted, url: str, address: Address
) -> None:
    hosted.has_admin_api = False

    result = tenantry(Target(url, address.anon_key, address.service_role_key), "prove")

    assert result.exit_code == 2
    # The reason comes first, then what remains.
    assert result.output.lstrip().startswith("Error: Sign-up needs confirmation")
    (email,) = hosted.emails
    assert f"The account {email} remains. Delete it by hand." in result.output


def test_overload_is_named_and_what_was_made_is_removed(
    hosted: Hosted, url: str, address: Address, environment: Environment
) -> None:
    hosted.overloaded_table = "proof_notes"

    result = tenantry(Target(url, address.anon_key, address.service_role_key), "prove")

    assert result.exit_code == 2
    assert f"The project is overloaded: {url}/rest/v1/proof_notes answered 504" in result.output
    assert "remains" not in result.output
    assert (hosted.users, len(hosted.emails) > 10) == (set(), True)
    left = environment.sql.execute(
        "select from public.tenants where display_name like %s",
        (f"%process {os.getpid()} since%",),
    )
    assert left.rowcount == 0


def test_project_that_keeps_accounts_is_refused_before_more_are_made(
    hosted: Hosted, url: str, address: Address
) -> None:
    hosted.deletes_accounts = False

    result = tenantry(Target(url, address.anon_key, address.service_role_key), "prove")

    assert result.exit_code == 2
    (email,) = hosted.emails
    assert "Auth cannot remove an account again (status 500" in result.output
    assert f"The account {email} remains. Delete it by hand" in result.output


def test_no_user_is_created_if_the_database_does_not_answer(
    hosted: Hosted, url: str, address: Address
) -> None:
    closed = "postgresql://postgres@127.0.0.1:9/postgres"
    target = Target(url, address.anon_key, address.service_role_key, db_url=closed)

    result = tenantry(target, "prove")

    assert result.exit_code == 2
    assert "The database at 127.0.0.1:9, given as" in result.output
    assert "does not answer, because no server listens there" in result.output
    assert hosted.emails == set()
