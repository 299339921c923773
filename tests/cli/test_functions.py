"""The index of the groups of functions, and the answers to unknown paths."""

import signal
from pathlib import Path

import pytest
import requests
from werkzeug.test import Client

from support.environment import GROUPS, Environment
from support.trial import Trial
from support.waiting import until
from tenantry_cli.emulator.functions import create_app
from tenantry_cli.emulator.paths import DEFAULT_FUNCTIONS
from tenantry_cli.emulator.stack import Stack

MEMBERS = {"code", "message", "hint", "error", "request_id"}


def call(stack: Stack, method: str, path: str, **headers: str) -> requests.Response:
    url = f"{stack.functions_url}/{path}"
    return requests.request(method, url, headers={"Connection": "close", **headers}, timeout=30)


def test_index_lists_the_groups(small_stack: Stack) -> None:
    reply = call(small_stack, "GET", "")
    assert reply.status_code == 200
    assert reply.json() == {
        "groups": ["/functions/v1/first-group", "/functions/v1/second-group"]
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", ""),
        ("GET", "nope"),
        ("POST", "nope/operation"),
        ("POST", "/first-group/operation"),
        ("POST", "first-groups/operation"),
    ],
)
def test_unknown_path_is_refused_in_the_format_of_a_group(
    small_stack: Stack, method: str, path: str
) -> None:
    reply = call(small_stack, method, path, **{"X-Request-Id": "order-66"})
    assert (reply.status_code, reply.json()["code"]) == (404, "operation_not_found")
    assert reply.json().keys() == MEMBERS
    assert "/functions/v1/first-group" in reply.json()["message"]
    assert reply.json()["error"] == reply.json()["message"]
    assert reply.json()["request_id"] == reply.headers["X-Request-Id"] == "order-66"


def test_browser_can_read_that_a_group_is_unknown(small_stack: Stack) -> None:
    origin = {"Origin": "https://app.example.com"}
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    preflight = call(small_stack, "OPTIONS", "nope/operation", **origin, **asked)
    refused = call(small_stack, "POST", "nope/operation", **origin)

    assert (preflight.status_code, preflight.content) == (204, b"")
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert preflight.headers["Access-Control-Allow-Headers"] == "authorization, content-type"
    assert refused.status_code == 404
    for reply in (preflight, refused):
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        assert reply.headers["Access-Control-Expose-Headers"] == "X-Request-Id"


def test_invalid_request_id_is_replaced(small_stack: Stack) -> None:
    replies = [call(small_stack, "GET", "nope", **{"X-Request-Id": "a b"}) for _ in range(2)]
    first, second = (reply.headers["X-Request-Id"] for reply in replies)
    assert len({"a b", first, second}) == 3
    assert replies[0].json()["request_id"] == first


def test_project_without_functions_answers_with_a_hint(tmp_path: Path) -> None:
    app = create_app(tmp_path / "main.py", tmp_path, tmp_path)
    reply = Client(app).get("/functions/v1/first-group")
    assert reply.status_code == 503
    assert reply.json is not None
    assert reply.json.keys() == MEMBERS
    assert reply.json["message"] == "There are no functions: functions/main.py is missing."
    assert reply.json["hint"]


def test_functions_are_served_for_any_project(environment: Environment, trial: Trial) -> None:
    # The project has none of its own, so Tenantry's are served.
    (trial.project.functions / "main.py").unlink()
    options = ("--url", environment.address.api_url, "--anon-key", environment.address.anon_key)
    person = environment.person()
    served = trial.begin("functions", *options, "--port", str(trial.port))
    output = trial.read_until(served, "The documentation is at")
    url = output.split()[0]
    assert url == f"http://127.0.0.1:{trial.port}/functions/v1"
    until(lambda: answers(url))

    reply = requests.post(
        f"{url}/tenant-status/list_my_tenants",
        headers=environment.headers(person),
        json={},
        timeout=30,
    )
    assert (reply.status_code, reply.json()) == (200, [])
    groups = requests.get(f"{url}/", timeout=30).json()["groups"]
    assert {path.rpartition("/")[2] for path in groups} == {*GROUPS.values()} | {
        "console",
        "openapi",
    }
    page = requests.get(f"{url}/docs", timeout=30)
    assert environment.address.api_url in page.headers["Content-Security-Policy"]
    assert requests.get(f"{url}/openapi.json", timeout=30).json()["openapi"]
    served.send_signal(signal.SIGINT)
    served.communicate(timeout=30)
    assert served.returncode == 0


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/", timeout=5).ok
    except requests.ConnectionError:
        return False


def test_one_group_is_served_alone(environment: Environment, trial: Trial) -> None:
    options = ("--url", environment.address.api_url, "--anon-key", environment.address.anon_key)
    port = ("--port", str(trial.port))
    served = trial.begin("functions", *options, *port, "--target", "second-group")
    url = f"http://127.0.0.1:{trial.port}/functions/v1"
    until(lambda: answers(url))
    assert requests.get(f"{url}/", timeout=30).json()["groups"] == [
        "/functions/v1/second-group"
    ]
    assert requests.get(f"{url}/first-group", timeout=30).status_code == 404
    served.send_signal(signal.SIGINT)
    served.communicate(timeout=30)

    unknown = trial.tenantry("functions", *options, *port, "--target", "third")
    assert unknown.returncode == 1
    assert "There is no target third; the targets are first_group, second_group." in (
        unknown.stderr
    )
    without_url = trial.tenantry("functions", *port)
    assert without_url.returncode == 1
    assert "tenantry up" in without_url.stderr


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "import os\nos.environ['NO_SUCH_SETTING']\n__all__ = []\n",
            "cannot be loaded: KeyError('NO_SUCH_SETTING').",
        ),
        (
            "def mine(request):\n    return {}\n",
            f"lines to it: {'; '.join(DEFAULT_FUNCTIONS.read_text().splitlines())}",
        ),
    ],
)
def test_functions_that_cannot_be_loaded_answer_with_the_reason(
    tmp_path: Path, text: str, reason: str
) -> None:
    source = tmp_path / "main.py"
    source.write_text(text)
    reply = Client(create_app(source, tmp_path, tmp_path)).get("/functions/v1/first-group")
    assert reply.status_code == 503
    assert reply.json is not None
    assert reply.json["message"].endswith(reason)
