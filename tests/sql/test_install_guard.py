"""`tenancy.install_guard`: the guard beside a pre-request function of the project."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row, tuple_row
from psycopg.sql import SQL, Composed, Identifier

from support.databases import complete_database
from tenantry_cli.doctor.release import examine_release
from tenantry_cli.emulator.postgres import Postgres

Database = psycopg.Connection[dict[str, Any]]

HERE, EVERYWHERE = "this database", "all databases"


@pytest.fixture(scope="module")
def url(server: Postgres) -> Iterator[str]:
    """A database of this module, with the tenant acme."""
    with complete_database(server) as name:
        url = server.url(name)
        with psycopg.connect(url) as connection:
            connection.execute("select public.create_tenant_schema('acme')")
            connection.execute("create schema app")
            connection.execute("grant usage on schema app to anon, authenticated, service_role")
        yield url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A session that is rolled back: a setting for all databases reaches no other test."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        yield connection
        connection.rollback()


def declare(database: Database, name: str, body: str = "", options: str = "") -> None:
    """A pre-request function, which tells its calls by a notice, as no rollback undoes it."""
    database.execute(
        SQL("create or replace function {}() returns void language plpgsql {} as {}").format(
            identifier(name),
            SQL(options),
            f"begin raise notice '{name}'; {body} end",
        )
    )


def configure(database: Database, setting: str, name: str | None) -> None:
    """Sets the pre-request function as the project does, or removes the setting."""
    role = Composed([SQL("alter role authenticator ")])
    if setting == HERE:
        role += SQL("in database {} ").format(Identifier(database.info.dbname))
    change = (
        SQL("reset pgrst.db_pre_request")
        if name is None
        else SQL("set pgrst.db_pre_request = {}").format(name)
    )
    database.execute(role + change)


def install(database: Database) -> None:
    database.execute("select tenancy.install_guard()")


def installed(database: Database) -> str | None:
    (name,) = one(
        database,
        "select coalesce(in_this_database, in_all_databases)"
        " from tenancy.pre_request_settings()",
    )
    return None if name is None else str(name)


def found(database: Database) -> tuple[Any, ...]:
    return one(database, "select function_name, setting from tenancy.find_pre_request()")


def request(
    database: Database,
    schema_name: str,
    role: str = "authenticated",
    extra: tuple[str, ...] = ("public", "extensions"),
) -> tuple[list[str | None], str | None]:
    """The calls that a stranger's request leads to, and the code with which it is refused."""
    called: list[str | None] = []
    name = installed(database)
    assert name is not None
    note = lambda notice: called.append(notice.message_primary)  # noqa: E731
    database.add_notice_handler(note)
    try:
        with database.transaction(force_rollback=True):
            database.execute(SQL("set local role {}").format(Identifier(role)))
            database.execute(
                SQL("set local search_path = {}").format(
                    SQL(", ").join(map(Identifier, (schema_name, *extra)))
                )
            )
            database.execute(SQL("select {}()").format(identifier(name)))
    except psycopg.Error as error:
        return called, error.diag.message_detail or error.diag.message_primary
    finally:
        database.remove_notice_handler(note)
    return called, None


def identifier(name: str) -> Identifier:
    """The function as PostgREST takes the setting."""
    return Identifier(*name.split(".", 1))


def one(database: Database, query: str) -> tuple[Any, ...]:
    row = database.execute(query.encode()).fetchone()
    assert row is not None
    return tuple(row.values())


@pytest.mark.parametrize("setting", [HERE, EVERYWHERE])
@pytest.mark.parametrize("name", ["app.check", "app.checkRequest", "app.check.all", "check"])
def test_project_function_runs_before_the_guard(
    database: Database, name: str, setting: str
) -> None:
    declare(database, name)
    configure(database, HERE, None)
    configure(database, setting, name)

    install(database)

    assert installed(database) == "tenancy.pre_request"
    assert request(database, "acme") == ([name], "not_authenticated")
    assert request(database, "public") == ([name], None)
    assert found(database) == (name, setting)


def test_project_function_that_refuses_is_obeyed(database: Database) -> None:
    declare(database, "app.check", "raise exception 'Maintenance.';")
    configure(database, HERE, "app.check")
    install(database)

    assert request(database, "public") == (["app.check"], "Maintenance.")


@pytest.mark.parametrize("path", ["public", "", "app, pg_catalog"])
def test_search_path_of_the_project_function_does_not_mislead_the_guard(
    database: Database, path: str
) -> None:
    declare(database, "app.check", f"perform set_config('search_path', '{path}', true);")
    configure(database, HERE, "app.check")
    install(database)

    assert request(database, "acme") == (["app.check"], "not_authenticated")


# PostgREST puts the extra schemas of the project behind that of the request. One that comes
# before pg_catalog may hold objects with the names of built-in ones.
HOSTILE = """
create schema hostile;
grant usage on schema hostile to public;
create function hostile.btrim(text, text) returns text language sql as $$ select 'public' $$;
create function hostile.split_part(text, text, integer) returns text
    language sql as $$ select 'public' $$;
create function hostile.current_setting(text) returns text
    language sql as $$ select 'public' $$;
create domain hostile.text as pg_catalog.text check (value <> 'acme');
"""


@pytest.mark.parametrize("name", [None, "app.check"])
def test_extra_schema_before_the_built_in_one_does_not_mislead_the_guard(
    database: Database, name: str | None
) -> None:
    if name is not None:
        declare(database, name)
    configure(database, HERE, name)
    install(database)
    called = [] if name is None else [name]
    extra = ("hostile", "pg_catalog")
    database.execute(HOSTILE)

    assert request(database, "acme", extra=extra) == (called, "not_authenticated")
    assert request(database, "public", extra=extra) == (called, None)


def test_made_function_calls_no_function_by_an_unqualified_name(database: Database) -> None:
    """It has no `set search_path`."""
    declare(database, "app.check")
    configure(database, HERE, "app.check")
    install(database)

    row = database.execute(
        "select prosrc from pg_proc where oid = 'tenancy.pre_request()'::regprocedure"
    ).fetchone()
    assert row is not None
    unqualified = r"(?<![.\w\"])(?!exists\b)[a-z_]+(?=\()|(?<![.\w\"])text\b"
    assert re.findall(unqualified, re.sub("--.*", "", row["prosrc"])) == []


def test_installing_twice_changes_nothing(database: Database) -> None:
    def state() -> tuple[Any, ...]:
        return one(
            database,
            """
            select p.prosrc, p.proacl::text, obj_description(p.oid, 'pg_proc'), s::text
            from pg_proc p, tenancy.pre_request_settings() s
            where p.oid = to_regprocedure('tenancy.pre_request()')
            """,
        )

    declare(database, "app.check")
    configure(database, HERE, "app.check")
    install(database)
    before = state()
    install(database)

    assert state() == before
    assert found(database) == ("app.check", HERE)


def test_api_roles_alone_may_execute_what_is_installed(database: Database) -> None:
    declare(database, "app.check")
    configure(database, HERE, "app.check")
    install(database)

    grantees = one(
        database,
        "select array_agg(distinct a.grantee::regrole::text order by a.grantee::regrole::text)"
        " from pg_proc p cross join aclexplode(p.proacl) a"
        " where p.oid = 'tenancy.pre_request()'::regprocedure",
    )
    assert grantees == (["anon", "authenticated", "postgres", "service_role"],)


def test_project_function_that_calls_the_guard_is_left_alone(database: Database) -> None:
    declare(database, "app.check", "perform tenancy.guard_request();")
    configure(database, HERE, "app.check")

    install(database)

    assert installed(database) == "app.check"
    assert request(database, "acme") == (["app.check"], "not_authenticated")


def test_guard_behind_another_search_path_does_not_count(database: Database) -> None:
    declare(
        database, "app.check", "perform tenancy.guard_request();", "set search_path = public"
    )
    configure(database, HERE, "app.check")
    assert request(database, "acme") == (["app.check"], None)

    install(database)

    assert installed(database) == "tenancy.pre_request"
    assert request(database, "acme") == (["app.check"], "not_authenticated")


@pytest.mark.parametrize("name", ["app.missing", "missing", "App.check", "auth.users"])
def test_missing_project_function_is_named(database: Database, name: str) -> None:
    declare(database, "app.check")
    configure(database, HERE, name)

    with pytest.raises(psycopg.errors.UndefinedFunction) as failure:
        install(database)

    assert f"{name}, does not exist" in str(failure.value)
    assert "Create it, or remove its setting" in str(failure.value)


def test_callers_whom_the_project_function_excludes_are_named(database: Database) -> None:
    declare(database, "app.check")
    database.execute("revoke execute on function app.check() from public")
    database.execute("grant execute on function app.check() to authenticated")
    configure(database, HERE, "app.check")
    warnings: list[str | None] = []
    database.add_notice_handler(lambda notice: warnings.append(notice.message_primary))

    install(database)

    assert len(warnings) == 1
    assert "app.check, cannot be executed by anon and service_role." in (warnings[0] or "")
    assert request(database, "acme") == (["app.check"], "not_authenticated")


def test_another_function_of_the_project_replaces_the_first_one(database: Database) -> None:
    for name in ("app.first", "app.second", "app.third"):
        declare(database, name)
    configure(database, HERE, None)
    configure(database, EVERYWHERE, "app.first")
    install(database)

    configure(database, EVERYWHERE, "app.second")
    install(database)
    assert request(database, "acme") == (["app.second"], "not_authenticated")

    configure(database, HERE, "app.third")
    assert request(database, "acme") == (["app.third"], None)
    install(database)
    assert request(database, "acme") == (["app.third"], "not_authenticated")
    # As before the installation: the setting of this database overrides the other one.
    assert found(database) == ("app.third", HERE)


def test_project_without_a_function_has_the_guard_alone(database: Database) -> None:
    assert installed(database) == "tenancy.guard_request"
    declare(database, "app.check")

    configure(database, EVERYWHERE, "app.check")
    install(database)
    configure(database, EVERYWHERE, None)
    install(database)
    assert (installed(database), found(database)) == ("tenancy.guard_request", (None, None))

    configure(database, HERE, "app.check")
    install(database)
    database.execute("drop function tenancy.pre_request()")
    install(database)
    assert (installed(database), found(database)) == ("tenancy.guard_request", (None, None))
    assert request(database, "acme") == ([], "not_authenticated")


def test_function_whose_setting_was_lost_is_installed_again(database: Database) -> None:
    declare(database, "app.check")
    configure(database, HERE, "app.check")
    install(database)

    configure(database, HERE, None)
    install(database)

    assert request(database, "acme") == (["app.check"], "not_authenticated")


def test_changed_function_whose_setting_was_lost_is_no_reason_to_trust_it(
    database: Database,
) -> None:
    declare(database, "app.check")
    configure(database, HERE, "app.check")
    install(database)

    declare(database, "app.check", "perform tenancy.guard_request();")
    configure(database, HERE, None)
    install(database)

    assert installed(database) == "tenancy.pre_request"


def test_guard_in_a_body_of_standard_sql_counts(database: Database) -> None:
    database.execute(
        "create function app.check() returns void language sql"
        " begin atomic select tenancy.guard_request(); end"
    )
    configure(database, HERE, "app.check")

    install(database)

    assert installed(database) == "app.check"


def test_empty_setting_names_no_function(database: Database) -> None:
    configure(database, HERE, "")

    assert found(database) == (None, None)
    install(database)
    assert installed(database) == "tenancy.guard_request"


def test_function_of_ours_goes_with_that_of_the_project(database: Database) -> None:
    declare(database, "app.check")
    configure(database, HERE, None)
    configure(database, EVERYWHERE, "app.check")
    install(database)
    present = "select to_regprocedure('tenancy.pre_request()')::text"
    assert one(database, present) == ("tenancy.pre_request()",)

    configure(database, EVERYWHERE, None)
    install(database)

    assert one(database, present) == (None,)


def test_caller_who_cannot_use_the_schema_is_named(database: Database) -> None:
    declare(database, "app.check")
    database.execute("revoke usage on schema app from anon")
    configure(database, HERE, "app.check")
    warnings: list[str | None] = []
    database.add_notice_handler(lambda notice: warnings.append(notice.message_primary))

    install(database)

    assert ["cannot be executed by anon." in (text or "") for text in warnings] == [True]


@pytest.mark.parametrize(
    ("definitions", "name", "function"),
    [
        (["function app.f(a int)"], "app.f", None),
        (["function app.f(a int default 1)"], "app.f", "app.f(integer)"),
        (["function app.f(a int default 1)", "function app.f()"], "app.f", "app.f()"),
        (["procedure app.f()"], "app.f", None),
        (["function extensions.f()"], "f", "extensions.f()"),
        (["function extensions.f()", "function public.f()"], "f", "public.f()"),
        (["function app.f()"], "f", None),
    ],
)
def test_function_is_the_one_that_the_data_api_calls(
    database: Database, definitions: list[str], name: str, function: str | None
) -> None:
    for definition in definitions:
        returns = "" if definition.startswith("procedure") else "returns void"
        statement = f"create {definition} {returns} language sql as ''"
        database.execute(statement.encode())

    database.execute("set local search_path = ''")
    resolved = "select tenancy.resolve_pre_request(%s)::regprocedure::text"
    with database.cursor(row_factory=tuple_row) as cursor:
        assert cursor.execute(resolved, (name,)).fetchone() == (function,)


@pytest.mark.parametrize("name", [None, "public.check"])
def test_role_of_the_project_passes_the_guard_and_reaches_no_tenant(
    database: Database, name: str | None
) -> None:
    database.execute("create role shop_manager")
    database.execute("grant shop_manager to authenticator, current_user")
    database.execute("create role shop_reader; grant anon to shop_reader")
    database.execute("create role shop_owner")
    database.execute("grant shop_reader to authenticator")
    if name is not None:
        declare(database, name)
        configure(database, HERE, name)
    assert without_guard(database) == ["shop_manager"]

    install(database)

    assert without_guard(database) == []
    called = [] if name is None else [name]
    assert request(database, "public", "shop_manager") == (called, None)
    assert request(database, "acme", "shop_manager") == (called, "not_authenticated")
    privilege = "select has_schema_privilege('shop_owner', 'tenancy', 'usage')"
    assert one(database, privilege) == (False,)
    assert examine_release(database) == []


def without_guard(database: Database) -> list[str]:
    query = "select name from tenancy.roles_without_guard() r (name)"
    return [row["name"] for row in database.execute(query)]


def test_data_api_is_told(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("listen pgrst")
        session.execute("select tenancy.install_guard()")
        notices = session.notifies(timeout=10, stop_after=1)
        assert [notice.payload for notice in notices] == ["reload config"]


def test_installing_waits_for_whoever_changes_the_settings(
    database: Database, url: str
) -> None:
    database.execute("set local lock_timeout = '100ms'")
    with psycopg.connect(url) as other:
        other.execute("select tenancy.lock_exposure()")
        with pytest.raises(psycopg.errors.LockNotAvailable), database.transaction():
            install(database)

    install(database)
