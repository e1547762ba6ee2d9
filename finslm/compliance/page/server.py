"""The page over HTTP on this machine alone: what comes in is bounded and checked before a page sees it."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any, Final, final

import structlog

from finslm.audit.listening import UNIX, BoundedServer, parse_tcp
from finslm.compliance.page.access import Access
from finslm.compliance.page.desk import Desk, Setting
from finslm.compliance.page.message import Answer, Ask, BadRequest, read_cookie, read_fields, read_target
from finslm.compliance.page.views import Page
from finslm.errors import ConfigError

MAX_BODY_BYTES: Final = 8 << 10
"""Largest form."""
IDLE_S: Final = 10.0
"""A connection that sends nothing for this long is closed, seconds."""
READ_S: Final = 20.0
"""A request must be whole by then, however it trickles in, seconds."""
ANSWER_S: Final = 600.0
"""And its answer be given by then; a report of a large log takes its time, seconds."""
WAIT_S: Final = 2.0
"""A page that is not ready by then says so and asks again, seconds."""
HEADERS: Final = (
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
"""On every answer. There is no script, so none is allowed."""

_LENGTH = re.compile(r"[0-9]{1,9}", re.ASCII)
# Names by which a browser may call this machine; any other came from somebody else's name server.
_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", re.ASCII)
_log = structlog.get_logger(__name__)


class _Handler(BaseHTTPRequestHandler):
    """One connection: one request, one answer."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"
    timeout = IDLE_S
    server: PageServer

    def do_GET(self) -> None:
        """A page."""
        self._take()

    def do_POST(self) -> None:
        """A form."""
        self._take()

    def _take(self) -> None:
        try:
            self._check_origin()
            path, query = read_target(self.path)
            form = read_fields(self._body()) if self.command == "POST" else {}
            self.server.give_time(self.connection)
            cookie = read_cookie(self.headers.get("Cookie", ""), self.server.cookie_name)
            answer = self.server.page.answer(Ask(self.command, path, query, form, cookie))
        except BadRequest as error:
            answer = self.server.page.problem(error.code)
        self._answer(answer)

    def _check_origin(self) -> None:
        """The name that the browser called us by must be ours (DNS rebinding); a form must come from our pages (CSRF).

        Raises:
            BadRequest: it does not.
        """
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or not self.server.is_own(hosts[0]):
            raise BadRequest(421)
        if self.command == "POST":
            if self.headers.get("Origin", f"http://{hosts[0]}") != f"http://{hosts[0]}":
                raise BadRequest(403)
            if self.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
                raise BadRequest(403)

    def _body(self) -> str:
        lengths = self.headers.get_all("Content-Length", [])
        if len(lengths) != 1 or self.headers.get("Transfer-Encoding") is not None:
            raise BadRequest(411)
        if not _LENGTH.fullmatch(lengths[0]) or int(lengths[0]) > MAX_BODY_BYTES:
            raise BadRequest(413)
        if self.headers.get("Content-Type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
            raise BadRequest(415)
        body = self.rfile.read(int(lengths[0]))
        if len(body) != int(lengths[0]) or not body.isascii():
            raise BadRequest
        return body.decode("ascii")

    def _answer(self, answer: Answer) -> None:
        self.close_connection = True
        self.send_response(answer.status)
        for name, value in (*HEADERS, *answer.headers):
            self.send_header(name, value)
        if answer.body:
            self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """What http.server itself refuses: no echo of the request. A method that it does not know is not allowed."""
        self.command = getattr(self, "command", None) or ""
        status = 405 if int(code) == 501 else int(code)
        with contextlib.suppress(OSError):  # the peer may have gone
            self._answer(self.server.page.problem(status))

    def version_string(self) -> str:
        """Says nothing of Python."""
        return "finslm"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """http.server's lines hold what the peer sent; ours do not."""


@final
class PageServer(BoundedServer):
    """The listener of one page."""

    what = "compliance"
    max_connections = 32
    lifetime_s = READ_S

    def __init__(self, setting: Setting, access: Access, listen: str, *, wait_s: float = WAIT_S) -> None:
        """Open the port or socket.

        Args:
            setting: of which log.
            access: who may see it.
            listen: a loopback address as ``HOST:PORT``, or ``unix:`` and a path.
            wait_s: a page that is not ready by then says so and asks again, seconds.

        Raises:
            ConfigError: not an address of this machine alone, or it cannot be had.
        """
        check_local(listen)
        super().__init__(listen, _Handler)
        self.cookie_name = "finslm_page" if self.unix else f"finslm_page_{self.port}"
        self.page = Page(Desk(setting, wait_s), access, self.cookie_name)

    @property
    def port(self) -> int:
        """Of TCP; 0 on a Unix socket."""
        return 0 if self.unix else int(self.server_address[1])

    def give_time(self, connection: Any) -> None:
        """A request is whole: its answer may take longer than it did."""
        with self._guard:
            self._open[connection] = time.monotonic() + ANSWER_S - READ_S

    def is_own(self, host: str) -> bool:
        """Whether a Host header names this machine and port. Behind a Unix socket the port is the forwarder's."""
        match = _HOST.fullmatch(host)
        if host == self.address:
            return True
        return match is not None and (self.unix is not None or (match[2] or ":80") == f":{self.port}")


def check_local(listen: str) -> None:
    """Only this machine may reach the page.

    Raises:
        ConfigError: another address than a loopback one or a Unix socket.
    """
    if listen.startswith(UNIX):
        return
    host, _ = parse_tcp(listen, "compliance")
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise ConfigError(
            f"compliance: {host[:64]} can be reached from other machines, and the page is for this one: listen on "
            "127.0.0.1, [::1] or unix:PATH, and come from elsewhere through ssh -L"
        )


@contextlib.contextmanager
def serving(server: PageServer) -> Iterator[PageServer]:
    """Answer in a thread, while the block lasts."""
    thread = threading.Thread(target=server.serve, name="page")
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()


def open_access(token: str | None, issue: Any) -> Access:
    """The access of a page, on the machine's own clock."""
    return Access(time.monotonic, token, issue)
