"""A stand-in for PostgREST on a real socket, which gives prepared replies."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tenantry import __version__

RELEASE = "/rest/v1/rpc/get_database_release"


@dataclass(frozen=True)
class Reply:
    """One reply of the upstream, sent exactly as written."""

    status: int = 200
    body: bytes = b"[]"
    headers: Mapping[str, str] = field(
        default_factory=lambda: {"Content-Type": "application/json"}
    )
    # The announced length, if it differs from the real one.
    length: int | None = None
    hold: bool = False


def error(
    status: int,
    code: str | None,
    message: str = "No.",
    details: str | None = None,
    hint: str | None = None,
) -> Reply:
    """An error in the form of PostgREST."""
    content = {"code": code, "message": message, "details": details, "hint": hint}
    return Reply(status, json.dumps(content).encode())


def result(value: object) -> Reply:
    return Reply(200, json.dumps(value).encode())


@dataclass(frozen=True)
class Received:
    path: str
    headers: Message
    body: Any


class Upstream(ThreadingHTTPServer):
    """Gives the prepared replies in their order, and keeps the requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: list[Reply] = []
        self.received: list[Received] = []
        self.connections = 0
        # Every process asks once for the release; its question is not among the received.
        self.release: Reply = result({"release": __version__})
        self.questions = 0
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def will(self, *replies: Reply) -> None:
        self.replies.extend(replies)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body: Any) -> None:
        if self.path == RELEASE:
            self.server.questions += 1
            reply = self.server.release
        else:
            self.server.received.append(Received(self.path, self.headers, body))
            reply = self.server.replies.pop(0)
        if reply.hold:
            self.server.released.wait(10)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(reply.length or len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)
        self.close_connection = reply.length is not None

    def log_message(self, format: str, *args: Any) -> None:
        pass
