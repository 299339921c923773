"""Databases of tests in the server of the shared emulator."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from tenantry_cli.emulator.postgres import Postgres
from tenantry_cli.project import find_project
from tenantry_cli.sources import build_database

# A database with all migrations in the server of each port. The others are copies of it.
_COMPLETE: dict[int, str] = {}


@contextmanager
def empty_database(server: Postgres) -> Iterator[str]:
    """The name of a new database without migrations, which is dropped at the end."""
    name = _new_name()
    try:
        server.create_database(name)
        yield name
    finally:
        server.drop_database(name)


@contextmanager
def complete_database(server: Postgres) -> Iterator[str]:
    """The name of one with all migrations."""
    if server.port not in _COMPLETE:
        source = _new_name()
        build_database(find_project(), server.create_database(source))
        _COMPLETE[server.port] = source
    name = _new_name()
    try:
        server.create_database(name, _COMPLETE[server.port])
        _copy_role_settings(server, _COMPLETE[server.port], name)
        yield name
    finally:
        server.drop_database(name)


def _new_name() -> str:
    return f"test_{secrets.token_hex(6)}"


def _copy_role_settings(server: Postgres, source: str, target: str) -> None:
    """The settings of roles in a database, which `create database` does not copy."""
    with psycopg.connect(server.admin_url(target)) as session:
        settings = session.execute(
            "select s.setrole::regrole::text, split_part(c.setting, '=', 1),"
            " substr(c.setting, strpos(c.setting, '=') + 1)"
            " from pg_db_role_setting s"
            " join pg_database d on d.oid = s.setdatabase"
            " cross join unnest(s.setconfig) c (setting)"
            " where d.datname = %s",
            (source,),
        ).fetchall()
        for role, name, value in settings:
            session.execute(
                SQL("alter role {} in database {} set {} = {}").format(
                    Identifier(role), Identifier(target), SQL(name), Literal(value)
                )
            )
