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
_TABLES = ("operations", "errors")
_BEGIN = "<!-- tenantry generate:"
_END = "<!-- end -->"
_SECTION = re.compile(rf"({_BEGIN} ([\w-]+) -->\n)((?:(?!{_BEGIN}).)*?)({_END})", re.DOTALL)


def marked_readmes(project: Project) -> Mapping[Path, str]:
    """The present text of each README that has markers. Refuses a damaged marker."""
    texts = {}
    for file in (project.root / readme for readme in _READMES):
        if file.exists() and (_BEGIN in (text := file.read_text()) or _END in text):
            _require_valid_markers(file.name, text)
            texts[file] = text
    return texts


def with_tables(
    readmes: Mapping[Path, str], entries: Iterable[CatalogueEntry]
) -> Mapping[Path, str]:
    """The texts of the READMEs with new tables."""
    tables = dict(zip(_TABLES, (operations_table(entries), errors_table()), strict=True))
    return {
        file: _SECTION.sub(
            lambda section: f"{section[1]}\n{tables[section[2]]}\n{section[4]}", text
        )
        for file, text in readmes.items()
    }


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
    # A bar in a cell would begin another cell.
    cells = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def _require_valid_markers(name: str, text: str) -> None:
    sections = _SECTION.findall(text)
    for _, table, _, _ in sections:
        if table not in _TABLES:
            raise TenantryError(
                f"{name}: there is no generated table {table}, only {', '.join(_TABLES)}."
            )
    # A section without its end would reach to the end of the next one, and the text between
    # them would be lost.
    if not len(sections) == text.count(_BEGIN) == text.count(_END):
        raise TenantryError(
            f"{name}: a marker of a generated table is damaged. Each table stands between "
            f"`{_BEGIN} NAME -->` and `{_END}`, each on a line of its own."
        )
