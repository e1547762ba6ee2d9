"""One correction as it is kept: no text but redacted text, and no identifier that a caller made up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Final, final

_TEXTS: Final = ("text", "answer")
_BESIDE: Final = ("subject",)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NewFeedback:
    """A correction on its way into the store.

    Args:
        tenant, principal, request_id: of the call; sent again with the same, it is kept once.
        task: which one the answer was of.
        verdict: RIGHT or WRONG.
        text: redacted, with placeholders.
        label: the right one; empty: the task has none, or none was said.
        new_label: the task had no such label when it came.
        answer: the right one, redacted; empty as the label is.
        consent_basis, consent_by: codes of the settings and of the API.
        entity_counts: pieces replaced, by type.
        policy_digest, redactor_digest: what held for the call.
        answer_request_id: of the answer that it is about.
        model, adapter: name and digest of what answered, from the audit log; empty: not known.
        subject: whom the text is about; the store keeps a keyed hash of it.
    """

    tenant: str
    principal: str
    request_id: str
    task: str
    verdict: str
    text: str = field(repr=False)
    label: str = ""
    new_label: bool = False
    answer: str = field(default="", repr=False)
    consent_basis: str
    consent_by: str
    entity_counts: Mapping[str, int]
    policy_digest: str
    redactor_digest: str
    answer_request_id: str = ""
    model: tuple[str, str] = ("", "")
    adapter: tuple[str, str] = ("", "")
    subject: str = field(default="", repr=False)

    @property
    def facts(self) -> str:
        """Everything but texts and subject, as canonical JSON: it is authenticated with the sealed texts."""
        known = {name: value for name, value in asdict(self).items() if name not in (*_TEXTS, *_BESIDE)}
        return json.dumps(known, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def claim(self) -> tuple[str, ...]:
        """What the caller has said, beside the subject: the same again is the same feedback."""
        return (
            *(self.task, self.verdict, self.label, self.texts, self.answer_request_id),
            *(self.consent_basis, self.consent_by),
        )

    @property
    def texts(self) -> str:
        """What is sealed."""
        return json.dumps({name: getattr(self, name) for name in _TEXTS}, ensure_ascii=False)

    @classmethod
    def read(cls, facts: str, texts: str) -> NewFeedback:
        """Put one together again, without its subject."""
        known: dict[str, Any] = {**json.loads(facts), **json.loads(texts)}
        known |= {name: tuple(known[name]) for name in ("model", "adapter")}
        return cls(**{each.name: known[each.name] for each in fields(cls) if each.name not in _BESIDE})


@final
@dataclass(frozen=True, slots=True)
class Feedback:
    """A correction that is kept.

    Args:
        id: UUID4.
        at: when it came, seconds since the epoch.
    """

    id: str
    at: float
    said: NewFeedback

    @property
    def time(self) -> str:
        """RFC 3339, UTC, seconds."""
        return datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def as_dict(self, *, texts: bool) -> dict[str, Any]:
        """For JSON; the redacted texts only where they are asked for."""
        known = json.loads(self.said.facts) | (json.loads(self.said.texts) if texts else {})
        return {"id": self.id, "time": self.time, **known}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Feedback:
        """Read what :meth:`as_dict` has written, texts included.

        Raises:
            KeyError, TypeError, ValueError: it has another form.
        """
        said = NewFeedback.read(json.dumps(row), json.dumps({name: row[name] for name in _TEXTS}))
        return cls(str(row["id"]), datetime.fromisoformat(row["time"]).timestamp(), said)
