"""The README: its code blocks and its tables."""

from __future__ import annotations

import re
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "README.md").read_text()


def block(language: str, word: str) -> str:
    """The only block of that language that contains the word."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    found: str
    (found,) = [text for text in blocks if word in text]
    return found


def table(heading: str) -> list[list[str]]:
    """The rows of the only table under a heading."""
    _, _, section = TEXT.partition(f"\n### {heading}\n")
    section, _, _ = section.partition("\n## ")
    section, _, _ = section.partition("\n### ")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("|")
    ]
    return rows[2:]
