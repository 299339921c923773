"""The temporary tenants and users of one run: creates and removes them."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import jwt
import psycopg
import requests
from psycopg import sql
from tenacity.wait import wait_fixed

from tenantry_cli.database import open_database
from tenantry_cli.doctor.catalog import connect
from tenantry_cli.errors import TenantryError
from tenantry_cli.http_client import BUSY_STATUSES, HttpClient, retrying, unanswered
from tenantry_cli.proof.forged_tokens import forged_tokens
from tenantry_cli.proof.identities import (
    ACCOUNTS,
    ADMIN,
    ADMIN_A,
    ADMIN_B,
    ANON,
    BANNED,
    BANNED_STAFF,
    COVERING,
    DELETED,
    DOMAIN_USER,
    EXPIRED,
    EXPIRED_TOKEN,
    NOBODY,
    PUBLIC_DOMAIN_USER,
    READER,
    REMOVED,
    REVOKED,
    ROLE_HOLDER,
    ROW_OWNER,
    SAME_ACCOUNT,
    SERVICE,
    STRANGER,
    SUBDOMAIN_USER,
    SUPER_ADMIN,
    SUPPORT,
    SUPPORT_ENDED,
    SUPPORT_EXPIRED,
    UNCONFIRMED,
    UNSIGNED,
    VIEWER,
    WITHOUT_USER,
    WRITER,
    WRONGLY_SIGNED,
)
from tenantry_cli.proof.relations import Relation
from tenantry_cli.proof.rules import ALL_ROWS, OTHER, Identity, State, Tenant, Visibility
from tenantry_cli.proof.run import Run, run_that_is_over
from tenantry_cli.proof.transport import PagePaths, is_overload, overloaded
from tenantry_cli.signals import completed
from tenantry_cli.target import (
    JWT_SECRET_NAMES,
    REGISTRY_PROFILE,
    Target,
    is_key_refused,
    key_headers,
    refused_key,
)
from tenantry_cli.waiting import wait_until

_TIMEOUT_SECONDS = 60
# The database does not wait while another session keeps the tenant for more than a second.
# An overloaded project gets half a minute, above all while the run removes what it made.
_RETRY_BUSY = retrying(30, statuses=BUSY_STATUSES, wait=wait_fixed(1))
# PostgREST reloads its schema cache meanwhile.
_CACHE_SECONDS = 120
_INTERVAL_SECONDS = 0.1
_EXCERPT = 300
_PAGE = 1000
_KEEP = "let the accounts of the proof stay, with --keep-accounts"
_LONG_AGO = "2020-01-01T00:00:00Z"
_READING = ("GET", "OPTIONS")
# One that is on the list.
PUBLIC_DOMAIN = "gmail.com"

GRANTS = (
    ("A", READER, "read", None),
    ("A", WRITER, "write", None),
    ("A", ROLE_HOLDER, "write", None),
    ("A", ROW_OWNER, "write", None),
    ("A", ADMIN_A, "admin", None),
    ("A", EXPIRED, "admin", _LONG_AGO),
    ("A", REVOKED, "admin", None),
    ("B", ADMIN_B, "admin", None),
    ("S", READER, "read", None),
    ("S", WRITER, "write", None),
    ("S", ROLE_HOLDER, "write", None),
    ("S", ROW_OWNER, "write", None),
    ("S", ADMIN_A, "admin", None),
    ("S", EXPIRED, "admin", _LONG_AGO),
    ("S", REVOKED, "admin", None),
    ("A", BANNED, "admin", None),
    ("B", BANNED, "read", None),
    ("A", DELETED, "write", None),
    ("B", DELETED, "admin", None),
)
# The roles that these grants carry. The one of the reader is narrowed afterwards.
ROLES = {ROLE_HOLDER: "proof_holder", READER: "proof_reader"}
STAFF = (
    (VIEWER, "viewer"),
    (ADMIN, "admin"),
    (SUPER_ADMIN, "super_admin"),
    (BANNED_STAFF, "super_admin"),
    (COVERING, "admin"),
    (SUPPORT, "admin"),
    (SUPPORT_EXPIRED, "admin"),
    (SUPPORT_ENDED, "admin"),
    # Until the role expires, before the first attempt.
    (EXPIRED, "super_admin"),
)
# In the tenants A and S.
SUPPORT_ACCESS = ((SUPPORT, "read"), (SUPPORT_EXPIRED, "admin"), (SUPPORT_ENDED, "admin"))

# Rolled back. `immediate` also runs what waits for the end of a transaction.
_TRIAL_ACCOUNT = """
insert into auth.users (id, email, aud, role, raw_app_meta_data, raw_user_meta_data)
values (gen_random_uuid(), {email}, 'authenticated', 'authenticated', '{{}}', '{{}}');
delete from auth.users where email = {email};
set constraints all immediate;
"""

# Objects in a tenant schema that only SQL can create. API roles may use only the view and the
# function that run with the rights of their caller.
_CREATE_OBJECTS = """
select tenancy.declare_permission({all_rows}), tenancy.declare_permission({other});
create table {schema}.proof_owned (id text primary key, body text, owner_id uuid);
select tenancy.enable_tenant_table(
    {name}, 'proof_owned', rows => 'own', owner_column => 'owner_id', all_rows => {all_rows}
);
select tenancy.apply_tenant_privileges({name});
create table {schema}.proof_unregistered (id text primary key, body text, number serial);
-- With an offset the view cannot be written. Its rows are those of proof_notes, whose writes
-- are tried already.
create view {schema}.proof_invoker_view with (security_invoker = true)
    as select id, body from {schema}.proof_notes offset 0;
create view {schema}.proof_definer_view as select id, body from {schema}.proof_notes;
create materialized view {schema}.proof_materialized_view
    as select id, body from {schema}.proof_notes;
create function {schema}.proof_invoker_function() returns setof text stable
    begin atomic select body from {schema}.proof_notes; end;
create function {schema}.proof_definer_function() returns setof text stable security definer
    begin atomic select body from {schema}.proof_notes; end;
"""
_FILL_OBJECTS = """
insert into {schema}.proof_unregistered (id, body) values ('marker', {marker});
refresh materialized view {schema}.proof_materialized_view;
select tenancy.apply_tenant_privileges({name});
grant execute on function {schema}.proof_invoker_function() to authenticated, service_role;
"""


@dataclass
class Leftovers:
    """What a run could not remove."""

    failures: list[str] = field(default_factory=list)
    # The email addresses of accounts, which not every project allows to delete.
    accounts: list[str] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        if not self.accounts[1:]:
            return [f"The account {each} remains. Delete it by hand." for each in self.accounts]
        listed = ", ".join(self.accounts)
        return [f"These accounts remain. Delete them by hand: {listed}."]

    @property
    def sentences(self) -> list[str]:
        return [*self.failures, *self.notes]


@dataclass
class Environment:
    target: Target
    run: Run = field(default_factory=Run)
    # Whether an account may remain, without grants and without a role.
    keeps_accounts: bool = False
    ids: dict[Identity, str] = field(default_factory=dict)
    tokens: dict[Identity, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._http = HttpClient(timeout=_TIMEOUT_SECONDS)
        # What has to be removed, even if the request to create it was not answered.
        self._begun_tenants: list[Tenant] = []
        self._begun_users: set[Identity] = set()
        self._begun_staff: list[Identity] = []
        self._has_admin_api = False
        # The account of the first trial, if it stays until the end.
        self._trial: tuple[str, str] | None = None
        # Whose role could not be revoked, because no other super_admin is there.
        self._last_admin: Identity | None = None
        # The paths in public that are the project's own: as the service key sees them, and as
        # anybody does.
        self.own_paths: frozenset[str] = frozenset()
        self.open_paths: frozenset[str] = frozenset()
        # Earlier runs whose remains were removed.
        self.removed: list[str] = []
        # Whether users could be banned and soft-deleted.
        self.has_inactive_users = False
        # The limits of the platform. Only SQL reads them.
        self.limits: dict[str, int] = {}
        self.a, self.b, self.s, self.m = (
            Tenant(letter, self.run.tenant(letter), state)
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
            f"{self.run.id}-([ABS])-({'|'.join(visibility.value for visibility in Visibility)})"
        )

    @property
    def has_sql(self) -> bool:
        return self.target.db_url is not None

    @property
    def has_retention(self) -> bool:
        """Whether audit logs keep their entries for some days, as far as is known."""
        return self.limits.get("audit_retention_days", 0) > 0

    def marker(self, tenant: Tenant, visibility: Visibility) -> str:
        """A text that occurs only in this tenant."""
        return f"{self.run.id}-{tenant.letter}-{visibility.value}"

    def email(self, identity: Identity) -> str:
        domains = {
            **dict.fromkeys((DOMAIN_USER, UNCONFIRMED, REMOVED), self.run.domain),
            SUBDOMAIN_USER: f"mail.{self.run.domain}",
            PUBLIC_DOMAIN_USER: PUBLIC_DOMAIN,
        }
        return self.run.email(ACCOUNTS.index(identity), domains.get(identity, "example.com"))

    def body(self, relation: Relation, key: str) -> dict[str, Any]:
        """The row that attempts insert; an owned one belongs to the owner of the others."""
        body = relation.body(key)
        return body | {"owner_id": self.ids[ROW_OWNER]} if relation.is_owned else body

    def display_name(self, tenant: Tenant) -> str:
        return self.run.signed(self.marker(tenant, Visibility.REGISTRY))

    # Creating -------------------------------------------------------------------------------

    def check_connections(self) -> None:
        """Checks the database, the Data API and the keys, before anything is created."""
        if self.target.db_url is not None:
            with connect(self.target.db_url) as connection:
                settings = connection.execute("select s.* from tenancy.platform_settings s")
                self.limits = dict(settings.fetchone() or {})
        status = self.rpc("get_migration_status")
        if not isinstance(status, dict) or "latest_version" not in status:
            raise TenantryError(
                f"{self.target.rest_url} does not answer as a Data API with these migrations. "
                "Check --url, and push the migrations first."
            )
        self.open_paths = self._paths_of_project(self.target.anon_key)
        self.own_paths = self._paths_of_project(self.target.service_key) | self.open_paths
        for url in filter(None, (self.target.postgrest_url, self.target.functions_url)):
            self._send("GET", url)
        if self.target.jwt_secret is not None:
            self._check_secret(self.target.jwt_secret)

    def _check_secret(self, secret: str) -> None:
        """With a wrong secret, every token that the run signs would be refused."""
        claims = {"role": "anon", "exp": int(time.time()) + 3600}
        reply = self._send(
            "GET",
            f"{self.target.rest_url}/",
            headers=key_headers(jwt.encode(claims, secret, "HS256"), self.target.anon_key),
        )
        if is_key_refused(reply):
            raise TenantryError(
                f"{self.target.api_url} does not accept tokens that are signed with "
                f"{JWT_SECRET_NAMES}. Copy the JWT secret of this project again, or leave it "
                "out."
            )

    def _paths_of_project(self, key: str) -> frozenset[str]:
        """What a key shows of the project's own functions and tables in public."""
        page = self._send("GET", f"{self.target.rest_url}/", headers=self._headers(key))
        if is_key_refused(page):
            is_anon = key != self.target.service_key
            raise refused_key(self.target.api_url, page, is_anon=is_anon)
        # A hosted project may show the page to the service key only.
        return PagePaths.of(page.text).others

    def remove_leftovers(self) -> Leftovers:
        """Removes what earlier runs left that were killed."""
        rows = self.rows(
            "public",
            "tenants?select=schema_name,display_name,created_at&schema_name=like.proof_*",
        )
        tenants = {row["schema_name"]: run for row in rows if (run := run_that_is_over(row))}
        left = Leftovers()
        for run in {run.id: run for run in tenants.values()}.values():
            names = [name for name, each in tenants.items() if each == run]
            self._remove_accounts_of(run, names, left)
            for name in names:
                self._remove_tenant(name, left)
            self._remove_permissions(run, left)
            self.removed.append(run.id)
        return left

    def _remove_accounts_of(self, run: Run, tenants: list[str], left: Leftovers) -> None:
        """Removes the accounts of a run of which only the names are known."""
        listed = ",".join(tenants)
        # Auth changes the address of a user whom it soft-deletes, but the grants stay.
        granted = self.rows(
            "public", f"user_schema_access?select=user_id&schema_name=in.({listed})"
        )
        ids = {row["user_id"] for row in granted}
        if self.target.db_url is not None:
            self._delete_accounts(run.emails, [*ids], left)
        elif self._has_admin_api:
            pattern = re.compile(run.emails)
            ids |= {
                user["id"]
                for user in self._accounts()
                if pattern.match(user.get("email") or "")
            }
            for user_id in ids:
                if not self._delete_account(user_id):
                    left.accounts.append(user_id)
        else:
            left.accounts.append(f"of run {run.id}")

    def _accounts(self) -> Iterator[dict[str, Any]]:
        """All accounts, as the admin API of Auth lists them."""
        for page in count(1):
            found = self._send_successfully(
                "GET",
                f"{self.target.auth_url}/admin/users?page={page}&per_page={_PAGE}",
                headers=self._headers(self.target.service_key),
            )
            users = _field(found, "users")
            if not users:
                return
            yield from users

    def check_accounts(self) -> None:
        """Tries whether an account can be removed again: a row that a trigger makes may hold
        it."""
        if self.target.db_url is not None and not self.keeps_accounts:
            self._try_account_in_sql(self.target.db_url)
        email = self.run.email("trial")
        with completed():
            self._try_account_in_auth(email)

    def _try_account_in_auth(self, email: str) -> None:
        made = self._send(
            "POST",
            f"{self.target.auth_url}/admin/users",
            headers=self._headers(self.target.service_key),
            json={
                "email": email,
                "password": secrets.token_urlsafe(16),
                "email_confirm": True,
            },
        )
        if not made.ok:
            # Then accounts are created by sign-up, which says what is wrong.
            return
        self._has_admin_api = True
        if self.keeps_accounts:
            self._trial = (_field(_parsed(made), "id"), email)
            return
        gone = self._send(
            "DELETE",
            f"{self.target.auth_url}/admin/users/{_field(_parsed(made), 'id')}",
            headers=self._headers(self.target.service_key),
        )
        if not gone.ok:
            raise TenantryError(
                f"Auth cannot remove an account again (status {gone.status_code}: "
                f"{_excerpt(gone)}). A row that your trigger on auth.users makes may refer to "
                f"the account: add `on delete cascade` to its foreign key, or {_KEEP}. The "
                f"account {email} remains. Delete it by hand; nothing else was created."
            )

    def _try_account_in_sql(self, db_url: str) -> None:
        with open_database(db_url) as connection:
            try:
                email = sql.Literal(self.run.email("trial"))
                connection.execute(sql.SQL(_TRIAL_ACCOUNT).format(email=email))
            except psycopg.errors.InsufficientPrivilege:
                # Auth decides, below.
                pass
            except psycopg.errors.ForeignKeyViolation as error:
                table = f"{error.diag.schema_name}.{error.diag.table_name}"
                raise TenantryError(
                    f"An account of Auth cannot be removed again, because a row of {table} "
                    f"refers to it ({error.diag.constraint_name}). Add `on delete cascade` to "
                    f"this foreign key, or {_KEEP}. Nothing was created."
                ) from error
            except psycopg.Error as error:
                raise TenantryError(
                    "Your triggers on auth.users do not allow an account to be created and "
                    f"removed ({error.diag.message_primary}). If only the removal fails, "
                    f"{_KEEP}. Nothing was created."
                ) from error
            finally:
                connection.rollback()

    def create_users(self) -> None:
        first, *others = ACCOUNTS
        # If Auth refuses the first account, it is not asked for the others.
        with completed():
            self._create_account(first)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._create_account, others))
        for identity, account in SAME_ACCOUNT.items():
            self.tokens[identity] = self.tokens[account]
            self.ids[identity] = self.ids[account]
        self.tokens[NOBODY] = None
        self.tokens[ANON] = self.target.anon_key
        self.tokens[SERVICE] = self.target.service_key
        self._create_invalid_tokens()

    def create_tenants(self) -> None:
        for tenant in self.made:
            self._begun_tenants.append(tenant)
            self.rpc(
                "create_tenant_schema",
                schema_name=tenant.name,
                display_name=self.display_name(tenant),
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
                    description=self.marker(tenant, Visibility.STRUCTURE),
                )
            self.rpc(
                "add_foreign_key",
                schema_name=tenant.name,
                table_name="proof_notes",
                column_name="tag",
                foreign_table="proof_tags",
            )
            self._sql(_CREATE_OBJECTS, tenant)
        self._sql("notify pgrst, 'reload schema'", self.a)

    def assign_permissions(self) -> None:
        for identity, role in STAFF:
            self.promote(identity, role)
        names = {tenant.letter: tenant.name for tenant in self.made}
        # Only SQL can declare permissions.
        if self.has_sql:
            self._define_roles([ALL_ROWS], [ALL_ROWS, OTHER])
        for letter, identity, level, expires_at in GRANTS:
            self.rpc(
                "grant_schema_access",
                schema_name=names[letter],
                user_id=self.ids[identity],
                access_level=level,
                expires_at=expires_at,
                roles=[ROLES[identity]] if self.has_sql and identity in ROLES else None,
            )
        if self.has_sql:
            self._define_roles([ALL_ROWS], [OTHER])
        for tenant in (self.a, self.s):
            for identity, level in SUPPORT_ACCESS:
                self.rpc(
                    "open_support_access",
                    self.tokens[identity],
                    schema_name=tenant.name,
                    reason="The proof.",
                    minutes=240,
                    access_level=level,
                )
        for tenant in self.made:
            # The stranger has a profile but no access: a profile alone must not give access.
            # Members rename themselves during the run; whose grant has expired cannot.
            for identity in (STRANGER, EXPIRED, READER, WRITER, ADMIN_A, SUPPORT):
                self.rpc(
                    "create_user_profile",
                    schema_name=tenant.name,
                    user_id=self.ids[identity],
                    display_name=self.marker(tenant, Visibility.ROWS),
                )

    def _define_roles(self, *permissions: list[str]) -> None:
        for tenant in self.made:
            for role, names in zip(ROLES.values(), permissions, strict=True):
                self.rpc(
                    "define_role",
                    schema_name=tenant.name,
                    role_name=role,
                    permissions=[self.run.permission(name) for name in names],
                )

    def promote(self, identity: Identity, role: str) -> None:
        self._begun_staff.append(identity)
        self.rpc("promote_to_admin", user_id=self.ids[identity], role=role)

    def wait_until_known(self) -> None:
        """Waits until every entry point knows the table that was created last."""
        last = "proof_materialized_view" if self.has_sql else "proof_spare"
        urls = [self.target.rest_url, self.target.postgrest_url]
        for url in filter(None, urls):
            for tenant in self.made:
                wait_until(
                    partial(self._is_known, url, tenant, last),
                    f"the Data API knows {tenant.name}.{last}",
                    seconds=_CACHE_SECONDS,
                    interval=_INTERVAL_SECONDS,
                    hint="Run `tenantry doctor` to find the reason.",
                )

    def insert_markers(self, sentinel_rows: list[str]) -> None:
        """Inserts a marker into each table, and the sentinel rows."""
        for tenant in self.made:
            marker = self.marker(tenant, Visibility.ROWS)
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
            if self.has_sql:
                owner = self.ids[ROW_OWNER]
                self.insert(
                    tenant,
                    "proof_owned",
                    [{"id": key, "body": marker, "owner_id": owner} for key in sentinel_rows],
                )
            self._sql(_FILL_OBJECTS, tenant)

    def revoke_and_suspend(self) -> None:
        for tenant in (self.a, self.s):
            self.rpc(
                "revoke_schema_access",
                self.tokens[ADMIN_A],
                schema_name=tenant.name,
                user_id=self.ids[REVOKED],
            )
            self.rpc(
                "close_support_access",
                self.tokens[ADMIN_A],
                schema_name=tenant.name,
                user_id=self.ids[SUPPORT_ENDED],
            )
        self._expire()
        self.rpc(
            "suspend_tenant",
            schema_name=self.s.name,
            reason=self.marker(self.s, Visibility.REGISTRY),
        )

    def _expire(self) -> None:
        """In SQL, because nobody can give support access or a role that has expired already."""
        user_id = self.ids[SUPPORT_EXPIRED]
        if self.has_sql:
            self._execute(
                "update public.user_schema_access set expires_at = now() - interval '1 minute'"
                " where user_id = {user_id}::uuid;"
                "update public.admin_users set expires_at = now() - interval '1 minute'"
                " where user_id = {staff_id}::uuid",
                user_id=user_id,
                staff_id=self.ids[EXPIRED],
            )
            return
        for tenant in (self.a, self.s):
            self.rpc("revoke_schema_access", schema_name=tenant.name, user_id=user_id)
        self.rpc("revoke_admin", user_id=self.ids[EXPIRED])

    def deactivate_users(self) -> None:
        """Bans and soft-deletes users, with the admin API of Auth or in its table."""
        if self._has_admin_api:
            for identity in (BANNED, BANNED_STAFF):
                self._administer("PUT", identity, {"ban_duration": "24h"})
            self._administer("DELETE", DELETED, {"should_soft_delete": True})
        elif self.has_sql:
            self._execute(
                "update auth.users set banned_until = now() + interval '1 day'"
                " where id = any ({banned}::uuid[]);"
                "update auth.users set deleted_at = now() where id = {deleted}::uuid",
                banned=[self.ids[BANNED], self.ids[BANNED_STAFF]],
                deleted=self.ids[DELETED],
            )
        else:
            return
        self.has_inactive_users = True

    def unconfirm_address(self) -> None:
        """Only SQL can take the confirmation of an address back."""
        if self.has_sql:
            self._execute(
                "update auth.users set email_confirmed_at = null where id = {user}::uuid",
                user=self.ids[UNCONFIRMED],
            )

    def _administer(self, method: str, identity: Identity, body: dict[str, Any]) -> None:
        self._send_successfully(
            method,
            f"{self.target.auth_url}/admin/users/{self.ids[identity]}",
            headers=self._headers(self.target.service_key),
            json=body,
        )

    # Requests -------------------------------------------------------------------------------

    def rpc(self, name: str, token: str | None = None, **arguments: Any) -> Any:
        """Calls an RPC, which has to succeed. The default token is the service key."""
        return self._send_successfully(
            "POST",
            f"{self.target.rest_url}/rpc/{name}",
            headers=self._headers(token or self.target.service_key),
            json=arguments,
        )

    def insert(self, tenant: Tenant, table: str, rows: list[dict[str, Any]]) -> None:
        self._send_successfully(
            "POST",
            f"{self.target.rest_url}/{table}",
            headers=self._headers(self.target.service_key)
            | {"Content-Profile": tenant.name, "Prefer": "return=minimal"},
            json=rows,
        )

    def rows(self, schema_name: str, query: str) -> list[dict[str, Any]]:
        """The rows that the service key reads."""
        found: list[dict[str, Any]] = self._send_successfully(
            "GET",
            f"{self.target.rest_url}/{query}",
            headers=self._headers(self.target.service_key) | {"Accept-Profile": schema_name},
        )
        return found

    def _send_successfully(self, method: str, url: str, **request: Any) -> Any:
        reply: requests.Response = _RETRY_BUSY(self._send, method, url, **request)
        if is_key_refused(reply):
            raise refused_key(self.target.api_url, reply)
        if is_overload(reply.status_code, reply.text):
            raise overloaded(url, reply.status_code)
        if not reply.ok:
            raise TenantryError(
                f"{method} {url} answered {reply.status_code}: {_excerpt(reply)}"
            )
        return _parsed(reply) if reply.content else None

    def _send(self, method: str, url: str, **request: Any) -> requests.Response:
        try:
            with nullcontext() if method in _READING else completed():
                return self._http.request(method, url, **request)
        except requests.RequestException as error:
            raise TenantryError(unanswered(url, error)) from error

    def _headers(self, token: str) -> dict[str, str]:
        key = token if token == self.target.service_key else self.target.anon_key
        return key_headers(token, key) | REGISTRY_PROFILE

    def _is_known(self, url: str, tenant: Tenant, table: str) -> bool:
        return self._send(
            "OPTIONS",
            f"{url}/{table}",
            headers=self._headers(self.target.anon_key) | {"Accept-Profile": tenant.name},
        ).ok

    def _sql(self, text: str, tenant: Tenant) -> None:
        if self.has_sql:
            self._execute(
                text,
                schema=sql.Identifier(tenant.name),
                name=tenant.name,
                marker=self.marker(tenant, Visibility.ROWS),
                all_rows=self.run.permission(ALL_ROWS),
                other=self.run.permission(OTHER),
            )

    def _execute(self, text: str, **values: Any) -> None:
        try:
            with open_database(self.target.db_url or "") as connection:
                connection.execute(sql.SQL(text).format(**values))
        except psycopg.Error as error:
            raise TenantryError(
                f"The database of --db-url cannot prepare the run: {error}"
            ) from error

    # Accounts -------------------------------------------------------------------------------

    def _create_account(self, identity: Identity) -> None:
        """Creates an account with the admin API of Auth, which sends no mail.

        Where the admin API is missing, the account is created by sign-up.
        """
        credentials = {"email": self.email(identity), "password": secrets.token_urlsafe(16)}
        self._begun_users.add(identity)
        made = self._send(
            "POST",
            f"{self.target.auth_url}/admin/users",
            headers=self._headers(self.target.service_key),
            json=credentials | {"email_confirm": True},
        )
        if made.ok:
            self._has_admin_api = True
            self.ids[identity] = _field(_parsed(made), "id")
            session = self._send_successfully(
                "POST",
                f"{self.target.auth_url}/token?grant_type=password",
                headers={"apikey": self.target.anon_key},
                json=credentials,
            )
        else:
            session = self._sign_up(identity, credentials, made)
        self.tokens[identity] = _field(session, "access_token")

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
            self._begun_users.discard(identity)
            raise TenantryError(
                "Auth creates no account. Its admin API answered "
                f"{refusal.status_code}: {_excerpt(refusal)}; sign-up answered "
                f"{reply.status_code}: {_excerpt(reply)}"
            )
        session: dict[str, Any] = _parsed(reply)
        self.ids[identity] = _field(_field(session, "user", session), "id")
        if "access_token" not in session:
            raise TenantryError(
                "Sign-up needs confirmation, and the admin API of Auth refuses the service "
                f"key. The admin API answered {refusal.status_code}: {_excerpt(refusal)}"
            )
        return session

    def _create_invalid_tokens(self) -> None:
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
        self.tokens |= forged_tokens(self._published_keys(), service)
        if self.target.jwt_secret is not None:
            secret = self.target.jwt_secret
            old = signed_in | {"iat": now - 7200, "exp": now - 3600}
            self.tokens[EXPIRED_TOKEN] = jwt.encode(old, secret, "HS256")
            unnamed = {name: value for name, value in signed_in.items() if name != "sub"}
            self.tokens[WITHOUT_USER] = jwt.encode(unnamed, secret, "HS256")

    def _published_keys(self) -> list[dict[str, Any]]:
        """The public keys that verify tokens. None if a shared secret signs them."""
        reply = self._send(
            "GET",
            f"{self.target.auth_url}/.well-known/jwks.json",
            headers={"apikey": self.target.anon_key},
        )
        if not reply.ok:
            return []
        keys = _parsed(reply).get("keys")
        return [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []

    # Removing -------------------------------------------------------------------------------

    def remove(self) -> Leftovers:
        """Removes what was created, and returns what could not be removed."""
        left = Leftovers()
        for identity in self._begun_staff:
            # An account may remain after the run, but it must not keep its platform role.
            try:
                self._remove_role(identity)
            except TenantryError as error:
                left.failures.append(
                    f"The platform role of {self.email(identity)} could not be revoked: {error}"
                )
        if self._begun_users or self._trial is not None:
            self._remove_users(left)
        # Last: they are the sign by which the next run finds what this one has left.
        for tenant in self._begun_tenants:
            self._remove_tenant(tenant.name, left)
        if self._begun_tenants:
            self._remove_permissions(self.run, left)
        return left

    def close(self) -> None:
        self._http.close()

    def _remove_tenant(self, name: str, left: Leftovers) -> None:
        try:
            if self.rows("public", f"tenants?select=id&schema_name=eq.{name}"):
                self.rpc("suspend_tenant", schema_name=name)
                self.rpc("delete_tenant_schema", schema_name=name)
        except TenantryError as error:
            left.failures.append(f"The tenant {name} could not be removed: {error}")

    def _remove_permissions(self, run: Run, left: Leftovers) -> None:
        if not self.has_sql:
            return
        try:
            self._execute(
                "delete from tenancy.permissions where permission = any ({names})",
                names=[run.permission(name) for name in (ALL_ROWS, OTHER)],
            )
        except TenantryError as error:
            left.failures.append(f"The permissions of the run could not be removed: {error}")

    def _remove_role(self, identity: Identity) -> None:
        reply = self._send(
            "POST",
            f"{self.target.rest_url}/rpc/revoke_admin",
            headers=self._headers(self.target.service_key),
            json={"user_id": self.ids[identity]},
        )
        if not reply.ok and "last_super_admin" in reply.text:
            # The role goes with the account.
            self._last_admin = identity
        elif not reply.ok and "user_not_found" not in reply.text:
            raise TenantryError(f"the answer was {reply.status_code}: {_excerpt(reply)}")

    def _remove_users(self, left: Leftovers) -> None:
        users = sorted(self._begun_users, key=ACCOUNTS.index)
        if self.target.db_url is not None:
            known = [self.ids[user] for user in users if user in self.ids]
            self._delete_accounts(self.run.emails, known, left)
            return
        begun = [(self.ids.get(user), self.email(user)) for user in users]
        for user_id, email in (*begun, *filter(None, [self._trial])):
            # Without an id, Auth has not answered the request to create the account.
            if user_id is None or not self._delete_account(user_id):
                left.accounts.append(email)
        if self._last_admin is not None and self.email(self._last_admin) in left.accounts:
            left.failures.append(
                f"{self.email(self._last_admin)} remains and is the only super_admin. Appoint "
                "another one, and call revoke_admin for this account."
            )

    def _delete_accounts(self, emails: str, ids: list[str], left: Leftovers) -> None:
        """Deletes accounts in SQL, by a pattern of their addresses and by their ids."""
        try:
            with open_database(self.target.db_url or "", autocommit=True) as connection:
                # Auth changes the address of a user whom it soft-deletes.
                found = connection.execute(
                    "select id, email from auth.users where email ~ %s or id = any(%s::uuid[])",
                    (emails, ids),
                ).fetchall()
                for user_id, email in found:
                    try:
                        connection.execute("delete from auth.users where id = %s", (user_id,))
                    except psycopg.Error as error:
                        is_named = email is not None and re.match(emails, email)
                        account = email if is_named else str(user_id)
                        left.accounts.append(account)
                        if not self.keeps_accounts:
                            left.failures.append(f"{account} could not be removed: {error}")
                        # Also of the last super_admin, whom `revoke_admin` keeps.
                        connection.execute(
                            "delete from public.admin_users where user_id = %s", (user_id,)
                        )
        except (psycopg.Error, TenantryError) as error:
            left.failures.append(f"The accounts could not be removed: {error}")
            left.accounts.append(f"of run {self.run.id}")

    def _delete_account(self, user_id: str) -> bool:
        with suppress(TenantryError):
            return self._send(
                "DELETE",
                f"{self.target.auth_url}/admin/users/{user_id}",
                headers=self._headers(self.target.service_key),
            ).ok
        return False


def _parsed(reply: requests.Response) -> Any:
    try:
        return reply.json()
    except ValueError as error:
        raise TenantryError(
            f"{reply.url} answered {reply.status_code} with something other than JSON, so this "
            f"URL does not belong to a Supabase project: {_excerpt(reply)}"
        ) from error


def _field(body: Any, name: str, *default: Any) -> Any:
    if isinstance(body, dict) and (name in body or default):
        return body.get(name, *default)
    raise TenantryError(f"Auth answered without {name}: {json.dumps(body)[:_EXCERPT]}")


def _excerpt(reply: requests.Response) -> str:
    """The beginning of the reply, which may be a long HTML page."""
    return reply.text[:_EXCERPT]
