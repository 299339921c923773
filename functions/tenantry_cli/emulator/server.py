"""gunicorn around one WSGI application, on this machine only."""

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
            # Longer than the functions keep an idle connection (httpx: 5 s), or the two sides
            # race: one closes while the other sends, and that request is lost.
            "keepalive": 75,
            # A worker is alive as long as its threads are; a slow request is none of its
            # business.
            "timeout": 0,
            "control_socket_disable": True,
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> "WSGIApplication":
        return self._application
