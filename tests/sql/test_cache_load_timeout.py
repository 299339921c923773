"""`tenancy.set_cache_load_timeout`: 60 s for the load of the schema cache, not for requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier, Literal

from support.databases import complete_database
from support.environment import Address, Environment, Person
from support.separate_data_api import separate_data_api
from support.waiting import until
from tenantry_cli.emulator.postgres import Postgres

Database = psycopg.Connection[dict[str, Any]]

SHOW = """
create function public.show_timeouts() returns jsonb language sql as $$
    select jsonb_build_object(
        'request', current_setting('statement_timeout'),
        'session', (
            select s.reset_val::integer / 1000
            from pg_settings s
            where s.name = 'statement_timeout'
        )
    )
$$;
create function public.nap(seconds float) returns void language sql as $$
    select pg_sleep(seconds)
$$;
grant execute on function public.show_timeouts(), public.nap
    to anon, authenticated, service_role;
notify pgrst, 'reload schema';
"""


@pytest.fixture(scope="module")
def url(server: Postgres) -> Iterator[str]:
    with complete_database(server) as name:
        yield server.url(name)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A session that is rolled back: roles belong to all databases of the server."""
    with psycopg.connect(url, row_factory=dict_row) as database:
        yield database
        database.rollback()


def timeouts(database: Database, role: str) -> tuple[str | None, str | None]:
    row = database.execute("select * from tenancy.timeout_settings(%s)", (role,)).fetchone()
    assert row is not None
    return row["in_this_database"], row["in_all_databases"]


def change(database: Database, role: str, timeout: str | None, *, here: bool = False) -> None:
    database.execute(
        SQL("alter role {} {} {}").format(
            Identifier(role),
            SQL("in database {}").format(Identifier(database.info.dbname)) if here else SQL(""),
            SQL("reset statement_timeout")
            if timeout is None
            else SQL("set statement_timeout = {}").format(Literal(timeout)),
        )
    )


def findings(database: Database) -> list[tuple[str, str]]:
    rows = database.execute("select f.object, f.remediation from tenancy.check_cache_load() f")
    return [(row["object"], row["remediation"]) for row in rows]


def install(database: Database) -> None:
    database.execute("select tenancy.set_cache_load_timeout()")


def test_each_role_keeps_its_own_timeout_on_the_port_of_postgrest(
    server: Postgres, address: Address
) -> None:
    with separate_data_api(server, address) as api, Environment(api) as environment:

        def ask(person: Person, function: str, **arguments: Any) -> httpx.Response:
            return httpx.post(
                f"{api.postgrest_url}/rpc/{function}",
                headers=environment.headers(person),
                json=arguments,
                timeout=30,
            )

        environment.sql.execute(SHOW)
        callers = {
            "anon": environment.nobody,
            "authenticated": environment.person(),
            "service_role": environment.service,
        }
        until(lambda: ask(environment.service, "show_timeouts").status_code == 200)

        found = {role: ask(caller, "show_timeouts").json() for role, caller in callers.items()}
        slow = ask(environment.nobody, "nap", seconds=4)
        quick = ask(environment.nobody, "nap", seconds=0.1)

        # The session is the one in which PostgREST loads its schema cache.
        assert found == {
            "anon": {"request": "3s", "session": 60},
            "authenticated": {"request": "8s", "session": 60},
            "service_role": {"request": "8s", "session": 60},
        }
        assert (slow.status_code, slow.json()["code"]) == (500, "57014")
        assert quick.status_code == 204


def test_baseline_sets_both_and_a_repeat_changes_nothing(database: Database) -> None:
    before = database.execute("select * from pg_db_role_setting order by 1, 2").fetchall()
    assert timeouts(database, "authenticator") == ("60s", "8s")
    assert timeouts(database, "service_role") == (None, "8s")

    install(database)

    after = database.execute("select * from pg_db_role_setting order by 1, 2").fetchall()
    assert after == before
    assert findings(database) == []


@pytest.mark.parametrize(
    ("everywhere", "here"), [("8s", "20s"), ("20s", None), (None, None), ("8000ms", None)]
)
def test_timeout_of_the_owner_stays(
    database: Database, everywhere: str | None, here: str | None
) -> None:
    change(database, "authenticator", everywhere)
    change(database, "authenticator", here, here=True)
    change(database, "service_role", None)

    install(database)

    assert timeouts(database, "authenticator") == (here, everywhere)
    assert timeouts(database, "service_role") == (None, None)
    assert findings(database) == []


def test_role_of_the_project_keeps_the_timeout_that_it_had(database: Database) -> None:
    database.execute("create role reporting nologin; create role patient nologin")
    database.execute("grant reporting, patient to authenticator")
    change(database, "patient", "20s")
    assert findings(database) == [
        ("reporting", "alter role reporting set statement_timeout = '8s';")
    ]

    install(database)

    assert timeouts(database, "reporting") == (None, "8s")
    assert timeouts(database, "patient") == (None, "20s")
    assert findings(database) == []


def test_push_goes_on_without_the_privilege_and_the_doctor_says_the_lines(
    server: Postgres, url: str
) -> None:
    admin = make_conninfo(server.admin_url(), dbname=conninfo_to_dict(url)["dbname"])
    with psycopg.connect(admin, row_factory=dict_row) as database:
        notices: list[str | None] = []
        database.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        change(database, "authenticator", None, here=True)
        change(database, "service_role", None)
        database.execute("revoke authenticator from postgres")
        lines = [
            "alter role service_role set statement_timeout = '8s';",
            f"alter role authenticator in database {database.info.dbname}"
            " set statement_timeout = '60s';",
        ]
        database.execute("set local role postgres")

        install(database)

        assert timeouts(database, "authenticator") == (None, "8s")
        assert timeouts(database, "service_role") == (None, None)
        [warning] = notices
        assert warning is not None
        assert warning.endswith(f"As a role that may: {' '.join(lines)}")
        assert [remedy for _, remedy in findings(database)] == lines
        # The positive control: a role that may runs these lines.
        database.execute("reset role")
        for line in lines:
            database.execute(line.encode())
        assert timeouts(database, "authenticator") == ("60s", "8s")
        assert findings(database) == []
        database.rollback()
