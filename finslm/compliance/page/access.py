"""Who may see the page: a token from the terminal, then a session of a browser."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import stat
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

from finslm.errors import ConfigError

IDLE_S: Final = 1800.0
"""A session that asks nothing for this long ends, seconds."""
LIFETIME_S: Final = 8 * 3600.0
"""No session is longer than a working day, seconds."""
MAX_SESSIONS: Final = 16
"""The one that was idle longest ends when there is one more."""
MAX_FAILURES: Final = 5
"""Wrong tokens within :data:`FAILURES_S`; then nobody can log in until the oldest is past."""
FAILURES_S: Final = 60.0
LOGIN_FORM_S: Final = 3600.0
"""How long a log-in form may stay open, seconds."""
MIN_TOKEN_CHARS: Final = 32
MAX_TOKEN_CHARS: Final = 256

_NAME = re.compile(r"[A-Za-z0-9._@+-]{1,64}", re.ASCII)
_TOKEN = re.compile(rf"[!-~]{{{MIN_TOKEN_CHARS},{MAX_TOKEN_CHARS}}}", re.ASCII)
Clock = Callable[[], float]
"""Seconds that never go back, such as ``time.monotonic``."""


class TooManyAttempts(Exception):
    """Wrong tokens came too fast."""


@final
@dataclass(slots=True)
class Session:
    """A browser that is logged in."""

    by: str
    """Name of who logged in, as the records and reports have it."""
    csrf: str
    began: float
    seen: float
    noted: set[str] = field(default_factory=set)
    """What this session was shown and is on record already: by event, query and size of the tree."""


@final
class Access:
    """The token, and the sessions that it opened. Of a session only the hash of its cookie is kept."""

    def __init__(self, clock: Clock, token: str | None = None, issue: Callable[[str], None] | None = None) -> None:
        """Make it.

        Args:
            clock: for ages.
            token: of a file; it opens sessions again and again. When None each opens one, and the next is issued.
            issue: called with each one-time token.
        """
        self._clock, self._issue = clock, issue
        self._lasting = token is not None
        self._digest = b""
        self._secret = secrets.token_bytes(32)
        self._sessions: dict[bytes, Session] = {}
        self._failures: deque[float] = deque(maxlen=MAX_FAILURES)
        self._lock = threading.Lock()
        self._renew() if token is None else self._set(token)

    def _renew(self) -> None:
        token = secrets.token_urlsafe(32)
        self._set(token)
        if self._issue is not None:
            self._issue(token)

    def _set(self, token: str) -> None:
        self._digest = _digest(token)

    def log_in(self, token: str, by: str) -> str | None:
        """Open a session; return the value of its cookie, or None when the token is not the one.

        Raises:
            TooManyAttempts: even the right one is not looked at for a while.
            ValueError: ``by`` is no name; nothing was tried.
        """
        if not _NAME.fullmatch(by):
            raise ValueError("a name")
        with self._lock:
            now = self._clock()
            if len(self._failures) == MAX_FAILURES and now - self._failures[0] < FAILURES_S:
                raise TooManyAttempts
            if not hmac.compare_digest(_digest(token), self._digest):
                self._failures.append(now)
                return None
            if not self._lasting:
                self._renew()
            return self._open(by, now)

    def _open(self, by: str, now: float) -> str:
        self._drop_old(now)
        if len(self._sessions) >= MAX_SESSIONS:
            del self._sessions[min(self._sessions, key=lambda name: self._sessions[name].seen)]
        cookie = secrets.token_urlsafe(32)
        self._sessions[_digest(cookie)] = Session(by, secrets.token_urlsafe(32), began=now, seen=now)
        return cookie

    def session(self, cookie: str) -> Session | None:
        """The session of a cookie, if it is still open."""
        with self._lock:
            now = self._clock()
            self._drop_old(now)
            found = self._sessions.get(_digest(cookie))
            if found is not None:
                found.seen = now
            return found

    def log_out(self, cookie: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(_digest(cookie), None)

    def _drop_old(self, now: float) -> None:
        for name, session in list(self._sessions.items()):
            if now - session.seen > IDLE_S or now - session.began > LIFETIME_S:
                del self._sessions[name]

    def login_form(self) -> str:
        """What a log-in form must bring back: it shows that the form came from here, and lately."""
        issued = f"{self._clock():.0f}"
        return f"{issued}.{self._sign(issued)}"

    def knows_form(self, value: str) -> bool:
        """Whether :meth:`login_form` gave this out within the hour."""
        issued, _, signature = value.partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(issued).encode()):
            return False
        return self._clock() - float(issued) <= LOGIN_FORM_S

    def _sign(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


def same(left: str, right: str) -> bool:
    """Compare in a time that does not depend on where they differ."""
    return hmac.compare_digest(left.encode(), right.encode())


def read_token(path: Path) -> str:
    """The token of a file that only its owner can read.

    Raises:
        ConfigError: it cannot be read, others can read it, or it has no token.
    """
    try:
        with path.open("rb") as file:
            mode = path.stat().st_mode
            text = file.read(MAX_TOKEN_CHARS + 3).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--token-file {path}: {type(error).__name__}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"--token-file {path}: others can read it: chmod 600 it")
    if not _TOKEN.fullmatch(text):
        raise ConfigError(
            f"--token-file {path}: {MIN_TOKEN_CHARS} to {MAX_TOKEN_CHARS} visible characters are wanted, such as "
            "those of: openssl rand -hex 32"
        )
    return text


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
