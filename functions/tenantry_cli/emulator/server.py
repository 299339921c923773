"""A gunicorn server for one WSGI application, on this machine only."""

from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, application: "WSGIApplication", port: int, threads: int) -> None:
        self._application = application
        self._settings: dict[str, Any] = {
            "bind": f"127.0.0.1:{port}",
            "worker_class": "gthread",
            "threads": threads,
            "graceful_timeout": 2,
            # Longer than the functions keep an idle connection (httpx: 5 s). Otherwise the
            # server could close a connection while a function sends a request.
            "keepalive": 75,
            # No timeout: a slow request must not end its worker.
            "timeout": 0,
            "control_socket_disable": True,
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> "WSGIApplication":
        return self._application
