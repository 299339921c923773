"""Sessions of `postgres` that the tests of one process use in turn.

A new session reads the catalog and compiles each function again. That takes longer than the
statements of most tests.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

Session = psycopg.Connection[dict[str, Any]]

# One idle session for each URL of a database.
_IDLE: dict[str, Session] = {}
# A session keeps the plans of all functions that it has called, and each change of the catalog
# looks through them. After a hundred tests everything takes several times as long.
_MOST_TESTS = 10
_TESTS: WeakKeyDictionary[Session, int] = WeakKeyDictionary()
# Whatever a test can leave in a session.
_FORGET = """
    reset role; reset all; unlisten *; close all; discard temp; select pg_advisory_unlock_all()
"""


def borrow(db_url: str) -> Session:
    """A session with autocommit: an idle one, or a new one."""
    session = _IDLE.pop(db_url, None)
    if session is not None and _forgets(session):
        return session
    # Other tests change tables, and a prepared statement keeps the columns that it returns.
    return psycopg.connect(
        db_url, autocommit=True, row_factory=dict_row, prepare_threshold=None
    )


def give_back(db_url: str, session: Session) -> None:
    """Keeps the session for the next test, unless it is broken or another one is kept."""
    _TESTS[session] = _TESTS.get(session, 0) + 1
    if db_url not in _IDLE and _TESTS[session] < _MOST_TESTS and _forgets(session):
        _IDLE[db_url] = session
    else:
        session.close()


def close_all() -> None:
    while _IDLE:
        _IDLE.popitem()[1].close()


def _forgets(session: Session) -> bool:
    """Whether the session works and has forgotten its last test."""
    if session.closed or session.info.transaction_status is not TransactionStatus.IDLE:
        session.close()
        return False
    try:
        session.execute(_FORGET)
    except psycopg.Error:
        session.close()
        return False
    return True
