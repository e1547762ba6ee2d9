"""Everything that can go wrong, as one tree.

::

    FinslmError
    ├── InvalidRequest            INVALID_ARGUMENT     a field breaks its rules
    │   └── PromptTooLong         INVALID_ARGUMENT     more tokens than the model's window
    ├── NotFound                  NOT_FOUND
    │   ├── UnknownTask
    │   ├── UnknownModel
    │   ├── UnknownAdapter
    │   ├── UnknownPolicy         also one that exists and is not for this tenant
    │   ├── UnknownRecord
    │   └── UnknownSession
    ├── Unauthenticated           UNAUTHENTICATED
    ├── PermissionDenied          PERMISSION_DENIED
    ├── QuotaExceeded             RESOURCE_EXHAUSTED   with RetryInfo
    ├── Overloaded                RESOURCE_EXHAUSTED   with RetryInfo
    ├── DeadlineExceeded          DEADLINE_EXCEEDED
    │   └── DeadlineTooShort      DEADLINE_EXCEEDED    refused before any work
    ├── Unavailable               UNAVAILABLE
    │   ├── DetectorFailed
    │   ├── EngineUnavailable
    │   ├── AuditUnavailable
    │   ├── FeedbackUnavailable
    │   └── VaultUnavailable
    ├── KeyDestroyed              FAILED_PRECONDITION  the values were erased with their key
    ├── ValueNotReplaced          FAILED_PRECONDITION  a value is not of the form that the policy's action takes
    ├── ResidualPII               FAILED_PRECONDITION  the second look found something
    ├── ConsentMissing            FAILED_PRECONDITION  feedback without leave to keep it
    ├── FeedbackOff               FAILED_PRECONDITION  this server keeps none
    ├── FeedbackFull              RESOURCE_EXHAUSTED   the tenant's share of the store is used up
    ├── InvalidOutput             ABORTED              the model's answer breaks the schema asked for
    │   └── TruncatedOutput       ABORTED              it ended before it was whole under its grammar
    ├── AuditCorrupt              DATA_LOSS            with the index of the record
    ├── VaultTampered             DATA_LOSS            what the vault holds was changed by somebody else
    └── ConfigError               (never over the wire) start-up refuses

``rpc/errors.py`` holds the one table from class to status; the nearest class wins. No message may
carry text of a request: it says what was wrong, what was got (a number, a field name), the limit,
and what to do next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One broken rule: ``field`` is the path in the request message, ``description`` says the rule."""

    field: str
    description: str


class FinslmError(Exception):
    """Root of the tree. ``reason`` is the documented UPPER_SNAKE code sent as ``ErrorInfo.reason``."""

    reason: ClassVar[str] = "INTERNAL"


class InvalidRequest(FinslmError):
    """The request breaks a documented rule; ``violations`` says which fields and how."""

    reason = "INVALID_REQUEST"

    def __init__(self, message: str, *violations: FieldViolation, reason: str | None = None) -> None:
        super().__init__(message)
        self.violations = violations
        self.reason_override = reason


class PromptTooLong(InvalidRequest):
    """The rendered prompt and the tokens asked for do not fit the model's window."""

    reason = "PROMPT_TOO_LONG"


class NotFound(FinslmError):
    """A named thing does not exist."""

    reason = "NOT_FOUND"


class UnknownTask(NotFound):
    """No such task."""

    reason = "UNKNOWN_TASK"


class UnknownModel(NotFound):
    """No such model is served."""

    reason = "UNKNOWN_MODEL"


class UnknownAdapter(NotFound):
    """No such adapter is loaded."""

    reason = "UNKNOWN_ADAPTER"


class UnknownPolicy(NotFound):
    """No such redaction policy for this tenant; one of another tenant is as unknown as one that does not exist."""

    reason = "UNKNOWN_POLICY"


class UnknownRecord(NotFound):
    """The audit log has no record at that index or for that request id."""

    reason = "UNKNOWN_RECORD"


class UnknownSession(NotFound):
    """The vault holds no session of that id for this caller, or it has expired."""

    reason = "UNKNOWN_SESSION"


class Unauthenticated(FinslmError):
    """The caller did not prove who it is."""

    reason = "UNAUTHENTICATED"


class PermissionDenied(FinslmError):
    """The caller may not do this."""

    reason = "PERMISSION_DENIED"


class QuotaExceeded(FinslmError):
    """The caller's quota is used up; ``retry_after_s`` seconds until it is worth another try."""

    reason = "QUOTA_EXCEEDED"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Overloaded(FinslmError):
    """No room in the queue; ``retry_after_s`` seconds until it is worth another try."""

    reason = "OVERLOADED"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineExceeded(FinslmError):
    """The caller's deadline passed while the call was being worked on."""

    reason = "DEADLINE_EXCEEDED"


class DeadlineTooShort(DeadlineExceeded):
    """The deadline leaves no time for any work, so none was done."""

    reason = "DEADLINE_TOO_SHORT"


class Unavailable(FinslmError):
    """A part is not able to work now."""

    reason = "UNAVAILABLE"


class DetectorFailed(Unavailable):
    """A detector failed or ran out of time; the text was not passed on."""

    reason = "DETECTOR_FAILED"


class EngineUnavailable(Unavailable):
    """The engine is not ready, is draining, or has failed."""

    reason = "ENGINE_UNAVAILABLE"


class AuditUnavailable(Unavailable):
    """The audit record could not be made durable, so no work was done (or no answer given)."""

    reason = "AUDIT_UNAVAILABLE"


class VaultUnavailable(Unavailable):
    """The vault's store or the keeper of its keys cannot be reached or is full; no value was given out."""

    reason = "VAULT_UNAVAILABLE"


class FeedbackUnavailable(Unavailable):
    """The store of feedback cannot be reached or written, or its disk is full; nothing was kept."""

    reason = "FEEDBACK_UNAVAILABLE"


class ConsentMissing(FinslmError):
    """Feedback came without consent that this server takes; nothing was kept."""

    reason = "CONSENT_MISSING"


class FeedbackOff(FinslmError):
    """This server keeps no feedback."""

    reason = "FEEDBACK_OFF"


class FeedbackFull(FinslmError):
    """The tenant's share of the store of feedback is used up."""

    reason = "FEEDBACK_FULL"


class KeyDestroyed(FinslmError):
    """The key of a session or tenant was destroyed, and the values it protected with it."""

    reason = "KEY_DESTROYED"


class VaultTampered(FinslmError):
    """What the vault's store holds is not what was put there; nothing of it is given out."""

    reason = "VAULT_TAMPERED"


class ValueNotReplaced(FinslmError):
    """A value that was found is not of the form that the action of the policy replaces."""

    reason = "VALUE_NOT_REPLACED"


class ResidualPII(FinslmError):
    """The second look found personal data in text already redacted."""

    reason = "RESIDUAL_PII"


class InvalidOutput(FinslmError):
    """The model's answer does not parse or does not match the schema asked for."""

    reason = "INVALID_OUTPUT"


class TruncatedOutput(InvalidOutput):
    """The answer ended, by ``max_tokens`` or a stop string, before it was whole under the grammar asked for."""

    reason = "TRUNCATED_OUTPUT"


class AuditCorrupt(FinslmError):
    """The audit log does not match its own hashes; ``index`` is the first record that is wrong."""

    reason = "AUDIT_CORRUPT"

    def __init__(self, message: str, *, index: int) -> None:
        super().__init__(message)
        self.index = index


class ConfigError(FinslmError):
    """The settings, policy, model folder or token file cannot be used; start-up refuses."""

    reason = "CONFIG_ERROR"
