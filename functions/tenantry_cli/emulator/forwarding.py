"""Forwards requests to a component, so that a slow client never occupies the component.

A request is forwarded when its body is complete, and a reply is sent when the component has
finished it. Large bodies are kept in temporary files.
"""

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from tempfile import TemporaryFile
from typing import IO, Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

# In a request and in a reply: PostgREST repeats the address in its reply.
LONGEST_LINE_BYTES = 131_072

_LARGEST_BODY_MB = 50
_BODY_SECONDS = 60
# A client that takes longer to read a reply is cut off.
_READING_SECONDS = 150
# The timeout of the hosted gateway, which is longer than every statement timeout.
_UPSTREAM_SECONDS = 150
_CONNECTING_SECONDS = 10
# Shorter than every component keeps an idle connection. Auth closes one after 5 s.
_IDLE_SECONDS = 4

_IN_MEMORY_BYTES = 1_000_000
_CHUNK_BYTES = 64_000

# The headers of one connection. RFC 9110 forbids forwarding them. aiohttp answers `Expect`.
_OF_CONNECTION = {
    *("connection", "keep-alive", "proxy-connection", "te", "trailer"),
    *("transfer-encoding", "upgrade", "expect"),
}
_ADDED_BY_AIOHTTP = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_WITHOUT_CONTENT = {204, 304}


class RefusedError(Exception):
    """The gateway answers in place of a component, in the format of the component."""

    def __init__(
        self, status: int, error: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error)
        self.reply = Reply.of_json(error, status, headers)


class GatewayError(Exception):
    """An error of the gateway itself."""

    def __init__(self, status: int, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint

    def reply(self, request_id: str) -> "Reply":
        """The error with the members that the clients of each component read."""
        members = {"code": self.code, "message": self.message, "hint": self.hint}
        return Reply.of_json(
            {**members, "details": None, "error": self.message, "request_id": request_id},
            self.status,
            {"X-Request-Id": request_id},
        )


class Content:
    """The body of a request or a reply."""

    def __init__(self) -> None:
        self._file: IO[bytes] = BytesIO()
        self.size = 0

    def __del__(self) -> None:
        self._file.close()

    @classmethod
    def of(cls, data: bytes) -> "Content":
        content = cls()
        content.write(data)
        return content

    def write(self, data: bytes) -> None:
        if self.size <= _IN_MEMORY_BYTES < self.size + len(data):
            before = self.read()
            self._file = TemporaryFile()  # noqa: SIM115
            self._file.write(before)
        self._file.write(data)
        self.size += len(data)

    def read(self) -> bytes:
        self._file.seek(0)
        return self._file.read()

    async def fill(self, chunks: AsyncIterable[bytes]) -> None:
        async for chunk in chunks:
            self.write(chunk)

    async def chunks(self) -> AsyncIterator[bytes]:
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK_BYTES):
            yield chunk


@dataclass
class Reply:
    status: int
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    content: Content = field(default_factory=Content)
    reason: str | None = None

    @classmethod
    def of_json(
        cls, body: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> "Reply":
        named = CIMultiDict({"Content-Type": "application/json", **(headers or {})})
        return cls(status, named, Content.of(json.dumps(body).encode()))

    @property
    def json(self) -> Any:
        """The parsed content. None if the content is not JSON."""
        if "json" not in self.headers.get("Content-Type", ""):
            return None
        try:
            return json.loads(self.content.read())
        except (ValueError, RecursionError):
            return None

    def replace_json(self, body: Any) -> None:
        self.content = Content.of(json.dumps(body).encode())
        self.headers.pop("Content-Length", None)


async def received(request: web.Request) -> Content:
    """The complete body of a request. Refuses one that is too large or too slow."""
    content = Content()
    if (request.content_length or 0) > _LARGEST_BODY_MB * 1_000_000:
        raise _too_large()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.content.iter_any():
                content.write(chunk)
                if content.size > _LARGEST_BODY_MB * 1_000_000:
                    raise _too_large()
    except TimeoutError:
        raise GatewayError(
            408,
            "request_timeout",
            f"The body of the request did not arrive within {_BODY_SECONDS} s.",
            "Send the request again, in parts if it is large.",
        ) from None
    return content


def _too_large() -> GatewayError:
    return GatewayError(
        413,
        "payload_too_large",
        f"The body of the request is larger than {_LARGEST_BODY_MB} MB.",
        "Send it in several requests.",
    )


async def sent(request: web.Request, reply: Reply) -> web.StreamResponse:
    """Sends the reply to the client."""
    response = web.StreamResponse(
        status=reply.status, reason=reply.reason, headers=reply.headers
    )
    has_content = request.method != "HEAD" and reply.status not in _WITHOUT_CONTENT
    if has_content:
        response.content_length = reply.content.size
    try:
        async with asyncio.timeout(_READING_SECONDS):
            await response.prepare(request)
            if has_content:
                async for chunk in reply.content.chunks():
                    await response.write(chunk)
            await response.write_eof()
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
    return response


class Forwarder:
    """The connections to the components."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            # No limit: callers of one component must not wait for those of another.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=_CONNECTING_SECONDS, sock_read=_UPSTREAM_SECONDS
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_ADDED_BY_AIOHTTP,
            max_line_size=LONGEST_LINE_BYTES,
            max_field_size=LONGEST_LINE_BYTES,
        )

    async def close(self) -> None:
        await self._session.close()

    async def exchange(
        self,
        component: str,
        method: str,
        url: str,
        headers: CIMultiDict[str],
        content: Content,
    ) -> Reply:
        """The reply of a component, as it wrote it. `component` is its path, for errors."""
        forwarded = _without_connection(headers)
        forwarded.popall("Content-Length", None)
        has_content = bool(content.size) or "Content-Length" in headers
        if has_content:
            forwarded["Content-Length"] = str(content.size)
        try:
            async with self._session.request(
                method,
                # The path stays as the client wrote it.
                URL(url, encoded=True),
                headers=forwarded,
                data=content.chunks() if content.size else None,
                allow_redirects=False,
            ) as upstream:
                reply = Reply(
                    upstream.status,
                    _without_connection(CIMultiDict(upstream.headers)),
                    reason=upstream.reason,
                )
                await reply.content.fill(upstream.content.iter_any())
                return reply
        except TimeoutError as error:
            raise GatewayError(
                504,
                "upstream_timeout",
                f"The component behind {component} gave no answer in {_UPSTREAM_SECONDS} s.",
            ) from error
        except aiohttp.ClientError as error:
            raise GatewayError(
                502, "upstream_error", f"The component behind {component} is down."
            ) from error


def _without_connection(headers: CIMultiDict[str]) -> CIMultiDict[str]:
    named = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    return CIMultiDict(
        (name, value)
        for name, value in headers.items()
        if name.lower() not in _OF_CONNECTION | named
    )
