"""The redactor: (6) normalise, detect, merge; (7) replace; (8) look again; (12) restore."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeVar, final, runtime_checkable

import rfc8785

from redaction.backstop import Known
from redaction.budget import DEFAULT_BUDGET_S, budget, remaining_s
from redaction.detection import Detection, Detector, merge
from redaction.errors import CannotReplace, DetectionFailed, InvalidText, RedactionError, TextTooLarge
from redaction.importing import HEAVY
from redaction.joining import join_adjacent, with_marks
from redaction.lists import lists_of
from redaction.operators import PLACEHOLDER, Context, Operator, make
from redaction.policy import KEEP, LITERAL, Policy
from redaction.recognizers import RECOGNIZERS
from redaction.recognizers.scan import Recognizers
from redaction.restore import StreamRestorer, restore
from redaction.text import RawText, RedactedText
from redaction.views import View, views_of

T = TypeVar("T")

DEFAULT_MAX_CHARS: Final = 1 << 20
"""Longest text that a redactor takes when nothing else is said, code points."""

_BATCH_CHARS: Final = 1 << 18
"""Characters after which a batch of a stream is full, however few its texts: so memory stays flat."""

_NOBODY: Final = Context()

_WORTH_A_LOOK: Final = 6
"""Letters and digits of an operator's answer from which on it could itself be taken for a finding."""

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
        answers: what operators wrote that is no placeholder: what a later look finds in it is no leak.
        written: where in ``text`` they wrote it.
        places: where in ``text`` stands what each of ``detections`` was replaced by, in their order.
    """

    text: str = field(repr=False)
    detections: tuple[Detection, ...] = field(repr=False)
    placeholders: Mapping[str, str] = field(repr=False)
    entity_counts: Mapping[str, int]
    action_counts: Mapping[str, int]
    answers: frozenset[str] = field(default=frozenset(), repr=False)
    written: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    places: tuple[tuple[int, int], ...] = field(default=(), repr=False)

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
        detectors: all of them run on every view of a text, and what any of them finds counts.
        checkers: detectors of the second look; they prove what they find.
        models: model name → digest, for :attr:`digest`.
        budget_s: time for one text, seconds.
        max_chars: the longest text that is taken, code points.

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
        max_chars: int = DEFAULT_MAX_CHARS,
    ) -> None:
        if not detectors or not checkers:
            raise RedactionError("a redactor needs at least one detector and one checker")
        self._policy, self._kept = policy, policy.kept
        self._threshold = cache(policy.threshold)
        self._detectors, self._checkers = tuple(detectors), tuple(checkers)
        self._denied, self._allow = lists_of(policy)
        self._models = dict(models)
        self._limits = budget_s, max_chars
        self._budget_s = budget_s if policy.budget_ms is None else min(budget_s, policy.budget_ms / 1000)
        self._max_chars = max_chars if policy.max_chars is None else min(max_chars, policy.max_chars)
        parts: dict[str, Any] = {
            "policy": policy.digest,
            "detectors": {detector.name: detector.version for detector in detectors},
            "checkers": {checker.name: checker.version for checker in checkers},
            "models": self._models,
        }
        self._digest = hashlib.sha256(rfc8785.dumps(parts)).hexdigest()

    @classmethod
    def from_policy(
        cls,
        policy: Policy | Path | str | None = None,
        *,
        budget_s: float = DEFAULT_BUDGET_S,
        max_chars: int = DEFAULT_MAX_CHARS,
        threads: int = 1,
    ) -> Redactor:
        """Make a redactor with every detector there is.

        Args:
            policy: a policy, the path of its YAML file, or None for the built-in finance policy.
            budget_s: time for one text, seconds; when it is up, the text is refused.
            max_chars: the longest text that is taken, code points.
            threads: of the token classifier: how many windows of a text it computes at the same time.

        Raises:
            PolicyError: the policy cannot be read or used.
            ModelMissing: the classifier that comes with the package is not there.
        """
        chosen = _policy(policy)
        detectors, checkers, models = _default_detectors(threads)
        return cls(chosen, detectors, checkers, models=models, budget_s=budget_s, max_chars=max_chars)

    def with_policy(self, policy: Policy) -> Redactor:
        """Return a redactor with another policy that shares the loaded models; its digest is another."""
        return Redactor(
            policy,
            self._detectors,
            self._checkers,
            models=self._models,
            budget_s=self._limits[0],
            max_chars=self._limits[1],
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
            InvalidText: not text.
            TextTooLarge: longer than the redactor takes.
            DetectionFailed: a detector failed, or the time is up.
        """
        return self.analyze_batch([text])[0]

    def analyze_batch(self, texts: Sequence[str | RawText]) -> list[list[Detection]]:
        """Find everything in each text; the time budget is that of one text times their number.

        Raises:
            InvalidText, TextTooLarge, DetectionFailed: see :meth:`analyze`.
        """
        return self._find(self._plain(texts))

    def analyze_stream(self, texts: Iterable[str | RawText], *, batch_size: int = 256) -> Iterator[list[Detection]]:
        """Find everything in each text of a stream, in its order, with the memory of one batch.

        Args:
            texts: any number of texts; they are read as the results are.
            batch_size: how many go through the models together, at least 1.

        Raises:
            RedactionError: ``batch_size`` is less than 1.
            InvalidText, TextTooLarge, DetectionFailed: see :meth:`analyze`; the stream ends there.
        """
        if batch_size < 1:
            raise RedactionError(f"batch_size must be at least 1, got {batch_size}")
        batch: list[str] = []
        size = 0
        for text in texts:
            batch.append(self._checked(text))
            size += len(batch[-1])
            if len(batch) >= batch_size or size >= _BATCH_CHARS:
                yield from self._find(batch)
                batch, size = [], 0
        if batch:
            yield from self._find(batch)

    def redact(self, text: str | RawText, context: Context = _NOBODY) -> Redacted:
        """(6) find and (7) replace.

        What is restorable comes back exactly: where the policy has placeholders only,
        ``restore(redact(x).text, …)`` is ``x`` for every ``x``.

        Placeholder lookalikes in the text are replaced too, as type LITERAL: nobody can forge one.

        Args:
            text: the text.
            context: for whom: keys for the operators that need one, and who numbers placeholders beyond this text.

        Raises:
            InvalidText, TextTooLarge, DetectionFailed: see :meth:`analyze`.
            RedactionError: an operator cannot replace a value, or its key or the vault is not there.
        """
        return self.redact_batch([text], context)[0]

    def redact_batch(self, texts: Sequence[str | RawText], context: Context = _NOBODY) -> list[Redacted]:
        """Redact texts together; without an issuer each has placeholders of its own. One that fails fails all.

        Raises:
            InvalidText, TextTooLarge, DetectionFailed, RedactionError: see :meth:`redact`.
        """
        plain = self._plain(texts)
        lookalikes = [
            [Detection(*match.span(), LITERAL, 1.0, "literal", validated=True) for match in PLACEHOLDER.finditer(text)]
            for text in plain
        ]
        found = self._find(plain, lookalikes)
        return [self._replace(text, merged, context) for text, merged in zip(plain, found, strict=True)]

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
        for start, end in redacted.written:
            masked = f"{masked[:start]}{_MASK * (end - start)}{masked[end:]}"
        for answer in redacted.answers:
            masked = masked.replace(answer, _MASK * len(answer))
        with budget(self._budget_s):
            found, _ = self._look([masked], (*self._checkers, *self._denied))
        # A cue proves what stands beside it, whatever it is: what nothing but operators wrote is not looked at.
        ours = {place for start, end in redacted.written for place in range(start, end)}
        proven = [
            d
            for d in found[0]
            if d.validated and d.type not in self._kept and not ours.issuperset(range(d.start, d.end))
        ]
        return self._merge(self._counting(proven, masked), masked)

    def _plain(self, texts: Sequence[str | RawText]) -> list[str]:
        """The texts, checked."""
        if isinstance(texts, (str, bytes, RawText)):
            raise InvalidText(f"a sequence of texts is wanted, got one {type(texts).__name__}")
        return [self._checked(text) for text in texts]

    def _checked(self, text: str | RawText) -> str:
        plain = text.value if isinstance(text, RawText) else text
        if not isinstance(plain, str):
            raise InvalidText(f"text must be str or RawText, got {type(plain).__name__}")
        if len(plain) > self._max_chars:
            raise TextTooLarge(len(plain), self._max_chars)
        return plain

    def _find(self, texts: Sequence[str], also: Sequence[Sequence[Detection]] | None = None) -> list[list[Detection]]:
        """(6) what is found in each text, merged, and found again wherever else it stands in it."""
        with budget(self._budget_s * max(1, len(texts))):
            found, mains = self._look(texts, (*self._detectors, *self._denied))
            return [
                self._settle(text, main, [*says, *(also[n] if also else ())])
                for n, (text, main, says) in enumerate(zip(texts, mains, found, strict=True))
            ]

    @staticmethod
    def _look(texts: Sequence[str], detectors: Sequence[Detector]) -> tuple[list[list[Detection]], list[View]]:
        """Everything that any detector says of any view, per text, and the main view of each."""
        views = _run("views", partial(_each, views_of, texts))
        flat = [(n, view) for n, of_one in enumerate(views) for view in of_one]
        shown = [view.text for _, view in flat]
        found: list[list[Detection]] = [[] for _ in texts]
        for detector in detectors:
            for (n, view), says in zip(flat, _ask(detector, shown), strict=True):
                found[n] += view.back(says) if says else ()
        return found, [of_one[0] for of_one in views]

    def _settle(self, text: str, main: View, found: Sequence[Detection]) -> list[Detection]:
        counting = self._counting(found, text)
        if not counting:
            return []
        merged = self._merge(counting, text)
        known = _run("backstop", lambda: Known((d, text[d.start : d.end]) for d in merged).find(main.text))
        if not known:
            return merged
        there = {(d.start, d.end) for d in merged}
        again = self._counting((d for d in main.back(known) if (d.start, d.end) not in there), text)
        return self._merge([*counting, *again], text) if again else merged

    def _counting(self, found: Iterable[Detection], text: str) -> list[Detection]:
        """What is strong enough and not allowed to stay."""
        strong = [d for d in found if d.score >= self._threshold(d.type)]
        if self._allow is None:
            return strong
        return [d for d in strong if d.type == LITERAL or not self._allow.drops(d, text[d.start : d.end])]

    def _merge(self, counting: Sequence[Detection], text: str) -> list[Detection]:
        kept = self._kept
        merged = with_marks(join_adjacent(merge(counting, text=text, yielding=kept), text, yielding=kept), text)
        # What is left of a kept detection after a replaced one may be a bare space or comma.
        return [d for d in merged if d.type not in kept or any(map(str.isalnum, text[d.start : d.end]))]

    def _replace(self, raw: str, merged: Sequence[Detection], context: Context) -> Redacted:
        """(7) put the operators' answers in the place of the detections."""
        actions = Counter(self._action(detection.type) for detection in merged)
        replaced = [detection for detection in merged if self._action(detection.type) != KEEP]
        operators = self._operators(raw, replaced, context)
        placeholders: dict[str, str] = {}
        answers: set[str] = set()
        written: list[tuple[int, int]] = []
        places: list[tuple[int, int]] = []
        pieces: list[str] = []
        at = length = 0
        for detection in replaced:
            operator = operators[detection.type]
            value = raw[detection.start : detection.end]
            answer = operator.replace(detection.type, value)
            length += detection.start - at
            places.append((length, length + len(answer)))
            if operator.reversible:
                placeholders[answer] = value
            else:
                written.append(places[-1])
                if PLACEHOLDER.search(answer):
                    raise CannotReplace(f"what stands in the place of a {detection.type} looks like a placeholder")
                if sum(map(str.isalnum, answer)) >= _WORTH_A_LOOK:
                    answers.add(answer)
            length += len(answer)
            pieces += [raw[at : detection.start], answer]
            at = detection.end
        counts = dict(Counter(detection.type for detection in replaced))
        text = "".join([*pieces, raw[at:]])
        _check_shapes(text, pieces[1::2])
        return Redacted(
            text,
            tuple(replaced),
            MappingProxyType(placeholders),
            counts,
            dict(actions),
            frozenset(answers),
            tuple(written),
            tuple(places),
        )

    def _operators(self, raw: str, replaced: Sequence[Detection], context: Context) -> dict[str, Operator]:
        """Type → its operator; types with the same action and options share one."""
        made: dict[tuple[str, str], Operator] = {}
        of_types: dict[str, Operator] = {}
        values: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for detection in replaced:
            action, options = self._action(detection.type), self._policy.options(detection.type)
            key = action, repr(sorted(options.items()))
            if key not in made:
                made[key] = make(action, options, context)
            of_types[detection.type] = made[key]
            values.setdefault(key, []).append((detection.type, raw[detection.start : detection.end]))
        for key, operator in made.items():
            operator.expect(values[key])
        return of_types

    def _action(self, type_: str) -> str:
        return "placeholder" if type_ == LITERAL else self._policy.action(type_)


def _check_shapes(text: str, answers: Iterable[str]) -> None:
    """Refuse a text in which an answer and what stands beside it look like a placeholder: it would be restored.

    Raises:
        DetectionFailed: there is one.
    """
    if len(PLACEHOLDER.findall(text)) != sum(len(PLACEHOLDER.findall(answer)) for answer in answers):
        raise DetectionFailed("what was left after an operator looks like a placeholder; the text was not passed on")


def _policy(policy: Policy | Path | str | None) -> Policy:
    if policy is None:
        return Policy.builtin()
    return policy if isinstance(policy, Policy) else Policy.load(Path(policy))


def _default_detectors(threads: int) -> tuple[list[Detector], list[Detector], dict[str, str]]:
    """The detectors, those of the second look, and the digests of the models."""
    from redaction.ner.names import Names  # these two load heavy libraries

    with HEAVY:
        from redaction.presidio import presidio_recognizers

    own = [RECOGNIZERS.get(name)() for name in RECOGNIZERS.names()]
    recognizers = Recognizers([*own, *presidio_recognizers()])
    names = Names(threads=threads)
    return [recognizers, names], [recognizers], {names.name: names.version}


def _ask(detector: Detector, texts: Sequence[str]) -> list[list[Detection]]:
    if isinstance(detector, _BatchDetector):
        return _run(detector.name, partial(detector.detect_batch, texts))
    return _run(detector.name, partial(_each, detector.detect, texts))


def _each(work: Callable[[str], T], texts: Sequence[str]) -> list[T]:
    """Do the same with each text, as long as there is time."""
    done = []
    for text in texts:
        remaining_s()
        done.append(work(text))
    return done


def _run(name: str, work: Callable[[], T]) -> T:
    """Run a detector; whatever it raises becomes one error without text of the request."""
    try:
        remaining_s()
        return work()
    except DetectionFailed:
        raise
    except Exception as error:  # noqa: BLE001 - any failure of a detector refuses the text
        kind = type(error).__name__
    # Raised out here so that it carries no context: the cause's message may quote the text.
    raise DetectionFailed(f"detector {name} failed with {kind}; the text was not passed on")
