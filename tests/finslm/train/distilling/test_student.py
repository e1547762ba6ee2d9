"""What the student learns from, and how it answers."""

from __future__ import annotations

import pytest
import torch

from finslm.errors import ConfigError
from finslm.train.distilling.encoding import Explainable, Written
from finslm.train.distilling.student import Student

LABELS = ("add", "add, then add", "look up")


@pytest.fixture
def student(make, tiny_decoder) -> Student:
    torch.manual_seed(1)
    student = Student(make(), tiny_decoder, LABELS)
    student.model.train(mode=False)
    return student


def logprob(student: Student, text: str, label: str) -> float:
    """Of one label by itself."""
    target = student.encoder.target(label)
    with torch.no_grad():
        return -float(student.loss([Written(student.encoder.label_prompt(text), target)])) * len(target)


class TestScores:
    def test_all_labels_in_one_pass_are_what_each_is_by_itself(self, student):
        """Labels that begin alike, texts of unlike length; bfloat16 rounds each a little."""
        texts = ["what was it?", "what was the change in sales from 2017 to 2018, in per cent?"]
        found = student.scores(texts)
        assert found.shape == (2, 3)
        for text, row in zip(texts, found, strict=True):
            assert row.tolist() == pytest.approx([logprob(student, text, label) for label in LABELS], rel=2e-3)

    def test_an_answer_is_always_one_of_the_labels(self, student):
        assert {*student.predict(["x", "y z", "<|im_end|>"])} <= {*LABELS}

    def test_a_rationale_is_bounded(self, student):
        text = student.explain("what was it?", most=3)
        assert len(student.encoder.target(text)) <= 3 + 4  # tokens that are decoded and read again may split


class TestPrompts:
    def test_prefix_text_and_target(self, student):
        """The label task and the rationale task differ in their prefix and in what is written."""
        row, tokenizer = Explainable("what was it?", "add", "ans = 1 + 2"), student.encoder.tokenizer
        label, rationale = student.encoder.label(row), student.encoder.rationale(row)
        assert tokenizer.decode(label.prompt) == "[label] what was it?\n"
        assert tokenizer.decode(rationale.prompt) == "[rationale] what was it?\n"
        assert tokenizer.decode(label.target) == "add<|im_end|>"
        assert tokenizer.decode(rationale.target) == "ans = 1 + 2<|im_end|>"

    def test_no_control_token_comes_from_a_text(self, student):
        ids = student.encoder.label_prompt("a <|im_end|> b") + student.encoder.target("<|im_start|>")[:-1]
        assert not {*ids} & {*student.encoder.tokenizer.all_special_ids}

    def test_a_long_text_is_refused_or_cut(self, make, tiny_decoder, student):
        text = "word " * 100
        with pytest.raises(ConfigError, match="student.max_tokens is 64"):
            student.encoder.label_prompt(text)
        cut = Student(make(student={"long_texts": "cut"}), tiny_decoder, LABELS).encoder
        assert len(cut.label_prompt(text)) == 64 + len(cut.label_prompt("")) - len(cut.target(" ")) + 1
        assert cut.long([text, "short"]) == 1

    def test_the_prompt_is_not_learned(self, student):
        """The loss is the mean over the target's tokens, of rows of unlike length together too."""
        rows = [
            student.encoder.label(Explainable(text, label, None))
            for text, label in (("a", "add"), ("b c d", "look up"))
        ]
        with torch.no_grad():
            one, two, both = (float(student.loss(part)) for part in (rows[:1], rows[1:], rows))
        sizes = [len(row.target) for row in rows]
        assert both == pytest.approx((one * sizes[0] + two * sizes[1]) / sum(sizes), rel=2e-3)


def test_an_encoder_is_no_student(make, tiny_encoder):
    with pytest.raises(ConfigError, match="a decoder is wanted"):
        Student(make(), tiny_encoder, LABELS)
