"""What does differential privacy cost? ``python -m benchmarks.privacy --data FOLDER [--epsilons inf,8,3,1] [--record]``

The recipe ``sentiment-private`` (financial tweets on the small encoder) at each epsilon, and without (``inf``), on the
same redacted rows: accuracy and macro F1 on the published test rows, and how well an attacker who has the adapter
tells rows that it was trained on. The noise comes from the seed, so that the figures can be made again. The layers
below those that the recipe tunes are the same for all, and are computed once.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.machine import facts
from finslm.engine import bases
from finslm.engine.classifier import pad
from finslm.evaluate.data import SPLITS, Dataset, load
from finslm.evaluate.metrics import score
from finslm.models.registry import Registry
from finslm.train import recipe as recipes
from finslm.train.finetune import Run
from finslm.train.privacy.audit import audit
from finslm.train.recipe import PrivacyRecipe, Recipe
from finslm.train.redacted import redact
from redaction import Redactor
from redaction.ner.weights import default_models_dir

RECIPE = "sentiment-private"
RESULTS = Path(__file__).parent / "results" / "privacy.json"


def at(recipe: Recipe, epsilon: float) -> Recipe:
    """The recipe at this epsilon."""
    assert recipe.privacy is not None
    private = recipe.privacy.model_copy(update={"epsilon": epsilon, "noise": "seeded"})
    return recipe.model_copy(update={"privacy": None if math.isinf(epsilon) else PrivacyRecipe(**dict(private))})


def drawn(dataset: Dataset, train: int | None, test: int | None) -> Dataset:
    """Some of the rows, by a seed."""
    chance, dropped = random.Random(0), {}
    for split, count in (("train", train), ("test", test)):
        rows = range(len(getattr(dataset, split)))
        dropped[split] = frozenset(rows) - frozenset(chance.sample(rows, min(count or len(rows), len(rows))))
    return dataset.without(dropped)


class Below(nn.Module):
    """What the frozen layers make of each text: kept, and given in the place of the embeddings."""

    def __init__(self, pad_id: int) -> None:
        super().__init__()
        self._pad_id = pad_id
        self._kept: dict[tuple[int, ...], Tensor] = {}

    @torch.no_grad()
    def fill(self, backbone: Any, first: int, rows: Sequence[list[int]]) -> None:
        """Compute the layers below ``first``; those above are taken off."""
        backbone.encoder.layer = backbone.encoder.layer[:first]
        rows = sorted({tuple(row) for row in rows} - self._kept.keys(), key=len)
        for start in range(0, len(rows), 64):
            chosen = rows[start : start + 64]
            ids, mask = pad(list(map(list, chosen)), self._pad_id)
            hidden = backbone(input_ids=ids, attention_mask=mask).last_hidden_state
            self._kept |= {row: hidden[i, : len(row)].clone() for i, row in enumerate(chosen)}
            print(f"\rfrozen layers {start + len(chosen)}/{len(rows)}", end="", file=sys.stderr, flush=True)

    def forward(self, input_ids: Tensor, **_: Any) -> Tensor:
        """[B, T, hidden]."""
        rows = [tuple(i for i in row if i != self._pad_id) for row in input_ids.tolist()]
        return nn.utils.rnn.pad_sequence([self._kept[row] for row in rows], batch_first=True)

    def put_under(self, run: Run) -> None:
        """Take the frozen layers out of a run's model."""
        assert run.recipe.lora.layers
        backbone = run.model.base_model.model.backbone
        first = min(run.recipe.lora.layers)
        backbone.embeddings, backbone.encoder.layer = self, nn.ModuleList(backbone.encoder.layer[first:])
        backbone.config.num_hidden_layers -= first


def measured(recipe: Recipe, dataset: Dataset, base: Path, out: Path, below: Below) -> dict[str, Any]:
    """Figures of one training."""
    run = Run(recipe, dataset, base, out)
    below.fill(
        bases.backbone(base).eval(), min(recipe.lora.layers or (0,)), [ids for s in SPLITS for ids, _ in run.rows[s]]
    )
    below.put_under(run)
    begun = time.perf_counter()
    run.train(lambda step, steps, loss: print(f"\r{step}/{steps} loss {loss:.3f}", end="", file=sys.stderr, flush=True))
    seconds = time.perf_counter() - begun
    logits, truth = run.logits("test")
    test = torch.softmax(logits.double(), dim=-1).numpy()
    attack = audit(run, lambda *_: None, with_twin=False, resume=False).threshold
    scores = score(test.argmax(1), truth.numpy(), test)
    plan = {} if run.plan is None else run.plan.as_dict()
    return {
        "epsilon": plan.get("epsilon"),
        **{name: plan.get(name) for name in ("delta", "noise_multiplier", "sample_rate", "steps")},
        **{name: round(getattr(scores, name), 4) for name in ("accuracy", "accuracy_low", "accuracy_high", "macro_f1")},
        "membership_auc": [round(each, 3) for each in (attack.auc, attack.auc_low, attack.auc_high)],
        "found_at_1_percent": round(attack.found_at_1_percent, 4),
        "training_s": round(seconds),
        "history": run.history,
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with tfns")
    parser.add_argument("--epsilons", default="inf,8,3,1", help="inf: without")
    parser.add_argument("--rows", type=int, help="so many training rows, drawn; all if not given")
    parser.add_argument("--test-rows", type=int, help="so many test rows, drawn; all if not given")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cache", type=Path, help="folder to keep redacted texts in")
    parser.add_argument("--record", action="store_true", help=f"write {RESULTS.name}, anew after each epsilon")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    recipe = recipes.read(RECIPE)
    base = Registry(default_models_dir()).resolve(recipe.base_model).path
    result: dict[str, Any] = {"benchmark": "privacy", "recipe": RECIPE, "machine": facts(), "runs": []}
    with TemporaryDirectory() as folder:
        dataset, redaction = redact(
            load(recipe.data, chosen.data, recipe.seed),
            Redactor.from_policy(None, budget_s=60),
            chosen.cache or Path(folder),
        )
        dataset = drawn(dataset, chosen.rows, chosen.test_rows)
        result |= {"threads": chosen.threads, "train_rows": len(dataset.train), "test_rows": len(dataset.test)}
        result["redaction"] = redaction.as_dict()
        below = Below(bases.tokenizer(base).pad_token_id)
        for number, epsilon in enumerate(map(float, chosen.epsilons.split(","))):
            found = measured(at(recipe, epsilon), dataset, base, Path(folder) / str(number), below)
            result["runs"].append(found)
            if chosen.record:
                RESULTS.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
