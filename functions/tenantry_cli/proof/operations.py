"""Every RPC, who may call it, and arguments with which the call does no harm.

Where a permitted call would change something, the arguments lead it to an error that comes
after the question of permission; that error then is the proof that it got there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tenantry_cli.proof.identities import (
    ADMIN_B,
    READER,
    STRANGER,
    SUPER_ADMIN,
    WRITER,
)
from tenantry_cli.proof.rules import Identity, Kind, Level, Permission, Platform, State, Tenant

Json = dict[str, Any]
NO_ONE = Permission()


@dataclass(frozen=True)
class CallContext:
    """What arguments are made of."""

    tenant: Tenant
    other: Tenant
    identity: Identity
    ids: Mapping[Identity, str]
    display_name: str

    @property
    def own_id(self) -> str:
        return self.ids.get(self.identity, self.ids[STRANGER])


Arguments = Callable[[CallContext], Json]


@dataclass(frozen=True)
class Operation:
    name: str
    group: str
    permission: Permission
    # What a permitted caller sends; harmless.
    arguments: Arguments
    # What everybody else sends; it would do harm.
    attack: Arguments | None = None
    # Errors that only a permitted caller gets to see.
    passes: frozenset[str] = frozenset()
    has_tenant: bool = True
    is_stable: bool = False
    # For whom even these arguments would change something.
    spare: Callable[[CallContext], bool] = lambda context: False
    label: str = ""
    # An empty list is an answer too: a refusal is an error.
    may_be_empty: bool = False
    # Answers everybody; what counts is whether it names the tenant.
    is_list_of_tenants: bool = False

    @property
    def title(self) -> str:
        return self.label or self.name


def _tenant(**more: Any) -> Arguments:
    return lambda context: {"schema_name": context.tenant.name, **more}


def _fixed(**arguments: Any) -> Arguments:
    return lambda context: dict(arguments)


_MEMBER = Permission(member=Level.READ)
_INSPECTOR = Permission(platform=Platform.VIEWER, member=Level.READ)
_CURIOUS = Permission(platform=Platform.VIEWER, member=Level.READ, even_suspended=True)
_TENANT_ADMIN = Permission(platform=Platform.ADMIN, member=Level.ADMIN)
_PLATFORM_ADMIN = Permission(platform=Platform.ADMIN)
_SUPER_ADMIN = Permission(platform=Platform.SUPER_ADMIN)

_COLUMN = {"name": "body", "type": "text"}


def _resident(context: CallContext) -> str:
    """Somebody who has access to the tenant."""
    return context.ids[ADMIN_B if context.tenant.letter == "B" else READER]


def _resident_level(context: CallContext) -> str:
    return "admin" if context.tenant.letter == "B" else "read"


def _is_platform_admin(context: CallContext) -> bool:
    return (
        context.identity.kind is Kind.SERVICE
        or (context.identity.platform or 0) >= Platform.ADMIN
    )


OPERATIONS = (
    # schema-management
    Operation(
        "create_tenant_schema",
        "schema-management",
        _PLATFORM_ADMIN,
        _fixed(schema_name="pg_proof"),
        passes=frozenset({"invalid_schema_name"}),
        has_tenant=False,
    ),
    Operation(
        "rename_tenant",
        "schema-management",
        _TENANT_ADMIN,
        lambda context: {
            "schema_name": context.tenant.name,
            "display_name": context.display_name,
        },
        _tenant(display_name="taken"),
    ),
    Operation(
        "suspend_tenant",
        "schema-management",
        _PLATFORM_ADMIN,
        _tenant(),
        spare=lambda context: context.tenant.state is State.ACTIVE,
    ),
    Operation(
        "activate_tenant",
        "schema-management",
        _PLATFORM_ADMIN,
        _tenant(),
        spare=lambda context: context.tenant.state is State.SUSPENDED,
    ),
    Operation(
        "delete_tenant_schema",
        "schema-management",
        _SUPER_ADMIN,
        _tenant(),
        passes=frozenset({"tenant_active"}),
        spare=lambda context: context.tenant.state is State.SUSPENDED,
    ),
    # user-profiles
    Operation("ensure_user_profile", "user-profiles", _MEMBER, _tenant()),
    Operation(
        "create_user_profile",
        "user-profiles",
        _TENANT_ADMIN,
        lambda context: {"schema_name": context.tenant.name, "user_id": context.ids[STRANGER]},
        lambda context: {
            "schema_name": context.tenant.name,
            "user_id": context.ids[SUPER_ADMIN],
        },
        passes=frozenset({"profile_exists"}),
    ),
    Operation(
        "get_user_profile",
        "user-profiles",
        _MEMBER,
        lambda context: {"schema_name": context.tenant.name, "user_id": context.ids[STRANGER]},
        is_stable=True,
    ),
    Operation(
        "update_user_profile",
        "user-profiles",
        _MEMBER,
        _tenant(display_name="renamed"),
        passes=frozenset({"profile_not_found"}),
    ),
    # access-control
    Operation(
        "grant_schema_access",
        "access-control",
        _TENANT_ADMIN,
        lambda context: {
            "schema_name": context.tenant.name,
            "user_id": _resident(context),
            "access_level": _resident_level(context),
        },
        lambda context: {
            "schema_name": context.tenant.name,
            "user_id": context.own_id,
            "access_level": "admin",
        },
        passes=frozenset({"own_grant"}),
    ),
    Operation(
        "grant_schema_access",
        "access-control",
        NO_ONE,
        lambda context: {
            "schema_name": context.tenant.name,
            "user_id": context.own_id,
            "access_level": "admin",
            "expires_at": "2999-01-01T00:00:00Z",
        },
        # They may, and would.
        spare=_is_platform_admin,
        label="grant_schema_access to oneself",
    ),
    Operation(
        "revoke_schema_access",
        "access-control",
        _TENANT_ADMIN,
        lambda context: {"schema_name": context.tenant.name, "user_id": context.ids[STRANGER]},
        lambda context: {
            "schema_name": context.tenant.name,
            # Everybody may drop their own.
            "user_id": context.ids[WRITER if context.identity != WRITER else READER],
        },
        passes=frozenset({"user_not_found"}),
    ),
    Operation(
        "promote_to_admin",
        "access-control",
        _SUPER_ADMIN,
        lambda context: {"user_id": context.ids[SUPER_ADMIN], "role": "super_admin"},
        lambda context: {"user_id": context.own_id, "role": "super_admin"},
        has_tenant=False,
    ),
    Operation(
        "revoke_admin",
        "access-control",
        _SUPER_ADMIN,
        lambda context: {"user_id": context.ids[STRANGER]},
        lambda context: {"user_id": context.ids[SUPER_ADMIN]},
        passes=frozenset({"user_not_found"}),
        has_tenant=False,
    ),
    # schema-inspection
    Operation("get_schema_tables", "schema-inspection", _INSPECTOR, _tenant(), is_stable=True),
    Operation(
        "get_table_columns",
        "schema-inspection",
        _INSPECTOR,
        _tenant(table_name="proof_notes"),
        is_stable=True,
    ),
    Operation(
        "get_table_foreign_keys",
        "schema-inspection",
        _INSPECTOR,
        _tenant(table_name="proof_notes"),
        is_stable=True,
    ),
    Operation("get_schema_summary", "schema-inspection", _INSPECTOR, _tenant(), is_stable=True),
    # ddl-operations
    Operation(
        "create_table",
        "ddl-operations",
        _TENANT_ADMIN,
        _tenant(table_name="settings", columns=[_COLUMN]),
        _tenant(table_name="proof_forged", columns=[_COLUMN]),
        passes=frozenset({"table_exists"}),
    ),
    Operation(
        "drop_table",
        "ddl-operations",
        _TENANT_ADMIN,
        _tenant(table_name="settings"),
        _tenant(table_name="proof_spare"),
        passes=frozenset({"protected_table"}),
    ),
    Operation(
        "add_column",
        "ddl-operations",
        _TENANT_ADMIN,
        _tenant(table_name="audit_log", column_name="x_forged", column_type="text"),
        _tenant(table_name="proof_spare", column_name="x_forged", column_type="text"),
        passes=frozenset({"protected_table"}),
    ),
    Operation(
        "drop_column",
        "ddl-operations",
        _TENANT_ADMIN,
        _tenant(table_name="settings", column_name="key"),
        _tenant(table_name="proof_spare", column_name="body"),
        passes=frozenset({"protected_table"}),
    ),
    Operation(
        "add_foreign_key",
        "ddl-operations",
        _TENANT_ADMIN,
        _tenant(table_name="settings", column_name="key", foreign_table="users"),
        _tenant(table_name="proof_spare", column_name="body", foreign_table="proof_tags"),
        passes=frozenset({"protected_table"}),
    ),
    Operation(
        "drop_foreign_key",
        "ddl-operations",
        _TENANT_ADMIN,
        _tenant(table_name="settings", constraint_name="none"),
        _tenant(table_name="proof_notes", constraint_name="proof_notes_tag_fkey"),
        passes=frozenset({"protected_table"}),
    ),
    *(
        Operation(
            "add_foreign_key",
            "ddl-operations",
            NO_ONE,
            lambda context, spelling=spelling: {  # type: ignore[misc]
                "schema_name": context.tenant.name,
                "table_name": "proof_notes",
                "column_name": "tag",
                "foreign_table": spelling.format(context.other.name),
                "foreign_column": "id",
            },
            label=label,
        )
        for label, spelling in (
            ("foreign key into another tenant", "{}.proof_tags"),
            ("foreign key into another tenant, quoted", '{}"."proof_tags'),
        )
    ),
    Operation(
        "create_table",
        "ddl-operations",
        NO_ONE,
        lambda context: {
            "schema_name": context.tenant.name,
            "table_name": "proof_forged",
            "columns": [{"name": "row", "type": f"{context.other.name}.proof_notes"}],
        },
        label="column of another tenant's type",
    ),
    Operation(
        "drop_table",
        "ddl-operations",
        NO_ONE,
        lambda context: {
            "schema_name": context.tenant.name,
            "table_name": f"{context.other.name}.proof_spare",
        },
        label="drop another tenant's table",
    ),
    # audit-log
    Operation(
        "get_audit_log", "audit-log", Permission(member=Level.ADMIN), _tenant(), is_stable=True
    ),
    Operation(
        "get_admin_audit_log",
        "audit-log",
        Permission(platform=Platform.VIEWER, member=Level.ADMIN),
        _tenant(),
        is_stable=True,
    ),
    Operation(
        "get_admin_audit_log",
        "audit-log",
        Permission(platform=Platform.VIEWER),
        _fixed(page_size=5),
        is_stable=True,
        has_tenant=False,
        label="get_admin_audit_log of all",
    ),
    Operation("seal_audit_log", "audit-log", _PLATFORM_ADMIN, _tenant()),
    Operation("verify_audit_log", "audit-log", _TENANT_ADMIN, _tenant(), is_stable=True),
    Operation(
        "prune_audit_log",
        "audit-log",
        _PLATFORM_ADMIN,
        _tenant(before="1970-01-01T00:00:00Z"),
        _tenant(before="2999-01-01T00:00:00Z"),
    ),
    Operation(
        "redact_audit_log",
        "audit-log",
        _PLATFORM_ADMIN,
        _tenant(user_id="00000000-0000-0000-0000-000000000000"),
    ),
    # tenant-migrations
    Operation(
        "get_migration_status",
        "tenant-migrations",
        _PLATFORM_ADMIN,
        _fixed(),
        is_stable=True,
        has_tenant=False,
    ),
    Operation(
        "list_tenants_behind",
        "tenant-migrations",
        _PLATFORM_ADMIN,
        _fixed(page_size=1),
        is_stable=True,
        has_tenant=False,
        may_be_empty=True,
    ),
    # Made a moment ago, it has every migration.
    Operation("migrate_tenant", "tenant-migrations", _PLATFORM_ADMIN, _tenant()),
    Operation(
        "get_schema_drift",
        "tenant-migrations",
        _PLATFORM_ADMIN,
        _tenant(),
        is_stable=True,
        may_be_empty=True,
    ),
    # tenant-status
    Operation("check_tenant_status", "tenant-status", _CURIOUS, _tenant(), is_stable=True),
    Operation("get_tenant_info", "tenant-status", _CURIOUS, _tenant(), is_stable=True),
    Operation(
        "list_my_tenants",
        "tenant-status",
        Permission(member=Level.READ, even_suspended=True),
        _fixed(),
        is_stable=True,
        is_list_of_tenants=True,
    ),
)
