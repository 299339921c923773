"""`tenantry prove` finds faults, which are planted one at a time."""

from __future__ import annotations

import os
from typing import Any

import psycopg
import pytest

from support.faults import FAULTS, Fault, definition, planted
from tenantry_cli.proof.campaign import Result, prove
from tenantry_cli.proof.evidence import Verdict
from tenantry_cli.proof.plan import Selection
from tenantry_cli.target import Target

# One fault for each kind of evidence: HTTP, SQL without the guard, the catalog.
SAMPLE = (
    "a policy names the wrong tenant",
    "policies let strangers in",
    "the guard lets strangers in",
    "a viewer may suspend",
    "an RPC is granted to anon",
)
CHOSEN = (
    FAULTS
    if os.environ.get("TENANTRY_SOAK") == "1"
    else tuple(fault for fault in FAULTS if fault.name in SAMPLE)
)


@pytest.mark.soak
def test_every_planted_fault_is_found_and_a_sound_project_is_proved(
    project: Target, database: psycopg.Connection[dict[str, Any]]
) -> None:
    missed = {}
    for fault in CHOSEN:
        with planted(database, fault):
            result = prove(project, Selection.BRIEF)
        if (what := _missed(fault, result)) is not None:
            missed[fault.name] = what

    assert missed == {}

    sound = prove(project, Selection.BRIEF)
    assert sound.findings == []
    assert sound.attempts > 3000
    left = database.execute(
        "select (select count(*) from public.tenants) as tenants,"
        " (select count(*) from auth.users) as users"
    ).fetchone()
    assert left == {"tenants": 0, "users": 0}


def test_at_least_thirty_faults_have_unique_names() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 30


def test_every_fault_can_still_be_planted(
    database: psycopg.Connection[dict[str, Any]],
) -> None:
    """A run plants a few faults only. All of them must fit the functions that they change."""
    lost = []
    for fault in FAULTS:
        texts: dict[str, str] = {}
        for edit in fault.edits:
            text = texts.get(edit.object) or definition(database, edit.object)
            if edit.right not in text:
                lost.append(fault.name)
            texts[edit.object] = text.replace(edit.right, edit.wrong)
    assert lost == []


def _missed(fault: Fault, result: Result) -> str | None:
    """Why the report misses the fault, or None."""
    leaks = result.with_verdict(Verdict.LEAK)
    named = leaks if fault.leaks else result.findings
    if fault.leaks and not leaks:
        return f"no leak among {[finding.why for finding in result.findings][:5]}"
    if not any(fault.object in finding.object for finding in named):
        return f"{fault.object} is not among {sorted({finding.object for finding in named})}"
    return None
