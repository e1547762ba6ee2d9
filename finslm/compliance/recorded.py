"""That a report was drawn, or the log searched, is itself put on record where a service writes the log."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from finslm.audit import spool

_NOT_IN_DETAILS = re.compile(r"[^A-Za-z0-9._:/+@=-]", re.ASCII)


def note(log_dir: Path, event: Literal["REPORT_DRAWN", "LOG_SEARCHED"], query: str, form: str, by: str) -> bool:
    """Leave the event for the service to record; False where no service writes this folder.

    Args:
        query: SHA-256 of the query's words, hex.
        form: of what was made.
        by: who asked; a character that a record cannot have becomes ``_``.

    Raises:
        AuditUnavailable: the folder cannot be written.
    """
    if not spool.is_live(log_dir):
        return False
    spool.leave(log_dir, event, {"query": query, "form": form, "by": _NOT_IN_DETAILS.sub("_", by)})
    return True
