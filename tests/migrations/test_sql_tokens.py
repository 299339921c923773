"""The text of a tenant migration is read as the scanner of PostgreSQL reads it."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import pytest

from support.environment import Address

# Each is a list of columns, whose values PostgreSQL tells.
COLUMNS = (
    "'a' -- b",
    "'--', 1 -- '\n, 2",
    "'/*', 1, '*/'",
    "'it''s -- x', 'b' /* c */",
    r"E'it\'s -- x', '\' -- y'",
    r"e'\\', '--'",
    "E'a'\n  '\\'--b'",
    "E'a' -- c\n '\\'/*b'",
    "$q$ -- $q$, $$ /* $$ /* $$ */",
    "$a$ $b$a$, 1 -- $a$",
    "$ä$ '-- $ä$ -- '",
    "1 /* a /* b */ c */ + 2",
    "3 */* a */ 4",
    '1 as "--", 2 as "/*", 3 as "a""*/"',
    "1 as a$b$, 2 /* $b$ */",
    "1 - -2 --- 3",
    "U&'\\0041' || '\\', 2 -- '",
    "B'01', X'1f', '/*'--",
)


@pytest.fixture
def database(fleet_database: Address) -> Any:
    with psycopg.connect(fleet_database.db_url) as connection:
        yield connection
        connection.rollback()


def read(database: Any, function: str, text: str) -> Any:
    return database.execute(f"select tenancy.{function}".encode(), (text,)).fetchone()[0]


@pytest.mark.parametrize("columns", COLUMNS)
def test_text_without_comments_means_the_same(database: Any, columns: str) -> None:
    text = f"select {columns}"
    left = read(database, "without_comments(%s)", text)

    expected = database.execute(text.encode())
    found = database.execute(left.encode())
    assert found.fetchall() == expected.fetchall()
    assert [column.name for column in found.description] == [
        column.name for column in expected.description
    ]
    tokens = database.execute("select kind, token from tenancy.sql_tokens(%s)", (text,))
    rows = tokens.fetchall()
    assert "".join(token for _, token in rows) == text
    assert [token for kind, token in rows if kind == "comment" and token in left] == []
    code = read(database, "without_comments(%s, true)", text)
    assert len(code) <= len(left)


def test_statements_end_at_the_semicolons_of_the_code(database: Any) -> None:
    text = 'a \';\' /* ; */; $$ ; $$ -- ;\n; ;\n "x;""" ;-- end'

    assert read(database, "split_statements(%s)", text) == [
        "a ';'",
        "$$ ; $$",
        '"x;"""',
    ]
    assert read(database, "split_statements(%s)", " ;; -- a") == []


def test_comments_in_the_bodies_of_routines_are_found_too(database: Any) -> None:
    text = "do $a$ begin -- $$ ;\n perform '--'; execute $$ x /* y */ $$; end $a$"

    assert read(database, "without_comments(%s)", text) == text
    assert read(database, "without_comments(%s, true)", text) == (
        "do $a$ begin  \n perform '--'; execute $$ x   $$; end $a$"
    )


@pytest.mark.parametrize(
    ("text", "sends"),
    [
        ("select 'as $a$'; notify x; select '$a$'", True),
        ("create function f() returns void language sql as /* n */ $$ notify x $$", False),
        ("do $$ begin notify x; end $$", True),
        ("select 1 -- notify x", False),
    ],
)
def test_notification_outside_the_bodies_of_routines_is_found(
    database: Any, text: str, sends: bool
) -> None:
    assert read(database, "sends_notifications(%s)", text) is sends


def test_long_text_is_read_in_a_time_that_grows_with_it(database: Any) -> None:
    def seconds(times: int) -> float:
        text = "insert into t values ('a', \"b\", $$c$$); -- d\n" * times
        begun = time.monotonic()
        assert len(read(database, "split_statements(%s)", text)) == times
        return time.monotonic() - begun

    seconds(250)
    assert min(seconds(2000) for _ in range(3)) < 24 * min(seconds(250) for _ in range(3))
