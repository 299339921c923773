"""Status and code of a refused call, from the reply of either entry point."""

from __future__ import annotations

from typing import Any

import httpx

_DENIALS = {401: "not_authenticated", 403: "forbidden"}


def code(reply: httpx.Response) -> Any:
    """The code in the reply. PostgREST has our code in `details`."""
    body = reply.json()
    if "request_id" in body:
        return body["code"]
    return body["details"] or body["code"]


def refusal(reply: httpx.Response) -> tuple[int, Any]:
    """Status and code. PostgreSQL's own denial gets the code that our functions have for it."""
    if "request_id" not in reply.json() and code(reply) == "42501":
        return reply.status_code, _DENIALS[reply.status_code]
    return reply.status_code, code(reply)
