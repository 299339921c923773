"""How fast a roll-out may go, so that the users of the project do not notice it."""

import threading
import time
from collections.abc import Callable

from tenantry_cli.data_api import DataApi

# A user's request waits this long at most, if the roll-out is to go on without a pause.
_QUICK_SECONDS = 0.1
# A change of a tenant makes PostgREST load its schema cache, which delays every request.
_SERVED_SECONDS = 0.5
_BETWEEN_PROBES_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 5.0
# After that the roll-out goes on: the project is slow without it, too.
_PATIENCE_SECONDS = 60.0


class Pace:
    """Measures small requests to the Data API, and pauses while they are slow."""

    def __init__(self, api: DataApi, stop: threading.Event, say: Callable[[str], None]) -> None:
        self._api = api
        self._stop = stop
        self._say = say
        self._lock = threading.Lock()
        self._probed_at = time.monotonic()

    def wait_until_served(self) -> None:
        """Returns when the Data API answers quickly; asks at most once a second.

        Threads may call it, and then wait for one measurement."""
        with self._lock:
            if time.monotonic() < self._probed_at + _BETWEEN_PROBES_SECONDS:
                return
            self._wait_until(_SERVED_SECONDS)

    def after_batch(self, seconds: float) -> None:
        """A pause that leaves the processor to others for part of the time of a batch."""
        self._stop.wait(min(max(seconds / 4, 0.05), 1.0))
        with self._lock:
            self._wait_until(_QUICK_SECONDS)

    def _wait_until(self, quick: float) -> None:
        begun = time.monotonic()
        pause = quick
        while not self._stop.is_set():
            taken = self._api.probe()
            self._probed_at = time.monotonic()
            if taken < quick or self._probed_at > begun + _PATIENCE_SECONDS:
                return
            if pause == quick and taken > _SERVED_SECONDS:
                self._say("The Data API is slow: waiting.")
            self._stop.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
