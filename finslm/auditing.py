"""From settings to the audit log."""

from __future__ import annotations

from finslm.audit import AuditLog
from finslm.config import AuditSettings
from finslm.errors import ConfigError


def open_log(settings: AuditSettings) -> AuditLog:
    """Open the log in its folder or its database, or begin one there. Blocks.

    Raises:
        AuditCorrupt: it is damaged.
        AuditUnavailable: another process writes it, the disk refuses, or the database cannot be reached.
        ConfigError: its key or the file with its connection string cannot be used.
    """
    if settings.store == "postgres" and settings.dsn_file is not None:
        try:
            dsn = settings.dsn_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"audit.dsn_file {settings.dsn_file}: {type(error).__name__}: it cannot be read") from None
        return AuditLog.open_postgres(
            dsn, settings.dir, origin=settings.origin, checkpoint_interval_s=settings.checkpoint_interval_s
        )
    return AuditLog.open(
        settings.dir, origin=settings.origin, checkpoint_interval_s=settings.checkpoint_interval_s
    )
