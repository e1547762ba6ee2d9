"""An export gives the answers of the original, or there is none."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, BertConfig, BertModel

from finslm.engine import bases
from finslm.engine.adapters import AdapterCard, weights_sha256
from finslm.engine.classifier import SequenceClassifier
from finslm.errors import ConfigError
from finslm.export import agreement, llama_cpp
from finslm.export.agreement import compare, write
from finslm.export.original import Original
from finslm.export.run import EXPORT_FILE, Exported, export
from finslm.models.digest import folder_digest, sha256_file
from finslm.models.registry import InstalledModel
from finslm.testing import write_tiny_model
from finslm.types import ModelIdentity

LABELS = ("alpha", "beta", "gamma")
PROBES = ("Where is my card?", "I paid 12.50 EUR twice")
DECODER = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ENCODER = ["query", "key", "value", "dense"]

Make = Callable[..., Exported]


def write_tiny_encoder(folder: Path) -> Path:
    """A random BERT with a WordPiece tokenizer of letters."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertTokenizerFast

    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,?!"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters), "card", "twice"]
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=True).save(str(folder / "tokenizer.json"))
    BertTokenizerFast(str(folder / "vocab.txt"), tokenizer_file=str(folder / "tokenizer.json")).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        config = BertConfig(
            vocab_size=len(words), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
            max_position_embeddings=64, initializer_range=0.2,
        )  # fmt: skip
        BertModel(config).save_pretrained(folder)
    return folder


def write_tiny_decoder(folder: Path) -> Path:
    """The tiny Llama, with one merge in its tokenizer: GGUF wants some."""
    write_tiny_model(folder)
    tree = json.loads((folder / "tokenizer.json").read_text())
    vocab = tree["model"]["vocab"]
    vocab["ar"] = vocab.pop("\u0100")
    tree["model"]["merges"] = [["a", "r"]]
    (folder / "tokenizer.json").write_text(json.dumps(tree))
    return folder


def write_classifier(folder: Path, base: Path, targets: list[str], **card: Any) -> Path:
    """An adapter with a head, all of it random."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        backbone = bases.backbone(base).float()
        config = LoraConfig(r=4, target_modules=targets, modules_to_save=["score"], init_lora_weights=False)
        module = SequenceClassifier(backbone, len(LABELS), bidirectional=card["bidirectional"])
        wrapped = get_peft_model(module, config)
        torch.nn.init.normal_(module.score.modules_to_save["default"].weight, std=1.0)
    wrapped.save_pretrained(str(folder), save_embedding_layers=False)
    AdapterCard(name="toy", base_model="tiny", base_weights_sha256=weights_sha256(base), task="toy", labels=LABELS,
                temperature=1.5, max_tokens=48, **card).write(folder)  # fmt: skip
    return folder


def write_writer(folder: Path, base: Path) -> Path:
    config = LoraConfig(r=4, target_modules=DECODER, init_lora_weights=False, task_type="CAUSAL_LM")
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.manual_seed(6)
        get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(str(folder))
    AdapterCard(name="toy", base_model="tiny", base_weights_sha256=weights_sha256(base), task="toy", labels=(),
                bidirectional=False, temperature=1.0, max_tokens=48).write(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def sorts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Base and adapter of each sort."""
    home = tmp_path_factory.mktemp("sorts")
    decoder, encoder = write_tiny_decoder(home / "decoder"), write_tiny_encoder(home / "encoder")
    return {
        "forward": (decoder, write_classifier(home / "a", decoder, DECODER, bidirectional=False)),
        "both ways": (decoder, write_classifier(home / "b", decoder, DECODER, bidirectional=True, pooled_length=4.0)),
        "encoder": (encoder, write_classifier(home / "c", encoder, ENCODER, bidirectional=True, pooled_length=4.0)),
        "writes": (decoder, write_writer(home / "d", decoder)),
    }


@pytest.fixture
def make(sorts: dict[str, tuple[Path, Path]], tmp_path: Path) -> Make:
    def run(sort: str, form: Any, **more: Any) -> Exported:
        base, adapter = (
            InstalledModel(path, ModelIdentity(name, digit * 64), kind, "MIT", "ours", 0)
            for path, name, digit, kind in zip(
                sorts[sort], ("tiny", "toy"), "12", ("causal-lm", "adapter"), strict=True
            )
        )
        return export(base, adapter, tmp_path / "out", form=form, **{"probes": PROBES} | more)

    return run


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """So small networks gain nothing by more, and lose much where the processors are busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("sort", "form"),
    [
        ("forward", "safetensors"),
        ("forward", "gguf"),
        ("both ways", "gguf"),
        ("both ways", "openvino"),
        ("encoder", "safetensors"),
        ("encoder", "gguf"),
        ("encoder", "openvino"),
        ("writes", "safetensors"),
        ("writes", "gguf"),
        ("writes", "openvino"),
    ],
)
def test_every_format_of_every_sort_agrees_and_says_what_it_is(make: Make, sort: str, form: str) -> None:
    if sort == "encoder" and form == "gguf" and not llama_cpp.installed():
        with pytest.raises(ConfigError, match=r"only be checked by llama.cpp itself"):
            make(sort, form)
        return
    done = make(sort, form)
    for found in done.agreements:
        assert found.same_answers == found.probes == len(PROBES)
        assert found.largest_difference < found.tolerance / 2
    tree = json.loads((done.folder / EXPORT_FILE).read_text())
    assert tree["adapter"]["digest"] == "2" * 64
    assert tree["card"]["labels"] == ([] if sort == "writes" else list(LABELS))
    files = {name: sha256_file(done.folder / name) for name in tree["files"]}
    assert folder_digest(files) == tree["digest"] == done.digest
    assert {path.name for path in done.folder.iterdir()} == {*files, EXPORT_FILE}


def test_float32_is_the_original_to_the_last_digits(make: Make) -> None:
    (found,) = make("both ways", "safetensors", dtype="float32").agreements
    assert found.largest_difference < 1e-5


def test_an_export_that_answers_otherwise_is_not_written(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Original, "merged", lambda self: self.module.unload())  # the adapter is forgotten
    for sort, form in (("both ways", "safetensors"), ("writes", "gguf")):
        with pytest.raises(ConfigError, match="does not agree with the original"):
            make(sort, form)
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_not_written_over(make: Make, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(ConfigError, match="there already"):
        make("forward", "safetensors")


def test_not_a_number_does_not_agree() -> None:
    good, bad = np.array([0.6, 0.4], np.float32), np.array([np.nan, 0.4], np.float32)
    with pytest.raises(ConfigError, match="does not agree"):
        compare("test", [good], [bad])
    with pytest.raises(ConfigError, match="0 of 1"):
        compare("test", [np.array([0.501, 0.499], np.float32)], [np.array([0.499, 0.501], np.float32)])


def test_the_probes_are_many_and_different() -> None:
    assert len({*agreement.PROBES}) == len(agreement.PROBES) >= 12


def test_the_reference_is_what_is_served(sorts: dict[str, tuple[Path, Path]]) -> None:
    """The original here and the engine's own network in float32 give the same probabilities."""
    from finslm.engine.ov_encoder import OpenVinoEncoder

    base, folder = sorts["encoder"]
    original = Original.load(base, folder)
    rows = original.rows(PROBES)
    served = OpenVinoEncoder(base, threads=1, quantised=False)
    served.adopt(served.prepare("k", folder))
    for ids, scores in zip(rows, served.classify([("k", row) for row in rows]), strict=True):
        by_label = {score.label: score.score for score in scores}
        expected = original.answers()(ids)
        assert [by_label[label] for label in LABELS] == pytest.approx(expected.tolist(), abs=1e-4)


def test_greedy_writing_goes_on_from_what_it_wrote(sorts: dict[str, tuple[Path, Path]]) -> None:
    original = Original.load(*sorts["writes"])
    tokens, first = write(original.answers(), original.rows(PROBES)[0])
    assert len(tokens) == agreement.GREEDY_TOKENS
    assert first.sum() == pytest.approx(1, abs=1e-5)
