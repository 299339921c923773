"""Whether refusals take the same time, so that the time says nothing about the reason."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from support.environment import Environment, Person


def assert_refusals_take_the_same_time(
    environment: Environment,
    person: Person,
    statement: str,
    values: Mapping[str, Any],
    code: str,
) -> None:
    """Compares the medians of a statement that is refused for each value.

    Processor time of the server, because other tests run at the same time. The medians may
    differ by less than the quartiles of the first value do.
    """
    times: dict[str, list[int]] = {name: [] for name in values}
    with psycopg.connect(environment.address.db_url) as session:
        used_time = Path(f"/proc/{session.info.backend_pid}/schedstat")
        session.execute(
            "select set_config('role', 'authenticated', true),"
            " set_config('request.jwt.claims', %s, true)",
            (json.dumps({"sub": person.id}),),
        )
        for _ in range(300):
            for name, value in values.items():
                before = int(used_time.read_text().split()[0])
                with pytest.raises(psycopg.Error) as refused, session.transaction():
                    session.execute(statement.encode(), (value,))
                times[name].append(int(used_time.read_text().split()[0]) - before)
                assert refused.value.diag.message_detail == code
        session.rollback()

    # Without the first calls, which make plans.
    quartiles = {name: statistics.quantiles(each[50:], n=4) for name, each in times.items()}
    print({name: [round(each / 1000) for each in found] for name, found in quartiles.items()})
    low, median, high = next(iter(quartiles.values()))
    for found in quartiles.values():
        assert abs(found[1] - median) < high - low, quartiles
