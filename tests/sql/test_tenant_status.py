"""What members and staff learn about a tenant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sql.act import DOORS, act
from stage import Stage

PAST = datetime.now(UTC) - timedelta(hours=1)
FUTURE = datetime.now(UTC) + timedelta(hours=1)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("suspended", [False, True], ids=["active", "suspended"])
def test_status_is_told_also_of_a_suspended_tenant(
    stage: Stage, door: str, suspended: bool
) -> None:
    name = stage.tenant()
    member = stage.member(name, "read")
    if suspended:
        stage.suspend(name)

    told = act(stage, member, "check_tenant_status", door=door, schema_name=name).result

    assert told == {"schema_name": name, "status": "suspended" if suspended else "active"}


@pytest.mark.parametrize("door", DOORS)
def test_info_tells_a_member_their_own_level(stage: Stage, door: str) -> None:
    name = stage.tenant()
    stage.member(name, "admin")
    writer = stage.member(name, "write")

    told = act(stage, writer, "get_tenant_info", door=door, schema_name=name).result

    created_at = told.pop("created_at")
    assert datetime.now(UTC) - datetime.fromisoformat(created_at) < timedelta(minutes=5)
    assert told == {
        "schema_name": name,
        "display_name": name,
        "status": "active",
        "suspension_reason": None,
        "access_level": "write",
        "member_count": 2,
    }


def test_info_tells_why_a_tenant_is_suspended(stage: Stage) -> None:
    name = stage.tenant()
    member = stage.member(name, "read")
    stage.sql.execute("select public.suspend_tenant(%s, 'unpaid')", (name,))

    told = act(stage, member, "get_tenant_info", schema_name=name).result

    assert (told["status"], told["suspension_reason"]) == ("suspended", "unpaid")


def test_info_tells_staff_that_they_have_no_level(stage: Stage) -> None:
    name = stage.tenant()

    told = act(stage, stage.staff("viewer"), "get_tenant_info", schema_name=name).result

    assert told["access_level"] is None
    assert told["member_count"] == 0


def test_member_count_ignores_expired_grants(stage: Stage) -> None:
    name = stage.tenant()
    reader = stage.member(name, "read")
    stage.member(name, "read", FUTURE)
    stage.member(name, "admin", PAST)

    told = act(stage, reader, "get_tenant_info", schema_name=name).result

    assert told["member_count"] == 2


@pytest.mark.parametrize("door", DOORS)
def test_my_tenants_are_those_with_an_unexpired_grant(stage: Stage, door: str) -> None:
    names = sorted(stage.tenant() for _ in range(4))
    person = stage.person()
    stage.grant(names[0], person, "admin")
    stage.grant(names[1], person, "write", FUTURE)
    stage.suspend(names[1])
    stage.grant(names[2], person, "admin", PAST)

    told = act(stage, person, "list_my_tenants", door=door).result

    assert told == [
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


@pytest.mark.parametrize("door", DOORS)
def test_staff_and_the_service_key_are_nobody_s_members(stage: Stage, door: str) -> None:
    stage.tenant()

    for caller in (stage.staff("super_admin"), stage.service, stage.person()):
        assert act(stage, caller, "list_my_tenants", door=door).result == []


def test_questions_leave_no_entry(stage: Stage) -> None:
    name = stage.tenant()
    member = stage.member(name, "read")

    assert act(stage, member, "check_tenant_status", schema_name=name).entries == []
    assert act(stage, member, "get_tenant_info", schema_name=name).entries == []
    assert act(stage, member, "list_my_tenants").entries == []
