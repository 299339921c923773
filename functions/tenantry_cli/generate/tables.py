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
_BEGIN = "<!-- tenantry generate:"
_END = "<!-- end -->"
_SECTION = re.compile(rf"({_BEGIN} ([\w-]+) -->\n)((?:(?!{_BEGIN}).)*?)({_END})", re.DOTALL)


def readme_texts(project: Project, entries: Iterable[CatalogueEntry]) -> Mapping[Path, str]:
    """The text of each README that has markers, with new tables."""
    tables = {"operations": operations_table(entries), "errors": errors_table()}
    texts = {}
    for file in (project.root / readme for readme in _READMES):
        if file.exists() and (_BEGIN in (text := file.read_text()) or _END in text):
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
    # A bar in a cell would begin another cell.
    cells = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def _filled(file: Path, tables: Mapping[str, str]) -> str:
    def replaced(section: re.Match[str]) -> str:
        begin, name, _, end = section.groups()
        if name not in tables:
            raise TenantryError(
                f"{file.name}: there is no generated table {name}, only {', '.join(tables)}."
            )
        return f"{begin}\n{tables[name]}\n{end}"

    text, sections = _SECTION.subn(replaced, file.read_text())
    # A section without its end would reach to the end of the next one, and the text between
    # them would be lost.
    if not sections == text.count(_BEGIN) == text.count(_END):
        raise TenantryError(
            f"{file.name}: a marker of a generated table is damaged. Each table stands between "
            f"`{_BEGIN} NAME -->` and `{_END}`, each on a line of its own."
        )
    return text
