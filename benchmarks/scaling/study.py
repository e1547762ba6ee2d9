"""The study: every size sees the same tokens in the same order, and is tuned on the same rows."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks import machine
from benchmarks.scaling.tasks import Task, tune
from finslm.train.pretraining import heldout
from finslm.train.pretraining.loop import Loop
from finslm.train.pretraining.network import new_network, read_network
from finslm.train.pretraining.prepare import prepare, read_corpus, read_tokenizer
from finslm.train.pretraining.presets import PRESETS
from finslm.train.pretraining.recipe import PretrainRecipe
from finslm.train.pretraining.tokenizing import token_stream

TRIAL_STEPS = 3
"""Steps after which is guessed how long the rest will take."""


class OutOfTime(Exception):
    """The rest of the run would take longer than there is time."""


@dataclass
class Study:
    """Runs, and writes what it knows after each."""

    recipe: PretrainRecipe
    """Its preset is replaced by each size in turn."""
    data: Path
    work: Path
    """Folder of packed documents, checkpoints."""
    tasks: Sequence[Task]
    file: Path
    seconds: float = 3600.0
    """A size that would not be done by then is not begun in earnest; what is begun ends."""
    result: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.until = time.monotonic() + self.seconds
        self.packed = prepare(self.recipe, self.data, None, self.work / "packed", note=lambda _: None)
        self.tokenizer = read_tokenizer(self.work / "packed")
        how = self.recipe.training
        self.result = {
            "budget": {"tokens": how.tokens, "window": how.window, "tokens_a_step": how.window * how.batch_windows},
            "corpus": self.packed.facts,
            "machine": machine.facts() | {"threads": torch.get_num_threads()},
            "baselines": {task.name: task.baseline().as_dict() for task in self.tasks},
            "training_rows": {task.name: len(task.train) for task in self.tasks},
            "epochs": {task.name: task.epochs for task in self.tasks},
            "rows": [],
        }
        self.write()

    def write(self) -> None:
        """What is known so far."""
        self.file.write_text(json.dumps(self.result, indent=2) + "\n", "utf-8")

    def size(self, name: str) -> None:
        """Pretrain one size; tune it, and a random network of the same size."""
        row: dict[str, Any] = {"preset": name, "parameters": PRESETS[name].parameters(self.packed.facts["vocabulary"])}
        self.result["rows"].append(row)
        try:
            loop = self._pretrain(name)
        except OutOfTime as error:
            row["not_run"] = str(error)
        else:
            row |= _figures(loop)
            weights = {name: values.clone() for name, values in loop.network.model.state_dict().items()}
            self.write()
            for task in self.tasks:
                self._tune(name, task, weights, row["tasks"])
        self.write()

    def _pretrain(self, name: str) -> Loop:
        recipe = self.recipe.model_copy(update={"preset": name, "name": f"scaling-{name}"})
        end = self.tokenizer.eos_token_id
        loop = Loop(self._random(name), self.packed, recipe, self.work, end=end, checkpoint_s=1e9)
        loop.run(lambda step, steps, loss: self._in_time(loop, step, steps, loss))
        return loop

    def _tune(self, name: str, task: Task, weights: Mapping[str, Tensor], found: dict[str, Any]) -> None:
        """From what was pretrained, and from the same network as it was before."""
        found[task.name] = {}
        for start in ("pretrained", "random"):
            backbone = self._random(name).model
            if start == "pretrained":
                backbone.load_state_dict(weights)
            rate = PRESETS[name].learning_rate / 2
            scores = tune(backbone, self.tokenizer, task, rate=rate, seed=self.recipe.seed)
            found[task.name][start] = scores.as_dict()
            print(f"{name} {task.name} {start}: {scores.accuracy:.4f}", flush=True)
            self.write()

    def reference(self, name: str, folder: Path, batch_windows: int = 4) -> None:
        """Score a model that is there already on the same held-out documents, with its own tokenizer."""
        from finslm.engine import bases

        corpus, _ = read_corpus(self.recipe, self.data)
        tokenizer: Any = bases.tokenizer(folder)
        network = read_network(folder, torch.bfloat16)
        stream = token_stream(tokenizer, corpus.held_out)
        found = heldout.score(
            network,
            stream,
            text_bytes=self.packed.facts["held_out_bytes"],
            window=self.recipe.training.window,
            batch_windows=batch_windows,
            apart=None,
            precision=self.recipe.training.precision,
        )
        parameters = sum(p.numel() for p in network.parameters())
        self.result["reference"] = {"name": name, "parameters": parameters, **found.as_dict()}
        self.write()

    def _random(self, name: str) -> Any:
        return new_network(name, self.packed.facts["vocabulary"], self.recipe.training.window, self.recipe.seed)

    def _in_time(self, loop: Loop, step: int, steps: int, loss: float) -> None:
        if step % 25 == 0:
            print(f"{step}/{steps} loss {loss:.3f} {loop.tokens / loop.seconds:.0f} tokens/s", flush=True)
        need = loop.seconds / step * (steps - step)
        if step == TRIAL_STEPS and time.monotonic() + need > self.until:
            raise OutOfTime(f"not run: about {(need + loop.seconds) / 60:.0f} minutes were needed")


def _figures(loop: Loop) -> dict[str, Any]:
    return {
        "tokens": loop.tokens,
        "seconds": round(loop.seconds, 1),
        "tokens_a_second": round(loop.tokens / loop.seconds, 1),
        "before": loop.evaluations[0],
        "held_out": loop.evaluations[-1],
        "tasks": {},
    }
