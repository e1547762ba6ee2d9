"""Rows as the model is shown them: what :mod:`redaction` finds is replaced before anything is trained on.

Serving replaces a value by ``<TYPE_N>``, numbered anew in each text; so does this, with the same redactor.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

from finslm.errors import ConfigError
from finslm.evaluate.data import SPLITS, Dataset, seen_in
from redaction.errors import RedactionError
from redaction.for_good import known_placeholders_kept
from redaction.policy import LITERAL

if TYPE_CHECKING:
    from redaction import Detection, Redacted, Redactor

_AT_ONCE: Final = 256
"""Texts that go through the redactor together."""

Progress = Callable[[int, int], None]
"""Called with how many texts are done, and how many there are."""


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """What was replaced in the texts of one split of one data set; never a value."""

    texts: int
    changed: int
    by_type: Mapping[str, int]
    """Type → how many pieces of it."""
    texts_by_type: Mapping[str, int]
    """Type → in how many texts."""


@final
@dataclass(frozen=True, slots=True)
class Redaction:
    """What the redaction stage did to a dataset."""

    policy_digest: str
    redactor_digest: str
    """Over the policy, the detectors' versions and the models."""
    found: Mapping[tuple[int, str], Finding]
    """(Number of the data set, split) → what was found."""
    overlap: int
    """Rows not trained on because, redacted, they stand word for word among the test rows."""
    refused: int
    """Rows left out because the second look found something: serving would refuse such a text."""

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON; types of all splits together."""
        whole: Counter[str] = Counter()
        touched: Counter[str] = Counter()
        for each in self.found.values():
            whole.update(each.by_type)
            touched.update(each.texts_by_type)
        return {
            "policy": self.policy_digest,
            "redactor": self.redactor_digest,
            "texts": sum(each.texts for each in self.found.values()),
            "texts_changed": sum(each.changed for each in self.found.values()),
            "pieces_by_type": dict(sorted(whole.items())),
            "texts_by_type": dict(sorted(touched.items())),
            "overlap_dropped": self.overlap,
            "second_look_dropped": self.refused,
        }


@final
@dataclass(frozen=True, slots=True)
class _Text:
    """A text after redaction; ``left``: types that the second look found in it."""

    text: str = field(repr=False)
    found: Mapping[str, int]
    left: tuple[str, ...]


def redact(
    dataset: Dataset,
    redactor: Redactor,
    cache: Path,
    *,
    skip_bad: bool = False,
    progress: Progress = lambda _done, _all: None,
) -> tuple[Dataset, Redaction]:
    """Replace what is found in every row, training, held-back and test.

    Args:
        redactor: that of serving.
        cache: folder for redacted texts; the same texts and the same redactor are not gone through again.
        skip_bad: leave out the rows in which the second look finds something; otherwise they end the run.

    Raises:
        ConfigError: the second look found something, a text cannot be redacted, or nothing is left to train on.
    """
    texts = list(dict.fromkeys(row.text for split in SPLITS for row in getattr(dataset, split)))
    shown = dict(zip(texts, _all(texts, redactor, cache, progress), strict=True))
    refused = {
        split: frozenset(i for i, row in enumerate(getattr(dataset, split)) if shown[row.text].left) for split in SPLITS
    }
    if (count := sum(map(len, refused.values()))) and not skip_bad:
        types = sorted({type_ for each in shown.values() for type_ in each.left})
        raise ConfigError(
            f"the second look found {', '.join(types)} in {count} redacted rows; serving refuses such texts: mend "
            "them, or leave them out with --skip-bad-rows"
        )
    kept = dataset.without(refused)
    found = _findings(kept, shown)
    train, dev, test = ([replace(r, text=shown[r.text].text) for r in getattr(kept, split)] for split in SPLITS)
    changed = replace(kept, train=train, dev=dev, test=test)
    tested = {row.text for row in changed.test}
    again = {
        split: frozenset(i for i, row in enumerate(getattr(changed, split)) if row.text in tested)
        for split in ("train", "dev")
    }
    changed = changed.without(again)
    if not changed.train or not changed.dev or not changed.test:
        raise ConfigError(
            "redacted, no row is left to train on, to hold back or to test on that differs from the others"
        )
    changed = replace(changed, seen=seen_in((*changed.train, *changed.dev), changed.test))
    overlap = sum(map(len, again.values()))
    return changed, Redaction(redactor.policy.digest, redactor.digest, found, overlap, count)


def _findings(dataset: Dataset, shown: Mapping[str, _Text]) -> dict[tuple[int, str], Finding]:
    found = {}
    for split in SPLITS:
        for number in sorted({*dataset.origins[split]}):
            rows = [
                row for row, of in zip(getattr(dataset, split), dataset.origins[split], strict=True) if of == number
            ]
            counts = [shown[row.text].found for row in rows]
            by_type: Counter[str] = Counter()
            for each in counts:
                by_type.update(each)
            touched = Counter(type_ for each in counts for type_ in each)
            found[number, split] = Finding(len(rows), sum(map(bool, counts)), dict(by_type), dict(touched))
    return found


def _all(texts: Sequence[str], redactor: Redactor, cache: Path, progress: Progress) -> list[_Text]:
    """Redacted texts, from the cache where a run before this one has been through them."""
    digest = hashlib.sha256(redactor.digest.encode())
    for text in texts:
        digest.update(hashlib.sha256(text.encode()).digest())
    file = cache / f"{digest.hexdigest()}.jsonl"
    done = _read(file)[: len(texts)]
    if len(done) == len(texts):
        return done
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _keep(file, done)
        with file.open("a", encoding="utf-8") as kept:
            for batch in _batches(texts[len(done) :], redactor):
                kept.writelines(json.dumps([each.text, each.found, each.left]) + "\n" for each in batch)
                kept.flush()
                done += batch
                progress(len(done), len(texts))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}; make room and go on with --resume") from error
    return done


def _batches(texts: Sequence[str], redactor: Redactor) -> Iterator[list[_Text]]:
    for start in range(0, len(texts), _AT_ONCE):
        try:
            redacted = redactor.redact_batch(texts[start : start + _AT_ONCE])
            yield [_shown(each, redactor.second_look(each)) for each in redacted]
        except RedactionError as error:
            raise ConfigError(f"the training texts cannot be redacted: {error}") from None


def _shown(redacted: Redacted, left: Iterable[Detection]) -> _Text:
    """Rows made of feedback are redacted already: their placeholders stay, and are no findings."""
    text, found = known_placeholders_kept(redacted), dict(redacted.entity_counts)
    if not (literals := text.count(f"<{LITERAL}_")):
        found.pop(LITERAL, None)
    else:
        found[LITERAL] = literals
    return _Text(text, found, tuple(sorted({each.type for each in left})))


def _read(file: Path) -> list[_Text]:
    """What is whole of it: a run that was killed while it wrote leaves half a line."""
    try:
        lines = file.read_text("utf-8").split("\n")[:-1]
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}; delete it") from error
    try:
        return [_Text(text, found, tuple(left)) for text, found, left in map(json.loads, lines)]
    except ValueError as error:
        raise ConfigError(f"{file} is damaged ({error}); delete it") from error


def _keep(file: Path, done: Sequence[_Text]) -> None:
    """Write it anew with what is whole, before more is added."""
    new = file.with_name(file.name + ".new")
    new.write_text("".join(json.dumps([d.text, d.found, d.left]) + "\n" for d in done), "utf-8")
    new.replace(file)
