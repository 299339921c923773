"""What the OpenAPI document shows for each operation: one story, told in order.

Olga runs the platform, Ann is the admin of the tenant acme, and Bob works there.
"""

from typing import Any, NamedTuple


class Example(NamedTuple):
    request: dict[str, Any]
    reply: Any


OLGA = "0b6d1f4e-8a53-4c1e-9d57-2f0e6c3a9b10"
ANN = "7c9e2a5d-3b41-4f86-a1c0-5d8e9f2b6a34"
BOB = "e41f8b7a-96c2-4d05-8e3f-1a7b5c9d0e62"
CREATED = "2026-11-23T09:00:00.820727+00:00"
CHANGED = "2026-11-23T14:30:00.353417+00:00"
MIGRATION = "20270120090000"
HEAD = "bd213427a9cbe857870e9c21c59c543c253dc8c1e0ea9bb06168db2c54bed4ef"

ACME = {"schema_name": "acme"}
ORDERS = {**ACME, "table_name": "orders"}

TENANT = {
    "id": "8179d0f2-19d1-47d0-8c01-2089ec389ed3",
    **ACME,
    "display_name": "Acme Inc.",
    "status": "active",
    "suspended_at": None,
    "suspension_reason": None,
    "schema_version": "tenantry_0001",
    "created_at": CREATED,
    "created_by": OLGA,
    "updated_at": CREATED,
}
RENAMED = {**TENANT, "display_name": "Acme Corporation", "updated_at": CHANGED}
MIGRATED = {**RENAMED, "schema_version": MIGRATION}
SUSPENDED = {**MIGRATED, "status": "suspended", "suspended_at": CHANGED}

ACCESS = {
    "user_id": ANN,
    **ACME,
    "access_level": "admin",
    "expires_at": "2099-12-31T23:00:00+00:00",
    "granted_by": OLGA,
    "granted_at": CREATED,
}
VIEWER = {"user_id": BOB, "role": "viewer", "granted_by": OLGA, "created_at": CREATED}

PROFILE_OF_ANN = {
    "id": ANN,
    "email": "ann@example.com",
    "display_name": "Ann",
    "role": "member",
    "metadata": {},
    "created_at": CREATED,
    "updated_at": CREATED,
    "is_active": True,
}
BOB_IN_ACME = {"display_name": "Bob", "role": "approver", "metadata": {"department": "Finance"}}
PROFILE_OF_BOB = {
    "id": BOB,
    "email": "bob@example.com",
    **BOB_IN_ACME,
    "created_at": CREATED,
    "updated_at": CREATED,
}


def column(name: str, position: int, data_type: str, **other: Any) -> dict[str, Any]:
    return {
        "column_name": name,
        "ordinal_position": position,
        "data_type": data_type,
        "is_nullable": True,
        "column_default": None,
        "is_primary_key": False,
        "description": None,
        **other,
    }


ORDERS_COLUMNS = [
    column("id", 1, "bigint", is_nullable=False, is_primary_key=True),
    column(
        "total", 2, "numeric(10,2)", is_nullable=False, column_default="0.00::numeric(10,2)"
    ),
    column("placed_at", 3, "timestamp with time zone", column_default="now()"),
]
APPROVED_BY = column("approved_by", 4, "uuid")
APPROVED_BY_KEY = {
    "constraint_name": "orders_approved_by_fkey",
    "columns": ["approved_by"],
    "foreign_table": "users",
    "foreign_columns": ["id"],
    "on_update": "NO ACTION",
    "on_delete": "SET NULL",
}


def table(name: str, columns: int, size: int, description: str) -> dict[str, Any]:
    return {
        "table_name": name,
        "column_count": columns,
        "row_estimate": 0,
        "total_bytes": size,
        "description": description,
    }


EXAMPLES = {
    "create_tenant_schema": Example({**ACME, "display_name": "Acme Inc."}, TENANT),
    "rename_tenant": Example({**ACME, "display_name": "Acme Corporation"}, RENAMED),
    "grant_schema_access": Example(
        {
            **ACME,
            "user_id": ANN,
            "access_level": "admin",
            "expires_at": "2099-12-31T23:00:00Z",
        },
        ACCESS,
    ),
    "ensure_user_profile": Example(
        {**ACME, "display_name": "Ann"}, {**PROFILE_OF_ANN, "is_new": True}
    ),
    "create_user_profile": Example(
        {**ACME, "user_id": BOB, **BOB_IN_ACME}, {**PROFILE_OF_BOB, "is_active": False}
    ),
    "get_user_profile": Example(
        {**ACME, "user_id": BOB}, {**PROFILE_OF_BOB, "is_active": False}
    ),
    "update_user_profile": Example(
        {**ACME, "display_name": "Ann Lee", "metadata": {"language": "en"}},
        {
            **PROFILE_OF_ANN,
            "display_name": "Ann Lee",
            "metadata": {"language": "en"},
            "updated_at": CHANGED,
        },
    ),
    "promote_to_admin": Example({"user_id": BOB, "role": "viewer"}, VIEWER),
    "revoke_admin": Example({"user_id": BOB}, VIEWER),
    "create_table": Example(
        {
            **ORDERS,
            "columns": [
                {"name": "id", "type": "bigint", "primary_key": True},
                {"name": "total", "type": "numeric(10,2)", "nullable": False, "default": 0},
                {
                    "name": "placed_at",
                    "type": "timestamptz",
                    "default_expression": "now()",
                },
            ],
            "description": "What customers ordered.",
        },
        ORDERS_COLUMNS,
    ),
    "add_column": Example(
        {**ORDERS, "column_name": "approved_by", "column_type": "uuid"}, APPROVED_BY
    ),
    "add_foreign_key": Example(
        {
            **ORDERS,
            "column_name": "approved_by",
            "foreign_table": "users",
            "on_delete": "SET NULL",
        },
        APPROVED_BY_KEY,
    ),
    "get_schema_tables": Example(
        ACME,
        [
            table(
                "audit_log",
                9,
                32768,
                "Audit log of the tenant's data changes. Written only by triggers; tenant "
                "admins read.",
            ),
            table("orders", 4, 16384, "What customers ordered."),
            table(
                "settings",
                4,
                16384,
                "Key-value settings of the tenant: members read, tenant admins write.",
            ),
            table(
                "users",
                7,
                32768,
                "Profiles of the tenant's users. Written only through the profile RPCs.",
            ),
        ],
    ),
    "get_table_columns": Example(ORDERS, [*ORDERS_COLUMNS, APPROVED_BY]),
    "get_table_foreign_keys": Example(ORDERS, [APPROVED_BY_KEY]),
    "get_schema_summary": Example(
        ACME, {"table_count": 4, "row_estimate": 0, "total_bytes": 98304}
    ),
    "drop_foreign_key": Example(
        {**ORDERS, "constraint_name": "orders_approved_by_fkey"}, APPROVED_BY_KEY
    ),
    "drop_column": Example({**ORDERS, "column_name": "approved_by"}, APPROVED_BY),
    "drop_table": Example(ORDERS, table("orders", 3, 8192, "What customers ordered.")),
    "get_audit_log": Example(
        {**ACME, "table_name": "users", "page_size": 1},
        [
            {
                "id": 3,
                "occurred_at": CHANGED,
                "actor_id": ANN,
                "actor_role": "user",
                "action": "update",
                "table_name": "users",
                "record_id": {"id": ANN},
                "old_values": {"metadata": {}, "updated_at": CREATED, "display_name": "Ann"},
                "new_values": {
                    "metadata": {"language": "en"},
                    "updated_at": CHANGED,
                    "display_name": "Ann Lee",
                },
            }
        ],
    ),
    "get_admin_audit_log": Example(
        {**ACME, "action": "tenant.rename", "page_size": 1},
        [
            {
                "id": 3,
                "occurred_at": CHANGED,
                "actor_id": OLGA,
                "actor_role": "super_admin",
                "action": "tenant.rename",
                **ACME,
                "tenant_id": TENANT["id"],
                "details": {"after": "Acme Corporation", "before": "Acme Inc."},
                "request_id": "99daf15fb92044cb85985bdfa989790c",
            }
        ],
    ),
    "seal_audit_log": Example(ACME, {"sealed_now": 3, "sealed_total": 3, "head": HEAD}),
    "verify_audit_log": Example(
        ACME,
        {"is_intact": True, "checked": 3, "head": HEAD, "problem": None, "entry_id": None},
    ),
    "redact_audit_log": Example(
        {**ACME, "user_id": BOB}, {**ACME, "user_id": BOB, "redacted": 1}
    ),
    "prune_audit_log": Example(
        {**ACME, "before": "2026-11-24T00:00:00Z"}, {**ACME, "removed": 3, "head": HEAD}
    ),
    "get_migration_status": Example(
        {},
        {
            "latest_version": MIGRATION,
            "tenant_count": 1,
            "up_to_date": 0,
            "behind": 1,
            "failed": 0,
        },
    ),
    "list_tenants_behind": Example(
        {"page_size": 10},
        [
            {
                **ACME,
                "schema_version": "tenantry_0001",
                "next_version": MIGRATION,
                "pending": 1,
                "sqlstate": None,
                "message": None,
                "failed_at": None,
            }
        ],
    ),
    "migrate_tenant": Example(
        ACME,
        {
            **ACME,
            "outcome": "migrated",
            "version": MIGRATION,
            "pending": 0,
            "sqlstate": None,
            "message": None,
        },
    ),
    "get_schema_drift": Example(
        ACME,
        [
            {
                "object_kind": "column",
                "object_name": "settings.value",
                "difference": "different",
                "expected": "jsonb not null default 'null'::jsonb",
                "found": "jsonb default 'null'::jsonb",
            }
        ],
    ),
    "check_tenant_status": Example(ACME, {**ACME, "status": "active"}),
    "get_tenant_info": Example(
        ACME,
        {
            **ACME,
            "display_name": "Acme Corporation",
            "status": "active",
            "suspension_reason": None,
            "created_at": CREATED,
            "access_level": "admin",
            "member_count": 1,
        },
    ),
    "list_my_tenants": Example(
        {},
        [
            {
                **ACME,
                "display_name": "Acme Corporation",
                "status": "active",
                "access_level": "admin",
            }
        ],
    ),
    "revoke_schema_access": Example({**ACME, "user_id": ANN}, ACCESS),
    "suspend_tenant": Example(
        {**ACME, "reason": "unpaid invoice"},
        {**SUSPENDED, "suspension_reason": "unpaid invoice"},
    ),
    "activate_tenant": Example(ACME, MIGRATED),
    "delete_tenant_schema": Example(ACME, {**SUSPENDED, "suspension_reason": "contract ended"}),
}
