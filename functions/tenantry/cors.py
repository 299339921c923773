"""Which browser pages may call, and what their scripts may send and see."""

from collections.abc import Mapping

from tenantry.settings import SETTINGS

EXPOSED = "Retry-After, X-Request-Id"
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    # What supabase-js sends, and what tracing adds.
    "Access-Control-Allow-Headers": (
        "authorization, x-client-info, apikey, content-type, x-request-id, traceparent"
    ),
    "Access-Control-Max-Age": "3600",
}


def headers(origin: str | None, *, preflight: bool) -> Mapping[str, str]:
    # A cache must not hand one origin's reply to another, so Vary is there for everybody.
    vary = {"Vary": "Origin"}
    if origin is None or SETTINGS.allowed_origins.isdisjoint({origin, "*"}):
        return vary
    allowed = {
        "Access-Control-Allow-Origin": "*" if "*" in SETTINGS.allowed_origins else origin,
        "Access-Control-Expose-Headers": EXPOSED,
    }
    return vary | allowed | (PREFLIGHT if preflight else {})
