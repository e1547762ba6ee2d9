"""Documents are made with their fields where they say they are, and keep them through redaction."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

import pytest

from finslm.tasks import TASKS, TaskKind
from finslm.tasks.fields import decimal
from finslm.tasks.invoice import INVOICE
from finslm.train.documents import dataset, generate
from finslm.train.documents.generate import KINDS, Document, Documents
from finslm.train.documents.redacted import moved
from finslm.train.tagging_recipe import DocumentsRecipe
from redaction import Redacted
from redaction.detection import Detection

STRUCTURES = Path(generate.__file__).parent / "structures"


@pytest.fixture(scope="module", params=["train", "dev", "test"])
def documents(request: pytest.FixtureRequest, names_cache: Path) -> Documents:
    return Documents(generate.pools(names_cache), request.param)


@pytest.mark.parametrize("kind", list(KINDS))
def test_spans_are_pieces_of_the_text_in_order_and_of_the_kinds_fields(documents: Documents, kind: str) -> None:
    rng = random.Random(4)
    for _ in range(40):
        made = documents.make(kind, rng)
        ends = [0, *(end for _, end, _ in made.spans)]
        assert all(start >= before for before, (start, _, _) in zip(ends, made.spans, strict=False))
        for start, end, field in made.spans:
            value = made.text[start:end]
            assert value
            assert value == value.strip()
            assert field in KINDS[kind].fields


def test_invoices_add_up(documents: Documents) -> None:
    """Quantity times price makes a row's amount, amounts make the net sum, and with the tax the total."""
    rng, products, sums = random.Random(4), 0, 0
    for _ in range(120):
        document = documents.make("invoice", rng)
        read: dict[str, list[Decimal]] = {}
        for start, end, field in document.spans:
            written = decimal(document.text[start:end].strip("€$£¥"))
            if field in (*INVOICE.sums, *(f"item_{name}" for name in INVOICE.counts)) and written:
                read.setdefault(field, []).append(Decimal(written))
        numbers = [read.get(f"item_{name}", []) for name in INVOICE.product]
        if len({*map(len, numbers)}) == 1:
            products += len(numbers[0])
            for quantity, price, amount in zip(*numbers, strict=True):
                assert abs(quantity * price - amount) <= Decimal("0.005")
        if numbers[2] and len(read.get("net", [])) == 1:
            sums += 1
            assert sum(numbers[2]) == read["net"][0]
        if all(len(read.get(name, [])) == 1 for name in INVOICE.sums):
            assert read["net"][0] + read["tax"][0] == read["total"][0]
    assert products > 60
    assert sums > 30


def test_a_seed_gives_the_same_documents(documents: Documents) -> None:
    assert list(documents.stream(3, 6)) == list(documents.stream(3, 6)) != list(documents.stream(4, 6))


@pytest.mark.parametrize("kind", list(KINDS))
def test_structures_of_training_calibration_and_test_are_apart(kind: str) -> None:
    """No line stands in two of them, and there are enough to test on."""
    lines = {
        split: {line for line in (STRUCTURES / f"{kind}.{split}.txt").read_text("utf-8").splitlines() if len(line) > 40}
        for split in ("train", "dev", "test")
    }
    assert not lines["train"] & lines["dev"] | lines["train"] & lines["test"] | lines["dev"] & lines["test"]
    held_out = (STRUCTURES / f"{kind}.test.txt").read_text("utf-8").count(f":: {kind}_test_")
    assert held_out >= 12


def test_the_kinds_are_those_of_the_tasks() -> None:
    """Every field of a task's form is made, and nothing else."""
    forms = {task.name: task.form for task in TASKS if task.kind is TaskKind.EXTRACT and task.form is not None}
    assert {kind.task for kind in KINDS.values()} == set(forms)
    for kind in KINDS.values():
        assert {f"{kind.task}.{name}" for name in kind.fields} == {*forms[kind.task].labels}


def test_fields_move_onto_placeholders() -> None:
    """Whole ones, also where redaction took a word along; two in one placeholder are the first's."""
    text = "Pay Mr Ann Lee EUR 5 to DE12, Bern"
    document = Document("payment", "x", text, ((7, 14, "beneficiary"), (15, 18, "currency"), (19, 20, "amount")))
    found = (Detection(4, 14, "PERSON", 1.0, "x"), Detection(15, 20, "NRP", 1.0, "x"))
    redacted = Redacted("Pay <PERSON_1> <NRP_1> to DE12, Bern", found, {}, {}, {})
    seen = moved(document, redacted)
    assert [(seen.text[start:end], field) for start, end, field in seen.spans] == [
        ("<PERSON_1>", "beneficiary"),
        ("<NRP_1>", "currency"),
    ]


@pytest.mark.parametrize("kind", list(KINDS))
def test_layouts_put_together_anew_have_every_field_and_seldom_come_twice(names_cache: Path, kind: str) -> None:
    """Sixty in a row: each field of the kind in one of them at least, and no two whose frame is the same."""
    documents = Documents(generate.pools(names_cache), "train")
    rng = random.Random(5)
    made = [each for each in (documents.make(kind, rng) for _ in range(300)) if each.structure == f"{kind}_layout"]
    assert len(made) > 60
    assert {field for each in made for _, _, field in each.spans} == {*KINDS[kind].fields}
    frames = [frame(each) for each in made]
    assert len({*frames}) > 0.97 * len(frames)


def test_documents_that_a_run_never_saw_are_of_the_structures_that_it_learned_from(
    names_cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "pools").symlink_to(names_cache)
    recipe = DocumentsRecipe(train=9, dev=3, test=3, unseen=6, raw_share=0.5)
    made: list[str] = []
    found = dataset.load(recipe, 1, tmp_path, lambda split, *_: made.append(split))
    assert [made.count(split) for split in ("train", "dev", "test", "unseen")] == [9, 3, 3, 6]
    assert not {row.raw for row in found.train} & {row.raw for row in found.unseen}
    learned = Documents(generate.pools(names_cache), "train")
    for row in found.unseen:
        assert row.structure in (*learned.structures(row.kind), f"{row.kind}_layout")
    assert dataset.load(recipe, 1, tmp_path, lambda split, *_: made.append(split)) == found
    assert len(made) == 21, "read again, not made again"


def frame(made: Document) -> str:
    """A document without its values."""
    ends = [0, *(end for _, end, _ in made.spans)]
    starts = [*(start for start, _, _ in made.spans), len(made.text)]
    return "\0".join(made.text[end:start] for end, start in zip(ends, starts, strict=True))
