"""The second base: adapters on an encoder, beside those on the decoder, through both ways to compute."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from finslm.config import EngineSettings
from finslm.engine.adapters import AdapterCard, check_partner, fingerprint, weights_sha256
from finslm.engine.loading import load_encoder
from finslm.engine.local import LocalEngine
from finslm.engine.ov_encoder import OpenVinoEncoder
from finslm.engine.partner import Partner
from finslm.errors import ConfigError, InvalidRequest, PromptTooLong, UnknownAdapter
from finslm.types import LabelScore, Message, ModelIdentity, Prompt, SamplingParams
from redaction.text import RedactedText

LABELS = ("left", "right", "up", "down")
POSITIONS = 64
WORDS = "the card did not arrive and my transfer of to is late why please close account money bank".split()


@pytest.fixture(scope="module")
def encoder_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of random weights and a WordPiece tokenizer of a few words and all letters."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("encoder")
    letters = [chr(c) for c in range(33, 127) if not chr(c).isupper()]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *letters, *(f"##{letter}" for letter in letters)]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(words), hidden_size=48, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96,
        max_position_embeddings=POSITIONS,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(5)
        BertModel(config).save_pretrained(folder)
    return folder


def write_adapter(encoder_dir: Path, folder: Path, seed: int, **card: object) -> Path:
    """A LoRA adapter and a head with random weights that are strong enough to matter."""
    from peft import LoraConfig, get_peft_model

    from finslm.engine import bases
    from finslm.engine.classifier import SequenceClassifier

    values = {"labels": LABELS, "pooled_length": 5.0, "max_tokens": 48, "temperature": 1.3, "long_texts": "refuse"}
    values |= card
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = SequenceClassifier(
            bases.backbone(encoder_dir),
            len(values["labels"]),
            bidirectional=True,
            pooled_length=values["pooled_length"],
        )
        wrapped = get_peft_model(
            module,
            LoraConfig(r=8, lora_alpha=16, target_modules=["query", "key", "value", "dense"], modules_to_save=["score"],
                       init_lora_weights=False),
        )  # fmt: skip
        torch.nn.init.normal_(module.score.modules_to_save["default"].weight, std=0.3)
    wrapped.save_pretrained(str(folder))
    AdapterCard(
        name=f"on-encoder-{seed}", base_model="encoder", base_weights_sha256=weights_sha256(encoder_dir), task="toy",
        bidirectional=True, **values,
    ).write(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def pair(encoder_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [
        write_adapter(encoder_dir, tmp_path_factory.mktemp("a"), 1),
        write_adapter(encoder_dir, tmp_path_factory.mktemp("b"), 2, pooled_length=None, long_texts="cut"),
    ]


def rows(seed: int, count: int, longest: int) -> list[list[int]]:
    drawn = np.random.default_rng(seed)
    return [[2, *drawn.integers(5, 90, drawn.integers(1, longest - 2)).tolist(), 3] for _ in range(count)]


def numbers(scores: Sequence[LabelScore]) -> list[float]:
    return [score for _, score in sorted((each.label, each.score) for each in scores)]


def made(encoder_dir: Path, pair: list[Path], runner: str, weights: str = "float32"):
    encoder = load_encoder(encoder_dir, EngineSettings.model_validate({"runner": runner, "weights": weights}), 1)
    for key, folder in zip("ab", pair, strict=True):
        encoder.adopt(encoder.prepare(key, folder))
    return encoder


class TestNumbers:
    def test_both_ways_give_the_same_whoever_shares_the_batch(self, encoder_dir: Path, pair: list[Path]) -> None:
        """Two adapters and forty lengths in one call; each alone on the other runner."""
        jobs = [("ab"[n % 2], row) for n, row in enumerate(rows(0, 40, 60))]
        together = made(encoder_dir, pair, "openvino").classify(jobs)
        other = made(encoder_dir, pair, "torch")
        for job, scores in zip(jobs, together, strict=True):
            alone = other.classify([job])[0]
            assert numbers(scores) == pytest.approx(numbers(alone), abs=2e-4)
            assert [s.score for s in scores] == sorted((s.score for s in scores), reverse=True)
        assert len({round(numbers(scores)[0], 3) for scores in together}) > 30  # else nothing was compared

    def test_they_are_those_of_transformers_with_the_matrices_added(self, encoder_dir: Path, pair: list[Path]) -> None:
        """Written out: W + scale B A, mean of the last hidden states, brought to a length, head, temperature."""
        from transformers import AutoModel

        row = rows(1, 1, 40)[0]
        card, saved = AdapterCard.read(pair[0]), load_file(pair[0] / "adapter_model.safetensors")
        backbone = AutoModel.from_pretrained(encoder_dir).eval()
        with torch.inference_mode():
            plain = backbone(torch.tensor([row])).last_hidden_state[0].mean(0).numpy()
            for name, module in backbone.named_modules():
                down, up = (saved.get(f"base_model.model.backbone.{name}.lora_{half}.weight") for half in "AB")
                if down is not None:
                    module.weight += torch.tensor(16 / 8 * up @ down)
            pooled = backbone(torch.tensor([row])).last_hidden_state[0].mean(0).numpy()
        assert not np.allclose(pooled, plain, atol=0.1)  # else the adapter would not matter
        pooled *= card.pooled_length / np.linalg.norm(pooled)
        weight, bias = (next(v for k, v in saved.items() if k.endswith(f"score.{end}")) for end in ("weight", "bias"))
        logits = (weight @ pooled + bias) / card.temperature
        expected = np.exp(logits) / np.exp(logits).sum()
        got = {s.label: s.score for s in made(encoder_dir, pair, "openvino").classify([("a", row)])[0]}
        assert [got[label] for label in LABELS] == pytest.approx(expected.tolist(), abs=2e-4)

    def test_eight_bits_are_near(self, encoder_dir: Path, pair: list[Path]) -> None:
        jobs = [("a", row) for row in rows(2, 30, 60)]
        exact, near = (made(encoder_dir, pair, "openvino", w).classify(jobs) for w in ("float32", "int8"))
        gaps = [
            abs(a - b) for x, y in zip(exact, near, strict=True) for a, b in zip(numbers(x), numbers(y), strict=True)
        ]
        assert 0 < max(gaps) < 0.06

    def test_forgotten_is_gone(self, encoder_dir: Path, pair: list[Path], runner: str) -> None:
        encoder = made(encoder_dir, pair, runner)
        encoder.forget("a")
        with pytest.raises(KeyError):
            encoder.classify([("a", [2, 7, 3])])
        assert encoder.classify([("b", [2, 7, 3])])


class TestRefusals:
    @pytest.mark.parametrize("change", [{"model_type": "roberta"}, {"hidden_act": "relu"}, {"hidden_size": 64}])
    def test_another_network_is_not_taken_for_one_it_can_compute(
        self, encoder_dir: Path, tmp_path: Path, change: dict[str, object]
    ) -> None:
        shutil.copytree(encoder_dir, tmp_path / "e")
        config = json.loads((encoder_dir / "config.json").read_text()) | change
        (tmp_path / "e" / "config.json").write_text(json.dumps(config))
        with pytest.raises(ConfigError, match="only plain BERT|config.json says|no usable"):
            OpenVinoEncoder(tmp_path / "e", threads=1)

    def test_an_adapter_that_wants_more_than_the_base_has(self, encoder_dir: Path, tmp_path: Path, runner: str) -> None:
        folder = write_adapter(encoder_dir, tmp_path, 3, max_tokens=POSITIONS + 1)
        encoder = load_encoder(encoder_dir, EngineSettings.model_validate({"runner": runner, "weights": "float32"}), 1)
        with pytest.raises(ConfigError, match=f"max_tokens {POSITIONS + 1}"):
            encoder.prepare("k", folder)

    def test_an_adapter_that_writes(self, encoder_dir: Path, pair: list[Path], tmp_path: Path, runner: str) -> None:
        shutil.copytree(pair[0], tmp_path / "w")
        card = json.loads((tmp_path / "w" / "finslm_adapter.json").read_text()) | {"labels": []}
        (tmp_path / "w" / "finslm_adapter.json").write_text(json.dumps(card))
        encoder = load_encoder(encoder_dir, EngineSettings.model_validate({"runner": runner, "weights": "float32"}), 1)
        with pytest.raises(ConfigError, match="labels|writes"):
            encoder.prepare("k", tmp_path / "w")

    @pytest.mark.parametrize("card", [{"long_texts": "drop"}, {"pooled_length": 0.0}, {"pooled_length": float("nan")}])
    def test_a_card_out_of_range(self, pair: list[Path], tmp_path: Path, card: dict[str, object]) -> None:
        shutil.copytree(pair[0], tmp_path / "c")
        read = json.loads((tmp_path / "c" / "finslm_adapter.json").read_text()) | card
        (tmp_path / "c" / "finslm_adapter.json").write_text(json.dumps(read))
        with pytest.raises(ConfigError, match="long_texts|pooled_length"):
            AdapterCard.read(tmp_path / "c")


def prompt(text: str) -> Prompt:
    return Prompt((Message("user", RedactedText(text)),))


class TestInTheEngine:
    @pytest.fixture
    async def engine(
        self, tiny_dir: Path, adapter_dir: Path, encoder_dir: Path, pair: list[Path], runner: str
    ) -> AsyncIterator[LocalEngine]:
        folders = {"toy": adapter_dir, "a": pair[0], "b": pair[1]}
        served = LocalEngine(
            tiny_dir,
            ModelIdentity("tiny", "0" * 64),
            {name: (folder, ModelIdentity(name, str(n) * 64)) for n, (name, folder) in enumerate(folders.items(), 1)},
            EngineSettings.model_validate(
                {"weights": "float32", "threads": 1, "max_context_tokens": 256, "runner": runner}
            ),
            encoder_dir=encoder_dir,
        )
        await served.start()
        yield served
        await served.close()

    async def test_adapters_on_both_bases_answer_side_by_side(
        self, engine: LocalEngine, encoder_dir: Path, pair: list[Path]
    ) -> None:
        """Each by its own base and tokenizer, while the decoder writes."""
        from transformers import AutoTokenizer

        text = "My card did not arrive, why?"
        writing = engine.generate(prompt(text), SamplingParams(max_tokens=20))
        scores, _ = zip(
            *await asyncio.gather(*(engine.classify(prompt(text), n) for n in ("a", "toy", "b"))), strict=True
        )
        assert len([chunk async for chunk in writing]) > 1
        ids = AutoTokenizer.from_pretrained(encoder_dir)(text)["input_ids"]
        for place, key in ((0, "a"), (2, "b")):
            alone = made(encoder_dir, pair, "torch").classify([(key, ids)])[0]
            assert numbers(scores[place]) == pytest.approx(numbers(alone), abs=3e-4)
        assert {s.label for s in scores[1]} == {"alpha", "beta", "gamma"}

    async def test_long_texts_are_refused_or_cut_as_the_card_says(self, engine: LocalEngine) -> None:
        with pytest.raises(PromptTooLong, match="48"):
            await engine.classify(prompt("card " * 60), "a")
        cut, tokens = await engine.classify(prompt("card " * 60), "b")
        assert tokens == 48
        assert numbers(cut) == numbers((await engine.classify(prompt("card " * 46), "b"))[0])

    @pytest.mark.parametrize("mark", ["[SEP]", "[CLS]", "[MASK]", "[PAD]"])
    async def test_no_text_can_pose_as_a_mark(self, engine: LocalEngine, mark: str) -> None:
        """It is read letter by letter, or refused; never as what it poses as."""
        try:
            _, tokens = await engine.classify(prompt(f"card {mark} card"), "a")
        except InvalidRequest:
            return
        assert tokens > 5

    async def test_they_come_and_go_under_traffic(
        self, engine: LocalEngine, adapter_dir: Path, pair: list[Path]
    ) -> None:
        await engine.set_adapters({"a": (pair[1], ModelIdentity("a", "9" * 64))})
        scores, _ = await engine.classify(prompt("card"), "a")
        assert len(scores) == len(LABELS)
        with pytest.raises(UnknownAdapter):
            await engine.classify(prompt("card"), "b")
        with pytest.raises(UnknownAdapter):
            await engine.classify(prompt("card"), "toy")

    async def test_what_classifies_does_not_write(self, engine: LocalEngine) -> None:
        with pytest.raises(UnknownAdapter):
            await anext(engine.generate(prompt("card"), SamplingParams(max_tokens=4), adapter="a"))


async def test_without_the_second_base_its_adapters_are_refused(tiny_dir: Path, pair: list[Path]) -> None:
    served = LocalEngine(
        tiny_dir,
        ModelIdentity("tiny", "0" * 64),
        {"a": (pair[0], ModelIdentity("a", "1" * 64))},
        EngineSettings.model_validate({"weights": "float32", "threads": 1, "max_context_tokens": 256}),
    )
    try:
        with pytest.raises(ConfigError, match="other weights|trained on"):
            await served.start()
    finally:
        await served.close()


class TestPartners:
    """An adapter that answers together with one on the other base."""

    TOGETHER = ("gamma", "alpha", "beta")

    @pytest.fixture
    def own(self, encoder_dir: Path, adapter_dir: Path, tmp_path: Path) -> Path:
        partner = Partner("toy", fingerprint(adapter_dir), 0.25, 0.8)
        return write_adapter(encoder_dir, tmp_path / "own", 4, labels=self.TOGETHER, partner=partner)

    @staticmethod
    async def serving(tiny_dir: Path, encoder_dir: Path, runner: str, **folders: Path) -> LocalEngine:
        engine = LocalEngine(
            tiny_dir,
            ModelIdentity("tiny", "0" * 64),
            {name: (folder, ModelIdentity(name, fingerprint(folder))) for name, folder in folders.items()},
            EngineSettings.model_validate(
                {"weights": "float32", "threads": 1, "max_context_tokens": 256, "runner": runner}
            ),
            encoder_dir=encoder_dir,
        )
        await engine.start()
        return engine

    async def test_the_answer_is_the_mean_of_both(
        self, tiny_dir: Path, encoder_dir: Path, adapter_dir: Path, own: Path, tmp_path: Path, runner: str
    ) -> None:
        """By weight and temperature of the card; who asks the partner gets the partner alone."""
        alone = write_adapter(encoder_dir, tmp_path / "alone", 4, labels=self.TOGETHER)
        engine = await self.serving(tiny_dir, encoder_dir, runner, own=own, alone=alone, toy=adapter_dir)
        text = prompt("why is my card late")
        answers = {name: (await engine.classify(text, name))[0] for name in ("own", "alone", "toy")}
        by = {name: {each.label: each.score for each in scores} for name, scores in answers.items()}
        mixed = {label: (0.25 * by["alone"][label] + 0.75 * by["toy"][label]) ** 1.25 for label in self.TOGETHER}
        wanted = {label: value / sum(mixed.values()) for label, value in mixed.items()}
        assert by["own"] == pytest.approx(wanted, abs=1e-5)
        assert [each.label for each in answers["own"]] == sorted(wanted, key=lambda label: -wanted[label])
        several = await asyncio.gather(*(engine.classify(text, "own") for _ in range(12)))
        assert all(numbers(scores) == pytest.approx(numbers(answers["own"]), abs=1e-4) for scores, _ in several)
        await engine.close()

    async def test_it_is_not_served_without_the_very_one(
        self, tiny_dir: Path, encoder_dir: Path, adapter_dir: Path, own: Path, tmp_path: Path, runner: str
    ) -> None:
        """At the start and while serving; what was served goes on."""
        with pytest.raises(ConfigError, match="answers together with toy"):
            await self.serving(tiny_dir, encoder_dir, runner, own=own)
        shutil.copytree(adapter_dir, tmp_path / "other")
        replace(AdapterCard.read(adapter_dir), temperature=2.0).write(tmp_path / "other")
        engine = await self.serving(tiny_dir, encoder_dir, runner, own=own, toy=adapter_dir)
        before = await engine.classify(prompt("late"), "own")
        for toy in (tmp_path / "other", None):
            folders = {"own": own} if toy is None else {"own": own, "toy": toy}
            with pytest.raises(ConfigError, match="in that version"):
                await engine.set_adapters({n: (f, ModelIdentity(n, fingerprint(f))) for n, f in folders.items()})
        assert await engine.classify(prompt("late"), "own") == before
        four = Partner("toy", fingerprint(adapter_dir), 0.5, 1.0)
        write_adapter(encoder_dir, tmp_path / "four", 5, partner=four)
        with pytest.raises(ConfigError, match="other labels"):
            await engine.set_adapters(
                {
                    n: (f, ModelIdentity(n, fingerprint(f)))
                    for n, f in (("own", tmp_path / "four"), ("toy", adapter_dir))
                }
            )
        await engine.close()

    async def test_who_leaves_leaves_both(
        self, tiny_dir: Path, encoder_dir: Path, adapter_dir: Path, own: Path, runner: str
    ) -> None:
        """A call that is cancelled holds neither adapter: they can go."""
        engine = await self.serving(tiny_dir, encoder_dir, runner, own=own, toy=adapter_dir)
        calls = [asyncio.create_task(engine.classify(prompt(f"card {n}"), "own")) for n in range(8)]
        await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert (await engine.classify(prompt("card"), "own"))[0]
        await engine.set_adapters({})
        await engine._adapters.settle()  # type: ignore[union-attr]
        assert engine._adapters.loaded == 0  # type: ignore[union-attr]
        await engine.close()

    def test_two_that_do_not_fit(self, own: Path, adapter_dir: Path) -> None:
        """Other labels, texts that one takes and the other does not, a partner of the partner, one that tags."""
        card, other = AdapterCard.read(own), AdapterCard.read(adapter_dir)
        check_partner(card, other)
        for changed in (
            replace(other, labels=("alpha", "beta")),
            replace(other, max_tokens=card.max_tokens - 1),
            replace(other, long_texts="cut"),
            replace(other, partner=card.partner),
            replace(other, head="tag"),
        ):
            with pytest.raises(ConfigError, match="cannot answer together with toy"):
                check_partner(card, changed)

    async def test_a_budget_that_holds_one_of_them(
        self, tiny_dir: Path, encoder_dir: Path, adapter_dir: Path, own: Path, runner: str
    ) -> None:
        """Is refused where it is set: no call would ever be answered."""
        engine = await self.serving(tiny_dir, encoder_dir, runner, own=own, toy=adapter_dir)
        adapters = engine._adapters
        assert adapters is not None
        adapters._budget = max(bound.size for bound in adapters._current.values())
        changed = {"own": (own, ModelIdentity("own", "8" * 64)), "toy": (adapter_dir, ModelIdentity("toy", "9" * 64))}
        with pytest.raises(ConfigError, match=r"more than engine\.adapter_mib"):
            await engine.set_adapters(changed)
        await engine.close()

    @pytest.mark.parametrize(
        "wrong",
        [{"weight": 1.0}, {"weight": 0.0}, {"temperature": 0.0}, {"sha256": "zz"}, {"adapter": ""}, {"more": 1}],
    )
    def test_a_card_with_a_wrong_partner(self, own: Path, wrong: dict[str, object]) -> None:
        """Is refused, and so is one on an adapter that does not classify."""
        tree = json.loads((own / "finslm_adapter.json").read_text())
        (own / "finslm_adapter.json").write_text(json.dumps(tree | {"partner": tree["partner"] | wrong}))
        with pytest.raises(ConfigError, match="partner|unexpected"):
            AdapterCard.read(own)
        (own / "finslm_adapter.json").write_text(json.dumps(tree | {"labels": []}))
        with pytest.raises(ConfigError, match="only an adapter that classifies"):
            AdapterCard.read(own)

    def test_many_at_once_are_as_one_by_one(self) -> None:
        """And a card without a partner has no word about one, so that its digest is what it was."""
        partner, labels = Partner("toy", "0" * 64, 0.3, 1.4), ("a", "b", "c")
        own, other = np.random.default_rng(1).dirichlet([0.3] * 3, (2, 50))
        pooled = partner.pooled(own, other)
        for row, mine, theirs in zip(pooled, own, other, strict=True):
            said = [
                [LabelScore(label, float(p)) for label, p in zip(labels, each, strict=True)] for each in (mine, theirs)
            ]
            assert numbers(partner.together(*said)) == pytest.approx(row.tolist())
        assert pooled.sum(-1) == pytest.approx(np.ones(50))
