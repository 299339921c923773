"""The page that shows the OpenAPI document with Swagger UI, without the internet."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_FOLDER = Path(__file__).parent
# The browser may load nothing from another host. Swagger UI sets inline styles and draws icons
# from data URLs. Its calls go to 127.0.0.1, even if the page was opened as localhost, and to
# the project, where one signs in.
_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self' http://127.0.0.1:* {project}; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:"
)


def create_app(
    swagger_ui: Path, supabase_js: Path, not_found: "WSGIApplication"
) -> "WSGIApplication":
    files = {
        "/docs.js": str(_FOLDER / "docs.js"),
        "/docs.css": str(_FOLDER / "docs.css"),
        "/supabase.js": str(supabase_js),
        "/": str(swagger_ui),
    }

    def page(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return (_page(environ) or not_found)(environ, start_response)

    return SharedDataMiddleware(page, files, cache=False)


def _page(environ: "WSGIEnvironment") -> Response | None:
    if environ["PATH_INFO"] == "/config.json":
        # The emulator starts the functions with these two. Neither is secret.
        config = {
            "supabase_url": os.environ["SUPABASE_URL"],
            "anon_key": os.environ["SUPABASE_ANON_KEY"],
        }
        return Response(json.dumps(config), content_type="application/json")
    if environ["PATH_INFO"] not in ("", "/"):
        return None
    page = Response((_FOLDER / "docs.html").read_bytes(), mimetype="text/html")
    project = urlsplit(os.environ["SUPABASE_URL"])
    page.headers["Content-Security-Policy"] = _POLICY.format(
        project=f"{project.scheme}://{project.netloc}"
    )
    return page
