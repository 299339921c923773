"""A line of JSON per start and per request, in the format that Cloud Logging reads."""

import json
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tenantry import __version__
from tenantry.settings import SETTINGS

LONGEST_NAME = 63


@dataclass
class LogLine:
    """The fields of a line. It never holds a token or a body."""

    request_id: str
    trace: str | None
    group: str
    operation: str | None = None
    actor: str | None = None
    schema_name: str | None = None
    error: str | None = None
    explanation: str | None = None
    pending: str | None = None
    stack_trace: str | None = None
    started: float = field(default_factory=time.perf_counter)

    def write(self, status: int) -> None:
        line = {
            "severity": _severity(status),
            "message": f"{self.group}/{self.operation or ''} {status}",
            "time": datetime.now(UTC).isoformat(),
            "logging.googleapis.com/trace": self.trace and _trace_name(self.trace),
            "request_id": self.request_id,
            "group": self.group,
            "operation": self.operation,
            "status": status,
            "milliseconds": round((time.perf_counter() - self.started) * 1000, 1),
            "schema_name": self.schema_name and self.schema_name[:LONGEST_NAME],
            "actor": self.actor,
            # Only PostgREST checks the token's signature.
            "actor_verified": False if self.actor else None,
            "error": self.error,
            "explanation": self.explanation,
            "pending": self.pending,
            "stack_trace": self.stack_trace,
        }
        _write({name: value for name, value in line.items() if value is not None})


def write_start(group: str) -> None:
    """One line, when a process is ready to serve a group."""
    _write(
        {
            "severity": "INFO",
            "message": f"{group} starts. It fits a database with release {__version__} of "
            "Tenantry or a later one.",
            "time": datetime.now(UTC).isoformat(),
            "group": group,
            "release": __version__,
        }
    )


def _write(line: dict[str, object]) -> None:
    # One write, so that lines of concurrent requests do not mix.
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _trace_name(trace_id: str) -> str:
    """The full name of a trace, by which Cloud Logging shows the trace's lines together."""
    if SETTINGS.google_cloud_project is None:
        return trace_id
    return f"projects/{SETTINGS.google_cloud_project}/traces/{trace_id}"


def _severity(status: int) -> str:
    if status >= 500:
        return "ERROR"
    return "WARNING" if status >= 400 else "INFO"
