"""Removing a tenant that a test has damaged, with what the damage has made outside it."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier


def remove_tenant(database: psycopg.Connection[dict[str, Any]], name: str) -> None:
    view, publication = Identifier("public", f"{name}_v"), Identifier(f"{name}_p")
    database.execute(SQL("drop view if exists {}").format(view))
    database.execute("select public.suspend_tenant(%s)", (name,))
    database.execute("select public.delete_tenant_schema(%s)", (name,))
    database.execute(SQL("drop publication if exists {}").format(publication))
