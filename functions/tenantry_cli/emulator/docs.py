"""The page that shows the OpenAPI document with Swagger UI, without the internet."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_FOLDER = Path(__file__).parent
# The browser may load nothing from another host. Swagger UI sets inline styles and draws icons
# from data URLs. Its calls go to 127.0.0.1, even if the page was opened as localhost.
_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self' http://127.0.0.1:*; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:"
)


def create_app(swagger_ui: Path, supabase_js: Path) -> "WSGIApplication":
    files = {
        "/docs.js": str(_FOLDER / "docs.js"),
        "/docs.css": str(_FOLDER / "docs.css"),
        "/supabase.js": str(supabase_js),
        "/": str(swagger_ui),
    }
    return SharedDataMiddleware(_page, files, cache=False)


def _page(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/config.json":
        # The emulator starts the functions with these two. Neither is secret.
        config = {
            "supabase_url": os.environ["SUPABASE_URL"],
            "anon_key": os.environ["SUPABASE_ANON_KEY"],
        }
        reply = Response(json.dumps(config), content_type="application/json")
        return reply(environ, start_response)
    if environ["PATH_INFO"] not in ("", "/"):
        return Response("Not found.", 404, mimetype="text/plain")(environ, start_response)
    page = Response((_FOLDER / "docs.html").read_bytes(), mimetype="text/html")
    page.headers["Content-Security-Policy"] = _POLICY
    return page(environ, start_response)
