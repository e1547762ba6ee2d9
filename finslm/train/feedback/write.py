"""The folder of a training set made of feedback: rows, recipe, and a card that says where they come from."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import yaml

from finslm.errors import ConfigError
from finslm.train.feedback.rows import DEV_PERCENT, TEST_PERCENT, Row, Selection, without_untrained
from finslm.train.recipe import Recipe

SPLITS: Final = ("train", "dev", "test")
RECIPE_FILE: Final = "recipe.yaml"
COMPARE_FILE: Final = "compare.yaml"


@final
@dataclass(frozen=True, slots=True)
class Built:
    """What was written; a recipe is None where the task does not classify, or nothing is there to test on."""

    folder: Path
    name: str
    """Of the adapter."""
    facts: dict[str, Any]
    recipe: Path | None
    compare: Path | None


def write(selection: Selection, out: Path, *, recipe: Recipe | None, data: Path | None, name: str = "") -> Built:
    """Write rows, data card and recipe.

    Args:
        selection: what is trained on.
        out: a folder that is not there, or is empty.
        recipe: of the adapter that is to be improved; None: no recipe is written, for a task that does not classify.
        data: the folder of that recipe's data sets, to train on both; None: on the feedback alone.
        name: of the adapter; that of the recipe when empty.

    Raises:
        ConfigError: the folder is in use, or there are no rows to train, calibrate or test on.
    """
    if out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out} is not empty: name a folder that is not there yet")
    alone = recipe is not None and data is None
    chosen = without_untrained(selection) if alone else selection
    _check(chosen, alone=alone)
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = "label" if recipe is not None else "answer"
    digests = {f"{split}.jsonl": _rows(out / f"{split}.jsonl", chosen.of(split), key) for split in SPLITS}
    facts = _facts(chosen, digests, labels=recipe is not None)
    (out / "card.json").write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", "utf-8")
    (out / "README.md").write_text(_card(facts), "utf-8")
    if recipe is None:
        return Built(out, name, facts, None, None)
    part = {
        "dataset": "jsonl",
        "path": "." if data is None else os.path.relpath(out.resolve(), data.resolve()),
        "options": {split: f"{split}.jsonl" for split in SPLITS if chosen.of(split)},
    }
    written = _recipe(out / RECIPE_FILE, recipe, chosen, part, name, alone=alone)
    compared = None
    if data is not None and chosen.of("test"):
        compared = _recipe(out / COMPARE_FILE, recipe, chosen, part, name, alone=False, ours_to_test=True)
    return Built(out, name or recipe.name, facts, written, compared)


def _check(selection: Selection, *, alone: bool) -> None:
    counts = {split: len(selection.of(split)) for split in SPLITS}
    if not counts["train"] or (alone and not all(counts.values())):
        raise ConfigError(
            f"the feedback makes {counts['train']} rows to train on, {counts['dev']} to calibrate on and "
            f"{counts['test']} to test on (left out: {selection.left_out}): collect more, or train with the adapter's "
            "own data too (--data)"
        )


def _rows(file: Path, rows: Sequence[Row], key: str) -> str:
    """Write one JSON object a line; return the SHA-256 (hex) of the file."""
    lines = [json.dumps({"text": row.text, key: row.target, "id": row.id}, ensure_ascii=False) for row in rows]
    content = "".join(f"{line}\n" for line in lines).encode()
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(content)
    return hashlib.sha256(content).hexdigest()


def _recipe(
    file: Path,
    recipe: Recipe,
    selection: Selection,
    part: dict[str, Any],
    name: str,
    *,
    alone: bool,
    ours_to_test: bool = False,
) -> Path:
    """The adapter's recipe with the feedback as one more part; ``ours_to_test``: and only its rows to test on."""
    tree = recipe.model_dump(mode="json", exclude_unset=True)
    tree["name"] = name or recipe.name
    parts = [] if alone else tree["data"]["parts"]
    if ours_to_test:
        parts = [each | {"splits": ["train", "dev"]} for each in parts]
    tree["data"]["parts"] = [*parts, part]
    if tree["data"].get("labels"):
        further = {} if alone else dict.fromkeys(tree["data"]["labels"])
        further |= dict.fromkeys(sorted({row.target for row in selection.rows if row.split == "train"}))
        tree["data"]["labels"] = list(further)
    file.write_text(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True), "utf-8")
    return file


def _facts(selection: Selection, digests: dict[str, str], *, labels: bool) -> dict[str, Any]:
    """What the card says; the same rows give the same bytes."""
    used = selection.used

    def counted(of: Any) -> dict[str, int]:
        return dict(sorted(Counter(map(of, used)).items()))

    return {
        "rows": {split: len(selection.of(split)) for split in SPLITS},
        "rows_by_label": dict(sorted(Counter(row.target for row in selection.rows).items())) if labels else {},
        "records": len(used),
        "left_out": {why: count for why, count in selection.left_out.items() if count},
        "period": [used[0].time, used[-1].time] if used else [],
        "tenants": counted(lambda r: r.said.tenant),
        "tasks": counted(lambda r: r.said.task),
        "verdicts": counted(lambda r: r.said.verdict),
        "consent": counted(lambda r: f"{r.said.consent_basis} by {r.said.consent_by}"),
        "principals": counted(lambda r: r.said.principal),
        "answered_by": counted(
            lambda r: " ".join(r.said.adapter if r.said.adapter[0] else r.said.model) or "not known"
        ),
        "policy_digests": counted(lambda r: r.said.policy_digest),
        "found": dict(sorted(sum((Counter(r.said.entity_counts) for r in used), Counter[str]()).items())),
        "split_by": f"SHA-256 of the text: {TEST_PERCENT} % test, {DEV_PERCENT} % dev",
        "sha256": digests,
    }


_TEMPLATE: Final = """# Training set made of feedback

Made by `finslm feedback build`. Texts are redacted; nothing that is here restores them. Each row has the id of its
record: when a record is erased, its row has to leave this folder and the adapter to be trained again.

| | |
|---|---|
{lines}
"""


def _card(facts: dict[str, Any]) -> str:
    def cell(value: Any) -> str:
        if isinstance(value, dict):
            return ", ".join(f"{name}: {each}" for name, each in value.items()) or "none"
        return " to ".join(value) if isinstance(value, list) else str(value)

    rows = ((name.replace("_", " "), cell(value).replace("|", "\\|")) for name, value in facts.items())
    lines = (f"| {name} | {value} |" for name, value in rows)
    return _TEMPLATE.format(lines="\n".join(lines))
