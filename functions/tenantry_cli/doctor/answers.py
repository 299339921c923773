"""What the Data API answers to the service key and to the anon key."""

from __future__ import annotations

from collections.abc import Iterator

import requests

from tenantry_cli.doctor.problem import Connection, Problem
from tenantry_cli.http_client import HttpClient
from tenantry_cli.target import Target, key_headers

_TIMEOUT_SECONDS = 30
KINDS = ("Data API down", "wrong answer", "open to anybody")


def examine_answers(connection: Connection, target: Target) -> Iterator[Problem]:
    with HttpClient(timeout=_TIMEOUT_SECONDS) as http:
        yield from _examine(connection, target, http)


def _examine(connection: Connection, target: Target, http: HttpClient) -> Iterator[Problem]:
    def status(schema: str, path: str, key: str) -> int | None:
        """None if there was no answer."""
        try:
            return http.request(
                "GET",
                f"{target.rest_url}/{path}",
                headers=key_headers(key) | {"Accept-Profile": schema},
            ).status_code
        except requests.RequestException:
            return None

    answered = status("public", "tenants?select=id&limit=0", target.service_key)
    if answered != 200:
        is_key_refused = answered in (401, 403)
        yield Problem(
            "Data API down",
            "public",
            "The Data API answers the service key with "
            f"{answered or 'nothing'} for the table tenants.",
            (
                "Check that the given key is the service_role key of this project. If it is, "
                "repair the other problems first."
                if is_key_refused
                else "Repair the other problems first, above all schemas that are listed but "
                "missing. Then run notify pgrst, 'reload config'."
            ),
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
