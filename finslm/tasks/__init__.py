"""The tasks. Importing this package registers them; to add one, write its file and name it here."""

from finslm.tasks import (
    assist,
    banking_intent,
    call_summary,
    choose_label,
    complaint_reply,
    complaint_summary,
    invoice,
    kyc_profile,
    news_sentiment,
    payment_instruction,
)
from finslm.tasks.base import TASKS, Task, TaskKind, TaskRegistry

DEFAULT_TASK = "assist"
"""What Generate does when the caller names no task."""

__all__ = [
    "DEFAULT_TASK",
    "TASKS",
    "Task",
    "TaskKind",
    "TaskRegistry",
    "assist",
    "banking_intent",
    "call_summary",
    "choose_label",
    "complaint_reply",
    "complaint_summary",
    "invoice",
    "kyc_profile",
    "news_sentiment",
    "payment_instruction",
]
