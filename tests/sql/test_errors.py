"""The catalogue of errors in sql/CONVENTIONS.md, the SQL, and what HTTP answers: one thing."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from sql.act import DOORS, act, refusal
from stage import Person, Stage

SQL_ROOT = Path(__file__).parents[2] / "sql"

# PostgREST answers 42501 with 403 to whoever comes as a signed-in user.
STATUS_OF_42501 = {"not_authenticated": 401}

Error = tuple[int, str]


def catalogue() -> set[Error]:
    """The table of sql/CONVENTIONS.md."""
    text = (SQL_ROOT / "CONVENTIONS.md").read_text()
    return {
        (int(status), code)
        for status, code in re.findall(r"^\| (\d{3}) \| `(\w+)` \|", text, re.MULTILINE)
    }


def raised() -> set[Error]:
    """Every error of ours that the SQL raises."""
    return {
        (status_of(sqlstate, code), code)
        for text in sources()
        for sqlstate, code in re.findall(r"errcode = '(\w{5})',\s*detail = '(\w+)'", text)
    }


def status_of(sqlstate: str, code: str) -> int:
    if sqlstate == "42501":
        return STATUS_OF_42501.get(code, 403)
    assert sqlstate.startswith("PT")
    return int(sqlstate.removeprefix("PT"))


def sources() -> list[str]:
    return [path.read_text() for path in sorted(SQL_ROOT.rglob("*.sql"))]


def test_catalogue_lists_exactly_what_the_sql_raises() -> None:
    assert len(catalogue()) > 10
    assert raised() == catalogue()


def test_every_error_has_a_code_and_says_what_to_do() -> None:
    # What only somebody who pushes a migration can see needs no code.
    for_operators = {
        *("This project already has", "Tenant migration %", "A tenant migration must"),
        *("The tenant template cannot", "The migration would", "The tenant would not"),
    }
    incomplete = {
        statement
        for text in sources()
        for statement in re.findall(r"raise exception\s+'(?:[^']|'')*'[^;]*;", text)
        if not all(part in statement for part in ("errcode = ", "detail = '", "hint = '"))
        and not any(start in statement for start in for_operators)
    }
    assert incomplete == set()


def test_comments_name_only_errors_of_the_catalogue(
    database: psycopg.Connection[dict[str, Any]],
) -> None:
    found = database.execute(
        "select proname, obj_description(oid, 'pg_proc') as comment"
        " from pg_catalog.pg_proc where pronamespace = 'public'::regnamespace"
    ).fetchall()
    codes = {code for _, code in catalogue()}

    for row in found:
        match = re.search(r"Errors: ([a-z_, ]+)\.$", row["comment"])
        assert match, row["proname"]
        named = match[1].split(", ")
        assert set(named) <= codes, row["proname"]
        assert {"not_authenticated", "busy"} <= set(named), row["proname"]


# Each provoked through both doors -------------------------------------------------------


Provoke = Callable[[Stage, str], httpx.Response]


def invalid_schema_name(stage: Stage, door: str) -> httpx.Response:
    return act(stage, stage.service, "create_tenant_schema", door=door, schema_name="No").reply


def not_authenticated(stage: Stage, door: str) -> httpx.Response:
    without_a_subject = Person(stage.token("", sub=None))
    return act(stage, without_a_subject, "list_my_tenants", door=door).reply


def forbidden(stage: Stage, door: str) -> httpx.Response:
    return act(
        stage, stage.staff("viewer"), "suspend_tenant", door=door, schema_name=stage.tenant()
    ).reply


def tenant_suspended(stage: Stage, door: str) -> httpx.Response:
    name = stage.tenant()
    member = stage.member(name, "read")
    stage.suspend(name)
    return act(stage, member, "ensure_user_profile", door=door, schema_name=name).reply


def tenant_not_found(stage: Stage, door: str) -> httpx.Response:
    return act(
        stage, stage.service, "check_tenant_status", door=door, schema_name=stage.name()
    ).reply


def user_not_found(stage: Stage, door: str) -> httpx.Response:
    return act(
        stage,
        stage.service,
        "grant_schema_access",
        door=door,
        schema_name=stage.tenant(),
        user_id=str(uuid.uuid4()),
    ).reply


def profile_not_found(stage: Stage, door: str) -> httpx.Response:
    name = stage.tenant()
    member = stage.member(name, "read")
    return act(stage, member, "get_user_profile", door=door, schema_name=name).reply


def tenant_exists(stage: Stage, door: str) -> httpx.Response:
    return act(
        stage, stage.service, "create_tenant_schema", door=door, schema_name=stage.tenant()
    ).reply


def schema_exists(stage: Stage, door: str) -> httpx.Response:
    name = stage.name()
    stage.sql.execute(SQL("create schema {}").format(Identifier(name)))
    try:
        return act(
            stage, stage.service, "create_tenant_schema", door=door, schema_name=name
        ).reply
    finally:
        stage.sql.execute(SQL("drop schema {}").format(Identifier(name)))


def tenant_active(stage: Stage, door: str) -> httpx.Response:
    return act(
        stage, stage.service, "delete_tenant_schema", door=door, schema_name=stage.tenant()
    ).reply


def profile_exists(stage: Stage, door: str) -> httpx.Response:
    name = stage.tenant()
    member = stage.member(name, "read")
    act(stage, member, "ensure_user_profile", schema_name=name).must_succeed()
    return act(
        stage,
        stage.service,
        "create_user_profile",
        door=door,
        schema_name=name,
        user_id=member.id,
    ).reply


def own_grant(stage: Stage, door: str) -> httpx.Response:
    name = stage.tenant()
    admin = stage.member(name, "admin")
    return act(
        stage, admin, "grant_schema_access", door=door, schema_name=name, user_id=admin.id
    ).reply


def ddl(stage: Stage, door: str, operation: str, **arguments: Any) -> httpx.Response:
    """A tenant with two tables, one of which points at the other and has a row."""
    name = stage.tenant()
    for table in ("orders", "items"):
        act(
            stage,
            stage.service,
            "create_table",
            schema_name=name,
            table_name=table,
            columns=[{"name": "order_id", "type": "uuid"}, {"name": "n", "type": "uuid"}],
        ).must_succeed()
    stage.sql.execute(
        SQL("insert into {}.items (n) values (gen_random_uuid())").format(Identifier(name))
    )
    key = {"table_name": "items", "column_name": "order_id", "foreign_table": "orders"}
    act(stage, stage.service, "add_foreign_key", schema_name=name, **key).must_succeed()
    asked = {"schema_name": name, "table_name": "items"} | arguments
    return act(stage, stage.service, operation, door=door, **asked).reply


def invalid_identifier(stage: Stage, door: str) -> httpx.Response:
    return ddl(stage, door, "create_table", table_name="No", columns=[])


def invalid_column_type(stage: Stage, door: str) -> httpx.Response:
    return ddl(stage, door, "add_column", column_name="a", column_type="regclass")


def invalid_default(stage: Stage, door: str) -> httpx.Response:
    column = {"column_name": "a", "column_type": "int", "default_value": "five"}
    return ddl(stage, door, "add_column", **column)


def invalid_request(stage: Stage, door: str) -> httpx.Response:
    return ddl(stage, door, "create_table", table_name="new", columns={})


def table_not_found(stage: Stage, door: str) -> httpx.Response:
    return ddl(stage, door, "drop_table", table_name="nothing")


def column_not_found(stage: Stage, door: str) -> httpx.Response:
    return ddl(stage, door, "drop_column", column_name="nothing")


def constraint_not_found(stage: Stage, door: str) -> httpx.Response:
    return ddl(stage, door, "drop_foreign_key", constraint_name="nothing")


def table_exists(stage: Stage, door: str) -> httpx.Response:
    return ddl(stage, door, "create_table", columns=[])


def column_exists(stage: Stage, door: str) -> httpx.Response:
    return ddl(stage, door, "add_column", column_name="n", column_type="int")


def constraint_exists(stage: Stage, door: str) -> httpx.Response:
    key = {"column_name": "order_id", "foreign_table": "orders"}
    return ddl(stage, door, "add_foreign_key", **key)


def table_not_empty(stage: Stage, door: str) -> httpx.Response:
    column = {"column_name": "a", "column_type": "int", "is_nullable": False}
    return ddl(stage, door, "add_column", **column)


def protected_table(stage: Stage, door: str) -> httpx.Response:
    return ddl(stage, door, "drop_table", table_name="users")


def has_dependents(stage: Stage, door: str) -> httpx.Response:
    return ddl(stage, door, "drop_table", table_name="orders")


def foreign_key_violation(stage: Stage, door: str) -> httpx.Response:
    return ddl(stage, door, "add_foreign_key", column_name="n", foreign_table="orders")


def foreign_key_target(stage: Stage, door: str) -> httpx.Response:
    key = {"column_name": "n", "foreign_table": "orders", "foreign_column": "n"}
    return ddl(stage, door, "add_foreign_key", **key)


def busy(stage: Stage, door: str) -> httpx.Response:
    name = stage.tenant()
    with psycopg.connect(stage.address.db_url) as rival:
        rival.execute("select from public.tenants where schema_name = %s for update", (name,))
        return act(
            stage,
            stage.service,
            "rename_tenant",
            door=door,
            schema_name=name,
            display_name="Acme",
        ).reply


PROVOKED: list[Provoke] = [
    invalid_schema_name,
    not_authenticated,
    forbidden,
    tenant_suspended,
    tenant_not_found,
    user_not_found,
    profile_not_found,
    tenant_exists,
    schema_exists,
    tenant_active,
    profile_exists,
    own_grant,
    invalid_identifier,
    invalid_column_type,
    invalid_default,
    invalid_request,
    table_not_found,
    column_not_found,
    constraint_not_found,
    table_exists,
    column_exists,
    constraint_exists,
    table_not_empty,
    protected_table,
    has_dependents,
    foreign_key_violation,
    foreign_key_target,
    busy,
]

# Only where nobody else makes super_admins or minds the platform's limits:
# test_empty_project.py.
ELSEWHERE = {"last_super_admin", "table_limit"}


def test_every_error_of_the_catalogue_is_provoked() -> None:
    provoked = {provoke.__name__ for provoke in PROVOKED}

    assert provoked | ELSEWHERE == {code for _, code in catalogue()}
    assert not provoked & ELSEWHERE


@pytest.mark.parametrize("provoke", PROVOKED, ids=lambda provoke: provoke.__name__)
def test_both_doors_answer_with_the_catalogue_s_status_and_code(
    stage: Stage, provoke: Provoke
) -> None:
    # At once, because being busy takes its time.
    with ThreadPoolExecutor() as pool:
        function, rpc = pool.map(lambda door: provoke(stage, door), DOORS)

    for reply in (function, rpc):
        assert refusal(reply)[1] == provoke.__name__
        assert refusal(reply) in catalogue()
        require_readable(reply)
    assert function.json().keys() == {"code", "message", "hint", "request_id"}
    assert function.json()["request_id"] == function.headers["X-Request-Id"]
    assert rpc.json().keys() == {"code", "details", "hint", "message"}


def require_readable(reply: httpx.Response) -> None:
    """A sentence for a person, and what to do."""
    body = reply.json()
    assert reply.headers["Content-Type"].startswith("application/json")
    for sentence in (body["message"], body["hint"]):
        assert re.fullmatch(r"[A-Z\"].*[.…\"]", sentence, re.DOTALL), sentence
