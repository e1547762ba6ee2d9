"""The witness over HTTP, on a TCP port or a Unix socket. C2SP tlog-witness: ``add-checkpoint`` and ``checkpoint``.

No TLS and no log-in: what counts is signed, both ways. Put a proxy in front where the network asks for one.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any, Final, final

import structlog

from finslm.audit.listening import BoundedServer
from finslm.audit.witness import TEXT_TYPE, Answer, Witness

MAX_BODY_BYTES: Final = 128 << 10
"""Largest request body: 63 proof lines and a note with 16 post-quantum signatures fit."""
MAX_CONNECTIONS: Final = 64
"""Connections at a time; more are closed at once."""
IDLE_S: Final = 10.0
"""A connection that sends nothing for this long is closed, seconds."""
LIFETIME_S: Final = 60.0
"""No connection is held longer than this, however busy: a slow sender cannot keep a place, seconds."""

_CHECKPOINT = re.compile(r"/([0-9a-f]{64})/checkpoint", re.ASCII)
_LENGTH = re.compile(r"[0-9]{1,9}", re.ASCII)

_log = structlog.get_logger(__name__)


class _Handler(BaseHTTPRequestHandler):
    """One connection. Each request gets one answer of the witness."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # http.server would answer what it cannot read as HTTP/0.9, without a status
    timeout = IDLE_S
    server: _Server

    def do_POST(self) -> None:
        """``add-checkpoint``."""
        if self.path != "/add-checkpoint":
            self._answer(Answer(404, "wanted: POST /add-checkpoint\n"), close=True)
            return
        body = self._body()
        if body is not None:
            self._answer(self.server.witness.add_checkpoint(body))

    def do_GET(self) -> None:
        """``<SHA-256 of the origin>/checkpoint``."""
        match = _CHECKPOINT.fullmatch(self.path)
        if match is None:
            self._answer(Answer(404, "wanted: GET /<SHA-256 of the origin>/checkpoint\n"))
            return
        self._answer(self.server.witness.latest(match[1]))

    def _body(self) -> bytes | None:
        """The body; None when it was refused. Its length must be known: nobody else sends it in pieces."""
        lengths = self.headers.get_all("Content-Length", [])
        if len(lengths) != 1 or self.headers.get("Transfer-Encoding") is not None:
            self._answer(Answer(411, "one Content-Length is wanted, and no Transfer-Encoding\n"), close=True)
            return None
        if not _LENGTH.fullmatch(lengths[0]) or int(lengths[0]) > MAX_BODY_BYTES:
            self._answer(Answer(413, f"a body of at most {MAX_BODY_BYTES} bytes is wanted\n"), close=True)
            return None
        body = self.rfile.read(int(lengths[0]))
        if len(body) != int(lengths[0]):
            self._answer(Answer(400, "the body is shorter than its Content-Length\n"), close=True)
            return None
        return body

    def _answer(self, answer: Answer, *, close: bool = False) -> None:
        data = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(data)))
        if close:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)
        _log.info("witness_answered", method=self.command, code=answer.status)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """What http.server itself refuses: no echo of the request."""
        self.close_connection = True
        self.command = self.command or ""
        self._answer(Answer(int(code), "not a request that this witness takes\n", TEXT_TYPE), close=True)

    def version_string(self) -> str:
        """Says nothing of Python."""
        return "finslm-witness"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """http.server's lines hold what the peer sent; ours do not."""


class _Server(BoundedServer):
    """The listener of one witness."""

    def __init__(self, witness: Witness, listen: str) -> None:
        self.witness = witness
        self.max_connections, self.lifetime_s = MAX_CONNECTIONS, LIFETIME_S
        super().__init__(listen, _Handler)


@final
class WitnessServer:
    """A listener of one witness. :meth:`serve` blocks; :meth:`stop` ends it from another thread."""

    def __init__(self, witness: Witness, listen: str) -> None:
        """Open the port or socket.

        Args:
            witness: answers.
            listen: ``HOST:PORT`` (an IPv6 address in brackets), or ``unix:`` and a path.

        Raises:
            ConfigError: another form, taken, or not this machine's.
        """
        self._server = _Server(witness, listen)

    @property
    def address(self) -> str:
        """What it listens on, with the port that the system chose."""
        return self._server.address

    def serve(self) -> None:
        """Answer until :meth:`stop`; what is being answered then is answered to its end."""
        self._server.serve()

    def stop(self) -> None:
        """Let :meth:`serve` return."""
        self._server.shutdown()


@contextlib.contextmanager
def serving(witness: Witness, listen: str) -> Iterator[WitnessServer]:
    """A listener in a thread of its own, while the block lasts."""
    server = WitnessServer(witness, listen)
    thread = threading.Thread(target=server.serve, name="witness")
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()
