"""The functions need a database of their own release or of a later one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
import requests
from werkzeug.test import TestResponse
from werkzeug.wrappers import Request, Response

from support.callers import User
from support.deployment import Deployment
from support.environment import Address, Environment
from support.hosted import serving
from support.separate_data_api import separate_data_api
from support.upstream import Reply, Upstream, error, result
from support.waiting import until
from tenantry import __version__
from tenantry_cli.emulator.postgres import Postgres

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

OLDER = result({"release": "0.0.9"})


def check(user: User) -> TestResponse:
    return user.post("check_tenant_status", {"schema_name": "acme"})


def passes(user: User, upstream: Upstream) -> bool:
    """Whether the operation itself reaches the database."""
    before = len(upstream.received)
    upstream.will(result({"schema_name": "acme", "status": "active"}))
    reply = check(user)
    if len(upstream.received) == before:
        upstream.replies.pop()
        return False
    return reply.status_code == 200


@pytest.mark.parametrize("release", [__version__, "0.1.1", "0.10.0", "1.0.0", "0.1.0.dev1"])
def test_process_asks_a_database_that_fits_once(
    member: User, upstream: Upstream, release: str
) -> None:
    upstream.release = result({"release": release})

    assert [passes(member, upstream) for _ in range(3)] == [True] * 3
    assert upstream.questions == 1


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (
            OLDER,
            "The database has release 0.0.9 of Tenantry, but the functions need "
            f"{__version__}.",
        ),
        (
            error(404, "PGRST202", "Could not find the function"),
            "The database does not have this function. The functions need a database with "
            f"release {__version__} of Tenantry.",
        ),
    ],
)
def test_older_database_is_refused_before_the_operation(
    member: User, upstream: Upstream, reply: Reply, message: str
) -> None:
    upstream.release = reply

    refused = check(member)

    assert refused.json is not None
    assert (refused.status_code, refused.json["code"]) == (503, "upgrade_needed")
    assert refused.json["message"] == message
    assert "tenantry upgrade" in refused.json["hint"]
    assert "supabase db push" in refused.json["hint"]
    assert refused.headers["Retry-After"] == "1"
    assert upstream.received == []


def test_upgraded_database_is_noticed_without_a_restart(
    member: User, upstream: Upstream
) -> None:
    upstream.release = OLDER
    assert [passes(member, upstream) for _ in range(5)] == [False] * 5
    assert upstream.questions == 1

    upstream.release = result({"release": __version__})
    until(lambda: passes(member, upstream))

    assert passes(member, upstream)
    assert upstream.questions == 2


def test_pre_request_function_that_writes_does_not_stop_operations_that_write(
    member: User, upstream: Upstream
) -> None:
    upstream.release = error(405, "25006", "cannot execute INSERT in a read-only transaction")

    assert [passes(member, upstream) for _ in range(2)] == [True] * 2


def test_caller_whom_the_database_refuses_leaves_the_question_open(
    member: User, upstream: Upstream
) -> None:
    denied = error(401, "42501", "permission denied for function")
    upstream.release = denied
    for _ in range(2):
        upstream.will(denied)
        assert check(member).status_code == 401
    assert upstream.questions == 2

    upstream.release = OLDER
    assert not passes(member, upstream)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (error(503, "PGRST002"), "busy"),
        (Reply(500, b"<html>"), "upstream_error"),
        (result({"version": 1}), "upstream_error"),
    ],
)
def test_database_that_does_not_answer_the_question_is_asked_again(
    member: User, upstream: Upstream, reply: Reply, code: str
) -> None:
    upstream.release = reply
    refused = check(member)
    assert refused.json is not None
    assert refused.json["code"] == code

    upstream.release = result({"release": __version__})
    assert passes(member, upstream)


def project(api: Address) -> WSGIApplication:
    """A gateway with the Data API alone."""

    @Request.application
    def forward(request: Request) -> Response:
        reply = requests.request(
            request.method,
            f"{api.postgrest_url}{request.path.removeprefix('/rest/v1')}",
            headers={
                "Authorization": request.headers["Authorization"],
                "Content-Type": "application/json",
                "Connection": "close",
            },
            data=request.get_data(),
            timeout=30,
        )
        return Response(reply.content, reply.status_code, content_type="application/json")

    return forward


def declare_release(sql: psycopg.Connection[Any], release: str) -> None:
    [row] = sql.execute("select pg_get_functiondef('tenancy.release'::regproc) as text")
    sql.execute(re.sub(r"select '[^']+'", f"select '{release}'", row["text"]).encode())


def test_functions_wait_for_the_upgrade_of_a_real_database(
    server: Postgres,
    address: Address,
    deployment: Deployment,
    variables: dict[str, str],
) -> None:
    with (
        separate_data_api(server, address) as api,
        Environment(api) as environment,
        serving(project(api)) as url,
        deployment.serve("tenant_status", {**variables, "SUPABASE_URL": url}) as group,
    ):
        person = environment.person()

        def answer() -> tuple[int, object]:
            reply = httpx.post(
                f"{group.url}/list_my_tenants", headers=environment.headers(person), json={}
            )
            return reply.status_code, reply.json() if reply.is_success else reply.json()["code"]

        declare_release(environment.sql, "0.0.9")
        assert answer() == (503, "upgrade_needed")

        declare_release(environment.sql, __version__)
        until(lambda: answer() == (200, []))
        # What the process has learned once, it does not ask again.
        declare_release(environment.sql, "0.0.9")
        assert answer() == (200, [])
        assert "release 0.0.9" in group.requests()[0]["explanation"]
