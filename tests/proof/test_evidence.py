"""What the proof concludes from a reply."""

from __future__ import annotations

import pytest

from tenantry_cli.proof.attempts import Attempt, Expected, shows_rows
from tenantry_cli.proof.environment import Environment
from tenantry_cli.proof.evidence import Verdict, judge
from tenantry_cli.proof.identities import STRANGER
from tenantry_cli.proof.transport import Reply, Request
from tenantry_cli.target import Target


@pytest.mark.parametrize(
    ("status", "text", "verdict"),
    [
        (200, '[{"id": 1}]', Verdict.LEAK),
        (200, "[]", None),
        (403, '{"details": "forbidden"}', None),
        # Nothing was refused: the attempt did not get that far.
        (429, '{"details": "busy"}', Verdict.FAILED_CONTROL),
        (503, '{"code": "busy"}', Verdict.FAILED_CONTROL),
    ],
)
def test_only_a_refusal_counts_as_refused(
    status: int, text: str, verdict: Verdict | None
) -> None:
    environment = Environment(Target("http://127.0.0.1:9", "anon", "service"))
    attempt = Attempt(
        STRANGER,
        environment.a,
        "tables",
        "settings",
        "GET",
        "PostgREST",
        Expected.REFUSED,
        Request("GET", "http://127.0.0.1:9/settings"),
        shows_rows,
        ("settings", "GET", "PostgREST"),
    )

    finding = judge(attempt, Reply(status, text), environment)
    environment.close()

    assert (finding and finding.verdict) is verdict
