"""A suspension wins against members who change their tenant without a pause."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from support.environment import Environment, Person
from support.refusals import code
from support.waiting import until

# A suspension has to be in effect after this time.
SECONDS = 3

TABLES = """
create table {0}.slow (id serial primary key, title text);
-- An index that is as slow to make as one over millions of rows.
create function {0}.slowly(title text) returns text immutable language plpgsql as $$
begin
    if current_setting('request.method', true) is not null then
        perform pg_sleep(4);
    end if;
    return title;
end $$;
create index on {0}.slow ({0}.slowly(title));
insert into {0}.slow (title) values ('tea');
create table {0}.parents (id integer primary key);
create table {0}.children (id integer primary key, parent_id integer);
insert into {0}.parents select i from generate_series(1, 300000) i;
insert into {0}.children select i, i from generate_series(1, 300000) i;
"""

Calls = Iterator[tuple[str, dict[str, Any]]]


def _add_columns(number: int) -> Calls:
    for index in itertools.count():
        yield (
            "add_column",
            {
                "table_name": "slow",
                "column_name": f"c{number}_{index}",
                "column_type": "uuid",
                "default_expression": "gen_random_uuid()",
            },
        )


def _add_foreign_keys(number: int) -> Calls:
    key = {"table_name": "children", "column_name": "parent_id", "foreign_table": "parents"}
    while True:
        yield "add_foreign_key", key
        yield (
            "drop_foreign_key",
            {"table_name": "children", "constraint_name": "children_parent_id_fkey"},
        )


def _update_profile(number: int) -> Calls:
    for index in itertools.count():
        yield "update_user_profile", {"display_name": f"{number} {index}"}


# Sixteen callers: who they are, and what they call.
CALLERS: list[tuple[str, Callable[[int], Calls]]] = [
    *[("admin", _add_columns)] * 5,
    *[("admin", _add_foreign_keys)] * 4,
    *[("read", _update_profile)] * 7,
]


@contextmanager
def _storm(environment: Environment, tenant: str) -> Iterator[Counter[tuple[str, int]]]:
    """Callers who call without a pause until the block ends; counts their replies."""
    over = threading.Event()
    replies: Counter[tuple[str, int]] = Counter()

    def call(person: Person, calls: Calls) -> None:
        headers = environment.headers(person)
        with httpx.Client(timeout=90, headers=headers) as client:
            for operation, arguments in calls:
                if over.is_set():
                    return
                reply = client.post(
                    f"{environment.address.postgrest_url}/rpc/{operation}",
                    json={"schema_name": tenant} | arguments,
                )
                replies[operation, reply.status_code] += 1

    people = [environment.member(tenant, level) for level, _ in CALLERS]
    for person in people:
        environment.rpc(person, "ensure_user_profile", schema_name=tenant).raise_for_status()
    with ThreadPoolExecutor(len(CALLERS)) as threads:
        running = [
            threads.submit(call, person, calls(number))
            for number, (person, (_, calls)) in enumerate(zip(people, CALLERS, strict=True))
        ]
        try:
            yield replies
        finally:
            over.set()
        for each in running:
            each.result()


def _waiting(environment: Environment) -> int:
    """How many calls wait for another one."""
    row = environment.sql.execute(
        "select count(*) from pg_stat_activity"
        " where usename = 'authenticator' and state = 'active'"
        " and cardinality(pg_blocking_pids(pid)) > 0"
    ).fetchone()
    assert row is not None
    return int(row["count"])


@pytest.mark.soak
def test_suspension_is_in_effect_within_3_s_during_a_storm(
    own_environment: Environment, soak: bool
) -> None:
    environment = own_environment
    tenant = environment.tenant()
    with psycopg.connect(environment.address.db_url, autocommit=True) as connection:
        connection.execute("set search_path = ''")
        connection.execute(SQL(TABLES).format(Identifier(tenant)))
        for table in ("slow", "parents", "children"):
            connection.execute("select tenancy.enable_tenant_table(%s, %s)", (tenant, table))
        connection.execute("select tenancy.apply_tenant_privileges(%s)", (tenant,))
    platform_admin = environment.staff("admin")
    reader = environment.member(tenant, "read")
    times: list[float] = []

    with _storm(environment, tenant) as replies:
        for _ in range(100 if soak else 5):
            until(lambda: _waiting(environment) >= 3, seconds=60)

            began = time.monotonic()
            reply = environment.rpc(platform_admin, "suspend_tenant", schema_name=tenant)
            times.append(time.monotonic() - began)

            assert reply.status_code == 200, reply.text
            refused = environment.rows(reader, tenant, "settings")
            assert (refused.status_code, code(refused)) == (403, "tenant_suspended")
            environment.activate(tenant)

    assert max(times) < SECONDS, times
    # The storm was one: each kind of call succeeded, too.
    assert replies["update_user_profile", 200]
