"""A simple function without our code: it creates a Supabase client for each request."""

import os
from typing import Any

from flask import Request
from supabase import ClientOptions, create_client

__all__ = ["check_tenant_status"]


def check_tenant_status(request: Request) -> Any:
    options = ClientOptions(
        headers={"Authorization": request.headers["Authorization"]},
        auto_refresh_token=False,
        persist_session=False,
    )
    client = create_client(os.environ["SUPABASE_URL"], os.environ["SUPABASE_ANON_KEY"], options)
    return client.rpc("check_tenant_status", request.get_json()).execute().data
