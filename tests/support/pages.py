"""The page of a client app, served from a separate origin."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from selenium.webdriver import Chrome

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Page:
    """The page, opened in a browser."""

    browser: Chrome
    origin: str

    def open(self, **settings: str) -> None:
        self.browser.get(f"{self.origin}/?{urlencode(settings)}")

    def call(self, action: str, *given: object) -> dict[str, Any]:
        """The result of an action of the page, or its error."""
        reply: dict[str, Any] = self.browser.execute_async_script(
            """
            const done = arguments[arguments.length - 1];
            const [action, given] = arguments;
            const start = () =>
                window.perform
                    ? window.perform(action, ...given).then(done)
                    : setTimeout(start, 10);
            start();
            """,
            action,
            given,
        )
        return reply

    def console(self) -> str:
        """What the browser has logged since the last call."""
        return "\n".join(entry["message"] for entry in self._log())

    def _log(self) -> list[dict[str, str]]:
        log: list[dict[str, str]] = self.browser.get_log("browser")  # type: ignore[no-untyped-call]
        return log


@contextmanager
def served(
    node_modules: Path, script: str | None = None, page: str = "page.html"
) -> Iterator[str]:
    """An origin that serves a page of this folder and the packages it imports.

    `script` replaces the script of `page.html`.
    """
    script = script or (_HERE / "page.mjs").read_text()
    handler = partial(_Handler, (_HERE / page).read_text(), script, directory=str(node_modules))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, page: str, script: str, *request: Any, directory: str) -> None:
        self._page, self._script = page, script
        super().__init__(*request, directory=directory)

    def do_GET(self) -> None:
        if self.path.startswith("/?"):
            self._send(self._page.replace("IMPORTS", json.dumps(self._imports())), "text/html")
        elif self.path == "/page.mjs":
            self._send(self._script, "text/javascript")
        else:
            super().do_GET()

    def guess_type(self, path: Any) -> str:
        # Some machines have no type for .mjs.
        return "text/javascript" if str(path).endswith("js") else super().guess_type(path)

    def translate_path(self, path: str) -> str:
        # The packages import their own modules without the extension.
        found = Path(super().translate_path(path))
        return str(found if found.is_file() else found.with_name(f"{found.name}.js"))

    def _imports(self) -> dict[str, dict[str, str]]:
        """The module of each package by name: the browser's import map."""
        modules = {}
        for manifest in Path(self.directory).glob("**/package.json"):
            package = json.loads(manifest.read_text())
            if "name" in package and "module" in package:
                folder = manifest.parent.relative_to(self.directory)
                modules[package["name"]] = f"/{folder / package['module']}"
        return {"imports": modules}

    def _send(self, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass
