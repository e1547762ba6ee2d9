"""The adapter to Presidio (data-privacy-stack/presidio): the only module that imports it.

Presidio's recognizers and its engine are used; four of its parts are replaced, for what they do:

* pattern time-outs are logged and skipped, with success reported: here they raise;
* its context enhancer logs words of the text at DEBUG and takes time quadratic in it;
* its e-mail recognizer fetches the public suffix list, its URL recognizer is quadratic, its IBAN
  recognizer logs the value (ours are in ``recognizers``);
* its spaCy engine runs the whole pipeline: here only the entity recognizer runs.
"""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, Final, final

import regex  # type: ignore[import-untyped]
import spacy
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, PatternRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer import predefined_recognizers as stock
from presidio_analyzer.context_aware_enhancers import ContextAwareEnhancer
from presidio_analyzer.nlp_engine import NerModelConfiguration, NlpArtifacts, SpacyNlpEngine

from redaction.budget import remaining_s
from redaction.detection import Detection
from redaction.errors import DetectionFailed
from redaction.ner.weights import SPACY, model_folder

_LANGUAGE = "en"
_WINDOW = 4_000
"""Code points that go through at once: bounds what is worse than linear in any recognizer."""
_OVERLAP = 400
_BATCH = 8

_STOCK: Final = (
    stock.CreditCardRecognizer,
    stock.CryptoRecognizer,
    stock.DateRecognizer,
    stock.IpRecognizer,
    stock.MacAddressRecognizer,
    stock.MedicalLicenseRecognizer,
    stock.NhsRecognizer,
    stock.PhoneRecognizer,
    stock.UkNinoRecognizer,  # off in Presidio's own configuration
    stock.UkPostcodeRecognizer,  # off in Presidio's own configuration
    stock.UsBankRecognizer,
    stock.UsItinRecognizer,
    stock.UsLicenseRecognizer,
    stock.UsPassportRecognizer,
    stock.UsSsnRecognizer,
    stock.UuidRecognizer,
)

_SPACY_TYPES: Final = {
    "PERSON": "PERSON",
    "NORP": "NRP",
    "FAC": "LOCATION",
    "LOC": "LOCATION",
    "GPE": "LOCATION",
    "ORG": "ORGANIZATION",
    "DATE": "DATE_TIME",
    "TIME": "DATE_TIME",
}

_WEAK_CHECKS: Final = {"UK_NHS": 0.6}
"""Check digits that one number in eleven passes, telephone numbers too, and the score they are worth."""

_PHONE_DIGITS = 7
"""Fewer are a year, a room or, in "15 USC 1681", a section of the law."""

_MASKED = re.compile(r"[x*#\s./,-]+")

_FINANCE_TERMS: Final = frozenset(
    (  # noqa: SIM905
        "aba ach aml apr apy atm bic bin cd cfpb cvv dob ein eur fdic fico gbp hmrc iban id irs isin itin kyc lei nino "
        "otp pan pin rtn sec sepa sort ssn swift uetr url usd visa vat w-2 wire"
    ).split()
)
"""Words of the trade that a small model takes for names. They name no person and no firm in particular."""


@final
class Presidio:
    """Presidio's patterns for English, and spaCy's names, places, organisations and dates.

    Args:
        models_dir: folder of models.

    Raises:
        ModelMissing: the spaCy model is not installed.
    """

    name = "presidio"

    def __init__(self, models_dir: Path) -> None:
        folder = model_folder(models_dir, SPACY, "config.cfg", "meta.json", "ner/model")
        self.version = f"1+presidio-analyzer-{version('presidio-analyzer')}"
        self._spacy = _SpacyEntities(folder)
        self._lock = threading.Lock()
        self._nothing = self._spacy.nothing()
        patterns = [_fail_closed(kind()) for kind in _STOCK]
        names = stock.SpacyRecognizer(supported_language=_LANGUAGE, supported_entities=list(set(_SPACY_TYPES.values())))
        self._engine = self._build([*patterns, names])
        self._checksums = self._build([r for r in patterns if _validates(r)])

    def detect(self, text: str) -> list[Detection]:
        """Find personal data in one text."""
        return self.detect_batch([text])[0]

    def detect_batch(self, texts: Sequence[str]) -> list[list[Detection]]:
        """Find personal data in each text.

        Raises:
            DetectionFailed: the time is up, a pattern's included.
        """
        found: list[list[Detection]] = [[] for _ in texts]
        windows = [(n, start, text[start:end]) for n, text in enumerate(texts) for start, end in _windows(text)]
        queue = iter(windows)
        while batch := list(islice(queue, _BATCH)):
            for (n, start, window), results in zip(batch, self._analyze([text for *_, text in batch]), strict=True):
                found[n] += [_detection(result, window, start) for result in results if not _is_noise(result, window)]
        return found

    def detect_validated(self, text: str) -> list[Detection]:
        """Find only what a check digit or the like proves; no model runs."""
        return [
            _detection(result, text[start:end], start)
            for start, end in _windows(text)
            for result in self._checksums.analyze(
                text[start:end], _LANGUAGE, nlp_artifacts=self._nothing, return_decision_process=True
            )
            if _validated(result)
        ]

    def _analyze(self, windows: Sequence[str]) -> list[list[RecognizerResult]]:
        """Run the engine over the windows, spaCy over all at once.

        spaCy's vocabulary would keep every word it ever saw; in a memory zone it forgets them. A zone
        belongs to the pipeline, not to a thread, hence the lock.
        """
        if not self._lock.acquire(timeout=remaining_s()):
            raise DetectionFailed("detection ran out of time waiting for the entity recognizer")
        try:
            with self._spacy.memory_zone():
                return [
                    self._engine.analyze(text, _LANGUAGE, nlp_artifacts=artifacts, return_decision_process=True)
                    for text, artifacts in zip(windows, self._spacy.entities_of(windows), strict=True)
                ]
        finally:
            self._lock.release()

    def _build(self, recognizers: list[EntityRecognizer]) -> AnalyzerEngine:
        registry = RecognizerRegistry(recognizers=recognizers, supported_languages=[_LANGUAGE])
        return AnalyzerEngine(
            registry=registry,
            nlp_engine=self._spacy,
            supported_languages=[_LANGUAGE],
            context_aware_enhancer=_NearbyWords(),
            log_decision_process=False,
        )


@final
class PresidioChecksums:
    """The part of :class:`Presidio` that needs no model and proves what it finds: for the second look."""

    name = "presidio-checksums"

    def __init__(self, presidio: Presidio) -> None:
        self._presidio = presidio
        self.version = presidio.version

    def detect(self, text: str) -> list[Detection]:
        """Find what a check digit proves."""
        return self._presidio.detect_validated(text)


class _SpacyEntities(SpacyNlpEngine):
    """spaCy with the entity recognizer alone, from a folder; it never downloads and uses no GPU."""

    def __init__(self, folder: Path) -> None:
        types = NerModelConfiguration(
            model_to_presidio_entity_mapping=dict(_SPACY_TYPES),
            labels_to_ignore=_other_labels(folder),
        )
        super().__init__([{"lang_code": _LANGUAGE, "model_name": str(folder)}], types)
        self._pipeline: Any = spacy.load(folder, exclude=_other_parts(folder))
        self.nlp = {_LANGUAGE: self._pipeline}  # type: ignore[assignment]  # the base class starts with None

    def memory_zone(self) -> AbstractContextManager[Any]:
        """What the vocabulary learns inside is forgotten at the end."""
        zone: AbstractContextManager[Any] = self._pipeline.memory_zone()
        return zone

    def entities_of(self, texts: Sequence[str]) -> Iterator[NlpArtifacts]:
        """Run the entity recognizer over the texts."""
        return (self._doc_to_nlp_artifact(doc, _LANGUAGE) for doc in self._pipeline.pipe(texts, batch_size=_BATCH))

    def nothing(self) -> NlpArtifacts:
        """What it says of an empty text."""
        return self._doc_to_nlp_artifact(self._pipeline.make_doc(""), _LANGUAGE)

    def _doc_to_nlp_artifact(self, doc: Any, language: str) -> NlpArtifacts:
        """Entities only: no lemmas are needed, because context words are looked for in the text."""
        remaining_s()
        entities, scores = self._get_updated_entities(doc.ents, self._get_scores_for_entities(doc))
        return NlpArtifacts(entities, doc, [], [], self, language, scores)


class _NearbyWords(ContextAwareEnhancer):
    """Raises the score of a weak finding when one of its recognizer's context words stands shortly before it."""

    _BEFORE = 80
    """How far back is looked, code points."""

    def __init__(self) -> None:
        super().__init__(0.35, 0.4, 0, 0)
        self._patterns: dict[str, re.Pattern[str] | None] = {}

    def enhance_using_context(
        self,
        text: str,
        raw_results: list[RecognizerResult],
        nlp_artifacts: NlpArtifacts,  # noqa: ARG002
        recognizers: list[EntityRecognizer],
        context: list[str] | None = None,  # noqa: ARG002
    ) -> list[RecognizerResult]:
        """Change the scores in place and return the results."""
        by_id = {recognizer.id: recognizer for recognizer in recognizers}
        for result in raw_results:
            recognizer = by_id[result.recognition_metadata[RecognizerResult.RECOGNIZER_IDENTIFIER_KEY]]
            pattern = self._pattern(recognizer)
            if pattern is not None and pattern.search(text, max(0, result.start - self._BEFORE), result.start):
                raised = max(result.score + self.context_similarity_factor, self.min_score_with_context_similarity)
                result.score = min(raised, self.MAX_SCORE)
        return raw_results

    def _pattern(self, recognizer: EntityRecognizer) -> re.Pattern[str] | None:
        if recognizer.id not in self._patterns:
            words = "|".join(sorted({re.escape(word.strip().lower()) for word in recognizer.context or ()}))
            pattern = re.compile(rf"\b(?:{words})(?:s|ed|ing)?\b", re.IGNORECASE) if words else None
            self._patterns[recognizer.id] = pattern
        return self._patterns[recognizer.id]


class _Deadline:
    """A compiled pattern that raises when the time is up; Presidio would log and go on."""

    def __init__(self, pattern: Any) -> None:
        self._pattern = pattern

    def finditer(self, text: str, timeout: float | None = None) -> Iterator[Any]:  # noqa: ARG002
        """Yield the matches within the time that the budget leaves; Presidio's own limit is not used."""
        try:
            yield from self._pattern.finditer(text, timeout=remaining_s())
        except TimeoutError:
            raise DetectionFailed("a pattern ran out of time; the text was not looked at to its end") from None


def _fail_closed(recognizer: EntityRecognizer) -> EntityRecognizer:
    """Give a pattern recognizer patterns of its own that honour the budget.

    Raises:
        TypeError: it matches in a way of its own, so a time-out could pass in silence.
    """
    if not isinstance(recognizer, PatternRecognizer):
        if isinstance(recognizer, stock.PhoneRecognizer):  # no pattern with a time-out; linear in the window
            return recognizer
        raise TypeError(f"{type(recognizer).__name__} is not known to fail closed")
    if type(recognizer).analyze is not PatternRecognizer.analyze:
        raise TypeError(f"{type(recognizer).__name__} matches in a way of its own")
    own: Any = recognizer
    own.patterns = patterns = [copy.copy(pattern) for pattern in own.patterns]  # theirs belong to the class
    for pattern in patterns:
        pattern.compiled_regex = _Deadline(regex.compile(pattern.regex, recognizer.global_regex_flags))
        pattern.compiled_with_flags = recognizer.global_regex_flags
    return recognizer


def _validates(recognizer: EntityRecognizer) -> bool:
    return isinstance(recognizer, PatternRecognizer) and (
        type(recognizer).validate_result is not PatternRecognizer.validate_result
    )


def _validated(result: RecognizerResult) -> bool:
    explanation = result.analysis_explanation
    sure = explanation is not None and explanation.validation_result is True
    return sure and result.entity_type not in _WEAK_CHECKS


def _detection(result: RecognizerResult, window: str, shift: int) -> Detection:
    """Our form of a result, without the white space around it."""
    piece = window[result.start : result.end]
    start = result.start + len(piece) - len(piece.lstrip())
    end = result.end - len(piece) + len(piece.rstrip())
    source: str = result.recognition_metadata[RecognizerResult.RECOGNIZER_NAME_KEY]
    score = min(float(result.score), _WEAK_CHECKS.get(result.entity_type, 1.0))
    return Detection(start + shift, end + shift, result.entity_type, score, source, validated=_validated(result))


def _is_noise(result: RecognizerResult, window: str) -> bool:
    """Whether a guess names nothing: a word of the trade, text masked already (``XXXX``), or a number too short."""
    source = result.recognition_metadata[RecognizerResult.RECOGNIZER_NAME_KEY]
    piece = window[result.start : result.end].strip().lower()
    if source == "PhoneRecognizer":
        return sum(map(str.isdigit, piece)) < _PHONE_DIGITS
    return source == "SpacyRecognizer" and (piece in _FINANCE_TERMS or _MASKED.fullmatch(piece) is not None)


def _windows(text: str) -> Iterator[tuple[int, int]]:
    """Cut long text at white space where there is some near; neighbours overlap, so nothing is only seen in part."""
    start = 0
    while start < len(text):
        remaining_s()
        end = min(start + _WINDOW, len(text))
        if end < len(text):
            end = max(text.rfind(" ", end - _OVERLAP, end), text.rfind("\n", end - _OVERLAP, end), end - 1) + 1
        yield start, end
        if end == len(text):
            return
        start = end - _OVERLAP


def _other_labels(folder: Path) -> list[str]:
    labels = json.loads((folder / "meta.json").read_text("utf-8"))["labels"]["ner"]
    return [label for label in labels if label not in _SPACY_TYPES]


def _other_parts(folder: Path) -> list[str]:
    return [name for name in json.loads((folder / "meta.json").read_text("utf-8"))["pipeline"] if name != "ner"]
