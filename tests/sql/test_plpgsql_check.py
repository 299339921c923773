"""plpgsql_check judges every plpgsql function, where PostgreSQL 15 with that extension is
installed; PostgreSQL itself judges the functions in SQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tenantry_cli.emulator.stack import Stack

BINARIES = Path("/usr/lib/postgresql/15/bin")
EXTENSION = Path("/usr/share/postgresql/15/extension/plpgsql_check.control")

# A trigger's function is looked at with each of its tables, as in the event that has both
# transition tables; which one an event has, the function asks itself.
CHECK = """
    select n.nspname || '.' || p.proname as function,
        coalesce(t.relation, '-')::text as relation,
        f.level, f.message, f.detail, f.lineno,
        p.prosrc ~ 'perform tenancy\\.raise_busy\\(\\);\\s*end;\\s*$' as ends_busy
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    join pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
    left join (
        select g.tgfoid, g.tgrelid::regclass as relation,
            max(g.tgoldtable) as old_table, max(g.tgnewtable) as new_table
        from pg_trigger g
        where not g.tgisinternal
        group by g.tgfoid, g.tgrelid
    ) t on t.tgfoid = p.oid
    left join lateral extensions.plpgsql_check_function_tb(
        p.oid, coalesce(t.relation, 0),
        fatal_errors => false, all_warnings => true,
        oldtable => t.old_table, newtable => t.new_table
    ) f on true
    where n.nspname in ('public', 'tenancy', 'tenant_template', 'acme')
        and (p.prorettype <> 'trigger'::regtype or t.relation is not null)
"""

FUNCTIONS = """
    select n.nspname || '.' || p.proname as function
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    join pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
    where n.nspname in ('public', 'tenancy', 'tenant_template', 'acme')
"""

NOT_SANITIZED = "text type variable is not sanitized"
NOT_SAFE = "the expression is not SQL injection safe"
UNKNOWN_RECORD = "is not assigned yet"
NO_RETURN = "control reached end of function without RETURN"
VOLATILITY = "routine is marked as VOLATILE, should be"
CONVERSION = "target type is different type than source type"
NEVER_READ = "never read variable"
UNKNOWN_RESULT = "cannot determinate a result of dynamic SQL"


@dataclass(frozen=True)
class Allowance:
    """What it may say of which functions, and why that is as it should be."""

    message: str
    functions: tuple[str, ...]
    reason: str
    detail: str = ""


ALLOWED = (
    Allowance(
        NOT_SANITIZED,
        ("tenancy.apply_tenant_privileges",),
        "Put together from grant_differences, whose names are printed by regclass, "
        "regprocedure and quote_ident and whose verbs are literals.",
    ),
    Allowance(
        NOT_SANITIZED,
        ("tenancy.apply_tenant_migration",),
        "A tenant migration is SQL on purpose. Only a push registers one.",
    ),
    Allowance(
        NOT_SANITIZED,
        ("tenancy.column_default", "tenancy.add_column"),
        "The type was printed by format_type for column_type, and the definition put together "
        "by column_definition from %I, that type, and %L or a default off a list.",
    ),
    Allowance(
        NOT_SANITIZED,
        ("tenancy.lock_tables",),
        "Names through %I; the mode is a literal at each call, and API roles call none of it.",
    ),
    Allowance(
        NOT_SANITIZED,
        ("tenancy.add_foreign_key",),
        "Names through %I; the actions come from require_foreign_key_action's list.",
    ),
    Allowance(
        NOT_SANITIZED,
        ("tenancy.seal_audit_log", "tenancy.verify_audit_log", "tenancy.redact_audit_log"),
        "The columns are audit_entry_columns' literals, the log is a regclass.",
    ),
    Allowance(
        NOT_SAFE,
        (
            *("tenant_template.tg_settings__audit", "tenant_template.tg_users__audit"),
            *("acme.tg_settings__audit", "acme.tg_users__audit", "acme.tg_notes__audit"),
        ),
        "What audit_statements put together through %I and %L, of names from the catalog; only "
        "the trigger's function itself sees the rows that it is about.",
    ),
    Allowance(
        UNKNOWN_RESULT,
        ("tenancy.find_profile", "tenancy.seal_audit_log", "tenancy.verify_audit_log"),
        "Which table is read depends on the tenant.",
    ),
    Allowance(
        UNKNOWN_RECORD,
        ("tenancy.seal_audit_log", "tenancy.verify_audit_log"),
        "The loop over that dynamic SQL assigns it.",
    ),
    Allowance(
        NEVER_READ,
        ("tenancy.seal_audit_log", "tenancy.verify_audit_log"),
        "It gave up at that record before it came to where they are read.",
    ),
    Allowance(
        NO_RETURN,
        ("tenancy.advance_tenant",),
        "The loop ends by returning or raising.",
    ),
    Allowance(
        VOLATILITY,
        (
            *("tenancy.lock_users", "tenancy.insert_profile"),
            *("tenancy.last_entry_id", "tenancy.raise_busy"),
        ),
        "They lock, write by dynamic SQL, have to see what was committed meanwhile, or raise, "
        "which must not be planned away.",
    ),
    Allowance(
        CONVERSION,
        ("public.get_migration_status", "tenancy.column_type", "tenancy.verify_audit_log"),
        "One conversion in a call, between numbers.",
        "integer",
    ),
    Allowance(
        CONVERSION,
        ("tenancy.describe_table", "tenancy.schema_objects", "tenancy.grant_differences"),
        "One conversion in a call, of the catalog's own types.",
        'cast "',
    ),
    Allowance(
        CONVERSION,
        ("tenancy.column_type", "tenancy.verify_audit_log", "tenancy.platform_role"),
        "A literal, or digits that a pattern let through.",
        'cast "text" value',
    ),
)


def is_allowed(finding: dict[str, Any]) -> bool:
    # Every RPC's handler ends by raising.
    if finding["message"] == NO_RETURN and finding["ends_busy"]:
        return True
    return any(
        allowance.message in finding["message"]
        and finding["function"] in allowance.functions
        and allowance.detail in (finding["detail"] or "")
        for allowance in ALLOWED
    )


# Such functions are created unchecked, because one may call another that comes later.
SQL_FUNCTIONS = """
    select p.oid::regprocedure::text as function, pg_get_functiondef(p.oid) as source
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    join pg_language l on l.oid = p.prolang and l.lanname = 'sql'
    where n.nspname = 'tenancy'
"""

Judge = psycopg.Connection[dict[str, Any]]


@pytest.fixture(scope="module")
def judged_project() -> Iterator[Stack]:
    """An emulator on that PostgreSQL, with one tenant."""
    if not EXTENSION.exists():
        missing = "plpgsql_check for PostgreSQL 15 is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{missing}: apt-get install postgresql-15-plpgsql-check")
        pytest.skip(missing)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TENANTRY_PG_BIN", str(BINARIES))
        with Stack.start(port=None, ephemeral=True) as stack:
            with psycopg.connect(stack.db_url) as connection:
                connection.execute("select public.create_tenant_schema('acme')")
                connection.execute(
                    "select public.create_table('acme', 'notes',"
                    ' \'[{"name": "id", "type": "uuid", "primary_key": true},'
                    ' {"name": "body", "type": "text"}]\')'
                )
            yield stack


@pytest.fixture
def judge(judged_project: Stack) -> Iterator[Judge]:
    """A superuser, as the extension demands; nothing of it stays."""
    with psycopg.connect(judged_project.admin_db_url, row_factory=dict_row) as connection:
        connection.execute("create extension plpgsql_check with schema extensions")
        yield connection
        connection.rollback()


def findings(judge: Judge) -> list[dict[str, Any]]:
    return [row for row in judge.execute(CHECK) if row["message"] is not None]


def test_plpgsql_check_looks_at_every_function(judge: Judge) -> None:
    checked = {row["function"] for row in judge.execute(CHECK)}

    assert checked == {row["function"] for row in judge.execute(FUNCTIONS)}
    assert {"acme.tg_notes__audit", "tenancy.has_access", "public.suspend_tenant"} <= checked


PLANTED = {
    "a column that is not there": (
        "v_status text; begin v_status := (select t.state from public.tenants t limit 1);"
        " return v_status; end",
        ("error", "column t.state does not exist"),
    ),
    "an unused variable": (
        "v_nothing integer; begin return 'x'; end",
        ("warning", 'unused variable "v_nothing"'),
    ),
    "SQL put together from an argument": (
        "v_found text; begin execute 'select status from public.tenants t where t.id = '''"
        " || argument || '''' into v_found; return v_found; end",
        ("security", NOT_SANITIZED),
    ),
    "a function that says it changes things and does not": (
        "begin return (select t.display_name from public.tenants t limit 1); end",
        ("performance", VOLATILITY),
    ),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_plpgsql_check_catches_a_planted_fault(judge: Judge, fault: str) -> None:
    body, (level, message) = PLANTED[fault]
    judge.execute(
        "create function tenancy.planted(argument text) returns text volatile language plpgsql"
        f" as $$ declare v_used text := argument; {body} $$".encode()
    )

    found = [each for each in findings(judge) if each["function"] == "tenancy.planted"]

    assert any(each["level"].startswith(level) and message in each["message"] for each in found)
    assert not all(is_allowed(each) for each in found)


def test_plpgsql_check_catches_a_fault_in_a_tenants_audit_trigger(judge: Judge) -> None:
    (row,) = judge.execute(
        "select pg_get_functiondef('acme.tg_notes__audit'::regproc) as source"
    ).fetchall()
    assert "from new_rows" in row["source"]
    assert "_row.id" in row["source"]
    judge.execute(row["source"].replace("_row.id", "_row.ident").encode())

    found = [each for each in findings(judge) if not is_allowed(each)]

    assert {(each["function"], each["relation"]) for each in found} == {
        ("acme.tg_notes__audit", "acme.notes")
    }
    assert "column _row.ident does not exist" in {each["message"] for each in found}


def test_plpgsql_check_finds_nothing_but_what_is_allowed_with_a_reason(judge: Judge) -> None:
    assert [each for each in findings(judge) if not is_allowed(each)] == []


def create_copies(database: Judge) -> set[str]:
    """Creates a checked copy of every function in SQL, and returns their names."""
    functions = database.execute(SQL_FUNCTIONS).fetchall()
    for row in functions:
        # For this session alone, so that no other one waits for the original.
        database.execute(row["source"].replace("FUNCTION tenancy.", "FUNCTION pg_temp."))
    return {row["function"] for row in functions}


def test_postgresql_accepts_every_sql_function(database: Judge) -> None:
    assert "tenancy.printable(text)" in create_copies(database)


def test_postgresql_refuses_an_sql_function_with_a_planted_fault(database: Judge) -> None:
    database.execute("set local check_function_bodies = off")
    database.execute(
        "create function tenancy.planted() returns text language sql"
        " as 'select t.state from public.tenants t limit 1'"
    )
    database.execute("set local check_function_bodies = on")

    with pytest.raises(psycopg.errors.UndefinedColumn, match=r"t\.state does not exist"):
        create_copies(database)
