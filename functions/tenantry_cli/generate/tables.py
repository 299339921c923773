"""The tables of operations and of errors, between markers in the READMEs."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from tenantry.catalogue import CatalogueEntry
from tenantry.errors import ERROR_CODES
from tenantry_cli.errors import TenantryError
from tenantry_cli.project import Project

_READMES = (
    "README.md",
    "functions/README.md",
    "sql/README.md",
    "supabase/README.md",
    "tests/README.md",
)
_SECTION = re.compile(r"(<!-- tenantry generate: ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def readme_texts(project: Project, entries: Iterable[CatalogueEntry]) -> Mapping[Path, str]:
    """The text of each README that has markers, with new tables."""
    tables = {"operations": operations_table(entries), "errors": errors_table()}
    texts = {}
    for file in (project.root / readme for readme in _READMES):
        if file.exists() and _SECTION.search(file.read_text()):
            texts[file] = _filled(file, tables)
    return texts


def operations_table(entries: Iterable[CatalogueEntry]) -> str:
    rows = [
        (f"`{entry.group}`", f"`{entry.name}`", ", ".join(entry.callers), entry.summary)
        for entry in entries
    ]
    return _table(("group", "operation", "who may call", "what it does"), rows)


def errors_table() -> str:
    rows = [
        (str(error.status), f"`{error.code}`", error.when, error.remedy)
        for error in ERROR_CODES
    ]
    return _table(("status", "code", "when", "what to do"), rows)


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _filled(file: Path, tables: Mapping[str, str]) -> str:
    def replaced(section: re.Match[str]) -> str:
        begin, name, _, end = section.groups()
        if name not in tables:
            raise TenantryError(
                f"{file.name}: there is no generated table {name}, only {', '.join(tables)}."
            )
        return f"{begin}\n{tables[name]}\n{end}"

    return _SECTION.sub(replaced, file.read_text())
