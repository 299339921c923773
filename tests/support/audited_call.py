"""A call of an operation, with the entries that the call left in the audit log."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import httpx

from support.environment import Environment, Person
from support.refusals import refusal


@dataclass(frozen=True)
class AuditedCall:
    """The reply, and the entries of the audit log."""

    reply: httpx.Response
    entries: list[dict[str, Any]]
    request_id: str

    def must_succeed(self) -> None:
        assert self.reply.status_code == 200, self.reply.text

    @property
    def result(self) -> Any:
        self.must_succeed()
        return self.reply.json()

    @property
    def entry(self) -> dict[str, Any]:
        """The only entry of a call that changed something."""
        self.must_succeed()
        [entry] = self.entries
        return entry

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and code of a refused call. A refused call must leave no entry."""
        assert self.entries == []
        return refusal(self.reply)


def audited_call(
    environment: Environment,
    person: Person,
    operation: str,
    *,
    entry_point: str = "rpc",
    **arguments: Any,
) -> AuditedCall:
    """Calls an operation with a new request id, by which its entries are found."""
    request_id = uuid.uuid4().hex
    reply = environment.call(entry_point, person, operation, arguments, request_id)
    entries = environment.sql.execute(
        "select actor_id::text, actor_role, action, schema_name, tenant_id::text, details"
        " from public.admin_audit_log where request_id = %s order by id",
        (request_id,),
    ).fetchall()
    return AuditedCall(reply, entries, request_id)


def registry(environment: Environment, schema_name: str) -> Any:
    """Everything that an RPC can change about a tenant, privileges included."""
    return environment.sql.execute(
        """
        select to_jsonb(t) as tenant,
            (select jsonb_agg(to_jsonb(a) order by a.user_id)
             from public.user_schema_access a where a.schema_name = t.schema_name) as access,
            (select count(*) from public.admin_audit_log l where l.tenant_id = t.id) as entries,
            (select n.nspacl::text from pg_namespace n
             where n.nspname = t.schema_name) as schema_acl,
            (select jsonb_object_agg(c.relname, c.relacl::text) from pg_class c
             where c.relnamespace = quote_ident(t.schema_name)::regnamespace) as relation_acls
        from public.tenants t where t.schema_name = %s
        """,
        (schema_name,),
    ).fetchone()
