"""What `supabase/config.toml` says. The defaults are those of the Supabase CLI."""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenantry_cli.env_files import variables
from tenantry_cli.errors import TenantryError

# The emulator uses the next six ports, too.
_PORTS = range(1024, 65_001)
_VARIABLE = re.compile(r"env\((\w+)\)")
# What the emulator cannot do. A section counts once it is enabled, another setting once it has
# a value. `*` stands for any name.
_NOT_FOLLOWED = (
    *("api.tls.enabled", "db.pooler.enabled", "db.ssl_enforcement.enabled"),
    *("db.network_restrictions.enabled", "db.vault", "db.settings"),
    *("auth.email.enable_confirmations", "auth.email.secure_password_change"),
    *("auth.email.smtp.enabled", "auth.email.template", "auth.sms.*.enabled"),
    *("auth.hook.*.enabled", "auth.external.*.enabled"),
    *("auth.web3.*.enabled", "auth.third_party.*.enabled", "auth.captcha.enabled"),
    *("auth.mfa.*.enroll_enabled", "auth.oauth_server.enabled", "auth.passkey.enabled"),
    *("auth.sessions", "auth.password_requirements", "auth.jwt_issuer"),
    *("auth.signing_keys_path", "storage.buckets"),
)


@dataclass(frozen=True)
class Site:
    """Where the links of Auth lead."""

    url: str = "http://localhost:3000"
    # Patterns of other addresses that a link may name.
    also: tuple[str, ...] = ("https://localhost:3000",)


@dataclass(frozen=True)
class AuthSettings:
    enable_signup: bool = True
    enable_anonymous_sign_ins: bool = False
    jwt_expiry: int = 3600
    minimum_password_length: int = 6


@dataclass(frozen=True)
class Configuration:
    project_id: str
    port: int | None
    schemas: tuple[str, ...]
    extra_search_path: tuple[str, ...]
    max_rows: int
    # Whether the API roles may use a new table in public without a grant.
    exposes_new_tables: bool
    # Of PostgreSQL; None if the file does not say it.
    major_version: int | None
    has_migrations: bool
    has_seed: bool
    seed_paths: tuple[str, ...]
    site: Site
    auth: AuthSettings
    # The settings that the emulator does not follow, by their names.
    not_followed: tuple[str, ...]

    @classmethod
    def read(cls, file: Path) -> "Configuration":
        settings = _Settings(file, read_toml(file), variables(file.parents[1]))
        port = settings.integer("api.port", None)
        if port is not None and not _PORTS.start <= port < _PORTS.stop:
            raise TenantryError(
                f"{file}: api.port must be a number from {_PORTS.start} to {_PORTS.stop - 1}, "
                f"and is {port}."
            )
        return cls(
            project_id=settings.text("project_id", ""),
            port=port,
            schemas=settings.texts("api.schemas", ("public", "graphql_public")),
            extra_search_path=settings.texts("api.extra_search_path", ("public", "extensions")),
            max_rows=settings.integer("api.max_rows", 1000),
            exposes_new_tables=settings.boolean("api.auto_expose_new_tables", True),
            major_version=settings.integer("db.major_version", None),
            has_migrations=settings.boolean("db.migrations.enabled", True),
            has_seed=settings.boolean("db.seed.enabled", True),
            seed_paths=settings.texts("db.seed.sql_paths", ("./seed.sql",)),
            site=Site(
                settings.text("auth.site_url", Site.url),
                settings.texts("auth.additional_redirect_urls", Site.also),
            ),
            auth=AuthSettings(
                settings.boolean("auth.enable_signup", AuthSettings.enable_signup),
                settings.boolean(
                    "auth.enable_anonymous_sign_ins", AuthSettings.enable_anonymous_sign_ins
                ),
                settings.integer("auth.jwt_expiry", AuthSettings.jwt_expiry),
                # Auth allows no shorter password.
                max(
                    settings.integer(
                        "auth.minimum_password_length", AuthSettings.minimum_password_length
                    ),
                    AuthSettings.minimum_password_length,
                ),
            ),
            not_followed=tuple(settings.not_followed(port)),
        )


def read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TenantryError(f"{file} is not valid TOML: {error}.") from None


class _Settings:
    """Reads settings by their names. A value of a wrong type is refused in a sentence."""

    def __init__(self, file: Path, tables: Mapping[str, Any], given: Mapping[str, str]) -> None:
        self._file = file
        self._tables = tables
        self._given = given

    def text(self, name: str, default: str) -> str:
        value: str = self._value(name, default, "a text", lambda each: isinstance(each, str))
        return value

    def texts(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        def are_texts(value: Any) -> bool:
            return isinstance(value, list) and all(isinstance(each, str) for each in value)

        value = self._value(name, list(default), "a list of texts", are_texts)
        return tuple(str(self._resolved(name, each)) for each in value)

    def boolean(self, name: str, default: bool) -> bool:
        value: bool = self._value(
            name, default, "true or false", lambda each: isinstance(each, bool)
        )
        return value

    def integer(self, name: str, default: Any) -> Any:
        def is_count(value: Any) -> bool:
            return isinstance(value, int) and not isinstance(value, bool) and value >= 0

        return self._value(name, default, "a number that is not negative", is_count)

    def not_followed(self, port: int | None) -> Iterator[str]:
        database = self.integer("db.port", None)
        if database is not None and database != (port or 54321) + 1:
            yield "db.port"
        for pattern in _NOT_FOLLOWED:
            yield from (name for name, value in self._named(pattern) if value)

    def _value(self, name: str, default: Any, kind: str, fits: Callable[[Any], bool]) -> Any:
        found = [value for _, value in self._named(name)]
        if not found:
            return default
        value = self._resolved(name, found[0])
        if not fits(value):
            raise TenantryError(f"{self._file}: {name} must be {kind}, and is {value!r}.")
        return value

    def _resolved(self, name: str, value: Any) -> Any:
        """The value, or that of the variable which it names."""
        variable = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
        if variable is None:
            return value
        given = self._given.get(variable[1])
        if given is None:
            return value
        if given in ("true", "false"):
            return given == "true"
        return int(given) if given.isdecimal() else given

    def _named(self, pattern: str) -> Iterator[tuple[str, Any]]:
        """Each setting that the pattern names, with its value."""
        found: list[tuple[str, Any]] = [("", self._tables)]
        for part in pattern.split("."):
            below = []
            for name, table in found:
                if not isinstance(table, dict):
                    raise TenantryError(
                        f"{self._file}: {name} must be a table, and is {table!r}."
                    )
                names = list(table) if part == "*" else [part] if part in table else []
                below += [(f"{name}.{each}".lstrip("."), table[each]) for each in names]
            # `*` stands for tables. A setting beside them is none.
            if part == "*":
                below = [(name, table) for name, table in below if isinstance(table, dict)]
            found = below
        yield from found
