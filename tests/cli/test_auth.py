"""Auth answers as that of a hosted project: the admin API, tokens, anonymous users, bans."""

import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import psycopg
import pytest
import requests

from tenantry_cli.emulator.keys import Keys, chosen_algorithm, load_keys
from tenantry_cli.emulator.stack import Stack
from tenantry_cli.errors import TenantryError

PASSWORD = "correct horse"


class Caller:
    """Sends requests to Auth with one API key, and a token if there is one."""

    def __init__(self, stack: Stack, key: str, token: str | None = None) -> None:
        self._url = f"{stack.api_url}/auth/v1"
        self._headers = {"apikey": key, "Connection": "close"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def send(
        self, method: str, path: str, body: Any = None, *, text: str | None = None
    ) -> requests.Response:
        return requests.request(
            method,
            self._url + path,
            json=body,
            data=text,
            headers=self._headers,
            timeout=30,
            allow_redirects=False,
        )

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        reply = self.send(method, path, body)
        assert reply.ok, reply.text
        return reply.json()

    def refusal(
        self, method: str, path: str, body: Any = None, *, text: str | None = None
    ) -> tuple[int, str]:
        reply = self.send(method, path, body, text=text)
        error = reply.json()
        assert error["code"] == reply.status_code
        assert error["msg"]
        return reply.status_code, error["error_code"]


@pytest.fixture
def admin(small_stack: Stack) -> Caller:
    return Caller(small_stack, small_stack.secret_key)


@pytest.fixture
def anyone(small_stack: Stack) -> Caller:
    return Caller(small_stack, small_stack.publishable_key)


def signed_in(anyone: Caller, email: str, password: str = PASSWORD) -> Any:
    return anyone.ok(
        "POST", "/token?grant_type=password", {"email": email, "password": password}
    )


def sign_in_refusal(anyone: Caller, email: str, password: str = PASSWORD) -> tuple[int, str]:
    return anyone.refusal(
        "POST", "/token?grant_type=password", {"email": email, "password": password}
    )


def address() -> str:
    return f"{secrets.token_hex(8)}@example.com"


def test_admin_creates_changes_and_deletes_a_user(admin: Caller, anyone: Caller) -> None:
    email, moved = address(), address()
    new = {
        "email": email.upper(),
        "password": PASSWORD,
        "user_metadata": {"name": "Ada", "team": "blue"},
        "app_metadata": {"plan": "pro"},
    }
    user = admin.ok("POST", "/admin/users", new)
    one = f"/admin/users/{user['id']}"
    assert user["email"] == email
    assert user["app_metadata"] == {"provider": "email", "providers": ["email"], "plan": "pro"}
    assert [identity["provider"] for identity in user["identities"]] == ["email"]
    assert sign_in_refusal(anyone, email) == (400, "email_not_confirmed")
    assert admin.refusal("POST", "/admin/users", new) == (422, "email_exists")

    admin.ok("PUT", one, {"email_confirm": True})
    session = signed_in(anyone, email)
    changed = admin.ok(
        "PUT",
        one,
        {
            "email": moved,
            "password": "another secret",
            "user_metadata": {"team": None, "city": "Rome"},
            "app_metadata": {"plan": "free"},
        },
    )
    assert changed["email"] == changed["identities"][0]["email"] == moved
    metadata = {"name": "Ada", "city": "Rome", "email_verified": True}
    assert changed["user_metadata"] == metadata
    assert changed["app_metadata"]["plan"] == "free"
    assert admin.ok("GET", one) == changed
    assert sign_in_refusal(anyone, moved) == (400, "invalid_credentials")
    # Whoever signed in with the old password has to sign in again.
    refreshing = {"refresh_token": session["refresh_token"]}
    assert anyone.refusal("POST", "/token?grant_type=refresh_token", refreshing)[0] == 400
    assert signed_in(anyone, moved, "another secret")["user"]["id"] == user["id"]
    assert admin.refusal("PUT", one, {"password": "short"}) == (422, "weak_password")

    assert admin.ok("DELETE", one) == {}
    assert admin.refusal("GET", one) == (404, "user_not_found")
    assert sign_in_refusal(anyone, moved, "another secret")[1] == "invalid_credentials"


def test_hash_of_another_system_and_an_own_id_are_taken(admin: Caller, anyone: Caller) -> None:
    email, user_id = address(), "7f0c1f3e-5a59-4a53-8ad3-7f6b1a0e7d11"
    # bcrypt, cost 4, of "correct horse".
    hashed = "$2b$04$VnZ4hEw98fys2UaHTV0.jOFl36jc9AnFaCmHjPfTMMRcMQpd5wB9K"
    new = {"id": user_id, "email": email, "email_confirm": True, "password_hash": hashed}
    assert admin.ok("POST", "/admin/users", new)["id"] == user_id
    assert sign_in_refusal(anyone, email, "wrong")[1] == "invalid_credentials"
    assert signed_in(anyone, email)["user"]["id"] == user_id
    other = {"email": address(), "password_hash": "plain"}
    assert admin.refusal("POST", "/admin/users", other) == (400, "validation_failed")
    admin.ok("DELETE", f"/admin/users/{user_id}")


def test_ban_ends_sign_in_and_refresh_until_it_is_lifted(admin: Caller, anyone: Caller) -> None:
    email = address()
    user = admin.ok(
        "POST", "/admin/users", {"email": email, "password": PASSWORD, "email_confirm": True}
    )
    one = f"/admin/users/{user['id']}"
    refreshing = {"refresh_token": signed_in(anyone, email)["refresh_token"]}

    assert "banned_until" in admin.ok("PUT", one, {"ban_duration": "1h30m"})
    assert sign_in_refusal(anyone, email) == (400, "user_banned")
    refresh = "/token?grant_type=refresh_token"
    assert anyone.refusal("POST", refresh, refreshing) == (400, "user_banned")
    assert admin.refusal("PUT", one, {"ban_duration": "forever"}) == (400, "validation_failed")

    assert "banned_until" not in admin.ok("PUT", one, {"ban_duration": "none"})
    assert anyone.ok("POST", refresh, refreshing)["user"]["id"] == user["id"]
    assert signed_in(anyone, email)["user"]["id"] == user["id"]
    admin.ok("DELETE", one)


def test_soft_deleted_user_keeps_the_row_and_nothing_else(
    admin: Caller, anyone: Caller, small_stack: Stack
) -> None:
    email = address()
    new = {"email": email, "password": PASSWORD, "email_confirm": True}
    user = admin.ok("POST", "/admin/users", {**new, "user_metadata": {"name": "Ada"}})
    assert signed_in(anyone, email)["user"]["id"] == user["id"]
    one = f"/admin/users/{user['id']}"

    assert admin.ok("DELETE", one, {"should_soft_delete": True}) == {}

    left = admin.ok("GET", one)
    assert left["deleted_at"]
    assert email not in str(left)
    assert "Ada" not in str(left)
    assert sign_in_refusal(anyone, email) == (400, "invalid_credentials")
    again = admin.ok("POST", "/admin/users", new)
    assert again["id"] != user["id"]
    for each in (user, again):
        admin.ok("DELETE", f"/admin/users/{each['id']}")
    with psycopg.connect(small_stack.db_url) as database:
        found = database.execute("select from auth.users where id = %s", [user["id"]])
        assert found.fetchone() is None


_DEEP = '{"data": ' * 3000 + "1" + "}" * 3000
_BAD_BODIES = {
    "no JSON": "{",
    "a list": "[]",
    "deeply nested": _DEEP,
    "half a surrogate pair": r'{"email": "\ud800@example.com", "token": "1"}',
    "U+0000 in a text": r'{"email": "a\u0000b@example.com", "password": "correct horse"}',
    "U+0000 in metadata": r'{"data": {"a": ["\u0000"]}, "user_metadata": {"\u0000": 1}}',
    "no number": '{"data": {"a": NaN}, "app_metadata": {"a": 1e999}}',
    "an object as a text": '{"type": {}, "email": {}, "token": {}}',
    "a list as a text": '{"type": [], "email": []}',
    "a number as a text": '{"email": 5, "password": 6, "type": "email_change"}',
    "a text as metadata": '{"data": "x", "user_metadata": "x"}',
}


@pytest.mark.parametrize("body", _BAD_BODIES.values(), ids=_BAD_BODIES)
def test_body_that_cannot_be_read_or_stored_is_refused(
    admin: Caller, anyone: Caller, body: str
) -> None:
    for caller, method, path in (
        (admin, "POST", "/admin/users"),
        (admin, "POST", "/admin/generate_link"),
        (anyone, "POST", "/signup"),
        (anyone, "POST", "/verify"),
        (anyone, "POST", "/recover"),
        (anyone, "POST", "/token?grant_type=password"),
        (anyone, "PUT", "/user"),
    ):
        status, code = caller.refusal(method, path, text=body)
        assert (status, code) in ((400, "bad_json"), (400, "validation_failed")), path
    # These endpoints read no body.
    assert anyone.send("GET", "/health", text=body).ok


def test_values_that_the_tables_cannot_hold_are_refused(admin: Caller) -> None:
    for name in ("role", "aud"):
        long = {"email": address(), name: "x" * 256}
        assert admin.refusal("POST", "/admin/users", long) == (400, "bad_json")
    user = admin.ok(
        "POST", "/admin/users", {"email": address(), "user_metadata": {"a": r"\u0000"}}
    )
    assert user["user_metadata"] == {"a": r"\u0000"}
    assert admin.ok("GET", f"/admin/users/urn:uuid:{user['id']}") == user
    assert admin.ok("GET", "/admin/users?filter=%00")["users"] == []
    admin.ok("DELETE", f"/admin/users/{user['id']}")


def test_sign_up_with_empty_addresses_is_anonymous(admin: Caller, anyone: Caller) -> None:
    for given in ({"email": ""}, {"email": None, "phone": None}):
        user = anyone.ok("POST", "/signup", given)["user"]
        assert user["is_anonymous"] is True
        admin.ok("DELETE", f"/admin/users/{user['id']}")


def test_other_methods_of_a_known_path_are_not_found(anyone: Caller) -> None:
    for method, path in (("GET", "/otp"), ("GET", "/recover"), ("DELETE", "/user")):
        assert anyone.refusal(method, path) == (404, "not_found")


def test_trigger_that_refuses_a_user_is_an_error_of_auth(
    admin: Caller, anyone: Caller, small_stack: Stack
) -> None:
    with psycopg.connect(small_stack.admin_db_url, autocommit=True) as database:
        database.execute(
            "create function public.refuse() returns trigger language plpgsql"
            " as $$ begin raise 'no more users'; end $$;"
            "create trigger refuse before insert on auth.users"
            " for each row execute function public.refuse()"
        )
        try:
            for caller, path, given in (
                (admin, "/admin/users", {"email": address()}),
                (anyone, "/signup", {}),
            ):
                reply = caller.send("POST", path, given).json()
                assert reply["error_code"] == "unexpected_failure"
                assert reply["msg"] == "Database error: no more users"
        finally:
            database.execute("drop function public.refuse() cascade")


def test_users_are_listed_page_by_page(admin: Caller) -> None:
    tag = secrets.token_hex(6)
    made = [
        admin.ok("POST", "/admin/users", {"email": f"{number}.{tag}@example.com"})["id"]
        for number in range(3)
    ]

    first = admin.send("GET", f"/admin/users?page=1&per_page=2&filter={tag}")
    second = admin.send("GET", f"/admin/users?page=2&per_page=2&filter={tag}")

    assert first.headers["X-Total-Count"] == "3"
    assert first.headers["Link"] == (
        '</admin/users?page=2&per_page=2>; rel="next", '
        '</admin/users?page=2&per_page=2>; rel="last"'
    )
    pages = [[user["id"] for user in page.json()["users"]] for page in (first, second)]
    assert pages == [[made[2], made[1]], [made[0]]]
    assert set(made) <= {user["id"] for user in admin.ok("GET", "/admin/users")["users"]}
    assert admin.refusal("GET", "/admin/users?page=x") == (400, "validation_failed")
    for user_id in made:
        admin.ok("DELETE", f"/admin/users/{user_id}")


def test_only_a_service_key_may_administer(
    admin: Caller, anyone: Caller, small_stack: Stack
) -> None:
    stack = small_stack
    session = anyone.ok("POST", "/signup", {"email": address(), "password": PASSWORD})
    one = f"/admin/users/{session['user']['id']}"
    calls = (
        ("GET", "/admin/users"),
        ("GET", one),
        ("PUT", one),
        ("DELETE", one),
        ("POST", "/admin/users"),
        ("POST", "/admin/generate_link"),
        ("POST", "/invite"),
    )
    callers = (
        anyone,
        Caller(stack, stack.anon_key),
        Caller(stack, stack.publishable_key, session["access_token"]),
        # The token counts, not the key.
        Caller(stack, stack.secret_key, session["access_token"]),
    )
    for caller in callers:
        for method, path in calls:
            assert caller.refusal(method, path, {}) == (403, "not_admin")
    forged = Caller(stack, stack.publishable_key, "ey.a.jwt")
    assert forged.refusal("GET", "/admin/users") == (403, "bad_jwt")

    legacy = Caller(stack, stack.service_role_key)
    by_token = Caller(stack, stack.publishable_key, stack.service_role_key)
    for allowed in (admin, legacy, by_token):
        assert allowed.ok("GET", one)["id"] == session["user"]["id"]
    admin.ok("DELETE", one)


@pytest.mark.parametrize(
    "kind",
    ["signup", "invite", "magiclink", "recovery", "email_change_current", "email_change_new"],
)
def test_generated_link_signs_its_user_in(admin: Caller, anyone: Caller, kind: str) -> None:
    email, moved = address(), address()
    link = {"type": kind, "email": email, "password": PASSWORD, "data": {"name": "Ada"}}
    is_move = kind.startswith("email_change")
    if is_move:
        link["new_email"] = moved
    if kind == "recovery" or is_move:
        assert admin.refusal("POST", "/admin/generate_link", link) == (404, "user_not_found")
        admin.ok("POST", "/admin/users", {"email": email, "email_confirm": True})

    made = admin.ok("POST", "/admin/generate_link", link)
    url = urlsplit(made["action_link"])
    verified = anyone.send("GET", f"/verify?{url.query}")

    assert verified.status_code == 303
    fragment = parse_qs(urlsplit(verified.headers["Location"]).fragment)
    assert jwt.get_unverified_header(fragment["access_token"][0])["alg"] == "ES256"
    user = admin.ok("GET", f"/admin/users/{made['id']}")
    assert user["email"] == (moved if is_move else email)
    assert user["confirmed_at"]

    # The code in the mail does the same as the link, and each works once.
    again = admin.ok(
        "POST", "/admin/generate_link", {"type": "magiclink", "email": user["email"]}
    )
    code = {"type": "email", "email": user["email"], "token": again["email_otp"]}
    assert anyone.ok("POST", "/verify", code)["user"]["id"] == made["id"]
    assert anyone.refusal("POST", "/verify", code) == (403, "otp_expired")
    admin.ok("DELETE", f"/admin/users/{made['id']}")


@pytest.mark.parametrize(
    ("asked", "reached"),
    [
        (None, "https://app.example"),
        ("https://app.example/reset", "https://app.example/reset"),
        ("https://one.preview.example/a/b", "https://one.preview.example/a/b"),
        ("http://127.0.0.1:5173/", "http://127.0.0.1:5173/"),
        ("https://thief.example/", "https://app.example"),
    ],
)
def test_generated_link_leads_to_an_allowed_address(
    admin: Caller, anyone: Caller, asked: str | None, reached: str
) -> None:
    link = {"type": "magiclink", "email": address(), "redirect_to": asked}

    made = admin.ok("POST", "/admin/generate_link", link)
    verified = anyone.send("GET", f"/verify?{urlsplit(made['action_link']).query}")

    assert verified.headers["Location"].startswith(f"{reached}#access_token=")
    # It works once.
    again = anyone.send("GET", f"/verify?{urlsplit(made['action_link']).query}")
    assert again.headers["Location"].startswith(f"{reached}#error=")
    admin.ok("DELETE", f"/admin/users/{made['id']}")


def test_invited_user_is_shown_and_cannot_be_invited_again(
    admin: Caller, anyone: Caller
) -> None:
    email = address()
    user = admin.ok("POST", "/invite", {"email": email, "data": {"name": "Ada"}})
    assert (user["email"], user["user_metadata"]) == (email, {"name": "Ada"})
    assert user["invited_at"]
    assert admin.ok("POST", "/invite", {"email": email})["id"] == user["id"]
    admin.ok("PUT", f"/admin/users/{user['id']}", {"email_confirm": True})
    assert admin.refusal("POST", "/invite", {"email": email}) == (422, "email_exists")
    admin.ok("DELETE", f"/admin/users/{user['id']}")


def test_anonymous_user_signs_in_and_becomes_permanent(
    admin: Caller, anyone: Caller, small_stack: Stack
) -> None:
    stack = small_stack
    session = anyone.ok("POST", "/signup", {"data": {"theme": "dark"}})
    claims = jwt.decode(session["access_token"], options={"verify_signature": False})
    assert (claims["role"], claims["is_anonymous"]) == ("authenticated", True)
    assert (session["user"]["is_anonymous"], session["user"]["email"]) == (True, "")
    assert session["user"]["user_metadata"] == {"theme": "dark"}
    role = requests.get(
        f"{stack.api_url}/rest/v1/rpc/my_role",
        headers={
            "apikey": stack.publishable_key,
            "Authorization": f"Bearer {session['access_token']}",
            "Connection": "close",
        },
        timeout=30,
    )
    assert role.json() == "authenticated"
    refreshing = {"refresh_token": session["refresh_token"]}
    refreshed = anyone.ok("POST", "/token?grant_type=refresh_token", refreshing)
    assert refreshed["user"]["is_anonymous"] is True
    assert anyone.ok("GET", "/settings")["external"]["anonymous_users"] is True

    email = address()
    own = Caller(stack, stack.publishable_key, refreshed["access_token"])
    permanent = own.ok("PUT", "/user", {"email": email, "password": PASSWORD})
    assert (permanent["email"], permanent["is_anonymous"]) == (email, False)
    assert signed_in(anyone, email)["user"]["id"] == session["user"]["id"]
    admin.ok("DELETE", f"/admin/users/{permanent['id']}")


def test_address_that_a_user_changes_takes_effect(
    admin: Caller, anyone: Caller, small_stack: Stack
) -> None:
    email, moved = address(), address()
    session = anyone.ok("POST", "/signup", {"email": email, "password": PASSWORD})
    own = Caller(small_stack, small_stack.publishable_key, session["access_token"])

    changed = own.ok("PUT", "/user", {"email": moved})

    assert changed["email"] == moved
    assert "new_email" not in changed
    assert own.ok("GET", "/user") == changed
    assert changed["identities"][0]["email"] == moved
    assert signed_in(anyone, moved)["user"]["id"] == session["user"]["id"]
    assert sign_in_refusal(anyone, email)[1] == "invalid_credentials"
    # A changed phone number would take effect as little as the address did.
    assert own.refusal("PUT", "/user", {"phone": "491701234567"}) == (
        400,
        "phone_provider_disabled",
    )
    admin.ok("DELETE", f"/admin/users/{changed['id']}")


def test_trigger_of_a_project_reads_the_metadata_of_a_new_user(
    admin: Caller, anyone: Caller, small_stack: Stack
) -> None:
    new = {"email": address(), "password": PASSWORD, "data": {"name": "Ada"}}
    signed_up = anyone.ok("POST", "/signup", new)["user"]
    with psycopg.connect(small_stack.db_url) as database:
        found = database.execute(
            "select u.raw_user_meta_data ->> 'name', u.raw_app_meta_data ->> 'provider',"
            " i.email from auth.users u join auth.identities i on i.user_id = u.id"
            " where u.id = %s",
            [signed_up["id"]],
        )
        assert found.fetchone() == ("Ada", "email", new["email"])
    admin.ok("DELETE", f"/admin/users/{signed_up['id']}")


def test_what_auth_does_not_have_is_said_readably(anyone: Caller, admin: Caller) -> None:
    for method, path, code in (
        ("POST", "/factors", "mfa_totp_enroll_not_enabled"),
        ("POST", "/factors/1/challenge", "mfa_totp_enroll_not_enabled"),
        ("POST", "/passkeys", "not_found"),
        ("POST", "/sso", "not_found"),
        ("GET", "/user/identities/authorize", "not_found"),
    ):
        reply = anyone.send(method, path)
        error = reply.json()
        assert 400 <= reply.status_code < 500
        assert error["error_code"] == code
        assert "emulator" in error["msg"]
    assert admin.refusal("GET", "/admin/sso/providers") == (404, "not_found")


def test_token_is_signed_by_the_published_key_with_the_claims_of_its_user(
    admin: Caller, anyone: Caller, small_stack: Stack
) -> None:
    email = address()
    new = {"email": email, "password": PASSWORD, "email_confirm": True}
    user = admin.ok("POST", "/admin/users", {**new, "app_metadata": {"plan": "pro"}})
    token = signed_in(anyone, email)["access_token"]

    [key] = (
        jwt.PyJWKClient(f"{small_stack.api_url}/auth/v1/.well-known/jwks.json")
        .get_jwk_set()
        .keys
    )
    claims = jwt.decode(token, key.key, ["ES256"], audience="authenticated")

    assert jwt.get_unverified_header(token)["kid"] == key.key_id
    assert claims["iss"] == f"{small_stack.api_url}/auth/v1"
    assert (claims["sub"], claims["email"]) == (user["id"], email)
    assert claims["app_metadata"]["plan"] == "pro"
    assert (claims["aal"], claims["amr"][0]["method"]) == ("aal1", "password")
    assert claims["is_anonymous"] is False
    admin.ok("DELETE", f"/admin/users/{user['id']}")


def forged(keys: Keys, own: Keys) -> Iterator[str]:
    """Tokens that none of the keys has signed as it may."""
    claims = {"role": "service_role", "exp": int(time.time()) + 60}
    yield own.sign(claims, "ES256")
    yield own.sign(claims, "HS256")
    yield jwt.encode(claims, "", "none")
    header, payload, _ = keys.sign(claims, "ES256").split(".")
    yield f"{header}.{payload}."
    yield keys.sign({**claims, "exp": 1}, "ES256")


def test_auth_and_the_data_api_accept_the_tokens_of_the_project_alone(
    small_stack: Stack, tmp_path: Path
) -> None:
    stack = small_stack
    claims = {"role": "service_role", "exp": int(time.time()) + 60}

    def statuses(token: str) -> set[int]:
        data_api = requests.get(
            f"{stack.postgrest_url}/rpc/my_role",
            headers={"Authorization": f"Bearer {token}", "Connection": "close"},
            timeout=30,
        )
        auth = Caller(stack, stack.publishable_key, token).send("GET", "/admin/users")
        return {data_api.status_code, auth.status_code}

    assert statuses(stack.keys.sign(claims, "ES256")) == {200}
    assert statuses(stack.keys.sign(claims, "HS256")) == {200}
    for token in forged(stack.keys, load_keys(tmp_path)):
        assert statuses(token) <= {401, 403}, token


def test_algorithm_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen_algorithm() == "ES256"
    monkeypatch.setenv("TENANTRY_JWT_ALGORITHM", "HS256")
    assert chosen_algorithm() == "HS256"
    monkeypatch.setenv("TENANTRY_JWT_ALGORITHM", "RS256")
    with pytest.raises(TenantryError, match="must be `ES256` or `HS256`"):
        chosen_algorithm()
