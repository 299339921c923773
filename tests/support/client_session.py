"""The calls of a client app with supabase-py, unmodified. Prints the results as JSON."""

from __future__ import annotations

import json
import os
from typing import Any

import httpx
from postgrest import APIError
from supabase import Client, ClientOptions, create_client

URL = os.environ["SUPABASE_URL"]
TENANT = os.environ["TENANT"]

# APIError has no status. The library accepts an HTTP client, whose hook has the status.
statuses: list[int] = []
http = httpx.Client(
    event_hooks={"response": [lambda reply: statuses.append(reply.status_code)]}
)


def client(key: str) -> Client:
    options = ClientOptions(auto_refresh_token=False, persist_session=False, httpx_client=http)
    return create_client(URL, key, options)


def settings(who: Client) -> Any:
    return who.schema(TENANT).from_("settings")


def sign_up(email: str) -> tuple[Client, str]:
    person = client(os.environ["SUPABASE_ANON_KEY"])
    reply = person.auth.sign_up({"email": email, "password": os.environ["PASSWORD"]})
    assert reply.user is not None
    return person, reply.user.id


def ensure_profile(who: Client) -> list[Any]:
    reply = who.functions.invoke(
        "user-profiles/ensure_user_profile",
        {"body": {"schema_name": TENANT, "display_name": "Ada"}, "responseType": "json"},
    )
    profile: Any = json.loads(reply) if isinstance(reply, bytes | str) else reply
    return [profile["is_new"], profile["display_name"], profile["is_active"]]


def rows(query: Any) -> list[list[Any]]:
    return [[row["key"], row["value"]] for row in query.execute().data]


def refusal(query: Any) -> list[Any] | None:
    try:
        query.execute()
    except APIError as error:
        return [statuses[-1], error.code, error.details, error.message]
    return None


def main() -> dict[str, Any]:
    member, member_id = sign_up(os.environ["MEMBER_EMAIL"])
    stranger, _ = sign_up(os.environ["STRANGER_EMAIL"])
    service = client(os.environ["SUPABASE_SERVICE_ROLE_KEY"])
    session: dict[str, Any] = {}

    service.rpc(
        "grant_schema_access",
        {"schema_name": TENANT, "user_id": member_id, "access_level": "admin"},
    ).execute()
    session["profiles"] = [ensure_profile(member), ensure_profile(member)]

    theme = {"key": "theme", "value": {"dark": True}}
    session["inserted"] = rows(settings(member).insert(theme))
    session["upserted"] = rows(settings(member).upsert({**theme, "value": "light"}))
    session["updated"] = rows(settings(member).update({"value": "dark"}).eq("key", "theme"))
    session["read"] = rows(settings(member).select("key, value").eq("key", "theme"))
    session["read_by_service"] = rows(settings(service).select("key, value"))

    session["stranger"] = [
        refusal(settings(stranger).select("*")),
        refusal(settings(stranger).insert({"key": "forged"})),
    ]

    service.rpc("suspend_tenant", {"schema_name": TENANT}).execute()
    session["suspended"] = [
        refusal(settings(member).select("*")),
        refusal(settings(member).insert({"key": "late"})),
        refusal(settings(service).select("*")),
    ]
    service.rpc("activate_tenant", {"schema_name": TENANT}).execute()

    session["deleted"] = rows(settings(member).delete().eq("key", "theme"))
    session["left"] = rows(settings(member).select("*"))
    return session


if __name__ == "__main__":
    with http:
        print(json.dumps(main()))
