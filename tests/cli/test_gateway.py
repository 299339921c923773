"""The gateway answers as a Supabase project does, and no client keeps it from the others."""

import asyncio
import gzip
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPResponse
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest
import requests
from aiohttp import web

from tenantry_cli.configuration import AuthSettings
from tenantry_cli.emulator.gateway import Components, create_app
from tenantry_cli.emulator.keys import load_keys
from tenantry_cli.emulator.paths import ABSENT_SENTENCE
from tenantry_cli.emulator.stack import Stack

# Nothing listens there.
CLOSED = "http://127.0.0.1:9"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64)"


def get(url: str, **headers: str) -> requests.Response:
    return requests.get(url, headers={"Connection": "close", **headers}, timeout=30)


def test_api_key_of_either_format_gives_its_role(small_stack: Stack) -> None:
    stack = small_stack
    notes, mine = f"{stack.api_url}/rest/v1/notes", f"{stack.api_url}/rest/v1/rpc/my_role"
    roles = {
        stack.anon_key: "anon",
        stack.publishable_key: "anon",
        stack.service_role_key: "service_role",
        stack.secret_key: "service_role",
    }
    assert stack.publishable_key.startswith("sb_publishable_")
    assert stack.secret_key.startswith("sb_secret_")
    for key, role in roles.items():
        assert get(mine, apikey=key).json() == role
        # Client libraries send the key as the token, too.
        assert get(mine, apikey=key, Authorization=f"Bearer {key}").json() == role
        # PostgREST would take the parameter for a filter.
        assert get(f"{mine}?apikey={key}").json() == role
    assert get(f"{notes}?id=gt.0&apikey={stack.publishable_key}").json() == []

    missing, forged = get(notes), get(notes, apikey="sb_secret_0123456789")
    assert (missing.status_code, missing.json()["message"]) == (
        401,
        "No API key found in request",
    )
    assert (forged.status_code, forged.json()["message"]) == (401, "Invalid API key")
    assert get(notes, apikey="forged").status_code == 401


def test_token_takes_precedence_over_the_api_key(small_stack: Stack) -> None:
    stack = small_stack
    mine = f"{stack.api_url}/rest/v1/rpc/my_role"
    user = sign_up(stack, "precedence@example.com")["access_token"]
    for key in (stack.anon_key, stack.publishable_key, stack.secret_key):
        assert get(mine, apikey=key, Authorization=f"Bearer {user}").json() == "authenticated"
        assert get(mine, apikey=key, Authorization="Bearer forged").status_code == 401
    # As with `supabase start`, a token is enough. A key is no token.
    assert get(mine, Authorization=f"Bearer {user}").json() == "authenticated"
    assert get(mine, Authorization=f"Bearer {stack.secret_key}").status_code == 401
    # A key is no token: another key than that of the request counts for nothing.
    other = {"apikey": stack.publishable_key, "Authorization": f"Bearer {stack.secret_key}"}
    assert get(mine, **other).status_code == 401


def test_secret_key_is_refused_to_a_browser(small_stack: Stack) -> None:
    mine = f"{small_stack.api_url}/rest/v1/rpc/my_role"
    refused = get(mine, apikey=small_stack.secret_key, **{"User-Agent": BROWSER})
    assert (refused.status_code, refused.json()["message"]) == (
        401,
        "Forbidden use of secret API key in browser",
    )
    public = get(mine, apikey=small_stack.publishable_key, **{"User-Agent": BROWSER})
    assert public.json() == "anon"


def sign_up(stack: Stack, email: str) -> dict[str, Any]:
    reply = requests.post(
        f"{stack.api_url}/auth/v1/signup",
        json={"email": email, "password": "correct horse"},
        headers={"apikey": stack.publishable_key, "Connection": "close"},
        timeout=30,
    )
    session: dict[str, Any] = reply.json()
    return session


def test_preflight_of_the_data_api_and_auth_is_answered(small_stack: Stack) -> None:
    for path in ("/rest/v1/notes", "/auth/v1/signup", "/auth/v1/admin/users"):
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


def test_compressed_body_is_forwarded_as_it_was_sent(small_stack: Stack) -> None:
    body = gzip.compress(b"{}")
    reply = requests.post(
        f"{small_stack.functions_url}/first-group/body",
        data=body,
        headers={"Content-Encoding": "gzip", "Connection": "close"},
        timeout=30,
    )
    assert reply.json() == {"body": body.hex()}


def test_head_and_empty_replies_are_forwarded(small_stack: Stack) -> None:
    notes = f"{small_stack.api_url}/rest/v1/notes"
    headers = {"apikey": small_stack.anon_key, "Connection": "close", "Prefer": "count=exact"}
    counted = requests.head(notes, headers=headers, timeout=30)
    assert (counted.status_code, counted.headers["Content-Range"]) == (200, "*/0")
    assert counted.content == b""


def answer(folder: Path, path: str) -> tuple[int, Any]:
    """The answer of a gateway whose components do not run."""

    async def ask() -> tuple[int, Any]:
        keys = load_keys(folder)
        closed = Components(CLOSED, CLOSED, CLOSED)
        app = await create_app(
            *(closed, keys, CLOSED, CLOSED, "postgresql://127.0.0.1:9/", "ES256"),
            AuthSettings(),
        )
        headers = {"apikey": keys.publishable_key, "X-Request-Id": "order-66"}
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}{path}"
            reply = await asyncio.to_thread(get, url, **headers)
        finally:
            await runner.cleanup()
        assert reply.headers["X-Request-Id"] == "order-66"
        return reply.status_code, reply.json()

    return asyncio.run(ask())


def error(code: str, message: str, hint: str | None = None) -> dict[str, str | None]:
    members = {"code": code, "message": message, "hint": hint, "details": None}
    return {**members, "error": message, "request_id": "order-66"}


def test_component_that_is_down_is_named_in_json(tmp_path: Path) -> None:
    for component, path in (("rest", "notes"), ("auth", "user"), ("functions", "group")):
        message = f"The component behind /{component}/v1 is down."
        expected = 502, error("upstream_error", message)
        assert answer(tmp_path, f"/{component}/v1/{path}") == expected


def test_paths_that_the_emulator_does_not_have_say_so(tmp_path: Path) -> None:
    absent = {
        "/realtime/v1/websocket": "Realtime",
        "/storage/v1/object/avatars/ada.png": "Storage",
        "/graphql/v1": "GraphQL",
    }
    for path, name in absent.items():
        message = f"There is no {name} here. {ABSENT_SENTENCE}"
        assert answer(tmp_path, path) == (501, error("not_in_emulator", message))
    hint = "Use a path below /rest/v1/, /auth/v1/ or /functions/v1/."
    unknown = error("not_found", "There is no such path.", hint)
    assert answer(tmp_path, "/nowhere/v1") == (404, unknown)


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


@contextmanager
def clients(port: int, sent: bytes, count: int, *, closes: bool = False) -> Iterator[None]:
    """Clients that send this and nothing more, and read nothing."""
    with ExitStack() as open_clients:
        for _ in range(count):
            client = open_clients.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            client.sendall(sent)
            if closes:
                client.close()
        yield


def test_no_client_keeps_the_gateway_from_the_others(small_stack: Stack) -> None:
    stack, port = small_stack, small_stack.ports.gateway
    key = f"Host: 127.0.0.1\r\napikey: {stack.anon_key}\r\n"
    cut_off = "POST {} HTTP/1.1\r\n" + key + "Content-Length: 100000\r\n\r\n{{"
    chunked = "POST {} HTTP/1.1\r\n" + key + "Transfer-Encoding: chunked\r\n\r\n5\r\nab"
    paths = ("/functions/v1/first-group/x", "/rest/v1/notes", "/auth/v1/token")
    with ExitStack() as misbehaving:
        for path in paths:
            for text in (cut_off, chunked):
                request = text.format(path).encode()
                misbehaving.enter_context(clients(port, request, 40))
                misbehaving.enter_context(clients(port, request, 10, closes=True))
        # No request at all, half a header, and requests whose reply nobody reads.
        misbehaving.enter_context(clients(port, b"", 150))
        misbehaving.enter_context(clients(port, b"GET /rest/v1/notes HT", 150))
        unread = f"GET /functions/v1/first-group/long HTTP/1.1\r\n{key}\r\n".encode()
        misbehaving.enter_context(clients(port, unread, 40))

        notes = requests.get(
            f"{stack.api_url}/rest/v1/notes",
            headers={"apikey": stack.anon_key, "Connection": "close"},
            timeout=10,
        )
        group = requests.get(
            f"{stack.functions_url}/second-group/notes",
            headers={"Connection": "close"},
            timeout=10,
        )
        session = sign_up(stack, "undisturbed@example.com")
    assert notes.json() == []
    assert group.json() == {"notes": []}
    assert session["user"]["email"] == "undisturbed@example.com"


def exchange(port: int, request: bytes) -> tuple[HTTPResponse, bytes]:
    """The reply to bytes that no client library would send, and its content."""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(request)
        reply = HTTPResponse(client)
        reply.begin()
        return reply, reply.read()


def test_body_that_is_too_large_is_refused_before_it_is_read(small_stack: Stack) -> None:
    reply, content = exchange(
        small_stack.ports.gateway,
        b"POST /functions/v1/first-group/x HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Length: 60000000\r\n\r\n",
    )
    refusal = json.loads(content)
    assert (reply.status, refusal["code"]) == (413, "payload_too_large")
    assert "50 MB" in refusal["message"]


@pytest.mark.parametrize(
    ("request_line", "more", "status", "code"),
    [
        ("no HTTP", "", 400, "invalid_http"),
        ("FETCH /rest/v1/notes HTTP/1.1", "", 400, "invalid_http"),
        ("GET /rest/v1/notes HTTP/9.9", "", 400, "invalid_http"),
        ("GET /rest/v1/notes HTTP/1.1", "no header\r\n", 400, "invalid_http"),
        ("GET /rest/v1/notes HTTP/1.1", f"X-Long: {'a' * 140_000}\r\n", 400, "invalid_http"),
        (f"GET /{'a' * 140_000} HTTP/1.1", "", 400, "invalid_http"),
        ("GET /rest/v1/notes HTTP/1.1", "Content-Length: -1\r\n", 400, "invalid_http"),
        ("GET /rest/v1/notes HTTP/1.1", "Expect: a reply\r\n", 417, "expectation_failed"),
        ("CONNECT 127.0.0.1:9 HTTP/1.1", "", 404, "not_found"),
        ("OPTIONS * HTTP/1.1", "", 404, "not_found"),
        ("PURGE /auth/v1/user HTTP/1.1", "", 401, None),
        ("PURGE /functions/v1/ HTTP/1.1", "", 404, "operation_not_found"),
        ("GET /functions/v1/docs/nope HTTP/1.1", "", 404, "not_found"),
    ],
)
def test_every_refusal_is_json(
    small_stack: Stack, request_line: str, more: str, status: int, code: str | None
) -> None:
    reply, content = exchange(
        small_stack.ports.gateway,
        f"{request_line}\r\nHost: 127.0.0.1\r\n{more}\r\n".encode(),
    )

    assert (reply.status, reply.headers["Content-Type"]) == (status, "application/json")
    refusal = json.loads(content)
    assert (refusal.get("code"), "\n" in refusal["message"]) == (code, False)


def test_body_is_sent_after_the_gateway_expects_it(small_stack: Stack) -> None:
    body = b'{"email": "expected@example.com", "password": "correct horse"}'
    with socket.create_connection(("127.0.0.1", small_stack.ports.gateway), 10) as client:
        client.sendall(
            b"POST /auth/v1/signup HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\n"
            b"Content-Type: application/json\r\n"
            b"apikey: %s\r\nContent-Length: %d\r\n\r\n"
            % (small_stack.anon_key.encode(), len(body))
        )
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        reply = HTTPResponse(client)
        reply.begin()
        session = json.loads(reply.read())
    assert session["user"]["email"] == "expected@example.com"


def test_long_addresses_and_headers_reach_the_data_api(small_stack: Stack) -> None:
    notes, key = f"{small_stack.api_url}/rest/v1/notes", small_stack.publishable_key
    # Many ids in a filter. PostgREST repeats the address in a header of its reply.
    listed = get(f"{notes}?id=in.({','.join(map(str, range(10_000, 12_500)))})", apikey=key)
    assert len(listed.url) > 12_000
    assert (listed.status_code, listed.json()) == (200, [])
    # The token of a user with much metadata.
    assert get(f"{notes}?id=gt.0", apikey=key, **{"X-Long": "a" * 30_000}).ok

    refused = get(f"{notes}?id=in.({','.join(map(str, range(10_000, 13_000)))})", apikey=key)
    assert (refused.status_code, refused.json()["code"]) == (414, "uri_too_long")


def test_body_that_is_not_what_its_headers_say_is_refused_in_json(small_stack: Stack) -> None:
    for path in ("/rest/v1/rpc/my_role", "/auth/v1/signup", "/functions/v1/nope"):
        reply = requests.post(
            small_stack.api_url + path,
            data=b"{}",
            headers={
                "apikey": small_stack.publishable_key,
                "Content-Encoding": "gzip",
                "Content-Type": "application/json",
                "Connection": "close",
            },
            timeout=30,
        )
        assert reply.status_code < 500
        reply.json()


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
