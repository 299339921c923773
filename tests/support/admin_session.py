"""The calls of a test fixture with supabase-py: the admin API of Auth. Prints the results as
JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import httpx
from supabase import AuthApiError, Client, ClientOptions, create_client

URL = os.environ["SUPABASE_URL"]
PUBLISHABLE_KEY = os.environ["PUBLISHABLE_KEY"]
EMAIL, PASSWORD = os.environ["EMAIL"], os.environ["PASSWORD"]

http = httpx.Client()


def client(key: str) -> Client:
    options = ClientOptions(auto_refresh_token=False, persist_session=False, httpx_client=http)
    return create_client(URL, key, options)


def error(call: Callable[[], Any]) -> AuthApiError:
    try:
        call()
    except AuthApiError as error:
        return error
    raise AssertionError("The call was not refused.")


def main() -> dict[str, Any]:
    admin = client(os.environ["SECRET_KEY"]).auth.admin
    session: dict[str, Any] = {}
    made = admin.create_user(
        {
            "email": EMAIL,
            "password": PASSWORD,
            "email_confirm": True,
            "user_metadata": {"name": "Ada"},
            "app_metadata": {"plan": "pro"},
        }
    ).user
    session["created"] = [made.email, made.user_metadata["name"], made.app_metadata["plan"]]
    session["repeated"] = error(
        lambda: admin.create_user({"email": EMAIL, "password": PASSWORD})
    ).code

    person = client(PUBLISHABLE_KEY)
    credentials: Any = {"email": EMAIL, "password": PASSWORD}
    signed_in = person.auth.sign_in_with_password(credentials)
    assert signed_in.user is not None
    assert signed_in.session is not None
    session["signed_in"] = signed_in.user.id == made.id
    claims: Any = person.auth.get_claims()
    session["claims"] = claims["claims"]["app_metadata"]["plan"]
    session["refused"] = error(person.auth.admin.list_users).code

    listed = admin.list_users(page=1, per_page=1000)
    session["listed"] = any(user.id == made.id for user in listed)
    updated = admin.update_user_by_id(made.id, {"user_metadata": {"name": "Eve"}}).user
    session["updated"] = updated.user_metadata["name"]
    session["read"] = admin.get_user_by_id(made.id).user.user_metadata["name"]

    link = admin.generate_link({"type": "magiclink", "email": EMAIL})
    verified = client(PUBLISHABLE_KEY).auth.verify_otp(
        {"type": "email", "token_hash": link.properties.hashed_token}
    )
    assert verified.user is not None
    session["verified"] = verified.user.email == EMAIL

    session["moved"] = []
    for kind in ("email_change_new", "email_change_current"):
        parameters: Any = {"type": kind, "email": EMAIL, "new_email": f"new.{EMAIL}"}
        moving = admin.generate_link(parameters).properties
        moved = client(PUBLISHABLE_KEY).auth.verify_otp(
            {"type": "email_change", "token_hash": moving.hashed_token}
        )
        assert moved.user is not None
        session["moved"].append(moved.user.email == f"new.{EMAIL}")
        admin.update_user_by_id(made.id, {"email": EMAIL})

    guest = client(PUBLISHABLE_KEY)
    anonymous = guest.auth.sign_in_anonymously().user
    assert anonymous is not None
    session["anonymous"] = anonymous.is_anonymous
    refusal = error(lambda: guest.auth.mfa.enroll({"factor_type": "totp"}))
    session["mfa"] = [refusal.code, refusal.message]

    banned = admin.update_user_by_id(made.id, {"ban_duration": "24h"}).user
    session["banned"] = bool(banned.model_dump().get("banned_until", True))
    session["sign_in_of_banned"] = error(
        lambda: client(PUBLISHABLE_KEY).auth.sign_in_with_password(credentials)
    ).code
    admin.sign_out(signed_in.session.access_token)
    admin.delete_user(anonymous.id)
    admin.delete_user(made.id)
    session["deleted"] = error(lambda: admin.get_user_by_id(made.id)).code
    return session


if __name__ == "__main__":
    with http:
        print(json.dumps(main()))
