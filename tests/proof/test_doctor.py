"""The doctor: each kind of damage is found, said in a sentence, repaired, and gone."""

from __future__ import annotations

import dataclasses
import os
import secrets
import threading
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from support.commands import diagnosis, tenantry
from tenantry_cli.doctor.catalog import connect, examine_catalog
from tenantry_cli.doctor.problem import Problem, lasting
from tenantry_cli.target import Target

Database = psycopg.Connection[dict[str, Any]]


@dataclass(frozen=True)
class Damage:
    """`{t}` is a tenant made for it, `{o}` another."""

    sql: str
    kind: str
    object: str
    # What the tenant is afterwards, where repairing could not bring it back.
    left: str | None = "active"


DAMAGES = (
    Damage("drop schema {t} cascade", "listed but missing", "{t}", None),
    Damage("drop schema {t} cascade", "tenant without schema", "{t}", None),
    Damage(
        "delete from public.tenants where schema_name = '{t}'",
        "schema without tenant",
        "{t}",
        "suspended",
    ),
    Damage("select tenancy.unexpose_schema('{t}')", "not listed", "{t}"),
    Damage("select tenancy.expose_schema('{t}_gone')", "listed but missing", "{t}_gone"),
    Damage("select tenancy.expose_schema('tenancy')", "private schema exposed", "tenancy"),
    Damage("grant usage on schema {t} to anon", "wrong grants", "{t}"),
    Damage("grant select on {t}.settings to anon", "wrong grants", "{t}.settings"),
    Damage("revoke select on {t}.users from authenticated", "wrong grants", "{t}.users"),
    Damage("grant delete on {t}.audit_log to service_role", "wrong grants", "{t}.audit_log"),
    Damage("grant select on public.admin_users to anon", "too wide", "public.admin_users"),
    Damage("grant insert on public.tenants to service_role", "too wide", "public.tenants"),
    Damage(
        "grant execute on function public.suspend_tenant(text, text) to anon",
        "too wide",
        "public.suspend_tenant(schema_name text, reason text)",
    ),
    Damage(
        "grant execute on function tenancy.log_action(text, public.tenants, jsonb, text)"
        " to authenticated",
        "too wide",
        "tenancy.log_action(action text, tenant tenants, details jsonb, actor_role text)",
    ),
    Damage(
        "revoke execute on function tenancy.has_access(text, public.access_level) from"
        " authenticated",
        "missing grant",
        "tenancy.has_access(schema_name text, level access_level)",
    ),
    Damage(
        "create function public.{t}_f() returns integer stable security definer begin"
        " atomic select 1; end",
        "too wide",
        "public.{t}_f()",
    ),
    Damage("alter table {t}.settings disable row level security", "RLS off", "{t}.settings"),
    Damage("drop policy update_admin on {t}.settings", "wrong policy", "{t}.settings"),
    Damage("alter policy select_member on {t}.notes using (true)", "wrong policy", "{t}.notes"),
    Damage(
        "alter policy select_member on {t}.users using ((select"
        " tenancy.has_access('{o}', 'read')))",
        "wrong policy",
        "{t}.users",
    ),
    Damage("create policy open on {t}.notes to anon using (true)", "wrong policy", "{t}.notes"),
    Damage(
        "alter table {t}.settings disable trigger audit_update",
        "trigger missing",
        "{t}.settings",
    ),
    Damage("drop trigger audit_update on {t}.settings", "trigger missing", "{t}.settings"),
    Damage(
        "drop trigger audit_insert on {t}.notes; drop trigger audit_delete on {t}.notes",
        "trigger missing",
        "{t}.notes",
    ),
    Damage("drop function {t}.tg_users__audit() cascade", "trigger missing", "{t}.users"),
    Damage(
        "alter table {t}.notes disable trigger audit_insert", "trigger missing", "{t}.notes"
    ),
    Damage(
        "alter role authenticator in database postgres reset pgrst.db_pre_request;"
        " notify pgrst, 'reload config'",
        "guard not installed",
        "tenancy.guard_request",
    ),
    Damage("create publication {t}_p for table {t}.settings", "published", "{t}.settings"),
    Damage(
        "alter table {t}.notes add column x_o uuid references {o}.users (id)",
        "foreign key out of the tenant",
        "{t}.notes",
    ),
    Damage(
        "create view public.{t}_v as select * from {t}.settings; grant select on"
        " public.{t}_v to anon",
        "view around the layers",
        "public.{t}_v",
    ),
    Damage(
        "alter default privileges in schema {t} grant select on tables to anon",
        "default privileges",
        "{t}",
    ),
)


def test_much_damage_at_once_is_found_and_repaired_in_the_safe_order(
    spare: Target, database: Database
) -> None:
    other = _tenant(database)
    cases = [(damage, {"t": _tenant(database), "o": other}) for damage in DAMAGES]
    for damage, names in cases:
        database.execute(damage.sql.format(**names).encode())

    code, problems = diagnosis(spare)

    assert code == 1
    found = {(problem["kind"], problem["object"]) for problem in problems}
    assert {(each.kind, each.object.format(**names)) for each, names in cases} <= found
    assert all(problem["sentence"] and problem["cure"] for problem in problems)

    assert diagnosis(spare, "--fix", "--forget-missing") == (0, [])

    assert [(damage.sql, _status(database, names["t"])) for damage, names in cases] == [
        (damage.sql, damage.left) for damage in DAMAGES
    ]
    for name in (other, *(names["t"] for _, names in cases)):
        _remove(database, name)


@pytest.mark.soak
def test_each_damage_is_found_and_repaired_by_itself(spare: Target, database: Database) -> None:
    other = _tenant(database)
    for damage in DAMAGES if os.environ.get("TENANTRY_SOAK") == "1" else DAMAGES[::9]:
        names = {"t": _tenant(database), "o": other}
        database.execute(damage.sql.format(**names).encode())

        code, problems = diagnosis(spare)

        assert code == 1, damage.sql
        found = {(problem["kind"], problem["object"]) for problem in problems}
        assert (damage.kind, damage.object.format(**names)) in found
        assert diagnosis(spare, "--fix", "--forget-missing") == (0, []), damage.sql
        assert _status(database, names["t"]) == damage.left
        _remove(database, names["t"])
    _remove(database, other)


def test_a_sound_project_is_told_so(spare: Target) -> None:
    result = tenantry(spare, "doctor")

    assert (result.exit_code, result.output) == (0, "All is well.\n")


def test_a_repair_that_fails_is_told_for_every_problem_it_was_for(
    spare: Target, database: Database
) -> None:
    tenant = _tenant(database)
    row = database.execute(
        "select pg_get_functiondef('tenancy.apply_tenant_privileges(text)'::regprocedure) as f"
    ).fetchone()
    assert row is not None
    for table in ("settings", "notes"):
        database.execute(f"grant select on {tenant}.{table} to anon".encode())
    broken = row["f"].replace("begin\n", "begin\n    raise exception 'not today';\n", 1)
    database.execute(broken.encode())
    try:
        code, problems = diagnosis(spare, "--fix")
        shown = tenantry(spare, "doctor", "--fix")
    finally:
        database.execute(row["f"].encode())

    assert code == 1
    assert [(each["kind"], each["object"]) for each in problems] == [
        ("wrong grants", f"{tenant}.notes"),
        ("wrong grants", f"{tenant}.settings"),
    ]
    assert all("not today" in each["error"] for each in problems)
    assert shown.output.count("Not repaired: not today") == 2
    assert "repaired" not in shown.output.replace("Not repaired", "")
    assert diagnosis(spare, "--fix") == (0, [])
    _remove(database, tenant)


def test_a_tenant_without_schema_is_forgotten_only_where_somebody_says_so(
    spare: Target, database: Database
) -> None:
    tenant = _tenant(database)
    database.execute(f"drop schema {tenant} cascade".encode())

    code, [problem] = diagnosis(spare, "--fix")

    assert (code, problem["kind"], problem["object"]) == (1, "tenant without schema", tenant)
    assert "--fix --forget-missing" in problem["cure"]
    assert _status(database, tenant) == "active"
    alone = tenantry(spare, "doctor", "--forget-missing")
    assert (alone.exit_code, "give --fix too" in alone.output) == (1, True)
    assert diagnosis(spare, "--fix", "--forget-missing") == (0, [])
    assert _status(database, tenant) is None


def test_a_lost_table_is_told_and_not_made_up_for(spare: Target, database: Database) -> None:
    tenant = _tenant(database)
    database.execute(f"drop table {tenant}.users".encode())

    code, problems = diagnosis(spare, "--fix")

    assert (code, [(problem["kind"], problem["object"]) for problem in problems]) == (
        1,
        [("table missing", f"{tenant}.users")],
    )
    assert "restore the tenant from a backup" in problems[0]["cure"]
    _remove(database, tenant)
    assert diagnosis(spare) == (0, [])


def test_a_tenant_behind_is_to_be_what_its_own_version_says(
    spare: Target, database: Database
) -> None:
    """What its migration will change is not done before by the doctor: it would fail then."""
    _register(database, "create table parcels (id bigint primary key)")
    tenant = _tenant(database)
    database.execute(f"create table {tenant}.crates (id bigint primary key)".encode())
    database.execute("select tenancy.enable_tenant_table(%s, 'crates')", (tenant,))
    database.execute("select tenancy.apply_tenant_privileges(%s)", (tenant,))
    _register(
        database,
        """
        alter policy select_member on parcels rename to select_reader;
        create trigger calm before update on parcels
            for each row execute function suppress_redundant_updates_trigger();
        create table crates (id bigint primary key);
        select tenancy.enable_tenant_table(current_schema(), 'crates', reads => 'admin');
        """,
    )

    assert diagnosis(spare) == (0, [])

    for damage in (
        "alter table {t}.parcels disable row level security",
        "create policy open on {t}.parcels to anon using (true)",
        "alter policy select_member on {t}.crates using (true)",
    ):
        database.execute(damage.format(t=tenant).encode())
    code, problems = diagnosis(spare)
    kinds = {(each["kind"], each["object"]) for each in problems}
    assert code == 1
    assert kinds >= {
        ("wrong before its migration", f"{tenant}.parcels"),
        ("wrong policy", f"{tenant}.crates"),
    }
    assert diagnosis(spare, "--fix") == (0, [])

    database.execute(f"alter policy select_member on {tenant}.parcels using (true)".encode())
    code, [problem] = diagnosis(spare, "--fix")
    assert (code, problem["object"]) == (1, f"{tenant}.parcels")
    assert f"tenantry drift --tenant {tenant}" in problem["cure"]
    database.execute(
        f"alter policy select_member on {tenant}.parcels using "
        f"((select tenancy.has_access('{tenant}', 'read')))".encode()
    )

    database.execute(f"drop table {tenant}.crates".encode())
    database.execute(f"drop function {tenant}.tg_crates__audit()".encode())
    row = database.execute(
        "select m.outcome, m.message from public.migrate_tenant(%s) m", (tenant,)
    ).fetchone()
    assert row == {"outcome": "migrated", "message": None}
    assert diagnosis(spare) == (0, [])
    _remove(database, tenant)
    _register(database, "drop table parcels, crates")


def test_a_tenant_found_without_its_row_still_gets_what_it_lacks(
    spare: Target, database: Database
) -> None:
    tenant = _tenant(database)
    _register(database, "create table parcels (id bigint primary key)")
    database.execute("delete from public.tenants where schema_name = %s", (tenant,))

    assert diagnosis(spare, "--fix") == (0, [])

    row = database.execute(
        "select m.outcome, m.pending from public.migrate_tenant(%s) m", (tenant,)
    ).fetchone()
    assert row == {"outcome": "migrated", "pending": 0}
    assert (
        database.execute("select * from public.get_schema_drift(%s)", (tenant,)).fetchall()
        == []
    )
    _remove(database, tenant)
    _register(database, "drop table parcels")


def test_a_role_without_rights_is_told_which_to_take(spare: Target, database: Database) -> None:
    assert spare.db_url is not None
    database.execute("create role nosy login password 'nosy'")
    url = spare.db_url.replace("//postgres:postgres@", "//nosy:nosy@")
    try:
        result = tenantry(dataclasses.replace(spare, db_url=url), "doctor")
    finally:
        database.execute("drop role nosy")

    assert result.exit_code == 1
    assert "The database refuses to be examined (permission denied" in result.output
    assert "the role postgres" in result.output


def test_a_key_that_is_refused_is_what_to_look_at(spare: Target) -> None:
    code, [problem] = diagnosis(dataclasses.replace(spare, service_key=spare.anon_key))

    assert (code, problem["kind"]) == (1, "Data API down")
    assert "this project's service_role key" in problem["cure"]


def test_what_is_wrong_for_a_moment_alone_is_no_problem() -> None:
    def problem(name: str, sentence: str = "") -> Problem:
        return Problem("not listed", name, sentence, "")

    looks = iter([[problem("made"), problem("broken", "then")], [problem("broken", "now")]])

    assert lasting(lambda: next(looks)) == [problem("broken", "now")]


def test_tenants_come_and_go_while_it_looks(spare: Target, database: Database) -> None:
    """Each look of the catalog meets others' changes; none of them is damage."""
    is_over = threading.Event()

    def come_and_go() -> None:
        assert spare.db_url is not None
        with psycopg.connect(
            spare.db_url, autocommit=True, row_factory=psycopg.rows.dict_row
        ) as own:
            while not is_over.is_set():
                # Each is there for longer than two looks take: of one that is not, both may
                # meet a change.
                for name in [_tenant(own) for _ in range(5)]:
                    _remove(own, name)

    other = threading.Thread(target=come_and_go)
    other.start()
    try:
        with connect(str(spare.db_url)) as connection:
            found = [examine_catalog(connection) for _ in range(15)]
    finally:
        is_over.set()
        other.join()

    assert found == [[]] * 15


def _tenant(database: Database) -> str:
    name = f"test_{secrets.token_hex(6)}"
    database.execute("select public.create_tenant_schema(%s)", (name,))
    database.execute(
        'select public.create_table(%s, \'notes\', \'[{"name": "body", "type": "text"}]\')',
        (name,),
    )
    return name


def _status(database: Database, tenant: str) -> str | None:
    row = database.execute(
        "select status::text from public.tenants where schema_name = %s", (tenant,)
    ).fetchone()
    return row["status"] if row else None


def _remove(database: Database, tenant: str) -> None:
    if _status(database, tenant) is None:
        return
    database.execute(f"drop view if exists public.{tenant}_v".encode())
    database.execute("select public.suspend_tenant(%s)", (tenant,))
    database.execute("select public.delete_tenant_schema(%s)", (tenant,))
    database.execute(f"drop publication if exists {tenant}_p".encode())
    database.execute(f"drop function if exists public.{tenant}_f()".encode())


def _register(database: Database, statements: str) -> None:
    database.execute(
        "select tenancy.register_tenant_migration("
        "'test_' || replace(gen_random_uuid()::text, '-', '_'), 'test', %s)",
        (statements,),
    )
