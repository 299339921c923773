"""The users in the tables of Auth, as its API shows them."""

import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import AsyncConnection, errors, sql
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from tenantry_cli.emulator.auth_error import email_exists, refused

Connection = AsyncConnection[DictRow]
# A user as the API shows it.
User = dict[str, Any]

_CONNECTIONS = 4
_TIMES = (
    *("email_confirmed_at", "phone_confirmed_at", "confirmed_at", "confirmation_sent_at"),
    *("recovery_sent_at", "email_change_sent_at", "invited_at", "last_sign_in_at"),
    *("banned_until", "deleted_at"),
)


class Users:
    """The connections to the tables, as the role of Auth."""

    def __init__(self, database_url: str) -> None:
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            database_url,
            connection_class=AsyncConnection[DictRow],
            kwargs={"row_factory": dict_row},
            min_size=0,
            max_size=_CONNECTIONS,
            # The server may have been started again.
            check=AsyncConnectionPool.check_connection,
            open=False,
        )

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        # Opening twice does nothing. The pool connects when it is first used.
        await self._pool.open()
        try:
            async with self._pool.connection() as connection:
                yield connection
        except errors.UniqueViolation as error:
            # Another request has created the user at the same moment.
            raise email_exists() from error
        except psycopg.Error as error:
            logging.exception("the tables of Auth")
            # A trigger or a foreign key of the project may have refused it.
            message = f"Database error: {error.diag.message_primary or error}"
            raise refused(500, "unexpected_failure", message) from error


async def find(connection: Connection, column: str, value: str) -> User | None:
    """The user with this id, email address, phone number or token."""
    found = await connection.execute(
        sql.SQL("select u.* from auth.users u where u.{} = %s").format(sql.Identifier(column)),
        (value,),
    )
    rows = await shown(connection, await found.fetchall())
    return rows[0] if rows else None


async def shown(connection: Connection, rows: Sequence[DictRow]) -> list[User]:
    """Rows of auth.users as the API shows them."""
    found = await connection.execute(
        "select i.* from auth.identities i where i.user_id = any(%s)"
        " order by i.created_at, i.id",
        ([row["id"] for row in rows],),
    )
    identities = await found.fetchall()
    return [
        _user(row, [_identity(each) for each in identities if each["user_id"] == row["id"]])
        for row in rows
    ]


async def change(connection: Connection, user_id: str, values: Mapping[str, Any]) -> None:
    """Writes these columns of a user. Metadata are given as the whole object."""
    if not values:
        return
    named = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder()) for name in values
    )
    await connection.execute(
        sql.SQL("update auth.users set {}, updated_at = now() where id = {}").format(
            named, sql.Placeholder()
        ),
        [*(_stored(value) for value in values.values()), user_id],
    )


async def insert(connection: Connection, values: Mapping[str, Any]) -> None:
    await connection.execute(
        sql.SQL(
            "insert into auth.users ({}, created_at, updated_at) values ({}, now(), now())"
        ).format(
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(sql.Placeholder() * len(values)),
        ),
        [_stored(value) for value in values.values()],
    )


async def set_identity(
    connection: Connection, user_id: str, provider: str, address: str, *, is_verified: bool
) -> None:
    """The identity with which a user signs in by email or phone: creates or changes it."""
    data = {
        "sub": user_id,
        provider: address,
        "email_verified": is_verified and provider == "email",
        "phone_verified": is_verified and provider == "phone",
    }
    await connection.execute(
        "insert into auth.identities"
        " (id, provider, provider_id, user_id, identity_data, created_at, updated_at)"
        " values (gen_random_uuid(), %s, %s, %s, %s, now(), now())"
        " on conflict (provider, provider_id) do update"
        " set identity_data = auth.identities.identity_data || excluded.identity_data,"
        " updated_at = now()",
        (provider, user_id, user_id, json.dumps(data)),
    )
    await connection.execute(
        "update auth.users u set raw_app_meta_data = coalesce(u.raw_app_meta_data, '{}')"
        " || jsonb_build_object('provider', p.names -> 0, 'providers', p.names)"
        " from (select jsonb_agg(i.provider order by i.created_at, i.id) as names"
        " from auth.identities i where i.user_id = %s) p where u.id = %s",
        (user_id, user_id),
    )


async def end_sessions(connection: Connection, user_id: str) -> None:
    await connection.execute("delete from auth.refresh_tokens where user_id = %s", (user_id,))
    await connection.execute("delete from auth.sessions where user_id = %s", (user_id,))


def merged(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata after a change. A null removes its key."""
    return {name: value for name, value in {**before, **changes}.items() if value is not None}


def is_banned(user: User) -> bool:
    until = user.get("banned_until")
    return until is not None and datetime.fromisoformat(until) > datetime.now(UTC)


def _stored(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict) else value


def _user(row: DictRow, identities: list[dict[str, Any]]) -> User:
    times = {name: _time(row[name]) for name in _TIMES if row[name] is not None}
    changed = {"new_email": row["email_change"]} if row["email_change"] else {}
    return {
        "id": str(row["id"]),
        "aud": row["aud"] or "authenticated",
        "role": row["role"] or "authenticated",
        "email": row["email"] or "",
        "phone": row["phone"] or "",
        **times,
        **changed,
        "app_metadata": row["raw_app_meta_data"] or {},
        "user_metadata": row["raw_user_meta_data"] or {},
        "identities": identities,
        "created_at": _time(row["created_at"]),
        "updated_at": _time(row["updated_at"]),
        "is_anonymous": row["is_anonymous"],
    }


def _identity(row: DictRow) -> dict[str, Any]:
    return {
        "identity_id": str(row["id"]),
        "id": row["provider_id"],
        "user_id": str(row["user_id"]),
        "identity_data": row["identity_data"],
        "provider": row["provider"],
        "last_sign_in_at": _time(row["last_sign_in_at"] or row["created_at"]),
        "created_at": _time(row["created_at"]),
        "updated_at": _time(row["updated_at"]),
        **({"email": row["email"]} if row["email"] else {}),
    }


def _time(value: datetime | None) -> str | None:
    if value is None:
        return None
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
