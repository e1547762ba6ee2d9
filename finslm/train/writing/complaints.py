"""Real complaints with summaries that are ours: narratives that the CFPB published, and what we wrote of them.

The narratives (public domain, 17 USC 105) are read from a file that a recipe names; the summaries stand beside this
file, each with the SHA-256 of its narrative, apart for training, calibration and test.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from finslm.errors import ConfigError
from finslm.evaluate.datasets import Files
from finslm.train.writing.recipe import ComplaintsRecipe
from finslm.train.writing.rows import SPLITS, Row, RowSet, Told
from redaction import Redactor
from redaction.operators.placeholder import PLACEHOLDER

SUMMARIES: Final = Path(__file__).parent / "complaints.jsonl"
GROUP: Final = "published_complaint"
_TASK: Final = "complaint_summary"


def read(recipe: ComplaintsRecipe, data: Path, redactor: Redactor, told: Told, *, skip_bad: bool = False) -> RowSet:
    """The narratives that have a summary, redacted with it.

    Raises:
        ConfigError: the file is missing, malformed, or has none of the narratives.
    """
    file = data / recipe.path
    files = Files(file.parent, skip_bad=skip_bad)
    texts = {
        digest(row["text"]): row["text"] for _, row in files.json_lines(file.name) if isinstance(row.get("text"), str)
    }
    of: dict[str, list[Row]] = {split: [] for split in SPLITS}
    written, left_out = list(_summaries()), Counter[str](malformed=files.skipped)
    there = [(split, texts[key], summary) for key, split, summary in written if key in texts]
    if not there:
        raise ConfigError(f"{file}: none of the {len(written)} narratives that have a summary is in it")
    left_out["not among the narratives"] = len(written) - len(there)
    told(f"{recipe.path}", 0, len(there))
    for (split, raw, summary), redacted in zip(there, redactor.redact_batch([raw for _, raw, _ in there]), strict=True):
        seen = _as_seen(summary, redacted.placeholders)
        if seen is None:
            left_out["a replaced value stands in the summary"] += 1
        else:
            of[split].append(Row(_TASK, GROUP, redacted.text, seen, raw))
    told(f"{recipe.path}", len(there), len(there))
    sha256 = {str(recipe.path): files.sha256[file.name], SUMMARIES.name: _sha256(SUMMARIES.read_bytes())}
    # Drawn at random from the same narratives, so those tested on are such as those trained on that it never saw.
    return RowSet(of["train"] * recipe.times, of["dev"], of["test"], sha256, +left_out, of["test"])


def _as_seen(summary: str, placeholders: Mapping[str, str]) -> str | None:
    """A summary with the placeholders of its narrative; None: a value that one stands for is left in it."""
    known: dict[str, str] = {}
    for placeholder, value in placeholders.items():
        known.setdefault(" ".join(value.split()), placeholder)
    if not known:
        return summary
    longest_first = sorted(known, key=lambda value: (-len(value), value))
    any_of = rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)"
    seen = re.sub(any_of, lambda found: known[found[0]], summary)
    return None if re.search(any_of, PLACEHOLDER.sub("", seen), re.IGNORECASE) else seen


def digest(text: str) -> str:
    """What a summary knows its narrative by."""
    return _sha256(text.strip().encode())[:16]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _summaries() -> Iterator[tuple[str, str, str]]:
    """Digest of the narrative, split and summary."""
    for line in SUMMARIES.read_text("utf-8").splitlines():
        row = json.loads(line)
        yield row["narrative"], row["split"], row["summary"]
