"""PostgREST's cache of tables, columns and foreign keys, as far as an operation changes it.

PostgREST loads the cache again after each change. Until then it refuses a write into a new
table or column, and embedding by a new foreign key. So the reply of the operation waits.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Protocol

import httpx

from tenantry.database import POOL
from tenantry.settings import SETTINGS

# No column and no table can have this name: it is longer than PostgreSQL allows. It comes after
# all others in the order of names, in which PostgREST looks for columns.
_NOBODY = "z" * 64
_MOST_COLUMNS = 20
# A reply that waits occupies a thread. The other threads stay free for calls that need no wait.
_WAITING = BoundedSemaphore(8)
_FIRST_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 0.2


class Change(Protocol):
    """A change of the cache. Each asks PostgREST by a request that nobody's data can answer.

    PostgREST refuses the request before it asks the database, because the request also names
    something that does not exist. The refusal shows what PostgREST knows.
    """

    def is_loaded(self, headers: Mapping[str, str], timeout: float) -> bool: ...


@dataclass(frozen=True)
class ColumnChange:
    """Columns of a table that were added or dropped, alone or with the table and its schema."""

    schema_name: str
    table: str
    columns: Sequence[str]
    is_dropped: bool = False

    def is_loaded(self, headers: Mapping[str, str], timeout: float) -> bool:
        # Of an empty array no row would be inserted, whatever PostgREST does with the columns.
        reply = POOL.post(
            _address(self.table),
            params={"columns": ",".join((*self._last_columns(), _NOBODY))},
            headers={**headers, "Content-Profile": self.schema_name},
            content=b"[]",
            timeout=timeout,
        )
        is_known = _NOBODY in reply.text
        is_unknown = reply.status_code in {404, 406} or any(
            f"'{column}'" in reply.text for column in self.columns
        )
        return is_unknown if self.is_dropped else is_known

    def _last_columns(self) -> Sequence[str]:
        """As many columns as fit into an address, the newest."""
        return self.columns[-_MOST_COLUMNS:]


@dataclass(frozen=True)
class ForeignKeyChange:
    """A foreign key that was added or dropped."""

    schema_name: str
    table: str
    column: str
    foreign_table: str
    constraint: str
    is_dropped: bool = False

    def is_loaded(self, headers: Mapping[str, str], timeout: float) -> bool:
        # PostgREST finds a table's foreign key to itself by its column alone.
        embedded = self.column if self.table == self.foreign_table else self.constraint
        reply = POOL.get(
            _address(self.table),
            params={"select": f"{embedded}(*),{_NOBODY}(*)"},
            headers={**headers, "Accept-Profile": self.schema_name},
            timeout=timeout,
        )
        # PGRST201 lists the several foreign keys that a column has.
        is_known = _NOBODY in reply.text or "PGRST201" in reply.text
        is_unknown = not is_known and "PGRST200" in reply.text
        return is_unknown if self.is_dropped else is_known


@dataclass(frozen=True)
class SchemaRemoval:
    """A schema that the Data API no longer exposes."""

    schema_name: str

    def is_loaded(self, headers: Mapping[str, str], timeout: float) -> bool:
        reply = POOL.get(
            _address(_NOBODY),
            headers={**headers, "Accept-Profile": self.schema_name},
            timeout=timeout,
        )
        return reply.status_code == httpx.codes.NOT_ACCEPTABLE


def wait_for(changes: Iterable[Change], headers: Mapping[str, str]) -> bool:
    """Whether PostgREST has loaded the changes before the time of the settings is over."""
    if SETTINGS.cache_wait_seconds == 0:
        return False
    deadline = time.monotonic() + SETTINGS.cache_wait_seconds
    left = [change for change in changes if not _is_loaded(change, headers, deadline)]
    if not left:
        return True
    if not _WAITING.acquire(blocking=False):
        return False
    try:
        for pause in _pauses():
            if time.monotonic() + pause > deadline:
                return False
            time.sleep(pause)
            while left and _is_loaded(left[-1], headers, deadline):
                left.pop()
            if not left:
                return True
    finally:
        _WAITING.release()
    return False


def _is_loaded(change: Change, headers: Mapping[str, str], deadline: float) -> bool:
    left = max(deadline - time.monotonic(), _FIRST_PAUSE_SECONDS)
    try:
        return change.is_loaded(headers, min(left, SETTINGS.upstream_timeout_seconds))
    except httpx.HTTPError:
        return False


def _pauses() -> Iterator[float]:
    pause = _FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)


def _address(table: str) -> str:
    return f"{SETTINGS.supabase_url}/rest/v1/{table}"
