"""Room on the disk that is kept for the log, so that calls in progress get their records when the disk fills up.

A file of that size, which is given up when no more than it is free, and made again when twice as much is (NIST SP
800-53 AU-4 and AU-5(1): storage is allocated, and its end is acted upon before it is there).
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Final, final

import structlog

from finslm.audit import files

RESERVE_FILE: Final = "reserve"

_log = structlog.get_logger(__name__)


@final
class Reserve:
    """The file. ``size`` 0: none. On a disk without room for it the log opens, and no new work begins.

    Raises:
        OSError: as the system says.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self._path, self._size = folder / RESERVE_FILE, size
        self.spent = False
        """Whether it is given up."""
        if not size:
            self._path.unlink(missing_ok=True)
            return
        try:
            self._allocate()
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            os.truncate(self._path, 0)
            self.spent = True
            _log.error("audit_disk_nearly_full", free_bytes=self._free(), reserve_bytes=size)

    def look(self) -> None:
        """Give it up, or take it again, as the disk is.

        Raises:
            OSError: as the system says.
        """
        if not self._size:
            return
        free = self._free()
        if not self.spent and free < self._size:
            with contextlib.suppress(FileNotFoundError):  # who made room took it away: it is given up as well
                os.truncate(self._path, 0)
            self.spent = True
            _log.error("audit_disk_nearly_full", free_bytes=free, reserve_bytes=self._size)
        elif self.spent and free >= 2 * self._size:
            self._allocate()
            self.spent = False
            _log.info("audit_disk_has_room", free_bytes=free)

    def _allocate(self) -> None:
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, self._size)
            os.ftruncate(fd, self._size)
            os.fsync(fd)
        finally:
            os.close(fd)
        files.sync_dir(self._path.parent)

    def _free(self) -> int:
        found = os.statvfs(self._path.parent)
        return found.f_bavail * found.f_frsize
