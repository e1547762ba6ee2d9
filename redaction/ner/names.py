"""Names, places, organisations, addresses and dates by finslm's own token classifier.

Three layers of MiniLM in 8-bit integers (see its model card). Words go in as pieces with a number for how
they are written; windows of all texts go through together, those of like length side by side.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import pairwise
from pathlib import Path
from typing import Final, final

# From 1.32 on the library reports its use to its maker over the network, from its import on, and keeps a
# database for that in the home directory. Only this variable, set before the import, stops both.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from redaction.budget import remaining_s
from redaction.detection import Detection
from redaction.ner.encoding import FEATURES, Encoded, encode
from redaction.ner.spans import Floats, Spans
from redaction.ner.weights import folder_digest, model_folder, shipped_models_dir
from redaction.ner.windows import Window, plan

NAMES: Final = "finance-names"
"""Name of the classifier."""

LEFT_TO_PATTERNS: Final = frozenset({"OTHER_ID", "DATE_TIME", "AGE", "US_DRIVER_LICENSE"})
"""What the model knows so as not to take it for a name; patterns find it more exactly."""

_WINDOW = 158
"""Word pieces in a window, without the two marks around them."""
_OVERLAP = 32
_BATCH_PIECES = 512
"""Word pieces that go through the model together; more of them no longer fit a core's cache and take longer."""
_STRETCH = 1.15
"""How much longer the longest window of a batch may be than the shortest: what is padded is computed too."""


@final
class Names:
    """The classifier. Shareable among threads: the ONNX session is, and nothing else changes after loading.

    Args:
        folder: the model's folder; the one that comes with the package when None.
        threads: how many windows of a text, or batches of several texts, are computed at the same time.
        floor: words whose probability of being personal data of any type is lower are left.

    Raises:
        ModelMissing: a file of the model is missing.
    """

    name = NAMES

    def __init__(self, folder: Path | None = None, *, threads: int = 1, floor: float = 0.4) -> None:
        chosen = folder or shipped_models_dir() / NAMES
        files = ("config.json", "tokenizer.json", "model.onnx")
        model_folder(chosen.parent, chosen.name, *files)
        labels = json.loads((chosen / "config.json").read_text("utf-8"))["labels"]
        self.types = sorted({label[2:] for label in labels if label != "O"} - LEFT_TO_PATTERNS)
        self.version = folder_digest(chosen)[:16]
        self._labels = len(labels)
        self._spans = Spans(labels, self.types, self.name, floor)
        self._tokenizer = Tokenizer.from_file(str(chosen / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._marks = [int(self._tokenizer.token_to_id(mark) or 0) for mark in ("[CLS]", "[SEP]")]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # one product is too small to be shared: threads would wait for each other
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(chosen / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=NAMES) if threads > 1 else None

    def detect(self, text: str) -> list[Detection]:
        """Find names and the like in one text."""
        return self.detect_batch([text])[0]

    def detect_batch(self, texts: Sequence[str]) -> list[list[Detection]]:
        """Find names and the like in each text.

        Raises:
            DetectionFailed: the time is up.
        """
        words = encode(self._tokenizer, texts)
        return self._spans.of(texts, words, self._classify(words))

    def _classify(self, texts: Encoded) -> Floats:
        """Label probabilities [pieces, labels]."""
        results = np.zeros((len(texts.ids), self._labels), np.float32)
        same: dict[bytes, list[Window]] = {}
        for begin, end in pairwise(texts.bounds.tolist()):
            for window in plan(end - begin, _WINDOW, _OVERLAP):
                window = Window(*(begin + place for place in window))
                part = slice(window.start, window.end)  # one that comes again (a form, a table) is computed once
                key = texts.ids[part].tobytes() + texts.features[part].tobytes()
                same.setdefault(key, []).append(window)
        batches = list(_batches(sorted(same.values(), key=lambda group: group[0].end - group[0].start)))
        for batch, rows in zip(batches, self._computed(texts, batches), strict=True):
            for group, row in zip(batch, rows, strict=True):
                for window in group:
                    owned = slice(window.own_start - window.start + 1, window.own_end - window.start + 1)
                    results[window.own_start : window.own_end] = row[owned]
        return results

    def _computed(self, texts: Encoded, batches: Sequence[list[list[Window]]]) -> Iterator[Floats]:
        """Label probabilities of each batch; onnxruntime lets go of Python's lock while it computes."""
        chosen = [[window for window, *_ in batch] for batch in batches]
        if self._pool is None or len(chosen) == 1:
            for windows in chosen:
                remaining_s()
                yield self._run(texts, windows)
            return
        jobs = [self._pool.submit(self._run, texts, windows) for windows in chosen]
        try:
            for job in jobs:
                wait([job], remaining_s())
                remaining_s()
                yield job.result()
        finally:
            for job in jobs:
                job.cancel()

    def _run(self, texts: Encoded, windows: Sequence[Window]) -> Floats:
        """Label probabilities [windows, pieces + 2, labels]."""
        width = max(window.end - window.start for window in windows) + 2
        ids = np.zeros((len(windows), width), np.int64)
        features, mask = np.full_like(ids, FEATURES), np.zeros_like(ids)
        for row, window in enumerate(windows):
            size = window.end - window.start
            ids[row, 0], ids[row, size + 1] = self._marks
            ids[row, 1 : size + 1] = texts.ids[window.start : window.end]
            features[row, 1 : size + 1] = texts.features[window.start : window.end]
            mask[row, : size + 2] = 1
        scores: Floats = self._session.run(None, {"ids": ids, "features": features, "mask": mask})[0]
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        softmax: Floats = powers / powers.sum(-1, keepdims=True)
        return softmax


def _batches(groups: Sequence[list[Window]]) -> Iterator[list[list[Window]]]:
    """Groups, sorted by length, in batches of little padding and at most about :data:`_BATCH_PIECES`."""
    batch: list[list[Window]] = []
    narrowest = 0
    for group in groups:
        width = group[0].end - group[0].start + 2
        if batch and (width > _STRETCH * narrowest or (len(batch) + 1) * width > _BATCH_PIECES):
            yield batch
            batch = []
        if not batch:
            narrowest = width
        batch.append(group)
    if batch:
        yield batch
