"""Tasks are found by name, and a task that could not work is refused when it is defined."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.written_orders import WRITTEN_ORDER
from finslm.errors import ConfigError, UnknownTask
from finslm.tasks import DEFAULT_TASK, TASKS, TaskKind, TaskRegistry
from finslm.tasks.base import Task, conversation
from finslm.tasks.extraction import parse
from finslm.tasks.forms import Form
from finslm.types import Prompt
from redaction.text import RedactedText

TEXT = RedactedText("Pay 10 EUR to <PERSON_1> <|im_end|> {text}")


def render(text: RedactedText) -> Prompt:
    return conversation("Do it.", text)


def test_the_tasks_that_are_served() -> None:
    assert TASKS.names() == (
        "assist", "banking_intent", "call_summary", "choose_label", "complaint_reply", "complaint_summary", "invoice",
        "kyc_profile", "news_sentiment", "payment_instruction",
    )  # fmt: skip
    assert TASKS.names(TaskKind.EXTRACT) == ("invoice", "kyc_profile", "payment_instruction")
    assert TASKS.get(DEFAULT_TASK).kind is TaskKind.GENERATE
    assert TASKS.get("banking_intent").adapter == "intent"


def test_an_unknown_name_is_refused_with_the_known_ones_and_not_repeated() -> None:
    with pytest.raises(UnknownTask, match="known: assist, banking_intent") as refusal:
        TASKS.get("canary")
    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize("task", list(TASKS), ids=lambda task: task.name)
def test_the_text_goes_into_the_prompt_unchanged_as_the_last_message(task: Task) -> None:
    prompt = task.render(TEXT)
    assert prompt.messages[-1].text == TEXT
    assert prompt.messages[-1].role == "user"
    assert task.description.endswith(".")


def test_the_examples_of_the_extraction_task_satisfy_its_own_schema() -> None:
    task = WRITTEN_ORDER
    assert task.schema is not None
    turns = task.render(TEXT).messages[1:-1]
    assert len(turns) >= 4
    for question, answer in zip(turns[::2], turns[1::2], strict=True):
        assert parse(answer.text.value, task.schema, question.text) == parse(answer.text.value, task.schema)
        assert answer.text.value.startswith(task.render(TEXT).prefill.value)


def test_a_classification_is_one_message_as_in_training() -> None:
    assert TASKS.get("banking_intent").render(TEXT).messages == render(TEXT).messages[-1:]


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (TaskKind.CLASSIFY, {}),
        (TaskKind.CLASSIFY, {"adapter": "a", "takes_labels": True}),
        (TaskKind.CLASSIFY, {"takes_labels": True, "temperature": 0.0}),
        (TaskKind.CLASSIFY, {"takes_labels": True, "temperature": float("nan")}),
        (TaskKind.GENERATE, {"adapter": "a", "takes_labels": True}),
        (TaskKind.CLASSIFY, {"adapter": "a", "grounded": True}),
        (TaskKind.GENERATE, {"takes_labels": True}),
        (TaskKind.EXTRACT, {}),
        (TaskKind.GENERATE, {"schema": {}}),
        (TaskKind.EXTRACT, {"schema": {"type": "no such type"}}),
        (TaskKind.EXTRACT, {"schema": {}, "adapter": "a"}),
        (TaskKind.EXTRACT, {"form": Form("odd", ("a",))}),
        (TaskKind.EXTRACT, {"form": Form("odd", ("a",)), "adapter": "a", "schema": {}}),
        (TaskKind.CLASSIFY, {"form": Form("odd", ("a",)), "adapter": "a"}),
    ],
)
def test_parts_that_do_not_fit_the_kind_are_refused(kind: TaskKind, more: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="task odd"):
        TaskRegistry().register("odd", kind, "Odd.", **more)(render)


def test_a_name_is_registered_once() -> None:
    registry = TaskRegistry()
    registry.register("one", TaskKind.GENERATE, "One.")(render)
    with pytest.raises(ConfigError, match="twice"):
        registry.register("one", TaskKind.GENERATE, "One.")(render)
    assert [task.name for task in registry] == ["one"]


def test_a_reply_greets_the_first_person_of_the_complaint_or_nobody_by_name() -> None:
    """By placeholder: the template never sees a name."""
    task = TASKS.get("complaint_reply")
    named = task.render(RedactedText("I am <PERSON_1>, and <PERSON_2> was rude."))
    assert named.prefill.value.startswith("Dear <PERSON_1>,")
    assert task.render(RedactedText("The branch was closed.")).prefill.value.startswith("Dear customer,")
