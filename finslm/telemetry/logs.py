"""Logs: JSON lines on standard output, by allow-list.

A field that is not on the list below is dropped and its *name* is reported, so that nobody can log
text by accident. Other libraries' records keep their level, logger and place; their message is
dropped, since libraries put data in it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

ALLOWED: Final = frozenset(
    (
        "event",
        "level",
        "timestamp",
        "logger",
        "request_id",
        "method",
        "code",
        "reason",
        "duration_s",
        "error",
        "error_type",
        "errno",
        "frames",
        "where",
        "address",
        "port",
        "index",
        "cut_bytes",
        "kept_records",
        "count",
        "records",
        "free_bytes",
        "reserve_bytes",
        "step",
        "origin",
        "size",
        "held_size",
        "witness",
        "model",
        "version",
        "dropped_fields",
    )
)
"""Fields that a log line may have."""

EventDict = MutableMapping[str, Any]


def only_known_fields(_: Any, __: str, event: EventDict) -> EventDict:
    """Drop every field that is not allowed, and name those dropped."""
    unknown = sorted(set(event) - ALLOWED)
    for name in unknown:
        del event[name]
    if unknown:
        event["dropped_fields"] = unknown
    return event


class _ForeignFormatter(logging.Formatter):
    """Other libraries' records: where they come from, never what they say."""

    def format(self, record: logging.LogRecord) -> str:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        event = {
            "event": "library_log",
            "level": record.levelname.lower(),
            "logger": record.name,
            "where": f"{record.module}:{record.lineno}",
        } | ({"error": kind} if kind else {})
        stamped = structlog.processors.TimeStamper(fmt="iso", utc=True)(None, "", event)
        return str(structlog.processors.JSONRenderer()(None, "", stamped))


def configure(level: str) -> None:
    """Set up logging for this process; ``level`` is DEBUG, INFO, WARNING or ERROR."""
    number = logging.getLevelNamesMapping()[level]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_known_fields,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    foreign = logging.StreamHandler(sys.stdout)
    foreign.setFormatter(_ForeignFormatter())
    theirs = number if number == logging.DEBUG else max(number, logging.WARNING)
    logging.basicConfig(handlers=[foreign], level=theirs, force=True)
    logging.captureWarnings(capture=True)
