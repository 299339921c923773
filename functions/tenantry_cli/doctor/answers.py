"""What the Data API answers to the service key and to the anon key."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import requests

from tenantry_cli.doctor.problem import Connection, Problem
from tenantry_cli.errors import as_sentence
from tenantry_cli.http_client import HttpClient, unanswered
from tenantry_cli.target import Target, error_of, is_key_refused, key_headers, refused_key

_TIMEOUT_SECONDS = 30
_MESSAGE_CHARACTERS = 300
KINDS = ("Data API down", "wrong answer", "open to anybody")
# How many tenants are asked for though nothing is unusual about them: this many of the newest,
# which PostgREST may not have read yet, and about as many of the others.
SAMPLE = 20
# No schema has this name.
_UNKNOWN = "tenantry-doctor"
# PostgREST's reply to the name of an unknown schema, in its message or its hint.
_SERVED = re.compile(r"(?:following|exposed): ([^\n]+)")
_TENANTS = """
select t.schema_name, t.status,
    coalesce(
        (t.status = 'active') <> (
            has_schema_privilege('service_role', n.oid, 'usage')
            and has_column_privilege('service_role', c.oid, a.attnum, 'select')
        )
        or (
            has_schema_privilege('anon', n.oid, 'usage')
            and has_any_column_privilege('anon', c.oid, 'select')
        ),
        true
    )
    or row_number() over (order by t.created_at desc) <= %(sample)s
    or row_number() over (order by t.schema_name)
        %% (count(*) over () / nullif(%(sample)s, 0) + 1) = 1 as is_chosen
from public.tenants t
join pg_catalog.pg_namespace n on n.nspname = t.schema_name
left join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = 'settings'
left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'key'
order by t.schema_name
"""


def examine_answers(
    connection: Connection,
    target: Target,
    report: Callable[[int, int], None] = lambda done, total: None,
    sample: int = SAMPLE,
) -> Iterator[Problem]:
    """Asks for tenants whose privileges do not fit their status, or that PostgREST does not
    list, and for a sample of the others. For all of them, if PostgREST does not tell its list.

    `report` receives the number of tenants asked for and the number of all of these.
    """
    with HttpClient(timeout=_TIMEOUT_SECONDS) as http:
        yield from _examine(connection, target, http, report, sample)


def _examine(
    connection: Connection,
    target: Target,
    http: HttpClient,
    report: Callable[[int, int], None],
    sample: int,
) -> Iterator[Problem]:
    silence = ""
    refusal: dict[str, Any] = {}

    def status(schema: str, path: str, key: str) -> int | None:
        """None if there was no answer."""
        nonlocal silence, refusal
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
        refusal = error_of(reply)
        return reply.status_code

    answered = status("public", "tenants?select=id&limit=0", target.service_key)
    if answered != 200:
        yield Problem(
            "Data API down",
            "public",
            silence
            or f"The Data API answers the service key with {answered} for the table tenants"
            f"{_quoted(refusal, target)}",
            f"{_likely_cause(connection, refusal)}Repair the other problems first, above all "
            "schemas that are listed but missing. Then run notify pgrst, 'reload config'.",
        )
        return
    status(_UNKNOWN, "", target.service_key)
    served = _SERVED.search(f"{refusal.get('message')}\n{refusal.get('hint')}")
    listed = set(served[1].split(", ")) if served else set()
    tenants = [
        row
        for row in connection.execute(_TENANTS, {"sample": sample}).fetchall()
        if row["is_chosen"] or row["schema_name"] not in listed
    ]
    for number, row in enumerate(tenants):
        report(number, len(tenants))
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


def _quoted(error: dict[str, Any], target: Target) -> str:
    """The message of the reply. A function of the project may have written a key into it."""
    message = " ".join(str(error.get("message") or "").split())
    for key in (target.service_key, target.anon_key):
        message = message.replace(key, "…")
    return f": {as_sentence(message[:_MESSAGE_CHARACTERS])}" if message else "."


def _likely_cause(connection: Connection, error: dict[str, Any]) -> str:
    """Names the project's pre-request function, unless PostgREST itself refused."""
    row = connection.execute(
        "select f.function_name from tenancy.find_pre_request() f"
    ).fetchone()
    name = None if row is None else row["function_name"]
    if name is None or not error or str(error.get("code")).startswith("PGRST"):
        return ""
    return (
        f"The likely cause is {name}, the pre-request function of the project. The Data API "
        "calls it before each request. "
    )
