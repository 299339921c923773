"""The admin API of Auth, which Auth's own server does not have.

It works on Auth's tables as the role of Auth. The routes, parameters, replies and errors are
those that Supabase documents for its Auth server.
"""

import asyncio
import hashlib
import logging
import re
import secrets
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import bcrypt
import jwt
from aiohttp import web

from tenantry_cli.emulator import auth_users
from tenantry_cli.emulator.auth_error import check_password, email_exists, invalid, refused
from tenantry_cli.emulator.auth_parameters import Metadata, Name, Parameters, Text, parsed
from tenantry_cli.emulator.auth_tokens import Tokens
from tenantry_cli.emulator.auth_users import Connection, User, Users
from tenantry_cli.emulator.forwarding import Content, Reply

_ADMIN_ROLES = ("service_role", "supabase_admin")
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_PHONE = re.compile(r"[1-9][0-9]{6,14}")
_DURATION = re.compile(r"(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
# With these a soft-deleted user could still sign in.
_SECRETS = (
    *("encrypted_password", "confirmation_token", "recovery_token", "email_change"),
    *("email_change_token_current", "email_change_token_new", "reauthentication_token"),
)
_PAGE_SIZE = 50
_LARGEST_PAGE = 1000
# Auth generates codes of this length, too.
_CODE_DIGITS = 6
_HASH_COST = 10


class _UserParameters(Parameters):
    id: UUID | None = None
    aud: Name = ""
    role: Name = ""
    email: Text = ""
    phone: Text = ""
    password: Text | None = None
    password_hash: Text | None = None
    email_confirm: bool = False
    phone_confirm: bool = False
    user_metadata: Metadata | None = None
    app_metadata: Metadata | None = None
    ban_duration: Text = ""


class _Deletion(Parameters):
    should_soft_delete: bool = False


class _Link(Parameters):
    type: Text = ""
    email: Text = ""
    new_email: Text = ""
    password: Text = ""
    data: Metadata | None = None
    redirect_to: Text = ""


class Admin:
    def __init__(
        self, users: Users, tokens: Tokens, site_url: str, shortest_password: int
    ) -> None:
        self._users = users
        self._tokens = tokens
        self._site_url = site_url
        self._shortest_password = shortest_password

    async def reply(
        self, request: web.Request, path: str, authorization: str, content: Content
    ) -> Reply:
        """The answer to a request for `path`, which begins after /auth/v1."""
        self._require_admin(authorization)
        body = content.read() or b"{}"
        async with self._users.transaction() as connection:
            return await self._routed(connection, request, path, body)

    def _require_admin(self, authorization: str) -> None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise refused(
                401, "no_authorization", "This endpoint requires a valid Bearer token"
            )
        try:
            claims = self._tokens.verified(token.strip())
        except jwt.PyJWTError as error:
            raise refused(
                403, "bad_jwt", f"invalid JWT: unable to parse or verify signature, {error}"
            ) from error
        if claims.get("role") not in _ADMIN_ROLES:
            raise refused(403, "not_admin", "User not allowed")

    async def _routed(
        self, connection: Connection, request: web.Request, path: str, body: bytes
    ) -> Reply:
        match request.method, path.strip("/").split("/"):
            case "POST", ["admin", "users"]:
                parameters = parsed(_UserParameters, body)
                return Reply.of_json(await _create(connection, parameters))
            case "GET", ["admin", "users"]:
                return await _list(connection, request)
            case "GET", ["admin", "users", user_id]:
                return Reply.of_json(await _existing(connection, user_id))
            case "PUT", ["admin", "users", user_id]:
                user = await _existing(connection, user_id)
                parameters = parsed(_UserParameters, body)
                return Reply.of_json(
                    await _update(connection, user, parameters, self._shortest_password)
                )
            case "DELETE", ["admin", "users", user_id]:
                user = await _existing(connection, user_id)
                await _delete(connection, user, parsed(_Deletion, body))
                return Reply.of_json({})
            case "GET", ["admin", "users", user_id, "factors"]:
                await _existing(connection, user_id)
                return Reply.of_json([])
            case "POST", ["admin", "generate_link"]:
                link = parsed(_Link, body)
                return Reply.of_json(await self._link(connection, request, link))
            case "POST", ["invite"]:
                link = parsed(_Link, body).model_copy(update={"type": "invite"})
                made = await self._link(connection, request, link)
                # No mail is sent. The developer finds the link in the log of the gateway.
                logging.info("invitation of %s: %s", made["email"], made["action_link"])
                return Reply.of_json(await _existing(connection, made["id"]))
        raise refused(404, "not_found", f"The emulator's Auth has no {request.method} {path}.")

    async def _link(
        self, connection: Connection, request: web.Request, link: _Link
    ) -> dict[str, Any]:
        redirect_to = request.query.get("redirect_to") or link.redirect_to or self._site_url
        kind, email = link.type, _valid_email(link.email)
        user = await auth_users.find(connection, "email", email)
        if user is None and kind == "magiclink":
            # As at a sign-in by magic link, a new user signs up.
            kind, link.password = "signup", link.password or secrets.token_urlsafe(32)
        code = "".join(secrets.choice("0123456789") for _ in range(_CODE_DIGITS))
        token = token_hash(email, code)
        now = datetime.now(UTC)
        match kind:
            case "signup" | "invite":
                if user is not None and "confirmed_at" in user:
                    raise email_exists()
                if user is None:
                    user = await _unconfirmed(
                        connection, kind, email, link, self._shortest_password
                    )
                invited = {"invited_at": now} if kind == "invite" else {}
                changes = {"confirmation_token": token, "confirmation_sent_at": now, **invited}
            case "magiclink" | "recovery":
                changes = {"recovery_token": token, "recovery_sent_at": now}
            case "email_change_current" | "email_change_new":
                new_email = _valid_email(link.new_email)
                if await auth_users.find(connection, "email", new_email) is not None:
                    raise email_exists()
                column = "email_change_token_current"
                if kind == "email_change_new":
                    column, token = "email_change_token_new", token_hash(new_email, code)
                changes = {
                    "email_change": new_email,
                    "email_change_sent_at": now,
                    column: token,
                }
            case _:
                raise invalid(f"Invalid email action link type requested: {kind}")
        if user is None:
            raise refused(404, "user_not_found", "User with this email not found")
        await auth_users.change(connection, user["id"], changes)
        verification = "email_change" if kind.startswith("email_change") else kind
        query = urlencode({"token": token, "type": verification, "redirect_to": redirect_to})
        return {
            **await _existing(connection, user["id"]),
            "action_link": f"{self._tokens.issuer}/verify?{query}",
            "email_otp": code,
            "hashed_token": token,
            "verification_type": kind,
            "redirect_to": redirect_to,
        }


async def _existing(connection: Connection, user_id: str) -> User:
    try:
        # UUID also takes forms that PostgreSQL does not know, such as urn:uuid:….
        known = str(UUID(user_id))
    except ValueError:
        raise refused(404, "validation_failed", "user_id must be an UUID") from None
    user = await auth_users.find(connection, "id", known)
    if user is None:
        raise refused(404, "user_not_found", "User not found")
    return user


async def _list(connection: Connection, request: web.Request) -> Reply:
    page = _positive(request, "page", 1)
    size = min(_positive(request, "per_page", _PAGE_SIZE), _LARGEST_PAGE)
    values = {
        # No address has the character U+0000, which PostgreSQL takes nowhere.
        "filter": request.query.get("filter", "").replace("\0", "\ufffd"),
        "size": size,
        "skip": (page - 1) * size,
    }
    counted = await connection.execute(
        "select count(*) as total from auth.users u"
        " where %(filter)s = '' or u.email ilike '%%' || %(filter)s || '%%'",
        values,
    )
    total = (await counted.fetchone() or {})["total"]
    found = await connection.execute(
        "select u.* from auth.users u"
        " where %(filter)s = '' or u.email ilike '%%' || %(filter)s || '%%'"
        " order by u.created_at desc, u.id limit %(size)s offset %(skip)s",
        values,
    )
    users = await auth_users.shown(connection, await found.fetchall())
    last = max(1, -(-total // size))
    relations = {"next": page + 1} if page < last else {}
    links = [
        f'</admin/users?page={number}&per_page={size}>; rel="{relation}"'
        for relation, number in {**relations, "last": last}.items()
    ]
    headers = {"X-Total-Count": str(total), "Link": ", ".join(links)}
    return Reply.of_json({"users": users, "aud": "authenticated"}, headers=headers)


def _positive(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise invalid(f"Bad Pagination Parameters: {name} is {text!r}, not a number")
    return int(text) or default


async def _create(connection: Connection, given: _UserParameters) -> User:
    if not given.email and not given.phone:
        raise invalid("Cannot create a user without either an email or phone")
    email, phone = await _free_addresses(connection, given, user_id=None)
    user_id = str(given.id or uuid4())
    if await auth_users.find(connection, "id", user_id) is not None:
        raise refused(422, "user_already_exists", "A user with this id exists already")
    now = datetime.now(UTC)
    metadata = given.user_metadata or {}
    if given.email_confirm:
        metadata = {**metadata, "email_verified": True}
    await auth_users.insert(
        connection,
        {
            "id": user_id,
            "aud": given.aud or "authenticated",
            "role": given.role or "authenticated",
            "email": email or None,
            "phone": phone or None,
            "encrypted_password": await _password_hash(given) or None,
            "email_confirmed_at": now if email and given.email_confirm else None,
            "phone_confirmed_at": now if phone and given.phone_confirm else None,
            "banned_until": _banned_until(given.ban_duration, now),
            "raw_app_meta_data": auth_users.merged({}, given.app_metadata or {}),
            "raw_user_meta_data": auth_users.merged({}, metadata),
        },
    )
    for provider, address in (("email", email), ("phone", phone)):
        if address:
            await auth_users.set_identity(
                connection, user_id, provider, address, is_verified=False
            )
    return await _existing(connection, user_id)


async def _update(
    connection: Connection, user: User, given: _UserParameters, shortest_password: int
) -> User:
    email, phone = await _free_addresses(connection, given, user_id=user["id"])
    now = datetime.now(UTC)
    changes: dict[str, Any] = {}
    metadata = given.user_metadata or {}
    if given.role:
        changes["role"] = given.role
    if email:
        changes |= {"email": email, "is_anonymous": False}
    if phone:
        changes |= {"phone": phone, "is_anonymous": False}
    if given.email_confirm and "email_confirmed_at" not in user:
        changes["email_confirmed_at"] = now
        metadata = {**metadata, "email_verified": True}
    if given.phone_confirm and "phone_confirmed_at" not in user:
        changes["phone_confirmed_at"] = now
    if given.ban_duration:
        changes["banned_until"] = _banned_until(given.ban_duration, now)
    if given.password is not None:
        check_password(given.password, shortest_password)
    if (hashed := await _password_hash(given)) is not None:
        changes["encrypted_password"] = hashed
        # Whoever knows only the old password has to sign in again.
        await auth_users.end_sessions(connection, user["id"])
    if metadata:
        changes["raw_user_meta_data"] = auth_users.merged(user["user_metadata"], metadata)
    if given.app_metadata:
        changes["raw_app_meta_data"] = auth_users.merged(
            user["app_metadata"], given.app_metadata
        )
    await auth_users.change(connection, user["id"], changes)
    for provider, address in (("email", email), ("phone", phone)):
        if address:
            await auth_users.set_identity(
                connection, user["id"], provider, address, is_verified=False
            )
    return await _existing(connection, user["id"])


async def _delete(connection: Connection, user: User, given: _Deletion) -> None:
    if not given.should_soft_delete:
        await connection.execute("delete from auth.users where id = %s", (user["id"],))
        return
    if "deleted_at" in user:
        return
    # The row stays, so that references to it stay, and says nothing about the person.
    await auth_users.change(
        connection,
        user["id"],
        {
            "email": _obscured(user, "email"),
            "phone": _obscured(user, "phone"),
            **dict.fromkeys(_SECRETS),
            "raw_user_meta_data": {},
            "raw_app_meta_data": {},
            "deleted_at": datetime.now(UTC),
        },
    )
    await connection.execute(
        "update auth.identities set identity_data = '{}', provider_id = id::text"
        " where user_id = %s",
        (user["id"],),
    )
    await auth_users.end_sessions(connection, user["id"])


def _obscured(user: User, name: str) -> str | None:
    if not user[name]:
        return None
    digest = hashlib.sha256(f"{user['id']}{user[name]}".encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


async def _unconfirmed(
    connection: Connection, kind: str, email: str, link: _Link, shortest_password: int
) -> User:
    if kind == "signup":
        if not link.password:
            raise invalid("Signup requires a valid password")
        check_password(link.password, shortest_password)
    return await _create(
        connection,
        _UserParameters(email=email, password=link.password or None, user_metadata=link.data),
    )


async def _free_addresses(
    connection: Connection, given: _UserParameters, user_id: str | None
) -> tuple[str, str]:
    """The given addresses in their normal form. Refuses those of another user."""
    email = _valid_email(given.email) if given.email else ""
    if email and await _is_taken(connection, "email", email, user_id):
        raise email_exists()
    phone = given.phone.removeprefix("+")
    if phone and not _PHONE.fullmatch(phone):
        raise invalid("Invalid phone number format (E.164 required)")
    if phone and await _is_taken(connection, "phone", phone, user_id):
        raise refused(422, "phone_exists", "Phone number already registered by another user")
    return email, phone


async def _is_taken(
    connection: Connection, column: str, value: str, user_id: str | None
) -> bool:
    user = await auth_users.find(connection, column, value)
    return user is not None and user["id"] != user_id


def _valid_email(email: str) -> str:
    if not email:
        raise invalid("An email address is required")
    if len(email) > 255 or not _EMAIL.fullmatch(email):
        raise invalid("Unable to validate email address: invalid format")
    return email.lower()


async def _password_hash(given: _UserParameters) -> str | None:
    if given.password_hash:
        if given.password:
            raise invalid("Only a password or a password hash should be provided")
        if not re.fullmatch(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}", given.password_hash):
            raise invalid("The emulator accepts bcrypt hashes of passwords only")
        return given.password_hash
    if not given.password:
        return None
    if len(given.password.encode()) > 72:
        check_password(given.password, shortest=0)
    # Hashing takes long on purpose. The event loop must not wait for it.
    salt = bcrypt.gensalt(_HASH_COST, prefix=b"2a")
    hashed = await asyncio.to_thread(bcrypt.hashpw, given.password.encode(), salt)
    return hashed.decode()


def _banned_until(duration: str, now: datetime) -> datetime | None:
    if duration in ("", "none"):
        return None
    if not _DURATION.fullmatch(duration):
        raise invalid(f'invalid format for ban duration: time: invalid duration "{duration}"')
    parts = re.findall(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)", duration)
    try:
        return now + timedelta(
            seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts)
        )
    except OverflowError:
        raise invalid(f"invalid format for ban duration: {duration} is too long") from None


def token_hash(email: str, code: str) -> str:
    """The token of a code that was sent to this address, as Auth computes it."""
    return hashlib.sha256(f"{email}{code}".encode()).hexdigest()
