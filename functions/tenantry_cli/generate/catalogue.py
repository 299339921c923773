"""catalogue.json: the operations, read from the RPCs of `sql/` and the comments on them."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

import tenantry
from tenantry.catalogue import CALLERS, CatalogueEntry, Parameter
from tenantry.errors import ERROR_CODES
from tenantry_cli.errors import TenantryError
from tenantry_cli.project import Project
from tenantry_cli.sources import apply_sources, source_texts

_RPCS = """
    select p.proname as name, p.provolatile <> 'v' as is_stable, p.proretset as returns_set,
        format_type(p.prorettype, null) as returns,
        coalesce(obj_description(p.oid, 'pg_proc'), '') as comment,
        coalesce(arguments.parameters, '[]') as parameters
    from pg_catalog.pg_proc p
    cross join lateral (
        select json_agg(json_build_object(
            'name', a.name,
            'type', format_type(a.type, null),
            'default', pg_get_function_arg_default(p.oid, a.position::integer)
        ) order by a.position) as parameters
        from unnest(p.proargnames[:p.pronargs], p.proargtypes::oid[])
            with ordinality a (name, type, position)
    ) arguments
    where p.pronamespace = 'public'::regnamespace
"""
# All that the signature of an RPC depends on. The files that give the grants follow from the
# RPCs, so they cannot be among these.
_DECLARING = (
    "sql/00_schemas",
    "sql/05_enums/",
    "sql/06_records/",
    "sql/10_tables/",
    "sql/30_rpc/",
)
_COMMENT = re.compile(
    r"(?P<summary>[^.]+\.)(?: (?P<description>.+))?"
    r" Callers: (?P<callers>[^.]+)\. Errors: (?P<errors>[^.]+)\.",
)


def read_catalogue(
    project: Project, sources: Mapping[str, str], database_url: str
) -> list[CatalogueEntry]:
    """Every RPC of `sql/30_rpc`, sorted by group and name. The database stays empty."""
    with psycopg.connect(database_url, row_factory=dict_row) as session:
        declaring = (each for each in source_texts(project) if each[0].startswith(_DECLARING))
        apply_sources(session, declaring)
        # PostgreSQL then prints Tenantry's types with their schema.
        session.execute("set search_path = ''")
        found = {row["name"]: row for row in session.execute(_RPCS.encode())}
        session.rollback()
    if unknown := found.keys() ^ sources.keys():
        raise TenantryError(
            f"{', '.join(sorted(unknown))}: a file of sql/30_rpc declares the one function "
            "that the file is named after."
        )
    return [_entry(found[name], source) for name, source in sources.items()]


def catalogue_text(entries: list[CatalogueEntry]) -> str:
    return json.dumps([asdict(entry) for entry in entries], indent=2, ensure_ascii=False) + "\n"


def operation_sources(project: Project) -> Mapping[str, str]:
    """The path of each RPC's file, by the function's name."""
    folder = project.root / "sql" / "30_rpc"
    files = sorted(folder.rglob("*.sql"), key=Path.as_posix)
    groups = _groups()
    for file in files:
        if file.relative_to(folder).parent.as_posix() not in groups:
            raise TenantryError(
                f"{file.relative_to(project.root)}: the folder of an RPC is its group, one of "
                f"{', '.join(groups)}. A new group gets a module in functions/tenantry first."
            )
    return {file.stem: file.relative_to(project.root).as_posix() for file in files}


def _groups() -> list[str]:
    """The modules of functions/tenantry that declare a group.

    They are not imported: each needs the catalogue, which may lack a new operation.
    """
    modules = sorted(Path(tenantry.__file__).parent.glob("*.py"))
    return [file.stem for file in modules if "\nGROUP = Group(" in file.read_text()]


def _entry(row: Mapping[str, Any], source: str) -> CatalogueEntry:
    comment = _COMMENT.fullmatch(row["comment"])
    if comment is None:
        raise TenantryError(
            f"{source}: a comment is '<Summary.> <More sentences.> Callers: <who>. "
            "Errors: <codes>.'."
        )
    callers = tuple(comment["callers"].split(", "))
    if unknown := set(callers) - set(CALLERS):
        raise TenantryError(
            f"{source}: unknown callers {', '.join(sorted(unknown))}. Callers are "
            f"{', '.join(CALLERS)}."
        )
    errors = tuple(comment["errors"].split(", "))
    if unknown := set(errors) - {error.code for error in ERROR_CODES}:
        raise TenantryError(
            f"{source}: unknown errors {', '.join(sorted(unknown))}. A new code gets a row in "
            "functions/tenantry/errors.py first."
        )
    return CatalogueEntry(
        name=row["name"],
        group=source.split("/")[2].replace("_", "-"),
        parameters=tuple(Parameter(**parameter) for parameter in row["parameters"]),
        returns=row["returns"],
        returns_set=row["returns_set"],
        is_stable=row["is_stable"],
        summary=comment["summary"],
        description=comment["description"] or "",
        callers=callers,
        errors=errors,
        source=source,
    )
