"""Where the map from placeholder to value lives between a redaction and its restoration."""

from __future__ import annotations

from redaction.vault.base import Vault
from redaction.vault.memory import MemoryVault

__all__ = ["MemoryVault", "Vault"]
