"""What members and staff can read about a tenant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.audited_call import audited_call
from support.entry_points import ENTRY_POINTS
from support.environment import Environment

PAST = datetime.now(UTC) - timedelta(hours=1)
FUTURE = datetime.now(UTC) + timedelta(hours=1)


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize("suspended", [False, True], ids=["active", "suspended"])
def test_status_of_active_and_suspended_tenants(
    environment: Environment, entry_point: str, suspended: bool
) -> None:
    name = environment.tenant()
    member = environment.member(name, "read")
    if suspended:
        environment.suspend(name)

    result = audited_call(
        environment, member, "check_tenant_status", entry_point=entry_point, schema_name=name
    ).result

    assert result == {"schema_name": name, "status": "suspended" if suspended else "active"}


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_info_has_the_access_level_of_the_member(
    environment: Environment, entry_point: str
) -> None:
    name = environment.tenant()
    environment.member(name, "admin")
    writer = environment.member(name, "write")

    result = audited_call(
        environment, writer, "get_tenant_info", entry_point=entry_point, schema_name=name
    ).result

    created_at = result.pop("created_at")
    assert datetime.now(UTC) - datetime.fromisoformat(created_at) < timedelta(minutes=5)
    assert result == {
        "schema_name": name,
        "display_name": name,
        "status": "active",
        "suspension_reason": None,
        "access_level": "write",
        "roles": [],
        "permissions": [],
        "member_count": 2,
    }


def test_info_has_the_reason_of_the_suspension(environment: Environment) -> None:
    name = environment.tenant()
    member = environment.member(name, "read")
    environment.sql.execute("select public.suspend_tenant(%s, 'unpaid')", (name,))

    result = audited_call(environment, member, "get_tenant_info", schema_name=name).result

    assert (result["status"], result["suspension_reason"]) == ("suspended", "unpaid")


def test_info_has_no_access_level_for_staff(environment: Environment) -> None:
    name = environment.tenant()

    result = audited_call(
        environment, environment.staff("viewer"), "get_tenant_info", schema_name=name
    ).result

    assert result["access_level"] is None
    assert result["member_count"] == 0


def test_member_count_ignores_expired_grants(environment: Environment) -> None:
    name = environment.tenant()
    reader = environment.member(name, "read")
    environment.member(name, "read", FUTURE)
    environment.member(name, "admin", PAST)

    result = audited_call(environment, reader, "get_tenant_info", schema_name=name).result

    assert result["member_count"] == 2


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_my_tenants_are_those_with_an_unexpired_grant(
    environment: Environment, entry_point: str
) -> None:
    names = sorted(environment.tenant() for _ in range(4))
    person = environment.person()
    environment.grant(names[0], person, "admin")
    environment.grant(names[1], person, "write", FUTURE)
    environment.suspend(names[1])
    environment.grant(names[2], person, "admin", PAST)

    result = audited_call(
        environment, person, "list_my_tenants", entry_point=entry_point
    ).result

    assert result == [
        {
            "schema_name": names[0],
            "display_name": names[0],
            "status": "active",
            "access_level": "admin",
        },
        {
            "schema_name": names[1],
            "display_name": names[1],
            "status": "suspended",
            "access_level": "write",
        },
    ]


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_staff_and_the_service_key_are_members_of_no_tenant(
    environment: Environment, entry_point: str
) -> None:
    environment.tenant()

    for caller in (environment.staff("super_admin"), environment.service, environment.person()):
        assert (
            audited_call(environment, caller, "list_my_tenants", entry_point=entry_point).result
            == []
        )


def test_reads_leave_no_entry(environment: Environment) -> None:
    name = environment.tenant()
    member = environment.member(name, "read")

    assert (
        audited_call(environment, member, "check_tenant_status", schema_name=name).entries == []
    )
    assert audited_call(environment, member, "get_tenant_info", schema_name=name).entries == []
    assert audited_call(environment, member, "list_my_tenants").entries == []


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_my_tenants_come_in_pages(environment: Environment, entry_point: str) -> None:
    person = environment.person()
    names = sorted(environment.tenant() for _ in range(5))
    for name in names:
        environment.grant(name, person, "read")

    def page(**arguments: Any) -> list[str]:
        done = audited_call(
            environment, person, "list_my_tenants", entry_point=entry_point, **arguments
        )
        return [row["schema_name"] for row in done.result]

    assert page() == page(page_size=1000) == page(after=None) == names
    assert page(page_size=2) == names[:2]
    assert page(page_size=2, after=names[1]) == names[2:4]
    assert page(page_size=2, after=names[3]) == names[4:]
    assert page(page_size=2, after=names[4]) == []
    # The key of a row that is gone since.
    environment.sql.execute("select public.revoke_schema_access(%s, %s)", (names[1], person.id))
    assert page(page_size=2, after=names[1]) == names[2:4]


@pytest.mark.parametrize("page_size", [0, -1, 1001, None])
@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_page_of_my_tenants_has_1_to_1000_rows(
    environment: Environment, entry_point: str, page_size: int | None
) -> None:
    refused = audited_call(
        environment,
        environment.person(),
        "list_my_tenants",
        entry_point=entry_point,
        page_size=page_size,
    )

    assert refused.refusal == (422, "invalid_request")
