"""Who keeps the keys: a file, the environment, or a hardware security module."""

from __future__ import annotations

from redaction.keys.base import KeyProvider, TenantKeys, Wrapped
from redaction.keys.master import EnvironmentKeys, FileKeys

__all__ = ["EnvironmentKeys", "FileKeys", "KeyProvider", "TenantKeys", "Wrapped"]
