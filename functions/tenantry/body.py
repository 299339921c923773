"""The request's body: read within limits, and JSON in the strict sense."""

import json
import math
from typing import IO, NoReturn

from werkzeug.exceptions import ClientDisconnected

from tenantry.errors import InvalidJsonError, PayloadTooLargeError

LARGEST_BODY = 1024 * 1024
CHUNK = 64 * 1024


def read(stream: IO[bytes]) -> bytes:
    """The body, read to its end but never kept beyond the limit.

    To its end, because functions-framework reads into memory whatever is left before it
    replies. Counted here, because a chunked body announces no length.
    """
    body = bytearray()
    try:
        while chunk := stream.read(CHUNK):
            if len(body) <= LARGEST_BODY:
                body += chunk
    except (ClientDisconnected, OSError) as error:
        raise InvalidJsonError("The body ended before its announced end.") from error
    if len(body) > LARGEST_BODY:
        raise PayloadTooLargeError
    return bytes(body)


def parse(body: bytes) -> dict[str, object]:
    if not body:
        return {}
    try:
        value = json.loads(
            body.decode(),
            object_pairs_hook=unambiguous,
            parse_constant=not_a_number,
            parse_float=finite,
        )
    except (ValueError, RecursionError) as error:
        raise InvalidJsonError from error
    if not isinstance(value, dict):
        raise InvalidJsonError
    return value


def unambiguous(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    # Which of the two counts differs from parser to parser, so neither does.
    if len(members) < len(pairs):
        raise InvalidJsonError("The body names a member twice.")
    return members


def not_a_number(literal: str) -> NoReturn:
    raise InvalidJsonError(f"The body contains {literal}, which JSON does not have.")


def finite(literal: str) -> float:
    number = float(literal)
    if math.isinf(number):
        raise InvalidJsonError("The body contains a number too large to keep.")
    return number
