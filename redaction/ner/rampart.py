"""Names, addresses and numbers by the Rampart token classifier (National Design Studio, weights CC BY 4.0).

A MiniLM of 18.5 million parameters, 4-bit ONNX, 17 types in B/I labels. Text is cut into word pieces
once, so offsets are those of the tokenizer and exact; long text goes through in overlapping windows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple, final

# From 1.32 on the library reports its use to its maker over the network, from its import on, and keeps a
# database for that in the home directory. Only this variable, set before the import, stops both.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from redaction.budget import remaining_s
from redaction.detection import Detection
from redaction.errors import DetectionFailed
from redaction.ner.weights import RAMPART, model_folder
from redaction.ner.windows import Window, plan

_TYPES: Final = {
    "GIVEN_NAME": "PERSON",
    "SURNAME": "PERSON",
    "EMAIL": "EMAIL_ADDRESS",
    "PHONE": "PHONE_NUMBER",
    "URL": "URL",
    "TAX_ID": "TAX_ID",
    "BANK_ACCOUNT": "BANK_ACCOUNT",
    "ROUTING_NUMBER": "ABA_ROUTING_NUMBER",
    "GOVERNMENT_ID": "GOVERNMENT_ID",
    "PASSPORT": "PASSPORT",
    "DRIVERS_LICENSE": "DRIVER_LICENSE",
    "BUILDING_NUMBER": "STREET_ADDRESS",
    "STREET_NAME": "STREET_ADDRESS",
    "SECONDARY_ADDRESS": "STREET_ADDRESS",
    "CITY": "LOCATION",
    "STATE": "LOCATION",
    "ZIP_CODE": "ZIP_CODE",
}
"""The model's types and ours."""

_WINDOW = 126
"""Word pieces in a window, without the two marks around them: about 480 characters, where it finds most."""
_OVERLAP = 32
_BATCH = 16
"""Windows that go through the model together."""

Floats = NDArray[np.float32]


class _Word(NamedTuple):
    start: int
    end: int
    type: str
    score: float
    inside: bool


@final
class Rampart:
    """The classifier. Shareable among threads: the ONNX session is, and nothing else changes after loading.

    Args:
        models_dir: folder of models.
        intra_op_threads: threads that compute one batch.
        floor: words whose probability of being personal data of any type is lower are left.

    Raises:
        ModelMissing: not installed.
        DetectionFailed: the installed model has labels that this version does not know.
    """

    name = RAMPART
    version = "1"

    def __init__(self, models_dir: Path, *, intra_op_threads: int = 1, floor: float = 0.35) -> None:
        folder = model_folder(models_dir, RAMPART, "config.json", "tokenizer.json", "onnx/model_q4.onnx")
        labels = json.loads((folder / "config.json").read_text("utf-8"))["id2label"]
        names = [labels[str(number)] for number in range(len(labels))]
        if unknown := {name[2:] for name in names if name != "O"} - set(_TYPES):
            raise DetectionFailed(f"model {RAMPART} has labels without a type here: {', '.join(sorted(unknown))}")
        self._types = sorted(set(_TYPES.values()))
        self._to_types = np.zeros((len(names), len(self._types)), np.float32)  # sums label probabilities by type
        for number, name in enumerate(names):
            if name != "O":
                self._to_types[number, self._types.index(_TYPES[name[2:]])] = 1
        self._inside = np.array([name.startswith("I-") for name in names])
        self._floor = floor
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._marks = [int(self._tokenizer.token_to_id(mark) or 0) for mark in ("[CLS]", "[SEP]")]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = intra_op_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        model = str(folder / "onnx" / "model_q4.onnx")
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def detect(self, text: str) -> list[Detection]:
        """Find personal data in one text."""
        return self.detect_batch([text])[0]

    def detect_batch(self, texts: Sequence[str]) -> list[list[Detection]]:
        """Find personal data in each text; windows of all texts share batches.

        Raises:
            DetectionFailed: the time is up.
        """
        encodings = [self._tokenizer.encode(text, add_special_tokens=False) for text in texts]
        probabilities = self._classify([encoding.ids for encoding in encodings])
        return [list(self._spans(*pair)) for pair in zip(encodings, probabilities, strict=True)]

    def _classify(self, ids: Sequence[list[int]]) -> list[Floats]:
        """Label probabilities [pieces, labels] per text."""
        results = [np.zeros((len(pieces), len(self._inside)), np.float32) for pieces in ids]
        jobs = [(n, window) for n, pieces in enumerate(ids) for window in plan(len(pieces), _WINDOW, _OVERLAP)]
        jobs.sort(key=lambda job: job[1].end - job[1].start)  # like lengths together: little padding
        for at in range(0, len(jobs), _BATCH):
            remaining_s()
            batch = jobs[at : at + _BATCH]
            logits = self._run([ids[n][window.start : window.end] for n, window in batch])
            for (n, window), rows in zip(batch, logits, strict=True):
                results[n][window.own_start : window.own_end] = rows[_owned(window)]
        return results

    def _run(self, windows: list[list[int]]) -> Floats:
        first, last = self._marks
        width = max(map(len, windows)) + 2
        ids = np.zeros((len(windows), width), np.int64)
        mask = np.zeros_like(ids)
        for row, window in enumerate(windows):
            ids[row, : len(window) + 2] = [first, *window, last]
            mask[row, : len(window) + 2] = 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        logits: Floats = self._session.run(None, feed)[0]
        powers = np.exp(logits - logits.max(-1, keepdims=True))
        softmax: Floats = powers / powers.sum(-1, keepdims=True)
        return softmax

    def _spans(self, encoding: Encoding, probabilities: Floats) -> Iterator[Detection]:
        """Neighbouring words of one type are one span, until a word begins a new one (B after a space)."""
        span: list[_Word] = []
        for word in self._words(encoding, probabilities):
            if (
                span
                and word.type == span[-1].type
                and (word.start == span[-1].end or (word.inside and word.start == span[-1].end + 1))
            ):
                span.append(word)
                continue
            if span:
                yield self._detection(span)
            span = [word]
        if span:
            yield self._detection(span)

    def _words(self, encoding: Encoding, probabilities: Floats) -> Iterator[_Word]:
        """Words with a piece that looks like personal data; a word is never found in part."""
        by_type = probabilities @ self._to_types
        personal = by_type.sum(-1)
        inside = self._inside[probabilities.argmax(-1)]
        offsets = encoding.offsets
        for _, group in groupby(enumerate(encoding.word_ids), key=lambda pair: pair[1]):
            pieces = [number for number, _ in group]
            best = max(pieces, key=lambda piece: float(personal[piece]))
            if personal[best] >= self._floor:
                type_ = self._types[int(by_type[best].argmax())]
                start, end = offsets[pieces[0]][0], offsets[pieces[-1]][1]
                yield _Word(start, end, type_, float(personal[best]), bool(inside[pieces[0]]))

    def _detection(self, span: list[_Word]) -> Detection:
        score = sum(word.score for word in span) / len(span)
        return Detection(span[0].start, span[-1].end, span[0].type, min(1.0, score), self.name)


def _owned(window: Window) -> slice:
    """The rows of a window's output that count; row 0 is the mark before the first piece."""
    return slice(window.own_start - window.start + 1, window.own_end - window.start + 1)
