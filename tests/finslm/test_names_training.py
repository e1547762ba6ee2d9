"""Training, narrowing and export of the name classifier, on a tiny encoder of random weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from finslm.train.names import export, fit, narrow
from finslm.train.names.model import LABELS, NameTagger, Shape, restored
from finslm.train.names.sample import Sample
from finslm.train.names.serving import Serving
from finslm.train.names.shards import Row, load, rows, save
from redaction.ner.names import Names
from redaction.ner.weights import shipped_models_dir

SHAPE = Shape(layers=2, neurons=16, heads=4)
SAMPLES = [
    Sample("I am Ann Lee from Leeds.", ((5, 12, "PERSON"), (18, 23, "LOCATION"))),
    Sample("no one is here", ()),
    Sample("Call Omar Haddad", ((5, 16, "PERSON"),)),
] * 1200


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(1)
    config = BertConfig(
        hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=24, max_position_embeddings=512
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    shutil.copyfile(shipped_models_dir() / "finance-names" / "tokenizer.json", folder / "tokenizer.json")
    return folder


@pytest.fixture(scope="module")
def tokenizer(base: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@pytest.fixture(scope="module")
def shard(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("shards") / "shard-000.npz"
    save(file, list(rows(tokenizer, SAMPLES, longest=158)))
    return file


@pytest.fixture(scope="module")
def trained(base: Path, shard: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    arguments = ["--base", base, "--shards", shard.parent, "--count", 1, "--out", out, "--layers", 2, "--neurons", 16]
    fit.main([str(part) for part in (*arguments, "--heads", 4, "--peak", 0.02)])
    return out


@pytest.fixture
def inputs(shard: Path, tokenizer: Tokenizer) -> tuple[torch.Tensor, ...]:
    return fit.tensors(load(shard)[:3], fit.marks_of(tokenizer))


def test_rows_come_back_from_their_file(shard: Path, tokenizer: Tokenizer) -> None:
    again = load(shard)
    assert len(again) == len(SAMPLES)
    for one, other in zip(again, rows(tokenizer, SAMPLES, longest=158), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_labels_begin_and_go_on_and_what_is_not_learned_is_ignored(tokenizer: Tokenizer) -> None:
    (row,) = rows(tokenizer, [Sample("by Ann Lee ok", ((3, 10, "PERSON"), (11, 13, "UNKNOWN")))], longest=158)
    said = [LABELS[label] if label >= 0 else "ignored" for label in row.labels]
    assert said == ["O", "B-PERSON", "I-PERSON", "ignored"]


def test_a_long_text_is_cut_into_rows(tokenizer: Tokenizer) -> None:
    made = list(rows(tokenizer, [Sample("word " * 50, ())], longest=20))
    assert [len(row.ids) for row in made] == [20, 20, 10]
    assert isinstance(made[0], Row)


def test_training_lowers_the_loss(base: Path, trained: Path, inputs: tuple[torch.Tensor, ...]) -> None:
    def loss(model: NameTagger) -> float:
        with torch.no_grad():
            scores = model.eval()(*inputs[:3])
        return float(torch.nn.functional.cross_entropy(scores.flatten(0, 1), inputs[3].flatten(), ignore_index=-100))

    torch.manual_seed(1)
    assert loss(restored(base, trained)[0]) < 0.8 * loss(NameTagger(base, SHAPE))


def test_what_serves_answers_as_what_was_trained(base: Path, trained: Path, inputs: tuple[torch.Tensor, ...]) -> None:
    model = restored(base, trained)[0].eval()
    seen = inputs[2].bool()
    with torch.no_grad():
        assert torch.allclose(Serving(model).eval()(*inputs[:3])[seen], model(*inputs[:3])[seen], atol=1e-4)


def test_narrowed_it_is_smaller_learns_from_its_teacher_and_serves(
    base: Path, trained: Path, shard: Path, inputs: tuple[torch.Tensor, ...], tmp_path: Path
) -> None:
    arguments = ["--base", base, "--trained", trained, "--shard", shard, "--heads", 2, "--neurons", 6]
    narrow.main([str(part) for part in (*arguments, "--out", tmp_path / "narrow")])
    model, shape = restored(base, tmp_path / "narrow")
    assert shape == Shape(layers=2, neurons=6, heads=2)
    assert [tuple(inner.weight.shape) for inner, _ in model.feed_forward()] == [(6, 32)] * 2
    assert [tuple(attention.self.key.weight.shape) for attention in model.attentions()] == [(16, 32)] * 2
    teach = ["--base", base, "--shards", shard.parent, "--count", 1, "--start", tmp_path / "narrow"]
    fit.main([str(part) for part in (*teach, "--teacher", trained, "--out", tmp_path / "taught", "--peak", 0.02)])
    taught = restored(base, tmp_path / "taught")[0].eval()
    with torch.no_grad():
        assert torch.allclose(Serving(taught).eval()(*inputs[:3]), taught(*inputs[:3]), atol=1e-4)


@pytest.mark.filterwarnings("ignore:You are using the legacy TorchScript-based ONNX export:DeprecationWarning")
def test_the_exported_files_load_in_the_redactor_and_answer_nearly_as_before(
    base: Path, trained: Path, shard: Path, inputs: tuple[torch.Tensor, ...], tmp_path: Path
) -> None:
    export.main([str(p) for p in ("--base", base, "--trained", trained, "--shard", shard, "--out", tmp_path / "out")])
    session = onnxruntime.InferenceSession(str(tmp_path / "out" / "model.onnx"), providers=["CPUExecutionProvider"])
    feed = {name: part.numpy() for name, part in zip(("ids", "features", "mask"), inputs, strict=False)}
    with torch.no_grad():
        exact = restored(base, trained)[0].eval()(*inputs[:3]).softmax(-1)
    rounded = torch.from_numpy(session.run(None, feed)[0]).softmax(-1)
    seen = inputs[2].bool()
    assert float((rounded - exact)[seen].abs().max()) < 0.1
    assert isinstance(Names(tmp_path / "out").detect("I am Ann Lee."), list)
