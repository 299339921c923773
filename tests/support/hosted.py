"""A gateway that lets the emulator answer as a hosted project, as far as `prove` needs.

Sign-up needs confirmation and sends a mail, and the number of mails is limited.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

import requests
from werkzeug.middleware.http_proxy import ProxyMiddleware
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from support.environment import Address

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# The limit of hosted Auth without its own mail server, per hour.
MAIL_LIMIT = 2
SERVICES = ("rest", "auth")


def forwarding_to(api_url: str) -> WSGIApplication:
    """A gateway that passes every request on."""
    targets = {f"/{service}/v1": {"target": api_url, "host": None} for service in SERVICES}
    return ProxyMiddleware(Response("no such path", 404), targets)


class Hosted:
    def __init__(self, address: Address) -> None:
        # The ids of existing users, and the addresses of all users that were created.
        self.users: set[str] = set()
        self.emails: set[str] = set()
        self.has_admin_api = True
        # False: a row of another table refers to each account.
        self.deletes_accounts = True
        # Reads of this table are answered as PostgREST does that gets no connection.
        self.overloaded_table: str | None = None
        self._mails = 0
        self._lock = Lock()
        self._address = address
        self._proxy = forwarding_to(address.api_url)

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        request = Request(environ)
        answer: WSGIApplication = self._proxy
        if (request.method, request.path) == ("GET", f"/rest/v1/{self.overloaded_table}"):
            answer = _json({"code": "PGRST003", "message": "Timed out"}, 504)
        if request.path == "/auth/v1/signup":
            answer = self._sign_up(request.get_json())
        elif request.path.startswith("/auth/v1/admin/"):
            answer = self._administer(request)
        return answer(environ, start_response)

    def _sign_up(self, credentials: dict[str, str]) -> Response:
        with self._lock:
            self._mails += 1
            if self._mails > MAIL_LIMIT:
                return _error(429, "over_email_send_rate_limit", "email rate limit exceeded")
        made = self._send("POST", "/auth/v1/signup", self._address.anon_key, credentials)
        user = made.json()["user"]
        self._know(user)
        unconfirmed = {"email_confirmed_at", "last_sign_in_at"}
        return _json({name: user[name] for name in user.keys() - unconfirmed})

    def _administer(self, request: Request) -> Response:
        """Passes the request on, and remembers which users exist."""
        if not self.has_admin_api:
            return _error(404, "not_found", "There is no admin API")
        is_deletion = request.method == "DELETE" and not request.data
        if is_deletion and not self.deletes_accounts:
            return _error(500, "unexpected_failure", "Database error deleting user")
        key, body = request.headers["apikey"], request.get_json() if request.data else None
        reply = self._send(request.method, request.path, key, body)
        if request.method == "POST" and reply.ok:
            self._know(reply.json())
        if is_deletion and reply.ok:
            self.users.discard(request.path.rpartition("/")[2])
        return Response(reply.content, reply.status_code, content_type="application/json")

    def _send(self, method: str, path: str, key: str, body: Any) -> requests.Response:
        with requests.Session() as session:
            # Without the proxies of the environment.
            session.trust_env = False
            return session.request(
                method,
                f"{self._address.api_url}{path}",
                headers={"apikey": key},
                json=body,
                timeout=30,
            )

    def _know(self, user: dict[str, Any]) -> None:
        self.users.add(user["id"])
        self.emails.add(user["email"])


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")


def _error(status: int, code: str, message: str) -> Response:
    return _json({"code": status, "error_code": code, "msg": message}, status)


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Writes no log, because nobody reads it."""


@contextmanager
def serving(project: WSGIApplication) -> Iterator[str]:
    """Serves the project, and yields its URL."""
    server = make_server("127.0.0.1", 0, project, threaded=True, request_handler=_Quiet)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
