"""A gateway that lets the emulator answer as a hosted project, as far as `prove` needs.

Sign-up needs confirmation and sends a mail, and the number of mails is limited. Auth has an
admin API. The gateway exchanges publishable and secret keys for a token of their role.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

import psycopg
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


class Hosted:
    def __init__(self, address: Address) -> None:
        self.publishable_key = f"sb_publishable_{secrets.token_urlsafe(16)}"
        self.secret_key = f"sb_secret_{secrets.token_urlsafe(16)}"
        # The ids of existing users, and the addresses of all users that were created.
        self.users: set[str] = set()
        self.emails: set[str] = set()
        self.has_admin_api = True
        self._mails = 0
        self._lock = Lock()
        self._address = address
        self._tokens = {
            self.publishable_key: address.anon_key,
            self.secret_key: address.service_role_key,
        }
        self._proxy: WSGIApplication = ProxyMiddleware(
            Response("no such path", 404),
            {
                f"/{service}/v1": {"target": address.api_url, "host": None}
                for service in SERVICES
            },
        )

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        self._exchange_key(environ)
        request = Request(environ)
        answer: WSGIApplication = self._proxy
        if request.path == "/auth/v1/signup":
            answer = self._sign_up(request.get_json())
        elif request.path.startswith("/auth/v1/admin/") and self.has_admin_api:
            answer = self._administer(request)
        return answer(environ, start_response)

    def _exchange_key(self, environ: WSGIEnvironment) -> None:
        token = self._tokens.get(environ.get("HTTP_APIKEY", ""))
        if token is not None:
            environ["HTTP_APIKEY"] = token
            # The token of a caller is forwarded unchanged, even an invalid one.
            environ.setdefault("HTTP_AUTHORIZATION", f"Bearer {token}")

    def _sign_up(self, credentials: dict[str, str]) -> Response:
        with self._lock:
            self._mails += 1
            if self._mails > MAIL_LIMIT:
                return _error(429, "over_email_send_rate_limit", "email rate limit exceeded")
        user = self._create(credentials)
        unconfirmed = {"email_confirmed_at", "last_sign_in_at"}
        return _json({name: user[name] for name in user.keys() - unconfirmed})

    def _administer(self, request: Request) -> Response:
        if request.headers.get("Authorization") != f"Bearer {self._address.service_role_key}":
            return _error(403, "not_admin", "User not allowed")
        match request.method, request.path.split("/")[4:]:
            case "POST", ["users"]:
                body = request.get_json()
                assert body["email_confirm"] is True
                return _json(self._create(body))
            case "PUT", ["users", user_id] if user_id in self.users:
                assert request.get_json() == {"ban_duration": "24h"}
                self._execute(
                    "update auth.users set banned_until = now() + interval '24 hours'"
                    " where id = %s",
                    user_id,
                )
                return _json({"id": user_id})
            case "DELETE", ["users", user_id] if user_id in self.users:
                if request.data and request.get_json()["should_soft_delete"]:
                    # Auth replaces the address by a hash.
                    self._execute(
                        "update auth.users set deleted_at = now(), email = md5(email)"
                        " where id = %s",
                        user_id,
                    )
                    return _json({})
                self._execute("delete from auth.users where id = %s", user_id)
                self.users.discard(user_id)
                return _json({})
        return _error(404, "user_not_found", "User not found")

    def _execute(self, text: str, user_id: str) -> None:
        url = self._address.db_url.replace("//postgres:", "//supabase_auth_admin:")
        with psycopg.connect(url) as auth:
            auth.execute(text.encode(), (user_id,))

    def _create(self, credentials: dict[str, str]) -> dict[str, Any]:
        signed_up = requests.post(
            f"{self._address.api_url}/auth/v1/signup",
            headers={"apikey": self._address.anon_key, "Connection": "close"},
            json={name: credentials[name] for name in ("email", "password")},
            timeout=30,
        )
        signed_up.raise_for_status()
        user: dict[str, Any] = signed_up.json()["user"]
        self.users.add(user["id"])
        self.emails.add(user["email"])
        return user


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
