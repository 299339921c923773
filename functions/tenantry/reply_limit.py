"""The limit on the size of a reply that a function reads from the Data API.

Without the limit, one page of large rows would take the memory of the whole instance.
"""

from collections.abc import Iterator
from typing import cast

import httpx

from tenantry.errors import ReplyTooLargeError, UpstreamError

LARGEST_REPLY = 8 * 1024 * 1024


class _Limited(httpx.SyncByteStream):
    """The body of a reply, which ends with an error at the limit."""

    def __init__(self, response: httpx.Response) -> None:
        self._stream = cast(httpx.SyncByteStream, response.stream)
        self._error = UpstreamError if response.is_error else ReplyTooLargeError

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._stream:
            size += len(chunk)
            if size > LARGEST_REPLY:
                raise self._error
            yield chunk

    def close(self) -> None:
        self._stream.close()


def limit(response: httpx.Response) -> None:
    """Limits the reply. Only for a reply whose body nobody has read yet."""
    response.stream = _Limited(response)
