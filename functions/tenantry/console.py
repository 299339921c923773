"""The console: a static page for platform staff, who use it with their own token."""

import mimetypes
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from flask import Request, Response

from tenantry import body
from tenantry.endpoint import answered, reply, require_method
from tenantry.errors import ServiceError
from tenantry.log import LogLine
from tenantry.settings import SETTINGS

_NAME = "console"
_FOLDER = Path(__file__).with_name("console_page")
# Git and the package do not keep this file, so it can be missing.
_FROM_NPM = "supabase.js"
_FILES = (
    *("index.html", "console.css", "icon.svg"),
    *("console.js", "elements.js", "forms.js", "health.js", "joining.js", "lists.js"),
    *("members.js", "plot.js", "project.js", "rollout.js", "support.js"),
)
_TYPES = {".js": "text/javascript"}


class PageIncompleteError(ServiceError):
    """The console was deployed without supabase-js."""

    status = 503
    code = "console_incomplete"


class ConsoleFileNotFoundError(ServiceError):
    """The console has no such file."""

    status = 404
    code = "not_found"


@dataclass(frozen=True)
class _File:
    content: bytes
    kind: str
    etag: str

    @classmethod
    def read(cls, path: Path) -> "_File":
        content = path.read_bytes()
        kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path)[0] or ""
        return cls(content, kind, sha256(content).hexdigest()[:32])


def console(request: Request) -> Response:
    response = answered(request, _NAME, _respond)
    response.headers.update(_headers())
    return response


def _respond(request: Request, line: LogLine) -> Response:
    body.read(request.stream)
    require_method(request, "GET", "HEAD")
    # The page asks for console/<file>, relative to its own address without a slash at the end.
    # With a slash, or on a separate host, the path of the request begins with that folder.
    name = request.path.removeprefix("/").removeprefix(f"{_NAME}/") or "index.html"
    if name == "config.json":
        response = reply(_config())
        response.headers["Cache-Control"] = "no-store"
        return response
    if name not in (*_FILES, _FROM_NPM):
        raise ConsoleFileNotFoundError
    line.operation = name
    file = _page()[name]
    response = Response(file.content, mimetype=file.kind)
    response.set_etag(file.etag)
    # Browsers revalidate each file, so that no page mixes old and new files after a deploy.
    response.headers["Cache-Control"] = "no-cache"
    response.make_conditional(request)
    return response


@cache
def _page() -> dict[str, _File]:
    """Reads the files at the first request: processes of the groups never serve them."""
    script = next(filter(Path.is_file, (SETTINGS.supabase_js, _FOLDER / _FROM_NPM)), None)
    if script is None:
        raise PageIncompleteError(
            hint="Run `tenantry bundle`, which adds supabase-js, and deploy again."
        )
    return {_FROM_NPM: _File.read(script)} | {n: _File.read(_FOLDER / n) for n in _FILES}


def _config() -> dict[str, str | None]:
    """The settings of the page. None of them is secret."""
    return {
        "supabase_url": SETTINGS.public_supabase_url,
        "anon_key": SETTINGS.supabase_anon_key,
        # Without this address the page expects the groups next to the console.
        "functions_url": SETTINGS.functions_url,
    }


@cache
def _headers() -> dict[str, str]:
    addresses = filter(None, (SETTINGS.public_supabase_url, SETTINGS.functions_url))
    callable_origins = sorted({_origin(address) for address in addresses})
    policy = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        " ".join(["connect-src 'self'", *callable_origins]),
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # No script can turn a string into markup, not even the library.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def _origin(address: str) -> str:
    parts = urlsplit(address)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"
