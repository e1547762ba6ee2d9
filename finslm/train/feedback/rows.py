"""Which corrections are trained on, and which are for testing.

Whoever may send feedback can try to teach the adapter something wrong, so no caller alone decides. A text has one row.
Callers that contradict each other are counted, each once for a text; without a majority the text is left out. And of
rows that one caller alone vouches for, no caller has more than a share.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, final

from finslm.errors import ConfigError
from finslm.evaluate.datasets import folded
from finslm.feedback import Feedback
from redaction.operators import PLACEHOLDER

Split = Literal["train", "dev", "test"]
TEST_PERCENT: Final = 20
DEV_PERCENT: Final = 10
"""Of the texts, by digest. They are constants: with other shares a row that was tested on could be trained on later."""

_SALT: Final = b"finslm feedback split 1\0"


@final
@dataclass(frozen=True, slots=True)
class Row:
    """A text and what it should have been answered with.

    Args:
        id: of the earliest record that says so.
        principals: who vouches for it.
    """

    id: str
    text: str = field(repr=False)
    target: str = field(repr=False)
    split: Split
    principals: frozenset[str]
    new_label: bool = False


@final
@dataclass(frozen=True, slots=True)
class Selection:
    """The rows, and why records are not among them."""

    rows: Sequence[Row]
    left_out: Mapping[str, int]
    """Reason → records."""
    used: Sequence[Feedback]
    """All records that were looked at, for the card."""

    def of(self, split: Split) -> list[Row]:
        """The rows of a split, by id."""
        return sorted((row for row in self.rows if row.split == split), key=lambda row: row.id)


def select(
    records: Iterable[Feedback], *, max_share: float = 0.5, new_labels: bool = False, min_rows: int = 5
) -> Selection:
    """Choose what is trained on. The same records give the same rows, whatever their order.

    Args:
        records: of one task and tenant.
        max_share: of the rows, that one principal alone may vouch for; above 0, 1: all.
        new_labels: take corrections whose label the task did not have.
        min_rows: rows to train on that a new label needs, or all of its rows are left out.

    Raises:
        ConfigError: ``max_share`` leaves nothing, for too few principals have sent feedback.
    """
    if not 0 < max_share <= 1:
        raise ConfigError(f"max_share must be above 0 and at most 1, got {max_share}")
    looked_at = sorted(records, key=lambda record: (record.at, record.id))
    left_out: Counter[str] = Counter()
    groups: dict[str, list[Feedback]] = defaultdict(list)
    for record in looked_at:
        if why := _unusable(record, new_labels=new_labels):
            left_out[why] += 1
        else:
            groups[shape(record.said.text)].append(record)
    by_digest = sorted(groups.items(), key=lambda group: _number(group[0]))
    rows = [row for key, group in by_digest if (row := _row(key, group, left_out)) is not None]
    rows = _capped(_with_enough(rows, min_rows, left_out), max_share, left_out)
    return Selection(tuple(rows), dict(sorted(left_out.items())), tuple(looked_at))


def shape(text: str) -> str:
    """A text without what differs between two that are the same to train on: case, spaces, numbers of placeholders."""
    return folded(PLACEHOLDER.sub(lambda match: re.sub(r"_[0-9].*", ">", match[0]), text))


def split_of(key: str) -> Split:
    """The split of a text, by a digest of its shape alone: no further feedback moves it."""
    number = _number(key) % 100
    return "test" if number < TEST_PERCENT else "dev" if number < TEST_PERCENT + DEV_PERCENT else "train"


def _number(key: str) -> int:
    return int.from_bytes(hashlib.sha256(_SALT + key.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def _target(record: Feedback) -> str:
    return record.said.label or record.said.answer


def _unusable(record: Feedback, *, new_labels: bool) -> str:
    if not _target(record):
        return "no correction"
    return "new label" if record.said.new_label and not new_labels else ""


def _row(key: str, group: Sequence[Feedback], left_out: Counter[str]) -> Row | None:
    """The row of a text, where more than half of those who spoke of it agree; each counts with the last it said."""
    said = {record.said.principal: _target(record) for record in group}
    (target, votes), *_ = Counter(said.values()).most_common(1)
    if 2 * votes <= len(said):
        left_out["contradicted"] += len(group)
        return None
    agreeing = [record for record in group if _target(record) == target]
    left_out["outvoted"] += len(group) - len(agreeing)
    left_out["duplicate"] += len(agreeing) - 1
    first = agreeing[0]
    return Row(
        id=first.id,
        text=first.said.text,
        target=target,
        split=split_of(key),
        principals=frozenset(each for each, what in said.items() if what == target),
        new_label=first.said.new_label,
    )


def _with_enough(rows: Sequence[Row], least: int, left_out: Counter[str]) -> list[Row]:
    """Without the new labels that hardly anything could be learned of."""
    trained = Counter(row.target for row in rows if row.split == "train")
    kept = [row for row in rows if not row.new_label or trained[row.target] >= least]
    left_out["new label with few rows"] += len(rows) - len(kept)
    return kept


def _capped(rows: Sequence[Row], share: float, left_out: Counter[str]) -> list[Row]:
    """Cut the principals that have more than their share to the largest number at which none has."""
    alone = Counter(next(iter(row.principals)) for row in rows if len(row.principals) == 1)
    agreed = len(rows) - alone.total()

    def fits(cap: int) -> bool:
        whole = agreed + sum(min(count, cap) for count in alone.values())
        return all(min(count, cap) <= share * whole for count in alone.values())

    cap = next(cap for cap in range(max(alone.values(), default=0), -1, -1) if fits(cap))
    if rows and not cap and not agreed:
        raise ConfigError(
            f"{len(alone)} principals have sent feedback, and none may have more than {share:.0%} of the rows: nothing "
            "is left; get it from more of them, or trust these with --max-share 1"
        )
    taken: Counter[str] = Counter()
    kept = []
    for row in rows:  # by the digest of their text: a caller's rows stay the same, and are drawn from all it sent
        if len(row.principals) == 1:
            (principal,) = row.principals
            taken[principal] += 1
            if taken[principal] > cap:
                continue
        kept.append(row)
    left_out["over a caller's share"] += len(rows) - len(kept)
    return kept


def without_untrained(selection: Selection) -> Selection:
    """Without rows to test or calibrate on whose label no row to train on has: where feedback is trained on alone."""
    trained = {row.target for row in selection.rows if row.split == "train"}
    kept = tuple(row for row in selection.rows if row.target in trained)
    left_out = {**selection.left_out, "label not trained": len(selection.rows) - len(kept)}
    return replace(selection, rows=kept, left_out=left_out)
