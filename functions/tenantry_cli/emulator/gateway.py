"""The gateway: one address for all components, with the paths of a Supabase project."""

import argparse
import json
import re
from collections.abc import Iterable
from io import BytesIO
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import Headers
from werkzeug.middleware.http_proxy import ProxyMiddleware
from werkzeug.wrappers import Request, Response

from tenantry_cli.emulator.paths import AUTH, FUNCTIONS, REST
from tenantry_cli.emulator.server import Server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_THREADS = 64
# A timestamp as PostgreSQL prints it in the time zone UTC.
_POSTGRES_TIMESTAMP = re.compile(rb'"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)\+00"')
# The timeout of the hosted gateway, which is longer than every statement timeout.
_UPSTREAM_TIMEOUT_SECONDS = 150


def create_app(postgrest: str, auth: str, functions: str | None) -> "WSGIApplication":
    targets: dict[str, dict[str, Any]] = {
        REST: {"target": postgrest, "remove_prefix": True, "host": None},
        AUTH: {"target": auth, "host": None},
    }
    if functions is not None:
        targets[FUNCTIONS] = {"target": functions, "host": None}
    proxy = ProxyMiddleware(_not_found, targets, timeout=_UPSTREAM_TIMEOUT_SECONDS)
    return _cors(_api_key(_content_length(_timestamps(_bad_gateway(proxy)))))


def _not_found(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    return _error(
        404,
        "not_found",
        "There is no such path. The paths are /rest/v1/, /auth/v1/ and /functions/v1/.",
    )(environ, start_response)


def _error(status: int, code: str, message: str) -> Response:
    body = json.dumps({"code": code, "message": message})
    return Response(body, status, content_type="application/json")


def _cors(app: "WSGIApplication") -> "WSGIApplication":
    """Answers preflights for PostgREST and Auth. The functions answer their own."""

    def wrapped(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        if "Origin" not in request.headers or request.path.startswith(f"{FUNCTIONS}/"):
            return app(environ, start_response)
        if request.method == "OPTIONS" and request.access_control_request_method:
            asked = request.headers.get("Access-Control-Request-Headers", "")
            preflight = Response(
                status=200,
                headers={
                    "Access-Control-Allow-Origin": "*",
                    "Access-Control-Allow-Methods": "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS",
                    "Access-Control-Allow-Headers": asked,
                    "Access-Control-Max-Age": "3600",
                },
            )
            return preflight(environ, start_response)

        def allow(status, headers, exc_info=None):  # type: ignore[no-untyped-def]
            allowed = Headers(headers)
            allowed["Access-Control-Allow-Origin"] = "*"
            return start_response(status, allowed.to_wsgi_list(), exc_info)

        return app(environ, allow)

    return wrapped


def _api_key(app: "WSGIApplication") -> "WSGIApplication":
    """Gives a caller without a token the role of the API key."""

    def wrapped(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        key = environ.get("HTTP_APIKEY")
        if key and environ["PATH_INFO"].startswith(f"{REST}/"):
            environ.setdefault("HTTP_AUTHORIZATION", f"Bearer {key}")
        return app(environ, start_response)

    return wrapped


def _content_length(app: "WSGIApplication") -> "WSGIApplication":
    """Adds the length of a chunked body, because the proxy needs a length."""

    def wrapped(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
            body = environ["wsgi.input"].read()
            environ["wsgi.input"] = BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        return app(environ, start_response)

    return wrapped


def _timestamps(app: "WSGIApplication") -> "WSGIApplication":
    """Writes the timestamps of Auth as hosted Auth does, as supabase-py requires."""

    def wrapped(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith(f"{AUTH}/"):
            return app(environ, start_response)
        response = Response.from_app(app, environ)
        if response.mimetype == "application/json":
            response.set_data(_POSTGRES_TIMESTAMP.sub(rb'"\1T\2Z"', response.get_data()))
        return response(environ, start_response)

    return wrapped


def _bad_gateway(app: "WSGIApplication") -> "WSGIApplication":
    """Reports in JSON that a component is down. The proxy would report it in HTML."""

    def wrapped(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        response = Response.from_app(app, environ)
        if response.status_code == 502 and response.mimetype == "text/html":
            name = environ["PATH_INFO"].split("/")[1]
            message = f"The component behind /{name}/v1 is down."
            response = _error(502, "upstream_error", message)
        return response(environ, start_response)

    return wrapped


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--postgrest", required=True)
    arguments.add_argument("--auth", required=True)
    arguments.add_argument("--functions")
    given = arguments.parse_args()
    app = create_app(given.postgrest, given.auth, given.functions)
    Server(app, given.port, _THREADS).run()


if __name__ == "__main__":
    main()
