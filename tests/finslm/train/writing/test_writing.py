"""An adapter that writes: it learns its answers from a folder of rows, resumes to the byte, and serving loads it."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from finslm.config import EngineSettings
from finslm.engine.adapters import AdapterCard, fingerprint
from finslm.engine.local import LocalEngine
from finslm.errors import ConfigError
from finslm.evaluate.writing import written
from finslm.train.pretraining.interruption import Interrupted
from finslm.train.writing import complaints
from finslm.train.writing.encoding import RowEncoder
from finslm.train.writing.recipe import ComplaintsRecipe, WritingRecipe, read
from finslm.train.writing.rows import Row, RowSet, together
from finslm.train.writing.rows import read as read_rows
from finslm.train.writing.run import load
from finslm.train.writing.sft import WritingRun
from finslm.types import ModelIdentity
from redaction import Redactor

pytestmark = pytest.mark.timeout(120)

ANSWERS = {"card": "The customer lost a card.", "fee": "The customer disputes a fee."}
RECIPE = {
    "head": "write",
    "name": "tiny",
    "use": "Nothing",
    "base_model": "tiny",
    "seed": 7,
    "rows": [{"path": ".", "task": "complaint_summary"}],
    "lora": {"rank": 8, "alpha": 16, "dropout": 0.1, "targets": ["q_proj", "v_proj", "up_proj", "down_proj"]},
    "training": {
        "epochs": 2,
        "batch_size": 1,
        "learning_rate": 0.02,
        "warmup_share": 0.1,
        "weight_decay": 0.0,
        "max_tokens": 192,
    },
}


def recipe(**training) -> WritingRecipe:
    return WritingRecipe.model_validate(RECIPE | {"training": RECIPE["training"] | training})


def rows(count: int) -> list[Row]:
    kinds = list(ANSWERS)
    return [
        Row("complaint_summary", "complaint", f"no {i}: my {kinds[i % 2]}", ANSWERS[kinds[i % 2]]) for i in range(count)
    ]


@pytest.fixture
def row_set() -> RowSet:
    made = rows(30)
    return RowSet(made[:24], made[24:28], made[28:], {}, {})


@pytest.fixture
def make(tiny_decoder, row_set, tmp_path) -> Callable[..., WritingRun]:
    def made(name: str, checkpoint_s: float = 1e9, **training) -> WritingRun:
        out = tmp_path / name
        out.mkdir(exist_ok=True)
        return WritingRun(recipe(**training), row_set, tiny_decoder, out, checkpoint_s)

    return made


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor.from_policy(None, budget_s=60)


def quietly(*_) -> None:
    pass


class TestTraining:
    def test_the_loss_falls_and_serving_loads_what_was_saved(self, make, tiny_decoder):
        run = make("run", epochs=6)
        folder = run.train(quietly)
        losses = [epoch["dev_loss"] for epoch in run.history]
        assert len(losses) == 6
        assert losses[-1] < losses[0] - 0.1  # two layers drawn at random learn no more
        card = AdapterCard.read(folder)
        assert (card.form, card.task, card.base_model) == ("write", "complaint_summary", "tiny")

        async def both() -> list[list[str]]:
            name = {"tiny": (folder, ModelIdentity("tiny", fingerprint(folder)))}
            engine = LocalEngine(tiny_decoder, ModelIdentity("base", "0" * 64), name, EngineSettings())
            await engine.start()
            try:
                return [await written(engine, [("complaint_summary", "no 3: my fee")], which) for which in ("tiny", "")]
            finally:
                await engine.close()

        ours, plain = asyncio.run(both())
        assert ours != plain

    def test_the_same_recipe_gives_the_same_adapter(self, make):
        one, other = (fingerprint(make(name, epochs=1).train(quietly)) for name in ("one", "other"))
        assert one == other

    def test_told_to_stop_and_resumed_it_ends_the_same(self, make):
        """A signal in the second epoch; the run goes on from that very step, dropout included."""
        whole = make("whole").train(quietly)
        first = make("parts")

        def tell(step: int, steps: int, _loss: float) -> None:
            if step == steps // 2 + 2:
                signal.raise_signal(signal.SIGTERM)

        with pytest.raises(Interrupted, match="go on with --resume") as told:
            first.train(tell)
        assert told.value.exit_status == 128 + signal.SIGTERM
        seen: list[int] = []
        second = make("parts")
        folder = second.train(lambda step, *_: seen.append(step), resume=True)
        assert seen[0] > 1
        assert fingerprint(folder) == fingerprint(whole)
        assert len(second.history) == 2

    def test_a_checkpoint_of_another_recipe_is_refused(self, make):
        def stop(step: int, *_) -> None:
            if step == 2:
                signal.raise_signal(signal.SIGTERM)

        with pytest.raises(Interrupted):
            make("parts").train(stop)
        with pytest.raises(ConfigError, match="another recipe or other rows"):
            make("parts", learning_rate=0.01).train(quietly, resume=True)
        with pytest.raises(ConfigError, match="no checkpoint to resume from"):
            make("empty").train(quietly, resume=True)

    def test_patience_keeps_the_best_epoch(self, make):
        """So great a rate spoils what the first epochs learned: the run ends early."""
        run = make("run", epochs=12, patience=1, learning_rate=0.5)
        run.train(quietly)
        losses = [epoch["dev_loss"] for epoch in run.history]
        assert len(losses) < 12
        assert (run.out / "best.pt").exists()

    def test_rows_of_a_pack_do_not_see_each_other(self, make):
        """The loss of a pack is that of its rows apart."""
        from finslm.train.pretraining.interruption import Stop
        from finslm.train.writing.sft import _Watch

        losses = {}
        for packing in (True, False):
            run = make(f"run{packing}", packing=packing, batch_size=4)
            trainer = run._trainer(_Watch(run, quietly, Stop()))
            trainer.model.train(mode=False)
            batches = list(trainer.get_eval_dataloader())
            if packing:
                assert batches[0]["input_ids"].shape[0] == 1
            wanted = sum(int((batch["labels"][:, 1:] != -100).sum()) for batch in batches)
            with torch.no_grad():
                losses[packing] = sum(
                    float(trainer.compute_loss(trainer.model, batch, num_items_in_batch=wanted)) for batch in batches
                )
        assert losses[True] == pytest.approx(losses[False], abs=2e-3)

    def test_an_encoder_is_refused(self, tiny_encoder, row_set, tmp_path):
        with pytest.raises(ConfigError, match="an encoder writes nothing"):
            WritingRun(recipe(), row_set, tiny_encoder, tmp_path, 1e9).train(quietly)


class TestRows:
    @pytest.fixture
    def folder(self, tmp_path) -> Path:
        for split in ("train", "dev", "test"):
            self.write(tmp_path, split, [(f"{split}: pay DE89370400440532013000 back", "Pay DE89370400440532013000.")])
        return tmp_path

    def write(self, folder: Path, split: str, pairs: list[tuple[str, str]]) -> None:
        lines = [json.dumps({"text": text, "answer": answer}) for text, answer in pairs]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")

    def test_text_and_answer_share_their_placeholders(self, folder, redactor):
        read = read_rows(recipe().rows[0], folder, redactor, quietly)
        assert read.train[0].text.endswith("pay <IBAN_CODE_1> back")
        assert read.train[0].answer == "Pay <IBAN_CODE_1>."
        assert "DE89" in read.train[0].raw
        assert set(read.sha256) == {"./train.jsonl", "./dev.jsonl", "./test.jsonl"}

    def test_a_malformed_row_ends_the_run_or_is_counted(self, folder, redactor):
        with (folder / "train.jsonl").open("a") as file:
            file.write('{"text": "no answer"}\n')
        with pytest.raises(ConfigError, match=r"train.jsonl, line 2.*text and answer"):
            read_rows(recipe().rows[0], folder, redactor, quietly)
        assert read_rows(recipe().rows[0], folder, redactor, quietly, skip_bad=True).left_out == {"malformed": 1}

    def test_a_task_that_does_not_write_is_refused(self, folder, redactor):
        changed = recipe().rows[0].model_copy(update={"task": "banking_intent"})
        with pytest.raises(ConfigError, match="not a task that writes"):
            read_rows(changed, folder, redactor, quietly)

    def test_rows_that_were_never_seen_are_of_every_kind_or_none(self):
        made = rows(6)
        with_unseen = RowSet(made[:2], made[2:3], made[3:4], {}, {}, made[5:6])
        assert [row.text for row in together([with_unseen]).unseen] == [made[5].text]
        assert not together([with_unseen, RowSet(made[4:5], made[2:3], made[3:4], {}, {})]).unseen

    def test_a_text_that_is_tested_on_is_not_trained_on(self):
        made = rows(6)
        whole = together([RowSet(made[:4], made[4:5], [made[0], made[5]], {}, {})])
        assert [row.text for row in whole.train] == [row.text for row in made[1:4]]
        assert whole.left_out == {"their text is tested on too": 1}
        with pytest.raises(ConfigError, match="no row to train on"):
            together([RowSet(made[:1], made[1:2], made[:1], {}, {})])

    def test_rows_without_a_folder_are_refused(self, redactor, tmp_path):
        with pytest.raises(ConfigError, match="--data is missing"):
            load(recipe(), None, redactor, tmp_path, quietly, skip_bad=False)

    def test_long_rows_are_refused_or_left_out(self, tiny_decoder):
        long = Row("complaint_summary", "c", "word " * 300, "Short.")
        with pytest.raises(ConfigError, match="1 rows have more than training.max_tokens 192"):
            RowEncoder(tiny_decoder, recipe().training).encoded([*rows(2), long])
        fitting, left_out = RowEncoder(tiny_decoder, recipe(long_rows="leave_out").training).encoded([*rows(2), long])
        assert (len(fitting), left_out) == (2, 1)

    def test_only_the_answer_is_learned(self, tiny_decoder):
        encoder = RowEncoder(tiny_decoder, recipe().training)
        ((first, *_), _) = encoder.encoded(rows(1))
        learned = [i for i, mask in zip(first["input_ids"], first["completion_mask"], strict=True) if mask]
        assert encoder.tokenizer.decode(learned) == f"{ANSWERS['card']}<|im_end|>"


class TestComplaints:
    WHOLE = {"c1": "train", "c2": "dev", "c3": "test", "c4": "train"}

    @pytest.fixture
    def file(self, tmp_path, monkeypatch) -> Path:
        texts = {
            key: f"{key}: Northwind Bank took $40.00 from DE89370400440532013000. I want it back." for key in self.WHOLE
        }
        (tmp_path / "n.jsonl").write_text(
            "".join(json.dumps({"text": texts[key]}) + "\n" for key in ("c1", "c2", "c3"))
        )
        written = [
            {"narrative": complaints.digest(texts[key]), "split": split, "summary": summary}
            for key, split in self.WHOLE.items()
            for summary in [f"{key}: $40.00 left DE89370400440532013000."]
        ]
        (tmp_path / "s.jsonl").write_text("".join(json.dumps(row) + "\n" for row in written))
        monkeypatch.setattr(complaints, "SUMMARIES", tmp_path / "s.jsonl")
        return tmp_path / "n.jsonl"

    def read(self, file: Path, redactor: Redactor, times: int = 1) -> RowSet:
        return complaints.read(ComplaintsRecipe(path=Path(file.name), times=times), file.parent, redactor, quietly)

    def test_a_summary_has_the_placeholders_of_its_narrative(self, file, redactor):
        found = self.read(file, redactor, times=2)
        assert [len(found.train), len(found.dev), len(found.test)] == [2, 1, 1]
        assert found.train[0].answer == "c1: $40.00 left <IBAN_CODE_1>."
        assert "<IBAN_CODE_1>" in found.train[0].text
        assert found.left_out == {"not among the narratives": 1}
        assert set(found.sha256) == {"n.jsonl", "s.jsonl"}

    def test_a_summary_that_a_value_is_left_in_is_left_out(self, file, redactor):
        summaries = file.parent / "s.jsonl"
        summaries.write_text(summaries.read_text().replace("left DE89", "left de89", 1))
        assert self.read(file, redactor).left_out["a replaced value stands in the summary"] == 1

    def test_another_file_is_refused(self, file, redactor):
        file.write_text('{"text": "nothing that is known"}\n')
        with pytest.raises(ConfigError, match="none of the 4 narratives"):
            self.read(file, redactor)

    def test_the_summaries_are_of_three_splits_and_each_narrative_has_one(self):
        written = [json.loads(line) for line in complaints.SUMMARIES.read_text("utf-8").splitlines()]
        assert len({row["narrative"] for row in written}) == len(written) > 900
        assert Counter(row["split"] for row in written).keys() == {"train", "dev", "test"}
        assert all(12 <= len(row["summary"].split()) <= 80 for row in written)

    @pytest.mark.timeout(240)
    def test_nearly_all_published_narratives_and_summaries_are_used(self, shared_data, redactor):
        asked = ComplaintsRecipe(path=Path("cfpb_complaints") / "cfpb_narratives.jsonl")
        found = complaints.read(asked, shared_data, redactor, quietly)
        assert len(found.train) > 780
        assert min(len(found.dev), len(found.test)) > 50


class TestRecipe:
    def test_something_to_learn_from_is_needed(self):
        with pytest.raises(ValueError, match="notes, complaints or rows"):
            WritingRecipe.model_validate(RECIPE | {"rows": []})

    def test_an_unknown_field_is_refused(self, tmp_path):
        (tmp_path / "r.yaml").write_text("head: write\nlearnig_rate: 1")
        with pytest.raises(ConfigError, match="learnig_rate"):
            read(str(tmp_path / "r.yaml"))
