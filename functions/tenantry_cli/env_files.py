"""The `.env` files of a project, as the Supabase CLI reads them for `env(NAME)`."""

import os
import re
from pathlib import Path

_LINE = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_]\w*)[ \t]*[=:][ \t]*
    (?:'(?P<literal>[^']*)' | "(?P<quoted>(?:[^"\\]|\\.)*)" | (?P<plain>[^\n]*?))
    [ \t\r]*(?:(?<=[\s'"])\#[^\n]*)?$""",
    re.MULTILINE | re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t"}


def variables(root: Path) -> dict[str, str]:
    """The variables of the project at `root`. Those of the environment come first."""
    found = dict(os.environ)
    stage = found.get("SUPABASE_ENV") or "development"
    names = [f".env.{stage}.local", ".env.local", f".env.{stage}", ".env"]
    if stage == "test":
        names.remove(".env.local")
    for folder in (root / "supabase", root):
        for name in names:
            file = folder / name
            if file.is_file():
                found = _read(file.read_text(errors="replace")) | found
    return found


def _read(text: str) -> dict[str, str]:
    values = {}
    for line in _LINE.finditer(text):
        if line["quoted"] is not None:
            value = _ESCAPED.sub(lambda each: _CONTROLS.get(each[1], each[1]), line["quoted"])
        else:
            value = line["plain"] if line["literal"] is None else line["literal"]
        values[line["name"]] = value
    return values
