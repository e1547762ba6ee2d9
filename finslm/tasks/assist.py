"""A helpful reply to a message; what Generate does when no task is named."""

from __future__ import annotations

from finslm.tasks.base import TASKS, TaskKind, conversation
from finslm.types import Prompt, SamplingParams
from redaction.text import RedactedText

SYSTEM = (
    "You are the assistant of a bank. Answer in two or three short, polite sentences. "
    "Copy tags such as <PERSON_1> exactly."
)
EXAMPLES = (
    (
        "Hello, this is <PERSON_1>. My card <CREDIT_CARD_1> does not work since yesterday. What can I do?",
        "Dear <PERSON_1>, we are sorry that your card does not work. Please check in the app that the card is not "
        "blocked, and try it again with the PIN. If that does not help, we will send you a new card.",
    ),
    (
        "What is an overdraft?",
        "An overdraft lets you spend more than the balance of your account, up to a limit that the bank sets. "
        "You pay interest on the amount until you pay it back.",
    ),
)


@TASKS.register(
    "assist",
    TaskKind.GENERATE,
    "Answers a customer's or colleague's message in a few sentences.",
    defaults=SamplingParams(max_tokens=128, repetition_penalty=1.1),
)
def assist(text: RedactedText) -> Prompt:
    """Instruction, two examples, then the message."""
    return conversation(SYSTEM, text, examples=EXAMPLES)
