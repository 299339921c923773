"""A page of large rows ends before the limit on a reply, and says that there is more."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg.sql import SQL, Identifier

from support.entry_points import ENTRY_POINTS
from support.environment import Address, Environment, Person

PAGE = 4 * 1024 * 1024
MARGIN = 1024 * 1024


class Log:
    """A tenant whose audit log has more than one reply can hold."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.tenant = environment.tenant()
        self.admin: Person = environment.member(self.tenant, "admin")
        text = random.Random(0).randbytes(32_000).hex()  # noqa: S311
        for length, count in ((1, 20), (64_000, 200), (5_000_000, 2), (1, 20)):
            environment.sql.execute(
                SQL(
                    "insert into {}.settings (key, value)"
                    " select gen_random_uuid(), to_jsonb(left(repeat(%s, 100), %s))"
                    " from generate_series(1, %s)"
                ).format(Identifier(self.tenant)),
                (text, length, count),
            )
        self.ids = [
            row["id"]
            for row in environment.sql.execute(
                SQL("select id from {}.audit_log order by id desc").format(
                    Identifier(self.tenant)
                )
            )
        ]

    def page(self, entry_point: str, **arguments: Any) -> list[dict[str, Any]]:
        reply = self.environment.call(
            entry_point,
            self.admin,
            "get_audit_log",
            {"schema_name": self.tenant, **arguments},
            "page",
        )
        assert reply.status_code == 200, reply.text[:500]
        rows: list[dict[str, Any]] = reply.json()
        assert len(rows) == 1 or len(reply.content) < PAGE + MARGIN
        assert [row["has_more"] for row in rows[:-1]] == [True] * (len(rows) - 1)
        return rows


@pytest.fixture(scope="module")
def log(address: Address) -> Iterator[Log]:
    with Environment(address) as environment:
        yield Log(environment)


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize("page_size", [100, 1000])
def test_pages_of_large_entries_are_short_and_complete(
    log: Log, entry_point: str, page_size: int
) -> None:
    found: list[int] = []
    lengths: list[int] = []
    before: dict[str, int] = {}
    while True:
        rows = log.page(entry_point, page_size=page_size, **before)
        assert 0 < len(rows) <= page_size
        found += [row["id"] for row in rows]
        lengths.append(len(rows))
        before = {"before_id": rows[-1]["id"]}
        if not rows[-1]["has_more"]:
            break

    assert found == log.ids
    # The small entries before a very large one, and each very large one alone.
    assert lengths[:3] == [20, 1, 1]
    assert all(40 < length < 100 for length in lengths[3:-1])
    assert log.page(entry_point, page_size=page_size, **before) == []


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_page_of_small_entries_is_full_and_says_whether_it_is_the_last(
    log: Log, entry_point: str
) -> None:
    assert [row["has_more"] for row in log.page(entry_point, page_size=7)] == [True] * 7
    oldest = log.ids[-8]
    full = log.page(entry_point, page_size=7, before_id=oldest)
    assert [row["has_more"] for row in full] == [True] * 6 + [False]
    rest = log.page(entry_point, page_size=1000, before_id=oldest)
    assert rest == full


def test_pages_of_the_platform_log_end_at_their_size(environment: Environment) -> None:
    text = random.Random(0).randbytes(400_000).hex()  # noqa: S311
    with environment.sql.transaction(force_rollback=True):
        environment.sql.execute(
            "insert into public.admin_audit_log (actor_role, action, details)"
            " select 'postgres', 'test.page', jsonb_build_object('text', %s::text)"
            " from generate_series(1, 9)",
            (text,),
        )

        def page(before_id: int | None = None, page_size: int = 100) -> list[dict[str, Any]]:
            return environment.sql.execute(
                "select id, has_more from public.get_admin_audit_log("
                "action => 'test.page', before_id => %s, page_size => %s)",
                (before_id, page_size),
            ).fetchall()

        first = page()
        second = page(first[-1]["id"])
        assert [row["has_more"] for row in first] == [True] * 5
        assert [row["has_more"] for row in second] == [True] * 3 + [False]
        assert page(second[-1]["id"]) == []
        assert page(page_size=4) == first[:4]
        assert page(second[-3]["id"], page_size=2) == second[-2:]
