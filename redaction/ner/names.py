"""Names, places, organisations, addresses and dates by finslm's own token classifier.

Three layers of MiniLM in 8-bit integers (see its model card). Words go in as pieces with a number for how
they are written; windows of all texts go through together, those of like length side by side.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple, final

# From 1.32 on the library reports its use to its maker over the network, from its import on, and keeps a
# database for that in the home directory. Only this variable, set before the import, stops both.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from redaction.budget import remaining_s
from redaction.detection import Detection
from redaction.ner.encoding import FEATURES, Encoded, encode
from redaction.ner.weights import folder_digest, model_folder, shipped_models_dir
from redaction.ner.windows import Window, plan

NAMES: Final = "finance-names"
"""Name of the classifier."""

LEFT_TO_PATTERNS: Final = frozenset({"OTHER_ID", "DATE_TIME", "AGE", "US_DRIVER_LICENSE"})
"""What the model knows so as not to take it for a name; patterns find it more exactly."""

_WINDOW = 158
"""Word pieces in a window, without the two marks around them."""
_OVERLAP = 32
_BATCH_PIECES = 2048
"""Word pieces that go through the model together."""
_EDGES: Final = " \t\r\n.,;:!?\"'()[]{}<>|/\\-–—*=#_"
"""Marks that a name neither begins nor ends with; a full stop behind "Inc" stays."""

_MASKED: Final = re.compile(r"[xX*#\s./,-]+")

_TERMS: Final = frozenset(
    (  # noqa: SIM905
        "aba ach aml apr apy atm bic bin cd cfpb cvv dob ein eur fdic fico gbp hmrc iban id irs isin itin kyc lei nino "
        "otp pan pin rtn sec sepa sort ssn swift uetr url usd visa vat w-2 wire"
    ).split()
)
"""Words of the trade that a small model takes for names. They name no person and no firm in particular."""

_FLOORS: Final = {"ORGANIZATION": 0.6, "LOCATION": 0.5}
"""Spans of these types are left below these scores: capitals at odd places look like firms and towns."""

_CODES: Final = frozenset({"PHONE_NUMBER", "ZIP_CODE"})
_PLACES: Final = frozenset({"LOCATION", "STREET_ADDRESS"})
_BESIDE: Final = 4
_CODE_SCORE: Final = 0.45
"""Numbers are the recognizers' to name: what they say of one, however unsure, counts for more."""

_PHONE_DIGITS: Final = 7
"""A number with fewer is no telephone number, but may be a postcode."""

Floats = NDArray[np.float32]


class _Job(NamedTuple):
    text: int
    window: Window


@final
class Names:
    """The classifier. Shareable among threads: the ONNX session is, and nothing else changes after loading.

    Args:
        folder: the model's folder; the one that comes with the package when None.
        intra_op_threads: threads that compute one batch.
        floor: words whose probability of being personal data of any type is lower are left.

    Raises:
        ModelMissing: a file of the model is missing.
    """

    name = NAMES

    def __init__(self, folder: Path | None = None, *, intra_op_threads: int = 1, floor: float = 0.4) -> None:
        chosen = folder or shipped_models_dir() / NAMES
        files = ("config.json", "tokenizer.json", "model.onnx")
        model_folder(chosen.parent, chosen.name, *files)
        labels = json.loads((chosen / "config.json").read_text("utf-8"))["labels"]
        self.types = sorted({label[2:] for label in labels if label != "O"} - LEFT_TO_PATTERNS)
        self.version = folder_digest(chosen)[:16]
        self._to_types = np.array([[label[2:] == type_ for type_ in self.types] for label in labels], np.float32)
        self._begins = np.array([label.startswith("B-") for label in labels], np.float32)
        self._floor = floor
        self._tokenizer = Tokenizer.from_file(str(chosen / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._marks = [int(self._tokenizer.token_to_id(mark) or 0) for mark in ("[CLS]", "[SEP]")]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = intra_op_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the other core has work of its own
        self._session = onnxruntime.InferenceSession(
            str(chosen / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def detect(self, text: str) -> list[Detection]:
        """Find names and the like in one text."""
        return self.detect_batch([text])[0]

    def detect_batch(self, texts: Sequence[str]) -> list[list[Detection]]:
        """Find names and the like in each text.

        Raises:
            DetectionFailed: the time is up.
        """
        encoded = encode(self._tokenizer, texts)
        scores = self._classify(encoded)
        return [
            _placed(list(self._spans(text, words, rows))) if len(words.ids) else []
            for text, words, rows in zip(texts, encoded, scores, strict=True)
        ]

    def _classify(self, texts: Sequence[Encoded]) -> list[Floats]:
        """Label probabilities [pieces, labels] per text."""
        results = [np.zeros((len(text.ids), len(self._begins)), np.float32) for text in texts]
        jobs = [_Job(n, window) for n, text in enumerate(texts) for window in plan(len(text.ids), _WINDOW, _OVERLAP)]
        same: dict[bytes, list[_Job]] = {}
        for job in jobs:  # a window that comes again (a form, a table, hostile text) is computed once
            part = slice(job.window.start, job.window.end)
            key = texts[job.text].ids[part].tobytes() + texts[job.text].features[part].tobytes()
            same.setdefault(key, []).append(job)
        groups = sorted(same.values(), key=lambda group: group[0].window.end - group[0].window.start)
        for batch in _batches(groups):
            remaining_s()
            rows = self._run([(texts[job.text], job.window) for job, *_ in batch])
            for group, row in zip(batch, rows, strict=True):
                for n, window in group:
                    owned = slice(window.own_start - window.start + 1, window.own_end - window.start + 1)
                    results[n][window.own_start : window.own_end] = row[owned]
        return results

    def _run(self, windows: Sequence[tuple[Encoded, Window]]) -> Floats:
        width = max(window.end - window.start for _, window in windows) + 2
        ids = np.zeros((len(windows), width), np.int64)
        features, mask = np.full_like(ids, FEATURES), np.zeros_like(ids)
        for row, (text, window) in enumerate(windows):
            size = window.end - window.start
            ids[row, 0], ids[row, size + 1] = self._marks
            ids[row, 1 : size + 1] = text.ids[window.start : window.end]
            features[row, 1 : size + 1] = text.features[window.start : window.end]
            mask[row, : size + 2] = 1
        scores: Floats = self._session.run(None, {"ids": ids, "features": features, "mask": mask})[0]
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        softmax: Floats = powers / powers.sum(-1, keepdims=True)
        return softmax

    def _spans(self, text: str, words: Encoded, scores: Floats) -> Iterator[Detection]:
        """Neighbouring words of one type are one span, until a word begins a new one."""
        sizes = np.diff(np.append(words.first, len(words.ids)))
        by_word = np.add.reduceat(scores, words.first) / sizes[:, None]
        by_type = by_word @ self._to_types
        personal = by_type.sum(-1)
        chosen = np.flatnonzero(personal >= self._floor)
        types = by_type[chosen].argmax(-1)
        begins = scores[words.first[chosen]] @ self._begins > personal[chosen] / 2
        after = np.append(-1, words.ends)[chosen]  # where the word before ends
        joined = (
            (np.diff(chosen, prepend=-2) == 1)
            & (np.diff(types, prepend=-1) == 0)
            & (~begins | (words.starts[chosen] == after))
        )
        heads = np.append(np.flatnonzero(~joined), len(chosen))
        for head, behind in pairwise(heads.tolist()):
            part = chosen[head:behind]
            start, end = _trimmed(text, int(words.starts[part[0]]), int(words.ends[part[-1]]))
            piece = text[start:end]
            if piece and piece.lower() not in _TERMS and not _MASKED.fullmatch(piece):
                type_ = self.types[types[head]]
                if type_ == "PHONE_NUMBER" and sum(map(str.isdigit, piece)) < _PHONE_DIGITS:
                    type_ = "ZIP_CODE"
                score = min(_CODE_SCORE if type_ in _CODES else 1.0, float(personal[part].mean()))
                if score >= _FLOORS.get(type_, 0.0):
                    yield Detection(start, end, type_, score, self.name)


def _placed(found: list[Detection]) -> list[Detection]:
    """Without the numbers that no place stands beside: alone they are amounts and times as well as postcodes."""
    places = [(d.start, d.end) for d in found if d.type in _PLACES]
    return [
        d
        for d in found
        if d.type not in _CODES
        or any(abs(d.start - end) <= _BESIDE or abs(start - d.end) <= _BESIDE for start, end in places)
    ]


def _batches(groups: Sequence[list[_Job]]) -> Iterator[list[list[_Job]]]:
    """Groups, sorted by length, in batches of about :data:`_BATCH_PIECES`."""
    batch: list[list[_Job]] = []
    for group in groups:
        width = group[0].window.end - group[0].window.start + 2
        if batch and (len(batch) + 1) * width > _BATCH_PIECES:
            yield batch
            batch = []
        batch.append(group)
    if batch:
        yield batch


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without marks at its edges; the full stop of an abbreviation stays."""
    piece = text[start:end]
    kept = piece.rstrip(_EDGES)
    if len(kept) < len(piece) and piece[len(kept)] == "." and kept[-4:].strip(" .").istitle():
        kept = piece[: len(kept) + 1]
    return start + len(piece) - len(piece.lstrip(_EDGES)), start + len(kept)
