"""The plan: all attempts, by identity, tenant, object, verb and entry point."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from tenantry_cli.proof.attempts import (
    Attempt,
    Expected,
    Sentinel,
    expect,
    shows_count,
    shows_our_paths,
    shows_rows,
    shows_text,
)
from tenantry_cli.proof.environment import Environment
from tenantry_cli.proof.identities import (
    ADMIN_B,
    CALLING_LIKE_OTHERS,
    EXPIRED_TOKEN,
    FORGED_IDENTITIES,
    NOBODY,
    SERVICE,
    SIGNED_IDENTITIES,
    STANDARD_IDENTITIES,
    STRANGER,
    SUPER_ADMIN,
    UNSIGNED,
    WRITER,
)
from tenantry_cli.proof.operations import NO_ONE, OPERATIONS, CallContext, Operation
from tenantry_cli.proof.relations import HIDDEN, RELATIONS, WRITABLE, Relation, row_key
from tenantry_cli.proof.rules import (
    Identity,
    Kind,
    Level,
    Permission,
    Platform,
    State,
    Tenant,
    Visibility,
    may_access_rows,
    may_call,
)
from tenantry_cli.proof.statements import statements
from tenantry_cli.proof.transport import Reply, Request, profiles
from tenantry_cli.target import REGISTRY_PROFILE, is_opaque, key_headers

_OF_REGISTRY = tuple(REGISTRY_PROFILE.items())
_PRIVATE_SCHEMAS = ("tenancy", "tenant_template", "auth", "information_schema", "pg_catalog")


class Selection(Enum):
    FULL = "full"
    # One entry point, fewer verbs and fewer calls, to find many faults in a short time.
    BRIEF = "brief"
    # The same with all tenants and the functions, for identities that are refused everywhere
    # for one reason.
    INACTIVE = "inactive"


def _column(relation: Relation, group: str) -> str:
    """The column of the matrix for a relation."""
    if group != "tables":
        return group
    if relation.is_owned:
        return "own rows"
    return "hidden objects" if relation.name in HIDDEN else group


@dataclass(frozen=True)
class EntryPoint:
    name: str
    url: str
    has_gateway: bool


@dataclass(frozen=True)
class Plan:
    """The attempts of one run."""

    environment: Environment
    selection: Selection = Selection.FULL

    @property
    def is_full(self) -> bool:
        return self.selection is Selection.FULL

    @property
    def identities(self) -> tuple[Identity, ...]:
        known: tuple[Identity, ...] = STANDARD_IDENTITIES
        if self.environment.target.jwt_secret is not None:
            known += SIGNED_IDENTITIES
        forged = tuple(each for each in FORGED_IDENTITIES if each in self.environment.tokens)
        if self.is_full:
            return known + forged
        brief = tuple(each for each in known if each not in (NOBODY, UNSIGNED, EXPIRED_TOKEN))
        return brief + forged[:1]

    @property
    def entry_points(self) -> tuple[EntryPoint, ...]:
        target = self.environment.target
        gateway = EntryPoint("gateway", target.rest_url, True)
        # Only a gateway exchanges an opaque key for a token.
        if target.postgrest_url is None or target.has_opaque_keys:
            return (gateway,)
        direct = EntryPoint("PostgREST", target.postgrest_url, False)
        return (gateway, direct) if self.is_full else (direct,)

    @property
    def tenants(self) -> tuple[Tenant, ...]:
        if self.selection is Selection.BRIEF:
            # A and B are symmetric.
            return (self.environment.a, self.environment.s)
        return self.environment.tenants if self.is_full else self.environment.made

    @property
    def _existing(self) -> tuple[Tenant, ...]:
        return tuple(each for each in self.tenants if each.state is not State.MISSING)

    def sentinel_rows(self) -> list[str]:
        """The keys of the rows that attempts try to change or delete."""
        return [
            row_key(verb, identity, entry_point.name)
            for identity in self.identities
            for entry_point in self.entry_points
            for verb in ("PATCH", "DELETE")
        ]

    def attempts(self) -> Iterator[Attempt]:
        for identity in self.identities:
            plan = self
            if identity.is_inactive and not self.environment.has_inactive_users:
                continue
            if self.is_full and (identity.is_inactive or identity.is_forged):
                plan = replace(self, selection=Selection.INACTIVE)
            yield from plan._attempts_of(identity)

    def _attempts_of(self, identity: Identity) -> Iterator[Attempt]:
        for entry_point in self.entry_points:
            yield from self._tables(identity, entry_point)
            if identity.is_forged:
                # The token is refused before anything depends on the request.
                yield from self._pages(identity, entry_point)
                yield from self._registry(identity, entry_point)
                continue
            yield from self._routines(identity, entry_point)
            yield from self._pages(identity, entry_point)
            yield from self._embedding(identity, entry_point)
            yield from self._registry(identity, entry_point)
            yield from self._private(identity, entry_point)
            if self.is_full or not self._calls_like_others(identity):
                yield from self._operations(identity, entry_point)
            yield from self._contradicting_pages(identity, entry_point)
            if self.is_full:
                yield from self._contradictions(identity, entry_point)
        if self.selection is not Selection.BRIEF and self._may_call_functions(identity):
            yield from self._operations(identity, None)
        if self.environment.has_sql and not identity.has_invalid_token:
            # Policies may let a member of one tenant into another.
            tenants = self.environment.made if identity.levels else self._existing
            yield from statements(
                self.environment, tenants, identity, self.entry_points[0].name
            )

    def _calls_like_others(self, identity: Identity) -> bool:
        """Whether another identity makes the same calls, with the same result."""
        return identity.has_invalid_token or identity in CALLING_LIKE_OTHERS

    def _may_call_functions(self, identity: Identity) -> bool:
        """The functions need a token. An opaque service key is no token."""
        target = self.environment.target
        if identity == SERVICE and is_opaque(target.service_key):
            return False
        return target.functions_url is not None

    # Rows of a tenant -----------------------------------------------------------------------

    def _tables(self, identity: Identity, entry_point: EntryPoint) -> Iterator[Attempt]:
        verbs = ["GET", "POST", "PATCH", "DELETE", *(("HEAD", "PUT") if self.is_full else ())]
        for tenant in self.tenants:
            for relation in RELATIONS:
                if relation.is_extra and not self.environment.has_sql:
                    continue
                for verb in verbs:
                    names = (tenant.name,)
                    yield self.row_attempt(
                        identity, tenant, relation, verb, entry_point, "tables", names, names
                    )

    def row_attempt(
        self,
        identity: Identity,
        tenant: Tenant,
        relation: Relation,
        verb: str,
        entry_point: EntryPoint,
        group: str,
        accept: tuple[str, ...],
        content: tuple[str, ...],
        key: str | None = None,
        expected: Expected | None = None,
    ) -> Attempt:
        reads = verb in ("GET", "HEAD")
        needs = relation.reads if reads else relation.writes
        key = key or row_key(verb, identity, entry_point.name)
        if expected is None:
            expected = expect(relation.may(identity, tenant, needs))
        body: Any = None
        query = ""
        if verb == "POST":
            body = self.environment.body(relation, key)
        elif verb == "PUT":
            body = self.environment.body(relation, key)
            query = f"?{relation.key}=eq.{quote(key)}"
        elif not reads:
            query = self._filter(relation, key)
            body = dict([relation.change]) if verb == "PATCH" else None
        sentinel = None
        if not reads and relation in WRITABLE and tenant.state is not State.MISSING:
            effect = {"PATCH": "changed", "DELETE": "gone"}.get(verb, "there")
            sentinel = Sentinel(tenant, relation.name, key, effect)
        prefer = "count=exact" if reads else "return=representation"
        return Attempt(
            identity,
            tenant,
            _column(relation, group),
            relation.name,
            verb,
            entry_point.name,
            expected,
            self._request(
                identity,
                entry_point,
                verb,
                f"/{relation.name}{query}",
                (*profiles(accept, content), ("Prefer", prefer)),
                body,
            ),
            shows_count if verb == "HEAD" else shows_rows,
            (relation.name if needs is not None else relation.control, verb, entry_point.name),
            sentinel,
        )

    def _filter(self, relation: Relation, key: str) -> str:
        if relation.name == "users":
            return f"?id=eq.{self.environment.ids[WRITER]}"
        if relation.name == "audit_log":
            return "?id=gt.0"
        return f"?{relation.key}=eq.{quote(key)}"

    def _routines(self, identity: Identity, entry_point: EntryPoint) -> Iterator[Attempt]:
        if not self.environment.has_sql:
            return
        for tenant in self.tenants:
            for routine, needs in (
                ("proof_invoker_function", Level.READ),
                ("proof_definer_function", None),
            ):
                for verb in ("GET", "POST"):
                    yield Attempt(
                        identity,
                        tenant,
                        "routines",
                        routine,
                        verb,
                        entry_point.name,
                        expect(may_access_rows(identity, tenant, needs)),
                        self._request(
                            identity,
                            entry_point,
                            verb,
                            f"/rpc/{routine}",
                            profiles((tenant.name,), (tenant.name,)),
                            {} if verb == "POST" else None,
                        ),
                        shows_rows,
                        ("proof_invoker_function", verb, entry_point.name),
                    )

    def _pages(self, identity: Identity, entry_point: EntryPoint) -> Iterator[Attempt]:
        """The OpenAPI page of each profile."""
        for tenant in self.tenants:
            marker = self.environment.marker(tenant, Visibility.STRUCTURE)
            yield Attempt(
                identity,
                tenant,
                "API page",
                "OpenAPI page",
                "GET",
                entry_point.name,
                expect(may_access_rows(identity, tenant, Level.READ)),
                self._request(identity, entry_point, "GET", "/", profiles((tenant.name,), ())),
                partial(shows_text, marker),
                ("OpenAPI page", "GET", entry_point.name),
            )
        is_someone = identity.kind is not Kind.NOBODY or identity.has_no_user
        yield Attempt(
            identity,
            None,
            "API page",
            "OpenAPI page of public",
            "GET",
            entry_point.name,
            # Hosted projects may keep this page to the service key.
            Expected.EITHER if is_someone else Expected.REFUSED,
            self._request(identity, entry_point, "GET", "/", profiles(("public",), ())),
            shows_our_paths,
            ("OpenAPI page", "GET", entry_point.name),
        )

    def _embedding(self, identity: Identity, entry_point: EntryPoint) -> Iterator[Attempt]:
        for tenant in self.tenants:
            other = self._other(tenant)
            for name, select, needs in (
                ("a table beside", "id,proof_tags!inner(id,body)", Level.READ),
                ("another tenant's table", f"id,{other.name}.proof_tags(*)", None),
                ("the registry", "id,tenants(*)", None),
            ):
                yield Attempt(
                    identity,
                    tenant,
                    "embedding",
                    name,
                    "GET",
                    entry_point.name,
                    expect(may_access_rows(identity, tenant, needs)),
                    self._request(
                        identity,
                        entry_point,
                        "GET",
                        f"/proof_notes?select={quote(select)}",
                        profiles((tenant.name,), ()),
                    ),
                    shows_rows,
                    ("a table beside", "GET", entry_point.name),
                )

    # Two headers of one name, or two that disagree ------------------------------------------

    def _contradictions(self, identity: Identity, entry_point: EntryPoint) -> Iterator[Attempt]:
        """PostgREST uses the first header. A gateway may use any of them."""
        notes = next(each for each in RELATIONS if each.name == "proof_notes")
        for first in self.environment.made:
            for second in ("public", *(each.name for each in self.environment.made)):
                if second == first.name:
                    continue
                for verb in ("GET", "POST", "PATCH", "DELETE"):
                    doubled = (first.name, second)
                    # Reads use Accept-Profile, and writes use Content-Profile.
                    contradicting = (
                        ((first.name,), (second,))
                        if verb == "GET"
                        else ((second,), (first.name,))
                    )
                    for kind, (accept, content) in (
                        ("doubled", (doubled, doubled)),
                        ("contradicting", contradicting),
                    ):
                        needs = Level.READ if verb == "GET" else Level.WRITE
                        may = may_access_rows(identity, first, needs)
                        is_plain = kind == "contradicting" or not entry_point.has_gateway
                        # Only refused attempts use the sentinel rows, which must not change.
                        key = f"{kind}-{second}-{row_key(verb, identity, entry_point.name)}"
                        if verb in ("PATCH", "DELETE"):
                            if may or not is_plain:
                                continue
                            key = row_key(verb, identity, entry_point.name)
                        yield self.row_attempt(
                            identity,
                            first,
                            notes,
                            verb,
                            entry_point,
                            "headers",
                            accept,
                            content,
                            key,
                            None if is_plain else Expected.EITHER,
                        )

    def _contradicting_pages(
        self, identity: Identity, entry_point: EntryPoint
    ) -> Iterator[Attempt]:
        """The OpenAPI page of one tenant with the header of another. Only the guard refuses."""
        for first in self._existing:
            for second in ("public", *(each.name for each in self.environment.made)):
                if second == first.name:
                    continue
                marker = self.environment.marker(first, Visibility.STRUCTURE)
                expected = expect(may_access_rows(identity, first, Level.READ))
                yield Attempt(
                    identity,
                    first,
                    "headers",
                    "OpenAPI page",
                    "GET",
                    entry_point.name,
                    Expected.EITHER if entry_point.has_gateway else expected,
                    self._request(
                        identity,
                        entry_point,
                        "GET",
                        "/",
                        profiles((first.name, second), (second,)),
                    ),
                    partial(shows_text, marker),
                    ("OpenAPI page", "GET", entry_point.name),
                )

    # The registry and private schemas ---------------------------------------------------------

    def _registry(self, identity: Identity, entry_point: EntryPoint) -> Iterator[Attempt]:
        ids = self.environment.ids
        for tenant in self.tenants:
            resident = ADMIN_B if tenant.letter == "B" else WRITER
            by_name = f"schema_name=eq.{tenant.name}"
            member = Permission(Platform.VIEWER, Level.READ, even_suspended=True)
            admin = Permission(Platform.VIEWER, Level.ADMIN)
            sees_access = may_call(identity, tenant, admin) or (
                identity == resident and tenant.state is not State.MISSING
            )
            forged = {"user_id": ids[STRANGER], "schema_name": tenant.name}
            for table, query, sees, body in (
                (
                    "tenants",
                    f"?{by_name}",
                    may_call(identity, tenant, member),
                    {
                        "schema_name": f"{tenant.name}_x",
                        "display_name": "x",
                        "schema_version": "tenantry_0001",
                    },
                ),
                (
                    "user_schema_access",
                    f"?{by_name}&user_id=eq.{ids[resident]}",
                    sees_access,
                    forged | {"access_level": "admin"},
                ),
                (
                    "admin_audit_log",
                    f"?{by_name}",
                    may_call(identity, tenant, admin),
                    {"actor_role": "forged", "action": "forged", "schema_name": tenant.name},
                ),
            ):
                yield from self._registry_table(
                    identity, tenant, entry_point, table, query, sees, body
                )
            yield Attempt(
                identity,
                tenant,
                "embedding",
                "the access of a tenant",
                "GET",
                entry_point.name,
                expect(sees_access),
                self._request(
                    identity,
                    entry_point,
                    "GET",
                    f"/tenants?select=schema_name,user_schema_access(user_id)&{by_name}",
                    _OF_REGISTRY,
                ),
                partial(shows_text, ids[resident]),
                ("the access of a tenant", "GET", entry_point.name),
            )
        staff = may_call(identity, None, Permission(Platform.VIEWER))
        yield from self._registry_table(
            identity,
            None,
            entry_point,
            "admin_users",
            f"?user_id=eq.{ids[SUPER_ADMIN]}",
            staff,
            {"user_id": ids[STRANGER], "role": "super_admin"},
        )

    def _registry_table(
        self,
        identity: Identity,
        tenant: Tenant | None,
        entry_point: EntryPoint,
        table: str,
        query: str,
        sees: bool,
        body: dict[str, Any],
    ) -> Iterator[Attempt]:
        changes = {
            "tenants": {"status": "active", "suspended_at": None, "display_name": "taken"},
            "user_schema_access": {"access_level": "read", "expires_at": "2020-01-01"},
            "admin_audit_log": {"action": "forged"},
            "admin_users": {"role": "viewer"},
        }
        verbs = ("GET", "HEAD", "POST", "PATCH", "DELETE")
        for verb in verbs if self.is_full else ("GET", "POST", "PATCH"):
            reads = verb in ("GET", "HEAD")
            prefer = "count=exact" if reads else "return=representation"
            yield Attempt(
                identity,
                tenant,
                "registry",
                table,
                verb,
                entry_point.name,
                expect(sees and reads),
                self._request(
                    identity,
                    entry_point,
                    verb,
                    f"/{table}{'' if verb == 'POST' else query}",
                    (*_OF_REGISTRY, ("Prefer", prefer)),
                    {"POST": body, "PATCH": changes[table]}.get(verb),
                ),
                shows_count if verb == "HEAD" else shows_rows,
                (table if reads else "proof_notes", verb, entry_point.name),
            )

    def _private(self, identity: Identity, entry_point: EntryPoint) -> Iterator[Attempt]:
        """Schemas that are exposed to no identity."""
        for schema in _PRIVATE_SCHEMAS:
            for path in ("/settings", "/tenant_migrations", "/users", "/tables"):
                if path != "/settings" and not self.is_full:
                    continue
                yield Attempt(
                    identity,
                    None,
                    "hidden objects",
                    f"schema {schema}",
                    "GET",
                    entry_point.name,
                    Expected.REFUSED,
                    self._request(identity, entry_point, "GET", path, profiles((schema,), ())),
                    lambda reply: reply.is_success,
                    ("settings", "GET", entry_point.name),
                )
        tenant = self.environment.a.name
        for helper, arguments in (
            ("guard_request", {"path": tenant, "level": "read"}),
            ("apply_tenant_privileges", {"schema_name": tenant}),
            ("expose_schema", {"schema_name": tenant}),
        ):
            for profile in ("public", "tenancy"):
                # The project may have a function of that name.
                if profile == "public" and f"/rpc/{helper}" in self.environment.own_paths:
                    continue
                yield Attempt(
                    identity,
                    None,
                    "hidden objects",
                    f"helper {helper}",
                    "POST",
                    entry_point.name,
                    Expected.REFUSED,
                    self._request(
                        identity,
                        entry_point,
                        "POST",
                        f"/rpc/{helper}",
                        profiles((profile,), (profile,)),
                        arguments,
                    ),
                    lambda reply: reply.is_success,
                    ("check_tenant_status", "POST", entry_point.name),
                )

    # RPCs and functions -----------------------------------------------------------------------

    def _operations(
        self, identity: Identity, entry_point: EntryPoint | None
    ) -> Iterator[Attempt]:
        for operation in OPERATIONS:
            # An operation on no tenant is tried once. The tenant M does not exist.
            tenants = self.tenants if operation.has_tenant else (self.environment.m,)
            for tenant in tenants:
                yield from self.operation_attempts(identity, tenant, operation, entry_point)

    def operation_attempts(
        self,
        identity: Identity,
        tenant: Tenant,
        operation: Operation,
        entry_point: EntryPoint | None,
    ) -> Iterator[Attempt]:
        context = CallContext(
            tenant,
            self._other(tenant),
            identity,
            self.environment.ids,
            self.environment.display_name(tenant),
            self.environment.has_inactive_users,
            self.environment.limits,
        )
        subject = tenant if operation.has_tenant else None
        may = may_call(identity, subject, operation.permission)
        if (may or operation.permission is NO_ONE) and operation.is_left_out(context):
            return
        arguments = operation.arguments(context)
        if not may and operation.attack is not None:
            arguments = operation.attack(context)

        def shows(reply: Reply) -> bool:
            if operation.is_list_of_tenants:
                return reply.is_success and tenant.name in reply.text
            # Such an error comes after the check of the permission, so the permission suffices.
            if reply.error_codes & operation.passes:
                return True
            return reply.is_success and (operation.may_be_empty or reply.json not in (None, []))

        entry_point_name = "functions" if entry_point is None else entry_point.name
        verbs = (
            ("GET", "POST")
            if operation.is_stable and entry_point and self.is_full
            else ("POST",)
        )
        for verb in verbs:
            yield Attempt(
                identity,
                subject,
                "functions" if entry_point is None else "RPCs",
                operation.title,
                verb,
                entry_point_name,
                expect(may),
                self._call(identity, entry_point, operation, arguments, verb),
                shows,
                (operation.control or operation.title, verb, entry_point_name),
            )

    def call_attempt(
        self,
        identity: Identity,
        tenant: Tenant | None,
        name: str,
        group: str,
        may: bool,
        **arguments: Any,
    ) -> Attempt:
        """One call of an RPC with these arguments, on a tenant or on the platform."""
        entry_point = self.entry_points[-1]
        return Attempt(
            identity,
            tenant,
            group,
            name,
            "POST",
            entry_point.name,
            expect(may),
            self._request(
                identity,
                entry_point,
                "POST",
                f"/rpc/{name}",
                _OF_REGISTRY,
                {"schema_name": tenant.name if tenant else None, **arguments},
            ),
            shows_rows,
            (name, "POST", entry_point.name),
        )

    def _call(
        self,
        identity: Identity,
        entry_point: EntryPoint | None,
        operation: Operation,
        arguments: dict[str, Any],
        verb: str,
    ) -> Request:
        if entry_point is None:
            return Request(
                "POST",
                f"{self.environment.target.functions_url}/{operation.group}/{operation.name}",
                self._headers(identity, has_gateway=True),
                arguments,
            )
        path = f"/rpc/{operation.name}"
        if verb == "GET":
            path += f"?{urlencode(arguments)}"
        return self._request(
            identity,
            entry_point,
            verb,
            path,
            _OF_REGISTRY,
            arguments if verb == "POST" else None,
        )

    def _other(self, tenant: Tenant) -> Tenant:
        return self.environment.a if tenant.letter != "A" else self.environment.b

    def _headers(
        self, identity: Identity, *more: tuple[str, str], has_gateway: bool
    ) -> tuple[tuple[str, str], ...]:
        token = self.environment.tokens[identity]
        if token is None:
            return more
        if not has_gateway:
            return (("Authorization", f"Bearer {token}"), *more)
        key = token if identity == SERVICE else self.environment.target.anon_key
        return (*key_headers(token, key).items(), *more)

    def _request(
        self,
        identity: Identity,
        entry_point: EntryPoint,
        method: str,
        path: str,
        more: tuple[tuple[str, str], ...],
        body: Any = None,
    ) -> Request:
        named = self._headers(identity, *more, has_gateway=entry_point.has_gateway)
        return Request(method, f"{entry_point.url}{path}", named, body)
