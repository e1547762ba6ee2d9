"""Steps (6) to (8), (11) and (12): ``redaction`` off the event loop, with a deadline, and its errors as ours."""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, final

import structlog

from finslm.audit.calls import RedactionVersions
from finslm.config import DEFAULT_POLICY, RedactionSettings
from finslm.engine.schema_rules import WORDS, read_schema
from finslm.errors import (
    DeadlineExceeded,
    DetectorFailed,
    FieldViolation,
    FinslmError,
    InvalidOutput,
    InvalidRequest,
    ResidualPII,
    UnknownPolicy,
    ValueNotReplaced,
)
from finslm.sessions import Sessions, told
from finslm.tasks import Task
from finslm.tasks.extraction import parse
from finslm.telemetry.metrics import Metrics
from finslm.types import Call, Grammar, Principal, Prompt, RawGrammar
from redaction import Detection, Policy, RawText, Redacted, RedactedText, Redactor
from redaction.budget import budget as time_budget
from redaction.errors import CannotReplace
from redaction.for_good import for_good
from redaction.guard import Finding, LeakFound, StreamGuard, Watch, watches
from redaction.keys import KeyProvider
from redaction.leaks import Fingerprints
from redaction.operators import PLACEHOLDER, Context
from redaction.places import TOOL_KEYS, InPlaceRestorer, Place, restore_in_place
from redaction.policy import LITERAL
from redaction.restore import unknown_placeholders
from redaction.vault import SessionIssuer, Vault, VaultEvent

MAX_RESTORED_CHARS = 1 << 18
"""Values that one Restore may put in, characters: eight times the longest text."""

_log = structlog.get_logger(__name__)


@final
class Redacting:
    """The redactor and the vault, as the pipeline uses them. Fails closed: any failure refuses the call.

    Args:
        redactor: that of the default policy.
        settings: limits, and which tenant may use which policy.
        metrics: what is counted and timed.
        vault: keeps what Redact has replaced, for Restore.
        policies: the further policies, by name; they share the redactor's models.
        keys: what keyed operators' keys come from; None: texts that need one are refused.
        canaries: words that no answer may hold.
    """

    def __init__(
        self,
        redactor: Redactor,
        settings: RedactionSettings,
        metrics: Metrics,
        vault: Vault,
        policies: Mapping[str, Policy] = MappingProxyType({}),
        keys: KeyProvider | None = None,
        canaries: Sequence[str] = (),
    ) -> None:
        self.redactor = redactor
        self._named = {name: redactor.with_policy(policy) for name, policy in policies.items()}
        self._named[DEFAULT_POLICY] = redactor
        self._canaries = tuple(canaries)
        self._of_tenants = settings.tenant_policies
        self._sessions = Sessions(vault, keys)
        self._vaulting = ThreadPoolExecutor(settings.threads, thread_name_prefix="finslm-vault")
        self._budget_s = settings.budget_s
        self._metrics = metrics
        self._threads = ThreadPoolExecutor(settings.threads, thread_name_prefix="finslm-detect")

    async def redact(self, call: Call, text: RawText, field: str = "text") -> Redacted:
        """(6) detect, (7) replace, (8) look again. Placeholders are ``<TYPE_N>``: for the model, not for the wire.

        Args:
            field: of the request, named where the text is too long for the policy.

        Raises:
            UnknownPolicy: the caller named a policy that its tenant has not.
            InvalidRequest: the text is longer than the policy takes.
            DetectorFailed: a detector failed, or did not end within the budget of the settings or the policy.
            DeadlineExceeded: the caller's deadline passed first.
            ValueNotReplaced: an operator of the policy does not take a value.
            ResidualPII: the second look found something.
            VaultUnavailable, KeyDestroyed, VaultTampered: of the tenant's placeholders.
        """
        redactor = self._redactor_for(call)
        _check_length(text, redactor.policy, field)
        return await self._redacted(
            call, redactor, text, lambda: self._sessions.for_model(call.principal, redactor.policy, call.subject)
        )

    async def redact_to_keep(self, call: Call, text: RawText, session_id: str) -> tuple[Redacted, str]:
        """As :meth:`redact`, for a text that leaves the process: its values stay in the vault, under a session.

        Args:
            session_id: of an earlier answer to this caller, or empty.

        Returns:
            The text, whose placeholders carry the session's nonce; the session's id.

        Raises:
            UnknownSession: none of this id for this caller, or expired.
            As :meth:`redact`.
        """
        redactor = self._redactor_for(call)
        used: list[SessionIssuer] = []

        def context() -> Context:
            used.append(self._sessions.to_keep(call.principal, redactor.policy, session_id))
            return self._sessions.with_keys(call.principal, used[-1], call.subject)

        redacted = await self._redacted(call, redactor, text, context)
        return redacted, used[-1].session_id

    async def redact_for_good(self, call: Call, text: RawText) -> Redacted:
        """As :meth:`redact`, for a text that is kept: no map to its values is, and no key undoes what replaces them."""
        context = partial(self._sessions.with_keys, call.principal, subject=call.subject)
        redactor = await asyncio.to_thread(for_good, self._redactor_for(call))  # the first of a policy takes a while
        return await self._redacted(call, redactor, text, context)

    async def _redacted(
        self, call: Call, redactor: Redactor, text: RawText, context: Callable[[], Context]
    ) -> Redacted:
        _check_length(text, redactor.policy)
        redacted, left = await self._search(call, redactor, text, context)
        if left:
            types = ", ".join(sorted({detection.type for detection in left}))
            raise ResidualPII(f"the second look found {types} in the redacted text; nothing was passed on")
        self._metrics.count_entities(redacted.entity_counts, redacted.action_counts)
        return redacted

    async def grammar(self, call: Call, asked: RawGrammar | None) -> Grammar | None:
        """(6) for a grammar: nobody's data may stand in it, for the answer carries what it says past redaction.

        Placeholders may: a caller writes them for values that it knows to be replaced.

        Raises:
            InvalidRequest: with reason GRAMMAR_HOLDS_PERSONAL_DATA; or it is too long, or no JSON.
            UnknownPolicy, DetectorFailed, DeadlineExceeded: as for :meth:`redact`.
        """
        if asked is None:
            return None
        redactor, text = self._redactor_for(call), RawText("\n".join(_texts(asked)))
        _check_length(text, redactor.policy, "constraint")
        context = partial(self._sessions.with_keys, call.principal)
        redacted, left = await self._search(call, redactor, text, context)
        if found := {detection.type for detection in (*redacted.detections, *left)} - {LITERAL}:
            raise InvalidRequest(
                f"the grammar holds {', '.join(sorted(found))}, and it is not redacted: leave that out, or write "
                "the placeholder that the model reads in its place",
                reason="GRAMMAR_HOLDS_PERSONAL_DATA",
            )
        return Grammar(asked.kind, tuple(RedactedText(part.value) for part in asked.parts))

    async def _search(
        self, call: Call, redactor: Redactor, text: RawText, context: Callable[[], Context]
    ) -> tuple[Redacted, list[Detection]]:
        allowed = _budget_s(redactor.policy, self._budget_s)
        remaining = call.remaining_s()
        budget = allowed if remaining is None else min(allowed, remaining)
        loop = asyncio.get_running_loop()
        try:
            with self._metrics.stage("redact"):
                until = time.monotonic() + budget
                # Not wait_for: before Python 3.12 it swallows a cancellation that comes with the result.
                async with asyncio.timeout(budget):
                    return await loop.run_in_executor(self._threads, _redact, redactor, text, until, context)
        except TimeoutError:
            if remaining is not None and remaining <= allowed:
                raise DeadlineExceeded("the deadline passed during redaction: allow the call more time") from None
            raise DetectorFailed(f"detection took more than {allowed} s: send a shorter text") from None

    async def labels(self, call: Call, task: Task, labels: Sequence[RawText]) -> tuple[RedactedText, ...]:
        """(6) and (8) for the labels of a request, which are to be answered as they are: none of (7).

        They are looked at together, one a line, so that a list of them is read as one.

        Raises:
            InvalidRequest: the task takes none or needs some, or something was found in them.
            ResidualPII, DetectorFailed, DeadlineExceeded, UnknownPolicy: see :meth:`redact`.
        """
        _check_taken(task, labels)
        if not labels:
            return ()
        lines = "\n".join(sorted(label.value for label in labels))
        looked = await self.redact(call, RawText(lines))
        if looked.text != lines:
            found = ", ".join(sorted(looked.entity_counts))
            raise InvalidRequest(
                f"the labels hold {found}: word them without, they reach the model as they are",
                FieldViolation("labels", "must hold no personal data"),
                reason="LABELS_HOLD_PERSONAL_DATA",
            )
        return tuple(RedactedText(line) for line in looked.redacted_text.value.split("\n"))

    def versions(self, call: Call) -> RedactionVersions:
        """Return the digests of what holds for a call, for its record."""
        try:
            redactor = self._redactor_for(call)
        except UnknownPolicy:  # :meth:`redact` raises it, within the record
            return RedactionVersions("", "")
        return RedactionVersions(redactor.policy.digest, redactor.digest)

    def _redactor_for(self, call: Call) -> Redactor:
        usable = self._of_tenants.get(call.principal.tenant, (DEFAULT_POLICY,))
        name = call.policy or usable[0]
        if name not in usable:
            raise UnknownPolicy(f"no such policy for this caller; it may use: {', '.join(usable)}")
        return self._named[name]

    def restorer(self, call: Call, redacted: Redacted, form: Grammar | None) -> InPlaceRestorer:
        """(12) for a stream. In a JSON document the values are escaped, as its strings are."""
        placeholders, allowed = redacted.placeholders, self._redactor_for(call).policy.restore_in
        if form is not None and form.kind == "json_schema":
            if Place.TOOL_ARGUMENTS not in allowed and TOOL_KEYS & {*_leaves(read_schema(form.parts[0].value))}:
                placeholders = {}
            placeholders = {each: json.dumps(value, ensure_ascii=False)[1:-1] for each, value in placeholders.items()}
        return InPlaceRestorer(placeholders, allowed)

    def guard(self, call: Call, text: RawText, prompt: Prompt, redacted: Redacted) -> StreamGuard:
        """(11) for a draft: what no answer may hold, and what the policy of the call does with it."""
        return StreamGuard(self._watches(call, text, prompt, redacted), self._count_finding)

    def values(
        self,
        call: Call,
        text: RawText,
        prompt: Prompt,
        redacted: Redacted,
        document: Mapping[str, Any],
        counts: Counter[str],
    ) -> Any:
        """(11) for values that were taken from the redacted text: each is looked at by itself.

        Side by side they could look like what they are not: a number next to the word passport.

        Args:
            counts: how often each thing was found is added to them, what is refused included.

        Returns:
            The document with what had to be masked masked.

        Raises:
            InvalidOutput: something in a value is to be refused.
        """
        watched = self._watches(call, text, prompt, redacted)

        def screened(value: str) -> str:
            guard = StreamGuard(watched, self._count_finding)
            try:
                return guard.feed(value) + guard.close()
            except LeakFound as leak:
                raise InvalidOutput(f"{leak}; the answer was withheld") from None
            finally:
                counts.update({f"{each.kind}.{each.type}.{each.action}": each.count for each in guard.report})

        return _each_leaf(document, screened)

    def restored(self, call: Call, document: Any, redacted: Redacted) -> Any:
        """(12) for a document whose leaves hold placeholders of this request.

        Raises:
            InvalidOutput: it names others.
        """
        if any(unknown_placeholders(leaf, redacted.placeholders) for leaf in _leaves(document)):
            raise InvalidOutput("the answer names placeholders that this request was not issued; it was withheld")
        return _restore_leaves(document, redacted.placeholders, self._redactor_for(call).policy.restore_in)

    def _watches(self, call: Call, text: RawText, prompt: Prompt, redacted: Redacted) -> tuple[Watch, ...]:
        redactor = self._redactor_for(call)
        shown = "\n".join(message.text.value for message in prompt.messages)
        values = ((found.type, text.value[found.start : found.end]) for found in redacted.detections)
        system = [message.text.value for message in prompt.messages if message.role == "system"]
        return watches(
            redactor.policy.answer,
            lambda draft: redactor.second_look(replace(redacted, text=draft, written=())),
            Fingerprints(values).without(shown),
            Fingerprints(prompts=system, canaries=self._canaries),
        )

    def _count_finding(self, found: Finding) -> None:
        self._metrics.count_answer(found.kind, found.type, str(found.action), found.count)

    def document(self, call: Call, answer: str, task: Task, redacted: Redacted, guard: StreamGuard) -> str:
        """(11) guard and check a JSON answer, (12) restore its leaves, so that quotes in values stay escaped.

        Raises:
            InvalidOutput: not JSON, not the task's schema, or it holds personal data of nobody's.
        """
        if task.schema is None:
            raise AssertionError("an extraction task has a schema")
        document = parse(answer, task.schema, redacted.redacted_text)
        try:
            tree = json.loads(guard.feed(document) + guard.close())
        except LeakFound as leak:
            raise InvalidOutput(f"{leak}; the answer was withheld") from None
        except ValueError:
            raise InvalidOutput("what had to be masked is no text of the document; the answer was withheld") from None
        restored = self.restored(call, tree, redacted)
        return json.dumps(restored, ensure_ascii=False, separators=(",", ":"))

    async def restore(self, principal: Principal, session_id: str, text: str) -> str:
        """Put a session's values back.

        Raises:
            UnknownSession: none of this id for this caller, or expired.
            InvalidRequest: the text has placeholders that this session did not issue.
            VaultUnavailable, KeyDestroyed, VaultTampered: of the vault.
        """
        loop = asyncio.get_running_loop()
        placeholders = await loop.run_in_executor(self._vaulting, self._sessions.values, principal, session_id, text)
        if strangers := unknown_placeholders(text, placeholders):
            raise InvalidRequest(
                f"{len(strangers)} placeholders were not issued in this session: send the text as redacted",
                reason="UNKNOWN_PLACEHOLDER",
            )
        self._check_size(text, placeholders)
        return self.redactor.restore_from(text, placeholders)

    def _check_size(self, text: str, placeholders: Mapping[str, str]) -> None:
        """One long value, many times: refuse before the memory is taken."""
        size = sum(len(placeholders.get(match[0], match[0])) for match in PLACEHOLDER.finditer(text))
        if size > MAX_RESTORED_CHARS:
            raise InvalidRequest(
                f"the values would take {size} characters, limit {MAX_RESTORED_CHARS}: restore the text in parts",
                reason="TEXT_TOO_LONG",
            )

    async def sweep(self) -> int:
        """Erase from the vault what has expired; return how many sessions that were.

        Raises:
            VaultUnavailable: it cannot be reached; it is worth another try.
        """
        return await asyncio.get_running_loop().run_in_executor(self._vaulting, self._sessions.sweep)

    async def record_events(self, record: Callable[[VaultEvent], Awaitable[None]]) -> None:
        """Put on record what was done to the vault, by this process or another, the command line included.

        An event leaves the vault when it is on record: one that is cut off between is put on record twice, with the
        same id, and none is lost.

        Args:
            record: returns when an event is durable.

        Raises:
            VaultUnavailable: the store cannot be reached; it is worth another try.
            AuditUnavailable: of ``record``.
        """
        loop = asyncio.get_running_loop()
        while events := await loop.run_in_executor(self._vaulting, self._sessions.events):
            for event in events:
                await record(event)
            await loop.run_in_executor(self._vaulting, self._sessions.recorded, events)

    def close(self) -> None:
        """End the threads, and let go of the vault."""
        for threads in (self._threads, self._vaulting):
            threads.shutdown(wait=True, cancel_futures=True)
        self._sessions.close()


def _redact(
    redactor: Redactor, text: RawText, until: float, context: Callable[[], Context]
) -> tuple[Redacted, list[Detection]]:
    try:
        with time_budget(until - time.monotonic()), told():  # so that the thread ends with its caller
            redacted = redactor.redact(text, context())
            return redacted, redactor.second_look(redacted)
    except FinslmError:
        raise
    except CannotReplace as error:
        raise ValueNotReplaced(f"{error}: leave it out, or have it given another action in the policy") from None
    except Exception as error:  # noqa: BLE001 - any failure refuses the call, and its message may hold text
        frames = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        _log.error("detector_failed", error=type(error).__name__, frames=frames[-5:])
        raise DetectorFailed("detection failed and the text was not passed on; see the server's log") from None


def _texts(grammar: RawGrammar) -> Iterator[str]:
    """What may come into an answer: of a schema every name, text and number, decoded, but the words of the standard."""
    for part in grammar.parts:
        if grammar.kind == "json_schema":
            yield from (leaf for leaf in _leaves(read_schema(part.value)) if leaf not in WORDS)
        else:
            yield part.value


def _leaves(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        yield from tree
    if isinstance(tree, dict | list):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from _leaves(part)
    else:
        yield str(tree)


def _check_length(text: RawText, policy: Policy, field: str = "text") -> None:
    limit = policy.max_chars
    if limit is not None and len(text) > limit:
        violation = FieldViolation(field, f"must be at most {limit} code points under this policy")
        message = f"{field} has {len(text)} code points, limit of the policy {limit}: send it in parts"
        raise InvalidRequest(message, violation, reason="TEXT_TOO_LONG")


def _check_taken(task: Task, labels: Sequence[RawText]) -> None:
    if labels and not task.takes_labels:
        rule = "must be empty: the task has labels of its own"
        raise InvalidRequest(f"labels {rule}", FieldViolation("labels", rule), reason="LABELS_NOT_TAKEN")
    if task.takes_labels and not labels:
        rule = "must be given: the task chooses among them"
        raise InvalidRequest(f"labels {rule}", FieldViolation("labels", rule), reason="LABELS_MISSING")


def _budget_s(policy: Policy, most: float) -> float:
    return most if policy.budget_ms is None else min(most, policy.budget_ms / 1000)


def _each_leaf(tree: Any, change: Callable[[str], str]) -> Any:
    if isinstance(tree, str):
        return change(tree)
    if isinstance(tree, list):
        return [_each_leaf(item, change) for item in tree]
    if isinstance(tree, dict):
        return {name: _each_leaf(item, change) for name, item in tree.items()}
    return tree


def _restore_leaves(tree: Any, placeholders: Mapping[str, str], allowed: Collection[Place]) -> Any:
    if isinstance(tree, str):
        return restore_in_place(tree, placeholders, allowed)
    if isinstance(tree, list):
        return [_restore_leaves(item, placeholders, allowed) for item in tree]
    if isinstance(tree, dict):
        left = frozenset[str]() if Place.TOOL_ARGUMENTS in allowed else TOOL_KEYS
        return {k: v if k in left else _restore_leaves(v, placeholders, allowed) for k, v in tree.items()}
    return tree
