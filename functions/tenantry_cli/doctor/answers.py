"""What the Data API answers to the service key and to the anon key."""

from __future__ import annotations

from collections.abc import Iterator

import requests

from tenantry_cli.doctor.problem import Connection, Problem
from tenantry_cli.http_client import HttpClient, unanswered
from tenantry_cli.target import Target, is_key_refused, key_headers, refused_key

_TIMEOUT_SECONDS = 30
KINDS = ("Data API down", "wrong answer", "open to anybody")


def examine_answers(connection: Connection, target: Target) -> Iterator[Problem]:
    with HttpClient(timeout=_TIMEOUT_SECONDS) as http:
        yield from _examine(connection, target, http)


def _examine(connection: Connection, target: Target, http: HttpClient) -> Iterator[Problem]:
    silence = ""

    def status(schema: str, path: str, key: str) -> int | None:
        """None if there was no answer."""
        nonlocal silence
        try:
            reply = http.request(
                "GET",
                f"{target.rest_url}/{path}",
                headers=key_headers(key) | {"Accept-Profile": schema},
            )
        except requests.RequestException as error:
            silence = unanswered(target.api_url, error)
            return None
        if is_key_refused(reply):
            raise refused_key(target.api_url, reply, is_anon=key != target.service_key)
        return reply.status_code

    answered = status("public", "tenants?select=id&limit=0", target.service_key)
    if answered != 200:
        yield Problem(
            "Data API down",
            "public",
            silence
            or f"The Data API answers the service key with {answered} for the table tenants.",
            "Repair the other problems first, above all schemas that are listed but missing. "
            "Then run notify pgrst, 'reload config'.",
        )
        return
    tenants = connection.execute(
        "select t.schema_name, t.status from public.tenants t "
        "where to_regnamespace(t.schema_name) is not null order by 1"
    ).fetchall()
    for row in tenants:
        name, is_active = row["schema_name"], row["status"] == "active"
        query = "settings?select=key&limit=0"
        answered = status(name, query, target.service_key)
        if (answered == 200) != is_active:
            yield Problem(
                "wrong answer",
                name,
                f"Tenant {name} is {row['status']}, but the Data API answers the service key "
                f"with {answered or 'nothing'}.",
                "Run notify pgrst, 'reload config'; notify pgrst; then run the doctor again.",
            )
        answered = status(name, query, target.anon_key)
        if answered == 200:
            yield Problem(
                "open to anybody",
                name,
                f"The Data API answers the anon key with {answered} for tenant {name}.",
                f"select tenancy.apply_tenant_privileges('{name}');",
            )
