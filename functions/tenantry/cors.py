"""The browser pages that may call, and the headers that their scripts may send and read."""

from collections.abc import Mapping

from tenantry.settings import SETTINGS

_EXPOSED = "Retry-After, X-Request-Id, X-Tenantry-Pending"
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    # supabase-js sends these; tracing adds the last one.
    "Access-Control-Allow-Headers": (
        "authorization, x-client-info, apikey, content-type, x-request-id, traceparent"
    ),
    "Access-Control-Max-Age": "3600",
}


def headers(origin: str | None, *, preflight: bool) -> Mapping[str, str]:
    # Every reply has Vary: a cache must not give one origin's reply to another origin.
    vary = {"Vary": "Origin"}
    if origin is None or SETTINGS.allowed_origins.isdisjoint({origin, "*"}):
        return vary
    allowed = {
        "Access-Control-Allow-Origin": "*" if "*" in SETTINGS.allowed_origins else origin,
        "Access-Control-Expose-Headers": _EXPOSED,
    }
    return vary | allowed | (_PREFLIGHT if preflight else {})
