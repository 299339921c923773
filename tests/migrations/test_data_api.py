"""The operator's commands when the Data API does not answer as expected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import responses
from click.testing import CliRunner
from responses.matchers import json_params_matcher
from tenacity import stop_after_attempt, wait_none

from tenantry_cli import data_api, roll_out
from tenantry_cli.data_api import DataApi, RefusedError, UnansweredError
from tenantry_cli.main import main

URL = "https://project.example"
RPC = f"{URL}/rest/v1/rpc"
KEY = "sb_secret_never_shown"
STATUS = {"latest_version": "2", "pooled_behind": 0, "stuck": 0}
BEHIND = {"schema_version": "1", "next_version": "2", "pending": 1, "is_pooled": False}
REAL_RETRY = data_api._RETRY


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four attempts without pauses."""
    retry = data_api._RETRY.copy(stop=stop_after_attempt(4), wait=wait_none())
    monkeypatch.setattr(data_api, "_RETRY", retry)


@pytest.fixture
def upstream() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as upstream:
        yield upstream


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_call_is_repeated_until_there_is_an_answer(
    upstream: responses.RequestsMock, status: int
) -> None:
    upstream.post(f"{RPC}/get_migration_status", status=status, body="<html>")
    upstream.post(f"{RPC}/get_migration_status", body=requests.ConnectionError("reset"))
    upstream.post(f"{RPC}/get_migration_status", json={"behind": 0})

    assert DataApi(URL, KEY).call("get_migration_status") == {"behind": 0}


def test_call_fails_after_the_last_attempt(upstream: responses.RequestsMock) -> None:
    answer = upstream.post(f"{RPC}/get_migration_status", status=503)
    with pytest.raises(UnansweredError):
        DataApi(URL, KEY).call("get_migration_status")
    assert answer.call_count == 4


def test_attempts_cover_about_a_minute(upstream: responses.RequestsMock) -> None:
    """A database restarts in that time."""
    pauses: list[float] = []
    answer = upstream.post(f"{RPC}/get_migration_status", status=503)

    REAL_RETRY.copy(sleep=pauses.append)(
        requests.post, f"{RPC}/get_migration_status", timeout=1
    )

    assert answer.call_count == len(pauses) + 1 == 12
    assert 55 < sum(pauses) < 67
    assert max(pauses) < 10


def test_refusal_is_not_repeated(upstream: responses.RequestsMock) -> None:
    refusal = {"code": "42501", "details": "forbidden", "message": "Not you."}
    answer = upstream.post(f"{RPC}/get_migration_status", status=403, json=refusal)
    with pytest.raises(RefusedError, match="Not you"):
        DataApi(URL, KEY).call("get_migration_status")
    assert answer.call_count == 1


def test_secret_key_is_no_token_and_a_jwt_is(upstream: responses.RequestsMock) -> None:
    upstream.post(f"{RPC}/get_migration_status", json={})
    for key in (KEY, "ey.a.jwt"):
        DataApi(URL, key).call("get_migration_status")

    first, second = (call.request.headers for call in upstream.calls)
    assert (first["apikey"], "Authorization" in first) == (KEY, False)
    assert second["Authorization"] == "Bearer ey.a.jwt"


def test_busy_tenant_fails_and_the_others_are_migrated(
    upstream: responses.RequestsMock,
) -> None:
    status = STATUS | {"tenant_count": 2, "behind": 2}
    tenant = BEHIND | {"sqlstate": None}
    upstream.post(f"{RPC}/get_migration_status", json=status)
    upstream.post(
        f"{RPC}/list_tenants_behind",
        json=[tenant | {"schema_name": "acme"}, tenant | {"schema_name": "bolt"}],
    )
    upstream.post(f"{RPC}/list_tenants_behind", json=[])

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        if json.loads(request.body or "")["schema_name"] == "acme":
            busy = {"code": "PT429", "details": "busy", "message": "Somebody else."}
            return 429, {}, json.dumps(busy)
        return 200, {}, json.dumps({"outcome": "migrated", "version": "2", "pending": 0})

    upstream.add_callback("POST", f"{RPC}/migrate_tenant", answer)

    done = CliRunner().invoke(
        main, ["migrate", "--json", "--url", URL, "--service-key", KEY], catch_exceptions=False
    )

    report = json.loads(done.stdout)
    assert done.exit_code == 1
    assert report["migrated"] == ["bolt"]
    assert [(f["schema_name"], f["sqlstate"]) for f in report["failed"]] == [("acme", "busy")]
    assert KEY not in done.output


def test_run_waits_while_others_keep_the_data_api_from_serving(
    upstream: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roll_out, "_PAUSE_SECONDS", 0)
    upstream.post(f"{RPC}/get_migration_status", json=STATUS | {"tenant_count": 1, "behind": 1})
    upstream.post(
        f"{RPC}/list_tenants_behind", json=[BEHIND | {"schema_name": "acme", "sqlstate": None}]
    )
    upstream.post(f"{RPC}/list_tenants_behind", json=[])
    # More than the attempts of one call.
    for _ in range(10):
        upstream.post(f"{RPC}/migrate_tenant", status=503, json={"message": "No cache."})
    done = {"outcome": "migrated", "version": "2", "pending": 0, "rows_done": None}
    upstream.post(f"{RPC}/migrate_tenant", json=done)

    ended = CliRunner().invoke(main, ["migrate", "--url", URL, "--service-key", KEY])

    assert ended.exit_code == 0, ended.output
    assert "1 tenant is now at 2" in ended.output
    assert "serves nobody (503)" in ended.output


def test_answer_without_json_is_reported_in_one_sentence(
    upstream: responses.RequestsMock,
) -> None:
    answer = upstream.post(f"{RPC}/get_migration_status", body="<html>Welcome</html>")

    done = CliRunner().invoke(main, ["migrate", "--url", URL, "--service-key", KEY])

    assert done.exit_code == 1
    assert "answered 200 with something other than JSON" in done.output
    assert answer.call_count == 1


@pytest.mark.parametrize(
    "body", ['{"code": null, "message": null}', "[" * 100_000, '"text"', "<html>"]
)
def test_unreadable_refusal_is_reported_by_its_status(
    upstream: responses.RequestsMock, body: str
) -> None:
    upstream.post(f"{RPC}/get_migration_status", status=401, body=body)

    done = CliRunner().invoke(main, ["migrate", "--url", URL, "--service-key", KEY])

    assert done.exit_code == 1
    assert f"{URL} refuses the service key (status 401)" in done.output


def test_permanent_error_is_reported_after_one_attempt(
    upstream: responses.RequestsMock,
) -> None:
    endless = upstream.post(f"{RPC}/get_migration_status", body=requests.TooManyRedirects("30"))

    done = CliRunner().invoke(main, ["migrate", "--url", URL, "--service-key", KEY])

    assert done.exit_code == 1
    assert f"{URL} does not answer: the connection failed (TooManyRedirects)" in done.output
    assert endless.call_count == 1


GONE = {
    "code": "PT404",
    "details": "tenant_not_found",
    "message": 'There is no tenant "acme".',
}


def drifting(*tenants: tuple[str, bool], has_more: bool = False) -> list[dict[str, Any]]:
    """A page of list_tenant_drift."""
    return [
        {
            "schema_name": name,
            "has_drift": has_drift,
            "has_more": has_more or name != tenants[-1][0],
        }
        for name, has_drift in tenants
    ]


def test_drift_asks_for_the_differences_of_differing_tenants_alone(
    upstream: responses.RequestsMock,
) -> None:
    pages = {
        None: drifting(("acme", False), ("bolt", True), has_more=True),
        "bolt": drifting(("cyan", False)),
    }

    def page(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        return 200, {}, json.dumps(pages[json.loads(request.body or "")["after_schema_name"]])

    difference = {"object_kind": "grant", "object_name": "x", "difference": "extra"}
    upstream.post(f"{RPC}/get_migration_status", json={"tenant_count": 3})
    upstream.add_callback("POST", f"{RPC}/list_tenant_drift", page)
    asked = upstream.post(
        f"{RPC}/get_schema_drift",
        json=[difference | {"expected": None, "found": "select", "repair": None}],
        match=[json_params_matcher({"schema_name": "bolt"}, strict_match=False)],
    )

    done = CliRunner().invoke(main, ["drift", "--url", URL, "--service-key", KEY])

    assert done.exit_code == 1, done.output
    assert "2 of 3 tenants" in done.output
    assert asked.call_count == 1


def test_drift_leaves_out_a_tenant_that_was_deleted_meanwhile(
    upstream: responses.RequestsMock,
) -> None:
    upstream.post(f"{RPC}/get_migration_status", json={"tenant_count": 2})
    upstream.post(f"{RPC}/list_tenant_drift", json=drifting(("acme", True), ("bolt", True)))

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        is_gone = json.loads(request.body or "")["schema_name"] == "acme"
        return (404, {}, json.dumps(GONE)) if is_gone else (200, {}, "[]")

    upstream.add_callback("POST", f"{RPC}/get_schema_drift", answer)

    done = CliRunner().invoke(main, ["drift", "--url", URL, "--service-key", KEY])

    assert done.exit_code == 0, done.output
    assert "1 of 1 tenants" in done.output


def test_drift_reads_every_page(upstream: responses.RequestsMock) -> None:
    names = [f"on table t{number:04} to anon" for number in range(2500)]

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        asked = json.loads(request.body or "")
        rest = [name for name in names if name > asked.get("after_object_name", "")]
        page = [
            {
                **{"object_kind": "grant", "object_name": name, "difference": "extra"},
                **{"expected": None, "found": "select"},
            }
            for name in rest[: asked["page_size"]]
        ]
        return (200, {}, json.dumps(page))

    upstream.add_callback("POST", f"{RPC}/get_schema_drift", answer)

    done = CliRunner().invoke(
        main, ["drift", "--tenant", "acme", "--json", "--url", URL, "--service-key", KEY]
    )

    assert done.exit_code == 1
    reported = json.loads(done.stdout)["acme"]
    assert [difference["object_name"] for difference in reported] == names


def test_drift_reports_that_a_named_tenant_is_missing(upstream: responses.RequestsMock) -> None:
    upstream.post(f"{RPC}/get_schema_drift", status=404, json=GONE)

    done = CliRunner().invoke(
        main, ["drift", "--tenant", "acme", "--url", URL, "--service-key", KEY]
    )

    assert done.exit_code == 1
    assert "There is no tenant" in done.output


def test_one_tenant_is_reported_in_the_singular(upstream: responses.RequestsMock) -> None:
    status = STATUS | {"tenant_count": 1, "behind": 1}
    tenant = BEHIND | {"schema_name": "acme"}
    failed = {"sqlstate": "42P07", "message": "there already"}
    upstream.post(f"{RPC}/get_migration_status", json=status)
    upstream.post(f"{RPC}/list_tenants_behind", json=[tenant | failed])
    upstream.post(f"{RPC}/list_tenants_behind", json=[])
    upstream.post(f"{RPC}/list_tenants_behind", json=[tenant | {"sqlstate": None}])
    upstream.post(f"{RPC}/list_tenants_behind", json=[])
    upstream.post(f"{RPC}/migrate_tenant", json={"outcome": "migrated", "pending": 0})

    left_out, migrated = (
        CliRunner().invoke(main, ["migrate", "--url", URL, "--service-key", KEY])
        for _ in range(2)
    )

    assert "1 tenant was left out" in left_out.output
    assert "1 tenant is now at 2 (1 migration in" in migrated.output


def test_tenants_of_the_pool_are_counted_apart(upstream: responses.RequestsMock) -> None:
    status = STATUS | {"tenant_count": 1, "behind": 1, "pooled_behind": 2}
    names = {"acme": False, "t_1": True, "t_2": True}
    behind = [
        BEHIND | {"schema_name": n, "is_pooled": p, "sqlstate": None} for n, p in names.items()
    ]
    upstream.post(f"{RPC}/get_migration_status", json=status)
    upstream.post(f"{RPC}/list_tenants_behind", json=behind)
    upstream.post(f"{RPC}/list_tenants_behind", json=[])
    upstream.post(f"{RPC}/migrate_tenant", json={"outcome": "migrated", "pending": 0})

    migrated = CliRunner().invoke(main, ["migrate", "--url", URL, "--service-key", KEY])

    assert "1 tenant and 2 of the pool are now at 2 (3 migrations in" in migrated.output


def test_migrate_fails_if_the_function_is_missing(
    upstream: responses.RequestsMock,
) -> None:
    status = STATUS | {"tenant_count": 1, "behind": 1}
    tenant = BEHIND | {"schema_name": "acme"}
    unknown = {"code": "PGRST202", "message": "Could not find the function in the schema cache"}
    upstream.post(f"{RPC}/get_migration_status", json=status)
    upstream.post(f"{RPC}/list_tenants_behind", json=[tenant | {"sqlstate": None}])
    upstream.post(f"{RPC}/list_tenants_behind", json=[])
    upstream.post(f"{RPC}/migrate_tenant", status=404, json=unknown)

    done = CliRunner().invoke(main, ["migrate", "--url", URL, "--service-key", KEY])

    assert done.exit_code == 1
    assert "Could not find the function" in done.output
    assert "is now at" not in done.output


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["migrate"], "Nothing to do: there is no tenant."),
        (["migrate", "--dry-run"], "No tenant would be migrated."),
        (["drift"], "There is no tenant to compare with the reference schema."),
    ],
)
def test_project_without_tenants_is_told_so(
    upstream: responses.RequestsMock, command: list[str], sentence: str
) -> None:
    upstream.assert_all_requests_are_fired = False
    status = STATUS | {"tenant_count": 0, "behind": 0}
    upstream.post(f"{RPC}/get_migration_status", json=status)
    upstream.post(f"{RPC}/list_tenant_drift", json=[])

    done = CliRunner().invoke(main, [*command, "--url", URL, "--service-key", KEY])

    assert (done.exit_code, done.output) == (0, f"{sentence}\n")


def test_migrate_does_not_count_a_tenant_that_was_deleted_meanwhile(
    upstream: responses.RequestsMock,
) -> None:
    status = STATUS | {"tenant_count": 1, "behind": 1}
    tenant = BEHIND | {"schema_name": "acme"}
    gone = {"code": "PT404", "details": "tenant_not_found", "message": "No tenant."}
    upstream.post(f"{RPC}/get_migration_status", json=status)
    for _ in range(2):
        upstream.post(f"{RPC}/list_tenants_behind", json=[tenant | {"sqlstate": None}])
        upstream.post(f"{RPC}/list_tenants_behind", json=[])
    upstream.post(f"{RPC}/migrate_tenant", status=404, json=gone)
    command = ["migrate", "--url", URL, "--service-key", KEY]

    text, as_json = (CliRunner().invoke(main, [*command, *more]) for more in ([], ["--json"]))

    assert (text.exit_code, as_json.exit_code) == (0, 0), text.output
    assert "No tenant was migrated to 2." in text.output
    assert "1 tenant was deleted in the meantime." in text.output
    report = json.loads(as_json.stdout)
    assert (report["migrated"], report["deleted"], report["not_started"]) == ([], ["acme"], [])


@pytest.mark.parametrize(
    "body", [{"message": "Invalid API key"}, {"code": "PGRST301", "message": "No key."}]
)
def test_refused_key_has_a_hint_about_the_key(
    upstream: responses.RequestsMock, body: dict[str, str]
) -> None:
    upstream.post(f"{RPC}/get_migration_status", status=401, json=body)

    done = CliRunner().invoke(main, ["migrate", "--url", URL, "--service-key", KEY])

    assert done.exit_code == 1
    assert f"{URL} refuses the service key ({body['message']})" in done.output
    assert "--service-key (or SUPABASE_SERVICE_ROLE_KEY)" in done.output
    assert KEY not in done.output


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"status": 404, "body": "<html>"}, "does not belong to a Supabase project"),
        (
            {"status": 301, "headers": {"Location": "https://new.example/"}},
            "redirects to https://new.example/",
        ),
        (
            {"status": 404, "json": {"code": "PGRST202", "message": "No function"}},
            "No function. Push the migrations of this version of Tenantry first.",
        ),
    ],
)
def test_address_without_tenantry_is_reported_in_one_sentence(
    upstream: responses.RequestsMock, answer: dict[str, Any], sentence: str
) -> None:
    upstream.post(f"{RPC}/get_migration_status", **answer)

    done = CliRunner().invoke(main, ["migrate", "--url", URL, "--service-key", KEY])

    assert done.exit_code == 1
    assert sentence in done.output
    assert done.output.count("\n") == 1


def test_wrong_address_is_reported_at_once(upstream: responses.RequestsMock) -> None:
    silent = upstream.post(f"{RPC}/get_migration_status", body=requests.ConnectionError("-"))

    done = CliRunner().invoke(main, ["migrate", "--url", URL, "--service-key", KEY])

    assert (done.exit_code, silent.call_count) == (1, 1)
    assert f"{URL} does not answer" in done.output
