"""Everything that ``redaction`` raises, as one tree.

::

    RedactionError
    ├── PolicyError        a policy cannot be read or used; the message says where
    ├── ModelMissing       a detection model is not installed; the message says how to get it
    ├── DetectionFailed    a detector failed or ran out of time: the text must not be passed on
    ├── CannotReplace      an operator cannot replace a value: too short, letters it does not take
    ├── InvalidText        what was given is not text
    ├── TextTooLarge       a text is longer than the redactor takes
    ├── SessionNotFound    the vault holds no such session for this owner
    ├── VaultUnavailable   the vault's store, or the keeper of its keys, cannot be reached or is full
    ├── KeyDestroyed       the key is destroyed, and what was encrypted with it cannot come back
    └── VaultTampered      what the vault's store holds is not what was put there

No message carries text of a request, nor an identifier that a caller sent.
"""

from __future__ import annotations


class RedactionError(Exception):
    """Root of the tree."""


class PolicyError(RedactionError):
    """A policy is unreadable, has unknown keys, or names an unknown action."""


class ModelMissing(RedactionError):
    """A model folder, or a file in it, is not where it should be."""


class DetectionFailed(RedactionError):
    """A detector failed or ran out of time. What it had found until then is worthless: refuse the text."""


class CannotReplace(RedactionError):
    """A value is not of the form that the operator of its type replaces: refuse the text."""


class InvalidText(RedactionError, TypeError):
    """What was given is not text; the message names its type."""


class TextTooLarge(RedactionError):
    """A text is longer than the redactor takes.

    Args:
        got: its length, code points.
        limit: the longest it may be.
    """

    def __init__(self, got: int, limit: int) -> None:
        super().__init__(f"the text has {got} characters, limit {limit}: send it in parts")
        self.got, self.limit = got, limit


class SessionNotFound(RedactionError):
    """No such session for this owner: never made, expired, purged, or somebody else's. One message for all."""

    def __init__(self) -> None:
        super().__init__("no such session for this owner, or it has expired; redact the text again")


class VaultUnavailable(RedactionError):
    """The store of the vault, or the keeper of its keys, cannot be reached or is full: refuse the text."""


class KeyDestroyed(RedactionError):
    """A key was destroyed, by erasure or at its end: what was encrypted with it cannot come back."""


class VaultTampered(RedactionError):
    """What the store of the vault holds was changed by somebody else: nothing of it can be trusted."""
