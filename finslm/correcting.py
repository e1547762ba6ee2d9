"""What users say of answers: checked, (6) to (8) redacted for good, and kept to train on.

No text is kept but the redacted one, and no map to what was replaced: nobody can put it back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, NamedTuple, Protocol, TypeVar, final

from finslm.audit.calls import Entry
from finslm.audit.records import Kind, Record
from finslm.config import FeedbackSettings
from finslm.errors import (
    ConsentMissing,
    FieldViolation,
    InvalidOutput,
    InvalidRequest,
    UnknownRecord,
    ValueNotReplaced,
)
from finslm.feedback import FeedbackEvent, FeedbackStore, NewFeedback
from finslm.redacting import Redacting
from finslm.tasks import Task, TaskKind
from finslm.tasks.extraction import parse
from finslm.telemetry.metrics import Metrics
from finslm.types import Call, Correction, FeedbackResult, Verdict
from redaction import RawText, Redacted
from redaction.for_good import known_placeholders_kept

T = TypeVar("T")

BETWEEN: Final = "\n\n\u241e\n\n"
"""Stands between the text and the answer while they are redacted together, so that what is found in the one is found
in the other and has the same number; neither may hold it."""


class Answers(Protocol):
    """The part of the audit log that tells what answered."""

    def record(self, index: int) -> Record:
        """Return the record at an index."""
        ...

    def find(self, request_id: str) -> list[tuple[int, Record]]:
        """Return the records of a call."""
        ...


class _Kept(NamedTuple):
    text: str
    answer: str


@final
class Correcting:
    """Takes corrections into the store. Fails closed: what is not redacted, consented and durable is not kept.

    Args:
        redacting: the redactor.
        store: where they are kept.
        settings: what is taken.
        labels: from an adapter's name to its labels; raises UnknownAdapter.
        answers: the audit log.
        metrics: what is counted.
    """

    def __init__(
        self,
        redacting: Redacting,
        store: FeedbackStore,
        settings: FeedbackSettings,
        labels: Callable[[str], Sequence[str]],
        answers: Answers,
        metrics: Metrics,
    ) -> None:
        self._redacting, self._store, self._settings = redacting, store, settings
        self._labels, self._answers, self._metrics = labels, answers, metrics
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="finslm-feedback")

    async def keep(self, call: Call, entry: Entry, task: Task, text: RawText, correction: Correction) -> FeedbackResult:
        """Check a correction, redact it and make it durable.

        Raises:
            ConsentMissing: nobody said that it may be kept, or not on a basis that this server takes.
            InvalidRequest: the correction does not fit the task or the verdict, or its label is not known.
            FeedbackFull, QuotaExceeded, FeedbackUnavailable, VaultTampered: of the store.
            As :meth:`finslm.redacting.Redacting.redact`.
        """
        self._check_consent(correction)
        _check_form(task, text, correction)
        new_label = await self._check_label(call, task, correction)
        redacted, kept = await self._redact(call, task, text, correction)
        entry.entity_counts, entry.action_counts = redacted.entity_counts, redacted.action_counts
        answered = await self._answered(call, task, correction)
        versions = self._redacting.versions(call)
        new = NewFeedback(
            tenant=call.principal.tenant,
            principal=call.principal.name,
            request_id=call.request_id,
            task=task.name,
            verdict=correction.verdict,
            text=kept.text,
            label=correction.label.value if correction.label is not None else "",
            new_label=new_label,
            answer=kept.answer,
            consent_basis=correction.consent.basis,
            consent_by=correction.consent.given_by,
            entity_counts=redacted.entity_counts,
            policy_digest=versions.policy_digest,
            redactor_digest=versions.redactor_digest,
            answer_request_id=correction.answer_request_id,
            model=(answered.model_name, answered.model_digest) if answered else ("", ""),
            adapter=(answered.adapter_name, answered.adapter_digest) if answered else ("", ""),
            subject=call.subject,
        )
        made = await self._on_thread(partial(self._store.add, new))
        entry.output_chars = len(kept.text) + len(kept.answer)
        self._metrics.count_feedback(task.name, correction.verdict)
        return FeedbackResult(made, redacted.entity_counts, answered is not None)

    async def sweep(self) -> int:
        """Erase what is older than it may be; return how many records that were.

        Raises:
            FeedbackUnavailable: the store cannot be used; it is worth another try.
        """
        return await self._on_thread(self._store.sweep)

    async def events(self) -> Sequence[FeedbackEvent]:
        """Return what was done with the store, by this process or the command line, and is not on record yet."""
        return await self._on_thread(self._store.events)

    async def recorded(self, events: Sequence[FeedbackEvent]) -> None:
        """Forget events: they are on record."""
        await self._on_thread(partial(self._store.told, events))

    def close(self) -> None:
        """End the thread, and let go of the store."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._store.close()

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _check_consent(self, correction: Correction) -> None:
        consent, taken = correction.consent, self._settings.consent_bases
        if not consent.given or not consent.given_by or consent.basis not in taken:
            raise ConsentMissing(
                "the text may not be kept: consent.given must be true, consent.given_by say who gave it, and "
                f"consent.basis be one of {', '.join(taken)}"
            )

    async def _check_label(self, call: Call, task: Task, correction: Correction) -> bool:
        """Whether the label is new to the task. One that no list has is a caller's own words: nothing may be in it.

        Raises:
            InvalidRequest: with reason UNKNOWN_LABEL or LABELS_HOLD_PERSONAL_DATA.
        """
        if correction.label is None or correction.label.value in self._known(task):
            return False
        if not task.takes_labels and not self._settings.new_labels:
            rule = "must be one of the task's labels: this server takes no new ones"
            raise InvalidRequest(f"label {rule}", FieldViolation("label", rule), reason="UNKNOWN_LABEL")
        redacted = await self._redacting.redact_for_good(call, correction.label)
        if redacted.text != correction.label.value:
            found = ", ".join(sorted(redacted.entity_counts))
            raise InvalidRequest(
                f"the label holds {found}: word it without, it is kept as it is",
                FieldViolation("label", "must hold no personal data"),
                reason="LABELS_HOLD_PERSONAL_DATA",
            )
        return not task.takes_labels

    def _known(self, task: Task) -> Sequence[str]:
        return self._labels(task.adapter) if task.adapter is not None else ()

    async def _redact(self, call: Call, task: Task, text: RawText, correction: Correction) -> tuple[Redacted, _Kept]:
        """(6) (7) (8) for the text and the answer in one, so that they share their placeholders."""
        together = text.value if correction.answer is None else f"{text.value}{BETWEEN}{correction.answer.value}"
        redacted = await self._redacting.redact_for_good(call, RawText(together))
        kept_text, *kept_answer = known_placeholders_kept(redacted).split(BETWEEN)
        if len(kept_answer) != (correction.answer is not None):
            raise ValueNotReplaced("what was found reaches from the text into the answer: send them worded otherwise")
        kept = _Kept(kept_text, "".join(kept_answer))
        if (schema := task.document) is not None and kept.answer:
            try:
                return redacted, kept._replace(answer=parse(kept.answer, schema))
            except InvalidOutput:
                raise ValueNotReplaced(
                    "with its values replaced the answer no longer matches the task's schema: it cannot be kept"
                ) from None
        return redacted, kept

    async def _answered(self, call: Call, task: Task, correction: Correction) -> Record | None:
        """The OUTCOME of the answer that this is about; None where this log has none for the caller's tenant.

        Another replica may have answered, so that is no error; what is not the caller's is as unknown.
        """
        if not correction.answer_request_id:
            return None
        found = await asyncio.to_thread(_outcome, self._answers, correction)
        if found is None or found.tenant != call.principal.tenant or found.task != task.name:
            return None
        return found


def _outcome(answers: Answers, correction: Correction) -> Record | None:
    index, wanted = correction.answer_index, correction.answer_request_id
    try:
        records = [answers.record(index)] if index is not None else [record for _, record in answers.find(wanted)]
    except UnknownRecord:
        return None
    fitting = [r for r in records if r.request_id == wanted and r.kind is Kind.OUTCOME and r.status == "OK"]
    return fitting[-1] if fitting else None


def _check_form(task: Task, text: RawText, correction: Correction) -> None:
    """The correction is of the kind that the task answers with.

    Raises:
        InvalidRequest: it is not, or a right answer is not repeated.
    """
    wanted, other = ("label", "answer") if task.kind is TaskKind.CLASSIFY else ("answer", "label")
    if getattr(correction, other) is not None:
        _refuse(other, f"does not fit task {task.name}, which is {task.kind}: send {wanted}")
    given: RawText | None = getattr(correction, wanted)
    if given is None:
        if correction.verdict is Verdict.RIGHT:
            _refuse(wanted, "must repeat what was answered where the verdict is RIGHT")
        return
    if BETWEEN in text.value or BETWEEN in given.value:
        _refuse(wanted, "must not hold a record separator between empty lines, nor must the text")
    if (schema := task.document) is not None:
        try:
            parse(given.value, schema)
        except InvalidOutput as error:
            _refuse(wanted, f"must match the task's schema: {error}")


def _refuse(field: str, rule: str) -> None:
    raise InvalidRequest(f"{field} {rule}", FieldViolation(field, rule))
