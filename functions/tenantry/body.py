"""The body of a request: read within limits, and parsed as strict JSON."""

import json
from decimal import Decimal, InvalidOperation
from typing import IO, NoReturn

from werkzeug.exceptions import ClientDisconnected

from tenantry.errors import InvalidJsonError, PayloadTooLargeError

_LARGEST_BODY = 1024 * 1024
_CHUNK = 64 * 1024
# A refusal quotes at most this many characters of a number.
_LONGEST_NUMBER = 63


def read(stream: IO[bytes]) -> bytes:
    """The body. It is read to its end, but nothing beyond the limit is kept.

    If a part remained unread, functions-framework would read that part into memory before it
    replies. The bytes are counted here, because a chunked body announces no length.
    """
    body = bytearray()
    try:
        while chunk := stream.read(_CHUNK):
            if len(body) <= _LARGEST_BODY:
                body += chunk
    except (ClientDisconnected, OSError) as error:
        raise InvalidJsonError("The body ended before its announced end.") from error
    if len(body) > _LARGEST_BODY:
        raise PayloadTooLargeError
    return bytes(body)


def parse(body: bytes) -> dict[str, object]:
    if not body:
        return {}
    try:
        value = json.loads(
            body.decode(),
            object_pairs_hook=_unambiguous,
            parse_constant=_not_a_number,
            parse_float=_exact,
        )
    except (ValueError, RecursionError) as error:
        raise InvalidJsonError from error
    if not isinstance(value, dict):
        raise InvalidJsonError
    return value


def _unambiguous(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    # Parsers differ in which of the two members they use, so such a body is refused.
    if len(members) < len(pairs):
        raise InvalidJsonError("The body names a member twice.")
    return members


def _not_a_number(literal: str) -> NoReturn:
    raise InvalidJsonError(f"The body contains {literal}, which JSON does not have.")


def _exact(literal: str) -> float:
    """A fraction as a double. Refuses a fraction of which the double is another number."""
    number = float(literal)
    if _is_equal(literal, number):
        return number
    shown = literal if len(literal) <= _LONGEST_NUMBER else f"{literal[:_LONGEST_NUMBER]}…"
    raise InvalidJsonError(
        f"The body contains the number {shown}, which a double cannot hold exactly.",
        hint="Round the number to 15 digits, or send it as text where text is allowed: in a "
        "column's default, or in metadata.",
    )


def _is_equal(literal: str, number: float) -> bool:
    try:
        return Decimal(literal) == Decimal(repr(number))
    except InvalidOperation:
        # The exponent has more than 18 digits.
        return False
