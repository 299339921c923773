"""The objects that the migrations of a project leave in its database, read from their SQL."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tenantry_cli.migration_files import text_of

# A quoted identifier stays; a comment, a text and the body of a routine or of a tenant
# migration go.
_OPAQUE = re.compile(
    r"""(?P<identifier>"(?:[^"]|"")*")
    | --[^\n]* | /\*.*?\*/
    | \b[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*'
    | (?<![\w$])(?P<tag>\$(?:[^\W\d]\w*)?\$).*?(?P=tag)""",
    re.DOTALL | re.VERBOSE,
)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_PART = r'(?:"(?:[^"]|"")*"|[^\W\d][\w$]*)'
_NAME = rf"(?:(?P<schema>{_PART})\s*\.\s*)?(?P<name>{_PART})"
_KINDS = (
    r"(?:materialized\s+|foreign\s+)?(?:table|view)|type|domain|sequence|function"
    r"|procedure|aggregate|schema"
)
_KIND = rf"(?P<kind>{_KINDS}|index)"
_CREATE = re.compile(
    rf"create\s+(?:or\s+replace\s+)?(?:unlogged\s+|recursive\s+)?(?P<kind>{_KINDS})\s+"
    rf"(?:if\s+not\s+exists\s+)?{_NAME}",
    re.IGNORECASE,
)
# An index lies in the schema of its table.
_INDEX = re.compile(
    rf"create\s+(?:unique\s+)?index\s+(?:concurrently\s+)?(?:if\s+not\s+exists\s+)?"
    rf"(?P<index>{_PART})\s+on\s+(?:only\s+)?{_NAME}",
    re.IGNORECASE,
)
# The index of a primary key that has no name of its own. It keeps its name when the table gets
# another one.
_PRIMARY_KEY = re.compile(rf"(?<!\w)(?:constraint\s+(?P<name>{_PART})\s+)?primary\s+key", re.I)
_RENAMED_CONSTRAINT = re.compile(
    rf"alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?(?:(?P<schema>{_PART})\s*\.\s*)?{_PART}"
    rf"\s+rename\s+constraint\s+(?P<name>{_PART})\s+to\s+(?P<new_name>{_PART})",
    re.IGNORECASE,
)
_ALTER = re.compile(
    rf"alter\s+{_KIND}\s+(?:if\s+exists\s+)?(?:only\s+)?{_NAME}\s*(?:\([^)]*\))?\s*"
    rf"(?:rename\s+to\s+(?P<new_name>{_PART})|set\s+schema\s+(?P<new_schema>{_PART}))",
    re.IGNORECASE,
)
_DROP = re.compile(
    rf"drop\s+{_KIND}\s+(?:concurrently\s+)?(?:if\s+exists\s+)?(?P<names>.*)", re.I | re.DOTALL
)
_DROPPED = re.compile(rf"{_NAME}\s*(?:\([^)]*\))?\s*(?:,|$|cascade\b|restrict\b)", re.I)
_ROUTINES = ("function", "procedure", "aggregate")
_PRE_REQUEST = re.compile(
    r"(?:\breset\s+pgrst\.db_pre_request|\bset\s+pgrst\.db_pre_request\s*(?:=|\bto\b)\s*"
    r"'+(?P<function>[\w.]*)')",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class OwnObject:
    kind: str
    schema: str
    name: str
    # Where it was found.
    place: str
    # Of an index.
    table: str = ""

    @property
    def title(self) -> str:
        full = self.name if self.kind == "schema" else f"{self.schema}.{self.name}"
        return f"{self.kind} {full} ({self.place})"


# Tables, indexes and types share their names, and routines have others.
_Key = tuple[str, str, str]


def own_objects(root: Path, files: Iterable[Path]) -> list[OwnObject]:
    """What the files create and do not drop again, in the order of the files."""
    found: dict[_Key, OwnObject] = {}
    for file in files:
        place = file.relative_to(root).as_posix()
        for statement in _statements(text_of(file)):
            _follow(statement, place, found)
    return list(found.values())


def pre_request_function(files: Iterable[Path]) -> str | None:
    """The function that the last of the files has the Data API call before each request."""
    last = None
    for file in files:
        for match in _PRE_REQUEST.finditer(_COMMENT.sub(" ", text_of(file))):
            last = match["function"]
    return last or None


def _statements(text: str) -> Iterator[str]:
    for statement in _OPAQUE.sub(lambda found: found["identifier"] or " ", text).split(";"):
        yield statement.strip()


def _follow(statement: str, place: str, found: dict[_Key, OwnObject]) -> None:
    if created := _INDEX.match(statement):
        table = _object(created, place, "table")
        index = OwnObject("index", table.schema, _plain(created["index"]), place, table.name)
        found[_key(index)] = index
    elif created := _CREATE.match(statement):
        own = _object(created, place, _kind(created))
        found[_key(own)] = own
        if own.kind == "table" and (keyed := _PRIMARY_KEY.search(statement)):
            name = _plain(keyed["name"]) if keyed["name"] else f"{own.name}_pkey"
            index = OwnObject("index", own.schema, name, place, own.name)
            found[_key(index)] = index
    elif renamed := _RENAMED_CONSTRAINT.match(statement):
        old = _object(renamed, place, "index")
        # The index of a key has the name of its constraint.
        if (keyed_by := found.pop(_key(old), None)) is not None:
            index = replace(keyed_by, name=_plain(renamed["new_name"]), place=place)
            found[_key(index)] = index
    elif altered := _ALTER.match(statement):
        own = _object(altered, place, _kind(altered))
        if (present := found.pop(_key(own), None)) is None:
            return
        new = replace(
            present,
            schema=_plain(altered["new_schema"]) if altered["new_schema"] else own.schema,
            name=_plain(altered["new_name"]) if altered["new_name"] else own.name,
            place=place,
        )
        found[_key(new)] = new
        for index in _indexes(found, own):
            del found[_key(index)]
            index = replace(index, schema=new.schema, table=new.name)
            found[_key(index)] = index
    elif dropped := _DROP.match(statement):
        for match in _DROPPED.finditer(dropped["names"]):
            own = _object(match, place, _kind(dropped))
            found.pop(_key(own), None)
            for index in _indexes(found, own):
                del found[_key(index)]
            if own.kind == "schema":
                for key in [key for key in found if key[1] == own.name]:
                    del found[key]


def _indexes(found: dict[_Key, OwnObject], table: OwnObject) -> list[OwnObject]:
    return [
        own
        for own in found.values()
        if own.table and (own.schema, own.table) == (table.schema, table.name)
    ]


def _object(match: re.Match[str], place: str, kind: str) -> OwnObject:
    # A name without a schema means public, unless the file changes its search_path.
    return OwnObject(kind, _plain(match["schema"] or "public"), _plain(match["name"]), place)


def _kind(match: re.Match[str]) -> str:
    return " ".join(match["kind"].lower().split())


def _plain(name: str) -> str:
    """The name as the catalog has it."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _key(own: OwnObject) -> _Key:
    if own.kind == "schema":
        return ("schema", "", own.name)
    return ("routine" if own.kind in _ROUTINES else "relation", own.schema, own.name)
