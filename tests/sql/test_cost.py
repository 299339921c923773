"""What an operation reads and locks does not grow with the number of tenants.

The tests count instead of measuring time. They compare the rows that the catalog and the
registry return before and after many tenants are created. An operation that reads a whole
table returns more rows then.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from support.counting import calls, rows_read_by_each
from support.environment import Environment

# Few enough to be created quickly. Each tenant adds at least one row to every table that is
# counted, so reading a whole table returns at least this number of rows more. Counts differ by
# about 40 rows anyway, because sessions read again what other sessions change.
ADDED = 60

Database = psycopg.Connection[dict[str, Any]]
Operation = Callable[[Database, str], None]


def _tenants(environment: Environment) -> list[str]:
    """A few tenants, each with a table that references a table of the template."""
    names = [environment.tenant() for _ in range(4)]
    for name in names:
        environment.sql.execute(
            "select public.create_table(%s, 'notes', %s)",
            (name, '[{"name": "id", "type": "uuid", "primary_key": true}]'),
        )
        environment.sql.execute(
            "select public.add_foreign_key(%s, 'notes', 'id', 'users')", (name,)
        )
    return names


def _create(database: Database, tenant: str) -> None:
    database.execute("select public.create_tenant_schema(%s)", (f"{tenant}_2",))


def _suspend_and_activate(database: Database, tenant: str) -> None:
    database.execute("select public.suspend_tenant(%s)", (tenant,))
    database.execute("select public.activate_tenant(%s)", (tenant,))


def _inspect(database: Database, tenant: str) -> None:
    for call in (
        "get_schema_tables(%s)",
        "get_table_columns(%s, 'users')",
        "get_table_foreign_keys(%s, 'notes')",
        "get_schema_summary(%s)",
    ):
        assert database.execute(f"select public.{call}".encode(), (tenant,)).fetchall()


def _delete_user(database: Database, tenant: str) -> None:
    user = database.execute(
        "insert into auth.users (id, email) values (gen_random_uuid(), gen_random_uuid())"
        " returning id"
    ).fetchone()
    assert user is not None
    database.execute("select public.grant_schema_access(%s, %s)", (tenant, user["id"]))
    database.execute("delete from auth.users where id = %s", (user["id"],))


def _take_from_pool(database: Database, tenant: str) -> None:
    # The tenant that has waited longest is taken first.
    database.execute(
        "update public.tenants set status = 'pooled', updated_at = '-infinity'"
        " where schema_name = %s",
        (tenant,),
    )
    row = database.execute("select schema_name from public.create_tenant_schema()").fetchone()
    assert row == {"schema_name": tenant}


def _find_dependents(database: Database, tenant: str) -> None:
    database.execute("select tenancy.require_no_dependents(%s)", (tenant,))


def _list_a_page(database: Database, _: str) -> None:
    # Few tenants fit into one hash table, many do not.
    database.execute("set local enable_hashjoin = off")
    database.execute("set local enable_mergejoin = off")
    # A page behind the first one, which also counts all tenants.
    page = database.execute(
        "select * from public.list_tenants(page_size => 4,"
        " after => tenancy.list_cursor(row('schema_name', false, 0, '', 'a')))"
    ).fetchall()
    assert len(page) == 4


def _read_the_whole_catalog(database: Database, tenant: str) -> None:
    database.execute(
        "select from pg_catalog.pg_class c where c.oid::regclass::text = %s", [tenant]
    )


OPERATIONS = (
    *(_create, _suspend_and_activate, _inspect, _delete_user, _find_dependents),
    *(_take_from_pool, _list_a_page),
)


def test_no_operation_reads_more_rows_with_more_tenants(environment: Environment) -> None:
    for _ in range(3):
        # New tenants for each count: the rows of a rollback are read like live rows.
        before = _reads(environment, _tenants(environment))
        for _ in range(ADDED):
            environment.tenant()
        more = {
            operation: rows - before[operation]
            for operation, rows in _reads(environment, _tenants(environment)).items()
        }
        # Other tests create and delete tenants meanwhile, which changes a count once, not each
        # time.
        grown = {operation for operation, rows in more.items() if rows >= ADDED}
        if grown == {_read_the_whole_catalog}:
            break

    assert more.pop(_read_the_whole_catalog) >= ADDED
    assert {operation.__name__: rows for operation, rows in more.items() if rows >= ADDED} == {}


def _reads(environment: Environment, tenants: list[str]) -> dict[Operation, int]:
    """Rows that each operation reads in a session that ran it before for another tenant."""
    return {
        operation: min(_read(environment, tenants, operation))
        for operation in (*OPERATIONS, _read_the_whole_catalog)
    }


def _read(environment: Environment, tenants: list[str], operation: Operation) -> list[int]:
    with psycopg.connect(environment.address.db_url, row_factory=dict_row) as database:
        rows = rows_read_by_each(database, tenants, lambda tenant: operation(database, tenant))
        database.rollback()
    return rows


def test_creation_appends_to_the_list_of_exposed_schemas_without_splitting_it(
    environment: Environment,
) -> None:
    with psycopg.connect(environment.address.admin_db_url, row_factory=dict_row) as database:
        database.execute("set track_functions = 'all'")
        database.execute("set role postgres")
        # A creation without a name could take a tenant of the pool.
        database.execute("select public.create_tenant_schema(%s)", (environment.name(),))
        counts = calls(database)
        database.rollback()

    assert counts["exposed_list"] == 1
    assert counts["exposed_schemas"] == 0


def test_every_creation_takes_the_same_locks(environment: Environment) -> None:
    with psycopg.connect(environment.address.db_url, row_factory=dict_row) as database:
        held = []
        for tenant in _tenants(environment):
            _create(database, tenant)
            held.append(_locks(database))
        database.rollback()
    taken = [later - earlier for earlier, later in itertools.pairwise(held)]

    assert taken[0] == taken[1] < 40
    # The first creation also locks the catalog, the registry, and the users of Auth with their
    # indexes, once a transaction.
    assert held[0] < 130


def _locks(database: Database) -> int:
    row = database.execute(
        "select count(*) as locks from pg_locks where pid = pg_backend_pid()"
    ).fetchone()
    assert row is not None
    return int(row["locks"])


def test_cost_of_auditing_is_per_statement(environment: Environment) -> None:
    tenant = environment.tenant()
    with psycopg.connect(environment.address.admin_db_url, row_factory=dict_row) as database:
        database.execute("set track_functions = 'all'")
        settings = sql.Identifier(tenant, "settings")
        database.execute(
            sql.SQL(
                "insert into {} (key) select i::text from generate_series(1, 500) i"
            ).format(settings)
        )
        counts = [calls(database)]
        for keys in (["1"], [str(key) for key in range(1, 501)]):
            database.execute(
                sql.SQL("update {} set value = '1' where key = any(%s)").format(settings),
                (keys,),
            )
            counts.append(calls(database))
        database.rollback()

    of_one, of_all = (later - earlier for earlier, later in itertools.pairwise(counts))
    assert 0 < of_one["tg_settings__audit"] == of_all["tg_settings__audit"]
    # The actor is determined once, too. Only the timestamp is set for each row.
    assert of_one - Counter(tg_settings__stamp=1) == of_all - Counter(tg_settings__stamp=500)
