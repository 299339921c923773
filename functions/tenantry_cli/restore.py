"""`tenantry restore`: restores a dump of the whole database into an empty project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from rich.console import Console
from rich.markup import escape

from tenantry_cli.database import open_database
from tenantry_cli.doctor.catalog import connect, examine_catalog
from tenantry_cli.errors import TenantryError, as_sentence
from tenantry_cli.signals import completed
from tenantry_cli.target import database_options

# "4012; 0 16401 TABLE DATA public tenants postgres"
_ENTRY = re.compile(r"\d+; \d+ \d+ (?P<kind>[A-Z]+(?: [A-Z]+)*) (?P<schema>\S+) (?P<rest>.*)")
# Auth's tables exist in an empty project. People sign in anew, so their sessions stay behind.
_AUTH_DATA = " TABLE DATA auth "
_AUTH_TABLES = ("users", "identities", "mfa_factors")
# The project that receives the dump has its own.
_DROPPED = ("DEFAULT ACL", "EVENT TRIGGER", "DATABASE", "DATABASE PROPERTIES", "SUBSCRIPTION")
_HISTORY = "supabase_migrations"
_PART = 1 << 20
# A dump says what was granted, and not what was revoked from the default privileges of the
# project. So the objects are restored without default privileges, which are then given back.
_DEFAULT_PRIVILEGES = """
select format(
    'alter default privileges%s %%s %s on %s %%s %s;',
    ' in schema ' || quote_ident(n.nspname), string_agg(a.privilege_type, ', '),
    case d.defaclobjtype
        when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
        when 'T' then 'types' else 'schemas'
    end,
    case a.grantee when 0 then 'public' else a.grantee::regrole::text end
)
from pg_default_acl d
cross join aclexplode(d.defaclacl) a
left join pg_namespace n on n.oid = d.defaclnamespace
where d.defaclrole = current_user::regrole
    and a.grantee <> d.defaclrole
    -- PostgreSQL itself gives PUBLIC these.
    and not (d.defaclnamespace = 0 and a.grantee = 0)
group by d.oid, d.defaclobjtype, n.nspname, a.grantee
"""


_OWN_TABLES = """
select c.oid::regclass::text from pg_class c
where c.relnamespace = 'public'::regnamespace
    and c.relkind in ('r', 'p')
    and not exists (
        select from pg_depend d
        where (d.classid, d.objid, d.deptype) = ('pg_class'::regclass, c.oid, 'e')
    )
order by 1
"""


@dataclass(frozen=True)
class _Empty:
    """What an empty project has before anything is restored."""

    schemas: frozenset[str]
    auth_tables: frozenset[str]
    auth_triggers: frozenset[str]
    publications: frozenset[str]
    # Statements with two places, for the verb and for the word before the role.
    default_privileges: frozenset[str]

    def changed_defaults(self, verb: str, word: str) -> str:
        return "\n".join(each % (verb, word) for each in sorted(self.default_privileges))

    def takes(self, line: str) -> bool:
        """Whether an entry of the dump is restored."""
        entry = _ENTRY.fullmatch(line)
        if entry is None:
            return False
        kind, schema, rest = entry["kind"], entry["schema"], entry["rest"].split()
        if kind in _DROPPED:
            return False
        if kind == "PUBLICATION TABLE":
            return rest[0] in self.publications
        if schema == "-":
            # The rest begins with the name; of a comment and of privileges, with the kind.
            name = rest[1] if kind in ("ACL", "COMMENT") else rest[0]
            if "EXTENSION" in (kind, rest[0]):
                return kind == "EXTENSION"
            if kind == "PUBLICATION":
                return name not in self.publications
            return name not in self.schemas
        if schema in self.schemas - {"public", _HISTORY}:
            return schema == "auth" and (
                (
                    kind == "TABLE DATA"
                    and rest[0] in _AUTH_TABLES
                    and rest[0] in self.auth_tables
                )
                or (kind == "TRIGGER" and " ".join(rest[:2]) not in self.auth_triggers)
            )
        return True


def _users_first(entries: list[str]) -> list[str]:
    """The entries, with Auth's users before the tables of Auth that reference them.

    A dump has data in the order of the alphabet, because foreign keys come after all data.
    """
    data = [entry for entry in entries if _AUTH_DATA in entry]
    data.sort(key=lambda entry: f"{_AUTH_DATA}users " not in entry)
    return [data.pop(0) if _AUTH_DATA in entry else entry for entry in entries]


@click.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@database_options
def restore(file: Path, db_url: str) -> None:
    """Restore a dump of the whole database into an empty project.

    FILE is written by `pg_dump --format=custom`. The project is that of --db-url, or else the
    running emulator, started without migrations. Everything happens in one transaction, which
    also installs the guard, exposes the tenants, and checks the result as the doctor does. So
    the project is complete and closed, or still empty. Exits 1 if the doctor finds a problem.
    """
    for program in ("pg_restore", "psql"):
        if shutil.which(program) is None:
            raise TenantryError(
                f"{program} is missing. Install PostgreSQL's client programs of the server's "
                "major version, and make sure that they are on the PATH."
            )
    empty = _require_empty(db_url)
    entries = _users_first([line for line in _listed(file) if empty.takes(line)])
    if not any(" TABLE tenancy tenant_migrations " in line for line in entries):
        raise TenantryError(
            f"{file} has no Tenantry in it. Give a dump of the whole database, as "
            "`pg_dump --format=custom` writes it; one tenant is restored by the commands in "
            "supabase/BACKUP.md."
        )
    with tempfile.NamedTemporaryFile("w", suffix=".list") as chosen:
        chosen.write("\n".join(entries))
        chosen.flush()
        _restore(file, chosen.name, db_url, empty)

    console = Console(highlight=False, soft_wrap=True)
    with connect(db_url) as connection:
        problems = [each for each in examine_catalog(connection) if not each.is_warning]
    for problem in problems:
        console.print(f"[red]{escape(problem.detail)}[/]")
        console.print(f"    {escape(problem.remediation)}")
    console.print(
        f"Restored {file.name}. The guard is installed, and every tenant is exposed. "
        + ("The doctor found these problems." if problems else "The doctor found no problem.")
    )
    if problems:
        raise SystemExit(1)


def _require_empty(db_url: str) -> _Empty:
    def names(connection: psycopg.Connection, query: str) -> Iterator[str]:
        return (row[0] for row in connection.execute(query.encode()))

    try:
        with open_database(db_url) as connection:
            empty = _Empty(
                schemas=frozenset(names(connection, "select nspname from pg_namespace")),
                auth_tables=frozenset(
                    names(
                        connection,
                        "select relname from pg_class"
                        " where relnamespace = to_regnamespace('auth') and relkind = 'r'",
                    )
                ),
                auth_triggers=frozenset(
                    names(
                        connection,
                        "select c.relname || ' ' || t.tgname from pg_trigger t"
                        " join pg_class c on c.oid = t.tgrelid"
                        " where c.relnamespace = to_regnamespace('auth')",
                    )
                ),
                publications=frozenset(names(connection, "select pubname from pg_publication")),
                default_privileges=frozenset(names(connection, _DEFAULT_PRIVILEGES)),
            )
            has_users = "users" in empty.auth_tables and any(
                names(connection, "select 'user' from auth.users limit 1")
            )
            own_tables = [*names(connection, _OWN_TABLES)]
    except psycopg.errors.InsufficientPrivilege as error:
        raise TenantryError(
            f"The database refuses the role {conninfo_to_dict(db_url).get('user')} "
            f"({error.diag.message_primary}). Give a --db-url with the role postgres."
        ) from error
    except psycopg.Error as error:
        message = error.diag.message_primary or str(error).splitlines()[0]
        raise TenantryError(
            f"The database cannot be examined: {as_sentence(message)}"
        ) from error
    contents = (
        *(["Tenantry"] if "tenancy" in empty.schemas else []),
        *(["users"] if has_users else []),
        *(f"the table {name}" for name in own_tables),
    )
    if contents:
        parts = conninfo_to_dict(db_url)
        raise TenantryError(
            f"The project of the database at {parts.get('host')}:{parts.get('port', 5432)} "
            f"is not empty: it has {contents[0]}. Make a new project, and restore the dump "
            "there before anything is pushed."
        )
    return empty


def _restore(file: Path, chosen: str, db_url: str, empty: _Empty) -> None:
    begin = f"begin;\n{empty.changed_defaults('revoke', 'from')}\n"
    end = (
        f"\n{empty.changed_defaults('grant', 'to')}\n"
        "select tenancy.finish_restore();\ncommit;\n"
    )
    settings = conninfo_to_dict(db_url)
    password = settings.pop("password", None)
    # A file takes all that both print. A pipe that nobody reads blocks them when it is full.
    with tempfile.TemporaryFile() as printed:
        psql = subprocess.Popen(
            [
                *("psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1"),
                "--output=/dev/null",
                f"--dbname={make_conninfo('', **settings)}",
            ],
            stdin=subprocess.PIPE,
            stderr=printed,
            # Other users of the machine can read the arguments of a process.
            env=os.environ | ({} if password is None else {"PGPASSWORD": str(password)}),
            # Ctrl-C reaches this process alone.
            start_new_session=True,
        )
        source = subprocess.Popen(
            ["pg_restore", "--file=-", f"--use-list={chosen}", str(file)],  # noqa: S607  # nosec B607
            stdout=subprocess.PIPE,
            stderr=printed,
            start_new_session=True,
        )
        try:
            with suppress(BrokenPipeError):
                _copy(begin.encode(), psql)
                while part := source.stdout.read(_PART) if source.stdout else b"":
                    _copy(part, psql)
            source.communicate()
            with completed():
                with suppress(BrokenPipeError):
                    # Without the commit, psql rolls back when its input ends.
                    if source.returncode == 0:
                        _copy(end.encode(), psql)
                psql.communicate()
        except KeyboardInterrupt:
            source.kill()
            psql.kill()
            psql.wait()
            raise KeyboardInterrupt(
                "Interrupted. The dump is restored: check it with `tenantry doctor`."
                if psql.returncode == source.returncode == 0
                else "Interrupted. Nothing was restored: run the command again."
            ) from None
        if psql.returncode or source.returncode:
            printed.seek(0)
            reason = printed.read().decode(errors="replace").strip()
            raise TenantryError(f"Nothing was restored:\n{reason}")


def _copy(part: bytes, program: subprocess.Popen[bytes]) -> None:
    if program.stdin is not None:
        program.stdin.write(part)
        program.stdin.flush()


def _listed(file: Path) -> list[str]:
    """The table of contents of the dump."""
    done = _pg_restore("--list", str(file))
    if "unsupported version" in done.stderr:
        version = _pg_restore("--version").stdout.strip()
        raise TenantryError(
            f"{file} was written by a newer pg_dump than {shutil.which('pg_restore')} can "
            f"read, which is {version}. Put the PostgreSQL client programs of the version "
            "that wrote the dump first on the PATH."
        )
    if done.returncode:
        raise TenantryError(f"{file} cannot be read as a dump: {done.stderr.strip()}")
    return done.stdout.splitlines()


def _pg_restore(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["pg_restore", *arguments],  # noqa: S607  # nosec B607
        capture_output=True,
        text=True,
        check=False,
    )
