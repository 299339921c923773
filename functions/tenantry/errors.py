"""Every error that a caller can get: the table of codes, and the exceptions of the functions.

The OpenAPI documents and the tables in the READMEs are made from the table.
"""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple


class ErrorCode(NamedTuple):
    """A row of the table: when a caller gets this code, and what to do then."""

    status: int
    code: str
    when: str
    remedy: str
    # Only callers of the Data API get this row: the functions give the error another status.
    data_api_only: bool = False


ERROR_CODES = (
    ErrorCode(
        400,
        "invalid_json",
        "The body is not a JSON object, or it contains a number that would lose digits.",
        "Send one JSON object in UTF-8 that names no member twice. Send a fraction that a "
        "double would change as text.",
    ),
    ErrorCode(
        400,
        "invalid_schema_name",
        "The schema name is reserved, or it is not 3–63 of a–z, 0–9, `_` with a letter first.",
        "Choose another name by the rule in the message.",
    ),
    ErrorCode(
        400,
        "invalid_identifier",
        "The name of a table, column or constraint is not 1–63 of a–z, 0–9, `_` with a letter "
        "first, or it is the name of a type or a system column.",
        "Choose another name by the rule in the message.",
    ),
    ErrorCode(
        400,
        "invalid_column_type",
        "The column type is not allowed, or it does not support what the call needs.",
        "Use a type that the hint names.",
    ),
    ErrorCode(
        400,
        "invalid_default",
        "The default does not fit the column's type, or the expression is not allowed.",
        "Use a default that fits the type.",
    ),
    ErrorCode(
        400,
        "invalid_request",
        "The database rejected a value, for example by a constraint or trigger of your own.",
        "Change the value that the message names.",
    ),
    ErrorCode(
        401,
        "not_authenticated",
        "The request has no valid access token of a user or of the service.",
        "Refresh the session or sign in again, then repeat the call.",
    ),
    ErrorCode(
        403,
        "forbidden",
        "The caller lacks the level or role that the operation needs.",
        "Ask an admin of the tenant or of the platform for the level that the message names.",
    ),
    ErrorCode(
        403,
        "tenant_suspended",
        "The caller is a member of the tenant, and the tenant is suspended.",
        "Show the message to the user. A platform admin activates the tenant with "
        "`activate_tenant`.",
    ),
    ErrorCode(
        404,
        "tenant_not_found",
        "The tenant does not exist, or the caller has no access to it.",
        "Check the name with `list_my_tenants`.",
    ),
    ErrorCode(
        404,
        "schema_not_found",
        "The database has no schema of this name.",
        "Check the name, or make a new tenant with `create_tenant_schema`.",
    ),
    ErrorCode(
        404,
        "user_not_found",
        "The user is missing, banned or deleted in Auth, or has nothing to revoke.",
        "Let the user sign up first, or check the user id.",
    ),
    ErrorCode(
        404,
        "invitation_not_found",
        "The invitation is used, expired, declined, revoked or void, or it is not for the "
        "caller's confirmed address, or there is none.",
        "Sign in with the invited address and confirm it, or ask for a new invitation.",
    ),
    ErrorCode(
        404,
        "role_not_found",
        "The tenant has no such role, or none of its own that could be dropped.",
        "Check the name with `list_roles`, or make the role with `define_role`.",
    ),
    ErrorCode(
        404,
        "permission_not_found",
        "The project has declared no permission of this name.",
        "Check the name, or declare it in a migration with `tenancy.declare_permission`.",
    ),
    ErrorCode(
        404,
        "domain_not_found",
        "The tenant has no such domain or SSO provider.",
        "Look at `list_tenant_domains`, or add it with `add_tenant_domain`.",
    ),
    ErrorCode(
        404,
        "request_not_found",
        "There is no open request for access: it was decided or withdrawn, or never made.",
        "Look at `list_access_requests`.",
    ),
    ErrorCode(
        404,
        "profile_not_found",
        "The user has no profile in this tenant.",
        "Call `ensure_user_profile` once after the user signs in.",
    ),
    ErrorCode(
        404,
        "table_not_found",
        "The tenant has no such table.",
        "Check the name with `get_schema_tables`.",
    ),
    ErrorCode(
        404,
        "column_not_found",
        "The table has no such column.",
        "Check the name with `get_table_columns`.",
    ),
    ErrorCode(
        404,
        "constraint_not_found",
        "The table has no such foreign key.",
        "Check the name with `get_table_foreign_keys`.",
    ),
    ErrorCode(
        404,
        "migration_not_found",
        "No tenant migration of this version is registered.",
        "Check the version with `list_tenants_behind`.",
    ),
    ErrorCode(
        404,
        "operation_not_found",
        "The group has no such operation.",
        "Use an operation that the message lists.",
    ),
    ErrorCode(
        404,
        "not_found",
        "The console has no such file.",
        "Open the console at its own address.",
    ),
    ErrorCode(
        405,
        "method_not_allowed",
        "The address does not answer this HTTP method.",
        "Use a method that the hint lists; operations take POST.",
    ),
    ErrorCode(
        409,
        "tenant_exists",
        "The schema name belongs to another tenant.",
        "Choose another name, or use the existing tenant. A tenant of the pool is in no list.",
    ),
    ErrorCode(
        409,
        "schema_exists",
        "The schema name belongs to a schema that is not a tenant.",
        "Choose another name.",
    ),
    ErrorCode(
        409,
        "schema_refused",
        "The existing schema cannot become a tenant, because of the objects in the message.",
        "Change them as the hint says. Nothing was changed.",
    ),
    ErrorCode(
        409,
        "tenant_active",
        "The tenant is active; only a suspended tenant can be deleted.",
        "Call `suspend_tenant` first.",
    ),
    ErrorCode(
        409,
        "profile_exists",
        "The user already has a profile in this tenant.",
        "Use the existing profile.",
    ),
    ErrorCode(
        409,
        "last_super_admin",
        "The platform would have no super_admin left whose role does not expire.",
        "Promote another super_admin first, without `expires_at`.",
    ),
    ErrorCode(
        409,
        "last_tenant_admin",
        "The tenant would have no admin left who can act.",
        "Make another member admin with `transfer_admin` first.",
    ),
    ErrorCode(
        409,
        "own_grant",
        "Callers may drop their own grant, but not change it.",
        "Ask another admin to change it. Platform staff call `open_support_access`.",
    ),
    ErrorCode(
        409,
        "member_exists",
        "The person is a member of the tenant already.",
        "Change the access of a member with `grant_schema_access`.",
    ),
    ErrorCode(
        409,
        "invitation_limit",
        "The tenant has as many open invitations as the platform allows, or the tenant or the "
        "caller has made as many in 24 hours.",
        "Revoke invitations or wait, or raise `max_open_invitations` or "
        "`max_daily_invitations` in `tenancy.platform_settings`.",
    ),
    ErrorCode(
        409,
        "role_exists",
        "The template has a role of this name, which tenants cannot change.",
        "Choose another name.",
    ),
    ErrorCode(
        409,
        "role_limit",
        "The tenant has as many roles of its own as the platform allows.",
        "Drop a role with `drop_role`, or raise `max_roles` in `tenancy.platform_settings`.",
    ),
    ErrorCode(
        409,
        "domain_unproved",
        "The TXT records do not have the value that proves the domain.",
        "Publish the TXT record that `list_tenant_domains` shows, and try again later.",
    ),
    ErrorCode(
        409,
        "domain_limit",
        "The tenant has as many domains as the platform allows.",
        "Remove domains, or raise `max_domains` in `tenancy.platform_settings`.",
    ),
    ErrorCode(
        409,
        "request_exists",
        "The caller has an open request for access to this tenant.",
        "Wait for the answer, or call `withdraw_request`.",
    ),
    ErrorCode(
        409,
        "request_refused",
        "A request of the caller for access to this tenant was refused in the last seven days.",
        "Repeat it seven days after the refusal.",
    ),
    ErrorCode(
        409,
        "request_limit",
        "The tenant has as many open requests as the platform allows, or the tenant or the "
        "caller has as many in 24 hours.",
        "Decide requests or wait, or raise `max_open_requests`, `max_daily_requests` or "
        "`max_daily_user_requests` in `tenancy.platform_settings`.",
    ),
    ErrorCode(
        409,
        "table_exists",
        "The tenant already has an object of this name.",
        "Choose another name, or use the existing table.",
    ),
    ErrorCode(
        409,
        "column_exists",
        "The table already has a column of this name, or the call names a column twice.",
        "Choose another name, or use the existing column.",
    ),
    ErrorCode(
        409,
        "constraint_exists",
        "The column already has a foreign key to that column.",
        "Use the existing foreign key.",
    ),
    ErrorCode(
        409,
        "table_limit",
        "The tenant has as many tables as the platform allows.",
        "Drop tables, or raise `tenancy.platform_settings.max_tables`.",
    ),
    ErrorCode(
        409,
        "column_limit",
        "The tenant would have more columns than the platform allows.",
        "Drop columns or tables, or raise `tenancy.platform_settings.max_columns`.",
    ),
    ErrorCode(
        409,
        "index_limit",
        "The tenant would have more indexes than the platform allows.",
        "Use fewer unique columns, or raise `tenancy.platform_settings.max_indexes`.",
    ),
    ErrorCode(
        409,
        "foreign_key_limit",
        "The tenant would have more foreign keys than the platform allows.",
        "Drop foreign keys, or raise `tenancy.platform_settings.max_foreign_keys`.",
    ),
    ErrorCode(
        409,
        "text_limit",
        "The tenant's defaults and comments would have more bytes than the platform allows.",
        "Use shorter texts, or raise `tenancy.platform_settings.max_text_bytes`.",
    ),
    ErrorCode(
        409,
        "default_limit",
        "The default of one column has more bytes than the platform allows.",
        "Use a shorter default, or raise `tenancy.platform_settings.max_default_bytes`.",
    ),
    ErrorCode(
        409,
        "unique_limit",
        "The call names more unique columns than the platform allows in one table.",
        "Use fewer, or raise `tenancy.platform_settings.max_unique_columns`.",
    ),
    ErrorCode(
        409,
        "retention_floor",
        "The audit logs must keep entries as young as the call would remove.",
        "Send a `before` as early as the message says.",
    ),
    ErrorCode(
        409,
        "table_not_empty",
        "Existing rows would have no value in the new column.",
        "Give the column a default, or let it be null.",
    ),
    ErrorCode(
        409,
        "protected_table",
        "The table, column or key belongs to the template, which a tenant cannot change.",
        "Change the template's tables by a tenant migration.",
    ),
    ErrorCode(
        409,
        "has_dependents",
        "Other objects depend on this one, and nothing cascades.",
        "Drop the objects that the message names first.",
    ),
    ErrorCode(
        409,
        "foreign_key_violation",
        "Existing rows refer to rows that do not exist.",
        "Correct these rows first.",
    ),
    ErrorCode(
        409,
        "foreign_key_target",
        "The referenced column is neither a primary key nor unique.",
        "Refer to a primary key or a unique column.",
    ),
    ErrorCode(
        409,
        "template_broken",
        "A tenant migration fails in a new tenant, because something that it needs was dropped "
        "or changed after it was registered. No tenant can be created.",
        "Restore what the message names, or replace or withdraw the migration.",
    ),
    ErrorCode(
        409,
        "migration_received",
        "Tenants have received the tenant migration, so it cannot be withdrawn, or not be "
        "replaced by this text.",
        "Register another tenant migration, as the message says.",
    ),
    ErrorCode(
        413,
        "payload_too_large",
        "The body is larger than 1 MiB.",
        "Send a smaller body.",
    ),
    ErrorCode(
        413,
        "reply_too_large",
        "The result is larger than 8 MB, which is the most that a function reads.",
        "Call the RPC on the Data API, as the hint says. A page of several rows ends at 4 MB, "
        "so in a list with pages a single row is that large.",
    ),
    ErrorCode(
        422,
        "invalid_request",
        "An argument is missing, unknown, or has the wrong shape.",
        "Change the argument that the message names; the hint says what fits.",
    ),
    ErrorCode(
        422,
        "migration_refused",
        "The tenant template cannot be built with the new text, or without the migration.",
        "Correct what the message says. Nothing was changed.",
    ),
    ErrorCode(
        429,
        "busy",
        "The Data API answers so for `busy` with status 503: to PostgREST, a 503 means that it "
        "has lost the database.",
        "Repeat the same call after a second.",
        data_api_only=True,
    ),
    ErrorCode(
        500,
        "internal_error",
        "The function failed because of a defect in Tenantry.",
        "Find the log line of the request id: it has the stack trace.",
    ),
    ErrorCode(
        502,
        "upstream_error",
        "The Data API is down, or gives no usable answer.",
        "Read `explanation` in the log line, and run `tenantry doctor`.",
    ),
    ErrorCode(
        503,
        "busy",
        "A deadlock, a lock timeout or a cancelled statement ended the call. Nothing changed.",
        "Repeat the call after `Retry-After` seconds.",
    ),
    ErrorCode(
        503,
        "upgrade_needed",
        "The database is older than the functions, or has no Tenantry.",
        "Run `tenantry upgrade` and `supabase db push`. Repeat the call after the upgrade.",
    ),
    ErrorCode(
        503,
        "console_incomplete",
        "The console was deployed without supabase-js.",
        "Run `tenantry bundle`, and deploy again.",
    ),
    ErrorCode(
        504,
        "upstream_timeout",
        "The Data API did not answer in time. The operation may have happened.",
        "Look at the current state before you repeat a call that is not idempotent.",
    ),
)


class ServiceError(Exception):
    """This request could not be answered."""

    status: int
    code: str

    # The headers that HTTP requires with a status.
    HEADERS: ClassVar[Mapping[int, Mapping[str, str]]] = {
        401: {"WWW-Authenticate": "Bearer"},
        503: {"Retry-After": "1"},
    }

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        # Without a more exact sentence the docstring is the message.
        self.message = message or self.__doc__ or self.code
        self.hint = hint
        super().__init__(self.message)

    @property
    def headers(self) -> Mapping[str, str]:
        return self.HEADERS.get(self.status, {})


class InvalidJsonError(ServiceError):
    """The body is not a JSON object."""

    status = 400
    code = "invalid_json"


class NotAuthenticatedError(ServiceError):
    """This operation is for signed-in users."""

    status = 401
    code = "not_authenticated"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(
            message, hint="Send the user's access token: Authorization: Bearer <token>."
        )


class OperationNotFoundError(ServiceError):
    """This group has no such operation."""

    status = 404
    code = "operation_not_found"


class MethodNotAllowedError(ServiceError):
    """This address does not answer that method."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, allowed: str) -> None:
        super().__init__(hint=f"Allowed here: {allowed}.")
        self.allowed = allowed

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Allow": self.allowed}


class PayloadTooLargeError(ServiceError):
    """The body is larger than 1 MiB."""

    status = 413
    code = "payload_too_large"


class ReplyTooLargeError(ServiceError):
    """The result is larger than 8 MB."""

    status = 413
    code = "reply_too_large"


class InvalidRequestError(ServiceError):
    """The arguments do not have the shape that this operation takes."""

    status = 422
    code = "invalid_request"


class RefusedError(ServiceError):
    """The database refused the operation and gave the reason."""

    def __init__(self, status: int, code: str, message: str | None, hint: str | None) -> None:
        self.status = status
        self.code = code
        super().__init__(message, hint=hint)


class InternalError(ServiceError):
    """The function failed. The request id finds the reason in the log."""

    status = 500
    code = "internal_error"


class UpstreamError(ServiceError):
    """The database API gave no usable answer."""

    status = 502
    code = "upstream_error"


class ReadOnlyCallError(UpstreamError):
    """The project's pre-request function writes in a call that only reads."""


class BusyError(ServiceError):
    """The database is busy with this tenant or row. Nothing was changed: try again."""

    status = 503
    code = "busy"


class UpgradeNeededError(ServiceError):
    """The database is older than the functions."""

    status = 503
    code = "upgrade_needed"

    def __init__(self, message: str) -> None:
        super().__init__(
            message, hint="Run `tenantry upgrade` in the project, and then `supabase db push`."
        )


class UpstreamTimeoutError(ServiceError):
    """The database API did not answer in time. The operation may have happened."""

    status = 504
    code = "upstream_timeout"
