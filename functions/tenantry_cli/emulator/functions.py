"""Serves the functions as the cloud does: one functions-framework target per group.

This is a separate process, so that a function that changes or ends its process affects no other
component.
"""

import argparse
import gc
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tenantry_cli.emulator import docs
from tenantry_cli.emulator.paths import FUNCTIONS
from tenantry_cli.emulator.server import Server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

# The number of calls that are processed at the same time.
_THREADS = 16
_NO_EDGE_FUNCTIONS = "The emulator runs no Edge Functions."


def create_app(
    source: Path, swagger_ui: Path, supabase_js: Path, target: str | None = None
) -> "WSGIApplication":
    """Every entry point of `source`, or one, and their documentation.

    If the functions cannot be loaded, every call is answered with the reason. The database of
    the project still works.
    """
    # A project may have a `tenantry` of its own beside main.py, which is imported here, too.
    sys.path.insert(0, str(source.parent))
    from tenantry.app import (
        NoEntryPointsError,
        Refusal,
        UnknownTargetError,
        dispatcher,
        groups,
    )

    if not source.is_file():
        return Refusal(
            503,
            "unavailable",
            f"There are no functions: functions/{source.name} is missing.",
            "`tenantry init` adds Tenantry to this project. Then start the emulator again. "
            f"{_NO_EDGE_FUNCTIONS}",
        )
    try:
        with _no_compiled_files():
            served = groups(source, FUNCTIONS, target)
    except UnknownTargetError as error:
        raise SystemExit(str(error)) from error
    except NoEntryPointsError as error:
        return Refusal(
            503, "unavailable", f"functions/{error}", "Then start the emulator again."
        )
    except Exception as error:
        logging.exception("%s cannot be loaded", source)
        return Refusal(
            503,
            "unavailable",
            f"functions/{source.name} cannot be loaded: {error!r}.",
            "Fix the error, and start the emulator again. Its log has the stack trace.",
        )
    no_page = Refusal(
        404, "not_found", "There is no such page.", f"The documentation is at {FUNCTIONS}/docs."
    )
    return dispatcher(
        served,
        FUNCTIONS,
        pages={f"{FUNCTIONS}/docs": docs.create_app(swagger_ui, supabase_js, no_page)},
        hint=_NO_EDGE_FUNCTIONS,
    )


@contextmanager
def _no_compiled_files() -> Iterator[None]:
    """Python adds no `__pycache__` to the folder of the project."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--source", type=Path, required=True)
    arguments.add_argument("--swagger-ui", type=Path, required=True)
    arguments.add_argument("--supabase-js", type=Path, required=True)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--target")
    given = arguments.parse_args()
    # For the console. A deployment has a copy beside main.py.
    os.environ["TENANTRY_SUPABASE_JS"] = str(given.supabase_js)
    app = create_app(given.source, given.swagger_ui, given.supabase_js, given.target)
    # The modules live as long as the process. Otherwise each full collection, and the end of
    # the worker, would visit all their objects and copy their memory.
    gc.freeze()
    Server(app, given.port, _THREADS).run()


if __name__ == "__main__":
    main()
