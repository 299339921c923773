"""The list of exposed schemas follows the registry at once, without an effect on other
tenants."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg import sql

from support.environment import Environment
from support.readers import Answer, reading
from support.waiting import is_known, until

PRESENT = 50
CREATED = 10
ROUNDS = 100 if os.environ.get("TENANTRY_SOAK") == "1" else 5


@pytest.fixture
def fifty_tenants(environment: Environment) -> None:
    for _ in range(PRESENT):
        tenant = environment.tenant()
    until(lambda: is_known(environment, tenant, "settings"))


@pytest.mark.usefixtures("fifty_tenants")
def test_with_fifty_tenants_a_new_one_is_read_within_100_ms_of_its_creation(
    environment: Environment,
) -> None:
    waits = _waits(environment, "GET")

    # Other tests on the same machine only add time. The minimum is therefore what the system
    # needs, and the median shows that the minimum is no accident.
    assert min(waits) <= 0.1, waits
    assert statistics.median(waits) <= 0.5, waits


@pytest.mark.usefixtures("fifty_tenants")
def test_with_fifty_tenants_a_new_one_takes_writes_soon_after_its_creation(
    environment: Environment,
) -> None:
    # PostgREST accepts no write to a table before it has reloaded its schema cache. That takes
    # about 0.3 s with fifty tenants, and longer with more.
    waits = _waits(environment, "POST", json={"key": "colour", "value": "red"})

    assert statistics.median(waits) <= 3, waits


def _waits(environment: Environment, method: str, **request: Any) -> list[float]:
    """Seconds from the creation of each new tenant to its first successful reply."""
    admin = environment.staff("admin")

    def is_answered(tenant: str) -> bool:
        return environment.rows(
            environment.service, tenant, "settings", method, **request
        ).is_success

    waits = []
    for _ in range(CREATED):
        tenant = environment.name()
        environment.rpc(admin, "create_tenant_schema", schema_name=tenant).raise_for_status()
        created_at = time.monotonic()
        until(partial(is_answered, tenant))
        waits.append(time.monotonic() - created_at)
    return waits


@pytest.mark.soak
def test_creating_and_deleting_tenants_fails_no_read_of_another(
    environment: Environment,
) -> None:
    read = [environment.tenant() for _ in range(3)]
    super_admin = environment.staff("super_admin")
    until(lambda: all(is_known(environment, name, "settings") for name in read))
    reads = [(environment.member(name, "read"), name, "settings") for name in read]

    with reading(environment, reads) as answers:
        for _ in range(ROUNDS):
            tenant = environment.name()
            for operation in ("create_tenant_schema", "suspend_tenant", "delete_tenant_schema"):
                environment.rpc(super_admin, operation, schema_name=tenant).raise_for_status()
            until(partial(_have_grown, answers, len(answers) + 10))

    assert len(answers) >= 10 * ROUNDS
    assert [each for each in answers if each.status != 200] == []


def _have_grown(answers: list[Answer], to: int) -> bool:
    return len(answers) >= to


@pytest.fixture
def own_schema(environment: Environment) -> Iterator[str]:
    """A schema that the project itself has exposed."""
    name = environment.name()
    schema = sql.Identifier(name)
    with environment.sql.transaction():
        for statement in (
            "create schema {}",
            "create table {}.things (id integer)",
            "grant usage on schema {} to authenticated",
            "grant select on {}.things to authenticated",
        ):
            environment.sql.execute(sql.SQL(statement).format(schema))
        environment.sql.execute("select tenancy.expose_schema(%s)", (name,))
    try:
        yield name
    finally:
        environment.sql.execute("select tenancy.drop_tenant_schema(%s)", (name,))


def test_schema_exposed_before_stays_exposed(environment: Environment, own_schema: str) -> None:
    person = environment.person()

    tenant = environment.tenant()
    until(
        lambda: (
            is_known(environment, tenant, "settings")
            and is_known(environment, own_schema, "things")
        )
    )
    assert environment.rows(person, own_schema, "things").status_code == 200

    _delete(environment, tenant)
    until(lambda: not is_known(environment, tenant, "settings"))
    assert environment.rows(person, own_schema, "things").status_code == 200


def test_deleted_tenant_is_unknown_to_the_data_api(environment: Environment) -> None:
    tenant = environment.tenant()
    until(lambda: environment.rows(environment.service, tenant, "settings").status_code == 200)

    _delete(environment, tenant)

    until(lambda: environment.rows(environment.service, tenant, "settings").status_code == 406)


def test_postgrest_reads_the_shorter_list_before_it_looks_for_the_dropped_schema(
    environment: Environment,
) -> None:
    tenant = environment.tenant()
    environment.suspend(tenant)
    with psycopg.connect(environment.address.db_url, autocommit=True) as listener:
        listener.execute("listen pgrst")
        environment.sql.execute("select public.delete_tenant_schema(%s)", (tenant,))
        payloads = []
        for each in listener.notifies(timeout=10):
            # Notifications of other tests arrive here as well.
            if each.pid == environment.sql.info.backend_pid:
                payloads.append(each.payload)
            if payloads and payloads[-1] == "":
                break

    # A newer PostgREST than the emulator's fails while a listed schema is missing. The
    # platform's event trigger sends a first reload too early, and our function a second one.
    assert payloads == ["reload config", "reload schema", ""]


def test_the_exposed_list_is_public_and_the_registry(environment: Environment) -> None:
    created, deleted = environment.tenant(), environment.tenant()
    _delete(environment, deleted)

    lists = _lists(environment)

    assert created in lists["exposed"]
    assert deleted not in lists["exposed"]
    assert "tenant_template" not in lists["exposed"]
    assert set(lists["registered"]) <= set(lists["exposed"])
    # A single listed schema that is missing would make the whole Data API fail.
    assert set(lists["exposed"]) <= set(lists["present"])
    assert lists["exposed"][0] == "public"
    assert len(lists["exposed"]) == len(set(lists["exposed"]))


def test_creation_that_is_rolled_back_leaves_the_list_unchanged(
    environment: Environment,
) -> None:
    name = environment.name()

    with environment.sql.transaction(force_rollback=True):
        environment.sql.execute("select public.create_tenant_schema(%s)", (name,))
        assert name in _lists(environment)["exposed"]

    assert name not in _lists(environment)["exposed"]
    assert environment.rows(environment.service, name, "settings").status_code == 406


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("public, globex", "public, globex, acme"),
        # A part of another name, at either end, is not that name.
        ("public, acme_corp", "public, acme_corp, acme"),
        ("public, the_acme", "public, the_acme, acme"),
        # Already there, with separators that others may have written.
        ("public, acme", "public, acme"),
        ("acme", "acme"),
        (" public,acme ,globex", " public,acme ,globex"),
        (" public,acme_corp ,globex", "public, acme_corp, globex, acme"),
        ("public,Odd name", "public,Odd name, acme"),
        ("", "acme"),
    ],
)
def test_a_schema_is_added_to_the_exposed_list_once(
    environment: Environment, before: str, after: str
) -> None:
    with environment.sql.transaction(force_rollback=True):
        environment.sql.execute("select tenancy.lock_exposure()")
        environment.sql.execute("select tenancy.set_exposed_list(%s)", (before,))
        for _ in range(2):
            environment.sql.execute("select tenancy.expose_schema('acme')")
        listed = environment.sql.execute("select tenancy.exposed_list() as list").fetchone()

    assert listed == {"list": after}


def test_a_long_list_is_compressed_by_lz4_where_the_server_has_it(
    environment: Environment,
) -> None:
    with environment.sql.transaction(force_rollback=True):
        environment.sql.execute("select tenancy.lock_exposure()")
        environment.sql.execute(
            "select tenancy.set_exposed_list(%s)", (", ".join(["public"] * 2000),)
        )
        stored = environment.sql.execute(
            "select pg_column_compression(s.setconfig) as method from pg_db_role_setting s"
            " join pg_database d on d.oid = s.setdatabase and d.datname = current_database()"
            " where pg_column_size(s.setconfig) < octet_length(s.setconfig::text)"
        ).fetchone()
        settings = environment.sql.execute(
            "select setting, enumvals from pg_settings where name = 'default_toast_compression'"
        ).fetchone()

    assert settings is not None
    assert stored == {"method": "lz4" if "lz4" in settings["enumvals"] else "pglz"}
    # The choice ends with the function.
    assert settings["setting"] == "pglz"


def _delete(environment: Environment, tenant: str) -> None:
    environment.suspend(tenant)
    environment.sql.execute("select public.delete_tenant_schema(%s)", (tenant,))


def _lists(environment: Environment) -> dict[str, Any]:
    """All lists in one statement: other tests create tenants at the same time."""
    row = environment.sql.execute(
        "select tenancy.exposed_schemas() as exposed, "
        "array(select schema_name from public.tenants) as registered, "
        "array(select nspname::text from pg_namespace) as present"
    ).fetchone()
    assert row is not None
    return row
