"""The index of the groups of functions, and the answers to unknown paths."""

from pathlib import Path

import pytest
import requests
from werkzeug.test import Client

from tenantry_cli.emulator.functions import create_app
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
