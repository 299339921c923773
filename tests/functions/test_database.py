"""What the caller gets if the database API refuses, fails or does not answer."""

import gc
import json
import tracemalloc

import httpx
import pytest

from support.callers import Start, User, document_examples, token
from support.upstream import Reply, Upstream, error, result
from tenantry.reply_limit import LARGEST_REPLY

ACME = {"schema_name": "acme"}
ACTIVE = {**ACME, "status": "active"}
HTML = {"Content-Type": "text/html"}


def ask(member: User, upstream: Upstream, reply: Reply) -> dict[str, object]:
    """The caller's view of one upstream reply, in one dictionary."""
    upstream.will(reply)
    answer = member.post("check_tenant_status", ACME)
    assert answer.content_type == "application/json"
    assert answer.json is not None
    assert set(answer.json) == {"code", "message", "hint", "error", "request_id"}
    return {
        **answer.json,
        "status": answer.status_code,
        "retry_after": answer.headers.get("Retry-After"),
    }


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "invalid_schema_name"),
        (404, "tenant_not_found"),
        (409, "last_super_admin"),
        (401, "not_authenticated"),
    ],
)
def test_error_of_the_database_is_passed_on_unchanged(
    member: User, upstream: Upstream, status: int, code: str
) -> None:
    reply = error(status, f"PT{status}", "A sentence.", code, "A hint.")
    reported = ask(member, upstream, reply)
    assert (reported["status"], reported["code"]) == (status, code)
    assert (reported["message"], reported["hint"]) == ("A sentence.", "A hint.")
    assert reported["retry_after"] is None


def test_busy_error_of_the_database_gets_retry_after(member: User, upstream: Upstream) -> None:
    reported = ask(member, upstream, error(429, "PT429", "Wait.", "busy", "Again."))
    assert (reported["status"], reported["code"], reported["retry_after"]) == (503, "busy", "1")
    assert (reported["message"], reported["hint"]) == ("Wait.", "Again.")


def test_other_429_keeps_its_status(member: User, upstream: Upstream) -> None:
    reported = ask(member, upstream, error(429, "PT429", "Enough.", "quota_used"))
    assert (reported["status"], reported["code"], reported["retry_after"]) == (
        429,
        "quota_used",
        None,
    )


@pytest.mark.parametrize("details", [None, "Key (email)=(a@b.example) exists.", "Not ours"])
def test_custom_status_without_a_code_of_ours_is_502(
    member: User, upstream: Upstream, details: str | None
) -> None:
    reported = ask(member, upstream, error(418, "PT418", "Teapot.", details))
    assert (reported["status"], reported["code"]) == (502, "upstream_error")
    # A pre-request function of the project raised it for a person.
    assert reported["message"] == "The database API answered 418 (PT418): Teapot."


def test_pre_request_function_that_writes_in_a_reading_call_is_named(
    member: User, upstream: Upstream
) -> None:
    message = "cannot execute INSERT in a read-only transaction"
    reported = ask(member, upstream, error(405, "25006", message))
    assert (reported["status"], reported["code"]) == (502, "upstream_error")
    assert "pre-request function writes" in str(reported["message"])
    assert "transaction_read_only" in str(reported["hint"])


def test_denial_by_postgresql_is_401_for_anon_and_403_for_a_signed_in_caller(
    start: Start, upstream: Upstream
) -> None:
    client = start("tenant_status")
    denied = "permission denied for function check_tenant_status"
    anonymous = User(client, token(role="anon"))
    reported = ask(anonymous, upstream, error(401, "42501", denied))
    assert (reported["status"], reported["code"]) == (401, "not_authenticated")
    reported = ask(User(client), upstream, error(403, "42501", denied))
    assert (reported["status"], reported["code"], reported["message"]) == (
        403,
        "forbidden",
        denied,
    )


def test_postgrests_status_decides_whether_a_caller_is_anonymous(
    start: Start, upstream: Upstream
) -> None:
    caller = User(start("tenant_status"), token(role="anon", sub="somebody"))
    reported = ask(caller, upstream, error(403, "42501"))
    assert (reported["status"], reported["code"]) == (403, "forbidden")


@pytest.mark.parametrize("code", ["forbidden", "tenant_suspended"])
def test_denial_with_a_code_of_ours_keeps_the_code(
    member: User, upstream: Upstream, code: str
) -> None:
    reported = ask(member, upstream, error(403, "42501", "No entry.", code, "Ask."))
    assert (reported["status"], reported["code"], reported["message"]) == (
        403,
        code,
        "No entry.",
    )
    assert reported["hint"] == "Ask."


def test_denial_for_a_missing_user_is_401(member: User, upstream: Upstream) -> None:
    reported = ask(member, upstream, error(403, "42501", "Nobody.", "not_authenticated"))
    assert (reported["status"], reported["code"], reported["message"]) == (
        401,
        "not_authenticated",
        "Nobody.",
    )


@pytest.mark.parametrize("code", ["PGRST301", "PGRST302", "PGRST303"])
def test_refused_token_is_401(member: User, upstream: Upstream, code: str) -> None:
    reported = ask(member, upstream, error(401, code, "JWSError JWSInvalidSignature"))
    assert (reported["status"], reported["code"]) == (401, "not_authenticated")
    assert reported["message"] == "The access token is invalid or has expired."


def test_token_of_a_role_that_does_not_exist_is_401(start: Start, upstream: Upstream) -> None:
    client = start("tenant_status")
    refused = error(400, "22023", 'role "missing_role" does not exist')
    reported = ask(User(client, token(sub="a-user", role="missing_role")), upstream, refused)
    assert (reported["status"], reported["code"]) == (401, "not_authenticated")
    assert reported["message"] == "The access token names a role that does not exist."
    # For a token of another role, this message of the database is about an argument.
    for other in (token(sub="a-user", role="authenticated"), token(sub="a-user"), "opaque"):
        reported = ask(User(client, other), upstream, refused)
        assert (reported["status"], reported["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (500, "57014"),
        (500, "55P03"),
        (500, "40P01"),
        (503, "53300"),
        (504, "PGRST003"),
        (503, "PGRST002"),
    ],
)
def test_temporary_failure_is_503_with_retry_after(
    member: User, upstream: Upstream, status: int, code: str
) -> None:
    reported = ask(member, upstream, error(status, code, "canceling statement"))
    assert (reported["status"], reported["code"], reported["retry_after"]) == (503, "busy", "1")


@pytest.mark.parametrize("code", ["22P02", "22023", "23514", "23505", "P0001"])
def test_data_that_the_database_rejects_is_400_without_the_details(
    member: User, upstream: Upstream, code: str
) -> None:
    reply = error(400, code, "Bad value.", "Failing row contains (secret).")
    reported = ask(member, upstream, reply)
    assert (reported["status"], reported["code"], reported["message"]) == (
        400,
        "invalid_request",
        "Bad value.",
    )
    assert "secret" not in str(reported)


def test_missing_function_has_a_hint_about_the_upgrade(
    member: User, upstream: Upstream
) -> None:
    reported = ask(member, upstream, error(404, "PGRST202", "Could not find the function"))
    assert (reported["status"], reported["code"]) == (503, "upgrade_needed")
    assert "tenantry upgrade" in str(reported["hint"])


@pytest.mark.parametrize(
    "reply",
    [
        error(500, "XX000", "tuple concurrently updated"),
        error(401, None, "Invalid API key"),
        Reply(500, b"<html>Internal Server Error</html>", HTML),
        Reply(502, b"<html>Bad Gateway</html>", HTML),
        Reply(503, b"", HTML),
        Reply(302, b"", {"Location": "https://elsewhere.example"}),
        Reply(200, b"<html>Welcome</html>", HTML),
        Reply(200, b""),
        Reply(200, b"\xff\xfe\xfd"),
        Reply(200, b'{"schema_name": "acme", "sta'),
        Reply(200, b'{"schema_name": "acme", "sta', length=4096),
        Reply(500, b'{"code": "PT4', length=4096),
        result(None),
        result([ACTIVE]),
        result({**ACTIVE, "status": "asleep"}),
    ],
    ids=lambda reply: f"{reply.status} {reply.body[:30]!r} {reply.length or ''}",
)
def test_unusable_answer_is_502_json(member: User, upstream: Upstream, reply: Reply) -> None:
    reported = ask(member, upstream, reply)
    assert (reported["status"], reported["code"]) == (502, "upstream_error")
    assert "html" not in str(reported)


def test_failed_call_is_not_repeated_and_the_next_call_succeeds(
    member: User, upstream: Upstream
) -> None:
    ask(member, upstream, Reply(503, b"<html>", HTML))
    assert len(upstream.received) == 1
    upstream.will(result(ACTIVE))
    assert member.post("check_tenant_status", ACME).json == ACTIVE


def test_refused_connection_is_502(start: Start, free_port: int) -> None:
    client = start("tenant_status", SUPABASE_URL=f"http://127.0.0.1:{free_port}")
    reply = User(client).post("check_tenant_status", ACME)
    assert reply.json is not None
    assert (reply.status_code, reply.json["code"]) == (502, "upstream_error")


def test_upstream_that_does_not_answer_is_504(start: Start, upstream: Upstream) -> None:
    upstream.will(Reply(hold=True))
    client = start("tenant_status", TENANTRY_UPSTREAM_TIMEOUT_SECONDS="0.2")
    reply = User(client).post("check_tenant_status", ACME)
    assert reply.json is not None
    assert (reply.status_code, reply.json["code"]) == (504, "upstream_timeout")


def test_new_column_does_not_break_an_older_function(member: User, upstream: Upstream) -> None:
    upstream.will(result({**ACTIVE, "added_later": 1}))
    reply = member.post("check_tenant_status", ACME)
    assert (reply.status_code, reply.json) == (200, {**ACTIVE, "added_later": 1})


# The functions return the bytes that the database sent.

ENTRY = b"""\
[{"id":1,"occurred_at":"2026-11-23T16:00:00+00:00","actor_id":null,"actor_role":"service",\
"action":"insert","table_name":"orders","record_id":null,"old_values":null, \n\
 "new_values":{"total": %b},"has_more":false}]"""


def test_every_operation_returns_the_bytes_of_the_database(
    start: Start, upstream: Upstream, entry_point: str
) -> None:
    client = start(entry_point)
    examples = document_examples(client)
    for name in client.get("/").json["operations"]:  # type: ignore[index]
        request, result = examples[name]
        written = json.dumps(result, indent=1, ensure_ascii=False).encode()
        if name == "get_database_release":
            upstream.release = Reply(200, written)
        else:
            upstream.will(Reply(200, written))
        reply = User(client).post(name, request)
        assert (reply.status_code, reply.data) == (200, written), name


@pytest.mark.parametrize(
    "value",
    [
        b"123456789012345678.99",
        b"9" * 400 + b".5",
        b"-" + b"9" * 131_072,
        b"9" * 131_072 + b"." + b"9" * 16_383,
        b"[" * 600 + b"]" * 600,
    ],
    ids=["long", "beyond a double", "longest", "longest with a fraction", "deep"],
)
def test_any_value_of_a_row_is_returned_unchanged(
    start: Start, upstream: Upstream, value: bytes
) -> None:
    upstream.will(Reply(200, ENTRY % value))
    reply = User(start("audit_log")).post("get_audit_log", ACME)
    assert (reply.status_code, reply.data) == (200, ENTRY % value)


@pytest.mark.parametrize("depth", [1000, 5000, 20_000, 200_000])
def test_reply_nested_too_deep_for_a_parser_is_passed_on(
    start: Start, upstream: Upstream, depth: int
) -> None:
    written = ENTRY % (b"[" * depth + b"]" * depth)
    upstream.will(Reply(200, written))
    reply = User(start("audit_log")).post("get_audit_log", ACME)
    assert (reply.status_code, reply.data) == (200, written)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"[" * 20_000, HTML),
        Reply(500, ENTRY % (b"[" * 20_000 + b"]" * 20_000)),
    ],
    ids=["not JSON", "an error"],
)
def test_deep_text_that_is_no_result_is_502(
    start: Start, upstream: Upstream, reply: Reply
) -> None:
    upstream.will(reply)
    response = User(start("audit_log")).post("get_audit_log", ACME)
    assert response.json is not None
    assert (response.status_code, response.json["code"]) == (502, "upstream_error")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        ENTRY % (b"9" * 5000 + b",,"),
        ENTRY % b'"\xff"',
        ENTRY.replace(b'"id":1', b'"id":{}'),
    ],
    ids=["empty", "broken behind a long number", "no UTF-8", "no id"],
)
def test_unusable_rows_are_502(start: Start, upstream: Upstream, body: bytes) -> None:
    upstream.will(Reply(200, body))
    reply = User(start("audit_log")).post("get_audit_log", ACME)
    assert reply.json is not None
    assert (reply.status_code, reply.json["code"]) == (502, "upstream_error")


def test_large_reply_is_not_kept_after_its_call(start: Start, upstream: Upstream) -> None:
    client = start("audit_log")
    upstream.will(Reply(200, ENTRY % (b'"' + b"x" * 1_000_000 + b'"')))
    assert User(client).post("get_audit_log", ACME).status_code == 200
    gc.collect()
    assert not [
        response
        for response in gc.get_objects()
        if type(response) is httpx.Response and len(response.content) > 1_000_000
    ]


def page(size: int) -> bytes:
    """One entry of the audit log, in so many bytes."""
    empty = ENTRY % b'""'
    return ENTRY % (b'"' + b"x" * (size - len(empty)) + b'"')


def test_result_over_8_mb_is_413_and_says_how_to_page(start: Start, upstream: Upstream) -> None:
    user = User(start("audit_log"))
    for length in (None, LARGEST_REPLY + 1):
        upstream.will(Reply(200, page(LARGEST_REPLY + 1), length=length))
        refused = user.post("get_audit_log", ACME)
        assert refused.json is not None
        assert (refused.status_code, refused.json["code"]) == (413, "reply_too_large")
        assert "get_audit_log" in refused.json["message"]
        assert all(word in refused.json["hint"] for word in ("page_size", "before_id"))

    upstream.will(Reply(200, page(LARGEST_REPLY)))
    assert user.post("get_audit_log", ACME).status_code == 200
    assert {each.headers["Accept-Encoding"] for each in upstream.received} == {"identity"}


def test_hint_of_a_result_without_pages_names_the_rpc(start: Start, upstream: Upstream) -> None:
    upstream.will(Reply(200, page(LARGEST_REPLY + 1)))
    refused = User(start("schema_inspection")).post("get_schema_tables", ACME)
    assert refused.json is not None
    assert (refused.status_code, refused.json["code"]) == (413, "reply_too_large")
    assert "RPC" in refused.json["hint"]


def test_error_over_8_mb_is_502(member: User, upstream: Upstream) -> None:
    reported = ask(member, upstream, Reply(500, b"x" * (LARGEST_REPLY + 1), HTML))
    assert (reported["status"], reported["code"]) == (502, "upstream_error")


def test_memory_does_not_grow_with_the_reply(start: Start, upstream: Upstream) -> None:
    user = User(start("audit_log"))
    upstream.will(Reply(200, ENTRY % b'""'), Reply(200, page(8 * LARGEST_REPLY)))
    user.post("get_audit_log", ACME)
    tracemalloc.start()
    try:
        assert user.post("get_audit_log", ACME).status_code == 413
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * LARGEST_REPLY
