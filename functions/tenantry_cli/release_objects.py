"""The objects of Tenantry: those of the installed release, and those that a database has.

An object is named as in SQL, `function tenancy.release()`. Its parts, such as `owner`, `body`
or `column id`, are texts; of a long text there is only a hash.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

Objects = Mapping[str, Mapping[str, str]]

_FOLDER = Path(__file__).parent / "release"
OBJECTS_FILE = Path("tenantry_cli", "release", "objects.json")
HASHED = "sha256 "
_PUBLIC = re.compile(r"[a-z ]+ public\.(\w+)")
# PostgreSQL prints names and values of columns as these say.
_PRINTING = {
    "search_path": "",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}


@dataclass(frozen=True)
class ReleasedObjects:
    """The file that `tenantry generate` writes."""

    version: str
    objects: Objects

    @property
    def names_in_public(self) -> set[str]:
        found = (_PUBLIC.match(name) for name in self.objects)
        return {match[1] for match in found if match is not None}


def released_objects() -> ReleasedObjects:
    content = json.loads((_FOLDER / "objects.json").read_text())
    return ReleasedObjects(content["release"], content["objects"])


def present_objects(
    session: psycopg.Connection[Any], names_in_public: Iterable[str]
) -> Objects:
    """What the database has in `tenancy`, and by these names in `public`.

    It changes settings of the session until the end of the transaction.
    """
    for name, value in _PRINTING.items():
        session.execute("select set_config(%s, %s, true)", (name, value))
    query = (_FOLDER / "objects.sql").read_text()
    objects: dict[str, dict[str, str]] = {}
    with psycopg.RawCursor(session, row_factory=psycopg.rows.tuple_row) as cursor:
        for name, part, content in cursor.execute(query, [sorted(names_in_public)]):
            parts = objects.setdefault(name, {})
            if part is not None:
                parts[part] = content
    return objects
