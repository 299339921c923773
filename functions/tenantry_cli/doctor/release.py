"""The comparison of each object of Tenantry with the installed release."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tenantry_cli.doctor.problem import WARNING, Connection, Problem
from tenantry_cli.release import ReleaseMigration, installed_release, parse_version
from tenantry_cli.release_objects import HASHED, Objects, present_objects, released_objects

_KIND = "unlike the release"
# `function tenancy.release()`. A name of a type in the arguments may have spaces.
_NAME = re.compile(r"[a-z ]+? ((?:public|tenancy|tenant_template)\b.*)")
_DROPPED = (
    *("function", "procedure", "aggregate", "operator", "type"),
    *("table", "foreign table", "view", "materialized view", "sequence"),
)
_GRANT = re.compile(r"(lost )?grant (.+) to (.+)")
_API_ROLES = {"public", "anon", "authenticated", "service_role"}
# What a role executes whose requests the Data API serves.
_GUARD = ("tenancy(", "tenancy.guard_request(", "tenancy.pre_request(")
# What a project may have added to a table. It gives nobody access.
_OWN = ("comment", "index ")
_WITH_OWN_TRIGGERS = {"public.tenants", "public.admin_users", "public.user_schema_access"}
_PLURAL = ("arguments", "attributes", "options", "settings")
_COMMENT = re.compile(r"^comment on (.+?) is\s+('(?:[^']|''|'\s*\n\s*')*');", re.MULTILINE)
# A long text of the migrations is several literals.
_BETWEEN_LITERALS = re.compile(r"'\s*\n\s*'")
_POLICY = re.compile(r"(?:condition of )?(policy .+)")


def examine_release(connection: Connection) -> list[Problem]:
    released = released_objects()
    row = connection.execute("select tenancy.release()").fetchone() or {}
    present = str(row["release"])
    if present != released.version:
        return [_other_release(present, released.version)]
    found = present_objects(connection, released.names_in_public)
    return [*_differences(released.version, released.objects, found)]


def _other_release(present: str, installed: str) -> Problem:
    advice = f"the release of the database: pip install 'tenantry=={present}'."
    if parse_version(present) < parse_version(installed):
        advice = f"Run `tenantry upgrade` and supabase db push --remote. Or install {advice}"
    else:
        advice = f"Install {advice}"
    return Problem(
        "another release",
        "tenancy.release()",
        f"The database has Tenantry {present}, and {installed} is installed. So functions, "
        "tables and privileges were not compared with their release.",
        advice,
    )


def _differences(version: str, released: Objects, found: Objects) -> Iterator[Problem]:
    for name in sorted(released.keys() | found.keys()):
        if name not in found:
            yield Problem(
                _KIND,
                _identity(name),
                f"The {name} of release {version} is missing.",
                _restoring(name),
            )
        elif name in released:
            yield from _different_parts(version, name, released, found)
        # Everything else in public is the project's own.
        elif not _identity(name).startswith("public."):
            yield Problem(
                _KIND,
                _identity(name),
                f"The {name} is not in release {version}.",
                "If nobody needs it: "
                + (f"drop {name};" if _kind(name) in _DROPPED else "remove it."),
            )


def _different_parts(
    version: str, name: str, released: Objects, found: Objects
) -> Iterator[Problem]:
    expected, present = released[name], found[name]
    for part in sorted(expected.keys() | present.keys()):
        whole = part.partition(" of ")[2]
        # No sentence for the condition of a policy that is missing itself.
        if (whole in expected) == (whole in present):
            difference = _Difference(version, name, part, expected.get(part), present.get(part))
            if difference.expected != difference.found and not difference.is_guard_of_own_role:
                yield difference.problem


@dataclass(frozen=True)
class _Difference:
    version: str
    # `table public.tenants`, and a part of it, such as `column id`.
    name: str
    part: str
    expected: str | None
    found: str | None

    @property
    def problem(self) -> Problem:
        detail, remediation = self._privilege() or self._state() or self._content()
        kind = f"{WARNING}{_KIND}" if self._may_be_intended else _KIND
        return Problem(kind, _identity(self.name), detail, remediation)

    @property
    def is_guard_of_own_role(self) -> bool:
        """Whether it lets an API role of the project execute the guard."""
        grant = _GRANT.fullmatch(self.part)
        return (
            self.expected is None
            and grant is not None
            and f"{_identity(self.name)}(".startswith(_GUARD)
            and grant[1] is None
            and grant[2] in ("usage", "execute")
            and grant[3] not in _API_ROLES
        )

    @property
    def _may_be_intended(self) -> bool:
        if self.expected is None and (grant := _GRANT.fullmatch(self.part)):
            return grant[1] is None and grant[3] not in _API_ROLES
        if self.expected is not None:
            return self._is_comment
        if self.part.startswith("trigger "):
            return _identity(self.name) in _WITH_OWN_TRIGGERS
        # A restrictive policy can only narrow access.
        return self.part.startswith(_OWN) or str(self.found).startswith("restrictive ")

    @property
    def _is_comment(self) -> bool:
        return self.part.startswith("comment")

    def _privilege(self) -> tuple[str, str] | None:
        grant = _GRANT.fullmatch(self.part)
        if grant is None:
            return None
        is_lost, privilege, role = grant.groups()
        title = "PUBLIC" if role == "public" else role
        kind = _kind(self.name)
        # SQL has no `grant … on view`.
        kind = "table" if kind.endswith(("view", "table")) else kind
        on = f"on {kind} {_identity(self.name)}"
        unlike = f"unlike in release {self.version}"
        if is_lost or self.found is None:
            return (
                f"{title} lacks {privilege} on the {self.name}, {unlike}.",
                f"grant {privilege} {on} to {role};",
            )
        if self.expected is None:
            return (
                f"{privilege} on the {self.name} is granted to {title}, {unlike}.",
                f"revoke {privilege} {on} from {role};",
            )
        return (
            f"{title} has {privilege} on the {self.name} {self.found}, {unlike}.",
            f"revoke grant option for {privilege} {on} from {role} cascade;",
        )

    def _state(self) -> tuple[str, str] | None:
        if self.part == "row level security" and self.found == "off":
            return (
                f"Row level security is off on the {self.name}.",
                f"alter {self.name} enable row level security;",
            )
        what, _, object_part = self.part.partition(" of ")
        if what != "state":
            return None
        detail = f"The {object_part} of the {self.name} is {self.found}."
        if object_part.startswith("trigger "):
            return detail, f"alter {self.name} enable {object_part};"
        if object_part.startswith("index "):
            schema = _identity(self.name).partition(".")[0]
            return detail, f"reindex index {schema}.{object_part.removeprefix('index ')};"
        return detail, f"As a superuser: alter {self.name} enable trigger all;"

    def _content(self) -> tuple[str, str]:
        if self.expected is None:
            return (
                f"The {self.name} has the {self.part}{_shown(self.found)}, unlike in release "
                f"{self.version}.",
                f"If nobody needs it: {_removing(self.name, self.part)}",
            )
        if self.found is None:
            return (
                f"The {self.name} lacks the {self.part}{_shown(self.expected)} of release "
                f"{self.version}.",
                _restoring(self.name, self.part),
            )
        instead = ""
        # A hash says nothing to a person.
        if _shown(self.found) and _shown(self.expected) and not self._is_comment:
            instead = f": {self.found} instead of {self.expected}"
        verb = "differ" if self.part in _PLURAL else "differs"
        return (
            f"The {self.part} of the {self.name} {verb} from release {self.version}{instead}.",
            f"alter {self.name} owner to {self.expected};"
            if self.part == "owner"
            else _restoring(self.name, self.part, is_present=True),
        )


def _kind(name: str) -> str:
    return name.removesuffix(_identity(name)).strip()


def _identity(name: str) -> str:
    """The name without the kind of the object, or all of it if it is in no schema."""
    parsed = _NAME.fullmatch(name)
    return name if parsed is None else parsed[1]


def _shown(content: str | None) -> str:
    return "" if not content or content.startswith(HASHED) else f" ({content})"


def _removing(name: str, part: str) -> str:
    kind, _, part_name = part.partition(" ")
    if kind in ("policy", "trigger", "rule"):
        return f"drop {part} on {_identity(name)};"
    if kind in ("column", "constraint"):
        return f"alter {name} drop {part};"
    if kind == "index":
        return f"drop index {_identity(name).partition('.')[0]}.{part_name};"
    if kind == "comment":
        return f"comment on {_commented(name, part)} is null;"
    return "remove it."


def _restoring(name: str, part: str = "", *, is_present: bool = False) -> str:
    """The statement of the release, or where a person finds it."""
    kind, _, part_name = part.partition(" ")
    if kind == "comment" and (statement := _comments().get(_compact(_commented(name, part)))):
        return statement
    if part in ("trigger append_only", "trigger append_only_truncate"):
        table = _identity(name)
        schema, _, table_name = table.partition(".")
        return (
            f"drop trigger if exists append_only on {table}; "
            f"drop trigger if exists append_only_truncate on {table}; "
            f"select tenancy.make_append_only('{schema}', '{table_name}');"
        )
    if kind in ("index", "trigger"):
        on = rf"on {re.escape(_identity(name))}\b"
        create = rf"^create (?:\w+ )*{kind} {re.escape(part_name)}\b[^;]*?\b{on}[^;]*;"
        for migration in _newest_migrations():
            if written := re.search(create, migration.text, re.MULTILINE):
                statement = " ".join(written[0].split())
                return f"{_removing(name, part)} {statement}" if is_present else statement
    statements = [f"{_kind(name)} {_identity(name).partition('(')[0]}"]
    if policy := _POLICY.fullmatch(part):
        statements.insert(0, f"{policy[1]} on {_identity(name)}")
    for migration in _newest_migrations():
        for statement in statements:
            found = rf"^create (?:or replace )?{re.escape(statement)}\b"
            if re.search(found, migration.text, re.MULTILINE):
                how = " as `create or replace`" if _kind(name) == "function" else ""
                return (
                    f"Restore it as postgres{how}: supabase/migrations/*_{migration.name}.sql "
                    f"has `create {statement}`. Then run the doctor again."
                )
    return "Restore it as postgres, with the statements of Tenantry's migrations."


def _commented(name: str, part: str) -> str:
    """What `comment on` names: `table public.tenants`, or `column public.tenants.id`."""
    column = part.partition(" of column ")[2]
    return f"column {_identity(name)}.{column}" if column else name


def _compact(name: str) -> str:
    """As the migrations write it and as PostgreSQL does are one text then."""
    for written, short in ((", ", ","), ("timestamp with time zone", "timestamptz"), ('"', "")):
        name = name.replace(written, short)
    return name


@cache
def _comments() -> dict[str, str]:
    """The statements by what they comment on."""
    return {
        _compact(found[1]): f"comment on {found[1]} is {_BETWEEN_LITERALS.sub('', found[2])};"
        for migration in reversed(_newest_migrations())
        for found in _COMMENT.finditer(migration.text)
    }


@cache
def _newest_migrations() -> tuple[ReleaseMigration, ...]:
    return installed_release().migrations[::-1]
