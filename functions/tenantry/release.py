"""The release of the database: the functions need their own release or a later one."""

import re
import time
from typing import Annotated

from pydantic import Field
from pydantic_core import from_json

from tenantry import __version__
from tenantry.database import Database
from tenantry.errors import (
    NotAuthenticatedError,
    ReadOnlyCallError,
    RefusedError,
    UpgradeNeededError,
)
from tenantry.fields import Arguments, Result
from tenantry.operations import Operation

# After this time a database that was too old is asked again.
_ASK_AGAIN_SECONDS = 3


class GetDatabaseRelease(Arguments):
    pass


class DatabaseRelease(Result):
    release: Annotated[str, Field(examples=[__version__])]


OPERATION = Operation("get_database_release", GetDatabaseRelease, DatabaseRelease)


class _Requirement:
    """What this process knows of the database. It asks with the token of a caller."""

    def __init__(self) -> None:
        self._is_met = False
        self._refusal: str | None = None
        self._next_question = 0.0

    def check(self, database: Database) -> None:
        if self._is_met:
            return
        if self._refusal is not None:
            if time.monotonic() < self._next_question:
                raise UpgradeNeededError(self._refusal)
            # Before the question: of several calls at once only one asks.
            self._next_question = time.monotonic() + _ASK_AGAIN_SECONDS
        try:
            _require_fitting(from_json(database.call(OPERATION, GetDatabaseRelease())))
        except UpgradeNeededError as error:
            self._refusal = error.message
            self._next_question = time.monotonic() + _ASK_AGAIN_SECONDS
            raise
        except (NotAuthenticatedError, RefusedError, ReadOnlyCallError):
            # The operation refuses this caller, too, unless it writes. The next caller asks
            # again.
            self._next_question = 0.0
        else:
            self._is_met = True


def _require_fitting(answer: dict[str, str]) -> None:
    if _numbers(answer["release"]) < _numbers(__version__):
        raise UpgradeNeededError(
            f"The database has release {answer['release']} of Tenantry, but the functions "
            f"need {__version__}."
        )


def _numbers(release: str) -> list[int]:
    return [int(number) for number in re.findall(r"[0-9]+", release)[:3]]


REQUIREMENT = _Requirement()
