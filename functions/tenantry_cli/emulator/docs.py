"""The page that shows the OpenAPI document: Swagger UI, without the internet."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_OURS = Path(__file__).parent
# The browser, too, is told that nothing comes from elsewhere. Swagger UI sets styles and draws
# icons by itself; calls tried out go to 127.0.0.1, also from a page opened as localhost.
_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self' http://127.0.0.1:*; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:"
)


def create_app(swagger_ui: Path) -> "WSGIApplication":
    return SharedDataMiddleware(
        _page, {"/docs.js": str(_OURS / "docs.js"), "/": str(swagger_ui)}, cache=False
    )


def _page(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    if environ["PATH_INFO"] not in ("", "/"):
        return Response("Not here.", 404, mimetype="text/plain")(environ, start_response)
    page = Response((_OURS / "docs.html").read_bytes(), mimetype="text/html")
    page.headers["Content-Security-Policy"] = _POLICY
    return page(environ, start_response)
