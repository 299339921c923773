"""The database has the restrictions of a hosted one. Further databases can be created."""

import psycopg
import pytest
import requests
from psycopg import errors

from tenantry_cli.emulator.stack import Stack


def test_postgres_is_no_superuser(small_stack: Stack) -> None:
    with psycopg.connect(small_stack.db_url) as connection:
        row = connection.execute(
            "select rolsuper, rolbypassrls, rolcreaterole from pg_roles where rolname = user"
        ).fetchone()
        assert row == (False, True, True)
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(
                "create event trigger mine on sql_drop "
                "execute function extensions.pgrst_drop_watch()"
            )


def test_limits_are_those_of_a_small_hosted_project(small_stack: Stack) -> None:
    limits = {
        "max_connections": "60",
        "max_locks_per_transaction": "64",
        "max_replication_slots": "5",
        "max_wal_senders": "10",
        "statement_timeout": "2min",
        "wal_level": "logical",
        "work_mem": "4MB",
    }
    timeouts = {
        "anon": ["statement_timeout=3s"],
        "authenticated": ["statement_timeout=8s"],
        "authenticator": ["lock_timeout=8s", "statement_timeout=8s"],
    }
    with psycopg.connect(small_stack.db_url) as connection:
        found = connection.execute("select name, current_setting(name) from pg_settings")
        settings: dict[str, str] = dict(found.fetchall())
        assert {name: settings[name] for name in limits} == limits
        for role, expected in timeouts.items():
            row = connection.execute(
                "select array_agg(c order by c) from pg_roles, unnest(rolconfig) as c"
                " where rolname = %s and c like '%%timeout%%'",
                [role],
            ).fetchone()
            assert row == (expected,)


def test_postgres_may_set_exposed_schemas_but_not_become_authenticator(
    small_stack: Stack,
) -> None:
    with psycopg.connect(small_stack.postgres.create_database("exposing")) as connection:
        connection.execute(
            "alter role authenticator in database exposing set pgrst.db_schemas = 'public'"
        )
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("set role authenticator")
    small_stack.postgres.drop_database("exposing")


def test_postgres_may_become_each_api_role(small_stack: Stack) -> None:
    with psycopg.connect(small_stack.db_url) as connection:
        for role in ("anon", "authenticated", "service_role"):
            connection.execute(f"set role {role}")
            connection.execute("reset role")


def test_second_database_has_auth_and_no_migrations(small_stack: Stack) -> None:
    url = small_stack.postgres.create_database("second")
    with psycopg.connect(url) as connection:
        connection.execute("create table public.refers (id uuid references auth.users (id))")
        found = connection.execute("select to_regclass('public.notes')").fetchone()
        assert found == (None,)
    small_stack.postgres.drop_database("second")


def test_auth_works_after_one_of_its_users_was_deleted(small_stack: Stack) -> None:
    credentials = {"email": "gone@example.com", "password": "correct horse"}

    def post(path: str) -> requests.Response:
        return requests.post(
            f"{small_stack.api_url}/auth/v1/{path}",
            json=credentials,
            headers={"apikey": small_stack.anon_key, "Connection": "close"},
            timeout=30,
        )

    assert post("signup").ok
    with psycopg.connect(small_stack.db_url) as connection:
        connection.execute("delete from auth.users where email = %s", [credentials["email"]])

    assert post("token?grant_type=password").status_code == 400
    assert post("signup").ok


def test_new_schema_is_served_at_once(small_stack: Stack) -> None:
    """The event triggers notify PostgREST of every new table."""
    with psycopg.connect(small_stack.db_url) as connection:
        connection.execute("create table public.fresh (id integer)")
        connection.execute("grant select on public.fresh to anon")
    reply = requests.get(
        f"{small_stack.postgrest_url}/fresh", headers={"Connection": "close"}, timeout=30
    )
    assert reply.json() == []
