"""All groups and the console behind one port, for a container or a command.

`gunicorn "tenantry.app:create_app()"` serves them at `/<group>/<operation>`.
"""

import importlib.util
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import functions_framework
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.wrappers import Request, Response

from tenantry.request_id import request_id_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    Groups = Mapping[str, WSGIApplication]

_DOCUMENTS = "openapi"
_LINES = (
    "from tenantry.entry_points import *; "
    "from tenantry.entry_points import __all__, answer_reserved_paths; answer_reserved_paths()"
)


class UnknownTargetError(Exception):
    """The file has no entry point of this name."""


class NoEntryPointsError(Exception):
    """The file says not which of its names are entry points."""


def create_app(source: str = "main.py") -> "WSGIApplication":
    """The groups of the file, at `/<group>`."""
    return dispatcher(groups(Path(source)))


def groups(source: Path, prefix: str = "", target: str | None = None) -> "Groups":
    """The entry points of the file, or one, by their paths: the names in kebab-case."""
    names = _entry_points(source)
    if target is not None and target not in names:
        raise UnknownTargetError(
            f"There is no target {target}; the targets are {', '.join(names)}."
        )
    return {
        f"{prefix}/{name.replace('_', '-')}": _serving(name, source)
        for name in names
        if target in (None, name)
    }


def dispatcher(
    served: "Groups",
    prefix: str = "",
    *,
    pages: "Groups | None" = None,
    hint: str | None = None,
) -> "WSGIApplication":
    """Sends each request to the group of its path, and answers for every other path."""
    documents = served.get(f"{prefix}/{_DOCUMENTS}")
    document = {f"{prefix}/openapi.json": _at("/openapi.json", documents)} if documents else {}
    index = _index(sorted(served), prefix, hint)
    return DispatcherMiddleware(index, {**served, **document, **(pages or {})})


def _entry_points(source: Path) -> list[str]:
    # functions-framework loads the file again for each target, but its imports only once.
    sys.path.insert(0, str(source.parent.resolve()))
    spec = importlib.util.spec_from_file_location("main", source)
    if spec is None or spec.loader is None:
        raise ImportError(f"{source} is no Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "__all__"):
        raise NoEntryPointsError(
            f"{source.name} has no entry points of Tenantry. Add these lines to it: {_LINES}"
        )
    return list(module.__all__)


def _serving(target: str, source: Path) -> "WSGIApplication":
    app: WSGIApplication = functions_framework.create_app(  # type: ignore[no-untyped-call]
        target=target, source=str(source), signature_type="http"
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


def _index(paths: list[str], prefix: str, hint: str | None) -> "WSGIApplication":
    """Lists the groups at their common address. Every other path is not found."""
    not_found = Refusal(
        404,
        "operation_not_found",
        f"There is no such group of functions. The groups are {', '.join(paths)}.",
        f"Call {prefix}/<group>/<operation>.{f' {hint}' if hint else ''}",
    )

    def index(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        if request.path != f"{prefix}/" or request.method not in {"GET", "HEAD"}:
            return not_found(environ, start_response)
        reply = Response(json.dumps({"groups": paths}), content_type="application/json")
        return reply(environ, start_response)

    return index


class Refusal:
    """Answers every request with one error, in the format of the functions."""

    def __init__(self, status: int, code: str, message: str, hint: str) -> None:
        self._status = status
        self._error = {"code": code, "message": message, "hint": hint, "error": message}

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        request = Request(environ)
        request_id = request_id_of(request)
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
