"""plpgsql_check checks every plpgsql function, and PostgreSQL checks the functions in SQL.

plpgsql_check needs PostgreSQL 15 with that extension.
"""

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

# A trigger function is checked with each of its tables, and with both transition tables. In an
# event that lacks one of them, the function does not read it.
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
    """A message that is allowed for some functions, and the reason."""

    message: str
    functions: tuple[str, ...]
    reason: str
    detail: str = ""


ALLOWED = (
    Allowance(
        NOT_SANITIZED,
        ("tenancy.apply_tenant_privileges",),
        "The text comes from grant_differences: regclass, regprocedure and quote_ident print "
        "its names, and its verbs are literals.",
    ),
    Allowance(
        NOT_SANITIZED,
        (
            *("tenancy.apply_tenant_migration", "tenancy.run_backfill_statement"),
            "tenancy.backfill_table",
        ),
        "A tenant migration is SQL on purpose. Only a push registers one.",
    ),
    Allowance(
        NOT_SANITIZED,
        ("tenancy.run_creation_script",),
        "compile_creation writes the text as the catalog prints it. quote_ident and "
        "quote_literal print the schema's name.",
    ),
    Allowance(
        NOT_SANITIZED,
        ("tenancy.column_default", "tenancy.add_column"),
        "format_type prints the type for column_type. column_definition joins a name through "
        "%I, that type, and a default through %L or from a list.",
    ),
    Allowance(
        NOT_SANITIZED,
        ("tenancy.repair_findings",),
        "The checks write the statements: names of the catalog through %I, texts that the "
        "catalog printed, and verbs that are literals.",
    ),
    Allowance(
        NOT_SANITIZED,
        ("tenancy.lock_relations",),
        "Names go through %I, or regclass prints them. Every caller gives a literal mode, and "
        "no API role may call it.",
    ),
    Allowance(
        NOT_SANITIZED,
        ("tenancy.close_policies", "tenancy.drop_trial_hurdles", "tenancy.pin_routines"),
        "regclass, regprocedure and %I print the names. policy_test and tenant_search_path "
        "write the schema through %L and %I.",
    ),
    Allowance(
        NOT_SANITIZED,
        ("tenancy.limit_to_own_rows",),
        "Names go through %I. policy_test and permission_test write the other values by %L.",
    ),
    Allowance(
        NOT_SANITIZED,
        ("tenancy.open_reference",),
        "regprocedure, %I and quote_ident print the names. record_limits wrote privileges and "
        "kinds of objects from literals and aclexplode.",
    ),
    Allowance(
        NOT_SANITIZED,
        ("tenancy.try_statement", "tenancy.try_tables"),
        "trial_statements writes the statements through %I and %L. create_trial_routine prints "
        "the routine's name through %I.",
    ),
    Allowance(
        NOT_SANITIZED,
        ("tenancy.adopt_schema", "tenancy.adopt_table"),
        "regclass and %I print the names, and pg_get_expr prints the conditions. The checks "
        "and difference_statements write the other statements.",
    ),
    Allowance(
        NOT_SANITIZED,
        ("tenancy.leave_unaudited", "tenancy.drop_keys_to_auth"),
        "All names go through %I, or regclass prints them.",
    ),
    Allowance(
        NOT_SANITIZED,
        (
            *("tenancy.advance_split_sequences", "tenancy.compare_split_rows"),
            *("tenancy.copy_split_rows", "tenancy.delete_split_batch"),
            *("tenancy.note_equal_rows", "tenancy.remove_split_rows"),
            *("tenancy.split_values", "tenancy.update_split_rows"),
        ),
        "split_statements and split_unreferenced write names through %I, the value through %L "
        "and types through format_type. regclass prints the tables.",
    ),
    Allowance(
        NOT_SANITIZED,
        ("tenancy.add_foreign_key",),
        "Names go through %I. The actions come from a list in require_foreign_key_action.",
    ),
    Allowance(
        NOT_SANITIZED,
        ("tenancy.seal_audit_log", "tenancy.verify_audit_log", "tenancy.redact_audit_log"),
        "The columns are literals of audit_entry_hash, and the log is a regclass.",
    ),
    Allowance(
        NOT_SANITIZED,
        ("tenancy.as_owner",),
        "The catalog prints the types. All names go through %I, and come from the catalog.",
    ),
    Allowance(
        NOT_SAFE,
        (
            *("tenant_template.tg_settings__audit", "tenant_template.tg_users__audit"),
            *("acme.tg_settings__audit", "acme.tg_users__audit", "acme.tg_notes__audit"),
        ),
        "audit_statements writes names from the catalog through %I and %L. Only the trigger "
        "function can read its transition tables.",
    ),
    Allowance(
        NOT_SAFE,
        ("tenancy.finish_restore",),
        "regprocedure prints the signatures of the RPCs.",
    ),
    Allowance(
        UNKNOWN_RESULT,
        (
            "tenancy.try_tables",
            *("tenancy.find_profile", "tenancy.stale_profiles", "tenancy.audit_entries"),
            *("tenancy.seal_audit_log", "tenancy.verify_audit_log"),
        ),
        "Which table is read depends on the tenant.",
    ),
    Allowance(
        UNKNOWN_RECORD,
        (
            *("tenancy.seal_audit_log", "tenancy.verify_audit_log"),
            *("tenancy.try_tables", "tenancy.require_unchanged_outside"),
        ),
        "Dynamic SQL or a cursor assigns the record.",
    ),
    Allowance(
        NEVER_READ,
        (
            *("tenancy.seal_audit_log", "tenancy.verify_audit_log"),
            "tenancy.require_unchanged_outside",
        ),
        "plpgsql_check stops at that record, before the code that reads the variables.",
    ),
    Allowance(
        "is maybe unmodified",
        ("tenancy.split_values",),
        "The query that is returned fills the columns.",
    ),
    Allowance(
        NO_RETURN,
        ("tenancy.advance_tenant",),
        "The loop ends with a return or an error.",
    ),
    Allowance(
        VOLATILITY,
        (
            *("tenancy.lock_users", "tenancy.insert_profile", "tenancy.refresh_emails"),
            *("tenancy.last_entry_id", "tenancy.raise_busy", "tenancy.release_session_locks"),
            *("tenancy.try_statement", "tenancy.create_trial_routine"),
            "tenancy.run_creation_script",
            *("tenancy.compare_split_rows", "tenancy.copy_split_rows"),
            *("tenancy.remove_split_rows", "tenancy.update_split_rows"),
            *("tenancy.is_index_ready", "tenancy.lasting_drift", "tenancy.drifting_tenants"),
        ),
        "They lock, unlock, write by dynamic SQL, must see rows committed meanwhile, or raise "
        "an error that the planner must not remove.",
    ),
    Allowance(
        CONVERSION,
        (
            *("tenancy.migration_status", "tenancy.column_type", "tenancy.verify_audit_log"),
            *("tenancy.update_split_rows", "tenancy.pool_status"),
        ),
        "One conversion of a number for each call.",
        "integer",
    ),
    Allowance(
        CONVERSION,
        (
            *("tenancy.advance_backfill", "tenancy.advance_tenant", "tenancy.rows_a_block"),
            "public.migrate_tenant",
        ),
        "A few conversions of times and estimates for each batch.",
        "double precision",
    ),
    Allowance(
        CONVERSION,
        ("tenancy.describe_table", "tenancy.schema_objects", "tenancy.grant_differences"),
        "One conversion of a catalog type for each call.",
        'cast "',
    ),
    Allowance(
        CONVERSION,
        (
            *("tenancy.column_type", "tenancy.verify_audit_log", "tenancy.platform_role"),
            *("tenancy.try_tables", "tenancy.with_key", "tenancy.release_session_locks"),
            "tenancy.split_order",
        ),
        "A literal, or digits that a pattern has matched.",
        'cast "text" value',
    ),
)


def is_allowed(finding: dict[str, Any]) -> bool:
    # The handler of every RPC ends with an error.
    if finding["message"] == NO_RETURN and finding["ends_busy"]:
        return True
    return any(
        allowance.message in finding["message"]
        and finding["function"] in allowance.functions
        and allowance.detail in (finding["detail"] or "")
        for allowance in ALLOWED
    )


# The migration creates these functions unchecked, because one may call a later one.
SQL_FUNCTIONS = """
    select p.oid::regprocedure::text as function, pg_get_functiondef(p.oid) as source
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    join pg_language l on l.oid = p.prolang and l.lanname = 'sql'
    where n.nspname = 'tenancy'
"""

Checker = psycopg.Connection[dict[str, Any]]


@pytest.fixture(scope="module")
def checked_project() -> Iterator[Stack]:
    """An emulator that uses PostgreSQL 15, with one tenant."""
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
def checker(checked_project: Stack) -> Iterator[Checker]:
    """A session of a superuser, which the extension needs. It is rolled back."""
    with psycopg.connect(checked_project.admin_db_url, row_factory=dict_row) as connection:
        connection.execute("create extension plpgsql_check with schema extensions")
        yield connection
        connection.rollback()


def findings(checker: Checker) -> list[dict[str, Any]]:
    return [row for row in checker.execute(CHECK) if row["message"] is not None]


def test_plpgsql_check_checks_every_function(checker: Checker) -> None:
    checked = {row["function"] for row in checker.execute(CHECK)}

    assert checked == {row["function"] for row in checker.execute(FUNCTIONS)}
    assert {
        "acme.tg_notes__audit",
        "tenancy.guard_request",
        "public.suspend_tenant",
    } <= checked


PLANTED = {
    "a missing column": (
        "v_status text; begin v_status := (select t.state from public.tenants t limit 1);"
        " return v_status; end",
        ("error", "column t.state does not exist"),
    ),
    "an unused variable": (
        "v_nothing integer; begin return 'x'; end",
        ("warning", 'unused variable "v_nothing"'),
    ),
    "SQL built from an argument": (
        "v_found text; begin execute 'select status from public.tenants t where t.id = '''"
        " || argument || '''' into v_found; return v_found; end",
        ("security", NOT_SANITIZED),
    ),
    "a volatile function that changes nothing": (
        "begin return (select t.display_name from public.tenants t limit 1); end",
        ("performance", VOLATILITY),
    ),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_plpgsql_check_finds_a_planted_fault(checker: Checker, fault: str) -> None:
    body, (level, message) = PLANTED[fault]
    checker.execute(
        "create function tenancy.planted(argument text) returns text volatile language plpgsql"
        f" as $$ declare v_used text := argument; {body} $$".encode()
    )

    found = [each for each in findings(checker) if each["function"] == "tenancy.planted"]

    assert any(each["level"].startswith(level) and message in each["message"] for each in found)
    assert not all(is_allowed(each) for each in found)


def test_plpgsql_check_finds_a_fault_in_the_audit_trigger_of_a_tenant(checker: Checker) -> None:
    (row,) = checker.execute(
        "select pg_get_functiondef('acme.tg_notes__audit'::regproc) as source"
    ).fetchall()
    assert "from new_rows" in row["source"]
    assert "_row.id" in row["source"]
    checker.execute(row["source"].replace("_row.id", "_row.ident").encode())

    found = [each for each in findings(checker) if not is_allowed(each)]

    assert {(each["function"], each["relation"]) for each in found} == {
        ("acme.tg_notes__audit", "acme.notes")
    }
    assert "column _row.ident does not exist" in {each["message"] for each in found}


def test_plpgsql_check_finds_only_allowed_messages(checker: Checker) -> None:
    assert [each for each in findings(checker) if not is_allowed(each)] == []


def create_copies(database: Checker) -> set[str]:
    """Creates a checked copy of every function in SQL, and returns their names."""
    # A function that locks rows waits for tests that change the table.
    database.execute("set local lock_timeout = '1min'")
    functions = database.execute(SQL_FUNCTIONS).fetchall()
    for row in functions:
        # In this session only, so that no other session waits for the original.
        database.execute(row["source"].replace("FUNCTION tenancy.", "FUNCTION pg_temp."))
    return {row["function"] for row in functions}


def test_postgresql_accepts_every_sql_function(database: Checker) -> None:
    assert "tenancy.printable(text)" in create_copies(database)


def test_postgresql_refuses_an_sql_function_with_a_planted_fault(database: Checker) -> None:
    database.execute("set local check_function_bodies = off")
    database.execute(
        "create function tenancy.planted() returns text language sql"
        " as 'select t.state from public.tenants t limit 1'"
    )
    database.execute("set local check_function_bodies = on")

    with pytest.raises(psycopg.errors.UndefinedColumn, match=r"t\.state does not exist"):
        create_copies(database)
