"""The gateway answers as a Supabase project does."""

from threading import Thread

import psutil
import requests
from werkzeug.test import Client

from tenantry_cli.emulator.gateway import create_app
from tenantry_cli.emulator.stack import Stack

# Nothing listens there.
CLOSED = "http://127.0.0.1:9"


def get(url: str, **headers: str) -> requests.Response:
    return requests.get(url, headers={"Connection": "close", **headers}, timeout=30)


def test_api_key_without_a_token_gives_its_role(small_stack: Stack) -> None:
    notes = f"{small_stack.api_url}/rest/v1/notes"
    assert get(notes, apikey=small_stack.anon_key).json() == []
    assert get(notes, apikey="forged").status_code == 401


def test_token_takes_precedence_over_the_api_key(small_stack: Stack) -> None:
    notes = f"{small_stack.api_url}/rest/v1/notes"
    reply = get(notes, apikey=small_stack.anon_key, Authorization="Bearer forged")
    assert reply.status_code == 401


def test_preflight_of_the_data_api_and_auth_is_answered(small_stack: Stack) -> None:
    for path in ("/rest/v1/notes", "/auth/v1/signup"):
        reply = requests.options(
            small_stack.api_url + path,
            headers={
                "Origin": "https://app.example.com",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "apikey,authorization",
                "Connection": "close",
            },
            timeout=30,
        )
        assert reply.ok
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        assert reply.headers["Access-Control-Allow-Headers"] == "apikey,authorization"


def test_chunked_body_is_forwarded(small_stack: Stack) -> None:
    reply = requests.post(
        f"{small_stack.api_url}/auth/v1/signup",
        data=iter([b'{"email": "chunked@example.com",', b'"password": "correct horse"}']),
        headers={
            "apikey": small_stack.anon_key,
            "Content-Type": "application/json",
            "Connection": "close",
        },
        timeout=30,
    )
    assert reply.json()["user"]["email"] == "chunked@example.com"


def test_component_that_is_down_is_named_in_json() -> None:
    gateway = Client(create_app(CLOSED, CLOSED, CLOSED))
    reply = gateway.get("/rest/v1/notes")
    assert reply.status_code == 502
    assert reply.json == {
        "code": "upstream_error",
        "message": "The component behind /rest/v1 is down.",
    }


def test_unknown_path_is_not_found_in_json() -> None:
    reply = Client(create_app(CLOSED, CLOSED, None)).get("/storage/v1/object")
    assert reply.status_code == 404
    assert reply.json is not None
    assert reply.json["code"] == "not_found"


def test_more_calls_than_threads_are_all_answered(small_stack: Stack) -> None:
    """Functions call the Data API while other calls wait for functions."""
    url = f"{small_stack.functions_url}/second-group/notes"
    replies: list[object] = []
    calls = [Thread(target=lambda: replies.append(get(url).json())) for _ in range(100)]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert replies == [{"notes": []}] * 100


def test_components_listen_on_loopback_only(small_stack: Stack) -> None:
    components = [psutil.Process(child.pid) for child in small_stack.children]
    listening = {
        connection.laddr.ip
        for component in components
        for process in (component, *component.children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
