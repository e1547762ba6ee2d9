"""The redactor: (6) normalise, detect, merge; (7) replace; (8) look again; (12) restore."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeVar, final, runtime_checkable

import rfc8785

from redaction.budget import DEFAULT_BUDGET_S, budget, remaining_s
from redaction.detection import Detection, Detector, join_adjacent, merge
from redaction.errors import DetectionFailed, RedactionError
from redaction.ner.weights import RAMPART, SPACY, default_models_dir, folder_digest
from redaction.operators import OPERATORS, PLACEHOLDER, Operator
from redaction.policy import KEEP, LITERAL, Policy
from redaction.recognizers import RECOGNIZERS
from redaction.restore import StreamRestorer, restore
from redaction.text import RawText, RedactedText

T = TypeVar("T")

_SURROGATES = re.compile("[\ud800-\udfff]")
_MASK = "\ufffc"
"""Stands for each character of a placeholder in the second look: no letter, no digit, no space."""


@final
@dataclass(frozen=True, slots=True)
class Redacted:
    """A redacted text and what is needed to restore it. Its ``repr`` shows numbers only.

    Args:
        text: with placeholders.
        detections: what was replaced; offsets are those of the original text.
        placeholders: placeholder → value.
        entity_counts: type → how many pieces of it were replaced.
        action_counts: action → how many pieces it was done to; ``keep`` included.
    """

    text: str = field(repr=False)
    detections: tuple[Detection, ...] = field(repr=False)
    placeholders: Mapping[str, str] = field(repr=False)
    entity_counts: Mapping[str, int]
    action_counts: Mapping[str, int]

    @property
    def redacted_text(self) -> RedactedText:
        """The text as the type that a prompt can be made of."""
        return RedactedText(self.text)


@runtime_checkable
class _BatchDetector(Protocol):
    def detect_batch(self, texts: Sequence[str]) -> list[list[Detection]]: ...


@final
class Redactor:
    """Finds, replaces and restores. Safe to share among threads once made; make it once, it loads models.

    Args:
        policy: what to find and what to do with it.
        detectors: all of them run, and what any of them finds counts.
        checkers: detectors of the second look; they prove what they find.
        models: model name → digest, for :attr:`digest`.
        budget_s: time for one text, seconds.

    Raises:
        RedactionError: no detector: a redactor that looks for nothing must not say that there is nothing.
    """

    def __init__(
        self,
        policy: Policy,
        detectors: Sequence[Detector],
        checkers: Sequence[Detector],
        *,
        models: Mapping[str, str] = MappingProxyType({}),
        budget_s: float = DEFAULT_BUDGET_S,
    ) -> None:
        if not detectors or not checkers:
            raise RedactionError("a redactor needs at least one detector and one checker")
        self._policy = policy
        self._detectors, self._checkers = tuple(detectors), tuple(checkers)
        self._budget_s = budget_s
        parts: dict[str, Any] = {
            "policy": policy.digest,
            "detectors": {detector.name: detector.version for detector in detectors},
            "checkers": {checker.name: checker.version for checker in checkers},
            "models": dict(models),
        }
        self._digest = hashlib.sha256(rfc8785.dumps(parts)).hexdigest()

    @classmethod
    def from_policy(
        cls,
        policy: Policy | Path | str | None = None,
        *,
        models_dir: Path | None = None,
        budget_s: float = DEFAULT_BUDGET_S,
        intra_op_threads: int = 1,
    ) -> Redactor:
        """Make a redactor with every detector there is.

        Args:
            policy: a policy, the path of its YAML file, or None for the built-in finance policy.
            models_dir: folder of models; :func:`redaction.ner.weights.default_models_dir` when None.
            budget_s: time for one text, seconds; when it is up, the text is refused.
            intra_op_threads: threads for one batch of the token classifier.

        Raises:
            PolicyError: the policy cannot be read or used.
            ModelMissing: a model is not installed; the message names the command that gets it.
        """
        from redaction.ner.rampart import Rampart  # these two load heavy libraries
        from redaction.presidio import Presidio, PresidioChecksums

        chosen = _policy(policy)
        folder = models_dir or default_models_dir()
        recognizers = [RECOGNIZERS.get(name)() for name in RECOGNIZERS.names()]
        rampart = Rampart(folder, intra_op_threads=intra_op_threads)
        presidio = Presidio(folder)
        return cls(
            chosen,
            [*recognizers, presidio, rampart],
            [*recognizers, PresidioChecksums(presidio)],
            models={name: folder_digest(folder / name) for name in (RAMPART, SPACY)},
            budget_s=budget_s,
        )

    @property
    def policy(self) -> Policy:
        """The policy."""
        return self._policy

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over the policy, the versions of the detectors and the digests of the models."""
        return self._digest

    def analyze(self, text: str | RawText) -> list[Detection]:
        """Find everything, also what the policy keeps; sorted, without overlaps, offsets into ``text``.

        Raises:
            DetectionFailed: a detector failed, or the time is up.
        """
        return self.analyze_batch([text])[0]

    def analyze_batch(self, texts: Sequence[str | RawText]) -> list[list[Detection]]:
        """Find everything in each text; the time budget is that of one text times their number.

        Raises:
            DetectionFailed: a detector failed, or the time is up.
        """
        plain = [_plain(text) for text in texts]
        return [self._merge(found, text) for found, text in zip(self._detect(plain), plain, strict=True)]

    def redact(self, text: str | RawText) -> Redacted:
        """(6) find and (7) replace. ``restore(redact(x).text, …)`` is ``x`` for every ``x``.

        Placeholder lookalikes in the text are replaced too, as type LITERAL: nobody can forge one.

        Raises:
            DetectionFailed: a detector failed, or the time is up.
        """
        raw = _plain(text)
        found = self._detect([raw])[0]
        lookalikes = (match.span() for match in PLACEHOLDER.finditer(raw))
        found += [Detection(*span, LITERAL, 1.0, "literal", validated=True) for span in lookalikes]
        return self._replace(raw, self._merge(found, raw))

    def restore(self, text: str, redacted: Redacted) -> str:
        """(12) put the values back into a text that has placeholders of ``redacted``."""
        return self.restore_from(text, redacted.placeholders)

    def restore_from(self, text: str, placeholders: Mapping[str, str]) -> str:
        """(12) put the values of a map back, one that a vault kept."""
        return restore(text, placeholders)

    def stream_restore(self, redacted: Redacted) -> StreamRestorer:
        """(12) restore a text that comes in chunks: ``feed(chunk)`` and at its end ``close()``."""
        return StreamRestorer(redacted.placeholders)

    def second_look(self, redacted: Redacted) -> list[Detection]:
        """(8) look once more at the redacted text, between its placeholders, for what can be proven.

        Returns:
            What is left; offsets into ``redacted.text``. Empty is good. What the policy keeps does not count.

        Raises:
            DetectionFailed: a detector failed, or the time is up.
        """
        masked = PLACEHOLDER.sub(
            lambda match: _MASK * len(match[0]) if match[0] in redacted.placeholders else match[0], redacted.text
        )
        text = _detectable(masked)
        with budget(self._budget_s):
            found = [d for checker in self._checkers for d in _run(checker, partial(checker.detect, text))]
        kept = self._policy.kept
        return self._merge([d for d in found if d.validated and d.type not in kept], text)

    def _detect(self, texts: Sequence[str]) -> list[list[Detection]]:
        """(6) everything that any detector says, per text."""
        views = [_detectable(text) for text in texts]
        found: list[list[Detection]] = [[] for _ in texts]
        with budget(self._budget_s * max(1, len(texts))):
            for detector in self._detectors:
                for says, more in zip(found, self._ask(detector, views), strict=True):
                    says += more
        return found

    @staticmethod
    def _ask(detector: Detector, texts: Sequence[str]) -> list[list[Detection]]:
        if isinstance(detector, _BatchDetector):
            return _run(detector, partial(detector.detect_batch, texts))
        return [_run(detector, partial(detector.detect, text)) for text in texts]

    def _merge(self, found: Sequence[Detection], text: str) -> list[Detection]:
        strong = [d for d in found if d.score >= self._policy.threshold(d.type)]
        kept = self._policy.kept
        merged = join_adjacent(merge(strong, yielding=kept), text)
        # What is left of a kept detection after a replaced one may be a bare space or comma.
        return [d for d in merged if d.type not in kept or any(map(str.isalnum, text[d.start : d.end]))]

    def _replace(self, raw: str, merged: Sequence[Detection]) -> Redacted:
        """(7) put the operators' answers in the place of the detections."""
        operators: dict[str, Operator] = {}
        placeholders: dict[str, str] = {}
        replaced: list[Detection] = []
        actions: Counter[str] = Counter()
        pieces, at = [], 0
        for detection in merged:
            action = self._action(detection.type)
            actions[action] += 1
            if action == KEEP:
                continue
            operator = operators.setdefault(action, OPERATORS.get(action)())
            value = raw[detection.start : detection.end]
            answer = operator.replace(detection.type, value)
            if operator.reversible:
                placeholders[answer] = value
            pieces += [raw[at : detection.start], answer]
            at = detection.end
            replaced.append(detection)
        counts = dict(Counter(detection.type for detection in replaced))
        text = "".join([*pieces, raw[at:]])
        return Redacted(text, tuple(replaced), MappingProxyType(placeholders), counts, dict(actions))

    def _action(self, type_: str) -> str:
        return "placeholder" if type_ == LITERAL else self._policy.action(type_)


def _policy(policy: Policy | Path | str | None) -> Policy:
    if policy is None:
        return Policy.builtin()
    return policy if isinstance(policy, Policy) else Policy.load(Path(policy))


def _plain(text: str | RawText) -> str:
    return text.value if isinstance(text, RawText) else text


def _detectable(text: str) -> str:
    """A view of the same length that every library accepts: lone surrogates cannot be encoded as UTF-8."""
    return _SURROGATES.sub("\ufffd", text)


def _run(detector: Detector, work: Callable[[], T]) -> T:
    """Run a detector; whatever it raises becomes one error without text of the request."""
    try:
        remaining_s()
        return work()
    except DetectionFailed:
        raise
    except Exception as error:  # noqa: BLE001 - any failure of a detector refuses the text
        kind = type(error).__name__
    # Raised out here so that it carries no context: the cause's message may quote the text.
    raise DetectionFailed(f"detector {detector.name} failed with {kind}; the text was not passed on")
