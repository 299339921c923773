"""audit-log: who did what, and the proof that nobody has changed the record of it."""

from uuid import UUID

from flask import Request, Response

from tenantry.database import Database
from tenantry.endpoint import Group
from tenantry.fields import Arguments, Metadata, Moment, Result, Timestamp


class AuditEntry(Result):
    id: int
    occurred_at: Timestamp
    actor_id: UUID | None
    actor_role: str
    action: str
    table_name: str
    record_id: Metadata | None
    old_values: Metadata | None
    new_values: Metadata | None


class AdminAuditEntry(Result):
    id: int
    occurred_at: Timestamp
    actor_id: UUID | None
    actor_role: str
    action: str
    schema_name: str | None
    tenant_id: UUID | None
    details: Metadata
    request_id: str | None


class AuditSeal(Result):
    sealed_now: int
    sealed_total: int
    head: str | None


class AuditVerification(Result):
    is_intact: bool
    checked: int
    head: str | None
    problem: str | None
    entry_id: int | None


class AuditPruning(Result):
    schema_name: str
    removed: int
    head: str | None


class AuditRedaction(Result):
    schema_name: str
    user_id: UUID
    redacted: int


class GetAuditLog(Arguments):
    schema_name: str
    actor_id: UUID | None = None
    action: str | None = None
    table_name: str | None = None
    record_id: Metadata | None = None
    occurred_from: Moment | None = None
    occurred_to: Moment | None = None
    before_id: int | None = None
    page_size: int = 100


class GetAdminAuditLog(Arguments):
    schema_name: str | None = None
    actor_id: UUID | None = None
    action: str | None = None
    occurred_from: Moment | None = None
    occurred_to: Moment | None = None
    before_id: int | None = None
    page_size: int = 100


class SealAuditLog(Arguments):
    schema_name: str | None = None


class VerifyAuditLog(Arguments):
    schema_name: str | None = None
    expected_head: str | None = None


class PruneAuditLog(Arguments):
    schema_name: str | None
    before: Moment


class RedactAuditLog(Arguments):
    schema_name: str
    user_id: UUID


def get_audit_log(database: Database, arguments: GetAuditLog) -> list[AuditEntry]:
    """Data changes in a tenant, newest first, a page at a time."""
    return database.call("get_audit_log", arguments, list[AuditEntry])


def get_admin_audit_log(
    database: Database, arguments: GetAdminAuditLog
) -> list[AdminAuditEntry]:
    """Admin actions, newest first, a page at a time."""
    return database.call("get_admin_audit_log", arguments, list[AdminAuditEntry])


def seal_audit_log(database: Database, arguments: SealAuditLog) -> AuditSeal:
    """Seal new entries into the log's hash chain; keep the head elsewhere."""
    return database.call("seal_audit_log", arguments, AuditSeal)


def verify_audit_log(database: Database, arguments: VerifyAuditLog) -> AuditVerification:
    """Name the first sealed entry changed, removed or inserted since."""
    return database.call("verify_audit_log", arguments, AuditVerification)


def prune_audit_log(database: Database, arguments: PruneAuditLog) -> AuditPruning:
    """Remove old sealed entries; the rest of the chain stays verifiable."""
    return database.call("prune_audit_log", arguments, AuditPruning)


def redact_audit_log(database: Database, arguments: RedactAuditLog) -> AuditRedaction:
    """Take a person's profile values out of the logs, on their request."""
    return database.call("redact_audit_log", arguments, AuditRedaction)


GROUP = Group(
    "audit-log",
    get_audit_log,
    get_admin_audit_log,
    seal_audit_log,
    verify_audit_log,
    prune_audit_log,
    redact_audit_log,
)


def audit_log(request: Request) -> Response:
    return GROUP.answer(request)
