"""Domain values that every room of the house shares. No behaviour, no I/O."""

from __future__ import annotations

import enum
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, NamedTuple, TypedDict, TypeVar, final

from redaction.detection import Detection
from redaction.text import RawText, RedactedText

T = TypeVar("T")
Role = Literal["system", "user", "assistant"]
GrammarKind = Literal["json_schema", "regex", "choice"]


@final
@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls. ``name`` comes from the operator's token file or the server's settings, never from the caller."""

    name: str
    tenant: str = "default"


@final
@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    text: RedactedText


@final
@dataclass(frozen=True, slots=True)
class Prompt:
    """What the engine sees. It is made of :class:`RedactedText` only; raw text does not type-check.

    ``prefill`` is text the answer starts with (written by a task, for example ``{`` for JSON).
    """

    messages: tuple[Message, ...]
    prefill: RedactedText = field(default_factory=lambda: RedactedText.trusted(""))


@final
@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How tokens are chosen. ``temperature`` 0 means greedy; ``top_k`` 0 and ``top_p`` 1 switch those off.

    Args:
        min_p: keep tokens of at least this much of the largest probability; 0 is off.
        presence_penalty: subtracted from the logit of a token that the answer already has; 0 is off.
        frequency_penalty: subtracted once for each time that the answer has it; 0 is off.
        logit_bias: token ids and what is added to their logits; pairs, so that the whole can be hashed.
        logprobs: how many of the likeliest tokens are told with each choice, inside this process only; 0 is off.
    """

    max_tokens: int = 128
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    logprobs: int = 0


@final
@dataclass(frozen=True, slots=True)
class Grammar:
    """What an answer must look like; the decoder offers no token that leads elsewhere.

    Args:
        kind: what the parts are.
        parts: the text of a JSON Schema (draft 2020-12); a regular expression that the whole answer matches; or the
            answers to choose from. The answer holds them, so they are text in which nothing is left to redact.
    """

    kind: GrammarKind
    parts: tuple[RedactedText, ...]


@final
@dataclass(frozen=True, slots=True)
class RawGrammar:
    """A :class:`Grammar` as a caller sent it."""

    kind: GrammarKind
    parts: tuple[RawText, ...]


class SamplingOverrides(TypedDict, total=False):
    """The parameters a caller sets; the task's own hold for the rest.

    Without ``logprobs``: how likely the other tokens were tells what the prompt says, whatever is replaced in the text.
    """

    max_tokens: int
    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float
    seed: int
    stop: tuple[str, ...]
    min_p: float
    presence_penalty: float
    frequency_penalty: float
    logit_bias: tuple[tuple[int, float], ...]


class FinishReason(enum.StrEnum):
    """Why an answer ended."""

    STOP = "STOP"
    """The model ended it, or a stop string was met."""
    LENGTH = "LENGTH"
    """``max_tokens`` or the model's window was reached."""
    BLOCKED = "BLOCKED"
    """The answer was judged unsafe and withheld."""


@final
@dataclass(frozen=True, slots=True)
class TokenChunk:
    """A piece of an answer. The last one carries ``finish_reason``; ``token_count`` counts this chunk's tokens."""

    text: str = field(repr=False)
    token_count: int
    finish_reason: FinishReason | None = None


@final
@dataclass(frozen=True, slots=True)
class LabelScore:
    """A label and its probability (softmax over all labels of the task, in [0, 1]).

    Args:
        logprob: natural logarithm of the probability of the label's words after the prompt, where the language model
            scored it; for use inside this process only.
    """

    label: str
    score: float
    logprob: float | None = None


@final
@dataclass(frozen=True, slots=True)
class TaggedSpan:
    """A value in a text.

    Args:
        start, end: code points of the text, half open.
        field: what it is.
        score: the probability that it is there and exactly this long, in [0, 1].
        gain: how much likelier it is there than nothing is, natural logarithm; what spans that overlap are weighed by.
    """

    start: int
    end: int
    field: str
    score: float
    gain: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens read and written."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


@final
@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """A model or adapter: its name in the registry and the SHA-256 over its files (64 hex digits)."""

    name: str
    digest: str


@final
@dataclass(frozen=True, slots=True)
class Call:
    """One RPC on its way through the pipeline.

    Args:
        request_id: UUID, the caller's or one we made.
        principal: who calls.
        method: full gRPC method without the package, e.g. ``InferenceService/Generate``.
        deadline: ``time.monotonic()`` value by which the caller stops listening, or None.
        policy: the redaction policy that the caller names; empty: the one of its tenant.
        subject: whom the text is about, for operators that go by it.
    """

    request_id: str
    principal: Principal
    method: str
    deadline: float | None = None
    policy: str = ""
    subject: str = field(default="", repr=False)

    def remaining_s(self) -> float | None:
        """Seconds until the deadline; None when the caller set none."""
        return None if self.deadline is None else self.deadline - time.monotonic()


@final
class Fact(NamedTuple):
    """A piece of a text that can be looked up in another: start and end in code points, half open, and its kind."""

    start: int
    end: int
    kind: str


@final
@dataclass(frozen=True, slots=True)
class GenerateResult:
    """An answer, restored for its caller; ``unsupported`` are facts of it that the caller's text does not have."""

    text: str = field(repr=False)
    finish_reason: FinishReason
    usage: Usage
    model: ModelIdentity
    entity_counts: Mapping[str, int]
    adapter: ModelIdentity | None = None
    unsupported: Sequence[Fact] = ()


@final
@dataclass(frozen=True, slots=True)
class ClassifyResult:
    """Labels by falling probability. ``model`` is the base, ``adapter`` the classifier on it where there is one.

    ``abstained`` says that the best probability is below what the caller asked for.
    """

    labels: Sequence[LabelScore]
    usage: Usage
    model: ModelIdentity
    adapter: ModelIdentity | None
    entity_counts: Mapping[str, int]
    abstained: bool = False


@final
@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that a record is durable: its index, leaf hash (hex) and the tree size and root (hex) right after."""

    index: int
    leaf_hash: str
    tree_size: int
    root_hash: str
    proof: str = ""
    """C2SP tlog-proof of an OUTCOME, signed by the log; empty for other records."""


@final
@dataclass(frozen=True, slots=True)
class RedactResult:
    """Text with placeholders, and the session under which Restore gives the values back."""

    session_id: str
    text: str = field(repr=False)
    detections: Sequence[Detection]
    entity_counts: Mapping[str, int]


@final
@dataclass(frozen=True, slots=True)
class ModelView:
    """A model as ModelService shows it."""

    identity: ModelIdentity
    kind: str
    description: str
    licence: str


@final
@dataclass(frozen=True, slots=True)
class ExtractResult:
    """A JSON document (text) that matches the task's schema, restored for its caller.

    ``adapter`` is what tagged it, where one did; ``scores`` then says how sure each field with a value is, in [0, 1].
    """

    json: str = field(repr=False)
    usage: Usage
    model: ModelIdentity
    entity_counts: Mapping[str, int]
    adapter: ModelIdentity | None = None
    scores: Mapping[str, float] = field(default_factory=dict)


@final
@dataclass(frozen=True, slots=True)
class Cited:
    """A piece of the caller's document: half-open code points of it, and its words as the policy gives them back."""

    start: int
    end: int
    text: str = field(repr=False)


@final
@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence or a row that an answer rests on, and how likely it is to hold a part of it, in [0, 1]."""

    cited: Cited
    score: float


@final
@dataclass(frozen=True, slots=True)
class AnswerResult:
    """An answer from a document, restored for its caller.

    Args:
        found: whether there is one; else ``abstention`` says why not.
        text: the values and their scale, in words.
        values: its parts.
        scale: what they count: ``thousand``, ``million``, ``billion``, ``percent``, or nothing.
        program: how it was calculated, from ``citations`` in their order; empty: it stands in the document.
        citations: the words and figures.
        evidence: the likeliest first.
        confidence: that the document answers at all, in [0, 1].
        model: the encoder.
    """

    found: bool
    text: str = field(repr=False)
    values: tuple[str, ...] = field(repr=False)
    scale: str
    program: str
    citations: tuple[Cited, ...]
    evidence: tuple[Evidence, ...]
    confidence: float
    abstention: str
    usage: Usage
    model: ModelIdentity
    ranker: ModelIdentity
    entity_counts: Mapping[str, int]


class Verdict(enum.StrEnum):
    """What a user says of an answer."""

    RIGHT = "RIGHT"
    WRONG = "WRONG"


@final
@dataclass(frozen=True, slots=True)
class Consent:
    """That a text may be kept and trained on: by whom (SUBJECT, EMPLOYEE, CONTROLLER) and on which basis."""

    given: bool = False
    basis: str = ""
    given_by: str = ""


@final
@dataclass(frozen=True, slots=True)
class Correction:
    """What a user says of an answer, as the caller sent it.

    Args:
        verdict: was it right.
        consent: without it nothing is kept.
        label, answer: what would have been right, or was; at most one of the two.
        answer_request_id: of the call whose answer it is about; empty: not said.
        answer_index: index of that answer's record in the audit log, where the caller has its receipt.
    """

    verdict: Verdict
    consent: Consent
    label: RawText | None = None
    answer: RawText | None = None
    answer_request_id: str = ""
    answer_index: int | None = None


@final
@dataclass(frozen=True, slots=True)
class FeedbackResult:
    """What was kept; ``answer_known``: the answer that it is about was found in the audit log."""

    feedback_id: str
    entity_counts: Mapping[str, int]
    answer_known: bool


@final
@dataclass(frozen=True, slots=True)
class Answered(Generic[T]):
    """A result and the receipt of its OUTCOME record, which was durable before this was made."""

    value: T
    receipt: Receipt
