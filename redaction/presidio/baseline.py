"""Presidio exactly as it comes: what benchmarks and tests compare with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, final

import presidio_analyzer
import yaml
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer import predefined_recognizers as stock
from presidio_analyzer.nlp_engine import NlpEngineProvider

from redaction.ner.weights import SPACY, model_folder
from redaction.recognizers.web import offline_suffixes


@final
class _OfflineEmail(stock.EmailRecognizer):
    """Presidio's, which would fetch the public suffix list from the internet."""

    def validate_result(self, pattern_text: str) -> bool:
        """The check of the base class, with the list inside the package."""
        return offline_suffixes()(pattern_text).fqdn != ""


def stock_analyzer(models_dir: Path) -> AnalyzerEngine:
    """Return Presidio with its default recognizers and the small English spaCy model; it needs no network.

    Args:
        models_dir: folder of models.

    Raises:
        ModelMissing: the spaCy model is not installed.
    """
    folder = model_folder(models_dir, SPACY, "config.cfg", "meta.json", "ner/model")
    conf = Path(presidio_analyzer.__file__).parent / "conf" / "default.yaml"
    configuration: dict[str, Any] = yaml.safe_load(conf.read_text("utf-8"))
    configuration["models"] = [{"lang_code": "en", "model_name": str(folder)}]
    engine = NlpEngineProvider(nlp_configuration=configuration).create_engine()
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=engine)
    registry.remove_recognizer("EmailRecognizer")
    registry.add_recognizer(_OfflineEmail(name="EmailRecognizer"))
    return AnalyzerEngine(registry=registry, nlp_engine=engine)
