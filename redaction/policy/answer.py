"""What a policy says of a model's answer: what is done with what should not stand in it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, final

from pydantic import field_validator

from redaction.policy.entries import Closed, type_name


class AnswerAction(StrEnum):
    """What is done with a finding in an answer, the strongest first."""

    REFUSE = "refuse"
    """No more of the answer is passed on."""
    MASK = "mask"
    """A mark stands in its place."""
    FLAG = "flag"
    """It is passed on, and counted."""


FINDINGS: Final = ("found", "leaks", "echoes", "forbidden")
"""The kinds of findings, each a key of ``answer``."""


@final
class Answer(Closed):
    """What is done with a model's answer before values are put back into it."""

    found: AnswerAction = AnswerAction.REFUSE
    """With personal data that nobody sent: proven identifiers, and what the deny list names."""
    leaks: AnswerAction = AnswerAction.REFUSE
    """With values of the request that the model was not shown, plain or in any disguise."""
    echoes: AnswerAction = AnswerAction.REFUSE
    """With pieces of the program's prompts, and with canaries."""
    forbidden: AnswerAction = AnswerAction.MASK
    """With placeholders of the types that ``forbid`` names: their values are not put back."""
    forbid: tuple[str, ...] = ()
    """Types whose values never go into an answer, not even to the caller who sent them."""

    @field_validator("forbid")
    @classmethod
    def _type_names(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({type_name(name) for name in types}))
