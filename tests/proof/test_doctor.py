"""The doctor finds and repairs each kind of damage."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import threading
from dataclasses import dataclass
from typing import Any

import jwt
import psycopg
import pytest

from support.aged_log import seal_everything
from support.commands import diagnosis, tenantry
from support.removal import remove_tenant
from support.upstream import Upstream, error
from support.waiting import until
from tenantry import __version__
from tenantry_cli.doctor.answers import examine_answers
from tenantry_cli.doctor.catalog import connect, examine_catalog
from tenantry_cli.doctor.problem import Problem, lasting_problems
from tenantry_cli.target import Target

pytestmark = pytest.mark.long

Database = psycopg.Connection[dict[str, Any]]


@dataclass(frozen=True)
class Damage:
    """Damage to the new tenant `{t}`. `{o}` is another tenant."""

    sql: str
    kind: str
    object: str
    # The status of the tenant after the repair. None if the tenant cannot be repaired.
    status: str | None = "active"


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
        "tenancy.log_action(action text, tenant public.tenants, details jsonb,"
        " actor_role text)",
    ),
    Damage(
        "revoke execute on function tenancy.guard_request(text, tenancy.access_level) from"
        " authenticated",
        "missing grant",
        "tenancy.guard_request(path text, level tenancy.access_level)",
    ),
    Damage(
        "revoke select on tenancy.open_tenants from authenticated",
        "missing grant",
        "tenancy.open_tenants",
    ),
    Damage("grant select on tenancy.open_tenants to anon", "too wide", "tenancy.open_tenants"),
    Damage(
        "grant select on tenancy.calling_user to authenticated",
        "too wide",
        "tenancy.calling_user",
    ),
    Damage("alter table {t}.settings disable row level security", "RLS off", "{t}.settings"),
    Damage("drop policy update_admin on {t}.settings", "wrong policy", "{t}.settings"),
    Damage("alter policy select_member on {t}.notes using (true)", "wrong policy", "{t}.notes"),
    Damage(
        "alter policy select_member on {t}.users using (exists (select from"
        " tenancy.open_tenants o where o.schema_name = '{o}' and o.access_level >= 'read'))",
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
    Damage(
        "drop function {t}.tg_users__audit() cascade",
        "wrong routine",
        "{t}.tg_users__audit()",
    ),
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


def test_all_damages_together_are_found_and_repaired(
    project: Target, database: Database
) -> None:
    other, *damaged = _create_tenants(database, 1 + len(DAMAGES))
    cases = [
        (damage, {"t": name, "o": other}) for damage, name in zip(DAMAGES, damaged, strict=True)
    ]
    for damage, names in cases:
        database.execute(damage.sql.format(**names).encode())

    code, problems = diagnosis(project)

    assert code == 1
    found = {(problem["kind"], problem["object"]) for problem in problems}
    assert {(each.kind, each.object.format(**names)) for each, names in cases} <= found
    assert all(problem["detail"] and problem["remediation"] for problem in problems)
    assert {frozenset(problem) for problem in problems} == {
        frozenset(
            {"kind", "object", "detail", "remediation", "repair", "is_repairable", "error"}
        )
    }

    assert diagnosis(project, "--fix", "--forget-missing") == (0, [])

    assert [(damage.sql, _status(database, names["t"])) for damage, names in cases] == [
        (damage.sql, damage.status) for damage in DAMAGES
    ]
    _delete_tenants(database, other, *damaged)


@pytest.mark.soak
def test_single_damage_is_found_and_repaired(project: Target, database: Database) -> None:
    other = _create_tenant(database)
    for damage in DAMAGES if os.environ.get("TENANTRY_SOAK") == "1" else DAMAGES[::18]:
        names = {"t": _create_tenant(database), "o": other}
        database.execute(damage.sql.format(**names).encode())

        code, problems = diagnosis(project)

        assert code == 1, damage.sql
        found = {(problem["kind"], problem["object"]) for problem in problems}
        assert (damage.kind, damage.object.format(**names)) in found
        assert diagnosis(project, "--fix", "--forget-missing") == (0, []), damage.sql
        assert _status(database, names["t"]) == damage.status
        _delete_tenant(database, names["t"])
    _delete_tenant(database, other)


def test_project_without_damage_has_no_problem(project: Target) -> None:
    result = tenantry(project, "doctor")

    assert result.exit_code == 0
    first, capacity = result.output.splitlines()
    assert first == "No problem was found."
    # With few tenants, too.
    assert capacity.startswith("PostgREST loads its schema cache in 8 s with ")
    shown = json.loads(tenantry(project, "doctor", "--json").stdout)["capacity"]
    assert [each["seconds"] for each in shown["cache_load_forecast"]] == [8, 30, 60]


def test_replaced_function_is_a_problem_until_it_is_restored(
    project: Target, database: Database
) -> None:
    function = "tenancy.is_platform_staff()"
    row = database.execute("select pg_get_functiondef(%s::regprocedure) as text", (function,))
    definition = row.fetchone() or {}
    database.execute(
        "create or replace function tenancy.is_platform_staff() returns boolean stable"
        " security definer set search_path = '' language plpgsql as 'begin return true; end'"
    )
    try:
        result = tenantry(project, "doctor")
        code, problems = diagnosis(project, "--fix")
    finally:
        database.execute(definition["text"].encode())

    assert result.exit_code == 1
    assert result.output == (
        f"The body of the function {function} differs from release {__version__}.\n"
        "    Restore it as postgres as `create or replace`: "
        "supabase/migrations/*_tenantry_0_1_0.sql has `create function "
        "tenancy.is_platform_staff`. Then run the doctor again.\n"
    )
    assert code == 1
    assert {(problem["kind"], problem["object"]) for problem in problems} == {
        ("unlike the release", function)
    }
    assert not any(problem["is_repairable"] for problem in problems)
    assert diagnosis(project) == (0, [])


def test_restrictive_policy_of_the_template_survives_the_repair_of_another(
    project: Target, database: Database
) -> None:
    _register(
        database,
        """
        create table orders (id bigint primary key, created_by uuid);
        select tenancy.enable_tenant_table(current_schema(), 'orders');
        create policy own_orders on orders as restrictive for select to authenticated
            using (created_by = (select auth.uid()));
        """,
    )
    tenant = _create_tenant(database)
    kinds = "select polname::text, polpermissive from pg_policy where polrelid = %s::regclass"
    before = database.execute(kinds, (f"{tenant}.orders",)).fetchall()
    assert {"polname": "own_orders", "polpermissive": False} in before
    database.execute(f"drop policy delete_writer on {tenant}.orders".encode())

    assert diagnosis(project, "--fix") == (0, [])

    after = database.execute(kinds, (f"{tenant}.orders",)).fetchall()
    assert sorted(after, key=str) == sorted(before, key=str)
    second = json.loads(tenantry(project, "doctor", "--fix", "--json").stdout)
    assert (second["problems"], second["repaired"]) == ([], [])
    _delete_tenant(database, tenant)
    _register(database, "drop table orders")


def test_repairs_go_on_until_none_is_left(project: Target, database: Database) -> None:
    """The repair of a lost view creates the view, and the next one grants its privileges."""
    _register(
        database,
        "create view keys with (security_invoker = true) as select key from settings",
    )
    tenant = _create_tenant(database)
    database.execute(f"drop view {tenant}.keys".encode())

    assert diagnosis(project, "--fix") == (0, [])

    privilege = "select has_table_privilege('authenticated', %s, 'select') as is_granted"
    found = database.execute(privilege, (f"{tenant}.keys",)).fetchone()
    assert found == {"is_granted": True}
    _delete_tenant(database, tenant)
    _register(database, "drop view keys")


def test_table_that_nobody_can_reach_is_a_warning(project: Target, database: Database) -> None:
    _register(
        database,
        "create table islands (id bigint primary key);"
        "alter table islands enable row level security",
    )
    shown = tenantry(project, "doctor")
    report = json.loads(tenantry(project, "doctor", "--fix", "--json").stdout)
    _register(database, "drop table islands")

    assert shown.exit_code == 0
    assert "warning Table tenant_template.islands: no client can reach it" in shown.output
    assert "No problem was found." in shown.output
    assert [(each["kind"], each["object"]) for each in report["warnings"]] == [
        ("warning: unreachable table", "tenant_template.islands")
    ]
    assert (report["problems"], report["repaired"]) == ([], [])


def test_problems_that_follow_from_another_are_not_repaired_by_hand_at_once(
    project: Target, database: Database
) -> None:
    """While a table is open, the doctor also advises to revoke the privileges on it."""
    advice = (
        "By hand, run one statement, then the doctor again: a problem may follow from another."
    )
    tenant = _create_tenant(database)
    table = f"table {tenant}.settings"
    database.execute(f"grant select on {table} to anon".encode())
    alone = tenantry(project, "doctor").output
    database.execute(f"revoke all on {table} from anon".encode())
    database.execute(f"alter {table} disable row level security".encode())

    _, problems = diagnosis(project)
    shown = tenantry(project, "doctor").output

    assert {problem["remediation"].partition(" ")[0] for problem in problems} >= {"revoke"}
    assert shown.endswith(f"repairs some of these problems. {advice}\n")
    assert alone.endswith("repairs some of these problems.\n")
    database.execute(problems[0]["remediation"].encode())
    assert diagnosis(project) == (0, [])
    _delete_tenant(database, tenant)


def test_failed_repair_is_reported_for_each_of_its_problems(
    project: Target, database: Database
) -> None:
    tenant = _create_tenant(database)
    for table in ("users", "notes"):
        database.execute(f"alter table {tenant}.{table} disable row level security".encode())
    assert project.db_url is not None
    with psycopg.connect(project.db_url) as reader:
        # A repair waits 2 s for whoever uses the table.
        reader.execute(f"select from {tenant}.users, {tenant}.notes".encode())
        code, problems = diagnosis(project, "--fix")
        shown = tenantry(project, "doctor", "--fix")

    assert code == 1
    assert [(each["kind"], each["object"]) for each in problems] == [
        ("RLS off", f"{tenant}.notes"),
        ("RLS off", f"{tenant}.users"),
    ]
    assert all("lock timeout" in each["error"] for each in problems)
    assert shown.output.count("Not repaired: canceling statement due to lock timeout") == 2
    assert "repaired" not in shown.output.replace("Not repaired", "")
    assert diagnosis(project, "--fix") == (0, [])
    _delete_tenant(database, tenant)


def test_tenant_without_schema_is_removed_only_with_forget_missing(
    project: Target, database: Database
) -> None:
    tenant = _create_tenant(database)
    insert = f"insert into {tenant}.settings (key) values ('sealed')"  # noqa: S608
    database.execute(insert.encode())
    head = seal_everything(database, tenant)["head"]
    database.execute(f"drop schema {tenant} cascade".encode())

    code, [problem] = diagnosis(project, "--fix")

    assert (code, problem["kind"], problem["object"]) == (1, "tenant without schema", tenant)
    assert "--fix --forget-missing" in problem["remediation"]
    assert _status(database, tenant) == "active"
    alone = tenantry(project, "doctor", "--forget-missing")
    assert (alone.exit_code, "Give --fix too" in alone.output) == (1, True)
    assert diagnosis(project, "--fix", "--forget-missing") == (0, [])
    assert _status(database, tenant) is None
    # What the lost audit log was stays in the platform's log, and no seal is left.
    entry = database.execute(
        "select details -> 'audit_log' as log from public.admin_audit_log"
        " where action = 'tenant.delete' and schema_name = %s",
        (tenant,),
    ).fetchone()
    assert entry == {"log": {"sealed_total": 1, "head": head, "pruned": 0}}
    for table in ("audit_seals", "audit_seal_runs", "audit_prunings"):
        left = f"select from tenancy.{table} where schema_name = %s"
        assert database.execute(left.encode(), (tenant,)).fetchall() == []


def test_lost_table_is_reported_and_not_created_again(
    project: Target, database: Database
) -> None:
    tenant = _create_tenant(database)
    database.execute(f"drop table {tenant}.users".encode())

    code, problems = diagnosis(project, "--fix")

    assert (code, [(problem["kind"], problem["object"]) for problem in problems]) == (
        1,
        [("table missing", f"{tenant}.users")],
    )
    assert "Restore the tenant from a backup" in problems[0]["remediation"]
    _delete_tenant(database, tenant)
    assert diagnosis(project) == (0, [])


def test_tenant_with_an_older_version_is_compared_with_that_version(
    project: Target, database: Database
) -> None:
    """The doctor must not apply changes of a pending migration, which would then fail."""
    _register(database, "create table parcels (id bigint primary key)")
    tenant = _create_tenant(database)
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

    assert diagnosis(project) == (0, [])

    for damage in (
        "alter table {t}.parcels disable row level security",
        "create policy open on {t}.parcels to anon using (true)",
        "alter policy select_member on {t}.crates using (true)",
    ):
        database.execute(damage.format(t=tenant).encode())
    code, problems = diagnosis(project)
    kinds = {(each["kind"], each["object"]) for each in problems}
    assert code == 1
    assert kinds >= {
        ("RLS off", f"{tenant}.parcels"),
        ("wrong policy", f"{tenant}.parcels"),
        ("wrong policy", f"{tenant}.crates"),
    }
    assert diagnosis(project, "--fix") == (0, [])

    # The doctor knows the policy of the older version, which the reference schema has no more.
    database.execute(f"alter policy select_member on {tenant}.parcels using (true)".encode())
    assert diagnosis(project, "--fix") == (0, [])
    assert "select_member" in _policies(database, f"{tenant}.parcels")

    database.execute(f"drop table {tenant}.crates".encode())
    database.execute(f"drop function {tenant}.tg_crates__audit()".encode())
    row = database.execute(
        "select m.outcome, m.message from public.migrate_tenant(%s) m", (tenant,)
    ).fetchone()
    assert row == {"outcome": "migrated", "message": None}
    assert diagnosis(project) == (0, [])
    _delete_tenant(database, tenant)
    _register(database, "drop table parcels, crates")


def test_tenant_registered_by_the_doctor_receives_missing_migrations(
    project: Target, database: Database
) -> None:
    tenant = _create_tenant(database)
    _register(database, "create table parcels (id bigint primary key)")
    database.execute("delete from public.tenants where schema_name = %s", (tenant,))

    assert diagnosis(project, "--fix") == (0, [])

    row = database.execute(
        "select m.outcome, m.pending from public.migrate_tenant(%s) m", (tenant,)
    ).fetchone()
    assert row == {"outcome": "migrated", "pending": 0}
    assert (
        database.execute("select * from public.get_schema_drift(%s)", (tenant,)).fetchall()
        == []
    )
    _delete_tenant(database, tenant)
    _register(database, "drop table parcels")


def test_role_without_privileges_is_refused_with_a_hint(
    project: Target, database: Database
) -> None:
    assert project.db_url is not None
    database.execute("create role observer login password 'observer'")
    url = project.db_url.replace("//postgres:postgres@", "//observer:observer@")
    try:
        result = tenantry(dataclasses.replace(project, db_url=url), "doctor")
    finally:
        database.execute("drop role observer")

    assert result.exit_code == 1
    assert "The database refuses the examination (the role observer may not" in result.output
    assert "the role postgres" in result.output


@pytest.mark.parametrize("command", ["doctor", "prove", "migrate", "drift"])
def test_key_of_another_project_is_refused_in_one_sentence(
    project: Target, command: str
) -> None:
    foreign = jwt.encode({"role": "service_role"}, "another secret of thirty-two bytes")
    careless = dataclasses.replace(project, service_key=foreign)
    if command in ("migrate", "drift"):
        careless = Target(project.api_url, "", foreign)

    result = tenantry(careless, command)

    assert result.exit_code == (2 if command == "prove" else 1)
    assert f"{project.api_url} refuses the service key (Invalid API key)" in result.output
    assert "--service-key (or SUPABASE_SERVICE_ROLE_KEY)" in result.output
    assert "\n" not in result.output.strip()
    assert foreign not in result.output


def test_silent_data_api_is_a_problem_that_says_why(project: Target) -> None:
    code, [problem] = diagnosis(dataclasses.replace(project, api_url="http://127.0.0.1:9"))

    assert (code, problem["kind"]) == (1, "Data API down")
    assert problem["detail"] == (
        "http://127.0.0.1:9 does not answer: no server listens there. Check the address and "
        "the port."
    )


def test_data_api_is_asked_for_a_sample_and_for_tenants_that_stand_out(
    project: Target, database: Database
) -> None:
    tenants = _create_tenants(database, 4)
    opened, refused, unlisted, _ = tenants

    with connect(str(project.db_url)) as connection:

        def asked(sample: int) -> tuple[list[tuple[str, str]], int]:
            """The problems, and the number of tenants that were asked for."""
            totals = [0]
            problems = examine_answers(
                connection, project, lambda done, total: totals.append(total), sample
            )
            found = [(problem.kind, problem.object) for problem in problems]
            connection.rollback()
            return found, totals[-1]

        # PostgREST serves the new tenants.
        until(lambda: asked(20) == ([], 4))
        assert asked(0) == ([], 0)

        database.execute(f"grant usage on schema {opened} to anon")
        database.execute(f"grant select on {opened}.settings to anon")
        database.execute(f"revoke all on {refused}.settings from service_role")
        database.execute("select tenancy.unexpose_schema(%s)", (unlisted,))
        database.execute(
            "alter role authenticator in database postgres reset pgrst.db_pre_request"
        )
        database.execute("notify pgrst, 'reload config'")
        try:
            problems = sorted(
                [
                    ("open to anybody", opened),
                    ("wrong answer", refused),
                    ("wrong answer", unlisted),
                ],
                key=lambda problem: problem[1],
            )
            until(lambda: asked(0) == (problems, 3))
            assert asked(20) == (problems, 4)
        finally:
            database.execute("select tenancy.install_guard()")


@pytest.mark.parametrize(("code", "is_likely"), [("P0001", True), ("PGRST002", False)])
def test_refusal_is_quoted_and_the_pre_request_function_named_if_likely(
    other_project: str, upstream: Upstream, code: str, is_likely: bool
) -> None:
    key = secrets.token_urlsafe()
    target = Target(api_url="", anon_key="anon", service_key=key)
    upstream.will(error(400, code, f"oops {key}\nagain"))
    with connect(other_project) as connection:
        connection.execute(
            "create function public.check_request() returns void language plpgsql"
            " as $$ begin raise 'oops'; end $$;"
            "do $$ begin execute format('alter role authenticator in database %I set"
            " pgrst.db_pre_request = ''public.check_request''', current_database()); end $$;"
            "select tenancy.install_guard()"
        )
        [problem] = examine_answers(
            connection, dataclasses.replace(target, api_url=upstream.url)
        )
        connection.rollback()

    assert problem.detail == (
        "The Data API answers the service key with 400 for the table tenants: oops … again."
    )
    named = "The likely cause is public.check_request, the pre-request function of the project."
    assert problem.remediation.startswith(named) is is_likely
    assert "above all schemas that are listed but missing" in problem.remediation


def test_problem_of_a_single_examination_is_not_reported() -> None:
    def problem(name: str, sentence: str = "") -> Problem:
        return Problem("not listed", name, sentence, "")

    examinations = iter(
        [[problem("made"), problem("broken", "then")], [problem("broken", "now")]]
    )

    assert lasting_problems(lambda: next(examinations)) == [problem("broken", "now")]


def test_tenants_created_and_deleted_meanwhile_are_no_problem(
    project: Target, database: Database
) -> None:
    """Each examination of the catalog meets concurrent changes. None of them is damage."""
    is_finished = threading.Event()

    def create_and_delete() -> None:
        assert project.db_url is not None
        with psycopg.connect(
            project.db_url, autocommit=True, row_factory=psycopg.rows.dict_row
        ) as own:
            while not is_finished.is_set():
                # Each tenant exists for longer than two examinations take. Otherwise both could
                # meet a change of the same tenant.
                for name in [_create_tenant(own) for _ in range(5)]:
                    _delete_tenant(own, name)

    other = threading.Thread(target=create_and_delete)
    other.start()
    try:
        with connect(str(project.db_url)) as connection:
            found = [examine_catalog(connection) for _ in range(15)]
    finally:
        is_finished.set()
        other.join()

    assert found == [[]] * 15


def _create_tenant(database: Database) -> str:
    name = f"test_{secrets.token_hex(6)}"
    database.execute("select public.create_tenant_schema(%s)", (name,))
    database.execute(
        'select public.create_table(%s, \'notes\', \'[{"name": "body", "type": "text"}]\')',
        (name,),
    )
    return name


# How many tenants are created or deleted in a transaction. After each one the Data API reads
# its schema cache again, which takes longer than creating a tenant.
_AT_ONCE = 8


def _create_tenants(database: Database, count: int) -> list[str]:
    names: list[str] = []
    while len(names) < count:
        with database.transaction():
            names += [
                _create_tenant(database) for _ in range(min(_AT_ONCE, count - len(names)))
            ]
    return names


def _delete_tenants(database: Database, *tenants: str) -> None:
    for start in range(0, len(tenants), _AT_ONCE):
        with database.transaction():
            for tenant in tenants[start : start + _AT_ONCE]:
                _delete_tenant(database, tenant)


def _status(database: Database, tenant: str) -> str | None:
    row = database.execute(
        "select status::text from public.tenants where schema_name = %s", (tenant,)
    ).fetchone()
    return row["status"] if row else None


def _policies(database: Database, table: str) -> list[str]:
    rows = database.execute(
        "select polname::text as name from pg_policy where polrelid = %s::regclass", (table,)
    )
    return [row["name"] for row in rows]


def _delete_tenant(database: Database, tenant: str) -> None:
    if _status(database, tenant) is not None:
        remove_tenant(database, tenant)


def _register(database: Database, statements: str) -> None:
    database.execute(
        "select tenancy.register_tenant_migration("
        "'test_' || replace(gen_random_uuid()::text, '-', '_'), 'test', %s)",
        (statements,),
    )
