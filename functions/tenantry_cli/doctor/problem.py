"""What is wrong, in a sentence, with its cure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import psycopg
from psycopg import sql

Rows = list[dict[str, Any]]
Connection = psycopg.Connection[dict[str, Any]]


class Turn(IntEnum):
    """When a repair takes its turn. What takes the whole Data API down comes first, then what
    may be open to somebody, then what is only missing."""

    OUTAGE = 0
    GUARD = 1
    REGISTRY = 2
    OPENING = 3
    ORDER = 4
    EXPOSURE = 5


@dataclass(frozen=True)
class Problem:
    kind: str
    object: str
    sentence: str
    cure: str
    turn: Turn = Turn.ORDER
    # Empty where a person has to decide.
    repair: tuple[sql.SQL | sql.Composed, ...] = field(default=(), repr=False)
    # What cannot be undone is repaired only where a person said so.
    is_final: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "object": self.object,
            "sentence": self.sentence,
            "cure": self.cure,
            "is_repairable": bool(self.repair),
        }

    def is_same_as(self, other: Problem) -> bool:
        """Of the same thing; what is said of it may have changed."""
        return (self.kind, self.object) == (other.kind, other.object)


def lasting(look: Callable[[], list[Problem]]) -> list[Problem]:
    """What is found twice. What others make and delete at this moment looks wrong once: not
    everything that is asked of the catalog sees the same moment."""
    first = look()
    if not first:
        return []
    return [
        problem for problem in look() if any(problem.is_same_as(before) for before in first)
    ]


def call(function: str, *arguments: str) -> sql.Composed:
    """`select tenancy.<function>(…)`, as a repair."""
    return sql.SQL("select {}({})").format(
        sql.Identifier("tenancy", function), sql.SQL(", ").join(map(sql.Literal, arguments))
    )
