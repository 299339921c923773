"""Many callers at once on one process: each gets their own data, and nobody else's."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from functions.crowd import CALLS, FOR_STAFF, Crowd, gather
from functions.deployment import Deployment
from stage import GROUPS, Stage

CALLERS = 32
SOAK = os.environ.get("TENANTRY_SOAK") == "1"
SECONDS = 60 if SOAK else 2
TARGETS = sorted(CALLS) if SOAK else ["user_profiles"]


def test_every_group_has_its_calls() -> None:
    assert set(CALLS) == {group.replace("-", "_") for group in GROUPS.values()}


@pytest.mark.soak
@pytest.mark.parametrize("target", TARGETS)
def test_no_reply_carries_another_callers_data(
    stage: Stage,
    deployment: Deployment,
    target: str,
    record_property: Callable[[str, object], None],
) -> None:
    callers = gather(stage, CALLERS, staff=target in FOR_STAFF)
    for caller in callers:
        stage.rpc(caller.person, "ensure_user_profile", schema_name=caller.tenant)
    environment = {
        "SUPABASE_URL": stage.address.api_url,
        "SUPABASE_ANON_KEY": stage.address.anon_key,
        "TENANTRY_ALLOWED_ORIGINS": "",
        "TENANTRY_UPSTREAM_TIMEOUT_SECONDS": "30",
        # All of them at work at once, in one process.
        "WORKERS": "1",
        "THREADS": str(CALLERS),
    }
    with (
        deployment.serve(target, environment) as group,
        ThreadPoolExecutor(CALLERS) as pool,
    ):
        crowd = Crowd(group.url, callers, CALLS[target], SECONDS)
        statuses: Counter[int] = Counter()
        for played in pool.map(crowd.play, range(CALLERS)):
            statuses += played
        lines = [json.loads(line) for line in group.logged()]

    record_property("replies", dict(statuses))
    print(target, SECONDS, "s:", dict(statuses))
    # Each has been through at least once, and every reply has its line with the right actor.
    assert statuses[200] >= CALLERS * len(list(CALLS[target](callers[0])))
    assert Counter(line["status"] for line in lines) == statuses
    actors = {caller.mark: caller.person.id for caller in callers}
    for line in lines:
        mark, _, _ = line["request_id"].partition(".")
        assert line["actor"] == actors[mark]
