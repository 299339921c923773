"""Users whom Auth has banned or soft-deleted are nobody, and nobody can give them anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from support.audited_call import audited_call, registry
from support.entry_points import ENTRY_POINTS
from support.environment import Environment, Person


@pytest.fixture
def tenant(environment: Environment) -> str:
    return environment.tenant()


COLUMNS = pytest.mark.parametrize("column", ["banned_until", "deleted_at"])

GIFTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "grant_schema_access": lambda tenant: {"schema_name": tenant},
    "create_user_profile": lambda tenant: {"schema_name": tenant},
    "promote_to_admin": lambda _: {"role": "viewer"},
}


@COLUMNS
@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize("kind", ["member", "super_admin"])
def test_inactive_user_cannot_call_any_operation(
    environment: Environment, tenant: str, column: str, entry_point: str, kind: str
) -> None:
    who = (
        environment.member(tenant, "admin")
        if kind == "member"
        else environment.staff("super_admin")
    )

    def call(operation: str, **arguments: Any) -> Any:
        return audited_call(environment, who, operation, entry_point=entry_point, **arguments)

    assert call("get_tenant_info", schema_name=tenant).reply.is_success

    environment.set_auth_state(who, column, "infinity" if column == "banned_until" else "now")

    for operation, arguments in (
        ("get_tenant_info", {"schema_name": tenant}),
        ("list_my_tenants", {}),
        ("drop_table", {"schema_name": tenant, "table_name": "forged"}),
        ("grant_schema_access", {"schema_name": tenant, "user_id": environment.person().id}),
        ("revoke_schema_access", {"schema_name": tenant, "user_id": who.id}),
        ("create_tenant_schema", {"schema_name": environment.name()}),
    ):
        assert call(operation, **arguments).refusal == (401, "not_authenticated"), operation
    for table in ("tenants", "user_schema_access", "admin_users", "admin_audit_log"):
        assert environment.rows(who, "public", table).json() == []

    environment.set_auth_state(who, column, None)
    assert call("get_tenant_info", schema_name=tenant).reply.is_success
    assert environment.rows(who, "public", "tenants").json() != []


@COLUMNS
@pytest.mark.parametrize("operation", GIFTS)
def test_nobody_gives_an_inactive_user_anything(
    environment: Environment, tenant: str, column: str, operation: str
) -> None:
    who = environment.person()
    arguments = GIFTS[operation](tenant) | {"user_id": who.id}
    environment.set_auth_state(who, column, "infinity" if column == "banned_until" else "now")
    before = registry(environment, tenant)

    refused = audited_call(environment, environment.service, operation, **arguments)

    assert refused.refusal == (404, "user_not_found")
    assert registry(environment, tenant) == before
    environment.set_auth_state(who, column, None)
    given = audited_call(environment, environment.service, operation, **arguments)
    assert given.reply.is_success


@COLUMNS
def test_what_an_inactive_user_has_can_be_taken(
    environment: Environment, tenant: str, column: str
) -> None:
    who = environment.member(tenant, "admin")
    audited_call(environment, environment.service, "promote_to_admin", user_id=who.id)
    environment.set_auth_state(who, column, "now" if column == "deleted_at" else "infinity")

    taken: dict[str, dict[str, Any]] = {
        "revoke_schema_access": {"schema_name": tenant, "user_id": who.id},
        "revoke_admin": {"user_id": who.id},
    }
    for operation, arguments in taken.items():
        done = audited_call(environment, environment.service, operation, **arguments)
        assert done.reply.is_success


@COLUMNS
def test_inactive_members_are_not_counted_and_their_profiles_are_not_active(
    environment: Environment, tenant: str, column: str
) -> None:
    who, other = (environment.member(tenant, "read") for _ in range(2))
    environment.sql.execute("select public.create_user_profile(%s, %s)", (tenant, who.id))

    def seen(by: Person) -> tuple[int, bool]:
        info = audited_call(environment, by, "get_tenant_info", schema_name=tenant)
        profile = audited_call(
            environment, by, "get_user_profile", schema_name=tenant, user_id=who.id
        )
        return info.result["member_count"], profile.result["is_active"]

    assert seen(other) == (2, True)
    environment.set_auth_state(who, column, "now" if column == "deleted_at" else "infinity")
    assert seen(other) == (1, False)


@COLUMNS
def test_an_inactive_super_admin_does_not_count_as_another(
    environment: Environment, column: str
) -> None:
    # In one transaction, because other tests have super_admins of their own.
    first, second = environment.staff("super_admin"), environment.staff("super_admin")
    with environment.sql.transaction(force_rollback=True):
        environment.sql.execute(
            "delete from public.admin_users where role = 'super_admin'"
            " and user_id <> all (%s::uuid[])",
            ([first.id, second.id],),
        )
        count = "select cardinality(tenancy.lock_super_admins()) as n"
        assert environment.sql.execute(count).fetchone() == {"n": 2}
        environment.set_auth_state(
            second, column, "now" if column == "deleted_at" else "infinity"
        )
        assert environment.sql.execute(count).fetchone() == {"n": 1}
