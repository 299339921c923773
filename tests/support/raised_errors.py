"""Every error that the SQL raises, read from the sources."""

from __future__ import annotations

import re
from pathlib import Path

SQL_ROOT = Path(__file__).parents[2] / "sql"

Error = tuple[int, str]
"""An HTTP status and an error code."""

# PostgREST answers 42501 with 403 to a signed-in user.
_STATUS_OF_42501 = {"not_authenticated": 401}


def raised() -> set[Error]:
    """The status and code of every error that the SQL raises."""
    return {
        (_status_of(sqlstate, code), code)
        for text in sources()
        for sqlstate, code in re.findall(r"errcode = '(\w{5})',\s*detail = '(\w+)'", text)
    }


def answered_by_functions() -> set[Error]:
    """The status and code with which the functions pass these errors on."""
    return {(503, code) if code == "busy" else (status, code) for status, code in raised()}


def sources() -> list[str]:
    """The text of every file of `sql/`."""
    return [path.read_text() for path in sorted(SQL_ROOT.rglob("*.sql"))]


def _status_of(sqlstate: str, code: str) -> int:
    if sqlstate == "42501":
        return _STATUS_OF_42501.get(code, 403)
    assert sqlstate.startswith("PT")
    return int(sqlstate.removeprefix("PT"))
