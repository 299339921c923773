"""Numbered columns: who gets one, what numbers it, and the privileges on the sequence."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from support.environment import Environment, Person
from support.waiting import is_known, until

BARE = {"name": "id", "type": "bigint", "primary_key": True}
TITLE = {"name": "title", "type": "text"}


def create(
    environment: Environment, admin: Person, tenant: str, table: str, *columns: dict[str, Any]
) -> dict[str, Any]:
    """The columns of a new table by name."""
    reply = environment.rpc(
        admin, "create_table", schema_name=tenant, table_name=table, columns=columns
    )
    assert reply.status_code == 200, reply.text
    return {column["column_name"]: column for column in reply.json()}


def test_key_gets_a_generator_as_users_expect(environment: Environment) -> None:
    tenant = environment.tenant()
    admin = environment.member(tenant, "admin")
    link = [{"name": name, "type": "int", "primary_key": True} for name in ("a", "b")]
    keys: dict[str, Sequence[dict[str, Any]]] = {
        "bare": (BARE,),
        "unnamed": ({"name": "id", "type": "int"},),
        "small": ({"name": "n", "type": "smallint", "primary_key": True, "nullable": True},),
        "explicit": ({"name": "n", "type": "int", "identity": True, "unique": True},),
        "given": ({**BARE, "identity": False},),
        "defaulted": ({**BARE, "default": 7},),
        "pair": link,
        "uuids": ({"name": "id", "type": "uuid", "primary_key": True},),
        "user": ({"name": "user_id", "type": "uuid", "primary_key": True},),
        "texts": ({"name": "id", "type": "text", "primary_key": True},),
    }
    made = {
        table: create(environment, admin, tenant, table, *columns)
        for table, columns in keys.items()
    }

    numbered = {
        (table, name)
        for table, columns in made.items()
        for name, column in columns.items()
        if column["is_identity"]
    }
    assert numbered == {("bare", "id"), ("unnamed", "id"), ("small", "n"), ("explicit", "n")}
    assert not any(made[table][name]["is_nullable"] for table, name in numbered)
    defaults = {
        (table, name): column["column_default"]
        for table, columns in made.items()
        for name, column in columns.items()
        if column["column_default"]
    }
    uuids = dict.fromkeys([("uuids", "id"), ("explicit", "id")], "gen_random_uuid()")
    assert defaults == {**uuids, ("defaulted", "id"): "'7'::bigint"}
    listed = environment.rpc(
        environment.member(tenant, "read"),
        "get_table_columns",
        schema_name=tenant,
        table_name="bare",
    ).json()
    assert listed == [*made["bare"].values()]


def test_rows_are_numbered_and_may_bring_their_own_number(environment: Environment) -> None:
    tenant = environment.tenant()
    admin, writer = environment.member(tenant, "admin"), environment.member(tenant, "write")
    create(environment, admin, tenant, "orders", BARE, TITLE)
    until(lambda: is_known(environment, tenant, "orders"))

    def write(rows: object, prefer: str = "", **params: str) -> list[int]:
        reply = environment.rows(
            writer,
            tenant,
            "orders",
            "POST",
            json=rows,
            params=params,
            headers={"Prefer": f"return=representation,{prefer}"},
        )
        assert reply.status_code in (200, 201), reply.text
        return [row["id"] for row in reply.json()]

    assert write({"title": "tea"}) == [1]
    assert write({"id": 41, "title": "mate"}) == [41]
    # As supabase-js and supabase-py write a list of which some rows have a key: the others get
    # the column's default, which PostgREST writes as nextval().
    mixed = [{"id": 41, "title": "chai"}, {"title": "coffee"}]
    upsert = "resolution=merge-duplicates,missing=default"
    updated, generated = write(mixed, upsert, columns="id,title")
    assert updated == 41
    assert 1 < generated < 41

    added = environment.function(
        admin,
        "add_column",
        schema_name=tenant,
        table_name="orders",
        column_name="place",
        column_type="int",
        identity=True,
    ).json()
    assert (added["is_identity"], added["is_nullable"]) == (True, False)
    rows = environment.rows(writer, tenant, "orders", params={"order": "place"}).json()
    assert [row["place"] for row in rows] == [1, 2, 3]
    (last,) = write([{"title": "milk"}], "missing=default", columns="id,title,place")
    entry = environment.rpc(admin, "get_audit_log", schema_name=tenant).json()[0]
    assert entry["record_id"] == {"id": last}
    assert entry["new_values"]["place"] > 3
    # A template table, too: the profile operations give the column no value.
    extended = environment.rpc(
        admin,
        "add_column",
        schema_name=tenant,
        table_name="users",
        column_name="x_number",
        column_type="bigint",
        is_nullable=False,
        identity=True,
    )
    assert extended.status_code == 200, extended.text
    environment.rpc(writer, "ensure_user_profile", schema_name=tenant).raise_for_status()
    people = environment.rows(writer, tenant, "users").json()
    assert [person["x_number"] for person in people] == [1]

    drift = environment.sql.execute(
        "select * from public.get_schema_drift(%s) where object_kind <> 'own table'", (tenant,)
    ).fetchall()
    assert [row for row in drift if row["difference"] != "extra"] == []
    assert findings(environment.sql, tenant) == []


@pytest.mark.parametrize(
    ("column", "status", "code"),
    [
        ({"type": "text"}, 400, "invalid_column_type"),
        ({"type": "numeric"}, 400, "invalid_column_type"),
        ({"type": "int[]"}, 400, "invalid_column_type"),
        ({"default": 1}, 400, "invalid_default"),
        ({"default_expression": "now()"}, 400, "invalid_default"),
        ({"nullable": True}, 422, "invalid_request"),
    ],
)
def test_column_that_cannot_be_numbered_is_refused(
    environment: Environment, column: dict[str, Any], status: int, code: str
) -> None:
    tenant = environment.tenant()
    admin = environment.member(tenant, "admin")
    create(environment, admin, tenant, "orders", TITLE)
    asked = {"type": "int", "identity": True} | column
    names = {
        "type": "column_type",
        "default": "default_value",
        "nullable": "is_nullable",
    }

    made = environment.rpc(
        admin,
        "create_table",
        schema_name=tenant,
        table_name="others",
        columns=[{"name": "n", **asked}],
    )
    added = environment.rpc(
        admin,
        "add_column",
        schema_name=tenant,
        table_name="orders",
        column_name="n",
        **{names.get(name, name): value for name, value in asked.items()},
    )

    for reply in (made, added):
        assert (reply.status_code, reply.json()["details"]) == (status, code), reply.text
        assert 'Column "n"' in reply.json()["message"]
        assert reply.json()["hint"]


def test_more_rows_than_numbers_are_refused(environment: Environment) -> None:
    tenant = environment.tenant()
    admin = environment.member(tenant, "admin")
    create(environment, admin, tenant, "orders", TITLE)
    environment.sql.execute(
        SQL("insert into {}.orders (title) select 'x' from generate_series(1, 32768)").format(
            Identifier(tenant)
        )
    )
    asked = {"table_name": "orders", "column_name": "n", "identity": True}

    refused = environment.rpc(
        admin, "add_column", schema_name=tenant, column_type="int2", **asked
    )
    added = environment.rpc(admin, "add_column", schema_name=tenant, column_type="int", **asked)

    assert (refused.status_code, refused.json()["hint"]) == (422, "Use the type bigint.")
    assert added.status_code == 200


# The sequences ---------------------------------------------------------------------------

# The sequences that a tenant migration or an owner may make, and whether writers need them.
SEQUENCES = {
    "serial_no_seq": True,
    "by_default_no_seq": True,
    "always_no_seq": False,
    # Numbers the rows of the two tables that begin with "shared".
    "shared": True,
    "owned": True,
    "loose": False,
    "read_only_no_seq": False,
    "unsecured_no_seq": False,
    "audit_log_id_seq": False,
}
TABLES = """
create table {0}.serial (id uuid primary key, no serial);
create table {0}.by_default (no int primary key generated by default as identity);
create table {0}.always (no int primary key generated always as identity);
create sequence {0}.shared;
create table {0}.shared_one (no int primary key default nextval('{0}.shared'));
create table {0}.shared_two (no int primary key default nextval('{0}.shared'));
create table {0}.read_only (no serial primary key);
create table {0}.unsecured (no serial primary key);
create sequence {0}.owned owned by {0}.serial.id;
create sequence {0}.loose;
"""
WRITTEN = ("serial", "by_default", "always", "shared_one", "shared_two")
PRIVILEGES = """
select c.relname, r.name,
    array_remove(array[
        case when has_sequence_privilege(r.name, c.oid, 'usage') then 'usage' end,
        case when has_sequence_privilege(r.name, c.oid, 'select') then 'select' end,
        case when has_sequence_privilege(r.name, c.oid, 'update') then 'update' end
    ], null) as held
from pg_catalog.pg_class c
cross join (values ('anon'), ('authenticated'), ('service_role')) r (name)
where c.relnamespace = %s::regnamespace and c.relkind = 'S'
"""


def findings(database: psycopg.Connection[dict[str, Any]], tenant: str) -> list[str]:
    return [
        f"{row['kind']}: {row['object']}"
        for row in database.execute(
            "select * from tenancy.tenant_findings(%s)", (tenant,)
        ).fetchall()
    ]


def held(database: psycopg.Connection[dict[str, Any]], tenant: str) -> dict[str, set[str]]:
    """The privileges on each sequence of a tenant, as "<role> <privilege>"."""
    found: dict[str, set[str]] = {}
    for row in database.execute(PRIVILEGES, (tenant,)).fetchall():
        found.setdefault(row["relname"], set()).update(
            f"{row['name']} {privilege}" for privilege in row["held"]
        )
    return found


def test_writers_may_use_the_sequences_of_their_tables_and_no_others(
    database: psycopg.Connection[dict[str, Any]],
) -> None:
    tenant = f"test_{secrets.token_hex(6)}"
    database.execute("select public.create_tenant_schema(%s)", (tenant,))
    statements = TABLES.replace("'{0}.", f"'{tenant}.")
    database.execute(SQL(statements).format(Identifier(tenant)))
    for table in WRITTEN:
        database.execute("select tenancy.enable_tenant_table(%s, %s)", (tenant, table))
    database.execute(
        "select tenancy.enable_tenant_table(%s, 'read_only', writes => null)", (tenant,)
    )
    database.execute("select tenancy.apply_tenant_privileges(%s)", (tenant,))
    due = {
        name: {"authenticated usage", "service_role usage"} if is_due else set()
        for name, is_due in SEQUENCES.items()
    }
    assert held(database, tenant) == due

    database.execute("select public.suspend_tenant(%s)", (tenant,))
    assert held(database, tenant) == {name: set() for name in SEQUENCES}

    database.execute("select public.activate_tenant(%s)", (tenant,))
    assert held(database, tenant) == due
    assert [each for each in findings(database, tenant) if "grants" in each] == []
    for wrong in (
        "revoke usage on sequence {0}.by_default_no_seq from authenticated",
        "revoke usage on sequence {0}.shared from service_role",
        "grant select on sequence {0}.serial_no_seq to authenticated",
        "grant usage on sequence {0}.loose to authenticated",
    ):
        with database.transaction(force_rollback=True):
            database.execute(SQL(wrong).format(Identifier(tenant)))
            assert len([e for e in findings(database, tenant) if "grants" in e]) == 1, wrong


def test_reader_uses_no_number(environment: Environment) -> None:
    tenant = environment.tenant()
    admin, reader = environment.member(tenant, "admin"), environment.member(tenant, "read")
    create(environment, admin, tenant, "orders", BARE, TITLE)
    until(lambda: is_known(environment, tenant, "orders"))

    refused = environment.rows(
        reader,
        tenant,
        "orders",
        "POST",
        json=[{"title": "tea"}],
        params={"columns": "id,title"},
        headers={"Prefer": "missing=default"},
    )

    assert refused.status_code == 403
    written = environment.rows(admin, tenant, "orders", "POST", json={"title": "tea"})
    assert written.json()[0]["id"] == 1
