"""``finslm feedback``: from corrections to a folder that trains; what is left out is counted; splits stay."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from finslm.cli import app
from finslm.config import FeedbackSettings, load
from finslm.engine.adapters import AdapterCard
from finslm.errors import ConfigError
from finslm.evaluate.data import load as load_data
from finslm.feedback import Feedback, FeedbackStore, NewFeedback
from finslm.train import recipe as recipes
from finslm.train.feedback import select, write
from finslm.train.feedback.rows import shape, split_of
from finslm.vaulting import open_keys

SAID = {
    "card_arrival": "my new card has not come yet",
    "lost_or_stolen_card": "somebody stole my card",
    "exchange_rate": "which rate do you take for euros",
}
BASE: dict[str, Any] = {
    "name": "tiny-intent",
    "task": "banking_intent",
    "use": "A test",
    "base_model": "all-minilm-l6-v2",
    "seed": 7,
    "data": {
        "parts": [{"dataset": "csv", "path": "own", "options": {"train": "train.csv", "test": "test.csv"}}],
        "dev_share": 0.1,
    },
    "lora": {"rank": 4, "alpha": 8, "dropout": 0.0, "targets": ["query", "value"]},
    "training": {
        "epochs": 1, "batch_size": 16, "learning_rate": 1e-3, "head_learning_rate": 1e-2, "warmup_share": 0.0,
        "weight_decay": 0.0, "label_smoothing": 0.0, "bidirectional": True, "pooled_length": 20,
        "max_tokens": 64,
    },
}  # fmt: skip


def record(number: int, text: str, label: str = "card_arrival", principal: str = "desk", **more: Any) -> Feedback:
    known: dict[str, Any] = {
        "tenant": "default",
        "principal": principal,
        "request_id": f"request-{number}",
        "task": "banking_intent",
        "verdict": "WRONG",
        "text": text,
        "label": label,
        "consent_basis": "CONSENT",
        "consent_by": "SUBJECT",
        "entity_counts": {"PERSON": 1},
        "policy_digest": "a" * 64,
        "redactor_digest": "b" * 64,
    }
    id_ = hashlib.sha256(str(number).encode()).hexdigest()[:32]
    return Feedback(id_, 1000.0 + number, NewFeedback(**{**known, **more}))


def records(count: int, principals: Iterable[str] = ("one", "two", "three")) -> list[Feedback]:
    """Texts of all labels, from each principal in turn."""
    names, labels = list(principals), list(SAID)
    return [
        record(i, f"hello <PERSON_1>, number {i}: {SAID[labels[i % 3]]}", labels[i % 3], names[i // 3 % len(names)])
        for i in range(count)
    ]


class TestSelect:
    def test_a_text_has_one_row(self):
        """However it is written: case, spaces and the numbers of placeholders aside."""
        said = [
            record(0, "Card of <PERSON_1>?", principal="one"),
            record(1, "card  of <PERSON_2>?", principal="two"),
            record(2, "CARD OF <PERSON_1_7H3KQ2ZD>?", principal="one"),
        ]
        found = select(said)
        assert [(row.id, row.principals) for row in found.rows] == [(said[0].id, {"one", "two"})]
        assert found.left_out["duplicate"] == 2

    def test_more_than_half_of_the_callers_decide_each_once(self):
        """Nobody outvotes others by sending more; a caller can change its mind."""
        loud = [record(i, "a", "exchange_rate", "loud") for i in range(10)]
        others = [record(20, "a", "card_arrival", "one"), record(21, "a", "card_arrival", "two")]
        found = select([*loud, *others])
        assert [row.target for row in found.rows] == ["card_arrival"]
        assert found.left_out["outvoted"] == 10
        assert select([*loud, others[0]], max_share=1).rows == ()
        changed = [*loud, others[0], record(30, "a", "card_arrival", "loud")]
        assert [row.target for row in select(changed).rows] == ["card_arrival"]

    def test_contradictions_are_left_out_and_counted(self):
        found = select([record(0, "a", "x", "one"), record(1, "a", "y", "two")], max_share=1)
        assert (found.rows, found.left_out["contradicted"]) == ((), 2)

    @pytest.mark.parametrize("share", [0.2, 0.4, 0.5])
    def test_nobody_alone_has_more_than_a_share(self, share):
        flood = [record(i, f"flood {i}", principal="flood") for i in range(200)]
        honest = [record(1000 + i, f"honest {i}", principal=f"p{i % 5}") for i in range(30)]
        found = select([*flood, *honest], max_share=share)
        counts = [
            sum(row.principals == {name} for row in found.rows) for name in ("flood", *(f"p{i}" for i in range(5)))
        ]
        assert max(counts) <= share * len(found.rows)
        assert counts[1:] == [6] * 5 if share > 0.2 else max(counts) - min(counts) <= 1
        assert found.left_out["over a caller's share"] == 230 - len(found.rows)

    def test_one_caller_alone_is_refused_or_trusted(self):
        said = [record(i, f"text {i}") for i in range(9)]
        with pytest.raises(ConfigError, match="--max-share 1"):
            select(said)
        assert len(select(said, max_share=1).rows) == 9

    def test_what_others_confirm_does_not_count_against_a_caller(self):
        """Or a flood that comes first with the texts of others would take their rows with it."""
        said = [record(i, f"text {i % 10}", principal=("flood", "one")[i // 10]) for i in range(20)]
        assert len(select(said).rows) == 10

    def test_new_labels_are_left_out_unless_asked_for_and_not_rare(self):
        said = [record(i, f"text {i}", "new one", new_label=True) for i in range(40)]
        rare = [record(50, "rare", "rare one", new_label=True)]
        assert select([*said, *rare], max_share=1).left_out["new label"] == 41
        found = select([*said, *rare], max_share=1, new_labels=True)
        assert {row.target for row in found.rows} == {"new one"}
        assert found.left_out["new label with few rows"] == 1

    def test_without_a_correction_there_is_nothing_to_train_on(self):
        assert select([record(0, "a", label="")]).left_out["no correction"] == 1

    def test_the_order_of_arrival_changes_nothing(self):
        said = records(60)
        mixed = said.copy()
        random.Random(1).shuffle(mixed)
        assert select(said) == select(mixed)

    def test_test_rows_stay_test_rows_when_more_arrives(self):
        few, many = select(records(60)), select(records(600))
        splits = {row.id: row.split for row in many.rows}
        assert all(splits[row.id] == row.split for row in few.rows)
        share = {s: len(many.of(s)) / len(many.rows) for s in ("test", "dev")}
        assert share["test"] == pytest.approx(0.2, abs=0.05)
        assert share["dev"] == pytest.approx(0.1, abs=0.05)
        assert split_of(shape("Card of <PERSON_1>")) == split_of(shape("card of <PERSON_7>"))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The data of an adapter, and its recipe beside."""
    folder = tmp_path / "data" / "own"
    folder.mkdir(parents=True)
    for name, count in (("train", 12), ("test", 4)):
        lines = [f"{name} {i} {text},{label}" for i in range(count) for label, text in SAID.items()]
        (folder / f"{name}.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(BASE))
    return tmp_path / "data"


class TestWrite:
    def test_the_adapters_own_data_and_the_feedback_are_two_parts(self, own, tmp_path):
        """Where they lie is told relative to the data folder; nothing of this machine is in the recipe."""
        built = write(select(records(60)), tmp_path / "set", recipe=recipes.read(str(tmp_path / "base.yaml")), data=own)
        recipe = recipes.read(str(built.recipe))
        assert [str(part.path) for part in recipe.data.parts] == ["own", "../set"]
        assert str(tmp_path) not in built.recipe.read_text()
        rows = load_data(recipe.data, own, recipe.seed)
        counts = built.facts["rows"]
        assert len(rows.test) == 12 + counts["test"]
        assert len(rows.train) + len(rows.dev) == 36 + counts["train"] + counts["dev"]
        compare = recipes.read(str(built.compare))
        only = load_data(compare.data, own, compare.seed)
        assert (len(only.test), only.labels) == (counts["test"], rows.labels)
        assert all(row.text.startswith("hello <PERSON_1>") for row in only.test)

    def test_feedback_alone_makes_a_set_of_its_own(self, tmp_path):
        base = recipes.Recipe.model_validate(BASE)
        built = write(select(records(90)), tmp_path / "set", recipe=base, data=None, name="other")
        recipe = recipes.read(str(built.recipe))
        assert (recipe.name, built.compare) == ("other", None)
        assert load_data(recipe.data, tmp_path / "set", 7).labels == tuple(sorted(SAID))

    def test_the_card_says_where_it_comes_from_and_the_same_rows_give_the_same_bytes(self, own, tmp_path):
        base = recipes.Recipe.model_validate(BASE)
        said = [*records(60), record(99, "nothing", label="")]
        for name in ("one", "two"):
            write(select(said), tmp_path / name, recipe=base, data=own)
        for file in ("card.json", "README.md", "train.jsonl", "dev.jsonl", "test.jsonl"):
            assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
        facts = json.loads((tmp_path / "one" / "card.json").read_text())
        assert facts["consent"] == {"CONSENT by SUBJECT": 61}
        assert facts["principals"] == {"desk": 1, "one": 21, "three": 18, "two": 21}
        assert facts["left_out"] == {"no correction": 1}
        assert facts["period"] == ["1970-01-01T00:16:40Z", "1970-01-01T00:18:19Z"]
        assert facts["policy_digests"] == {"a" * 64: 61}
        for file, digest in facts["sha256"].items():
            assert hashlib.sha256((tmp_path / "one" / file).read_bytes()).hexdigest() == digest
        ids = {json.loads(line)["id"] for line in (tmp_path / "one" / "train.jsonl").read_text().splitlines()}
        assert ids <= {each.id for each in said}
        assert "CONSENT by SUBJECT: 61" in (tmp_path / "one" / "README.md").read_text()

    def test_a_task_that_writes_gets_rows_and_no_recipe(self, tmp_path):
        said = [
            record(i, f"a letter {i}", "", ("one", "two")[i % 2], task="complaint_summary", answer="Short.")
            for i in range(20)
        ]
        built = write(select(said), tmp_path / "set", recipe=None, data=None)
        assert built.recipe is None
        row = json.loads((tmp_path / "set" / "train.jsonl").read_text().splitlines()[0])
        assert row.keys() == {"text", "answer", "id"}

    def test_too_little_or_a_folder_in_use_is_refused(self, own, tmp_path):
        base = recipes.Recipe.model_validate(BASE)
        with pytest.raises(ConfigError, match="collect more"):
            write(select(records(3), max_share=1), tmp_path / "set", recipe=base, data=None)
        assert not (tmp_path / "set").exists()
        with pytest.raises(ConfigError, match="is not empty"):
            write(select(records(60)), own, recipe=base, data=own)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FeedbackStore:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FINSLM_FEEDBACK__DIR", str(tmp_path / "feedback"))
    monkeypatch.setenv("FINSLM_KEYS__FILE", str(tmp_path / "keys.json"))
    settings = load()
    opened = FeedbackStore(FeedbackSettings(dir=tmp_path / "feedback"), open_keys(settings.keys))
    for each in records(60):
        opened.add(each.said)
    return opened


def run(*arguments: str, group: str = "feedback", code: int = 0, stdin: str | None = None) -> str:
    result = CliRunner().invoke(
        app, [group, *arguments] if group else [*arguments], env={"COLUMNS": "160"}, input=stdin
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    return result.stdout


class TestCommands:
    def test_list_and_stats_show_no_text_unless_asked(self, store):
        assert "hello" not in run("list")
        assert store.events() == []
        assert "hello <PERSON_1>" in run("list", "--texts")
        assert json.loads(run("show-stats", "--json"))["tenants"]["default"]["records"] == 60
        assert [(event.kind, event.records) for event in store.events()] == [("EXPORTED", 50)]
        listed = json.loads(run("list", "--limit", "1", "--json"))
        assert "text" not in listed[0]
        assert listed[0]["principal"] == "two"

    def test_texts_are_no_commands_to_the_terminal(self, store):
        """Escapes, other lines' heads and text turned around are spelled out or set in."""
        store.add(record(99, "pay\x1b[2J\x9b1m\u202e\n00ff  CARD\r\x07", answer="a\nb\x1b]0;t").said)
        said = run("list", "--texts", "--limit", "1").split("\n")
        assert said[1:] == [
            r"    pay\x1b[2J\x9b1m\u202e",
            r"    00ff  CARD\r\x07",
            "    -> a",
            r"    b\x1b]0;t",
            "",
        ]

    def test_an_export_is_built_elsewhere_to_the_same_set(self, store, own, tmp_path):
        run("export", "--out", "all.jsonl")
        assert (tmp_path / "all.jsonl").stat().st_mode & 0o077 == 0
        common = ("build", "--task", "banking_intent", "--recipe", "base.yaml", "--data", "data")
        run(*common, "--out", "here")
        run(*common, "--out", "there", "--export", "all.jsonl")
        both = run(*common, "--out", "both", "--export", "all.jsonl", "--store", "feedback")
        for file in ("train.jsonl", "dev.jsonl", "test.jsonl", "card.json"):
            assert len({(tmp_path / name / file).read_bytes() for name in ("here", "there", "both")}) == 1
        assert "finslm finetune both/recipe.yaml --data data" in both
        assert {event.kind for event in store.events()} == {"EXPORTED", "BUILT"}

    def test_a_line_that_export_did_not_write_is_named(self, store, tmp_path):
        (tmp_path / "odd.jsonl").write_text("{}\n")
        result = CliRunner().invoke(
            app,
            [
                "feedback",
                "build",
                "--task",
                "banking_intent",
                "--recipe",
                "intent",
                "--out",
                "x",
                "--export",
                "odd.jsonl",
            ],
        )
        assert isinstance(result.exception, ConfigError)
        assert "line 1" in str(result.exception)

    def test_erase_needs_to_be_told_what_and_is_kept_for_the_record(self, store, tmp_path):
        run("erase", code=2)
        run("erase", "--all", code=1, stdin="n\n")
        first = next(store.read())
        assert json.loads(run("erase", "--id", first.id, "--yes", "--json")) == {"erased": 1}
        assert json.loads(run("erase", "--principal", "two", "--yes", "--json")) == {"erased": 21}
        assert json.loads(run("erase", "--subject-file", "-", "--yes", "--json", stdin="C-1\n")) == {"erased": 0}
        assert sum(event.records for event in store.events()) == 22
        assert store.holds()["default"].records == 38


@pytest.mark.model
@pytest.mark.timeout(900)
def test_the_folder_trains_an_adapter(store, own, tmp_path):
    """Collected, built, trained: the adapter that comes out knows the labels, and its card the feedback's digests."""
    run("build", "--task", "banking_intent", "--out", "set", "--data", "data", "--recipe", "base.yaml")
    printed = run("finetune", "set/recipe.yaml", "--data", "data", "--threads", "1", "--no-twin", "--json", group="")
    report = json.loads(printed)
    card = AdapterCard.read(tmp_path / "runs" / "tiny-intent" / "tiny-intent")
    assert card.labels == tuple(sorted(SAID))
    facts = json.loads((tmp_path / "set" / "card.json").read_text())
    assert report["data_sha256"]["../set/train.jsonl"] == facts["sha256"]["train.jsonl"]
    assert report["rows"]["test"] == 12 + facts["rows"]["test"]
    assert "LITERAL" not in report["redaction"]["pieces_by_type"]  # the placeholders have stayed
    assert "hello <PERSON_1>" in "".join(file.read_text() for file in Path("runs/tiny-intent/redacted").iterdir())
    assert report["adapter"]["accuracy"] > 0.8
