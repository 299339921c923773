"""A call of an RPC, and the trace it left."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import httpx

from support.environment import GROUPS, Environment, Person

ENTRY_POINTS = ("function", "rpc")

_OF_POSTGRESQL = {401: "not_authenticated", 403: "forbidden"}


@dataclass(frozen=True)
class Act:
    """What the caller was answered, and what the audit log says of it."""

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
        """The one entry of a call that changed something."""
        self.must_succeed()
        [entry] = self.entries
        return entry

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and code of a refused call, which must not have left an entry."""
        assert self.entries == []
        return refusal(self.reply)


def audited_call(
    environment: Environment,
    person: Person,
    operation: str,
    *,
    entry_point: str = "rpc",
    **arguments: Any,
) -> Act:
    """Calls an operation with a request id of its own, so that its entries can be told."""
    request_id = uuid.uuid4().hex
    paths = {
        "function": f"/functions/v1/{GROUPS[operation]}/{operation}",
        "rpc": f"/rest/v1/rpc/{operation}",
    }
    reply = environment.http.post(
        paths[entry_point],
        headers=environment.headers(person) | {"X-Request-Id": request_id},
        json=arguments,
    )
    entries = environment.sql.execute(
        "select actor_id::text, actor_role, action, schema_name, tenant_id::text, details"
        " from public.admin_audit_log where request_id = %s order by id",
        (request_id,),
    ).fetchall()
    return Act(reply, entries, request_id)


def refusal(reply: httpx.Response) -> tuple[int, str]:
    """Status and code of a refused call, whichever entry point it came through."""
    body = reply.json()
    if "request_id" in body:
        return reply.status_code, body["code"]
    if body["code"] == "42501" and body["details"] is None:
        # PostgreSQL's own denial: no function of ours was reached that could give a code.
        return reply.status_code, _OF_POSTGRESQL[reply.status_code]
    return reply.status_code, body["details"] or body["code"]


def registry(environment: Environment, schema_name: str) -> Any:
    """All that an RPC could change about a tenant, privileges included."""
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
