"""The HTTP client of the operator's commands, and how it repeats a request."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Collection, Iterator, Mapping
from http import HTTPStatus
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy
from tenacity import RetryCallState, Retrying, retry_if_exception_type, retry_if_result
from tenacity.stop import stop_after_attempt
from tenacity.wait import wait_base, wait_none
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import NameResolutionError

# The statuses of `busy`, with which nothing was changed: 429 from an RPC, 503 from a function.
BUSY_STATUSES = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class HttpClient:
    """Sends requests. Threads may share a client.

    Each thread has its own session, because `requests` does not promise that threads may
    share a session.
    """

    def __init__(
        self,
        *,
        timeout: float | tuple[float, float],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._timeout = timeout
        self._headers = headers or {}
        self._thread = threading.local()
        self._sessions: list[requests.Session] = []

    def request(self, method: str, url: str, **request: Any) -> requests.Response:
        """Follows no redirect: another host would receive the header `apikey`."""
        return self._session.request(
            method, url, timeout=self._timeout, allow_redirects=False, **request
        )

    def send_exactly(
        self, method: str, url: str, headers: Collection[tuple[str, str]], body: bytes | None
    ) -> requests.Response:
        """Sends every one of these headers, in their order, even two headers of one name.
        Follows no redirect."""
        session = self._session
        prepared = requests.Request(method, url, session.headers, data=body).prepare()
        repeatable = HTTPHeaderDict(prepared.headers)
        for name, value in headers:
            repeatable.add(name, value)
        # The type that `requests` uses holds each name once.
        prepared.headers = repeatable  # type: ignore[assignment]
        settings = session.merge_environment_settings(url, {}, None, None, None)
        return session.send(prepared, timeout=self._timeout, allow_redirects=False, **settings)

    def close(self) -> None:
        for session in self._sessions:
            session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _session(self) -> requests.Session:
        if not hasattr(self._thread, "session"):
            session = requests.Session()
            session.headers.update(self._headers)
            for scheme in ("http://", "https://"):
                session.mount(scheme, _Adapter())
            self._sessions.append(session)
            self._thread.session = session
        return self._thread.session  # type: ignore[no-any-return]


def retrying(
    attempts: int,
    *,
    statuses: Collection[int] = (),
    errors: tuple[type[Exception], ...] = (),
    wait: wait_base | None = None,
) -> Retrying:
    """Repeats a request that met one of these statuses or errors.

    The last attempt decides: its response is returned, or its error is raised.
    """
    return Retrying(
        stop=stop_after_attempt(attempts),
        wait=wait or wait_none(),
        retry=retry_if_exception_type(errors)
        | retry_if_result(lambda response: response.status_code in statuses),
        retry_error_callback=last_outcome,
    )


def last_outcome(state: RetryCallState) -> Any:
    """What the last attempt has returned, or raised."""
    return state.outcome.result() if state.outcome else None


def unanswered(url: str, error: requests.RequestException) -> str:
    """Why there was no answer, as one sentence that says what to do."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc} does not answer: {_reason(url, error)}."


def is_passing(error: requests.RequestException) -> bool:
    """Whether the same request may succeed a moment later."""
    return isinstance(
        error,
        requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError,
    ) and not any(
        isinstance(cause, NameResolutionError | socket.gaierror | ssl.SSLCertVerificationError)
        for cause in _causes(error)
    )


def _reason(url: str, error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.ProxyError) or _is_refused_by_socks(url, error):
        return (
            "the proxy refuses the connection. Check the variables HTTPS_PROXY, ALL_PROXY and "
            "NO_PROXY"
        )
    if isinstance(error, requests.Timeout):
        return "the time limit is over. Check the address and the network, or try again later"
    for cause in _causes(error):
        if isinstance(cause, NameResolutionError | socket.gaierror):
            return "the host name does not exist. Check the address and the network"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"its certificate is not trusted ({cause.verify_message}). Name the "
                "certificates of your network in REQUESTS_CA_BUNDLE"
            )
        if isinstance(cause, ssl.SSLError):
            return "it does not speak TLS. Check whether the address begins with http://"
        if isinstance(cause, ConnectionRefusedError):
            return "no server listens there. Check the address and the port"
        if isinstance(cause, OSError) and cause.errno is not None and cause.strerror:
            return f"{cause.strerror}. Check the address and the network"
    return f"the connection failed ({type(error).__name__}). Check the address"


def _is_refused_by_socks(url: str, error: requests.RequestException) -> bool:
    """Whether a SOCKS proxy does not work, or the package for it is missing. It has no error
    of its own."""
    proxy = None if is_loopback(url) else select_proxy(url, get_environ_proxies(url))
    return (proxy or "").startswith("socks") and isinstance(
        error, requests.exceptions.InvalidSchema | requests.ConnectionError
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The errors inside an error of `requests`, which wraps those of urllib3."""
    left, seen = [error], set[int]()
    while left:
        each = left.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inner = (*each.args, getattr(each, "reason", None), each.__cause__, each.__context__)
        left += [cause for cause in inner if isinstance(cause, BaseException)]


def is_loopback(url: str) -> bool:
    """Whether the URL names this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class _Adapter(HTTPAdapter):
    """Connects to this machine without a proxy, whatever HTTP_PROXY says: the proxy of a
    network does not know the servers of this machine."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        if is_loopback(request.url or ""):
            proxies = None
        return super().send(request, stream, timeout, verify, cert, proxies)
