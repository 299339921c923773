"""Serves the functions as the cloud does: one functions-framework target per group.

This is a separate process, so that a function that changes or ends its process affects no other
component.
"""

import argparse
import gc
import importlib.util
import json
import logging
import re
import sys
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import functions_framework
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.wrappers import Request, Response

from tenantry_cli.emulator import docs
from tenantry_cli.emulator.paths import FUNCTIONS
from tenantry_cli.emulator.server import Server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# The request ids that the functions accept. The pattern is repeated here, because an import
# could load another `tenantry` than `source` does.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# The number of calls that are processed at the same time.
_THREADS = 16


def create_app(source: Path, swagger_ui: Path, supabase_js: Path) -> "WSGIApplication":
    """Every entry point of `source` under its name in kebab-case, and their documentation.

    If the functions cannot be loaded, every call is answered with the reason. The database of
    the project still works.
    """
    if not source.is_file():
        return _Refusal(
            503,
            "unavailable",
            f"There are no functions: functions/{source.name} is missing.",
            "`tenantry init` adds Tenantry to this project. Then start the emulator again.",
        )
    try:
        groups = {_path(name): _target(name, source) for name in _entry_points(source)}
    except Exception as error:
        logging.exception("%s cannot be loaded", source)
        return _Refusal(
            503,
            "unavailable",
            f"functions/{source.name} cannot be loaded: {error!r}.",
            "Fix the error, and start the emulator again. Its log has the stack trace.",
        )
    pages: dict[str, WSGIApplication]
    no_page = _Refusal(
        404, "not_found", "There is no such page.", f"The documentation is at {FUNCTIONS}/docs."
    )
    pages = {f"{FUNCTIONS}/docs": docs.create_app(swagger_ui, supabase_js, no_page)}
    if document := groups.get(f"{FUNCTIONS}/openapi"):
        pages[f"{FUNCTIONS}/openapi.json"] = _at("/openapi.json", document)
    return DispatcherMiddleware(_index(sorted(groups)), {**groups, **pages})


def _entry_points(source: Path) -> list[str]:
    # functions-framework loads the file again for each target, but its imports only once.
    sys.path.insert(0, str(source.parent))
    spec = importlib.util.spec_from_file_location("main", source)
    if spec is None or spec.loader is None:
        raise ImportError(f"{source} is no Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.__all__)


def _path(target: str) -> str:
    return f"{FUNCTIONS}/{target.replace('_', '-')}"


def _target(name: str, source: Path) -> "WSGIApplication":
    app: WSGIApplication = functions_framework.create_app(  # type: ignore[no-untyped-call]
        target=name, source=str(source), signature_type="http"
    )

    def with_path(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        # The address of a deployed function has no path. Flask would redirect to `/`.
        environ["PATH_INFO"] = environ["PATH_INFO"] or "/"
        return app(environ, start_response)

    return with_path


def _at(path: str, app: "WSGIApplication") -> "WSGIApplication":
    """Answers every request with one path of `app`."""

    def with_path(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        return app({**environ, "PATH_INFO": path}, start_response)

    return with_path


def _index(groups: list[str]) -> "WSGIApplication":
    """Lists the groups at their common address. Every other path is not found."""
    not_found = _Refusal(
        404,
        "operation_not_found",
        f"There is no such group of functions. The groups are {', '.join(groups)}.",
        f"Call {FUNCTIONS}/<group>/<operation>. The emulator runs no Edge Functions.",
    )

    def index(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        if request.path != f"{FUNCTIONS}/" or request.method not in {"GET", "HEAD"}:
            return not_found(environ, start_response)
        reply = Response(json.dumps({"groups": groups}), content_type="application/json")
        return reply(environ, start_response)

    return index


class _Refusal:
    """Answers every request with one error, in the format of the functions."""

    def __init__(self, status: int, code: str, message: str, hint: str) -> None:
        self._status = status
        self._error = {"code": code, "message": message, "hint": hint, "error": message}

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        request = Request(environ)
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        reply = Response(
            json.dumps({**self._error, "request_id": request_id}),
            self._status,
            {"X-Request-Id": request_id},
            content_type="application/json",
        )
        if request.method == "OPTIONS":
            reply = Response(status=204)
            reply.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
            asked = request.headers.get("Access-Control-Request-Headers", "")
            reply.headers["Access-Control-Allow-Headers"] = asked
        # A browser shows a page no error whose preflight was refused.
        reply.headers["Access-Control-Allow-Origin"] = "*"
        reply.headers["Access-Control-Expose-Headers"] = "X-Request-Id"
        return reply(environ, start_response)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--source", type=Path, required=True)
    arguments.add_argument("--swagger-ui", type=Path, required=True)
    arguments.add_argument("--supabase-js", type=Path, required=True)
    arguments.add_argument("--port", type=int, required=True)
    given = arguments.parse_args()
    app = create_app(given.source, given.swagger_ui, given.supabase_js)
    # The modules live as long as the process. Otherwise each full collection, and the end of
    # the worker, would visit all their objects and copy their memory.
    gc.freeze()
    Server(app, given.port, _THREADS).run()


if __name__ == "__main__":
    main()
