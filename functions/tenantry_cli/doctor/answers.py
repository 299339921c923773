"""What the Data API answers right now."""

from __future__ import annotations

from collections.abc import Iterator

import requests

from tenantry_cli.doctor.problem import Connection, Problem, Turn
from tenantry_cli.target import Target, key_headers

_TIMEOUT_SECONDS = 30
KINDS = ("Data API down", "wrong answer", "open to anybody")


def examine_answers(connection: Connection, target: Target) -> Iterator[Problem]:
    session = requests.Session()

    def status(schema: str, path: str, key: str) -> int:
        try:
            return session.get(
                f"{target.rest_url}/{path}",
                headers=key_headers(key) | {"Accept-Profile": schema},
                timeout=_TIMEOUT_SECONDS,
            ).status_code
        except requests.RequestException:
            return 0

    alive = status("public", "tenants?select=id&limit=0", target.service_key)
    if alive != 200:
        # It answers, but not to this key.
        is_refused = alive in (401, 403)
        yield Problem(
            "Data API down",
            "public",
            f"The Data API answers the service key with {alive or 'nothing'} for the registry.",
            (
                "See whether the key given is this project's service_role key; if it is, cure "
                "what else is found."
                if is_refused
                else "Cure what else is found first, above all schemas that are listed but "
                "missing; then notify pgrst, 'reload config'."
            ),
            Turn.OUTAGE,
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
                f"Tenant {name} is {row['status']}, and the Data API answers the service key "
                f"with {answered or 'nothing'}.",
                "notify pgrst, 'reload config'; notify pgrst; then look again.",
                Turn.ORDER,
            )
        answered = status(name, query, target.anon_key)
        if answered == 200:
            yield Problem(
                "open to anybody",
                name,
                f"The Data API answers the anon key with {answered} for tenant {name}.",
                f"select tenancy.apply_tenant_privileges('{name}');",
                Turn.OPENING,
            )
