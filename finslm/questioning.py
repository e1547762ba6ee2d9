"""Steps (9) to (12) of Answer: a document in sentences and rows, read by the encoder, ranked, answered by rules.

Question and document are redacted as one text, so that a value is the same placeholder in both. Where the cells of a
table stand is read in the document as it was sent, and their words are those of its redacted form: a value that goes
over the edge of a cell takes no cell with it. What is answered and cited goes through the guard and is restored like
any answer; the places are those of the caller's own document.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar, final

import numpy as np

from finslm.answering.answerer import Reply, reply, units_to_read
from finslm.answering.answers import Citation
from finslm.answering.document import Document, Unit
from finslm.answering.ranking import RANKER_FILE, Ranker, Reading
from finslm.answering.text import Layout, Place, layout
from finslm.answering.words import as_words
from finslm.audit.calls import Entry
from finslm.engine.adapters import weights_sha256
from finslm.engine.answer import NOT_FINITE
from finslm.engine.base import Engine
from finslm.engine.mailbox import DEADLINE_MESSAGE
from finslm.errors import ConfigError, DeadlineExceeded, EngineUnavailable, UnknownAdapter
from finslm.models.registry import InstalledModel
from finslm.redacting import Redacting
from finslm.telemetry.metrics import Metrics
from finslm.types import AnswerResult, Call, Cited, Evidence, Message, ModelIdentity, Prompt, Usage
from redaction import RawText, Redacted, RedactedText
from redaction.alignment import Alignment

T = TypeVar("T")
BETWEEN: Final = "\n\n"
"""What parts question and document in the text that is redacted."""
_THREADS: Final = 2


@final
@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question and a document, as one text.

    Args:
        text: both.
        question: where the question stands in it.
        document: as it was sent; it begins ``start`` code points later than the text.
    """

    text: RawText
    question: Place
    document: str = field(repr=False)
    start: int

    @classmethod
    def of(cls, question: RawText, document: RawText) -> Inquiry:
        """Put them together."""
        whole = RawText(f"{question.value}{BETWEEN}{document.value}")
        return cls(whole, Place(0, len(question)), document.value, len(question) + len(BETWEEN))


@final
@dataclass(frozen=True, slots=True)
class Ranking:
    """What chooses evidence: a ranker, and the encoder whose reading it was trained on."""

    ranker: Ranker = field(repr=False)
    identity: ModelIdentity
    encoder: ModelIdentity

    @classmethod
    def open(cls, model: InstalledModel, encoder: InstalledModel) -> Ranking:
        """Read a ranker of the registry.

        Raises:
            ConfigError: it cannot be used, or was trained on what another encoder reads.
        """
        ranker = Ranker.read(model.path / RANKER_FILE)
        trained, served = str(ranker.about.get("base_weights_sha256")), weights_sha256(encoder.path)
        if trained != served:
            raise ConfigError(
                f"ranker {model.identity.name} was trained on weights {trained[:12]}…, but engine.encoder has "
                f"{served[:12]}…: train it again or serve that encoder"
            )
        return cls(ranker, model.identity, encoder.identity)


@final
class Questioning:
    """Answers questions over documents.

    Args:
        redacting: guards and restores.
        engine: reads.
        metrics: what is timed.
        ranking: chooses evidence; None: no question is answered.
    """

    def __init__(self, redacting: Redacting, engine: Engine, metrics: Metrics, ranking: Ranking | None) -> None:
        self._redacting, self._engine, self._metrics, self._ranking = redacting, engine, metrics, ranking
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="finslm-answer")

    async def answer(self, call: Call, entry: Entry, asked: Inquiry, redacted: Redacted) -> AnswerResult:
        """Answer with evidence, or abstain; restored for the caller.

        Raises:
            UnknownAdapter: the server answers no questions.
            InvalidRequest: the document has no sentence, or too many.
            InvalidOutput: the answer or its evidence holds what it must not.
            Overloaded, DeadlineExceeded, EngineUnavailable: of the engine.
        """
        if (ranking := self._ranking) is None:
            raise UnknownAdapter("this server answers no questions: the operator sets engine.ranker")
        entry.model, entry.adapter = ranking.encoder, ranking.identity
        shown, own, texts = await self._aside(_read, asked, redacted)
        tenant, deadline = call.principal.tenant, call.deadline
        with self._metrics.stage("read"):
            states, tokens = await self._engine.read(texts, tenant=tenant, deadline=deadline)  # (10)
        entry.usage = Usage(prompt_tokens=tokens)
        if not all(np.isfinite(each.hidden).all() for each in states):
            raise EngineUnavailable(NOT_FINITE)
        readings = [Reading.of(each.ids, each.hidden) for each in states]
        return await self._aside(self._decided, call, entry, shown, own, readings, ranking)

    async def _aside(self, work: Callable[..., T], *given: Any) -> T:
        """Off the event loop, and in threads of its own: a hard document keeps nobody but questions waiting."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *given))

    def _decided(
        self,
        call: Call,
        entry: Entry,
        shown: _Shown,
        own: list[Unit],
        readings: list[Reading],
        ranking: Ranking,
    ) -> AnswerResult:
        _check_time(call)  # whoever no longer listens is answered no further
        with self._metrics.stage("answer"):
            found = reply(ranking.ranker, shown.question, shown.document, own, readings)
            _check_time(call)
            result = self._restored(call, entry, shown, own, found, ranking)
        entry.output_chars = len(result.text)
        return result

    def _restored(
        self, call: Call, entry: Entry, shown: _Shown, own: list[Unit], found: Reply, ranking: Ranking
    ) -> AnswerResult:
        answer = found.answer
        entry.abstained = answer is None
        cited = [shown.citation(own[c.unit - 1], c) for c in answer.citations] if answer else []
        evidence = [shown.unit(unit) for unit in found.evidence]
        tree = {
            "values": list(answer.values) if answer else [],
            "citations": [text for _, text in cited],
            "evidence": [text for _, text in evidence],
        }
        whole = self._given(call, entry, shown, tree)
        scale = answer.scale if answer else ""
        passages = [Cited(*place, text) for (place, _), text in zip(evidence, whole["evidence"], strict=True)]
        return AnswerResult(
            found=answer is not None,
            text=" ".join(filter(None, ["; ".join(whole["values"]), scale])),
            values=tuple(whole["values"]),
            scale=scale,
            program=answer.program if answer else "",
            citations=tuple(Cited(*place, text) for (place, _), text in zip(cited, whole["citations"], strict=True)),
            evidence=tuple(Evidence(each, score) for each, score in zip(passages, found.scores, strict=True)),
            confidence=found.confidence,
            abstention=str(found.abstained or ""),
            usage=entry.usage or Usage(),
            model=ranking.encoder,
            ranker=ranking.identity,
            entity_counts=shown.redacted.entity_counts,
        )

    def _given(self, call: Call, entry: Entry, shown: _Shown, tree: dict[str, Any]) -> Any:
        """(11) guarded, (12) restored."""
        prompt = Prompt((Message("user", shown.redacted.redacted_text),))
        counts = Counter[str]()
        entry.answer_counts = lambda: dict(counts)  # of a refused answer too
        guarded = self._redacting.values(call, shown.asked.text, prompt, shown.redacted, tree, counts)
        return self._redacting.restored(call, guarded, shown.redacted)


@final
@dataclass(frozen=True, slots=True)
class _Shown:
    """Question and document as what reads them sees them, and where its pieces stand in the caller's own."""

    asked: Inquiry
    redacted: Redacted
    alignment: Alignment
    layout: Layout = field(repr=False)
    question: str = field(repr=False)
    document: Document

    @classmethod
    def of(cls, asked: Inquiry, redacted: Redacted) -> _Shown:
        alignment, found = Alignment(redacted), layout(asked.document)

        def text(place: Place) -> str:
            start, end = alignment.shown(asked.start + place.start, asked.start + place.end)
            return redacted.text[start:end]

        start, end = alignment.shown(*asked.question)
        return cls(asked, redacted, alignment, found, redacted.text[start:end], found.document(text))

    def unit(self, unit: Unit) -> tuple[Place, str]:
        """Where a sentence or a row stands in the caller's document, and what is shown of it."""
        if unit.row is not None:
            return self._at(self.layout.rows[unit.row].place)
        return self._sentence(unit, 0, len(unit.text))

    def citation(self, unit: Unit, cited: Citation) -> tuple[Place, str]:
        """The same for the cell or the words in it that are cited."""
        if unit.row is not None and cited.column is not None:
            return self._at(self.layout.rows[unit.row].cells[cited.column])
        if unit.row is not None or (start := unit.text.find(cited.text)) < 0:
            return self.unit(unit)
        return self._sentence(unit, start, len(cited.text))

    def _at(self, place: Place) -> tuple[Place, str]:
        start, end = self.alignment.shown(self.asked.start + place.start, self.asked.start + place.end)
        return place, self.redacted.text[start:end]

    def _sentence(self, unit: Unit, start: int, count: int) -> tuple[Place, str]:
        """A piece of a sentence, which may have been parted after redaction only."""
        paragraph = self.layout.paragraphs[unit.paragraph or 0]
        first = self.alignment.shown(self.asked.start + paragraph.start, self.asked.start)[0] + unit.start + start
        place = self.alignment.original(first, first + count)
        own = Place(max(0, place[0] - self.asked.start), max(0, place[1] - self.asked.start))
        return own, self.redacted.text[first : first + count]


def _read(asked: Inquiry, redacted: Redacted) -> tuple[_Shown, list[Unit], list[RedactedText]]:
    """Question and document as they are read: the pieces of the document, and the words of question and pieces."""
    shown = _Shown.of(asked, redacted)
    own = units_to_read(shown.document)
    return shown, own, [RedactedText(as_words(text)) for text in (shown.question, *(unit.text for unit in own))]


def _check_time(call: Call) -> None:
    if (left := call.remaining_s()) is not None and left <= 0:
        raise DeadlineExceeded(DEADLINE_MESSAGE)
