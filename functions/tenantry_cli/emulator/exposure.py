"""The schemas that `api.schemas` in supabase/config.toml exposes, as the database has them."""

from collections.abc import Sequence

import psycopg


def exposed(schemas: Sequence[str], database_url: str) -> tuple[list[str], list[str]]:
    """The schemas that the Data API can serve, and a sentence on those that it cannot.

    One missing schema would close the whole Data API.
    """
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "select nspname from pg_namespace where nspname = any (%s)", [list(schemas)]
        ).fetchall()
    present = [schema for schema in schemas if (schema,) in found]
    missing = [schema for schema in schemas if schema not in present]
    if not missing:
        return present, []
    return present, [
        f"supabase/config.toml exposes {', '.join(missing)} in api.schemas, and no migration "
        "creates it. The Data API serves the other schemas. Start the emulator again once a "
        "migration creates it."
    ]


def unlisted(schemas: Sequence[str], database_url: str) -> list[str]:
    """A sentence on the schemas that are missing in the list of a database with Tenantry."""
    with psycopg.connect(database_url) as connection:
        known = "select to_regprocedure('tenancy.exposed_schemas()')"
        if connection.execute(known).fetchone() == (None,):
            return []
        found = connection.execute(
            "select n.nspname, format('select tenancy.expose_schema(%%L);', n.nspname)"
            " from pg_namespace n"
            " where n.nspname = any (%s) and n.nspname <> all (tenancy.exposed_schemas())"
            " order by n.nspname",
            [list(schemas)],
        ).fetchall()
    if not found:
        return []
    return [
        f"supabase/config.toml exposes {', '.join(name for name, _ in found)} in api.schemas. "
        "The list in the database decides, and does not have it. Put this into a migration: "
        f"{' '.join(call for _, call in found)}"
    ]
