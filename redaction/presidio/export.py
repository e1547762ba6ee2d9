"""The other direction: our recognizers inside a stock Presidio ``AnalyzerEngine``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

from presidio_analyzer import AnalysisExplanation, EntityRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS, Recognizer


@final
class _Exported(EntityRecognizer):
    """A recognizer of ours as one of Presidio's; the explanation never quotes the text."""

    def __init__(self, recognizer: Recognizer, language: str) -> None:
        self._recognizer = recognizer
        self.name: str
        super().__init__(
            supported_entities=list(recognizer.types),
            name=recognizer.name,
            supported_language=language,
            version=recognizer.version,
        )

    def load(self) -> None:
        """Nothing is left to load."""

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: NlpArtifacts | None = None,  # noqa: ARG002 - Presidio's signature
    ) -> list[RecognizerResult]:
        """Find what the recognizer finds of ``entities`` (every type of it when empty).

        Raises:
            DetectionFailed: the time is up.
        """
        return [self._result(d) for d in self._recognizer.detect(text) if not entities or d.type in entities]

    def _result(self, detection: Detection) -> RecognizerResult:
        explanation = AnalysisExplanation(
            recognizer=self.name,
            original_score=detection.score,
            pattern_name=detection.source,
            validation_result=detection.validated,
            textual_explanation=f"Detected by `{self.name}`",
        )
        return RecognizerResult(
            entity_type=detection.type,
            start=detection.start,
            end=detection.end,
            score=detection.score,
            analysis_explanation=explanation,
            recognition_metadata={
                RecognizerResult.RECOGNIZER_NAME_KEY: self.name,
                RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
            },
        )


def as_presidio(recognizer: Recognizer, language: str = "en") -> EntityRecognizer:
    """Return the recognizer in Presidio's form. It reads the text as it is: the redactor's views stay behind.

    Args:
        recognizer: one of ours.
        language: ISO 639-1 code that Presidio files it under.
    """
    return _Exported(recognizer, language)


def add_to(
    registry: RecognizerRegistry, recognizers: Iterable[Recognizer] | None = None, language: str = "en"
) -> RecognizerRegistry:
    """Add recognizers of ours to a registry of Presidio's and return it.

    Args:
        registry: gains them.
        recognizers: every registered one when None.
        language: ISO 639-1 code that Presidio files them under.
    """
    chosen = [RECOGNIZERS.get(name)() for name in RECOGNIZERS.names()] if recognizers is None else recognizers
    for recognizer in chosen:
        registry.add_recognizer(as_presidio(recognizer, language))
    return registry
