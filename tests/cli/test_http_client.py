"""The HTTP client of the operator's commands: proxies, headers, threads and retries."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests
import responses
from tenacity.wait import wait_none
from werkzeug.wrappers import Response

from support.hosted import serving
from tenantry_cli.http_client import (
    HttpClient,
    is_loopback,
    is_passing,
    retrying,
    unanswered,
)

URL = "https://project.example/rest/v1/rpc/get_migration_status"
# Nothing listens there.
DEAD_PROXY = "http://127.0.0.1:9"
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy")


@pytest.fixture
def dead_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """All proxy variables name a proxy that does not answer."""
    for variable in PROXY_VARIABLES:
        monkeypatch.setenv(variable, DEAD_PROXY)
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def http() -> Iterator[HttpClient]:
    with HttpClient(timeout=10) as http:
        yield http


@pytest.fixture
def upstream() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as upstream:
        yield upstream


def requests_of(http: HttpClient) -> tuple[Callable[[str], requests.Response], ...]:
    """The ways to send a GET request."""
    return (
        lambda url: http.request("GET", url),
        lambda url: http.send_exactly("GET", url, (), None),
    )


@contextmanager
def listening() -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers one request with 200: its address, and what it received."""
    received: list[bytes] = []

    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            while b"\r\n\r\n" not in b"".join(received):
                received.append(connection.recv(65536))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}", received
        thread.join()


@pytest.mark.usefixtures("dead_proxy")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_request_to_this_machine_ignores_proxy_variables(http: HttpClient, host: str) -> None:
    for send in requests_of(http):
        with listening() as (address, received):
            assert send(f"http://{address.replace('127.0.0.1', host)}/").ok
        assert received[0].startswith(b"GET / HTTP/1.1")


@pytest.mark.usefixtures("dead_proxy")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_request_to_another_machine_uses_the_proxy(http: HttpClient, scheme: str) -> None:
    for send in requests_of(http):
        with pytest.raises(requests.exceptions.ProxyError):
            send(f"{scheme}://project.example/")


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "socks5h://127.0.0.1:9"])
def test_socks_proxy_that_does_not_work_is_named(
    http: HttpClient, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    for variable in (*PROXY_VARIABLES, "NO_PROXY", "no_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("ALL_PROXY", proxy)

    with pytest.raises(requests.RequestException) as failed:
        http.request("GET", "http://project.example/")

    sentence = unanswered("http://project.example/", failed.value)
    assert "the proxy refuses the connection" in sentence
    assert "ALL_PROXY" in sentence


def test_proxy_receives_the_request_to_another_machine(
    http: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as (address, received):
        monkeypatch.setenv("http_proxy", f"http://{address}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert http.request("GET", "http://project.example/rest/v1/").ok

    assert received[0].startswith(b"GET http://project.example/rest/v1/ HTTP/1.1")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:54321/rest/v1", True),
        ("http://127.8.8.8", True),
        ("http://localhost:54321", True),
        ("http://api.localhost", True),
        ("http://[::1]:54321", True),
        ("https://project.supabase.co", False),
        ("http://127.0.0.1.example.com", False),
        ("http://localhost.example.com", False),
        ("http://10.0.0.1", False),
        ("http://[2001:db8::1]", False),
    ],
)
def test_loopback_urls_name_this_machine(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected


def test_headers_of_one_name_are_sent_in_their_order(http: HttpClient) -> None:
    headers = (
        ("Accept-Profile", "first"),
        ("apikey", "key"),
        ("Accept-Profile", "second"),
    )
    with listening() as (address, received):
        reply = http.send_exactly("POST", f"http://{address}/notes?id=eq.1", headers, b"{}")

    lines = b"".join(received).decode().split("\r\n")
    assert reply.text == "[]"
    assert lines[0] == "POST /notes?id=eq.1 HTTP/1.1"
    assert [line for line in lines if line.startswith("Accept-Profile")] == [
        "Accept-Profile: first",
        "Accept-Profile: second",
    ]
    assert "apikey: key" in lines
    assert "Content-Length: 2" in lines


def test_redirect_is_not_followed_by_send_exactly(
    http: HttpClient, upstream: responses.RequestsMock
) -> None:
    upstream.get(URL, status=302, headers={"Location": "https://project.example/elsewhere"})

    assert http.send_exactly("GET", URL, (), None).status_code == 302


def test_threads_have_their_own_sessions(http: HttpClient) -> None:
    start = threading.Barrier(4)

    def session(_: int) -> int:
        start.wait()
        assert http._session is http._session
        return id(http._session)

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(session, range(4)))) == 4


def test_request_is_repeated_after_listed_statuses_and_errors(
    http: HttpClient, upstream: responses.RequestsMock
) -> None:
    retry = retrying(4, statuses={503}, errors=(requests.ConnectionError,), wait=wait_none())
    upstream.post(URL, status=503)
    upstream.post(URL, body=requests.ConnectionError("reset"))
    upstream.post(URL, json={"behind": 0})

    assert retry(http.request, "POST", URL).json() == {"behind": 0}


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 409, 429, 500, 502])
def test_request_is_not_repeated_after_another_status(
    http: HttpClient, upstream: responses.RequestsMock, status: int
) -> None:
    # A refusal with Retry-After is still a refusal.
    answer = upstream.post(URL, status=status, headers={"Retry-After": "1"})

    assert retrying(4, statuses={503})(http.request, "POST", URL).status_code == status
    assert answer.call_count == 1


def test_request_is_not_repeated_after_another_error(
    http: HttpClient, upstream: responses.RequestsMock
) -> None:
    answer = upstream.post(URL, body=requests.TooManyRedirects("30"))

    with pytest.raises(requests.TooManyRedirects):
        retrying(4, errors=(requests.ConnectionError,))(http.request, "POST", URL)
    assert answer.call_count == 1


def test_last_attempt_decides(http: HttpClient, upstream: responses.RequestsMock) -> None:
    refused = upstream.post(URL, status=503)
    reset = upstream.get(URL, body=requests.ConnectionError("reset"))

    assert retrying(3, statuses={503})(http.request, "POST", URL).status_code == 503
    with pytest.raises(requests.ConnectionError, match="reset"):
        retrying(3, errors=(requests.ConnectionError,))(http.request, "GET", URL)
    assert (refused.call_count, reset.call_count) == (3, 3)


def test_redirect_is_not_followed(http: HttpClient, upstream: responses.RequestsMock) -> None:
    elsewhere = {"Location": "https://elsewhere.example/"}
    upstream.get(URL, status=307, headers=elsewhere)

    assert [send(URL).status_code for send in requests_of(http)] == [307, 307]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (
            "http://127.0.0.1:9/rest/v1/",
            "no server listens there. Check the address and the port",
        ),
        ("http://project.invalid/", "the host name does not exist. Check the address"),
    ],
)
def test_missing_answer_is_one_sentence(
    http: HttpClient, monkeypatch: pytest.MonkeyPatch, url: str, reason: str
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(requests.RequestException) as failure:
        http.request("GET", url)

    sentence = unanswered(url, failure.value)
    assert sentence.startswith(f"{url.split('/', 3)[0]}//{url.split('/')[2]} does not answer: ")
    assert reason in sentence
    assert is_passing(failure.value) is ("127.0.0.1" in url)


def test_slow_server_and_server_without_tls_are_named() -> None:
    with HttpClient(timeout=0.2) as http, socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(requests.RequestException) as slow:
            http.request("GET", f"http://{address}")
    with (
        HttpClient(timeout=10) as http,
        serving(Response()) as url,
        pytest.raises(requests.RequestException) as plain,
    ):
        http.request("GET", url.replace("http:", "https:"))

    assert "the time limit is over" in unanswered("http://a", slow.value)
    assert "it does not speak TLS" in unanswered("https://a", plain.value)
