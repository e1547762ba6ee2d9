"""A small HTTP listener on a TCP port or a Unix socket: a bounded number of connections, each with an end."""

from __future__ import annotations

import contextlib
import re
import socket
import stat
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import structlog

from finslm.errors import ConfigError

UNIX: Final = "unix:"

_LISTEN = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:\[\]]+):(?P<port>[0-9]{1,5})", re.ASCII)

_log = structlog.get_logger(__name__)


class BoundedServer(ThreadingHTTPServer):
    """A thread for each connection, of which there are only so many."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 32
    what = "witness"
    """Stands in the names of log lines and in messages."""
    max_connections = 64
    """At a time; more are closed at once."""
    lifetime_s = 60.0
    """No connection is held longer than this, however busy: a slow sender cannot keep a place, seconds."""

    def __init__(self, listen: str, answers: type[BaseHTTPRequestHandler]) -> None:
        """Open the port or socket.

        Args:
            listen: ``HOST:PORT`` (an IPv6 address in brackets), or ``unix:`` and a path.
            answers: takes a connection.

        Raises:
            ConfigError: another form, taken, or not this machine's.
        """
        self._open: dict[Any, float] = {}
        self._guard = threading.Lock()
        self.unix = Path(listen.removeprefix(UNIX)) if listen.startswith(UNIX) else None
        try:
            if self.unix:
                self._listen_unix(self.unix, answers)
            else:
                self._listen_tcp(listen, answers)
        except OSError as error:
            raise ConfigError(f"{self.what}: cannot listen on {listen}: {error.strerror}") from None

    def _listen_tcp(self, listen: str, answers: type[BaseHTTPRequestHandler]) -> None:
        host, port = parse_tcp(listen, self.what)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), answers)

    def _listen_unix(self, path: Path, answers: type[BaseHTTPRequestHandler]) -> None:
        """Bind a Unix socket, in the place of one that nobody answers on any more."""
        if path.is_socket():
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(path)) == 0:
                    raise ConfigError(f"{self.what}: another process listens on {path}")
            path.unlink()
        self.address_family = socket.AF_UNIX
        super().__init__(str(path), answers)  # type: ignore[arg-type]  # the address of this family is a path
        path.chmod(stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IWGRP)

    @property
    def address(self) -> str:
        """What it listens on, with the port that the system chose."""
        if self.unix:
            return f"{UNIX}{self.unix}"
        host, port = self.server_address[:2]
        return f"[{host!s}]:{port}" if ":" in str(host) else f"{host!s}:{port}"

    def serve(self) -> None:
        """Answer until :meth:`shutdown`; what is being answered then is answered to its end."""
        try:
            self.serve_forever()
        finally:
            self.server_close()
            if self.unix:
                self.unix.unlink(missing_ok=True)

    def server_bind(self) -> None:
        """Bind without looking the host's name up, as http.server would."""
        if self.address_family != socket.AF_UNIX:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection, or close it where there are too many."""
        with self._guard:
            full = len(self._open) >= self.max_connections
            if not full:
                self._open[request] = time.monotonic()
        if full:
            _log.warning(f"{self.what}_full")
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection and give its place back."""
        with self._guard:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called twice a second: end the connections whose time is up. Their threads see a closed socket."""
        now = time.monotonic()
        with self._guard:
            late = [request for request, since in self._open.items() if now - since > self.lifetime_s]
        for request in late:
            with contextlib.suppress(OSError):  # it ended by itself meanwhile
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """A peer that goes away is no error of ours; anything else is told without what it sent."""
        _log.warning(f"{self.what}_connection_failed")


def parse_tcp(listen: str, what: str) -> tuple[str, int]:
    """Host, without brackets, and port of ``HOST:PORT``.

    Raises:
        ConfigError: another form.
    """
    match = _LISTEN.fullmatch(listen)
    if match is None or int(match["port"]) > 65535:
        raise ConfigError(f"{what}: cannot listen on {listen[:64]!r}: wanted HOST:PORT or unix:PATH")
    return match["host"].strip("[]"), int(match["port"])
