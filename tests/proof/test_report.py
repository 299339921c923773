"""The report of a proof, in narrow and wide terminals."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from tenantry_cli.proof.attempts import Expected
from tenantry_cli.proof.campaign import Result
from tenantry_cli.proof.evidence import Finding, Verdict
from tenantry_cli.proof.identities import READER, SERVICE, STANDARD_IDENTITIES
from tenantry_cli.proof.report import GROUPS, show


@pytest.fixture
def result() -> Result:
    result = Result()
    for identity in STANDARD_IDENTITIES:
        for group in GROUPS:
            result.counts[identity.name, group, Expected.ALLOWED] = 20
            result.counts[identity.name, group, Expected.REFUSED] = 90
    result.findings = [
        Finding(Verdict.LEAK, "seen", "settings", identity.name, group="past the guard")
        for identity in (READER, SERVICE)
    ]
    return result


def shown(result: Result, width: int) -> list[str]:
    console = Console(file=StringIO(), width=width, highlight=False)
    show(result, console)
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [40, 80, 100])
def test_narrow_terminal_shows_one_line_per_cell(result: Result, width: int) -> None:
    lines = shown(result, width)

    assert "reader of A, past the guard: 1 LEAKED" in lines
    assert "service key, past the guard: 1 LEAKED" in lines
    assert "stranger, API page: 20● 90○" in lines
    assert not any("…" in line for line in lines)


def test_wide_terminal_shows_the_matrix(result: Result) -> None:
    lines = shown(result, 190)

    (row,) = (line for line in lines if "reader of A" in line and "20●" in line)
    assert row.count("20● 90○") == len(GROUPS) - 1
    assert "1 LEAKED" in row
