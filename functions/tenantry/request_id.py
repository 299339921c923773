"""The id of a request: the caller's, or a new one."""

import re
import uuid

from werkzeug.wrappers import Request

_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id_of(request: Request) -> str:
    given = request.headers.get("X-Request-Id", "")
    return given if _PATTERN.fullmatch(given) else uuid.uuid4().hex
