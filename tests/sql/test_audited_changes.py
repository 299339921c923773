"""The audit log keeps what changed in large values, and no value is lost."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb

from support.audited_call import audited_call
from support.environment import Address, Environment

Row = dict[str, Any]

TABLE = """
    create table {0}.keyless (id int, n int, doc jsonb, body text, raw json, parts text[]);
    create table {0}.docs (like {0}.keyless, primary key (id));
    select tenancy.enable_tenant_table({1}, name) from unnest(array['docs', 'keyless']) name;
"""
# What an entry takes beside the values: the summaries of a few large values.
FEW = 20_000


class Docs:
    """A tenant with tables that hold large values."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.tenant = environment.tenant()
        self.admin = environment.member(self.tenant, "admin")
        self.execute(TABLE)

    def execute(
        self, statement: str, values: Row | None = None, *, table: str = "docs"
    ) -> list[Row]:
        names = SQL(statement).format(Identifier(self.tenant), self.tenant, Identifier(table))
        done = self.environment.sql.execute(names, values)
        return done.fetchall() if done.description else []

    def mark(self) -> int:
        [row] = self.execute("select coalesce(max(id), 0) as id from {0}.audit_log")
        return int(row["id"])

    def log(self, mark: int) -> list[Row]:
        return self.execute(
            "select action, table_name, old_values, new_values from {0}.audit_log"
            " where id > %(mark)s order by id",
            {"mark": mark},
        )

    def bytes(self, mark: int) -> int:
        return len(json.dumps(self.log(mark), ensure_ascii=False).encode())


@pytest.fixture(scope="module")
def docs(address: Address) -> Iterator[Docs]:
    with Environment(address) as environment:
        yield Docs(environment)


def incompressible(size: int, seed: int = 0) -> str:
    return random.Random(seed).randbytes(size // 2).hex()  # noqa: S311


def document(text: str) -> Row:
    return {f"k{number:03}": text[number * 100 : number * 100 + 100] for number in range(100)}


TEXTS = {"random": incompressible(60_000), "repeated": "xyz" * 20_000}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("table", ["docs", "keyless"])
def test_update_beside_a_large_value_does_not_keep_it_again(
    docs: Docs, table: str, text: str
) -> None:
    docs.execute("delete from {0}.{2} where true", table=table)
    mark = docs.mark()
    row = {"text": text, "doc": Jsonb(document(text)), "parts": [text[:5000], text[5000:9000]]}
    docs.execute(
        "insert into {0}.{2} values (1, 0, %(doc)s, %(text)s, %(doc)s::jsonb::json, %(parts)s)",
        row,
        table=table,
    )
    # The insertion keeps all of it.
    [entry] = docs.log(mark)
    assert entry["new_values"]["body"] == text
    assert entry["new_values"]["doc"] == entry["new_values"]["raw"] == document(text)

    for statement in (
        "update {0}.{2} set n = n + 1 where true",
        "update {0}.{2} set id = id + 1 where true",
    ):
        mark = docs.mark()
        for _ in range(5):
            docs.execute(statement, table=table)
        assert docs.bytes(mark) < 5 * FEW

    mark = docs.mark()
    docs.execute("delete from {0}.{2} where true", table=table)
    [entry] = docs.log(mark)
    assert (entry["action"], entry["old_values"]["body"]) == ("delete", text)
    assert entry["old_values"]["doc"] == entry["old_values"]["raw"] == document(text)


def test_change_within_a_large_value_keeps_the_part_that_differs(docs: Docs) -> None:
    before = {**document(TEXTS["random"]), "name": "é before"}
    after = {**before, "name": "è after"}
    docs.execute("delete from {0}.docs where true")
    docs.execute("insert into {0}.docs (id, doc) values (1, %(doc)s)", {"doc": Jsonb(before)})
    mark = docs.mark()
    docs.execute("update {0}.docs set doc = %(doc)s where true", {"doc": Jsonb(after)})

    [entry] = docs.log(mark)
    assert {*entry["old_values"]} == {*entry["new_values"]} == {"doc"}
    old, new = entry["old_values"]["doc"], entry["new_values"]["doc"]
    assert (old["$text"], new["$text"]) == ("é before", "è after")
    [found] = docs.execute("select doc::text as text from {0}.docs")
    whole = found["text"].encode()
    assert (new["$bytes"], new["$sha256"]) == (len(whole), hashlib.sha256(whole).hexdigest())
    assert whole[new["$offset"] :].startswith("è after".encode())
    assert json.loads(value_before(whole, old)) == before


def test_large_value_that_is_replaced_is_kept_once(docs: Docs) -> None:
    docs.execute("delete from {0}.docs where true")
    docs.execute("insert into {0}.docs (id) values (1)")
    mark = docs.mark()
    texts = [incompressible(60_000, seed) for seed in range(4)]
    for text in texts:
        docs.execute("update {0}.docs set body = %(text)s where true", {"text": text})
    docs.execute("update {0}.docs set body = null where true")

    found = docs.log(mark)
    assert [entry["old_values"]["body"] for entry in found] == [None, *texts]
    for entry, text in zip(found[:-1], texts, strict=True):
        assert entry["new_values"]["body"] == {
            "$text": text[:1000],
            "$bytes": len(text),
            "$sha256": hashlib.sha256(text.encode()).hexdigest(),
        }
    assert found[-1]["new_values"] == {"body": None}
    assert docs.bytes(mark) < sum(map(len, texts)) + FEW


def test_small_values_are_kept_whole_beside_large_ones(docs: Docs) -> None:
    docs.execute("delete from {0}.docs where true")
    docs.execute(
        "insert into {0}.docs (id, body, doc, n) values (1, %(text)s, '[1]', 1)",
        {"text": TEXTS["random"]},
    )
    mark = docs.mark()
    docs.execute(
        "update {0}.docs set body = 'small', doc = %(doc)s, n = 2, parts = '{{a}}' where true",
        {"doc": Jsonb({"a": "x" * 2000})},
    )
    assert docs.log(mark) == [
        {
            "action": "update",
            "table_name": "docs",
            "old_values": {"body": TEXTS["random"], "doc": [1], "n": 1, "parts": None},
            "new_values": {"body": "small", "doc": {"a": "x" * 2000}, "n": 2, "parts": ["a"]},
        }
    ]


def test_member_cannot_fill_the_log_by_metadata(environment: Environment) -> None:
    tenant = environment.tenant()
    member = environment.member(tenant, "read")
    environment.rpc(member, "ensure_user_profile", schema_name=tenant).raise_for_status()

    def log_bytes(metadatas: list[Row]) -> int:
        before = environment.sql.execute(MEASURE.format(Identifier(tenant))).fetchone()
        for metadata in metadatas:
            changed = audited_call(
                environment,
                member,
                "update_user_profile",
                schema_name=tenant,
                metadata=metadata,
            ).result
            assert changed["metadata"] == metadata
        after = environment.sql.execute(MEASURE.format(Identifier(tenant))).fetchone()
        assert before is not None
        assert after is not None
        return int(after["bytes"] - before["bytes"])

    large = {"text": incompressible(8000)}
    log_bytes([large])
    # One member of it changes: much less than its size.
    assert log_bytes([{**large, "n": n} for n in range(10)]) < 10 * 1000
    # All of it changes: it is kept once and not twice.
    others = [{"text": incompressible(8000, seed)} for seed in range(1, 11)]
    assert log_bytes(others) < 10 * 10_000


MEASURE = SQL(
    "select coalesce(sum(octet_length(old_values::text) + octet_length(new_values::text)), 0)"
    " as bytes from {}.audit_log where action = 'update'"
)


def value_before(after: bytes, kept: Any) -> bytes:
    """The text of a value, from the text that replaced it and from what the log keeps of it."""
    head = int(kept["$offset"])
    part = str(kept["$text"]).encode()
    tail = int(kept["$bytes"]) - head - len(part)
    before = after[:head] + part + after[len(after) - tail :]
    assert hashlib.sha256(before).hexdigest() == kept["$sha256"]
    return before


PIECES = st.lists(
    st.sampled_from(["a", "é", "è", "\N{EURO SIGN}", "\N{GRINNING FACE}", "\n", "xyz" * 400]),
    max_size=12,
).map("".join)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(edits=st.lists(st.tuples(PIECES, st.sampled_from([0, 1, 2, 3])), min_size=2, max_size=6))
def test_every_value_can_be_computed_from_the_log(
    docs: Docs, edits: list[tuple[str, int]]
) -> None:
    docs.execute("delete from {0}.docs where true")
    docs.execute("insert into {0}.docs (id, body) values (1, '')")
    mark = docs.mark()
    text, texts = "", [""]
    for piece, quarter in edits:
        place = len(text) * quarter // 4
        text = text[:place] + piece + text[place + quarter :]
        docs.execute("update {0}.docs set body = %(text)s where true", {"text": text})
        if text != texts[-1]:
            texts.append(text)

    found = docs.log(mark)
    assert len(found) == len(texts) - 1
    for entry in reversed(found):
        after = texts.pop()
        for side, value in (("new_values", after), ("old_values", texts[-1])):
            kept = entry[side]["body"]
            if isinstance(kept, str):
                assert kept == value
            else:
                assert len(value.encode()) > 2048
                assert kept["$sha256"] == hashlib.sha256(value.encode()).hexdigest()
        kept = entry["old_values"]["body"]
        if not isinstance(kept, str):
            assert value_before(after.encode(), kept) == texts[-1].encode()
    assert texts == [""]
