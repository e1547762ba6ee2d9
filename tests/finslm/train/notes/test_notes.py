"""Notes are made with their summaries, and both keep the same values through redaction."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from finslm.train.documents.generate import pools
from finslm.train.notes import dataset, structures, topics
from finslm.train.notes.conditions import conjugated, needed, resolved
from finslm.train.notes.generate import Notes
from finslm.train.notes.note import KINDS, Note
from finslm.train.notes.redacted import RAW, SHARED, UNLIKE, as_served, moved
from redaction import Redacted, Redactor
from redaction.detection import Detection

FACTS = frozenset(("amount", "date", "party"))


@pytest.fixture(scope="module", params=["train", "dev", "test"])
def notes(request: pytest.FixtureRequest, names_cache: Path) -> Notes:
    return Notes(pools(names_cache), request.param)


@pytest.mark.parametrize("kind", KINDS)
def test_spans_are_values_in_order_and_the_summary_says_the_texts_facts_and_no_other(notes: Notes, kind: str) -> None:
    rng = random.Random(4)
    for _ in range(60):
        made = notes.make(kind, rng)
        for text, spans in ((made.text, made.facts), (made.summary, made.said)):
            ends = [0, *(end for _, end, _ in spans)]
            assert all(start >= before for before, (start, _, _) in zip(ends, spans, strict=False))
            assert all(text[start:end].strip() == text[start:end] != "" for start, end, _ in spans)
        assert values(made.text, made.facts) == values(made.summary, made.said)


@pytest.mark.parametrize("kind", KINDS)
def test_figures_of_a_summary_are_facts(notes: Notes, kind: str) -> None:
    """Everything with a digit in it stands in a fact: nothing beside the facts of the text is quoted."""
    rng = random.Random(6)
    for _ in range(60):
        made = notes.make(kind, rng)
        inside = {at for start, end, _ in made.said for at in range(start, end)}
        assert {at for at, char in enumerate(made.summary) if char.isdigit()} <= inside


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_of_the_lengths_and_show_nothing_of_the_grammar(notes: Notes, kind: str) -> None:
    rng = random.Random(5)
    for _ in range(60):
        made = notes.make(kind, rng)
        assert 40 <= len(made.text.split()) <= 260
        assert not re.search(r"[«»¦{}]|~\w+/|\? ?They want|  |\.\.|,,|,\.", made.summary)
        assert not re.search(r"[«»¦{}]|\w\?\w", made.text)
        assert made.summary.endswith(".")


def test_a_seed_gives_the_same_notes(notes: Notes) -> None:
    assert list(notes.stream(3, 6)) == list(notes.stream(3, 6)) != list(notes.stream(4, 6))


def test_facts_are_missing_now_and_then_and_so_are_they_in_the_summary(notes: Notes) -> None:
    """One structure tells different facts."""
    told: dict[str, set[frozenset[str]]] = {}
    for made in notes.stream(8, 240):
        told.setdefault(made.structure.rpartition("_")[2], set()).add(frozenset(name for _, _, name in made.facts))
    assert max(map(len, told.values())) > 3


def test_wording_of_training_calibration_and_test_is_apart() -> None:
    """No five words in a row of one text stand in another, and there are enough to test on."""
    files = {split: structures.WRITTEN / f"{split}.txt" for split in ("dev", "test")}
    stories = Path(topics.__file__).parent / "stories"
    texts = {split: file.read_text("utf-8") for split, file in files.items()}
    texts["train"] = "\n".join(file.read_text("utf-8") for file in sorted(stories.glob("*.txt")))
    for one, other in (("train", "dev"), ("train", "test"), ("dev", "test")):
        shared = runs(texts[one]) & runs(texts[other])
        assert not shared, (one, other, sorted(shared)[:5])
    for kind in KINDS:
        assert len(re.findall(rf"^:: {kind}_test_\d+$", texts["test"], re.MULTILINE)) >= 12
        assert len(re.findall(rf"^:: {kind}_dev_\d+$", texts["dev"], re.MULTILINE)) >= 5


def test_training_seldom_says_the_same_twice(names_cache: Path) -> None:
    """Two hundred in a row without their values: hardly two are alike."""
    frames = [frame(made) for made in Notes(pools(names_cache), "train").stream(9, 200)]
    assert len({*frames}) > 0.97 * len(frames)


def test_conditions() -> None:
    line = "paid« {amount}¦ money»« to {party}»«want? and ~wants/want~ it back»"
    assert resolved(line, {"party"}, FACTS) == "paid money to {party}"
    assert conjugated(resolved(line, {"amount", "want"}, FACTS), plural=True) == "paid {amount} and want it back"
    assert needed(line + " {date}", FACTS) == {"date"}


TEXT = "I am Mr Ann Lee, Acme took $5 on 3 May, Acme!"
NOTE = Note(
    "complaint", "x", TEXT, "Ann Lee says that Acme took $5 on 3 May.",
    ((8, 15, "customer"), (17, 21, "party"), (27, 29, "amount"), (33, 38, "date")),
    ((0, 7, "customer"), (18, 22, "party"), (28, 30, "amount"), (34, 39, "date")),
)  # fmt: skip


def redacted(text: str, *found: tuple[int, int, str], **placeholders: str) -> Redacted:
    detections = tuple(Detection(start, end, kind, 1.0, "x") for start, end, kind in found)
    return Redacted(text, detections, {f"<{name}>": value for name, value in placeholders.items()}, {}, {})


def test_values_of_a_summary_become_what_stands_in_the_text() -> None:
    """Also where redaction took a word along."""
    raw = redacted("I am <PERSON_1>, Acme took $5 on <DATE_TIME_1>, Acme!", (5, 15, "PERSON"), (33, 38, "DATE_TIME"),
                   PERSON_1="Mr Ann Lee", DATE_TIME_1="3 May")  # fmt: skip
    seen = moved(NOTE, raw)
    assert isinstance(seen, Note)
    assert seen.summary == "<PERSON_1> says that Acme took $5 on <DATE_TIME_1>."
    assert values(seen.text, seen.facts) == values(seen.summary, seen.said) >= {("customer", "<PERSON_1>")}


def test_notes_that_cannot_be_redacted_without_a_doubt_have_a_reason() -> None:
    both = redacted("I am Mr Ann Lee, Acme took <X_1>, Acme!", (27, 38, "X"), X_1="$5 on 3 May")
    assert moved(NOTE, both) == SHARED
    one = redacted("I am Mr Ann Lee, Acme took $5 on 3 May, <X_1>!", (40, 44, "X"), X_1="Acme")
    assert moved(NOTE, one) == RAW
    twice = replace(NOTE, facts=(*NOTE.facts, (40, 44, "party")))
    assert moved(twice, one) == UNLIKE


def test_redaction_as_served_carries_placeholders_into_the_summary(notes: Notes) -> None:
    left_out = Counter[str]()
    redactor = Redactor.from_policy(None, budget_s=60)
    served = list(as_served(notes.stream(2, 24), redactor, left_out))
    assert len(served) + left_out.total() == 24
    assert len(served) > 12
    for raw, seen, redacted_ in served:
        assert seen.text == redacted_.text
        assert values(seen.text, seen.facts) == values(seen.summary, seen.said)
        for placeholder, value in redacted_.placeholders.items():
            assert not re.search(rf"(?<!\w){re.escape(value)}(?!\w)", seen.summary, re.IGNORECASE)
            assert placeholder not in raw.summary
    assert sum("<" in seen.summary for _, seen, _ in served) > len(served) // 2


class Few:
    """A recipe of few notes."""

    train, dev, test, unseen, raw_share = 6, 2, 2, 4, 0.5


def test_a_data_set_is_made_once_and_read_again(tmp_path: Path, names_cache: Path) -> None:
    """Files of the first time are read the second; a share of training alone is read as it is."""
    (tmp_path / "pools").symlink_to(names_cache)
    pools(names_cache)
    calls: list[tuple[str, int, int]] = []
    first = dataset.load(Few(), 1, tmp_path, lambda *call: calls.append(call))
    made = len(calls)
    assert made == Few.train + Few.dev + Few.test + Few.unseen
    assert dataset.load(Few(), 1, tmp_path, lambda *call: calls.append(call)) == first
    assert len(calls) == made
    assert 0 < sum(row.text == row.raw_text for row in first.train) < Few.train
    assert not {row.raw_text for row in first.train} & {row.raw_text for row in first.unseen}
    for row in (*first.train, *first.dev, *first.test, *first.unseen):
        assert values(row.text, row.facts) == values(row.summary, row.said)
        assert values(row.raw_text, row.raw_facts) == values(row.raw_summary, row.raw_said)


def values(text: str, spans: tuple[tuple[int, int, str], ...]) -> set[tuple[str, str]]:
    return {(name, text[start:end]) for start, end, name in spans}


def runs(text: str) -> set[tuple[str, ...]]:
    """Five words in a row of what a text says between its slots; summaries and comments aside."""
    found: set[tuple[str, ...]] = set()
    said = re.sub(r"^:: \w+_summary\n(?:[^:].*\n?)*|^(?:s|#) .*", "", text, flags=re.MULTILINE)
    for part in re.split(r"\{[^}]*\}|«\w+\?|[«»¦\n|\[\]]", said.lower()):
        words = re.findall(r"[a-z']+", part)
        found |= {tuple(words[at : at + 5]) for at in range(len(words) - 4)}
    return found


def frame(made: Note) -> str:
    """A note without its values."""
    ends = [0, *(end for _, end, _ in made.facts)]
    starts = [*(start for start, _, _ in made.facts), len(made.text)]
    return "\0".join(made.text[end:start] for end, start in zip(ends, starts, strict=True))
