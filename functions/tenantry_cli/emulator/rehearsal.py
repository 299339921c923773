"""What the migrations and seeds of a project need, and the emulator lacks, by statement.

A rehearsal applies them in a database of its own, without the statements that need something
missing. Leaving one out may make others fail, so only a trial finds all of them.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import errors, sql

from tenantry_cli.configuration import Configuration
from tenantry_cli.emulator.postgres import Postgres
from tenantry_cli.migration_files import migrations_in, text_of

_TOKEN = re.compile(
    r"""
    --[^\n]* | /\*.*?\*/
    | [eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' | "(?:[^"]|"")*"
    | \$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?\$(?P=tag)\$
    | \bbegin\s+atomic\b.*?\bend\s*(?=;)
    | (?P<end>;)
    """,
    re.DOTALL | re.VERBOSE | re.IGNORECASE,
)
_BLANK = re.compile(r"(?:\s+|--[^\n]*|/\*.*?\*/)*", re.DOTALL)
# The rehearsal of a file is one transaction, as a push of it is.
_TRANSACTION = re.compile(r"(?:begin|start\s+transaction|commit|end|rollback)\b", re.IGNORECASE)
_NO_EXTENSION = re.compile(
    r'extension "(.+?)" is not available|permission denied to create extension "(.+?)"'
    r'|extension "(.+?)" has no installation script'
)
# What only an extension or a service creates. A project may have turned it on in the dashboard.
_OF_EXTENSIONS = re.compile(
    r"\b(?:(?:cron|net|http|pgmq|pgsodium|vault|realtime|graphql|storage|auth)\."
    r"|vector\b|halfvec\b|sparsevec\b|geography\b|geometry\b|http_\w+\()",
    re.IGNORECASE,
)
_MISSING = (
    *(errors.UndefinedTable, errors.UndefinedFunction, errors.UndefinedObject),
    *(errors.UndefinedColumn, errors.InvalidSchemaName),
)
# What fails where rows or a check are missing that were left out.
_CONSEQUENCES = (errors.RaiseException, errors.IntegrityError)
_AUTH_TRIGGER = re.compile(
    r"""
    drop\s+trigger\s+(?P<optional>if\s+exists\s+)?(?P<name>\w+|"[^"']+")
    \s+on\s+"?auth"?\s*\.\s*"?(?P<table>\w+)"?\s*(?:cascade|restrict)?\s*;?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_EVENT_TRIGGER = re.compile(r"(?:create|alter|drop)\s+event\s+trigger\b", re.IGNORECASE)
_SHOWN_CHARACTERS = 100


@dataclass(frozen=True)
class Statement:
    text: str
    start: int
    end: int
    line: int


@dataclass(frozen=True)
class LeftOut:
    """A statement that needs something which the emulator lacks."""

    file: str
    line: int
    statement: str
    reason: str

    @property
    def version(self) -> str:
        return Path(self.file).name.split("_")[0]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.statement}: {self.reason}"


@dataclass(frozen=True)
class Rehearsal:
    left_out: tuple[LeftOut, ...]
    # The files that have another text, because they lost statements or were adapted.
    replaced: dict[Path, str]
    # The statement that failed for another reason, if one did.
    failure: str = ""

    @property
    def list(self) -> str:
        return "\n".join(f"  {each}" for each in self.left_out)


def rehearse(postgres: Postgres, root: Path) -> Rehearsal:
    """Finds the statements of the project's pending files that need something missing."""
    with rehearsed(postgres, root) as (_, rehearsal):
        return rehearsal


@contextmanager
def rehearsed(
    postgres: Postgres, root: Path, *, seeds: bool = True
) -> Iterator[tuple[str, Rehearsal]]:
    """The URL of a database with the project's files, and what was left out of them.

    Ends at a statement that fails for another reason: a push says what is wrong with it.
    """
    adapted = adapted_files(root)
    files = {file: adapted.get(file) or text_of(file) for file in _files(root, seeds=seeds)}
    applied = _applied(postgres)
    left_out: list[LeftOut] = []
    replaced = dict(adapted)
    failure = ""
    with _database(postgres, "".join(files.values())) as url:
        with psycopg.connect(url) as connection:
            for file, text in files.items():
                # These begin the transaction, in which each statement gets a savepoint.
                connection.execute("reset all")
                connection.execute("reset role")
                kept = text
                for statement in statements(text):
                    try:
                        _try(connection, statement.text)
                        continue
                    except psycopg.Error as error:
                        problem = error
                    if _is_known_role(problem, statement.text):
                        continue
                    found = LeftOut(
                        str(file.relative_to(root)),
                        statement.line,
                        _shown(statement.text),
                        (problem.diag.message_primary or str(problem)).strip(),
                    )
                    if not _is_missing(problem, statement.text, bool(left_out)):
                        failure = str(found)
                        break
                    left_out.append(found)
                    # The lines keep their numbers.
                    gap = re.sub(r"[^\n]", " ", text[statement.start : statement.end])
                    kept = kept[: statement.start] + gap + kept[statement.end :]
                if kept != text:
                    replaced[file] = kept
                if failure:
                    break
                connection.commit()
        pending = (each for each in left_out if each.version not in applied)
        yield url, Rehearsal(tuple(pending), replaced, failure)


def adapted_files(root: Path) -> dict[Path, str]:
    """The migrations with statements that only hosted Supabase allows `postgres`, in other
    words."""
    adapted = {}
    for file in _files(root, seeds=False):
        text = kept = text_of(file)
        if not (_AUTH_TRIGGER.search(text) or _EVENT_TRIGGER.search(text)):
            continue
        for statement in reversed([*statements(text)]):
            if (call := _adapted(statement.text)) is not None:
                kept = kept[: statement.start] + call + kept[statement.end :]
        if kept != text:
            adapted[file] = kept
    return adapted


def _adapted(statement: str) -> str | None:
    """A call of a function that does the same. The lines keep their numbers."""
    if _EVENT_TRIGGER.match(statement):
        return f"select extensions.change_event_trigger($_${statement.rstrip('; ')}$_$);"
    if (found := _AUTH_TRIGGER.fullmatch(statement)) is None:
        return None
    name = found["name"].strip('"') if '"' in found["name"] else found["name"].lower()
    optional = "false" if found["optional"] is None else "true"
    lines = "\n" * statement.count("\n")
    return (
        f"select extensions.drop_auth_trigger('{name}', '{found['table'].lower()}', "
        f"{optional}){lines};"
    )


def statements(text: str) -> Iterator[Statement]:
    """The statements of a file, without the comments before each."""
    begin, counted, line = 0, 0, 1
    for token in (*_TOKEN.finditer(text), None):
        if token is not None and token["end"] is None:
            continue
        end = len(text) if token is None else token.end()
        blank = _BLANK.match(text, begin, end)
        start = begin if blank is None else blank.end()
        if text[start:end].strip(" \t\r\n;"):
            line, counted = line + text.count("\n", counted, start), start
            yield Statement(text[start:end], start, end, line)
        begin = end


def _try(connection: psycopg.Connection, statement: str) -> None:
    if _TRANSACTION.match(statement):
        return
    with connection.transaction():
        connection.execute(statement.encode())


def _is_known_role(error: psycopg.Error, statement: str) -> bool:
    """Roles belong to the whole server: an earlier push may have created this one."""
    return isinstance(error, errors.DuplicateObject) and (
        re.match(r"create\s+(?:role|user)\b", statement, re.IGNORECASE) is not None
    )


def _is_missing(error: psycopg.Error, statement: str, is_consequence: bool) -> bool:
    message = error.diag.message_primary or str(error)
    if _NO_EXTENSION.search(message):
        return True
    if is_consequence:
        return isinstance(error, (*_MISSING, *_CONSEQUENCES))
    # An ordinary mistake of a project is no missing extension.
    return (
        isinstance(error, _MISSING)
        and _OF_EXTENSIONS.search(f"{message} {statement}") is not None
    )


def _shown(statement: str) -> str:
    line = " ".join(statement.split()).rstrip("; ")
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[:_SHOWN_CHARACTERS]}…"


def _files(root: Path, *, seeds: bool) -> Iterator[Path]:
    """The migrations in their order, and the seeds."""
    told = Configuration.read(root / "supabase" / "config.toml")
    if told.has_migrations:
        yield from migrations_in(root / "supabase" / "migrations")
    if seeds and told.has_seed:
        for pattern in told.seed_paths:
            # `./seeds/*.sql` and `../seeds/*.sql`.
            steps = pattern.split("/")
            folder = root / "supabase"
            while steps and steps[0] in (".", ".."):
                folder = folder.parent if steps.pop(0) == ".." else folder
            yield from sorted(folder.glob("/".join(steps)))


def _applied(postgres: Postgres) -> set[str]:
    """The versions of the migrations that the emulator has."""
    history = "supabase_migrations.schema_migrations"
    with psycopg.connect(postgres.url()) as connection:
        if connection.execute("select to_regclass(%s)", [history]).fetchone() == (None,):
            return set()
        query = sql.SQL("select version from {}").format(sql.Identifier(*history.split(".")))
        return {version for (version,) in connection.execute(query)}


@contextmanager
def _database(postgres: Postgres, text: str) -> Iterator[str]:
    """A database without migrations. The roles that this text creates end with it."""
    name = f"tenantry_rehearsal_{secrets.token_hex(6)}"
    before = _roles(postgres)
    try:
        yield postgres.create_database(name)
    finally:
        postgres.drop_database(name)
        with psycopg.connect(postgres.admin_url()) as connection:
            # Another session may have created a role meanwhile.
            for role in (each for each in _roles(postgres) - before if each in text):
                connection.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))


def _roles(postgres: Postgres) -> set[str]:
    with psycopg.connect(postgres.admin_url()) as connection:
        return {role for (role,) in connection.execute("select rolname from pg_roles")}
