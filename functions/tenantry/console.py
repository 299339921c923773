"""console: a static page for platform staff, who act in it with their own token."""

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

NAME = "console"
FOLDER = Path(__file__).with_name("console_page")
# Git does not keep it, so it is the one that can be missing.
FROM_NPM = "supabase.js"
FILES = (
    *("index.html", "console.css", "icon.svg", FROM_NPM),
    *("console.js", "elements.js", "lists.js", "project.js"),
)
TYPES = {".js": "text/javascript"}


class PageIncompleteError(ServiceError):
    """The console was deployed without supabase-js."""

    status = 503
    code = "console_incomplete"


class FileNotThereError(ServiceError):
    """The console has no such file."""

    status = 404
    code = "not_found"


@dataclass(frozen=True)
class File:
    content: bytes
    kind: str
    etag: str

    @classmethod
    def read(cls, path: Path) -> "File":
        content = path.read_bytes()
        kind = TYPES.get(path.suffix) or mimetypes.guess_type(path)[0] or ""
        return cls(content, kind, sha256(content).hexdigest()[:32])


def console(request: Request) -> Response:
    response = answered(request, NAME, respond)
    response.headers.update(headers())
    return response


def respond(request: Request, line: LogLine) -> Response:
    body.read(request.stream)
    require_method(request, "GET", "HEAD")
    # The page asks for console/<file>, which is right where its own address has no slash at
    # the end. With one, or on a host of its own, that arrives here with the folder in front.
    name = request.path.removeprefix("/").removeprefix(f"{NAME}/") or "index.html"
    if name == "config.json":
        response = reply(config())
        response.headers["Cache-Control"] = "no-store"
        return response
    if name not in FILES:
        raise FileNotThereError
    line.operation = name
    file = page()[name]
    response = Response(file.content, mimetype=file.kind)
    response.set_etag(file.etag)
    # Kept, and asked about each time: after a deploy nobody mixes old files with new ones.
    response.headers["Cache-Control"] = "no-cache"
    response.make_conditional(request)
    return response


@cache
def page() -> dict[str, File]:
    """Read with the first request: the groups' processes import this and never serve it."""
    if not (FOLDER / FROM_NPM).is_file():
        raise PageIncompleteError(
            hint="Run `tenantry bundle`, which puts it in its place, and deploy again."
        )
    return {name: File.read(FOLDER / name) for name in FILES}


def config() -> dict[str, str | None]:
    """What the page has to know; nothing in it is secret."""
    return {
        "supabase_url": SETTINGS.public_supabase_url,
        "anon_key": SETTINGS.supabase_anon_key,
        # Without it the page looks for the groups beside itself.
        "functions_url": SETTINGS.functions_url,
    }


@cache
def headers() -> dict[str, str]:
    addresses = filter(None, (SETTINGS.public_supabase_url, SETTINGS.functions_url))
    callable_origins = sorted({origin(address) for address in addresses})
    policy = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        " ".join(["connect-src 'self'", *callable_origins]),
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # No script, the library's included, can make markup of a string.
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


def origin(address: str) -> str:
    parts = urlsplit(address)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"
