"""Where the map from placeholder to value lives between a redaction and its restoration."""

from __future__ import annotations

from redaction.vault.base import EVERYBODY, Owner, Vault, VaultEvent
from redaction.vault.issuing import SessionIssuer, values_of
from redaction.vault.memory import MemoryVault

__all__ = ["EVERYBODY", "MemoryVault", "Owner", "SessionIssuer", "Vault", "VaultEvent", "values_of"]
