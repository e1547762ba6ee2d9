"""A complaint in a few sentences."""

from __future__ import annotations

from finslm.tasks.base import TASKS, TaskKind, conversation
from finslm.types import Prompt, SamplingParams
from redaction.text import RedactedText

SYSTEM = (
    "Provide a concise, objective summary of the input text in up to three sentences, focusing on key actions and "
    "intentions without using second or third person pronouns."
)
"""The wording of the summaries SmolLM2 was tuned on (smol-smoltalk, Ben Allal et al. 2025, arXiv:2502.02737);
with another one this model answers the complaint, or copies the example it was shown."""


@TASKS.register(
    "complaint_summary",
    TaskKind.GENERATE,
    "Summarises a customer's complaint in a few sentences, and says which facts of the summary are not in it.",
    adapter="summarise",
    defaults=SamplingParams(max_tokens=128),
    grounded=True,
)
def complaint_summary(text: RedactedText) -> Prompt:
    """Instruction, then the complaint."""
    return conversation(SYSTEM, text)
