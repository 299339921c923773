"""The throw-away tenants and people of one run: made, put in their places, and removed."""

from __future__ import annotations

import json
import re
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import jwt
import psycopg
import requests
from psycopg import sql

from tenantry_cli.doctor.catalog import connect
from tenantry_cli.errors import TenantryError
from tenantry_cli.proof.identities import (
    ADMIN,
    ADMIN_A,
    ADMIN_B,
    ANON,
    EXPIRED,
    NOBODY,
    NOT_YET_REVOKED,
    OUTDATED,
    PEOPLE,
    READER,
    REVOKED,
    SERVICE,
    STRANGER,
    SUPER_ADMIN,
    UNNAMED,
    UNSIGNED,
    VIEWER,
    WRITER,
    WRONGLY_SIGNED,
)
from tenantry_cli.proof.rules import Audience, Identity, State, Tenant
from tenantry_cli.target import Target, key_headers

_TIMEOUT_SECONDS = 60
_BUSY_TRIES = 5
_CACHE_SECONDS = 120
# Between two looks at what PostgREST gets to when it does.
_PAUSE_SECONDS = 0.1
_EXCERPT = 300
_LONG_AGO = "2020-01-01T00:00:00Z"

GRANTS = (
    ("A", READER, "read", None),
    ("A", WRITER, "write", None),
    ("A", ADMIN_A, "admin", None),
    ("A", EXPIRED, "admin", _LONG_AGO),
    ("A", REVOKED, "admin", None),
    ("B", ADMIN_B, "admin", None),
    ("S", READER, "read", None),
    ("S", WRITER, "write", None),
    ("S", ADMIN_A, "admin", None),
    ("S", EXPIRED, "admin", _LONG_AGO),
    ("S", REVOKED, "admin", None),
)

# What SQL can make in a tenant's schema and no RPC does. None of it may be reachable but
# the lens and the hail, which ask with the rights of their caller.
_EXTRAS = """
create table {schema}.proof_unregistered (id text primary key, body text, number serial);
create view {schema}.proof_lens with (security_invoker = true)
    as select id, body from {schema}.proof_notes;
create view {schema}.proof_peephole as select id, body from {schema}.proof_notes;
create materialized view {schema}.proof_copy as select id, body from {schema}.proof_notes;
create function {schema}.proof_hail() returns setof text stable
    begin atomic select body from {schema}.proof_notes; end;
create function {schema}.proof_peek() returns setof text stable security definer
    begin atomic select body from {schema}.proof_notes; end;
"""
_EXTRAS_FILLED = """
insert into {schema}.proof_unregistered (id, body) values ('marker', {marker});
refresh materialized view {schema}.proof_copy;
select tenancy.apply_tenant_privileges({name});
grant execute on function {schema}.proof_hail() to authenticated, service_role;
"""


@dataclass
class Leftovers:
    """What a run could not remove."""

    failures: list[str] = field(default_factory=list)
    # Addresses of people, whom not every project lets remove.
    accounts: list[str] = field(default_factory=list)

    @property
    def sentences(self) -> list[str]:
        return [
            *self.failures,
            *(f"The account {email} remains: remove it by hand." for email in self.accounts),
        ]


@dataclass
class Environment:
    target: Target
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    ids: dict[Identity, str] = field(default_factory=dict)
    tokens: dict[Identity, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._http = requests.Session()
        # Begun, and so to be removed, also where an answer never came.
        self._begun_tenants: list[Tenant] = []
        self._begun_people: set[Identity] = set()
        self._begun_staff: list[Identity] = []
        self.a, self.b, self.s, self.m = (
            Tenant(letter, f"proof_{self.run}_{letter.lower()}", state)
            for letter, state in (
                ("A", State.ACTIVE),
                ("B", State.ACTIVE),
                ("S", State.SUSPENDED),
                ("M", State.MISSING),
            )
        )
        self.tenants = (self.a, self.b, self.s, self.m)
        self.made = (self.a, self.b, self.s)
        self.markers = re.compile(
            f"{self.run}-([ABS])-({'|'.join(audience.value for audience in Audience)})"
        )

    @property
    def has_sql(self) -> bool:
        return self.target.db_url is not None

    def marker(self, tenant: Tenant, audience: Audience) -> str:
        """A text that stands nowhere but in this tenant."""
        return f"{self.run}-{tenant.letter}-{audience.value}"

    def email(self, identity: Identity) -> str:
        return f"proof-{self.run}-{PEOPLE.index(identity)}@example.com"

    # Making ---------------------------------------------------------------------------------

    def reach_everything(self) -> None:
        """Asks the database and the Data API once, before anything is there to be removed."""
        if self.target.db_url is not None:
            connect(self.target.db_url).close()
        status = self.rpc("get_migration_status")
        if not isinstance(status, dict) or "latest_version" not in status:
            raise TenantryError(
                f"{self.target.rest_url} does not answer as a Data API with these migrations "
                "does: look at --url, and push the migrations first."
            )

    def make_people(self) -> None:
        first, *others = PEOPLE
        # Whatever refuses this one refuses all: one mail less is sent, and the reason is told.
        self._open_account(first)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._open_account, others))
        self.tokens[NOT_YET_REVOKED] = self.tokens[REVOKED]
        self.ids[NOT_YET_REVOKED] = self.ids[REVOKED]
        self.tokens[NOBODY] = None
        self.tokens[ANON] = self.target.anon_key
        self.tokens[SERVICE] = self.target.service_key
        self._make_impostors()

    def make_tenants(self) -> None:
        for tenant in self.made:
            self._begun_tenants.append(tenant)
            self.rpc(
                "create_tenant_schema",
                schema_name=tenant.name,
                display_name=self.marker(tenant, Audience.REGISTRY),
            )
            for table in ("proof_tags", "proof_notes", "proof_spare"):
                columns = [
                    {"name": "id", "type": "text", "primary_key": True},
                    {"name": "body", "type": "text"},
                    *([{"name": "tag", "type": "text"}] if table == "proof_notes" else []),
                ]
                self.rpc(
                    "create_table",
                    schema_name=tenant.name,
                    table_name=table,
                    columns=columns,
                    description=self.marker(tenant, Audience.STRUCTURE),
                )
            self.rpc(
                "add_foreign_key",
                schema_name=tenant.name,
                table_name="proof_notes",
                column_name="tag",
                foreign_table="proof_tags",
            )
            self._sql(_EXTRAS, tenant)
        self._sql("notify pgrst, 'reload schema'", self.a)

    def place_people(self) -> None:
        for identity, role in (
            (VIEWER, "viewer"),
            (ADMIN, "admin"),
            (SUPER_ADMIN, "super_admin"),
        ):
            self._begun_staff.append(identity)
            self.rpc("promote_to_admin", user_id=self.ids[identity], role=role)
        names = {tenant.letter: tenant.name for tenant in self.made}
        for letter, identity, level, expires_at in GRANTS:
            self.rpc(
                "grant_schema_access",
                schema_name=names[letter],
                user_id=self.ids[identity],
                access_level=level,
                expires_at=expires_at,
            )
        for tenant in self.made:
            # The stranger has a profile and no access, which is what makes a profile safe to
            # ask for.
            for identity in (STRANGER, READER, WRITER, ADMIN_A):
                self.rpc(
                    "create_user_profile",
                    schema_name=tenant.name,
                    user_id=self.ids[identity],
                    display_name=self.marker(tenant, Audience.ROWS),
                )

    def wait_until_known(self) -> None:
        """Until every entry point has heard of everything that was made last."""
        last = "proof_copy" if self.has_sql else "proof_spare"
        urls = [self.target.rest_url, self.target.postgrest_url]
        deadline = time.monotonic() + _CACHE_SECONDS
        for url in filter(None, urls):
            for tenant in self.made:
                while not self._options(url, tenant, last):
                    if time.monotonic() > deadline:
                        raise TenantryError(
                            f"The Data API still does not know {tenant.name}.{last} after "
                            f"{_CACHE_SECONDS} s: `tenantry doctor` may say why."
                        )
                    time.sleep(_PAUSE_SECONDS)

    def fill(self, sentinel_rows: list[str]) -> None:
        """A marker in each table, and the rows that writers will aim at."""
        for tenant in self.made:
            marker = self.marker(tenant, Audience.ROWS)
            self.insert(tenant, "proof_tags", [{"id": "tag", "body": marker}])
            self.insert(
                tenant,
                "proof_notes",
                [{"id": "marker", "body": marker, "tag": "tag"}]
                + [{"id": key, "body": marker, "tag": None} for key in sentinel_rows],
            )
            self.insert(
                tenant,
                "settings",
                [{"key": key, "value": marker} for key in ("marker", *sentinel_rows)],
            )
            self._sql(_EXTRAS_FILLED, tenant)

    def close_entry_points(self) -> None:
        for tenant in (self.a, self.s):
            self.rpc(
                "revoke_schema_access",
                self.tokens[ADMIN_A],
                schema_name=tenant.name,
                user_id=self.ids[REVOKED],
            )
        self.rpc(
            "suspend_tenant",
            schema_name=self.s.name,
            reason=self.marker(self.s, Audience.REGISTRY),
        )

    # Asking ---------------------------------------------------------------------------------

    def rpc(self, name: str, token: str | None = None, **arguments: Any) -> Any:
        """A call that has to succeed, by the service key unless told otherwise."""
        return self._must(
            "POST",
            f"{self.target.rest_url}/rpc/{name}",
            headers=self._headers(token or self.target.service_key),
            json=arguments,
        )

    def insert(self, tenant: Tenant, table: str, rows: list[dict[str, Any]]) -> None:
        self._must(
            "POST",
            f"{self.target.rest_url}/{table}",
            headers=self._headers(self.target.service_key)
            | {"Content-Profile": tenant.name, "Prefer": "return=minimal"},
            json=rows,
        )

    def rows(self, schema_name: str, query: str) -> list[dict[str, Any]]:
        """What the service key finds."""
        found: list[dict[str, Any]] = self._must(
            "GET",
            f"{self.target.rest_url}/{query}",
            headers=self._headers(self.target.service_key) | {"Accept-Profile": schema_name},
        )
        return found

    def _must(self, method: str, url: str, **request: Any) -> Any:
        for _ in range(_BUSY_TRIES):
            reply = self._send(method, url, **request)
            if reply.status_code != 503:
                break
        if not reply.ok:
            raise TenantryError(
                f"{method} {url} answered {reply.status_code}: {_excerpt(reply)}"
            )
        return _parsed(reply) if reply.content else None

    def _send(self, method: str, url: str, **request: Any) -> requests.Response:
        try:
            return self._http.request(method, url, timeout=_TIMEOUT_SECONDS, **request)
        except requests.RequestException as error:
            raise TenantryError(f"{method} {url}: {error}") from error

    def _headers(self, token: str) -> dict[str, str]:
        key = token if token == self.target.service_key else self.target.anon_key
        return key_headers(token, key)

    def _options(self, url: str, tenant: Tenant, table: str) -> bool:
        return self._send(
            "OPTIONS",
            f"{url}/{table}",
            headers=self._headers(self.target.anon_key) | {"Accept-Profile": tenant.name},
        ).ok

    def _sql(self, text: str, tenant: Tenant) -> None:
        if self.target.db_url is None:
            return
        statement = sql.SQL(text).format(
            schema=sql.Identifier(tenant.name),
            name=tenant.name,
            marker=self.marker(tenant, Audience.ROWS),
        )
        try:
            with psycopg.connect(self.target.db_url) as connection:
                connection.execute(statement)
        except psycopg.Error as error:
            raise TenantryError(
                f"The database of --db-url cannot prepare {tenant.name}: {error}"
            ) from error

    # Accounts -------------------------------------------------------------------------------

    def _open_account(self, identity: Identity) -> None:
        """By Auth's admin API, which asks nobody to confirm and sends no mail; without one, as
        the emulator is, by sign-up."""
        credentials = {"email": self.email(identity), "password": secrets.token_urlsafe(16)}
        self._begun_people.add(identity)
        made = self._send(
            "POST",
            f"{self.target.auth_url}/admin/users",
            headers=self._headers(self.target.service_key),
            json=credentials | {"email_confirm": True},
        )
        if made.ok:
            self.ids[identity] = _member(_parsed(made), "id")
            session = self._must(
                "POST",
                f"{self.target.auth_url}/token?grant_type=password",
                headers={"apikey": self.target.anon_key},
                json=credentials,
            )
        else:
            session = self._sign_up(identity, credentials, made)
        self.tokens[identity] = _member(session, "access_token")

    def _sign_up(
        self, identity: Identity, credentials: dict[str, str], refusal: requests.Response
    ) -> dict[str, Any]:
        reply = self._send(
            "POST",
            f"{self.target.auth_url}/signup",
            headers={"apikey": self.target.anon_key},
            json=credentials,
        )
        if not reply.ok:
            self._begun_people.discard(identity)
            raise TenantryError(
                f"Auth makes no account. By its admin API it answered {refusal.status_code}: "
                f"{_excerpt(refusal)}; by sign-up {reply.status_code}: {_excerpt(reply)}"
            )
        session: dict[str, Any] = _parsed(reply)
        self.ids[identity] = _member(_member(session, "user", session), "id")
        if "access_token" not in session:
            raise TenantryError(
                "Sign-up needs confirmation, and Auth's admin API does not take the service "
                f"key: it answered {refusal.status_code}: {_excerpt(refusal)}"
            )
        return session

    def _make_impostors(self) -> None:
        now = int(time.time())
        signed_in = {
            "sub": self.ids[ADMIN_A],
            "role": "authenticated",
            "aud": "authenticated",
            "iat": now,
            "exp": now + 3600,
        }
        service = {"role": "service_role", "iat": now, "exp": now + 3600}
        self.tokens[UNSIGNED] = jwt.encode(service, "", algorithm="none")
        self.tokens[WRONGLY_SIGNED] = jwt.encode(service, secrets.token_hex(32), "HS256")
        if self.target.jwt_secret is not None:
            secret = self.target.jwt_secret
            old = signed_in | {"iat": now - 7200, "exp": now - 3600}
            self.tokens[OUTDATED] = jwt.encode(old, secret, "HS256")
            unnamed = {name: value for name, value in signed_in.items() if name != "sub"}
            self.tokens[UNNAMED] = jwt.encode(unnamed, secret, "HS256")

    # Removing -------------------------------------------------------------------------------

    def remove(self) -> Leftovers:
        """What was made, however far it got; what is left of it after trying all."""
        left = Leftovers()
        for tenant in self._begun_tenants:
            try:
                self._remove_tenant(tenant)
            except TenantryError as error:
                left.failures.append(f"The tenant {tenant.name} could not be removed: {error}")
        for identity in self._begun_staff:
            # An account that outlives the run must not have outlived its role.
            try:
                self._remove_role(identity)
            except TenantryError as error:
                left.failures.append(
                    f"The platform role of {self.email(identity)} could not be taken: {error}"
                )
        if self._begun_people:
            self._remove_people(left)
        return left

    def _remove_tenant(self, tenant: Tenant) -> None:
        known = self._send(
            "POST",
            f"{self.target.rest_url}/rpc/check_tenant_status",
            headers=self._headers(self.target.service_key),
            json={"schema_name": tenant.name},
        )
        if known.status_code == 404:
            return
        self.rpc("suspend_tenant", schema_name=tenant.name)
        self.rpc("delete_tenant_schema", schema_name=tenant.name)

    def _remove_role(self, identity: Identity) -> None:
        reply = self._send(
            "POST",
            f"{self.target.rest_url}/rpc/revoke_admin",
            headers=self._headers(self.target.service_key),
            json={"user_id": self.ids[identity]},
        )
        # Who has none any more, and the project's only super_admin, whose account goes next.
        if not reply.ok and not any(
            code in reply.text for code in ("user_not_found", "last_super_admin")
        ):
            raise TenantryError(f"the answer was {reply.status_code}: {_excerpt(reply)}")

    def _remove_people(self, left: Leftovers) -> None:
        people = sorted(self._begun_people, key=PEOPLE.index)
        emails = [self.email(identity) for identity in people]
        if self.target.db_url is not None:
            try:
                with psycopg.connect(self.target.db_url) as connection:
                    connection.execute(
                        "delete from auth.users where email = any(%s)", (emails,)
                    )
            except psycopg.Error as error:
                left.failures.append(f"The accounts could not be removed: {error}")
                left.accounts += emails
            return
        for identity, email in zip(people, emails, strict=True):
            # Without an id its making was never answered.
            with suppress(TenantryError, KeyError):
                gone = self._send(
                    "DELETE",
                    f"{self.target.auth_url}/admin/users/{self.ids[identity]}",
                    headers=self._headers(self.target.service_key),
                )
                if gone.ok:
                    continue
            left.accounts.append(email)


def _parsed(reply: requests.Response) -> Any:
    try:
        return reply.json()
    except ValueError as error:
        raise TenantryError(
            f"{reply.url} answered {reply.status_code} with something else than JSON, so it is "
            f"no Supabase project: {_excerpt(reply)}"
        ) from error


def _member(body: Any, name: str, *default: Any) -> Any:
    if isinstance(body, dict) and (name in body or default):
        return body.get(name, *default)
    raise TenantryError(f"Auth answered without {name}: {json.dumps(body)[:_EXCERPT]}")


def _excerpt(reply: requests.Response) -> str:
    """The beginning: a page of HTML says no more by being long."""
    return reply.text[:_EXCERPT]
