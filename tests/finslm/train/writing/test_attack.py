"""Rows trained on are told from others of their own kind, not by their kind."""

from __future__ import annotations

from collections import Counter

import pytest

from finslm.train.privacy import membership
from finslm.train.privacy.audit import AT_MOST
from finslm.train.writing import attack
from finslm.train.writing.recipe import WritingRecipe
from finslm.train.writing.rows import Row, RowSet
from finslm.train.writing.sft import WritingRun

pytestmark = pytest.mark.timeout(120)

TASK = "complaint_summary"
RECIPE = {
    "head": "write",
    "name": "tiny",
    "use": "Nothing",
    "base_model": "tiny",
    "seed": 7,
    "rows": [{"path": ".", "task": TASK}],
    "lora": {"rank": 2, "alpha": 4, "dropout": 0.0, "targets": ["q_proj"]},
    "training": {
        "epochs": 1,
        "batch_size": 8,
        "learning_rate": 1e-9,
        "warmup_share": 0,
        "weight_decay": 0.0,
        "max_tokens": 192,
    },
}
ANSWERS = {"short": "The customer.", "long": "6 4 9 1 7 3 8 2 0 5 6 1 4 9 " * 3}
"""To an untrained model, one is much likelier by the token than the other."""


def rows(kind: str, first: int, count: int) -> list[Row]:
    # scattered, so that the first are no easier than the last
    numbers = (i * 2654435761 % 10**9 for i in range(first, first + count))
    return [Row(TASK, kind, f"no {number:09}: my fee", ANSWERS[kind]) for number in numbers]


def counted(side: list[Row]) -> int:
    assert len(set(side)) == len(side)
    return len(side)


class TestSides:
    def test_every_kind_has_the_same_share_of_both(self):
        train = rows("short", 0, 40) + rows("long", 0, 90)
        sides = attack._sides(train, rows("short", 100, 20) + rows("long", 100, 10), 7)
        assert {kind: tuple(map(counted, drawn)) for kind, drawn in sides.items()} == {
            "short": (40, 20),
            "long": (20, 10),
        }
        assert all({row.group for side in drawn for row in side} == {kind} for kind, drawn in sides.items())

    def test_a_row_that_stands_there_twice_is_one_member(self):
        sides = attack._sides(rows("long", 0, 5) * 2, rows("long", 100, 3), 7)
        assert tuple(map(counted, sides["long"])) == (5, 3)

    def test_a_kind_of_one_side_is_left_out(self):
        sides = attack._sides(rows("long", 0, 5) + rows("short", 0, 5), rows("long", 100, 3), 7)
        assert sides.keys() == {"long"}
        assert attack._sides(rows("long", 0, 5), rows("short", 100, 3), 7) == {}

    def test_there_are_at_most_so_many(self):
        sides = attack._sides(
            rows("short", 0, 3 * AT_MOST) + rows("long", 0, AT_MOST),
            rows("short", 9 * AT_MOST, 2 * AT_MOST) + rows("long", 9 * AT_MOST, AT_MOST),
            7,
        )
        for side in (0, 1):
            found = Counter({kind: counted(drawn[side]) for kind, drawn in sides.items()})
            assert AT_MOST - 2 <= found.total() <= AT_MOST
            assert found["short"] == pytest.approx(2 * found["long"], abs=2)


class TestAttack:
    def test_a_kind_that_is_hard_does_not_pass_for_one_not_trained_on(self, tiny_decoder, tmp_path):
        """Nothing is learned, so nothing can be told, though most members are hard and most others easy."""
        train = rows("short", 0, 30) + rows("long", 0, 90)
        unseen = rows("short", 500, 30) + rows("long", 500, 10)
        row_set = RowSet(train, rows("long", 900, 4), rows("long", 950, 4), {}, {}, unseen)
        run = WritingRun(WritingRecipe.model_validate(RECIPE), row_set, tiny_decoder, tmp_path, 1e9)
        folder = run.train(lambda *_: None)

        scores = [-attack.losses(run, folder, side) for side in (train, unseen)]
        assert abs(membership.attack(*scores).auc - 0.5) > 0.2  # what kinds alone make of it

        found = attack.audit(run, folder)
        assert found is not None
        assert found["others"] == "made in the same way"
        whole, by_kind = found["membership"]["loss_threshold"], found["membership"]["by_kind"]
        assert (whole["members"], whole["others"]) == (40, 40)
        assert {kind: (each["members"], each["others"]) for kind, each in by_kind.items()} == {
            "short": (30, 30),
            "long": (10, 10),
        }
        assert abs(whole["auc"] - 0.5) < 0.15

    def test_without_a_kind_of_both_sides_there_is_none(self, tiny_decoder, tmp_path):
        row_set = RowSet(rows("long", 0, 8), rows("long", 900, 4), rows("short", 950, 4), {}, {})
        run = WritingRun(WritingRecipe.model_validate(RECIPE), row_set, tiny_decoder, tmp_path, 1e9)
        assert attack.audit(run, run.train(lambda *_: None)) is None
