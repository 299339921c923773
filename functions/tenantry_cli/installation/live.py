"""What `tenantry init`, `upgrade` and `uninstall` ask the database of a project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from tenantry_cli.database import open_database
from tenantry_cli.errors import TenantryError, as_sentence
from tenantry_cli.installation.own_objects import OwnObject
from tenantry_cli.target import DB_URL_NAMES

# As the baseline itself looks: each table and each view has a type of its name.
_OBJECTS = """
    select
        case c.relkind
            when 'r' then 'table' when 'p' then 'table' when 'v' then 'view'
            when 'm' then 'materialized view' when 'f' then 'foreign table' else 'type'
        end,
        'public', t.typname
    from pg_catalog.pg_type t
    left join pg_catalog.pg_class c on c.oid = t.typrelid
    where t.typnamespace = 'public'::regnamespace
    union
    select 'function', 'public', p.proname
    from pg_catalog.pg_proc p
    where p.pronamespace = 'public'::regnamespace
    union
    select 'index', 'public', c.relname
    from pg_catalog.pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('i', 'I')
    union
    select 'schema', '', n.nspname
    from pg_catalog.pg_namespace n
"""
_SETTING = """
    select substr(c.entry, length(%(name)s) + 2)
    from pg_catalog.pg_db_role_setting s
    cross join unnest(s.setconfig) c (entry)
    where s.setrole = to_regrole('authenticator')
        and s.setdatabase in (
            0, (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
        )
        and starts_with(c.entry, %(name)s || '=')
    order by s.setdatabase desc
    limit 1
"""


class Live:
    """A session that reads the catalog."""

    def __init__(self, session: psycopg.Connection[Any], *, is_emulator: bool) -> None:
        self._session = session
        self.is_emulator = is_emulator

    @property
    def place(self) -> str:
        """The word for the database in a sentence."""
        return "emulator" if self.is_emulator else "database"

    @property
    def major_version(self) -> int:
        return self._session.info.server_version // 10_000

    def objects(self) -> list[OwnObject]:
        rows = self._session.execute(_OBJECTS)
        return [
            OwnObject(kind, schema, name, f"in the {self.place}") for kind, schema, name in rows
        ]

    def setting(self, name: str) -> str | None:
        """A setting of PostgREST on its role."""
        return self._value(_SETTING, {"name": name})

    def applied_versions(self) -> set[str]:
        """The versions in the history of the Supabase CLI."""
        if self._value("select to_regclass('supabase_migrations.schema_migrations')") is None:
            return set()
        rows = self._session.execute(
            "select version from supabase_migrations.schema_migrations"
        )
        return {str(row[0]) for row in rows}

    def release(self) -> str | None:
        """The release of Tenantry in the database; None if there is none."""
        if self._value("select to_regprocedure('tenancy.release()')::text") is None:
            return None
        return self._value("select tenancy.release()")

    def has_tenantry(self) -> bool:
        found = self._value("select to_regclass('tenancy.tenant_migrations')::text")
        return found is not None

    def tenants(self) -> list[str]:
        if not self.has_tenantry():
            return []
        rows = self._session.execute("select schema_name from public.tenants order by 1")
        return [str(row[0]) for row in rows]

    def _value(self, query: str, values: dict[str, str] | None = None) -> str | None:
        row = self._session.execute(query.encode(), values).fetchone()
        return None if row is None else row[0]


@contextmanager
def live(db_url: str, *, is_emulator: bool) -> Iterator[Live]:
    with open_database(db_url, autocommit=True) as session:
        session.read_only = True
        try:
            yield Live(session, is_emulator=is_emulator)
        except psycopg.Error as error:
            raise TenantryError(
                f"The database, given as {DB_URL_NAMES}, refused a query: "
                f"{as_sentence(str(error))} Give the URL of the user postgres."
            ) from error
