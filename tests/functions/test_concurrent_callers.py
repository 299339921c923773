"""Many concurrent callers of one process: each gets only their own data."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.concurrent_callers import CALLS, FOR_STAFF, ConcurrentCallers, gather
from support.deployment import Deployment
from support.environment import GROUPS, Environment

CALLERS = 32
SOAK = os.environ.get("TENANTRY_SOAK") == "1"
SECONDS = 60 if SOAK else 2
TARGETS = sorted(CALLS) if SOAK else ["user_profiles"]


def test_every_group_has_calls() -> None:
    assert set(CALLS) == {group.replace("-", "_") for group in GROUPS.values()}


@pytest.mark.soak
@pytest.mark.parametrize("target", TARGETS)
def test_no_reply_carries_another_callers_data(
    environment: Environment,
    deployment: Deployment,
    target: str,
    record_property: Callable[[str, object], None],
) -> None:
    callers = gather(environment, CALLERS, staff=target in FOR_STAFF)
    for caller in callers:
        environment.rpc(caller.person, "ensure_user_profile", schema_name=caller.tenant)
    variables = {
        "SUPABASE_URL": environment.address.api_url,
        "SUPABASE_ANON_KEY": environment.address.anon_key,
        "TENANTRY_ALLOWED_ORIGINS": "",
        "TENANTRY_UPSTREAM_TIMEOUT_SECONDS": "30",
        # One process handles all calls at the same time.
        "WORKERS": "1",
        "THREADS": str(CALLERS),
    }
    with (
        deployment.serve(target, variables) as group,
        ThreadPoolExecutor(CALLERS) as pool,
    ):
        concurrent = ConcurrentCallers(group.url, callers, CALLS[target], SECONDS)
        statuses: Counter[int] = Counter()
        for counted in pool.map(concurrent.run, range(CALLERS)):
            statuses += counted
        lines = group.requests()

    record_property("replies", dict(statuses))
    print(target, SECONDS, "s:", dict(statuses))
    # Each caller made every call at least once. Every reply has a log line with its actor.
    assert statuses[200] >= CALLERS * len(list(CALLS[target](callers[0])))
    assert Counter(line["status"] for line in lines) == statuses
    actors = {caller.unique_text: caller.person.id for caller in callers}
    for line in lines:
        unique_text, _, _ = line["request_id"].partition(".")
        assert line["actor"] == actors[unique_text]
