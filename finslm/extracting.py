"""Steps (9) to (12) of Extract: an adapter tags the values of a task's fields, and code writes the document.

For a task without an adapter the model writes the document, under a grammar.
What is tagged stands in the redacted text, so nothing in such a document is invented, and a placeholder is in a value
whole or not at all.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, final

from finslm.audit.calls import Entry
from finslm.drafting import Draft
from finslm.engine.base import Engine
from finslm.redacting import Redacting
from finslm.tasks import Task
from finslm.tasks.choosing import choose
from finslm.tasks.extraction import check
from finslm.tasks.forms import Form
from finslm.telemetry.metrics import Metrics
from finslm.types import Call, ExtractResult, ModelIdentity, Prompt, Usage
from redaction import RawText, Redacted


@final
class Extracting:
    """Fills in the document of a task.

    Args:
        redacting: guards and restores.
        engine: computes.
        metrics: what is counted and timed.
    """

    def __init__(self, redacting: Redacting, engine: Engine, metrics: Metrics) -> None:
        self._redacting, self._engine, self._metrics = redacting, engine, metrics

    async def document(self, call: Call, entry: Entry, task: Task, text: RawText, redacted: Redacted) -> ExtractResult:
        """The document, restored for its caller.

        Raises:
            InvalidOutput: it does not match the schema, or holds what it must not.
            UnknownAdapter: the task's adapter is not served.
            Overloaded, DeadlineExceeded, EngineUnavailable, PromptTooLong: of the engine.
        """
        prompt = task.render(redacted.redacted_text)  # (9)
        if task.form is not None and task.adapter is not None:
            return await self._tagged(call, entry, task.form, task.adapter, prompt, text, redacted)
        return await self._written(call, entry, task, prompt, text, redacted)

    async def _tagged(
        self, call: Call, entry: Entry, form: Form, adapter: str, prompt: Prompt, text: RawText, redacted: Redacted
    ) -> ExtractResult:
        entry.adapter = next((served for served in self._engine.adapters if served.name == adapter), None)
        tenant, deadline = call.principal.tenant, call.deadline
        with self._metrics.stage("tag"):
            tagging = self._engine.tag(prompt, adapter, form.labels, tenant=tenant, deadline=deadline)
            found, tokens = await tagging  # (10)
            # A long text takes long: not on the loop.
            spans = await asyncio.to_thread(choose, form, redacted.text, found)
        entry.usage = Usage(prompt_tokens=tokens)
        filled = form.fill(redacted.text, spans)
        counts = Counter[str]()
        entry.answer_counts = lambda: dict(counts)  # of a refused document too
        guarded = self._redacting.values(call, text, prompt, redacted, filled, counts)  # (11)
        restored = self._redacting.restored(call, guarded, redacted)  # (12)
        document = form.complete(filled, restored, form.doubtful(redacted.text, filled))
        check(document, form.schema())
        whole = _compact(document)
        entry.output_chars = len(whole)
        scores = {name: score for name, score in form.scores(spans).items() if document[name] is not None}
        return self._result(whole, entry, redacted, entry.adapter, scores)

    async def _written(
        self, call: Call, entry: Entry, task: Task, prompt: Prompt, text: RawText, redacted: Redacted
    ) -> ExtractResult:
        guard = self._redacting.guard(call, text, prompt, redacted)
        draft = Draft(entry, self._engine, prompt, guard, self._metrics)
        answer = ""
        tenant, deadline, issued = call.principal.tenant, call.deadline, redacted.placeholders
        answering = self._engine.generate(
            prompt, task.defaults, grammar=task.grammar, placeholders=issued, tenant=tenant, deadline=deadline
        )
        async with aclosing(answering) as chunks:
            async for chunk in chunks:  # (10)
                draft.count(chunk)
                answer += chunk.text
        document = self._redacting.document(call, answer, task, redacted, guard)  # (11) (12)
        draft.sent(document)
        return self._result(document, entry, redacted, None, {})

    def _result(
        self,
        document: str,
        entry: Entry,
        redacted: Redacted,
        adapter: ModelIdentity | None,
        scores: Mapping[str, float],
    ) -> ExtractResult:
        usage = entry.usage or Usage()
        return ExtractResult(document, usage, self._engine.model, redacted.entity_counts, adapter, scores)


def _compact(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
