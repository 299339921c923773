"""The gateway: one address for all components, with the paths of a Supabase project.

Nothing that a client does slowly occupies a component or another client: connections are
served by one event loop, and forwarding.py exchanges only complete requests and replies.
"""

import argparse
import asyncio
import gc
import json
import logging
import re
import resource
import signal
import uuid
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Handler
from multidict import CIMultiDict

from tenantry_cli.configuration import AuthSettings
from tenantry_cli.emulator.api_keys import ApiKeys
from tenantry_cli.emulator.auth_gateway import AuthGateway
from tenantry_cli.emulator.auth_tokens import Tokens
from tenantry_cli.emulator.auth_users import Users
from tenantry_cli.emulator.forwarding import (
    LONGEST_LINE_BYTES,
    Forwarder,
    GatewayError,
    RefusedError,
    Reply,
    received,
    sent,
)
from tenantry_cli.emulator.keys import Keys, SigningAlgorithm, read_keys
from tenantry_cli.emulator.paths import ABSENT, ABSENT_SENTENCE, AUTH, FUNCTIONS, REST
from tenantry_cli.errors import as_sentence

# The request ids that the functions accept.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# The endpoints of Auth that a browser opens from a link or a redirect, without an API key.
_WITHOUT_KEY = (
    *(f"{AUTH}/verify", f"{AUTH}/callback", f"{AUTH}/authorize"),
    *(f"{AUTH}/.well-known/", f"{AUTH}/sso/", f"{AUTH}/oauth/"),
)
_CONNECTIONS_WAITING = 1024
# The longest address that the hosted gateway takes. Many ids in a filter make a long one.
_LONGEST_TARGET_BYTES = 16_384
# Longer than a function keeps an idle connection (httpx: 5 s). Otherwise the gateway could
# close a connection while a function sends a request.
_IDLE_SECONDS = 75
_ENDING_SECONDS = 2
_CONNECTION: dict[str, Any] = {
    "access_log": None,
    "keepalive_timeout": _IDLE_SECONDS,
    "max_line_size": LONGEST_LINE_BYTES,
    "max_field_size": LONGEST_LINE_BYTES,
    # A component gets a compressed body as the client has sent it.
    "auto_decompress": False,
}
_EXCERPT = 100


@dataclass(frozen=True)
class Components:
    """The URLs behind the gateway."""

    postgrest: str
    auth: str
    functions: str


class Gateway:
    def __init__(
        self, components: Components, api_keys: ApiKeys, forwarder: Forwarder, auth: AuthGateway
    ) -> None:
        self._components = components
        self._api_keys = api_keys
        self._forwarder = forwarder
        self._auth = auth

    async def serve(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._serve(request)
        except ConnectionResetError:
            # The client has gone. Nobody reads this answer, but aiohttp needs one.
            return web.Response(status=400)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = request.rel_url.raw_path
        try:
            if _is_preflight(request):
                reply = _preflight(request)
            else:
                reply = await self._reply(request, path)
            # The functions decide which origins may read their replies.
            is_shared = not path.startswith(f"{FUNCTIONS}/")
        except RefusedError as refusal:
            reply, is_shared = refusal.reply, True
        except GatewayError as error:
            reply, is_shared = error.reply(_request_id(request)), True
        except ConnectionResetError:
            raise
        except Exception as error:
            logging.exception("%s %s", request.method, path)
            reply, is_shared = _failure(error).reply(_request_id(request)), True
        if is_shared and "Origin" in request.headers:
            _share_across_origins(path, reply)
        return await sent(request, reply)

    async def _reply(self, request: web.Request, path: str) -> Reply:
        headers = CIMultiDict(request.headers)
        if len(request.rel_url.raw_path_qs) > _LONGEST_TARGET_BYTES:
            raise GatewayError(
                414,
                "uri_too_long",
                f"The address of the request is longer than {_LONGEST_TARGET_BYTES} bytes.",
                "Send fewer values in a filter, or call a function with POST.",
            )
        if path.startswith(f"{FUNCTIONS}/"):
            url = f"{self._components.functions}{_target(request)}"
            content = await received(request)
            return await self._forwarder.exchange(
                FUNCTIONS, request.method, url, headers, content
            )
        if path.startswith(f"{REST}/"):
            self._api_keys.authorize(request, headers)
            url = f"{self._components.postgrest}{_target(request).removeprefix(REST)}"
            content = await received(request)
            return await self._forwarder.exchange(REST, request.method, url, headers, content)
        if path.startswith(f"{AUTH}/"):
            if not path.startswith(_WITHOUT_KEY):
                self._api_keys.authorize(request, headers)
            content = await received(request)
            return await self._auth.reply(request, _target(request), headers, content)
        for prefix, name in ABSENT.items():
            if path == prefix or path.startswith(f"{prefix}/"):
                raise GatewayError(
                    501, "not_in_emulator", f"There is no {name} here. {ABSENT_SENTENCE}"
                )
        raise GatewayError(
            404,
            "not_found",
            "There is no such path.",
            "Use a path below /rest/v1/, /auth/v1/ or /functions/v1/.",
        )


def _failure(error: Exception) -> GatewayError:
    if isinstance(error, web.RequestPayloadError):
        return GatewayError(400, "invalid_body", f"The body cannot be read: {error}")
    return GatewayError(
        500,
        "internal_error",
        f"The gateway of the emulator has failed: {error!r}.",
        "Its log has the stack trace.",
    )


def _target(request: web.Request) -> str:
    """The path and query as the client wrote them, without the API key in the query."""
    url = request.rel_url
    if "apikey" not in url.query or request.path.startswith(f"{FUNCTIONS}/"):
        return url.raw_path_qs
    kept = "&".join(
        part for part in url.raw_query_string.split("&") if part.split("=")[0] != "apikey"
    )
    return f"{url.raw_path}?{kept}" if kept else url.raw_path


def _request_id(request: web.BaseRequest) -> str:
    given = request.headers.get("X-Request-Id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _is_preflight(request: web.Request) -> bool:
    """The functions answer their preflights themselves."""
    return (
        request.method == "OPTIONS"
        and "Origin" in request.headers
        and "Access-Control-Request-Method" in request.headers
        and not request.path.startswith(f"{FUNCTIONS}/")
    )


def _preflight(request: web.Request) -> Reply:
    asked = request.headers.get("Access-Control-Request-Headers", "")
    return Reply(
        200,
        CIMultiDict(
            {
                "Access-Control-Allow-Methods": "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS",
                "Access-Control-Allow-Headers": asked,
                "Access-Control-Max-Age": "3600",
            }
        ),
    )


def _share_across_origins(path: str, reply: Reply) -> None:
    reply.headers["Access-Control-Allow-Origin"] = "*"
    if path.startswith(f"{AUTH}/"):
        exposed = "X-Total-Count, Link, X-Supabase-Api-Version"
        reply.headers["Access-Control-Expose-Headers"] = exposed


async def _continue(request: web.Request) -> web.StreamResponse | None:
    """Lets the client send the body. A reply in its place answers another expectation."""
    expected = request.headers["Expect"]
    if expected.lower() != "100-continue":
        message = f"The gateway does not know the expectation {expected[:_EXCERPT]!r}."
        error = GatewayError(417, "expectation_failed", message)
        return _complete(error.reply(_request_id(request)))
    if request.version == HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # aiohttp would believe that the reply has begun.
        request.writer.output_size = 0
    return None


def _complete(reply: Reply) -> web.Response:
    response = web.Response(
        status=reply.status, headers=reply.headers, body=reply.content.read()
    )
    response.force_close()
    return response


class _Connection(web.RequestHandler):
    """A connection of a client, which gets JSON for what is no HTTP, too."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        # Logs the error, and raises one if the reply has begun.
        super().handle_error(request, status, exc, message)
        # The rest shows what the client has sent.
        reason = re.split("\n| when reading", message or repr(exc))[0]
        error = GatewayError(
            status,
            "invalid_http",
            f"The gateway cannot read this request: {as_sentence(reason.rstrip(':'))}",
            "Check the method, the length of the address, and the headers.",
        )
        return _complete(error.reply(_request_id(request)))


async def create_app(
    components: Components,
    keys: Keys,
    api_url: str,
    site_url: str,
    database_url: str,
    signs: SigningAlgorithm,
    auth_settings: AuthSettings,
) -> web.Application:
    forwarder = Forwarder()
    users = Users(database_url)
    tokens = Tokens(keys, signs, f"{api_url}{AUTH}", auth_settings.jwt_expiry)
    auth = AuthGateway(
        components.auth, forwarder, users, tokens, api_url, site_url, auth_settings
    )
    gateway = Gateway(components, ApiKeys(keys), forwarder, auth)

    async def close(app: web.Application) -> None:
        await users.close()
        await forwarder.close()

    @web.middleware
    async def serve(request: web.Request, handler: Handler) -> web.StreamResponse:
        # Some requests have no route: the target of CONNECT is no path.
        return await gateway.serve(request)

    app = web.Application(middlewares=[serve])
    app.router.add_route("*", "/{path:.*}", gateway.serve, expect_handler=_continue)
    app.on_cleanup.append(close)
    return app


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--postgrest", required=True)
    arguments.add_argument("--auth", required=True)
    arguments.add_argument("--functions", required=True)
    arguments.add_argument("--keys", type=Path, required=True)
    arguments.add_argument("--signs", choices=("ES256", "HS256"), required=True)
    arguments.add_argument("--api-url", required=True)
    arguments.add_argument("--site-url", required=True)
    arguments.add_argument("--auth-settings", type=json.loads, required=True)
    arguments.add_argument("--database-url", required=True)
    given = arguments.parse_args()
    logging.basicConfig(level=logging.INFO)
    _allow_many_connections()
    # The modules live as long as the process: no collection needs to visit their objects.
    gc.freeze()
    asyncio.run(
        _serve(
            create_app(
                Components(given.postgrest, given.auth, given.functions),
                read_keys(given.keys),
                given.api_url,
                given.site_url,
                given.database_url,
                given.signs,
                AuthSettings(**given.auth_settings),
            ),
            given.port,
        )
    )


async def _serve(created: Awaitable[web.Application], port: int) -> None:
    """Serves until a signal ends it."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    runner = web.AppRunner(await created, shutdown_timeout=_ENDING_SECONDS)
    await runner.setup()
    server = cast(web.Server, runner.server)
    listener = await loop.create_server(
        lambda: _Connection(server, loop=loop, **_CONNECTION),
        "127.0.0.1",
        port,
        backlog=_CONNECTIONS_WAITING,
    )
    await ended.wait()
    listener.close()
    await runner.cleanup()


def _allow_many_connections() -> None:
    """A connection that does nothing costs only its descriptor."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main()
