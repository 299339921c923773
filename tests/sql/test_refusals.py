"""A refused attempt leaves no row anywhere, and one line in the server's own log."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.environment import Address, Environment, Person
from support.waiting import is_known, until

Lines = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def refused(address: Address) -> Lines:
    """The lines that the server has logged about a request since the test began."""
    # PostgreSQL writes its log to standard error, which is a file.
    with psycopg.connect(address.admin_db_url, autocommit=True) as superuser:
        row = superuser.execute("select size from pg_stat_file('/proc/self/fd/2')").fetchone()
    assert row
    begin = row[0]

    def lines(request_id: str) -> list[dict[str, Any]]:
        with psycopg.connect(address.admin_db_url, autocommit=True) as superuser:
            row = superuser.execute(
                "select convert_from(pg_read_binary_file('/proc/self/fd/2', %s, size), 'UTF8')"
                " from pg_stat_file('/proc/self/fd/2')",
                (begin,),
            ).fetchone()
        assert row
        found = re.findall(r"LOG:  tenantry refused (\{.*\})$", row[0], re.MULTILINE)
        entries = [json.loads(entry) for entry in found]
        return [entry for entry in entries if entry.pop("request_id", None) == request_id]

    return lines


def request(
    environment: Environment, person: Person, path: str, profile: str, **body: Any
) -> str:
    """Sends a request, and returns its id whether it succeeds or fails."""
    request_id = uuid.uuid4().hex
    headers = environment.headers(person) | {
        "X-Request-Id": request_id,
        "Content-Profile": profile,
    }
    environment.http.post(path, headers=headers, json=body)
    return request_id


def test_refused_rpc_is_in_the_servers_log_and_an_allowed_one_is_not(
    environment: Environment, refused: Lines
) -> None:
    tenant = environment.tenant()
    viewer, admin = environment.staff("viewer"), environment.staff("admin")

    denied = request(
        environment, viewer, "/rest/v1/rpc/suspend_tenant", "public", schema_name=tenant
    )
    done = request(
        environment, admin, "/rest/v1/rpc/suspend_tenant", "public", schema_name=tenant
    )

    until(lambda: bool(refused(denied)))
    assert refused(denied) == [
        {
            "code": "forbidden",
            "actor_id": viewer.id,
            "actor_role": "viewer",
            "schema_name": tenant,
            "method": "POST",
            "path": "/rpc/suspend_tenant",
        }
    ]
    assert refused(done) == []
    logged = environment.sql.execute(
        "select request_id from public.admin_audit_log where request_id = any(%s)",
        ([denied, done],),
    ).fetchall()
    assert logged == [{"request_id": done}]


@pytest.mark.parametrize(
    ("level", "suspended", "code"),
    [
        (None, False, "forbidden"),
        ("read", False, "forbidden"),
        ("write", True, "tenant_suspended"),
    ],
)
def test_refused_rows_are_in_the_servers_log(
    environment: Environment, refused: Lines, level: str | None, suspended: bool, code: str
) -> None:
    tenant = environment.tenant()
    until(lambda: is_known(environment, tenant, "settings"))
    person = environment.member(tenant, level) if level else environment.person()
    if suspended:
        environment.suspend(tenant)

    denied = request(environment, person, "/rest/v1/settings", tenant, key="theme")

    until(lambda: bool(refused(denied)))
    assert refused(denied) == [
        {
            "code": code,
            "actor_id": person.id,
            "actor_role": f"tenant_{level}" if level else "user",
            "schema_name": tenant,
            "method": "POST",
            "path": "/settings",
        }
    ]


def test_text_of_a_caller_cannot_begin_a_new_line_in_the_log(
    environment: Environment, refused: Lines
) -> None:
    forged = 'x\nLOG:  tenantry refused {"code": "forged"}'

    denied = request(
        environment,
        environment.person(),
        "/rest/v1/rpc/check_tenant_status",
        "public",
        schema_name=forged,
    )

    until(lambda: bool(refused(denied)))
    [entry] = refused(denied)
    assert entry["code"] == "tenant_not_found"
    assert "\n" not in entry["schema_name"]
