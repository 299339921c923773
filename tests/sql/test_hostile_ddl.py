"""An admin sends hostile arguments to the DDL RPCs. Nothing outside the tenant changes."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg import sql

from support.environment import Address, Environment, Person
from tenantry_cli.emulator.stack import Stack

SOAK = os.environ.get("TENANTRY_SOAK") == "1"
EXAMPLES = 2000 if SOAK else 75

# All that DDL could change outside the attacked tenant.
OUTSIDE = """
    with objects (kind, oid, namespace, body) as (
        select 'relation', c.oid::bigint, c.relnamespace,
            row(c.relname, c.relkind, c.relowner, c.relacl, c.relrowsecurity)::text
        from pg_catalog.pg_class c
        union all
        select 'column', a.attrelid::bigint * 10000 + a.attnum, c.relnamespace,
            row(a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attacl)::text
        from pg_catalog.pg_attribute a
        join pg_catalog.pg_class c on c.oid = a.attrelid
        union all
        select 'constraint', k.oid::bigint, k.connamespace, pg_get_constraintdef(k.oid)
        from pg_catalog.pg_constraint k
        union all
        select 'policy', p.oid::bigint, c.relnamespace, to_jsonb(p)::text
        from pg_catalog.pg_policy p
        join pg_catalog.pg_class c on c.oid = p.polrelid
        union all
        select 'routine', p.oid::bigint, p.pronamespace, to_jsonb(p)::text
        from pg_catalog.pg_proc p
        union all
        select 'type', t.oid::bigint, t.typnamespace, to_jsonb(t)::text
        from pg_catalog.pg_type t
        union all
        select 'schema', n.oid::bigint, n.oid, to_jsonb(n)::text
        from pg_catalog.pg_namespace n
    )
    select md5(string_agg(md5(o.body), '' order by o.kind, o.oid)) as hash
    from objects o
    where o.namespace <> %s::regnamespace
        -- Objects in these schemas belong to the superuser. postgres is not a superuser.
        and o.namespace::regnamespace::text !~ '^(pg_|information_schema)'
"""

ODD = st.sampled_from(
    [
        "",
        " ",
        "a; drop table public.tenants; --",
        'a" (x int); --',
        "a'b",
        "public.tenants",
        "auth.users",
        "tenancy.guard_request",
        "pg_catalog",
        "regclass",
        "anyelement",
        "record",
        "void",
        "trigger",
        "serial",
        "bigserial",
        "oid",
        "xml",
        "int -- x",
        "int/**/",
        "int[][]",
        "int[3]",
        "text); drop table public.tenants; --",
        "varchar(99999999999)",
        "varchar(-1)",
        "numeric(5,9999)",
        "char(0)",
        "timestamp(9)",
        "information_schema.sql_identifier",
        "setof int",
        'int collate "C"',
        "int default 1",
        "\uff49\uff4e\uff54",
        "\u043erders",
        "\u202etxet",
        "A" * 100,
        "a" * 63,
        "a" * 64,
        "x" * 5000,
        "id",
        "ctid",
        "xmin",
        "tableoid",
        "settings",
        "users",
        "audit_log",
        "settings_pkey",
        "_settings",
        "$1",
        "%s%I%L",
        "now()",
        "(select secret from other)",
        "nextval('public.admin_audit_log_id_seq')",
        "pg_sleep(60)",
        "current_user",
        "\n",
        "\\",
        "NULL",
        "null",
    ]
)
TEXT = ODD | st.text(max_size=30) | st.sampled_from(["a", "b", "orders", "text", "int", "uuid"])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
COLUMN = (
    st.fixed_dictionaries(
        {"name": TEXT, "type": TEXT},
        optional={
            "nullable": JSON,
            "default": JSON,
            "default_expression": TEXT,
            "primary_key": st.booleans() | JSON,
            "unique": st.booleans(),
        },
    )
    | JSON
)
COLUMNS = (
    st.lists(COLUMN, max_size=4)
    | JSON
    | st.sampled_from([0, 1700, 2000]).map(
        lambda count: [{"name": f"c{n}", "type": "int"} for n in range(count)]
    )
)
CALL = (
    st.tuples(
        st.just("create_table"),
        st.fixed_dictionaries({"table_name": TEXT, "columns": COLUMNS, "description": TEXT}),
    )
    | st.tuples(
        st.just("add_column"),
        st.fixed_dictionaries(
            {"table_name": TEXT, "column_name": TEXT, "column_type": TEXT},
            optional={
                "is_nullable": st.booleans(),
                "default_value": JSON,
                "default_expression": TEXT,
            },
        ),
    )
    | st.tuples(
        st.just("add_foreign_key"),
        st.fixed_dictionaries(
            {"table_name": TEXT, "column_name": TEXT, "foreign_table": TEXT},
            optional={"foreign_column": TEXT, "on_delete": TEXT, "on_update": TEXT},
        ),
    )
    | st.tuples(
        st.just("drop_column"), st.fixed_dictionaries({"table_name": TEXT, "column_name": TEXT})
    )
    | st.tuples(
        st.just("drop_foreign_key"),
        st.fixed_dictionaries({"table_name": TEXT, "constraint_name": TEXT}),
    )
    | st.tuples(st.just("drop_table"), st.fixed_dictionaries({"table_name": TEXT}))
)


class TwoTenants:
    """The admin's tenant and another one. Both have a table with a foreign key."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.tenant, self.other = environment.tenant(), environment.tenant()
        for tenant in (self.tenant, self.other):
            environment.sql.execute(
                "select from public.create_table(%s, 'orders', '[]')", (tenant,)
            )
        self.admin: Person = environment.member(self.tenant, "admin")
        # No test changes anything outside the tenant.
        self.before = self.outside()

    def outside(self) -> Any:
        return self.environment.sql.execute(OUTSIDE, (self.tenant,)).fetchone()


@pytest.fixture(scope="module")
def two_tenants() -> Iterator[TwoTenants]:
    """In a separate emulator: in the shared one other tests change the catalog."""
    with (
        Stack.start(port=None, ephemeral=True) as stack,
        Environment(Address.of(stack), removes="never") as environment,
    ):
        yield TwoTenants(environment)


@pytest.mark.soak
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    # New calls in a full-size run, the same calls in every other run.
    derandomize=not SOAK,
    # A failing call is clear without shrinking, and shrinking takes minutes.
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(call=CALL)
def test_hostile_arguments_get_a_reply_and_change_nothing_else(
    two_tenants: TwoTenants, call: tuple[str, dict[str, Any]]
) -> None:
    operation, arguments = call

    for entry_point in (two_tenants.environment.function, two_tenants.environment.rpc):
        reply = entry_point(
            two_tenants.admin, operation, schema_name=two_tenants.tenant, **arguments
        )
        assert reply.status_code < 500, (reply.text, arguments)
        assert "XX000" not in reply.text

    assert two_tenants.outside() == two_tenants.before


def test_hash_of_the_catalog_detects_a_change(two_tenants: TwoTenants) -> None:
    for statement in (
        "alter table {}.orders add column a int",
        "create table public.victim ()",
        "alter table {}.orders drop constraint orders_pkey",
    ):
        with two_tenants.environment.sql.transaction(force_rollback=True):
            two_tenants.environment.sql.execute(
                sql.SQL(statement).format(sql.Identifier(two_tenants.other))
            )
            assert two_tenants.outside() != two_tenants.before
    assert two_tenants.outside() == two_tenants.before


def test_no_argument_becomes_a_header(environment: Environment, address: Address) -> None:
    """Sent to PostgREST's own port, because its reason phrase is the message of the error."""
    admin = environment.member(environment.tenant(), "admin")
    host, port = address.postgrest_url.removeprefix("http://").split(":")
    injected = "x\r\nX-Injected: yes\r\n\r\n<html>"
    calls: list[tuple[str, dict[str, Any]]] = [
        ("check_tenant_status", {"schema_name": injected}),
        ("create_tenant_schema", {"schema_name": injected}),
    ]

    for operation, arguments in calls:
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.request(
            "POST",
            f"/rpc/{operation}",
            body=json.dumps(arguments),
            headers=environment.headers(admin) | {"Content-Type": "application/json"},
        )
        reply = connection.getresponse()
        assert reply.getheader("X-Injected") is None
        assert json.loads(reply.read())["message"]
        connection.close()
