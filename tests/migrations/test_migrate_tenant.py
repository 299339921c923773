"""A tenant receives a migration completely or not at all, and then equals any other tenant."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import psycopg
from psycopg import sql

from support.counting import calls
from support.environment import Person
from support.fleet import Fleet, ServedFleet


def identifiers(text: str, *names: str) -> sql.Composed:
    return sql.SQL(text).format(*map(sql.Identifier, names))


def test_migrated_table_is_protected_audited_and_served(served: ServedFleet) -> None:
    tenant, other, table = served.tenant(), served.tenant(), served.table()
    writer, reader = served.member(tenant, "write"), served.member(tenant, "read")
    admin, stranger = served.member(tenant, "admin"), served.member(other, "admin")
    version = served.register(f"create table {table} (id bigint primary key, total numeric)")

    assert served.migrate(tenant) == {
        "schema_name": tenant,
        "outcome": "migrated",
        "version": version,
        "pending": 0,
        "sqlstate": None,
        "message": None,
        "name": "test",
        "pass_number": None,
        "rows_done": None,
        "rows_left": None,
        "seconds_left": None,
    }

    served.wait_until_served(tenant, table, "total")
    row = {"id": 1, "total": 9}
    written = served.rows(writer, tenant, table, "POST", json=row)
    assert written.status_code == 201, written.text
    assert served.rows(reader, tenant, table).json() == [row]
    assert served.rows(reader, tenant, table, "POST", json={"id": 2}).status_code == 403
    assert served.rows(stranger, tenant, table).status_code == 403
    assert served.rows(served.nobody, tenant, table).status_code == 401
    entries = served.rows(admin, tenant, "audit_log", params={"table_name": f"eq.{table}"})
    assert [entry["action"] for entry in entries.json()] == ["insert"]
    assert served.drift(tenant) == []


def test_every_caller_has_the_expected_access_to_a_migrated_table(served: ServedFleet) -> None:
    tenant, other, table = served.tenant(), served.tenant(), served.table()
    past = datetime.now(UTC) - timedelta(seconds=1)
    revoked = served.member(tenant, "admin")
    readers = [served.member(tenant, "read")]
    writers = [served.member(tenant, "write"), served.member(tenant, "admin"), served.service]
    # Callers with a valid token, and callers without one.
    outsiders = [
        served.person(), served.member(other, "admin"), served.member(tenant, "admin", past),
        revoked, *map(served.staff, ("viewer", "admin", "super_admin")),
    ]  # fmt: skip
    unauthenticated = [
        served.nobody,
        Person(served.token(str(writers[0].id), exp=1)),
        Person(jwt.encode({"sub": writers[0].id, "role": "authenticated"}, "x" * 32)),
    ]
    served.sql.execute("select public.revoke_schema_access(%s, %s)", (tenant, revoked.id))
    served.register(f"create table {table} (id bigint primary key, total numeric)")
    served.migrate(tenant)
    served.wait_until_served(tenant, table, "total")

    def attempts(person: Person) -> list[int]:
        """The statuses of reading, inserting, updating and deleting rows."""
        served.sql.execute(identifiers("truncate {0}.{1}", tenant, table))
        served.sql.execute(identifiers("insert into {}.{} values (1, 7)", tenant, table))
        row = {"id": "eq.1"}
        read = served.rows(person, tenant, table)
        assert read.json() == [{"id": 1, "total": 7}] or not read.is_success
        answers = [
            read,
            served.rows(person, tenant, table, "POST", json={"id": 2}),
            served.rows(person, tenant, table, "PATCH", params=row, json={"total": 8}),
            served.rows(person, tenant, table, "DELETE", params=row),
        ]
        left = served.sql.execute(
            identifiers("select id, total from {}.{}", tenant, table)
        ).fetchall()
        written = (
            [{"id": 2, "total": None}] if answers[1].is_success else [{"id": 1, "total": 7}]
        )
        assert left == written
        return [answer.status_code for answer in answers]

    expected = (
        (readers, [200, 403, 403, 403]),
        (writers, [200, 201, 200, 200]),
        (outsiders, [403] * 4),
        (unauthenticated, [401] * 4),
    )
    assert [[attempts(person) for person in people] for people, _ in expected] == [
        [statuses] * len(people) for people, statuses in expected
    ]
    served.suspend(tenant)
    assert [attempts(person) for person in [*readers, *writers]] == [[403] * 4] * 4


def test_new_template_column_and_own_column_are_both_audited(served: ServedFleet) -> None:
    tenant, column = served.tenant(), served.table()
    admin = served.member(tenant, "admin")
    added = served.rpc(
        admin, "add_column", schema_name=tenant, table_name="settings",
        column_name="x_note", column_type="text",
    )  # fmt: skip
    assert added.status_code == 200, added.text
    served.register(f"alter table settings add column {column} text")

    assert served.migrate(tenant)["outcome"] == "migrated"
    served.wait_until_served(tenant, "settings", column)
    served.rows(
        admin, tenant, "settings", "POST",
        json={"key": "a", "value": 1, column: "new", "x_note": "own"},
    ).raise_for_status()  # fmt: skip

    entry = served.rows(admin, tenant, "audit_log").json()[-1]
    assert entry["new_values"][column] == "new"
    assert entry["new_values"]["x_note"] == "own"
    assert served.drift(tenant) == []


def test_drift_comes_in_pages(fleet: Fleet) -> None:
    tenant = fleet.tenant()
    for statement in (
        "alter table {}.settings alter value drop not null",
        "alter table {}.users alter metadata drop not null",
        "revoke select on {}.users from authenticated",
        "create function {}.extra() returns integer language sql return 1",
    ):
        fleet.sql.execute(identifiers(statement, tenant))
    whole = fleet.drift(tenant)
    assert len(whole) >= 4

    pages = []
    cursor: dict[str, str] = {}
    for _ in whole:
        page = fleet.query("get_schema_drift", schema_name=tenant, page_size=1, **cursor)
        pages += page
        cursor = {f"after_{key}": page[-1][key] for key in ("object_kind", "object_name")}

    assert pages == whole
    assert fleet.query("get_schema_drift", schema_name=tenant, **cursor) == []


def test_rows_that_a_migration_changes_after_their_columns_are_audited(
    served: ServedFleet,
) -> None:
    tenant, column = served.tenant(), served.table()
    admin = served.member(tenant, "admin")
    served.sql.execute(identifiers("insert into {}.settings (key) values ('a')", tenant))
    served.register(
        f"alter table settings add column {column} text;"  # noqa: S608
        f" update settings set {column} = 'kept';"
        f" alter table settings rename column {column} to {column}_new;"
        f" update settings set {column}_new = 'renamed';"
        " insert into settings (key) values ('b');"
        f" alter table settings drop column {column}_new;"
        " update settings set key = 'c' where key = 'b';"
        " delete from settings where key = 'c'"
    )

    assert served.migrate(tenant)["outcome"] == "migrated"

    entries = served.rpc(
        admin, "get_audit_log", schema_name=tenant, table_name="settings"
    ).json()
    entries.sort(key=lambda entry: entry["id"])
    for entry in entries:
        for values in filter(None, (entry["old_values"], entry["new_values"])):
            values.pop("updated_at", None)
    assert [(entry["action"], entry["record_id"]["key"]) for entry in entries[1:]] == [
        ("update", "a"), ("update", "a"), ("insert", "b"),
        ("delete", "b"), ("insert", "c"), ("delete", "c"),
    ]  # fmt: skip
    assert [(entry["old_values"], entry["new_values"]) for entry in entries[1:3]] == [
        ({column: None}, {column: "kept"}),
        ({f"{column}_new": "kept"}, {f"{column}_new": "renamed"}),
    ]
    assert entries[3]["new_values"][f"{column}_new"] is None
    assert all(column not in str(entry) for entry in entries[4:])
    assert served.drift(tenant) == []


def test_routine_is_callable_only_where_declared_and_while_active(served: ServedFleet) -> None:
    tenant, name = served.tenant(), served.table()
    member = served.member(tenant, "read")
    body = "returns integer language sql stable as 'select 1'"
    served.register(
        f"create function {name}_open() {body}; create function {name}_closed() {body};",
        f"{name}_open",
    )
    served.migrate(tenant)

    def execute(role: str, routine: str) -> bool:
        row = served.sql.execute(
            "select has_schema_privilege(%s, %s, 'usage')"
            " and has_function_privilege(%s, %s, 'execute') as allowed",
            (role, tenant, role, f'"{tenant}".{routine}()'),
        ).fetchone()
        assert row is not None
        return bool(row["allowed"])

    assert execute("authenticated", f"{name}_open")
    assert execute("service_role", f"{name}_open")
    assert not execute("anon", f"{name}_open")
    assert not execute("authenticated", f"{name}_closed")
    assert not execute("service_role", f"{name}_closed")

    served.suspend(tenant)
    assert not execute("authenticated", f"{name}_open")
    served.activate(tenant)
    assert execute("authenticated", f"{name}_open")
    assert served.rpc(member, "check_tenant_status", schema_name=tenant).status_code == 200
    assert served.drift(tenant) == []


def test_suspended_tenant_is_migrated_and_stays_suspended(served: ServedFleet) -> None:
    tenant, table = served.tenant(), served.table()
    member = served.member(tenant, "read")
    served.suspend(tenant)
    served.register(f"create table {table} (id bigint primary key)")

    assert served.migrate(tenant)["outcome"] == "migrated"

    assert served.rows(member, tenant, table).status_code == 403
    assert served.rows(served.service, tenant, table).status_code == 403
    assert served.drift(tenant) == []
    served.activate(tenant)
    assert served.drift(tenant) == []


def test_failure_changes_nothing_and_is_listed_until_the_migration_succeeds(
    fleet: Fleet,
) -> None:
    tenant, table = fleet.tenant(), fleet.table()
    start = fleet.versions()[tenant]
    fleet.sql.execute(
        identifiers("insert into {}.settings (key, value) values ('n', '1')", tenant)
    )
    version = fleet.register(
        f"create table {table} (id bigint primary key);"  # noqa: S608
        " alter table settings add column amount integer;"
        " update settings set amount = 1 / (value #>> '{}')::integer;"
        " alter table settings drop column amount;"
    )
    fleet.sql.execute(identifiers("update {}.settings set value = '0'", tenant))
    before = fleet.objects(tenant)

    failed = fleet.migrate(tenant)
    again = fleet.migrate(tenant)

    assert failed["outcome"] == again["outcome"] == "failed"
    assert (failed["version"], failed["sqlstate"]) == (version, "22012")
    assert failed["message"] == "division by zero"
    assert fleet.objects(tenant) == before
    assert fleet.versions()[tenant] == start
    status = fleet.status()
    assert (status["behind"], status["stuck"]) == (1, 1)
    [row] = fleet.query("list_tenants_behind")
    assert (row["schema_name"], row["next_version"], row["sqlstate"]) == (
        tenant,
        version,
        "22012",
    )
    assert row["failed_at"] is not None
    attempts = fleet.sql.execute(
        "select attempts from tenancy.unfinished_migrations"
    ).fetchall()
    assert [row["attempts"] for row in attempts] == [2]

    fleet.sql.execute(identifiers("update {}.settings set value = '2'", tenant))
    assert fleet.migrate(tenant)["outcome"] == "migrated"

    assert fleet.query("list_tenants_behind") == []
    assert fleet.status()["stuck"] == 0


def test_failure_shows_no_values_of_the_tenant(fleet: Fleet) -> None:
    tenant = fleet.tenant()
    fleet.sql.execute(
        identifiers("insert into {}.settings (key, value) values ('n', '\"secret\"')", tenant)
    )
    fleet.register(
        "alter table settings add column amount integer;"
        " update settings set amount = (value #>> '{}')::integer"
    )

    failed = fleet.migrate(tenant)

    assert (failed["outcome"], failed["sqlstate"]) == ("failed", "22P02")
    assert failed["message"].startswith("A value in the tenant does not fit.")
    [row] = fleet.query("list_tenants_behind")
    assert "secret" not in str(row)


def test_failure_of_a_deleted_tenant_is_no_longer_counted(fleet: Fleet) -> None:
    tenant, table = fleet.tenant(), fleet.table()
    fleet.sql.execute(identifiers("create table {}.{} ()", tenant, table))
    fleet.register(f"create table {table} (id bigint primary key)")
    assert fleet.migrate(tenant)["sqlstate"] == "42P07"

    fleet.suspend(tenant)
    fleet.sql.execute("select public.delete_tenant_schema(%s)", (tenant,))

    assert fleet.status()["stuck"] == 0


def test_lock_of_another_session_fails_the_migration_in_time(fleet: Fleet) -> None:
    tenant, column = fleet.tenant(), fleet.table()
    fleet.register(f"alter table settings add column {column} text")
    with psycopg.connect(fleet.address.db_url) as holder:
        holder.execute(identifiers("lock table {}.settings in access share mode", tenant))

        failed = fleet.migrate(tenant)

    assert (failed["outcome"], failed["sqlstate"]) == ("failed", "55P03")
    assert fleet.migrate(tenant)["outcome"] == "migrated"


def test_concurrent_runs_apply_each_migration_once(served: ServedFleet) -> None:
    tenants, table = served.tenants(4), served.table()
    served.register(f"create table {table} (id bigint primary key)")
    served.register(f"insert into {table} values (1)")  # noqa: S608

    def twice(name: str) -> None:
        for _ in range(2):
            reply = served.rpc(served.service, "migrate_tenant", schema_name=name)
            assert reply.status_code in (200, 429), reply.text

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(twice, tenants * 2))

    for tenant in tenants:
        rows = served.sql.execute(identifiers("select id from {}.{}", tenant, table)).fetchall()
        assert [row["id"] for row in rows] == [1]
        log = served.sql.execute(
            "select count(*) as n from public.admin_audit_log"
            " where action = 'tenant.migrate' and schema_name = %s",
            (tenant,),
        ).fetchone()
        assert log == {"n": 2}


def test_only_platform_admins_may_migrate_and_read_the_status(served: ServedFleet) -> None:
    tenant = served.tenant()
    member, viewer = served.member(tenant, "admin"), served.staff("viewer")
    admin = served.staff("admin")
    operations: list[tuple[str, dict[str, str]]] = [
        ("get_migration_status", {}),
        ("list_tenants_behind", {}),
        ("list_tenant_drift", {}),
        ("migrate_tenant", {"schema_name": tenant}),
        ("get_schema_drift", {"schema_name": tenant}),
    ]
    for name, arguments in operations:
        for entry_point in (served.rpc, served.function):
            assert entry_point(member, name, **arguments).status_code == 403
            assert entry_point(viewer, name, **arguments).status_code == 403
            assert entry_point(served.nobody, name, **arguments).status_code == 401
            assert entry_point(admin, name, **arguments).status_code == 200


CHANGES = (
    ("alter table {}.users alter role drop not null", "column", "different"),
    ("alter table {}.users alter display_name type varchar(90)", "column", "different"),
    ("alter table {}.users drop constraint users_role_length", "constraint", "missing"),
    ("create index extra on {}.users (email)", "index", "extra"),
    ("drop policy select_member on {}.settings", "policy", "missing"),
    ("alter table {}.settings disable trigger audit_update", "trigger", "different"),
    ("alter table {}.settings disable row level security", "table", "different"),
    ("grant insert on {}.users to authenticated", "grant", "different"),
    ("grant insert on {}.users to supabase_auth_admin", "grant", "extra"),
    ("alter schema {} owner to service_role", "owner", "different"),
    ("grant select (email) on {}.users to anon", "grant", "extra"),
    ("revoke usage on schema {} from service_role", "grant", "missing"),
    ("create function {}.planted() returns int return 1", "routine", "extra"),
    ("create rule ignored as on insert to {}.users do instead nothing", "rule", "extra"),
    ("drop table {}.settings", "table", "missing"),
)


def test_drift_lists_the_kind_and_the_difference(fleet: Fleet) -> None:
    tenant = fleet.tenant()
    assert fleet.drift(tenant) == []

    for change, kind, difference in CHANGES:
        with fleet.sql.transaction(force_rollback=True):
            fleet.sql.execute(identifiers(change, tenant))
            found = [(d["object_kind"], d["difference"]) for d in fleet.drift(tenant)]
        assert (kind, difference) in found, change
    assert fleet.drift(tenant) == []


def test_listed_drift_agrees_with_the_differences_of_each_tenant(fleet: Fleet) -> None:
    names = fleet.tenants(4)
    own, damaged = names[0], names[2]
    fleet.sql.execute("select public.create_table(%s, 'notes', '[]')", (own,))
    fleet.suspend(names[1])

    def listed() -> dict[str, bool]:
        """By pages of three tenants."""
        found: dict[str, bool] = {}
        last = None
        while True:
            page = fleet.query("list_tenant_drift", after_schema_name=last, page_size=3)
            assert [row["has_more"] for row in page] == [True] * 3 or len(found) == 3
            found |= {row["schema_name"]: row["has_drift"] for row in page}
            if not page[-1]["has_more"]:
                return found
            last = page[-1]["schema_name"]

    assert listed() == dict.fromkeys(names, False)
    for tenant in (own, damaged):
        for change, *_ in CHANGES:
            with fleet.sql.transaction(force_rollback=True):
                fleet.sql.execute(identifiers(change, tenant))
                found = listed()
                assert found == {name: name == tenant for name in names}, change
                assert found == {name: fleet.drift(name) != [] for name in names}, change

    fleet.sql.execute(
        identifiers("insert into {}.users (id, role) values (%s, 'x')", damaged),
        (uuid.uuid4(),),
    )
    fleet.register("alter table users add constraint longer check (length(role) > 1)")
    assert fleet.migrate(damaged)["outcome"] == "failed"
    assert listed() == {name: name == damaged for name in names}


def test_listing_drift_compares_privileges_once_for_equal_tenants(fleet: Fleet) -> None:
    fleet.tenants(6)
    with psycopg.connect(fleet.address.db_url) as database:
        database.execute("set track_functions = 'all'")
        database.execute("select public.list_tenant_drift()")
        counted = calls(database)
        database.rollback()

    assert (counted["schema_objects"], counted["grant_differences"]) == (6, 1)
    assert counted["tenant_drift"] == 0


def test_grants_to_other_roles_are_drift_and_are_kept(fleet: Fleet) -> None:
    tenant = fleet.tenant()
    fleet.sql.execute(identifiers("grant select on {}.settings to supabase_auth_admin", tenant))

    [found] = fleet.drift(tenant)
    assert (found["object_name"], found["difference"], found["found"]) == (
        f"on table {tenant}.settings to supabase_auth_admin",
        "extra",
        "select",
    )
    with fleet.sql.transaction(force_rollback=True):
        fleet.sql.execute(found["repair"])
        assert fleet.drift(tenant) == []
    fleet.suspend(tenant)
    fleet.activate(tenant)

    kept = fleet.sql.execute(
        "select has_table_privilege('supabase_auth_admin', %s, 'select') as is_kept",
        (f"{tenant}.settings",),
    ).fetchone()
    assert kept == {"is_kept": True}


def test_grants_of_a_migration_to_other_roles_are_no_drift(fleet: Fleet) -> None:
    table = fleet.table()
    fleet.register(
        f"create table {table} (id bigint primary key);"
        f"grant select on {table} to supabase_auth_admin;"
        f"create function count_{table}(of {table}) returns bigint language sql as 'select 1';"
        f"grant execute on function count_{table}({table}) to supabase_auth_admin"
    )
    tenant = fleet.tenant()
    findings = "select f.* from tenancy.tenant_findings(%s) f where f.kind ~ 'grants'"

    assert fleet.drift(tenant) == []
    assert fleet.sql.execute(findings, (tenant,)).fetchall() == []

    fleet.sql.execute(
        identifiers("grant insert on {}.{} to supabase_auth_admin", tenant, table)
    )

    assert [row["found"] for row in fleet.drift(tenant)] == ["insert"]
    [finding] = fleet.sql.execute(findings, (tenant,)).fetchall()
    statement = f"revoke insert on table {tenant}.{table} from supabase_auth_admin;"
    assert finding["remediation"].endswith(f"Otherwise: {statement}")
    fleet.sql.execute(statement.encode())
    assert fleet.sql.execute(findings, (tenant,)).fetchall() == []


def test_object_of_another_owner_is_drift(fleet: Fleet) -> None:
    tenant = fleet.tenant()
    with fleet.sql.transaction(force_rollback=True):
        fleet.sql.execute(
            identifiers(
                "grant create on schema {0} to service_role;"
                " alter table {0}.settings owner to service_role;"
                " revoke create on schema {0} from service_role",
                tenant,
            )
        )
        [found] = [row for row in fleet.drift(tenant) if row["object_kind"] == "owner"]
        assert (found["object_name"], found["expected"], found["found"]) == (
            f"of table {tenant}.settings",
            "postgres",
            "service_role",
        )

        fleet.sql.execute(found["repair"])
        fleet.sql.execute("select tenancy.apply_tenant_privileges(%s)", (tenant,))
        assert fleet.drift(tenant) == []


def test_triggers_are_described_as_postgresql_describes_them(fleet: Fleet) -> None:
    tenant, table = fleet.tenant(), fleet.table()
    fleet.register(f"""
        create table {table} (id bigint primary key, "a B" text);
        create function "on {table}"() returns trigger language plpgsql
            as 'begin return new; end';
        create trigger "a B" before insert or update or delete on {table}
            for each row execute function "on {table}"();
        create trigger some_columns after update of "a B", id on {table}
            for each row execute function "on {table}"();
        create trigger some_rows before insert on {table}
            for each row when (new.id > 1) execute function "on {table}"();
        create trigger with_arguments after delete or truncate on {table}
            for each statement execute function "on {table}"('x', 'it''s');
        create constraint trigger late after insert on {table} deferrable initially deferred
            for each row execute function "on {table}"();
        create trigger two_tables after update on {table}
            referencing new table as "N" old table as o
            for each statement execute function "on {table}"();
    """)
    assert fleet.migrate(tenant)["outcome"] == "migrated"

    for schema_name in ("tenant_template", tenant):
        rows = fleet.sql.execute(
            "select format('%%s.%%s', c.relname, t.tgname) as name,"
            " pg_get_triggerdef(t.oid) as definition"
            " from pg_trigger t join pg_class c on c.oid = t.tgrelid"
            " where c.relnamespace = to_regnamespace(%s) and not t.tgisinternal",
            (schema_name,),
        ).fetchall()
        assert len(rows) > 6
        assert {(row["name"], f"{row['definition']}, enabled O") for row in rows} == {
            (name, definition)
            for kind, name, _, _, definition in fleet.objects(schema_name)
            if kind == "trigger"
        }

    # pg_get_triggerdef reads the functions of this name in all tenants, and other tests count
    # the rows that are read. So the function is dropped.
    fleet.register(f'drop table {table}; drop function "on {table}"()')


def entries(fleet: Fleet, tenant: str) -> list[dict[str, Any]]:
    return fleet.sql.execute(identifiers("select * from {}.audit_log", tenant)).fetchall()


def routines(fleet: Fleet, schema_name: str) -> set[str]:
    return {name for kind, name, *_ in fleet.objects(schema_name) if kind == "routine"}


def test_audit_triggers_follow_a_renamed_table(fleet: Fleet) -> None:
    tenant, before, after = fleet.tenant(), fleet.table(), fleet.table()
    fleet.register(f"create table {before} (id bigint primary key)")
    assert fleet.migrate(tenant)["outcome"] == "migrated"
    fleet.register(f"alter table {before} rename to {after}")

    assert fleet.migrate(tenant)["outcome"] == "migrated"

    fleet.sql.execute(identifiers("insert into {}.{} values (1)", tenant, after))
    [entry] = entries(fleet, tenant)
    assert entry["table_name"] == after
    for schema_name in ("tenant_template", tenant, fleet.tenant()):
        assert f"tg_{after}__audit()" in routines(fleet, schema_name)
        assert f"tg_{before}__audit()" not in routines(fleet, schema_name)
    assert fleet.drift(tenant) == []


def test_name_of_a_dropped_table_can_be_used_again(fleet: Fleet) -> None:
    tenant, dropped, replaced = fleet.tenant(), fleet.table(), fleet.table()
    fleet.register(
        f"create table {dropped} (id bigint primary key);"
        f" create table {replaced} (id bigint primary key)"
    )
    fleet.migrate(tenant)
    fleet.register(
        f"drop table {dropped}, {replaced}; create table {replaced} (id uuid primary key)"
    )

    assert fleet.migrate(tenant)["outcome"] == "migrated"

    for schema_name in ("tenant_template", tenant, fleet.tenant()):
        assert f"tg_{replaced}__audit()" in routines(fleet, schema_name)
        assert f"tg_{dropped}__audit()" not in routines(fleet, schema_name)
    assert fleet.drift(tenant) == []


def test_audit_triggers_of_an_own_table_are_refreshed(fleet: Fleet) -> None:
    """An older version, or a backup from that time, may have left other triggers."""
    tenant = fleet.tenant()
    fleet.sql.execute(
        "select public.create_table(%s, 'visits', %s)",
        (tenant, '[{"name": "id", "type": "bigint", "primary_key": true}]'),
    )
    row = fleet.sql.execute(
        "select pg_get_functiondef((%s || '.tg_visits__audit()')::regprocedure) as text",
        (tenant,),
    ).fetchone()
    assert row is not None
    older = row["text"].replace("begin\n", "begin\n    -- An older version.\n", 1)
    assert older != row["text"]
    fleet.sql.execute(older.encode())
    assert [d["object_name"] for d in fleet.drift(tenant)] == ["tg_visits__audit()"]
    fleet.register("-- It refreshes the audit triggers.")

    assert fleet.migrate(tenant)["outcome"] == "migrated"

    assert fleet.drift(tenant) == []


def test_audit_triggers_follow_tables_that_exchange_their_names(fleet: Fleet) -> None:
    tenant, one, other = fleet.tenant(), fleet.table(), fleet.table()
    fleet.register(
        f"create table {one} (id bigint primary key, a int);"
        f" create table {other} (id bigint primary key, b int)"
    )
    fleet.migrate(tenant)
    fleet.register(
        f"alter table {one} rename to {one}_x; alter table {other} rename to {one};"
        f" alter table {one}_x rename to {other}"
    )

    assert fleet.migrate(tenant)["outcome"] == "migrated"

    for schema_name in ("tenant_template", tenant, fleet.tenant()):
        assert {f"tg_{one}__audit()", f"tg_{other}__audit()"} <= routines(fleet, schema_name)
    assert fleet.drift(tenant) == []
    fleet.sql.execute(identifiers("insert into {}.{} values (1)", tenant, one))
    [entry] = entries(fleet, tenant)
    assert (entry["table_name"], entry["new_values"]) == (one, {"id": 1, "b": None})


def test_limit_holds_in_a_session_without_a_timeout(fleet: Fleet) -> None:
    tenant, table = fleet.tenant(), fleet.table()
    fleet.register(f"create table {table} (id bigint primary key)")
    fleet.migrate(tenant)
    version = fleet.register(
        f"alter table {table} add column total bigint;"
        f"do $$begin perform pg_sleep(1.1) from {table}; end$$"
    )
    fleet.sql.execute(identifiers("insert into {}.{} values (1)", tenant, table))

    def limit(seconds: int) -> None:
        """Repeats the registration with another limit."""
        fleet.sql.execute(
            "select tenancy.register_tenant_migration("
            "m.version, m.name, m.statements, limit_seconds => %s)"
            " from tenancy.tenant_migrations m where m.version = %s",
            (seconds, version),
        )

    limit(1)
    result = fleet.migrate(tenant)
    assert (result["outcome"], result["sqlstate"]) == ("failed", "57014")
    assert "register what is left as a backfill or an index" in result["message"]
    limit(30)
    assert fleet.migrate(tenant)["outcome"] == "migrated"
