"""Everything that ``redaction`` raises, as one tree.

::

    RedactionError
    ├── PolicyError        a policy cannot be read or used; the message says where
    ├── ModelMissing       a detection model is not installed; the message says how to get it
    ├── DetectionFailed    a detector failed or ran out of time: the text must not be passed on
    └── SessionNotFound    the vault holds no such session for this owner

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


class SessionNotFound(RedactionError):
    """No such session for this owner: never made, expired, purged, or somebody else's. One message for all."""

    def __init__(self) -> None:
        super().__init__("no such session for this owner, or it has expired; redact the text again")
