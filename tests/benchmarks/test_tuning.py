"""The ways to tune that are compared: each trains what it says, and pools as it says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.scaling.tasks import Task
from benchmarks.tuning import __main__ as command
from benchmarks.tuning.__main__ import measured, table
from benchmarks.tuning.ways import DECODER, ENCODER, PooledClassifier, Way, tune, ways
from finslm.evaluate.datasets import Example
from redaction.ner.weights import default_models_dir

WORDS = ("rates", "loans", "bonds", "cards")


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A seeded encoder and decoder of one layer, with the tokenizers of those that are compared."""
    from transformers import AutoTokenizer, BertConfig, BertModel, LlamaConfig, LlamaModel

    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    folders = {}
    for name, config, kind in ((ENCODER, BertConfig, BertModel), (DECODER, LlamaConfig, LlamaModel)):
        folders[name] = tmp_path_factory.mktemp("base")
        tokenizer = AutoTokenizer.from_pretrained(str(default_models_dir() / name))
        torch.manual_seed(0)
        model = kind(config(vocab_size=len(tokenizer), **sizes))
        (model if name == ENCODER else model.to(torch.bfloat16)).save_pretrained(folders[name])
        tokenizer.save_pretrained(folders[name])
    return folders


@pytest.fixture
def task() -> Task:
    rows = [Example(f"{WORDS[n % 4]} went {('up', 'down')[n % 2]} {n}", ("rose", "fell")[n % 2]) for n in range(40)]
    return Task("toy", ("fell", "rose"), rows[:30], rows[30:], epochs=2)


@pytest.mark.parametrize("way", [*ways()], ids=str)
def test_each_way_trains_what_it_says(way: Way, bases: dict[str, Path], task: Task) -> None:
    """And the rest of the base is as it was."""
    torch.set_num_threads(1)
    row = measured(way, bases[way.base], task)
    assert row["rate"] in way.rates
    assert row["test"]["rows"] == 10
    assert way.trained in table({"rows": [row], "baselines": {"toy, 30": task.baseline().as_dict()}})
    tuned = tune(way, bases[way.base], task, way.rates[0], 7)
    untuned = tune(way, bases[way.base], Task("toy", task.labels, task.train, [], epochs=0), way.rates[0], 7)
    changed = {
        name
        for (name, after), before in zip(tuned.model.named_parameters(), untuned.model.parameters(), strict=True)
        if not torch.equal(after, before)
    }
    trained = {name for name, p in tuned.model.named_parameters() if p.requires_grad}
    assert changed <= trained
    assert any("score" in name for name in changed)
    if way.rank is None:
        assert tuned.parameters == sum(p.numel() for p in tuned.model.parameters())
        assert any("embed" in name for name in changed)
    elif way.rank == 0:
        assert not any("backbone" in name for name in trained)
    else:
        assert all("lora_" in name or "score" in name for name in trained)
        linear = [
            n for n, m in untuned.model.named_modules() if isinstance(m, torch.nn.Linear) and n.endswith("base_layer")
        ]
        assert sum("lora_B" in name for name in trained) == len(linear) > 5


@pytest.mark.parametrize(("pooling", "bidirectional"), [("first", True), ("last", False), ("mean", False)])
def test_padding_changes_nothing(pooling: str, bidirectional: bool, bases: dict[str, Path]) -> None:  # noqa: FBT001
    """A text alone is read as it is beside a longer one."""
    from finslm.engine import bases as loading

    base = ENCODER if bidirectional else DECODER
    way = Way(base, None, pooling, bidirectional)  # type: ignore[arg-type]
    model = PooledClassifier(loading.backbone(bases[base]), 2, way).float().eval()
    ids = torch.tensor([[5, 6, 7, 0, 0], [8, 9, 10, 11, 12]])
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    together, alone = model.pooled(ids, mask)[0], model.pooled(ids[:1, :3], mask[:1, :3])[0]
    assert torch.allclose(together, alone, atol=1e-5)
    wanted = {"first": 0, "last": 2}.get(pooling)
    hidden = model.hidden(ids[:1, :3], mask[:1, :3])[0]
    assert torch.allclose(alone, hidden.mean(0) if wanted is None else hidden[wanted], atol=1e-5)


def test_a_rerun_takes_what_was_asked_alike(
    bases: dict[str, Path], task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line of other passes over the rows is neither shown nor taken for one of these."""
    torch.set_num_threads(1)
    monkeypatch.setattr(command, "tasks", lambda *_, **__: [task])
    way, file = next(ways()), tmp_path / "ways.jsonl"
    of_others, alike = (measured(way, bases[way.base], replace(task, epochs=epochs)) for epochs in (1, 2))
    file.write_text(json.dumps(of_others) + "\n")
    assert command.run(tmp_path, file, 0.0, short=False)["rows"] == []
    file.write_text(json.dumps(of_others) + "\n" + json.dumps(alike) + "\n")
    assert command.run(tmp_path, file, 0.0, short=False)["rows"] == [alike]
