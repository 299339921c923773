"""The schemas that supabase/config.toml exposes, and the list in the database."""

from __future__ import annotations

import re

import psycopg

from tenantry_cli.emulator.exposure import unlisted


def test_schema_that_the_list_in_the_database_lacks_is_named(other_project: str) -> None:
    names = ("public", "o'hara", "planned")
    with psycopg.connect(other_project, autocommit=True) as session:
        session.execute('create schema "o\'hara"')

        [sentence] = unlisted(names, other_project)

        assert "exposes o'hara in api.schemas. The list in the database decides" in sentence
        [call] = re.findall(r"select tenancy\..*;", sentence)
        session.execute(call.encode())
    assert unlisted(names, other_project) == []


def test_list_counts_only_with_tenantry(empty_project: str) -> None:
    with psycopg.connect(empty_project, autocommit=True) as session:
        session.execute("create schema late")

    assert unlisted(("public", "late"), empty_project) == []
