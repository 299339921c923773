"""The pool of ready tenants: refilling it, taking a tenant from it, and what that costs.

Most tests work in a transaction that is rolled back, in a database of this module.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from support.counting import calls
from support.databases import complete_database
from tenantry.catalogue import CatalogueEntry, catalogue
from tenantry_cli.emulator.postgres import Postgres

Database = psycopg.Connection[dict[str, Any]]


@pytest.fixture(scope="module")
def project(server: Postgres) -> Iterator[str]:
    with complete_database(server) as name:
        yield server.url(name)


@pytest.fixture
def database(project: str) -> Iterator[Database]:
    """A session as `postgres`, rolled back after the test."""
    with psycopg.connect(project, row_factory=dict_row) as session:
        yield session
        session.rollback()


def one(database: Database, statement: str, *parameters: object) -> dict[str, Any]:
    row = database.execute(statement.encode(), parameters).fetchone()
    assert row is not None
    return row


def refill(database: Database) -> dict[str, Any]:
    return one(database, "select p.* from public.refill_tenant_pool() p")


def fill(database: Database, size: int, wait: int = 0) -> list[str]:
    """Sets the size, refills until nothing is left to do, and returns the names."""
    database.execute(
        "update tenancy.platform_settings set pool_size = %s, pool_wait_seconds = %s"
        " where true",
        (size, wait),
    )
    while (done := refill(database))["missing"] or done["surplus"]:
        assert done["made"] or done["removed"]
    return pooled(database)


def pooled(database: Database) -> list[str]:
    found = database.execute("select schema_name from public.tenants where status = 'pooled'")
    return sorted(row["schema_name"] for row in found)


def create(database: Database, name: str | None = None) -> dict[str, Any]:
    return one(database, "select t.* from public.create_tenant_schema(%s, 'Acme') t", name)


def findings(database: Database, name: str) -> list[dict[str, Any]]:
    return database.execute("select * from tenancy.tenant_findings(%s)", (name,)).fetchall()


def exposed(database: Database) -> set[str]:
    return {*one(database, "select tenancy.exposed_schemas() as names")["names"]}


def is_open(database: Database, name: str) -> bool:
    """Whether an API role has a privilege on anything in the schema."""
    return bool(
        one(
            database,
            "select exists (select from tenancy.schema_privileges(%s) p"
            " where p.object_kind <> 'schema') as is_open",
            name,
        )["is_open"]
    )


# Refilling ------------------------------------------------------------------------------


def test_refill_makes_closed_and_listed_tenants(database: Database) -> None:
    names = fill(database, 3)

    assert len(names) == 3
    assert {*names} <= exposed(database)
    for name in names:
        assert findings(database, name) == []
        assert not is_open(database, name)


def test_refill_reports_and_logs_what_it_did(database: Database) -> None:
    database.execute("update tenancy.platform_settings set pool_size = 1 where true")

    done = refill(database)
    entry = one(database, "select * from public.admin_audit_log order by id desc limit 1")
    again = refill(database)
    last = one(database, "select * from public.admin_audit_log order by id desc limit 1")

    expected = {"pool_size": 1, "ready": 0, "waiting": 1, "behind": 0, "missing": 0}
    assert done == expected | {"surplus": 0, "made": 1, "removed": 0}
    assert again == expected | {"surplus": 0, "made": 0, "removed": 0}
    assert (entry["action"], entry["schema_name"]) == ("pool.refill", None)
    assert entry["details"]["made"] == pooled(database)
    assert last["id"] == entry["id"]


def test_refill_removes_what_is_too_many(database: Database) -> None:
    before = fill(database, 3)
    after = fill(database, 1)

    assert len(after) == 1
    assert {*after} < {*before}
    assert exposed(database) & {*before} == {*after}
    schemas = database.execute(
        "select nspname from pg_namespace where nspname = any(%s)", (before,)
    ).fetchall()
    assert [row["nspname"] for row in schemas] == after


@pytest.mark.parametrize("damage", ["stuck", "missing"])
def test_refill_replaces_a_tenant_that_nobody_can_use(database: Database, damage: str) -> None:
    broken, other = fill(database, 2)
    if damage == "stuck":
        database.execute(
            "insert into tenancy.unfinished_migrations"
            " (schema_name, version, sqlstate, message, stuck_since, failed_at, attempts)"
            " select %s, schema_version, '23514', 'no', now(), now(), 1 from public.tenants"
            " where schema_name = %s",
            (broken, broken),
        )
    else:
        database.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(broken)))
    (found,) = database.execute("select * from tenancy.check_pool()").fetchall()
    assert (found["kind"], found["object"]) == ("warning: unusable tenant in the pool", broken)

    names = fill(database, 2)

    assert broken not in names
    assert other in names
    assert len(names) == 2
    assert broken not in exposed(database)
    assert database.execute("select * from tenancy.check_pool()").fetchall() == []


def test_second_refill_at_the_same_time_changes_nothing(project: str) -> None:
    with psycopg.connect(project, row_factory=dict_row) as other:
        database = psycopg.connect(project, row_factory=dict_row)
        with database:
            database.execute("update tenancy.platform_settings set pool_size = 1 where true")
            assert refill(database)["made"] == 1
            # The other session does not see the setting, which is not committed.
            other.execute("select pg_advisory_xact_lock_shared(1)")
            assert refill(other)["made"] == 0
            free = one(
                other,
                "select pg_try_advisory_xact_lock(hashtextextended('tenancy.pool', 0)) as free",
            )
            assert not free["free"]
            database.rollback()


# Taking a tenant ------------------------------------------------------------------------


def test_creation_without_a_name_takes_a_tenant_of_the_pool(database: Database) -> None:
    first, second = fill(database, 2)
    before = one(database, "select * from public.tenants where schema_name = %s", first)
    made = create(database, "made_without_the_pool")
    made_entry = one(database, "select * from public.admin_audit_log order by id desc limit 1")

    tenant = create(database)
    entry = one(database, "select * from public.admin_audit_log order by id desc limit 1")

    assert tenant["schema_name"] in (first, second)
    varying = {"id", "schema_name"}
    assert {k: v for k, v in tenant.items() if k not in varying} == {
        k: v for k, v in made.items() if k not in varying
    }
    assert tenant["id"] != before["id"]
    assert tenant["display_name"] == "Acme"
    assert is_open(database, tenant["schema_name"])
    assert findings(database, tenant["schema_name"]) == []
    # The entry is that of any creation.
    assert (entry["action"], entry["schema_name"], entry["tenant_id"]) == (
        "tenant.create",
        tenant["schema_name"],
        tenant["id"],
    )
    assert entry.keys() == made_entry.keys()
    assert entry["details"].keys() == made_entry["details"].keys()
    assert entry["details"]["after"].keys() == made_entry["details"]["after"].keys()
    assert entry["actor_role"] == made_entry["actor_role"]
    assert len(pooled(database)) == 1


def test_creation_with_a_name_leaves_the_pool_alone(database: Database) -> None:
    names = fill(database, 1)

    assert create(database, "named_one")["schema_name"] == "named_one"
    assert pooled(database) == names


def test_tenant_is_taken_once_it_has_waited(database: Database) -> None:
    (name,) = fill(database, 1, wait=60)
    new = create(database)["schema_name"]
    assert new != name

    database.execute(
        "update public.tenants set updated_at = now() - interval '60 seconds'"
        " where schema_name = %s",
        (name,),
    )

    assert create(database)["schema_name"] == name


def test_tenant_is_taken_once_it_is_at_the_latest_version(database: Database) -> None:
    (name,) = fill(database, 1)
    database.execute(
        "select tenancy.register_tenant_migration("
        "'20270101000000', 'add_orders', 'create table orders (id bigint primary key)')"
    )
    assert create(database)["schema_name"] != name
    assert one(database, "select p.* from public.get_tenant_pool() p")["behind"] == 1

    migrated = one(database, "select m.* from public.migrate_tenant(%s) m", name)

    assert migrated["outcome"] == "migrated"
    assert not is_open(database, name)
    assert create(database)["schema_name"] == name
    assert findings(database, name) == []


def test_tenant_with_a_grant_is_never_taken(database: Database) -> None:
    (name,) = fill(database, 1)
    database.execute("insert into auth.users (id, email) values (gen_random_uuid(), 'a@b.c')")
    database.execute(
        "insert into public.user_schema_access (user_id, schema_name, access_level)"
        " select id, %s, 'admin' from auth.users",
        (name,),
    )
    (found,) = database.execute("select * from tenancy.check_pool()").fetchall()
    assert (found["kind"], found["object"]) == ("grants in the pool", name)
    assert create(database)["schema_name"] != name

    database.execute(found["repair"])

    assert create(database)["schema_name"] == name


@pytest.mark.parametrize(
    ("name", "value", "largest"),
    [
        *(("pool_size", number, "1000") for number in (-1, 1001)),
        *(("pool_wait_seconds", number, "86400") for number in (-1, 86401)),
        *(("audit_retention_days", number, "36500") for number in (-1, 36501)),
    ],
)
def test_impossible_setting_is_refused_with_a_sentence(
    database: Database, name: str, value: int, largest: str
) -> None:
    update = sql.SQL("update tenancy.platform_settings set {} = %s where true").format(
        sql.Identifier(name)
    )
    with pytest.raises(psycopg.errors.CheckViolation) as refused, database.transaction():
        database.execute(update, (value,))

    assert refused.value.diag.message_primary == (
        f"{name} cannot be {value}: it must be from 0 to {largest}."
    )
    assert refused.value.diag.message_hint is not None
    for possible in (0, int(largest)):
        assert database.execute(update, (possible,)).rowcount == 1


def test_name_of_a_pooled_tenant_is_taken_and_no_hint_sends_to_a_list(
    database: Database,
) -> None:
    (name,) = fill(database, 1)
    hints = {}
    for operation in ("create_tenant_schema", "register_tenant_schema"):
        with pytest.raises(psycopg.Error) as refused, database.transaction():
            database.execute(f"select public.{operation}(%s)".encode(), (name,))
        assert refused.value.diag.message_detail == "tenant_exists"
        hints[operation] = refused.value.diag.message_hint

    assert hints == {
        "create_tenant_schema": "Choose another name, or leave it out for a random one.",
        "register_tenant_schema": "It is a tenant already: nothing has to be done. If no list"
        " shows it, it is in the pool of ready tenants.",
    }


@pytest.mark.parametrize("role", ["viewer", "admin", "super_admin"])
def test_pooled_tenant_looks_like_a_missing_one_to_whoever_may_not_migrate_it(
    database: Database, role: str
) -> None:
    (pooled_name,) = fill(database, 1)
    sign_in(database, role)
    answers = {
        entry.name: {
            name: answer(database, entry, name) for name in (pooled_name, "missing_tenant")
        }
        for entry in catalogue().values()
        if any(parameter.name == "schema_name" for parameter in entry.parameters)
        # They take the name of a new tenant.
        and entry.name not in ("create_tenant_schema", "register_tenant_schema")
    }

    different = {
        operation: found
        for operation, found in answers.items()
        if found[pooled_name] != found["missing_tenant"]
    }
    assert len(answers) > 20
    # A viewer may migrate no tenant. The others migrate the pool, too.
    assert different == (
        {}
        if role == "viewer"
        else {"migrate_tenant": {pooled_name: None, "missing_tenant": "tenant_not_found"}}
    )


def sign_in(database: Database, role: str) -> None:
    """Until the end of the transaction, the session acts as a new member of the staff."""
    person = one(
        database, "insert into auth.users (id) values (gen_random_uuid()) returning id"
    )
    database.execute(
        "insert into public.admin_users (user_id, role) values (%s, %s)", (person["id"], role)
    )
    claims = json.dumps({"sub": str(person["id"]), "role": "authenticated"})
    database.execute("select set_config('request.jwt.claims', %s, true)", (claims,))
    database.execute("set local role authenticated")


def answer(database: Database, entry: CatalogueEntry, name: str) -> str | None:
    """The code of the error for this tenant, with null for the other arguments; or None."""
    given = {
        parameter.name: name if parameter.name == "schema_name" else None
        for parameter in entry.parameters
        if parameter.name == "schema_name" or parameter.default is None
    }
    call = sql.SQL("select * from public.{}({})").format(
        sql.Identifier(entry.name),
        sql.SQL(", ").join(
            sql.SQL("{} => {}").format(sql.Identifier(parameter), value)
            for parameter, value in given.items()
        ),
    )
    try:
        with database.transaction(force_rollback=True):
            database.execute(call)
    except psycopg.Error as error:
        return error.diag.message_detail
    return None


# Cost -----------------------------------------------------------------------------------


def test_taking_a_tenant_runs_no_part_of_a_creation(database: Database) -> None:
    fill(database, 1)
    database.execute("set local track_functions = 'all'")
    before = calls(database)

    create(database)

    made = calls(database) - before
    # Grants on the three tables, and nothing that makes or changes an object.
    assert made["pgrst_ddl_watch"] == 2
    assert not {*made} & {"apply_tenant_privileges", "grant_differences"}
    assert not {*made} & {"make_tenant_schema", "set_exposed_schemas", "set_exposed_list"}
    assert sum(made.values()) < 40


def test_taking_a_tenant_notifies_nobody(project: str, database: Database) -> None:
    with psycopg.connect(project, autocommit=True) as listener:
        listener.execute("listen pgrst")
        try:
            fill(database, 1)
            database.commit()
            assert [*listener.notifies(timeout=10, stop_after=1)] != []
            while [*listener.notifies(timeout=0)]:
                pass

            create(database)
            database.commit()

            assert [*listener.notifies(timeout=0.2)] == []
        finally:
            _forget(database)


def _forget(database: Database) -> None:
    """Removes all tenants and empties the pool."""
    fill(database, 0)
    database.commit()
    for row in database.execute("select schema_name from public.tenants").fetchall():
        database.execute("select public.suspend_tenant(%s)", (row["schema_name"],))
        database.execute("select public.delete_tenant_schema(%s)", (row["schema_name"],))
        database.commit()


# Races ----------------------------------------------------------------------------------


@pytest.mark.soak
def test_claims_refills_and_migrations_agree_in_any_order(project: str, soak: bool) -> None:
    """Four sessions take, refill, migrate and change the size; one of them is killed often."""
    taken: list[str] = []
    failures: list[str] = []
    stop = threading.Event()
    rounds = 60 if soak else 12
    numbers, sizes = itertools.count(), itertools.cycle((3, 1, 5, 2, 4))

    def repeat(times: int, act: Callable[[Database], object]) -> None:
        for _ in range(times):
            if stop.is_set():
                return
            try:
                with psycopg.connect(project, row_factory=dict_row) as database:
                    act(database)
            except psycopg.errors.AdminShutdown:
                continue
            except psycopg.Error as error:
                if error.diag.message_detail != "busy":
                    failures.append(repr(error))

    def take(database: Database) -> None:
        name = create(database)["schema_name"]
        database.commit()
        taken.append(name)

    def migrate(database: Database) -> None:
        version = f"2027{next(numbers):010}"
        database.execute(
            "select tenancy.register_tenant_migration(%s, 'nothing', 'select 1')", (version,)
        )
        database.commit()
        for name in pooled(database):
            try:
                database.execute("select public.migrate_tenant(%s)", (name,))
                database.commit()
            except psycopg.Error as error:
                database.rollback()
                # Removed as surplus, or taken.
                if error.diag.message_detail not in ("busy", "tenant_not_found"):
                    raise

    def resize(database: Database) -> None:
        database.execute(
            "update tenancy.platform_settings set pool_size = %s, pool_wait_seconds = 0"
            " where true",
            (next(sizes),),
        )

    def refill_and_die(database: Database) -> None:
        refill(database)
        if next(numbers) % 3 == 0:
            database.execute("select pg_terminate_backend(pg_backend_pid())")

    with psycopg.connect(project, row_factory=dict_row) as database:
        try:
            resize(database)
            database.commit()
            with ThreadPoolExecutor(6) as threads:
                for times, act in (
                    (rounds, take),
                    (rounds, take),
                    (rounds, refill_and_die),
                    (rounds, refill_and_die),
                    (rounds // 6, migrate),
                    (rounds // 2, resize),
                ):
                    threads.submit(repeat, times, act)

            assert failures == []
            assert len(taken) == 2 * rounds
            assert [name for name, count in Counter(taken).items() if count > 1] == []
            names = fill(database, 3)
            rows = database.execute("select schema_name, status from public.tenants").fetchall()
            assert {row["schema_name"] for row in rows if row["status"] == "active"} == {*taken}
            assert len(names) == 3
            listed = {name for name in exposed(database) if name.startswith("t_")}
            assert listed == {*taken, *names}
            assert not any(is_open(database, name) for name in names)
            assert all(is_open(database, name) for name in taken)
        finally:
            database.rollback()
            stop.set()
            _forget(database)
