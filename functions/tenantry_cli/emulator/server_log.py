"""What the emulator's database server has warned of, which the Supabase CLI does not show."""

import re
from collections.abc import Callable
from pathlib import Path

# The message, and the lines of it after the first one.
_RECORD = re.compile(r"^\S+ \S+ UTC \[\d+\] (\w+):  (.*(?:\n\t.*)*)", re.MULTILINE)


def warnings_from_now(log: Path) -> Callable[[], tuple[str, ...]]:
    """Returns what tells the warnings since this call. Those of other sessions are among them:
    the log does not say who pushes."""
    start = log.stat().st_size if log.exists() else 0

    def told() -> tuple[str, ...]:
        if not log.exists():
            return ()
        with log.open("rb") as file:
            file.seek(start)
            text = file.read().decode(errors="replace")
        found = (
            message.replace("\n\t", "\n")
            for severity, message in _RECORD.findall(text)
            if severity == "WARNING"
        )
        # Once each, in their order.
        return tuple(dict.fromkeys(found))

    return told
