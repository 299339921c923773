"""audit-log: who did what, and the proof that nobody has changed the record of it."""

from uuid import UUID

from flask import Request, Response
from pydantic import StrictInt

from tenantry.database import Database
from tenantry.endpoint import Group
from tenantry.fields import Arguments, JsonObject, Metadata, Moment, Result, Timestamp


class AuditEntry(Result):
    id: int
    occurred_at: Timestamp
    actor_id: UUID | None
    actor_role: str
    action: str
    table_name: str
    record_id: JsonObject | None
    old_values: JsonObject | None
    new_values: JsonObject | None


class AdminAuditEntry(Result):
    id: int
    occurred_at: Timestamp
    actor_id: UUID | None
    actor_role: str
    action: str
    schema_name: str | None
    tenant_id: UUID | None
    details: JsonObject
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
    before_id: StrictInt | None = None
    page_size: StrictInt = 100


class GetAdminAuditLog(Arguments):
    schema_name: str | None = None
    actor_id: UUID | None = None
    action: str | None = None
    occurred_from: Moment | None = None
    occurred_to: Moment | None = None
    before_id: StrictInt | None = None
    page_size: StrictInt = 100


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
    """Data changes in a tenant, newest first, a page at a time.

    Data changes in a tenant, newest first: by actor, action (insert, update, delete,
    truncate), table, record (key columns as JSON), from (included) and to (not). A page has
    up to page_size entries, from 1 to 1,000; the next one is before_id = the last id of this
    one. Admins of the tenant. Errors: invalid_request, tenant_not_found, tenant_suspended,
    forbidden, not_authenticated, busy.
    """
    return database.call("get_audit_log", arguments, list[AuditEntry])


def get_admin_audit_log(
    database: Database, arguments: GetAdminAuditLog
) -> list[AdminAuditEntry]:
    """Admin actions, newest first, a page at a time.

    Admin actions, newest first: by tenant, actor, action (tenant.suspend …), from
    (included) and to (not); pages as in get_audit_log. Platform staff see all, admins of a
    tenant that tenant's. Errors: invalid_request, tenant_not_found, tenant_suspended,
    forbidden, not_authenticated, busy.
    """
    return database.call("get_admin_audit_log", arguments, list[AdminAuditEntry])


def seal_audit_log(database: Database, arguments: SealAuditLog) -> AuditSeal:
    """Seal new entries into the log's hash chain; keep the head elsewhere.

    Seals the entries of a tenant's audit log, or without a name of admin_audit_log, into a
    hash chain and returns its head: keep it outside the database, for verify_audit_log. To
    be called on a schedule; writers never wait for it. Entries of transactions still
    running, or begun before one still running, wait for the next call. Platform admins.
    Errors: tenant_not_found, forbidden, not_authenticated, busy.
    """
    return database.call("seal_audit_log", arguments, AuditSeal)


def verify_audit_log(database: Database, arguments: VerifyAuditLog) -> AuditVerification:
    """Name the first sealed entry changed, removed or inserted since.

    Whether the sealed entries of a log are what was sealed: names the first one changed,
    removed or inserted since. expected_head is a head that seal_audit_log once returned and
    that was kept elsewhere; without it, whoever can rewrite the whole chain as a superuser
    can hide. It cannot show changes made before sealing, nor find a head older than the
    last pruning. Admins of the tenant or of the platform; admin_audit_log platform admins.
    Errors: tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.
    """
    return database.call("verify_audit_log", arguments, AuditVerification)


def prune_audit_log(database: Database, arguments: PruneAuditLog) -> AuditPruning:
    """Remove old sealed entries; the rest of the chain stays verifiable.

    Retention: removes the entries of a tenant's audit log, or with a null name of
    admin_audit_log, that are older than a moment and sealed; the rest of the chain stays
    verifiable. Platform admins; logged as audit.prune with the number removed and their
    head. Errors: invalid_request, tenant_not_found, forbidden, not_authenticated, busy.
    """
    return database.call("prune_audit_log", arguments, AuditPruning)


def redact_audit_log(database: Database, arguments: RedactAuditLog) -> AuditRedaction:
    """Take a person's profile values out of the logs, on their request.

    On a person's request: takes the values of their profile (e-mail address, names,
    metadata) out of the sealed entries of a tenant's audit log; admin_audit_log never had
    them. That something happened, when and by whom stays, and so does the chain. Entries
    too young to be sealed are left for the next call. Platform admins; logged as
    audit.redact. Errors: invalid_request, tenant_not_found, forbidden, not_authenticated,
    busy.
    """
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
