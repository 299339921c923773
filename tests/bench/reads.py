"""Rows 7, 14 and 15: reads and inserts through the three layers, and through other designs.

Each side is a PostgREST with a single connection to the same database. The sides take turns, one
request each. A request is measured twice: by the wall clock, and by the processor time of its
connection, which other work on the machine disturbs less.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import median
from types import MappingProxyType

from . import shared_tables
from .databases import Caller, Database, data_api
from .results import Results
from .rounds import Action, Series, alternating, timed

_TENANTS = 5
_WARM_UP = 100
_POINT = "key=eq.key_500"
_IDLE_GUARD = "create function bare.guard() returns void language plpgsql as 'begin end'"


@dataclass
class Side:
    """A PostgREST, and the schemas to which its requests go in turn."""

    name: str
    caller: Caller
    schemas: tuple[str, ...]
    # Conditions of every read, and columns of every insert.
    condition: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    session: int = 0
    seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._next = cycle(self.schemas)

    def read(self, query: str) -> None:
        parts = "&".join(part for part in (query, self.condition) if part)
        self.caller.get(f"/settings?{parts}", profile=next(self._next))

    def insert(self) -> None:
        body = {"key": str(uuid.uuid4()), **self.columns}
        status, content = self.caller.request(
            "POST", "/events", profile=next(self._next), body=body
        )
        if status != 201:
            raise RuntimeError(f"The insert of {self.name} got status {status}: {content!r}")

    def clock(self) -> float:
        """Seconds of processor time of the connection (Linux)."""
        return int(Path(f"/proc/{self.session}/schedstat").read_text().split()[0]) / 1e9


@dataclass(frozen=True)
class Measured:
    wall: Mapping[str, Series]
    processor: Mapping[str, Series]


def measure(results: Results, few: Database, rounds: int) -> None:
    tenants = [few.create() for _ in range(_TENANTS)]
    bare = ["bare", *(f"bare_{number}" for number in range(1, _TENANTS))]
    try:
        user_id, token = _prepare(few, tenants, bare)
        shared_tables.prepare(few, user_id)
        few.settle()
        with ExitStack() as cleanup:

            def side(name: str, schemas: Sequence[str], guard: str | None = None) -> Side:
                return cleanup.enter_context(_side(few, token, name, schemas, guard))

            ours = "tenancy.guard_request"
            one = [
                side("bare", bare[:1]),
                side("idle", bare[:1], "bare.guard"),
                side("layers", tenants[:1], ours),
            ]
            turns = [
                side("bare", bare),
                side("idle", bare, "bare.guard"),
                side("layers", tenants, ours),
            ]
            peers = [
                cleanup.enter_context(
                    _side(
                        few,
                        token,
                        design.schema,
                        [design.schema],
                        design.guard,
                        condition=shared_tables.CONDITION,
                        columns=shared_tables.COLUMNS,
                    )
                )
                for design in shared_tables.DESIGNS
            ]
            # Apart from the other designs, whose queries occupy the processor's caches.
            points = _compare(one, lambda s: s.read(_POINT), rounds, 200)
            in_turn = _compare(turns, lambda s: s.read(_POINT), rounds, 200)
            many_rows = _compare(one, lambda s: s.read(""), rounds, 40)
            inserts = _compare(one, Side.insert, rounds, 150)
            others = [one[0], one[2], *peers]
            ranked = {
                "read": _compare(others, lambda s: s.read(_POINT), rounds, 100),
                "insert": _compare(others, Side.insert, rounds, 100),
                "1,000 rows": _compare(others, lambda s: s.read(""), rounds, 20),
            }
        _report(results, points, in_turn, many_rows, inserts)
        for name, measured in ranked.items():
            _rank(results, measured, name)
    finally:
        for tenant in tenants:
            few.remove(tenant)
        for schema in (*bare, *(design.schema for design in shared_tables.DESIGNS)):
            few.sql.execute(f"drop schema if exists {schema} cascade".encode())


def _report(
    results: Results,
    points: Measured,
    in_turn: Measured,
    many_rows: Measured,
    inserts: Measured,
) -> None:
    for measured, name, bar in (
        (points, "a point read", 0.15),
        (in_turn, f"a point read, {_TENANTS} tenants in turn on one connection", 0.18),
        (many_rows, "1,000 rows", 0.03),
    ):
        wall = measured.wall
        for which, words in (("layers", "three layers"), ("idle", "idle guard")):
            results.ratio(
                7,
                f"{name} through PostgREST, {words} ÷ bare",
                wall[which],
                wall["bare"],
                None,
            )
        results.excess(
            7,
            f"{name}, three layers above idle guard",
            wall["layers"],
            wall["idle"],
            wall["bare"],
            bar,
        )
    for measured, name, limit in (
        (points, "a point read", 1.75),
        (in_turn, f"{_TENANTS} tenants in turn", None),
        (many_rows, "1,000 rows", None),
        (inserts, "an insert of one row, table without audit", 1.75),
    ):
        number = 14 if measured is inserts else 7
        processor = measured.processor
        results.ratio(
            number,
            f"{name}, processor time of the connection, layers ÷ bare",
            processor["layers"],
            processor["bare"],
            limit,
        )


def _rank(results: Results, measured: Measured, name: str) -> None:
    """Row 15: ours has to be ahead of the designs that a product publishes, and with 1,000 rows of
    every design."""
    bare = measured.processor["bare"]
    competitors = []
    for design in shared_tables.DESIGNS:
        series = measured.processor[design.schema]
        results.ratio(15, f"{name}: {design.words} ÷ bare", series, bare, None)
        if design.is_published or name == "1,000 rows":
            competitors.append(results.rows[-1].value)
    results.ratio(
        15,
        f"{name}: ours ÷ bare, at most the best of the others",
        measured.processor["layers"],
        bare,
        round(min(competitors), 2),
    )


def _compare(
    sides: list[Side], send: Callable[[Side], None], rounds: int, repeats: int
) -> Measured:
    actions: dict[str, Action] = {}
    for side in sides:
        side.seconds.clear()
        actions[side.name] = _action(side, send)
    wall = alternating(actions, rounds=rounds, repeats=repeats, warm_up=_WARM_UP)
    processor = {}
    for side in sides:
        taken = side.seconds[_WARM_UP:]
        processor[side.name] = Series(
            tuple(median(taken[n : n + repeats]) for n in range(0, len(taken), repeats))
        )
    return Measured(wall, processor)


def _action(side: Side, send: Callable[[Side], None]) -> Action:
    request = timed(lambda: send(side))

    def run() -> float:
        begun = side.clock()
        seconds = request()
        side.seconds.append(side.clock() - begun)
        return seconds

    return run


@contextmanager
def _side(
    few: Database,
    token: str,
    name: str,
    schemas: Sequence[str],
    guard: str | None = None,
    *,
    condition: str = "",
    columns: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Side]:
    """Configured by its environment alone: the role's settings would install the guard."""
    application = f"bench_{uuid.uuid4().hex[:12]}"
    settings = {
        "PGRST_DB_CONFIG": "false",
        "PGRST_DB_CHANNEL_ENABLED": "false",
        "PGRST_DB_POOL": "1",
        "PGRST_DB_POOL_MAX_IDLETIME": "600",
        "PGRST_DB_SCHEMAS": ",".join(schemas),
        **({} if guard is None else {"PGRST_DB_PRE_REQUEST": guard}),
    }
    with data_api(few, application=application, **settings) as api:
        side = Side(name, Caller(api.port, token), tuple(schemas), condition, columns)
        side.read(_POINT)
        side.session = few.one(
            "select pid from pg_stat_activity where application_name = %s", application
        )
        yield side
        side.caller.close()


def _prepare(few: Database, tenants: Sequence[str], bare: Sequence[str]) -> tuple[str, str]:
    """The tenants, and schemas of the same two tables without layers. Returns the id and the token
    of a user who may write in all tenants."""
    for tenant, schema in zip(tenants, bare, strict=True):
        for statement in (
            f"create table {tenant}.events (key text primary key)",
            f"select tenancy.enable_tenant_table('{tenant}', 'events', audited => false)",
            f"select tenancy.apply_tenant_privileges('{tenant}')",
            f"insert into {tenant}.settings (key, value, updated_at)"
            " select 'key_' || i, to_jsonb(md5(i::text)), now() from generate_series(1, 1000) i",
            f"create schema {schema}",
            f"create table {schema}.settings (like {tenant}.settings including all)",
            f"create table {schema}.events (like {tenant}.events including all)",
            f"grant usage on schema {schema} to authenticated",
            f"grant select, insert on all tables in schema {schema} to authenticated",
            f"insert into {schema}.settings select * from {tenant}.settings",
        ):
            few.sql.execute(statement.encode())
    few.sql.execute(_IDLE_GUARD.encode())
    user_id = few.user()
    for tenant in tenants:
        few.sql.execute("select public.grant_schema_access(%s, %s, 'write')", (tenant, user_id))
    return user_id, few.token(user_id)
