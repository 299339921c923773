"""What all groups share: routing, limits, JSON, ids, CORS and the log line."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from werkzeug.test import TestResponse

from support.callers import Start, User, token
from support.upstream import Upstream, error, result

ACTIVE = {"schema_name": "acme", "status": "active"}
MIB = 1024 * 1024
TRACE = "0af7651916cd43dd8448eb211c80319c"


def assert_refused(reply: TestResponse, status: int, code: str) -> None:
    assert (reply.status_code, reply.json and reply.json["code"]) == (status, code)
    assert reply.json is not None
    assert set(reply.json) == {"code", "message", "hint", "error", "request_id"}
    assert reply.json["error"] == reply.json["message"]
    assert reply.json["request_id"] == reply.headers["X-Request-Id"]


def check(member: User, upstream: Upstream, **headers: str) -> TestResponse:
    upstream.will(result(ACTIVE))
    return member.post("check_tenant_status", {"schema_name": "acme"}, **headers)


def test_operation_answers_with_the_databases_result(member: User, upstream: Upstream) -> None:
    reply = check(member, upstream)
    assert (reply.status_code, reply.json) == (200, ACTIVE)
    assert upstream.received[0].path == "/rest/v1/rpc/check_tenant_status"
    assert upstream.received[0].body == {"schema_name": "acme"}


def test_rows_are_an_array(member: User, upstream: Upstream) -> None:
    row = {**ACTIVE, "display_name": "Acme", "access_level": "read"}
    upstream.will(result([row]), result([]))
    assert member.post("list_my_tenants").json == [row]
    assert member.post("list_my_tenants").json == []


def test_timestamps_are_returned_as_the_database_wrote_them(
    member: User, upstream: Upstream
) -> None:
    info = {
        **ACTIVE,
        "display_name": "Zoë \N{SNOWMAN}",
        "suspension_reason": None,
        "created_at": "2026-11-23T16:00:00.1+00:00",
        "access_level": None,
        "roles": None,
        "permissions": None,
        "member_count": 0,
    }
    upstream.will(result(info))
    assert member.post("get_tenant_info", {"schema_name": "acme"}).json == info


def test_health_names_the_operations(start: Start) -> None:
    reply = start("tenant_status").get("/")
    assert reply.status_code == 200
    assert reply.json is not None
    assert reply.json["name"] == "tenant-status"
    assert reply.json["operations"] == [
        *("check_tenant_status", "get_tenant_info", "get_platform_health"),
        *("list_my_tenants", "list_tenants"),
    ]


def test_unknown_operation_is_404_and_names_the_known_ones(member: User) -> None:
    # Without our handlers, functions-framework would answer the last two.
    for path in (
        *("suspend_tenant", "check_tenant_status/", "check_tenant_status/x", "__init__"),
        *("robots.txt", "favicon.ico"),
    ):
        reply = member.post(path)
        assert_refused(reply, 404, "operation_not_found")
        assert reply.json is not None
        assert "get_tenant_info" in reply.json["message"]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/check_tenant_status", "POST, OPTIONS"),
        ("DELETE", "/check_tenant_status", "POST, OPTIONS"),
        ("POST", "/", "GET, HEAD, OPTIONS"),
        ("POST", "/openapi.json", "GET, HEAD, OPTIONS"),
    ],
)
def test_wrong_method_is_405_with_allow(
    start: Start, method: str, path: str, allow: str
) -> None:
    reply = start("tenant_status").open(path, method=method)
    assert_refused(reply, 405, "method_not_allowed")
    assert reply.headers["Allow"] == allow


# The token.


@pytest.mark.parametrize(
    "authorization",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Bearer two tokens"},
        {"Authorization": "Bearer one, Bearer two"},
        {"Authorization": "Bearer t\u00f6ken"},
    ],
)
def test_missing_or_malformed_token_is_401_before_any_upstream_call(
    start: Start, upstream: Upstream, authorization: dict[str, str]
) -> None:
    client = start("tenant_status")
    reply = client.post("/list_my_tenants", data="{}", headers=authorization)
    assert_refused(reply, 401, "not_authenticated")
    assert reply.headers["WWW-Authenticate"] == "Bearer"
    assert upstream.received == []


def test_token_reaches_the_database_unchanged(member: User, upstream: Upstream) -> None:
    check(member, upstream)
    sent = upstream.received[0].headers
    assert sent.get_all("Authorization") == [f"Bearer {member.token}"]
    assert sent.get_all("apikey") == ["the-anon-key"]


def test_callers_share_connections_and_nothing_else(start: Start, upstream: Upstream) -> None:
    client = start("tenant_status")
    first, second = User(client, token(sub="first")), User(client, token(sub="second"))
    answer = result(ACTIVE)
    upstream.will(type(answer)(200, answer.body, {"Set-Cookie": "session=first"}), answer)
    for user in (first, second):
        assert user.post("check_tenant_status", {"schema_name": "acme"}).status_code == 200
    assert upstream.connections == 1
    assert upstream.received[1].headers["Authorization"] == f"Bearer {second.token}"
    assert upstream.received[1].headers["Cookie"] is None


# The body.


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"acme"',
        b"null",
        b'{"schema_name": "a", "schema_name": "b"}',
        b'{"schema_name": NaN}',
        b'{"schema_name": -Infinity}',
        b'{"schema_name": 1e999}',
        b'{"schema_name": "\xff"}',
        b'{"schema_name": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        '{"schema_name": "a"}'.encode("utf-16"),
    ],
    ids=repr,
)
def test_body_that_is_no_json_object_is_400(
    member: User, upstream: Upstream, body: bytes
) -> None:
    headers = {"Authorization": f"Bearer {member.token}"}
    reply = member.client.post("/check_tenant_status", data=body, headers=headers)
    assert_refused(reply, 400, "invalid_json")
    assert upstream.received == []


def number(start: Start, literal: str) -> TestResponse:
    """A profile whose metadata contains a number with exactly this text."""
    member = User(start("user_profiles"))
    return member.client.post(
        "/update_user_profile",
        data=f'{{"schema_name": "acme", "metadata": {{"price": {literal}}}}}',
        headers={"Authorization": f"Bearer {member.token}"},
    )


@pytest.mark.parametrize(
    "literal",
    [
        *("0.12345678901234567890", "12345678901234567.89", "9007199254740993.0"),
        *("1e-999", "1e999", "9e" + "9" * 30, "1e-" + "9" * 30, "0." + "3" * 100_000),
    ],
    ids=lambda literal: literal[:24],
)
def test_fraction_that_a_double_would_change_is_400_and_named(
    start: Start, upstream: Upstream, literal: str
) -> None:
    reply = number(start, literal)
    assert_refused(reply, 400, "invalid_json")
    assert reply.json is not None
    assert f"the number {literal[:63]}" in reply.json["message"]
    assert len(reply.json["message"]) < 200
    assert "as text" in reply.json["hint"]
    assert upstream.received == []


@pytest.mark.parametrize(
    "literal",
    [
        *("0.1", "2.50", "-0.0", "1E+2", "0e999", "1e23", "5e-324", "1.7976931348623157e308"),
        *("12345678901234567890123", "0.12345678901234568", "1." + "0" * 100_000),
    ],
    ids=lambda literal: literal[:24],
)
def test_number_reaches_the_database_as_it_was_sent(
    start: Start, upstream: Upstream, literal: str
) -> None:
    upstream.will(error(404, "PT404", details="profile_not_found"))
    assert number(start, literal).status_code == 404
    price = upstream.received[0].body["metadata"]["price"]
    assert Decimal(str(price)) == Decimal(literal)


def test_empty_body_means_no_arguments(member: User, upstream: Upstream) -> None:
    upstream.will(result([]))
    headers = {"Authorization": f"Bearer {member.token}"}
    assert member.client.post("/list_my_tenants", headers=headers).status_code == 200
    assert upstream.received[0].body == {}


def padded(size: int) -> bytes:
    return b'{"schema_name": "acme"}'.ljust(size)


def test_body_over_one_mib_is_413_and_one_of_one_mib_is_not(
    member: User, upstream: Upstream
) -> None:
    upstream.will(result(ACTIVE))
    headers = {"Authorization": f"Bearer {member.token}"}
    path = "/check_tenant_status"
    assert member.client.post(path, data=padded(MIB), headers=headers).status_code == 200
    reply = member.client.post(path, data=padded(MIB + 1), headers=headers)
    assert_refused(reply, 413, "payload_too_large")
    assert len(upstream.received) == 1


# Request id, trace and log.


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The lines of requests, without those of starts."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if "request_id" in line]


def test_request_id_of_the_caller_is_returned_logged_and_passed_on(
    member: User, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    reply = check(member, upstream, X_Request_Id="order-66.A_b")
    assert reply.headers.getlist("X-Request-Id") == ["order-66.A_b"]
    assert upstream.received[0].headers.get_all("X-Request-Id") == ["order-66.A_b"]
    assert [line["request_id"] for line in logged(capsys)] == ["order-66.A_b"]


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, 'x"', "é"])
def test_invalid_request_id_is_replaced(member: User, upstream: Upstream, given: str) -> None:
    reply = check(member, upstream, X_Request_Id=given)
    assert re.fullmatch("[0-9a-f]{32}", reply.headers["X-Request-Id"])
    assert upstream.received[0].headers["X-Request-Id"] == reply.headers["X-Request-Id"]


def test_valid_trace_is_logged_and_passed_on(
    member: User, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    traceparent = f"00-{TRACE}-b7ad6b7169203331-01"
    check(member, upstream, traceparent=traceparent)
    assert upstream.received[0].headers["traceparent"] == traceparent
    assert logged(capsys)[0]["logging.googleapis.com/trace"] == TRACE


def test_trace_is_logged_by_its_full_name_if_the_project_is_known(
    start: Start, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    member = User(start("tenant_status", GOOGLE_CLOUD_PROJECT="acme-prod"))
    check(member, upstream, traceparent=f"00-{TRACE}-b7ad6b7169203331-01")
    name = f"projects/acme-prod/traces/{TRACE}"
    assert logged(capsys)[0]["logging.googleapis.com/trace"] == name


@pytest.mark.parametrize("given", ["nonsense", f"00-{'0' * 32}-b7ad6b7169203331-01"])
def test_invalid_trace_is_dropped(
    member: User, upstream: Upstream, capsys: pytest.CaptureFixture[str], given: str
) -> None:
    check(member, upstream, traceparent=given)
    assert upstream.received[0].headers["traceparent"] is None
    assert "logging.googleapis.com/trace" not in logged(capsys)[0]


def test_one_line_is_logged_per_request(
    member: User, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    check(member, upstream)
    (line,) = logged(capsys)
    assert line.pop("milliseconds") > 0
    assert line.pop("time")
    assert line.pop("request_id")
    assert line == {
        "severity": "INFO",
        "message": "tenant-status/check_tenant_status 200",
        "group": "tenant-status",
        "operation": "check_tenant_status",
        "status": 200,
        "schema_name": "acme",
        "actor": "a-user",
        "actor_verified": False,
    }


def test_refusal_is_logged_with_its_code(
    member: User, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.will(error(404, "PT404", details="tenant_not_found"))
    member.post("check_tenant_status", {"schema_name": "acme"})
    (line,) = logged(capsys)
    assert (line["severity"], line["status"]) == ("WARNING", 404)
    assert line["error"] == "tenant_not_found"


def test_neither_token_nor_body_is_ever_logged(
    member: User, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.will(error(400, "22023"), error(500, "XX000"), error(401, "PGRST301"))
    for _ in range(3):
        member.post("check_tenant_status", {"schema_name": "acme"})
    member.post("check_tenant_status", {"schema_name": "acme", "hush": "a-secret"})
    member.post("check_tenant_status", {"schema_name": ["a-secret"]})
    member.client.post("/list_my_tenants", data="a-secret", headers={"Authorization": "hush"})
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 6
    for secret in (member.token, *member.token.split("."), "hush", "a-secret"):
        assert secret not in captured.out + captured.err


def test_token_that_is_no_jwt_is_logged_without_an_actor(
    start: Start, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    client = start("tenant_status")
    deep = "e30." + "W1tb" * 1500 + ".x"
    for nonsense in ("opaque", "a.b.c", "..", deep, token(sub=5), token(sub="two\nlines")):
        upstream.will(error(401, "PGRST301"))
        assert User(client, nonsense).post("list_my_tenants").status_code == 401
    assert all("actor" not in line for line in logged(capsys))


def test_internal_error_is_500_json_and_only_the_log_has_the_trace(
    member: User,
    upstream: Upstream,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # httpx refuses to send through a client that has been closed.
    import tenantry.database

    tenantry.database.POOL.close()
    reply = member.post("check_tenant_status", {"schema_name": "acme"})
    assert_refused(reply, 500, "internal_error")
    assert "RuntimeError" not in reply.text
    (line,) = logged(capsys)
    assert line["severity"] == "ERROR"
    assert "RuntimeError: Cannot send a request" in line["stack_trace"]


# Browsers.


def test_preflight_of_an_allowed_origin_is_answered(start: Start) -> None:
    asks = {"Origin": "https://admin.example", "X-Request-Id": "mine"}
    for path in ("/check_tenant_status", "/", "/unknown"):
        reply = start("tenant_status").options(path, headers=asks)
        assert (reply.status_code, reply.data) == (204, b"")
        assert reply.headers["Access-Control-Allow-Origin"] == "https://admin.example"
        assert "POST" in reply.headers["Access-Control-Allow-Methods"]
        allowed = reply.headers["Access-Control-Allow-Headers"].split(", ")
        assert {"authorization", "x-client-info", "apikey", "content-type"} <= set(allowed)
        assert reply.headers["Vary"] == "Origin"
        assert reply.headers["X-Request-Id"] == "mine"


def test_preflight_of_a_forbidden_origin_gets_no_permission(start: Start) -> None:
    for origin in ("https://evil.example", "null", "https://app.example.evil.example"):
        reply = start("tenant_status").options("/", headers={"Origin": origin})
        assert reply.status_code == 204
        assert not [name for name, _ in reply.headers if name.startswith("Access-Control")]
        assert reply.headers["Vary"] == "Origin"


def test_allowed_page_may_read_replies_and_refusals(member: User, upstream: Upstream) -> None:
    replies = [
        check(member, upstream, Origin="https://app.example"),
        member.post("nonsense", Origin="https://app.example"),
    ]
    for reply in replies:
        assert reply.headers["Access-Control-Allow-Origin"] == "https://app.example"
        exposed = reply.headers["Access-Control-Expose-Headers"]
        assert exposed == "Retry-After, X-Request-Id, X-Tenantry-Pending"
        assert "Access-Control-Allow-Methods" not in reply.headers


def test_star_allows_every_page(start: Start) -> None:
    client = start("tenant_status", TENANTRY_ALLOWED_ORIGINS="*")
    reply = client.get("/", headers={"Origin": "https://anywhere.example"})
    assert reply.headers["Access-Control-Allow-Origin"] == "*"


def test_no_allowed_origin_allows_no_page(start: Start) -> None:
    client = start("tenant_status", TENANTRY_ALLOWED_ORIGINS="")
    for headers in ({"Origin": "https://app.example"}, {"Origin": ""}, {}):
        reply = client.get("/", headers=headers)
        assert reply.status_code == 200
        assert "Access-Control-Allow-Origin" not in reply.headers
