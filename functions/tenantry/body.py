"""The request's body: read within limits, and JSON in the strict sense."""

import json
from decimal import Decimal, InvalidOperation
from typing import IO, NoReturn

from werkzeug.exceptions import ClientDisconnected

from tenantry.errors import InvalidJsonError, PayloadTooLargeError

LARGEST_BODY = 1024 * 1024
CHUNK = 64 * 1024
# What a refusal quotes of a number.
LONGEST_NUMBER = 63


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
            parse_float=kept,
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


def kept(literal: str) -> float:
    """A fraction as a double, if that says the same number: what is stored is what was sent."""
    number = float(literal)
    if says(literal, number):
        return number
    shown = literal if len(literal) <= LONGEST_NUMBER else f"{literal[:LONGEST_NUMBER]}…"
    raise InvalidJsonError(
        f"The body contains the number {shown}, which a double does not keep as it is.",
        hint="Round it to 15 digits, or send it as text where text is taken: as a column's "
        "default, or in metadata.",
    )


def says(literal: str, number: float) -> bool:
    try:
        return Decimal(literal) == Decimal(repr(number))
    except InvalidOperation:
        # An exponent of more than 18 digits.
        return False
