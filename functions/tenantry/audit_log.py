"""The record of who did what, and the proof that nobody has changed the record."""

from typing import Annotated
from uuid import UUID

from flask import Request, Response
from pydantic import Field, StrictInt

from tenantry.endpoint import answer
from tenantry.fields import (
    ActorId,
    Arguments,
    HasMore,
    JsonObject,
    Metadata,
    Moment,
    OptionalSchemaName,
    PageSize,
    Result,
    SchemaName,
    Timestamp,
    UserId,
)
from tenantry.operations import Group, Operation

_EntryId = Annotated[int, Field(examples=[3])]
_Head = Annotated[
    str | None,
    Field(examples=["bd213427a9cbe857870e9c21c59c543c253dc8c1e0ea9bb06168db2c54bed4ef"]),
]
_BOB = "e41f8b7a-96c2-4d05-8e3f-1a7b5c9d0e62"
_GRANT = {
    "user_id": _BOB,
    "schema_name": "acme",
    "access_level": "write",
    "expires_at": None,
    "granted_by": "0b6d1f4e-8a53-4c1e-9d57-2f0e6c3a9b10",
    "granted_at": "2026-11-23T09:00:00.820727+00:00",
    "support_reason": None,
    "roles": ["accountant"],
    "permissions": ["invoices.approve"],
}


class AuditEntry(Result):
    id: _EntryId
    occurred_at: Timestamp
    actor_id: Annotated[UUID | None, Field(examples=[_BOB])]
    actor_role: Annotated[str, Field(examples=["user"])]
    action: Annotated[str, Field(examples=["insert"])]
    table_name: Annotated[str, Field(examples=["orders"])]
    record_id: Annotated[
        JsonObject | None, Field(examples=[{"id": "5f7d3b12-0c4e-4a86-9b1d-7e2f8c6a9d40"}])
    ]
    old_values: JsonObject | None
    new_values: Annotated[
        JsonObject | None,
        Field(examples=[{"id": "5f7d3b12-0c4e-4a86-9b1d-7e2f8c6a9d40", "customer_id": _BOB}]),
    ]
    has_more: HasMore


class AdminAuditEntry(Result):
    id: _EntryId
    occurred_at: Timestamp
    actor_id: ActorId
    actor_role: Annotated[str, Field(examples=["super_admin"])]
    action: Annotated[str, Field(examples=["access.grant"])]
    schema_name: OptionalSchemaName
    tenant_id: Annotated[UUID | None, Field(examples=["8179d0f2-19d1-47d0-8c01-2089ec389ed3"])]
    details: Annotated[JsonObject, Field(examples=[{"before": None, "after": _GRANT}])]
    request_id: Annotated[str | None, Field(examples=["99daf15fb92044cb85985bdfa989790c"])]
    has_more: HasMore


class AuditSeal(Result):
    sealed_now: Annotated[int, Field(examples=[3])]
    sealed_total: Annotated[int, Field(examples=[3])]
    head: _Head


class PastPruning(Result):
    pruned_at: Timestamp
    actor_id: ActorId
    actor_role: Annotated[str, Field(examples=["admin"])]
    removed_before: Timestamp
    removed: Annotated[int, Field(examples=[3])]
    missing: Annotated[int, Field(examples=[0])]
    head: _Head


class AuditVerification(Result):
    is_intact: Annotated[bool, Field(examples=[True])]
    checked: Annotated[int, Field(examples=[3])]
    head: _Head
    problem: str | None
    entry_id: int | None
    unsealed: Annotated[int, Field(examples=[0])]
    oldest_unsealed_at: Timestamp | None
    pruned: Annotated[int, Field(examples=[0])]
    prunings: Annotated[list[PastPruning], Field(examples=[[]])]


class AuditPruning(Result):
    schema_name: SchemaName
    removed: Annotated[int, Field(examples=[3])]
    head: _Head


class AuditRedaction(Result):
    schema_name: SchemaName
    user_id: UserId
    redacted: Annotated[int, Field(examples=[2])]
    withheld: Annotated[int, Field(examples=[0])]


class GetAuditLog(Arguments):
    schema_name: SchemaName
    actor_id: UUID | None = None
    action: str | None = None
    table_name: str | None = None
    record_id: Metadata | None = None
    occurred_from: Moment | None = None
    occurred_to: Moment | None = None
    before_id: StrictInt | None = None
    page_size: PageSize = 100


class GetAdminAuditLog(Arguments):
    schema_name: OptionalSchemaName = None
    actor_id: UUID | None = None
    action: Annotated[str | None, Field(examples=["access.grant"])] = None
    occurred_from: Moment | None = None
    occurred_to: Moment | None = None
    before_id: StrictInt | None = None
    page_size: PageSize = 100


class SealAuditLog(Arguments):
    schema_name: OptionalSchemaName = None


class VerifyAuditLog(Arguments):
    schema_name: OptionalSchemaName = None
    expected_head: str | None = None


class PruneAuditLog(Arguments):
    schema_name: OptionalSchemaName
    before: Moment


class RedactAuditLog(Arguments):
    schema_name: SchemaName
    user_id: UserId


GROUP = Group(
    "audit-log",
    __doc__,
    Operation("get_audit_log", GetAuditLog, list[AuditEntry]),
    Operation("get_admin_audit_log", GetAdminAuditLog, list[AdminAuditEntry]),
    Operation("seal_audit_log", SealAuditLog, AuditSeal),
    Operation("verify_audit_log", VerifyAuditLog, AuditVerification),
    Operation("prune_audit_log", PruneAuditLog, AuditPruning),
    Operation("redact_audit_log", RedactAuditLog, AuditRedaction),
)


def audit_log(request: Request) -> Response:
    return answer(GROUP, request)
