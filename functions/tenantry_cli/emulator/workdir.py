"""The folder in which the Supabase CLI works: the files of the project, and its config.toml in
a form that this version of the CLI accepts. The files of the project never change.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tenantry_cli.configuration import Configuration, read_toml

_CONFIG = "config.toml"
_MIGRATIONS = "migrations"
# What older versions of the CLI wrote into `supabase init`, and the name today.
_RENAMED_SECTIONS = {"inbucket": "local_smtp"}
_RENAMED_PROVIDERS = {"linkedin": "linkedin_oidc", "slack": "slack_oidc"}


@contextmanager
def push_folder(root: Path, replaced: Mapping[Path, str] | None = None) -> Iterator[Path]:
    """A folder to push from. The CLI reads only what a push needs of config.toml.

    `replaced` has another text for some of the project's files.
    """
    told = Configuration.read(root / "supabase" / _CONFIG)
    needed = {
        "project_id": told.project_id or "project",
        "db": {
            "migrations": {"enabled": told.has_migrations},
            "seed": {"enabled": told.has_seed, "sql_paths": list(told.seed_paths)},
        },
    }
    with _linked(root, needed, replaced or {}) as folder:
        yield folder


@contextmanager
def command_folder(root: Path) -> Iterator[Path]:
    """A folder for any command. The project itself, if the CLI accepts its config.toml."""
    told = read_toml(root / "supabase" / _CONFIG)
    accepted = _accepted(told)
    if accepted == told:
        yield root
        return
    # The CLI writes new migrations there, so this folder must be the project's own.
    (root / "supabase" / _MIGRATIONS).mkdir(exist_ok=True)
    with _linked(root, accepted, dict(_templates(root, told))) as folder:
        yield folder


def _templates(root: Path, told: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """The e-mails that config.toml names. The CLI follows no link out of its folder."""
    email = told.get("auth", {}).get("email", {})
    for kind in ("template", "notification"):
        for each in email.get(kind, {}).values():
            path = each.get("content_path") if isinstance(each, dict) else None
            if not isinstance(path, str):
                continue
            for folder in (root, root / "supabase"):
                file = Path(os.path.normpath(folder / path))
                if file.is_file() and file.is_relative_to(root):
                    yield file, file.read_text(errors="surrogateescape")


def _accepted(told: dict[str, Any]) -> dict[str, Any]:
    """The tables of config.toml under the names that the CLI knows."""
    renamed: dict[str, Any] = {}
    for name, table in told.items():
        renamed.setdefault(_RENAMED_SECTIONS.get(name, name), table)
    experimental = renamed.get("experimental")
    if isinstance(experimental, dict) and "orioledb_version" in experimental:
        rest = {k: v for k, v in experimental.items() if k != "orioledb_version"}
        version = {"orioledb_version": experimental["orioledb_version"]}
        renamed |= {"experimental": rest, "db": {**version, **renamed.get("db", {})}}
    external = renamed.get("auth", {}).get("external")
    if isinstance(external, dict):
        providers = {
            _RENAMED_PROVIDERS.get(name, name): each for name, each in external.items()
        }
        renamed["auth"] = {**renamed["auth"], "external": providers}
    if isinstance(renamed.get("remotes"), dict):
        renamed["remotes"] = {
            name: _accepted(each) for name, each in renamed["remotes"].items()
        }
    return renamed


@contextmanager
def _linked(
    root: Path, config: Mapping[str, Any], replaced: Mapping[Path, str]
) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tenantry-") as name:
        folder = Path(name)
        # Seeds may lie beside `supabase`.
        _link(root, folder, replaced, without="supabase")
        _link(root / "supabase", folder / "supabase", replaced, without=_CONFIG)
        (folder / "supabase" / _CONFIG).write_text("".join(_toml(config)))
        yield folder


def _link(source: Path, target: Path, replaced: Mapping[Path, str], without: str = "") -> None:
    """Links to each entry, and writes the files that have another text."""
    target.mkdir(exist_ok=True)
    for entry in source.iterdir():
        if entry.name == without:
            continue
        if entry in replaced:
            (target / entry.name).write_text(replaced[entry], errors="surrogateescape")
        elif any(file.is_relative_to(entry) for file in replaced):
            _link(entry, target / entry.name, replaced)
        else:
            (target / entry.name).symlink_to(entry)


def _toml(table: Mapping[str, Any], path: str = "") -> Iterator[str]:
    tables = {name: value for name, value in table.items() if isinstance(value, dict)}
    if path:
        yield f"[{path}]\n"
    for name, value in table.items():
        if name not in tables:
            yield f"{json.dumps(name)} = {_toml_value(value)}\n"
    for name, value in tables.items():
        yield from _toml(value, f"{path}.{json.dumps(name)}".lstrip("."))


def _toml_value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml_value, value))}]"
    if isinstance(value, dict):
        pairs = (f"{json.dumps(name)} = {_toml_value(each)}" for name, each in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, bool | str):
        # A JSON string is a TOML string too.
        return json.dumps(value, ensure_ascii=False)
    return str(value)
