"""The settings of a process, from its environment."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from tenantry.caller import claims


class BadSetting(SystemExit):
    """Ends a process that cannot serve, with one sentence and without a stack trace."""


@dataclass(frozen=True)
class Settings:
    google_cloud_project: str | None
    supabase_url: str
    supabase_anon_key: str = field(repr=False)
    allowed_origins: frozenset[str]
    upstream_timeout_seconds: float
    cache_wait_seconds: float
    functions_url: str | None
    public_supabase_url: str
    supabase_js: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        def setting(name: str, meaning: str) -> str:
            if name not in environment:
                raise BadSetting(f"{name} is not set: it holds {meaning}.")
            return environment[name].strip()

        url = setting("SUPABASE_URL", "the address of the Supabase project")
        key = setting("SUPABASE_ANON_KEY", "the project's anon or publishable key")
        origins = setting(
            "TENANTRY_ALLOWED_ORIGINS",
            "the browser origins that may call, separated by commas, or *, or nothing",
        )
        timeout = setting(
            "TENANTRY_UPSTREAM_TIMEOUT_SECONDS",
            "how many seconds the database API may take to answer",
        )
        cache_wait = environment.get("TENANTRY_CACHE_WAIT_SECONDS", "").strip()
        # Only documents use it. Without it they name their server relative to themselves.
        functions_url = environment.get("TENANTRY_FUNCTIONS_URL", "").strip().rstrip("/")
        # Browsers may reach the project at another address than the functions do.
        public_url = environment.get("TENANTRY_PUBLIC_SUPABASE_URL", "").strip() or url
        return cls(
            # Google Cloud sets it. Without it log lines name traces by their id alone.
            google_cloud_project=environment.get("GOOGLE_CLOUD_PROJECT", "").strip() or None,
            supabase_url=_web_address("SUPABASE_URL", url),
            supabase_anon_key=_public_key(key),
            allowed_origins=frozenset(filter(None, map(str.strip, origins.split(",")))),
            upstream_timeout_seconds=_positive_seconds(timeout),
            cache_wait_seconds=_cache_wait_seconds(cache_wait),
            functions_url=_web_address("TENANTRY_FUNCTIONS_URL", functions_url)
            if functions_url
            else None,
            public_supabase_url=_web_address("TENANTRY_PUBLIC_SUPABASE_URL", public_url),
            # A deployed process works in the folder of main.py.
            supabase_js=Path(
                environment.get("TENANTRY_SUPABASE_JS", "").strip() or "console/supabase.js"
            ),
        )


def _web_address(name: str, text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise BadSetting(f"{name} must be an http or https address.")
    return text


def _public_key(text: str) -> str:
    if not text.isascii() or not text.isprintable() or not text:
        raise BadSetting("SUPABASE_ANON_KEY must be the project's anon or publishable key.")
    # With a service key, every caller without a usable token would be a super_admin.
    if text.startswith("sb_secret_") or claims(text).get("role") == "service_role":
        raise BadSetting(
            "SUPABASE_ANON_KEY holds a service key: set the anon or publishable key instead."
        )
    return text


def _positive_seconds(text: str) -> float:
    if not (0 < (seconds := _number(text)) < math.inf):
        raise BadSetting("TENANTRY_UPSTREAM_TIMEOUT_SECONDS must be a number above 0.")
    return seconds


def _cache_wait_seconds(text: str) -> float:
    if not text:
        return 5
    if not (0 <= (seconds := _number(text)) < math.inf):
        raise BadSetting("TENANTRY_CACHE_WAIT_SECONDS must be a number, 0 or above.")
    return seconds


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


# Read at import: a process without its settings fails at its start, not at its first request.
SETTINGS = Settings.from_environment(os.environ)
