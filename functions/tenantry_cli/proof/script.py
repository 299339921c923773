"""Everything that is tried: identity, tenant, object, verb and door."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from tenantry_cli.proof.attempts import (
    Attempt,
    Canary,
    Expected,
    expect,
    shows_count,
    shows_rows,
    shows_text,
)
from tenantry_cli.proof.cast import Cast
from tenantry_cli.proof.identities import (
    ADMIN_B,
    NOBODY,
    OUTDATED,
    SERVICE,
    STRANGER,
    SUPER_ADMIN,
    UNSIGNED,
    WITH_SECRET,
    WITHOUT_SECRET,
    WRITER,
)
from tenantry_cli.proof.operations import NO_ONE, OPERATIONS, Operation, Scene
from tenantry_cli.proof.relations import HIDDEN, RELATIONS, WRITABLE, Relation, row_key
from tenantry_cli.proof.rules import (
    Audience,
    Identity,
    Kind,
    Level,
    Permission,
    Platform,
    State,
    Tenant,
    may_call,
    may_touch_rows,
)
from tenantry_cli.proof.statements import statements
from tenantry_cli.proof.wire import Reply, Request, profiles
from tenantry_cli.target import is_opaque, key_headers

_PRIVATE_SCHEMAS = ("tenancy", "tenant_template", "auth", "information_schema", "pg_catalog")


class Selection(Enum):
    FULL = "full"
    # One door, fewer verbs: enough to find a fault again and again.
    BRIEF = "brief"


@dataclass(frozen=True)
class Door:
    name: str
    url: str
    has_gateway: bool


@dataclass(frozen=True)
class Script:
    """Writes down the attempts of one run."""

    cast: Cast
    selection: Selection = Selection.FULL

    @property
    def is_full(self) -> bool:
        return self.selection is Selection.FULL

    @property
    def identities(self) -> tuple[Identity, ...]:
        known: tuple[Identity, ...] = WITHOUT_SECRET
        if self.cast.target.jwt_secret is not None:
            known += WITH_SECRET
        if self.is_full:
            return known
        return tuple(each for each in known if each not in (NOBODY, UNSIGNED, OUTDATED))

    @property
    def doors(self) -> tuple[Door, ...]:
        target = self.cast.target
        gateway = Door("gateway", target.rest_url, True)
        # Without a gateway nobody knows what an opaque key stands for.
        if target.postgrest_url is None or target.has_opaque_keys:
            return (gateway,)
        direct = Door("PostgREST", target.postgrest_url, False)
        return (gateway, direct) if self.is_full else (direct,)

    @property
    def tenants(self) -> tuple[Tenant, ...]:
        # B's admin is a stranger to A, as A's members are to B: one direction is enough.
        return self.cast.tenants if self.is_full else (self.cast.a, self.cast.s)

    @property
    def _existing(self) -> tuple[Tenant, ...]:
        return tuple(each for each in self.tenants if each.state is not State.MISSING)

    def canaries(self) -> list[str]:
        """Keys of the rows that are there for somebody to change or delete."""
        return [
            row_key(verb, identity, door.name)
            for identity in self.identities
            for door in self.doors
            for verb in ("PATCH", "DELETE")
        ]

    def attempts(self) -> Iterator[Attempt]:
        for identity in self.identities:
            for door in self.doors:
                yield from self._tables(identity, door)
                yield from self._routines(identity, door)
                yield from self._pages(identity, door)
                yield from self._embedding(identity, door)
                yield from self._registry(identity, door)
                yield from self._private(identity, door)
                yield from self._operations(identity, door)
                yield from self._contradicting_pages(identity, door)
                if self.is_full:
                    yield from self._contradictions(identity, door)
            if self.is_full and self._may_call_functions(identity):
                yield from self._operations(identity, None)
            if self.cast.has_sql and not identity.is_impostor:
                yield from statements(self.cast, identity, self.doors[0].name)

    def _may_call_functions(self, identity: Identity) -> bool:
        """The functions take tokens, and an opaque service key is none."""
        target = self.cast.target
        if identity == SERVICE and is_opaque(target.service_key):
            return False
        return target.functions_url is not None

    # Rows of a tenant -----------------------------------------------------------------------

    def _tables(self, identity: Identity, door: Door) -> Iterator[Attempt]:
        verbs = ["GET", "POST", "PATCH", "DELETE", *(("HEAD", "PUT") if self.is_full else ())]
        for tenant in self.tenants:
            for relation in RELATIONS:
                if relation.is_extra and not self.cast.has_sql:
                    continue
                for verb in verbs:
                    names = (tenant.name,)
                    yield self.row_attempt(
                        identity, tenant, relation, verb, door, "tables", names, names
                    )

    def row_attempt(
        self,
        identity: Identity,
        tenant: Tenant,
        relation: Relation,
        verb: str,
        door: Door,
        group: str,
        accept: tuple[str, ...],
        content: tuple[str, ...],
        key: str | None = None,
        expected: Expected | None = None,
    ) -> Attempt:
        reads = verb in ("GET", "HEAD")
        needs = relation.reads if reads else relation.writes
        key = key or row_key(verb, identity, door.name)
        if expected is None:
            expected = expect(may_touch_rows(identity, tenant, needs))
        body: Any = None
        query = ""
        if verb == "POST":
            body = relation.body(key)
        elif verb == "PUT":
            body, query = relation.body(key), f"?{relation.key}=eq.{quote(key)}"
        elif not reads:
            query = self._filter(relation, key)
            body = dict([relation.change]) if verb == "PATCH" else None
        canary = None
        if not reads and relation in WRITABLE and tenant.state is not State.MISSING:
            effect = {"PATCH": "changed", "DELETE": "gone"}.get(verb, "there")
            canary = Canary(tenant, relation.name, key, effect)
        prefer = "count=exact" if reads else "return=representation"
        return Attempt(
            identity,
            tenant,
            "hidden objects" if relation.name in HIDDEN and group == "tables" else group,
            relation.name,
            verb,
            door.name,
            expected,
            self._request(
                identity,
                door,
                verb,
                f"/{relation.name}{query}",
                (*profiles(accept, content), ("Prefer", prefer)),
                body,
            ),
            shows_count if verb == "HEAD" else shows_rows,
            (relation.name if needs is not None else relation.like, verb, door.name),
            canary,
        )

    def _filter(self, relation: Relation, key: str) -> str:
        if relation.name == "users":
            return f"?id=eq.{self.cast.ids[WRITER]}"
        if relation.name == "audit_log":
            return "?id=gt.0"
        return f"?{relation.key}=eq.{quote(key)}"

    def _routines(self, identity: Identity, door: Door) -> Iterator[Attempt]:
        if not self.cast.has_sql:
            return
        for tenant in self.tenants:
            for routine, needs in (("proof_hail", Level.READ), ("proof_peek", None)):
                for verb in ("GET", "POST"):
                    yield Attempt(
                        identity,
                        tenant,
                        "routines",
                        routine,
                        verb,
                        door.name,
                        expect(may_touch_rows(identity, tenant, needs)),
                        self._request(
                            identity,
                            door,
                            verb,
                            f"/rpc/{routine}",
                            profiles((tenant.name,), (tenant.name,)),
                            {} if verb == "POST" else None,
                        ),
                        shows_rows,
                        ("proof_hail", verb, door.name),
                    )

    def _pages(self, identity: Identity, door: Door) -> Iterator[Attempt]:
        """The OpenAPI page of each profile."""
        for tenant in self.tenants:
            marker = self.cast.marker(tenant, Audience.STRUCTURE)
            yield Attempt(
                identity,
                tenant,
                "API page",
                "OpenAPI page",
                "GET",
                door.name,
                expect(may_touch_rows(identity, tenant, Level.READ)),
                self._request(identity, door, "GET", "/", profiles((tenant.name,), ())),
                partial(shows_text, marker),
                ("OpenAPI page", "GET", door.name),
            )
        is_someone = identity.kind is not Kind.NOBODY or identity.is_unnamed
        yield Attempt(
            identity,
            None,
            "API page",
            "OpenAPI page of public",
            "GET",
            door.name,
            # Hosted projects may keep this page to the service key.
            Expected.EITHER if is_someone else Expected.REFUSED,
            self._request(identity, door, "GET", "/", profiles(("public",), ())),
            partial(shows_text, '"/rpc/'),
            ("OpenAPI page", "GET", door.name),
        )

    def _embedding(self, identity: Identity, door: Door) -> Iterator[Attempt]:
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
                    door.name,
                    expect(may_touch_rows(identity, tenant, needs)),
                    self._request(
                        identity,
                        door,
                        "GET",
                        f"/proof_notes?select={quote(select)}",
                        profiles((tenant.name,), ()),
                    ),
                    shows_rows,
                    ("a table beside", "GET", door.name),
                )

    # Two headers of one name, or two that disagree ------------------------------------------

    def _contradictions(self, identity: Identity, door: Door) -> Iterator[Attempt]:
        """PostgREST uses the first; what a gateway makes of them is its own affair."""
        notes = next(each for each in RELATIONS if each.name == "proof_notes")
        for first in self.cast.made:
            for second in ("public", *(each.name for each in self.cast.made)):
                if second == first.name:
                    continue
                for verb in ("GET", "POST", "PATCH", "DELETE"):
                    doubled = (first.name, second)
                    # Reading goes by Accept-Profile, writing by Content-Profile.
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
                        may = may_touch_rows(identity, first, needs)
                        is_plain = kind == "contradicting" or not door.has_gateway
                        # Only a refusal is aimed at the canary: it has to stay as it is.
                        key = f"{kind}-{second}-{row_key(verb, identity, door.name)}"
                        if verb in ("PATCH", "DELETE"):
                            if may or not is_plain:
                                continue
                            key = row_key(verb, identity, door.name)
                        yield self.row_attempt(
                            identity,
                            first,
                            notes,
                            verb,
                            door,
                            "headers",
                            accept,
                            content,
                            key,
                            None if is_plain else Expected.EITHER,
                        )

    def _contradicting_pages(self, identity: Identity, door: Door) -> Iterator[Attempt]:
        """The page of one tenant in the name of another: only the guard closes it."""
        for first in self._existing:
            for second in ("public", *(each.name for each in self.cast.made)):
                if second == first.name:
                    continue
                marker = self.cast.marker(first, Audience.STRUCTURE)
                expected = expect(may_touch_rows(identity, first, Level.READ))
                yield Attempt(
                    identity,
                    first,
                    "headers",
                    "OpenAPI page",
                    "GET",
                    door.name,
                    Expected.EITHER if door.has_gateway else expected,
                    self._request(
                        identity, door, "GET", "/", profiles((first.name, second), (second,))
                    ),
                    partial(shows_text, marker),
                    ("OpenAPI page", "GET", door.name),
                )

    # The registry, and what is never exposed --------------------------------------------------

    def _registry(self, identity: Identity, door: Door) -> Iterator[Attempt]:
        ids = self.cast.ids
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
                        "schema_version": "0",
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
                    identity, tenant, door, table, query, sees, body
                )
            yield Attempt(
                identity,
                tenant,
                "embedding",
                "the access of a tenant",
                "GET",
                door.name,
                expect(sees_access),
                self._request(
                    identity,
                    door,
                    "GET",
                    f"/tenants?select=schema_name,user_schema_access(user_id)&{by_name}",
                    (),
                ),
                partial(shows_text, ids[resident]),
                ("the access of a tenant", "GET", door.name),
            )
        staff = may_call(identity, None, Permission(Platform.VIEWER))
        yield from self._registry_table(
            identity,
            None,
            door,
            "admin_users",
            f"?user_id=eq.{ids[SUPER_ADMIN]}",
            staff,
            {"user_id": ids[STRANGER], "role": "super_admin"},
        )

    def _registry_table(
        self,
        identity: Identity,
        tenant: Tenant | None,
        door: Door,
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
            yield Attempt(
                identity,
                tenant,
                "registry",
                table,
                verb,
                door.name,
                expect(sees and reads),
                self._request(
                    identity,
                    door,
                    verb,
                    f"/{table}{'' if verb == 'POST' else query}",
                    (("Prefer", "count=exact" if reads else "return=representation"),),
                    {"POST": body, "PATCH": changes[table]}.get(verb),
                ),
                shows_count if verb == "HEAD" else shows_rows,
                (table if reads else "proof_notes", verb, door.name),
            )

    def _private(self, identity: Identity, door: Door) -> Iterator[Attempt]:
        """Schemas that are not exposed, whoever asks."""
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
                    door.name,
                    Expected.REFUSED,
                    self._request(identity, door, "GET", path, profiles((schema,), ())),
                    lambda reply: reply.is_success,
                    ("settings", "GET", door.name),
                )
        for helper, more in (
            ("has_access", {"level": "read"}),
            ("apply_tenant_privileges", {}),
            ("expose_schema", {}),
        ):
            for profile in ("public", "tenancy"):
                yield Attempt(
                    identity,
                    None,
                    "hidden objects",
                    f"helper {helper}",
                    "POST",
                    door.name,
                    Expected.REFUSED,
                    self._request(
                        identity,
                        door,
                        "POST",
                        f"/rpc/{helper}",
                        profiles((profile,), (profile,)),
                        {"schema_name": self.cast.a.name} | more,
                    ),
                    lambda reply: reply.is_success,
                    ("check_tenant_status", "POST", door.name),
                )

    # RPCs, and the functions in front of them -------------------------------------------------

    def _operations(self, identity: Identity, door: Door | None) -> Iterator[Attempt]:
        for operation in OPERATIONS:
            # An operation on no tenant is tried once, with one that counts for nothing.
            tenants = self.tenants if operation.has_tenant else (self.cast.m,)
            for tenant in tenants:
                yield from self.operation_attempts(identity, tenant, operation, door)

    def operation_attempts(
        self, identity: Identity, tenant: Tenant, operation: Operation, door: Door | None
    ) -> Iterator[Attempt]:
        scene = Scene(
            tenant,
            self._other(tenant),
            identity,
            self.cast.ids,
            self.cast.marker(tenant, Audience.REGISTRY),
        )
        subject = tenant if operation.has_tenant else None
        may = may_call(identity, subject, operation.permission)
        if (may or operation.permission is NO_ONE) and operation.spare(scene):
            return
        arguments = operation.arguments(scene)
        if not may and operation.attack is not None:
            arguments = operation.attack(scene)

        def shows(reply: Reply) -> bool:
            if operation.is_list_of_tenants:
                return reply.is_success and tenant.name in reply.text
            # It comes after the question of permission, so it answers that one.
            if reply.error_codes & operation.passes:
                return True
            return reply.is_success and (operation.may_be_empty or reply.json not in (None, []))

        name = operation.name if operation.permission is not NO_ONE else "get_schema_summary"
        door_name = "functions" if door is None else door.name
        verbs = ("GET", "POST") if operation.is_stable and door and self.is_full else ("POST",)
        for verb in verbs:
            yield Attempt(
                identity,
                subject,
                "functions" if door is None else "RPCs",
                operation.title,
                verb,
                door_name,
                expect(may),
                self._call(identity, door, operation, arguments, verb),
                shows,
                (
                    operation.title if operation.permission is not NO_ONE else name,
                    verb,
                    door_name,
                ),
            )

    def _call(
        self,
        identity: Identity,
        door: Door | None,
        operation: Operation,
        arguments: dict[str, Any],
        verb: str,
    ) -> Request:
        if door is None:
            return Request(
                "POST",
                f"{self.cast.target.functions_url}/{operation.group}/{operation.name}",
                self._headers(identity, has_gateway=True),
                arguments,
            )
        path = f"/rpc/{operation.name}"
        if verb == "GET":
            path += f"?{urlencode(arguments)}"
        return self._request(
            identity, door, verb, path, (), arguments if verb == "POST" else None
        )

    def _other(self, tenant: Tenant) -> Tenant:
        return self.cast.a if tenant.letter != "A" else self.cast.b

    def _headers(
        self, identity: Identity, *more: tuple[str, str], has_gateway: bool
    ) -> tuple[tuple[str, str], ...]:
        token = self.cast.tokens[identity]
        if token is None:
            return more
        if not has_gateway:
            return (("Authorization", f"Bearer {token}"), *more)
        key = token if identity == SERVICE else self.cast.target.anon_key
        return (*key_headers(token, key).items(), *more)

    def _request(
        self,
        identity: Identity,
        door: Door,
        method: str,
        path: str,
        more: tuple[tuple[str, str], ...],
        body: Any = None,
    ) -> Request:
        named = self._headers(identity, *more, has_gateway=door.has_gateway)
        return Request(method, f"{door.url}{path}", named, body)
