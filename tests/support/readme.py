"""Code blocks and tables of the READMEs, the guide, and the pages on backups and deploying."""

from __future__ import annotations

import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_FOLDERS = (".", "functions", "supabase", "sql", "tests")
GUIDE = (_ROOT / "supabase" / "GUIDE.md").read_text()
_BACKUP = (_ROOT / "supabase" / "BACKUP.md").read_text()
_DEPLOYING = (_ROOT / "functions" / "DEPLOYING.md").read_text()
TEXT = "\n".join(
    [
        *((_ROOT / folder / "README.md").read_text() for folder in _FOLDERS),
        *(GUIDE, _BACKUP, _DEPLOYING),
    ]
)


def block(language: str, word: str) -> str:
    """The only block of that language that contains the word."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    found: str
    (found,) = [text for text in blocks if word in text]
    return found


# What the README's app in Python leaves to the reader, and the app.
_PYTHON_VARIABLES = """
import os
names = "SUPABASE_URL SUPABASE_ANON_KEY FUNCTIONS_URL email password".split()
SUPABASE_URL, SUPABASE_ANON_KEY, FUNCTIONS_URL, email, password = map(os.environ.get, names)
"""
PYTHON_APP = _PYTHON_VARIABLES + block("python", "create_client")


def table(heading: str) -> list[list[str]]:
    """The rows of the only table under a heading."""
    (section,) = re.findall(rf"^#+ {heading}\n(.*?)(?=^#+ |\Z)", TEXT, re.DOTALL | re.MULTILINE)
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("|")
    ]
    return rows[2:]
