"""Auth as clients see it: Supabase Lite's server, and what it lacks.

The server checks passwords and codes and refreshes sessions. It has no admin API, anonymous
sign-in, ES256 or bans. Its replies leave out claims and columns, and an address that a user
changes never takes effect.
"""

import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

from aiohttp import web
from multidict import CIMultiDict
from pydantic import ConfigDict

from tenantry_cli.configuration import AuthSettings
from tenantry_cli.emulator import auth_users
from tenantry_cli.emulator.auth_admin import Admin, token_hash
from tenantry_cli.emulator.auth_error import refused
from tenantry_cli.emulator.auth_parameters import Metadata, Parameters, Text, parsed
from tenantry_cli.emulator.auth_tokens import Tokens
from tenantry_cli.emulator.auth_users import Connection, User, Users
from tenantry_cli.emulator.forwarding import Content, Forwarder, Reply
from tenantry_cli.emulator.paths import AUTH

_EXCERPT = 200
_BEARER = "bearer"
# The requests with parameters in their body, and the others.
_WITH_PARAMETERS = {
    *(("POST", "/signup"), ("POST", "/token"), ("POST", "/otp"), ("POST", "/magiclink")),
    *(("POST", "/verify"), ("POST", "/recover"), ("POST", "/resend"), ("PUT", "/user")),
}
_WITHOUT_PARAMETERS = {
    *(("GET", "/verify"), ("GET", "/user"), ("GET", "/reauthenticate"), ("POST", "/logout")),
    *(("GET", "/authorize"), ("GET", "/callback"), ("POST", "/callback")),
    *(("GET", "/health"), ("HEAD", "/health"), ("GET", "/settings")),
}
# What Auth stores until a new address is confirmed.
_CHANGE = (
    *("email_change", "email_change_sent_at"),
    *("email_change_token_current", "email_change_token_new"),
)
# Supabase Lite knows these kinds of codes by other names.
_KINDS = {"invite": "signup", "email": "magiclink"}
_NO_MFA = "The emulator has no multi-factor authentication. Use a hosted project for it."
_NO_PHONE = "The emulator sends no SMS, so nobody signs in by phone. Use an email address."


class _Given(Parameters):
    """The parameters that the gateway reads, and those whose type Auth does not check."""

    model_config = ConfigDict(extra="allow")

    email: Text = ""
    phone: Text = ""
    password: Text = ""
    type: Text = ""
    token: Text = ""
    token_hash: Text = ""
    refresh_token: Text = ""
    data: Metadata | None = None


class AuthGateway:
    def __init__(
        self,
        url: str,
        forwarder: Forwarder,
        users: Users,
        tokens: Tokens,
        api_url: str,
        site_url: str,
        settings: AuthSettings,
    ) -> None:
        self._url = url
        self._forwarder = forwarder
        self._users = users
        self._tokens = tokens
        self._api_url = api_url
        self._site_url = site_url
        self._settings = settings
        self._admin = Admin(users, tokens, site_url, settings.minimum_password_length)

    async def reply(
        self, request: web.Request, target: str, headers: CIMultiDict[str], content: Content
    ) -> Reply:
        path = request.rel_url.raw_path.removeprefix(AUTH)
        if path == "/.well-known/jwks.json":
            return Reply.of_json(
                self._tokens.key_set, headers={"Cache-Control": "public, max-age=600"}
            )
        if path == "/.well-known/openid-configuration":
            return Reply.of_json(self._discovery())
        if path.startswith("/admin/") or path == "/invite":
            authorization = headers.get("Authorization", "")
            return await self._admin.reply(request, path, authorization, content)
        if path == "/factors" or path.startswith("/factors/"):
            raise refused(422, "mfa_totp_enroll_not_enabled", _NO_MFA)
        route = (request.method, path)
        if route not in _WITH_PARAMETERS | _WITHOUT_PARAMETERS:
            raise refused(
                404, "not_found", f"The emulator's Auth has no {request.method} {path}."
            )
        given: dict[str, Any] = {}
        if route in _WITH_PARAMETERS:
            given = parsed(_Given, content.read()).model_dump(exclude_unset=True)
        if given.get("phone"):
            raise refused(400, "phone_provider_disabled", _NO_PHONE)
        if route == ("POST", "/signup") and not given.get("email"):
            return Reply.of_json(await self._sign_up_anonymously(given))
        if path == "/verify":
            await self._accept_link_to_new_address({**request.query, **given})
            target, content = _with_known_kind(target, given, content)
        if "Authorization" in headers:
            headers["Authorization"] = self._tokens.for_auth(headers["Authorization"])
        reply = await self._forwarder.exchange(
            AUTH, request.method, f"{self._url}{target}", headers, content
        )
        return await self._completed(request, path, given, reply)

    def _discovery(self) -> dict[str, Any]:
        issuer = self._tokens.issuer
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/.well-known/jwks.json",
            "userinfo_endpoint": f"{issuer}/user",
        }

    # Replies --------------------------------------------------------------------------------

    async def _completed(
        self, request: web.Request, path: str, given: Mapping[str, Any], reply: Reply
    ) -> Reply:
        """The reply with the tokens and the users of a hosted project."""
        if location := reply.headers.get("Location"):
            reply.headers["Location"] = await self._completed_location(location)
        body = reply.json
        if reply.status >= 400 and body is None:
            said = reply.content.read().decode(errors="replace") or "nothing"
            raise refused(
                reply.status,
                "unexpected_failure",
                f"Auth answered {reply.status} to {request.method} {path}: {said[:_EXCERPT]}",
            )
        if reply.status >= 400 or not isinstance(body, dict):
            return reply
        if "access_token" in body and "user" in body:
            method = "otp" if path == "/verify" else "password"
            is_refresh = request.query.get("grant_type") == "refresh_token"
            reply.replace_json(await self._completed_session(body, method, is_refresh))
        elif path in ("/user", "/signup") and "id" in body:
            reply.replace_json(await self._completed_user(body, given))
        return reply

    async def _completed_session(
        self, session: dict[str, Any], method: str, is_refresh: bool
    ) -> dict[str, Any]:
        claims = self._tokens.verified(session["access_token"])
        async with self._users.transaction() as connection:
            user = await _known(connection, claims["sub"])
            is_banned = auth_users.is_banned(user)
            if is_banned and not is_refresh:
                # A session that exists already works again after the ban.
                await connection.execute(
                    "delete from auth.sessions where id = %s", (claims["session_id"],)
                )
        if is_banned:
            sentence = "Invalid Refresh Token: User Banned" if is_refresh else "User is banned"
            raise refused(400, "user_banned", sentence)
        token = self._tokens.signed(
            user, claims["session_id"], method, issued=claims["iat"], expires=claims["exp"]
        )
        return {**session, "access_token": token, "user": user}

    async def _completed_location(self, location: str) -> str:
        """The address to which a link in a mail leads: its fragment holds the session."""
        parts = urlsplit(location)
        if parts._replace(fragment="").geturl() == self._api_url:
            # Auth leads to its own address if no other one is allowed.
            parts = urlsplit(self._site_url)._replace(fragment=parts.fragment)
        session = dict(parse_qsl(parts.fragment))
        if "access_token" in session:
            completed = await self._completed_session(session, "otp", is_refresh=False)
            del completed["user"]
            parts = parts._replace(fragment=urlencode(completed))
        return parts.geturl()

    async def _completed_user(self, user: Mapping[str, Any], given: Mapping[str, Any]) -> User:
        async with self._users.transaction() as connection:
            known = await _known(connection, user["id"])
            if given.get("email") and "new_email" in known:
                # Without confirmations, a new address takes effect at once.
                await _change_email(connection, known)
                known = await _known(connection, user["id"])
        return known

    async def _accept_link_to_new_address(self, given: Mapping[str, Any]) -> None:
        """Without confirmations one link is enough. Auth takes only that of the old address."""
        if given.get("type") != "email_change":
            return
        token = given.get("token_hash") or given.get("token")
        if given.get("email") and token:
            token = token_hash(str(given["email"]).lower(), str(token))
        async with self._users.transaction() as connection:
            await connection.execute(
                "update auth.users set email_change_token_current = email_change_token_new"
                " where email_change_token_new = %s",
                (token,),
            )

    # Anonymous users ------------------------------------------------------------------------

    async def _sign_up_anonymously(self, given: Mapping[str, Any]) -> dict[str, Any]:
        if not self._settings.enable_signup:
            raise refused(422, "signup_disabled", "Signups not allowed for this instance")
        if not self._settings.enable_anonymous_sign_ins:
            raise refused(422, "anonymous_provider_disabled", "Anonymous sign-ins are disabled")
        user_id, session_id = str(uuid4()), str(uuid4())
        refresh_token = secrets.token_urlsafe(9)
        async with self._users.transaction() as connection:
            await auth_users.insert(
                connection,
                {
                    "id": user_id,
                    "aud": "authenticated",
                    "role": "authenticated",
                    "is_anonymous": True,
                    "raw_app_meta_data": {},
                    "raw_user_meta_data": given.get("data") or {},
                },
            )
            await connection.execute(
                "update auth.users set last_sign_in_at = now() where id = %s", (user_id,)
            )
            await connection.execute(
                "insert into auth.sessions (id, user_id, aal) values (%s, %s, 'aal1')",
                (session_id, user_id),
            )
            await connection.execute(
                "insert into auth.refresh_tokens (id, token, user_id, session_id, revoked)"
                " values (gen_random_uuid(), %s, %s, %s, false)",
                (refresh_token, user_id, session_id),
            )
            user = await _known(connection, user_id)
        now = int(time.time())
        return {
            "access_token": self._tokens.signed(user, session_id, "anonymous", issued=now),
            "token_type": _BEARER,
            "expires_in": self._tokens.lifetime,
            "expires_at": now + self._tokens.lifetime,
            "refresh_token": refresh_token,
            "user": user,
        }


def _with_known_kind(
    target: str, given: Mapping[str, Any], content: Content
) -> tuple[str, Content]:
    path, _, query = target.partition("?")
    named = [
        (name, _KINDS.get(value, value) if name == "type" else value)
        for name, value in parse_qsl(query, keep_blank_values=True)
    ]
    if given.get("type") in _KINDS:
        known = Reply.of_json({**given, "type": _KINDS[given["type"]]})
        content = known.content
    return (f"{path}?{urlencode(named)}" if named else path), content


async def _known(connection: Connection, user_id: str) -> User:
    user = await auth_users.find(connection, "id", user_id)
    if user is None:
        # Somebody deleted the user at this moment.
        raise refused(404, "user_not_found", "User not found")
    return user


async def _change_email(connection: Connection, user: User) -> None:
    email = user["new_email"]
    await auth_users.change(
        connection,
        user["id"],
        {
            **dict.fromkeys(_CHANGE),
            "email": email,
            "is_anonymous": False,
        },
    )
    await connection.execute(
        "update auth.users set email_confirmed_at = coalesce(email_confirmed_at, now())"
        " where id = %s",
        (user["id"],),
    )
    await auth_users.set_identity(connection, user["id"], "email", email, is_verified=True)
