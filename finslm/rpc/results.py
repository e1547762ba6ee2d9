"""What the client returns: frozen values made of the messages. No torch, no redaction, no server part is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from finslm.v1 import audit_pb2, common_pb2, inference_pb2, models_pb2


@final
@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that the call's record is durable; hashes are 64 hex digits. Keep ``proof`` with your answer."""

    index: int
    leaf_hash: str
    tree_size: int
    root_hash: str
    proof: str = field(default="", repr=False)
    """C2SP tlog-proof, signed by the log; for a file ending in ``.tlog-proof``. Empty from an older server."""

    @classmethod
    def parse(cls, data: bytes) -> Receipt:
        """Read the trailing metadata ``finslm-receipt-bin``."""
        proto = common_pb2.Receipt.FromString(data)
        return cls(proto.index, proto.leaf_hash.hex(), proto.tree_size, proto.root_hash.hex(), proto.proof)

    def verify(self, vkey: str) -> None:
        """Check, without asking anybody, that the log has signed for the record.

        Args:
            vkey: the log's public key (``log.vkey``), from a place that the service cannot write.

        Raises:
            ValueError: there is no proof, or it does not hold with this key for this record.
        """
        from finslm.audit.checkpoint import Verifier
        from finslm.audit.proof import Proof

        proof = Proof.parse(self.proof)
        signed = proof.verify(bytes.fromhex(self.leaf_hash), Verifier.parse(vkey.strip()))
        if (proof.index, signed.size, signed.root_hash.hex()) != (self.index, self.tree_size, self.root_hash):
            raise ValueError("receipt: the signed proof is of another record or tree than the receipt says")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What every answer has. ``receipt`` is None where the call leaves no record, or sends none."""

    request_id: str
    receipt: Receipt | None


@final
@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int


@final
@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """A model's name and the SHA-256 over its files (64 hex digits)."""

    name: str
    digest: str


@final
@dataclass(frozen=True, slots=True)
class Detection:
    """A piece of personal data: ``text[start:end]``, in code points."""

    type: str
    start: int
    end: int
    score: float
    source: str


@final
@dataclass(frozen=True, slots=True)
class UnsupportedFact:
    """A NUMBER, NAME, ADDRESS or PLACEHOLDER that an answer has and its text has not: ``answer.text[start:end]``."""

    start: int
    end: int
    kind: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Generated(Result):
    """A whole answer; ``finish_reason`` is STOP, LENGTH or BLOCKED. ``adapter`` is None where the base itself wrote.

    ``unsupported``: facts of the answer that the text sent does not have; only tasks that sum up are checked.
    """

    text: str = field(repr=False)
    finish_reason: str
    usage: Usage
    model: ModelIdentity
    entity_counts: Mapping[str, int]
    adapter: ModelIdentity | None = None
    unsupported: Sequence[UnsupportedFact] = ()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Classified(Result):
    """Labels and their probabilities, the likeliest first; ``adapter`` is None where the request named the labels.

    ``abstained``: the best probability is below ``abstain_below``; take no label then.
    """

    labels: Sequence[tuple[str, float]]
    usage: Usage
    model: ModelIdentity
    adapter: ModelIdentity | None
    entity_counts: Mapping[str, int]
    abstained: bool


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted(Result):
    """A JSON document that matches the task's schema, as text; ``scores`` says how sure its fields are."""

    json: str = field(repr=False)
    usage: Usage
    model: ModelIdentity
    entity_counts: Mapping[str, int]
    adapter: ModelIdentity | None = None
    scores: Mapping[str, float] = field(default_factory=dict)


@final
@dataclass(frozen=True, slots=True)
class Cited:
    """A piece of the document that was sent: ``document[start:end]``, in code points, and its words."""

    start: int
    end: int
    text: str = field(repr=False)


@final
@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence or a row that an answer rests on, and how likely it is to hold a part of it."""

    cited: Cited
    score: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFound(Result):
    """An answer from a document; where ``found`` is False, ``abstention`` says why there is none.

    ``program`` says how it was calculated: ``#1`` in it is the first of ``citations``.
    """

    found: bool
    text: str = field(repr=False)
    values: Sequence[str] = field(repr=False)
    scale: str
    program: str
    citations: Sequence[Cited]
    evidence: Sequence[Evidence]
    confidence: float
    abstention: str
    usage: Usage
    model: ModelIdentity
    ranker: ModelIdentity
    entity_counts: Mapping[str, int]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Analyzed(Result):
    """Where personal data is."""

    detections: Sequence[Detection]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted(Result):
    """A redacted text and the session that restores it."""

    session_id: str = field(repr=False)
    text: str = field(repr=False)
    detections: Sequence[Detection]
    entity_counts: Mapping[str, int]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Restored(Result):
    """A restored text."""

    text: str = field(repr=False)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackKept(Result):
    """A correction that was kept; ``answer_known``: the server has the record of the answer that it is about."""

    feedback_id: str
    entity_counts: Mapping[str, int]
    answer_known: bool


@final
@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model that is served; ``kind`` is BASE, ADAPTER, DETECTOR, RANKER or UNSPECIFIED."""

    identity: ModelIdentity
    kind: str
    description: str
    licence: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPage(Result):
    """A page of models; ``next_page_token`` is empty on the last."""

    models: Sequence[ModelCard]
    next_page_token: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFound(Result):
    """One model."""

    model: ModelCard


@final
@dataclass(frozen=True, slots=True)
class AuditRecord:
    """A record; the leaf hash (hex) is over ``canonical_json``."""

    index: int
    leaf_hash: str
    canonical_json: bytes
    kind: str
    time: str
    request_id: str
    principal: str
    tenant: str
    method: str
    task: str
    status: str
    reason: str
    event: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Records(Result):
    """The records found, in the order of the log. ``request_id`` is this call's, not theirs."""

    records: Sequence[AuditRecord]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRead(Result):
    """The newest checkpoint, as a signed note (C2SP tlog-checkpoint)."""

    checkpoint: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof(Result):
    """RFC 6962 audit path of a leaf; hashes in hex, from the leaf up."""

    index: int
    tree_size: int
    leaf_hash: str
    hashes: Sequence[str]
    proof: str
    """The same as C2SP tlog-proof, signed by the log."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyProof(Result):
    """RFC 6962 consistency proof between two trees; hashes in hex."""

    old_size: int
    new_size: int
    hashes: Sequence[str]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage(Result):
    """Records that fit a filter; ``next_page_token`` is empty at the end."""

    records: Sequence[AuditRecord]
    next_page_token: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Verified(Result):
    """What a check of the whole log found."""

    tree_size: int
    root_hash: str
    records: int
    intents_without_outcome: Sequence[int]
    outcomes_without_intent: Sequence[int]
    ok: bool
    first_kept: int
    """Index of the first record that retention has left."""


def usage(proto: common_pb2.Usage) -> Usage:
    """Token counts."""
    return Usage(proto.prompt_tokens, proto.completion_tokens)


def identity(proto: common_pb2.ModelIdentity) -> ModelIdentity:
    """Name and digest."""
    return ModelIdentity(proto.name, proto.digest)


def detections(protos: Sequence[common_pb2.Detection]) -> tuple[Detection, ...]:
    """Pieces found."""
    return tuple(Detection(p.type, p.start, p.end, p.score, p.source) for p in protos)


def generated(
    proto: inference_pb2.GenerateResponse | inference_pb2.GenerateSummary, text: str, meta: Mapping[str, Any]
) -> Generated:
    """A whole answer, of one message or of a stream's pieces and summary."""
    return Generated(
        text=text,
        finish_reason=inference_pb2.FinishReason.Name(proto.finish_reason).removeprefix("FINISH_REASON_"),
        usage=usage(proto.usage),
        model=identity(proto.model),
        entity_counts=dict(proto.entity_counts),
        adapter=identity(proto.adapter) if proto.HasField("adapter") else None,
        unsupported=tuple(UnsupportedFact(fact.start, fact.end, fact.kind) for fact in proto.unsupported),
        **meta,
    )


def answer_found(proto: inference_pb2.AnswerResponse, meta: Mapping[str, Any]) -> AnswerFound:
    """An answer from a document."""
    abstention = inference_pb2.Abstention.Name(proto.abstention).removeprefix("ABSTENTION_")
    return AnswerFound(
        found=proto.found,
        text=proto.text,
        values=tuple(proto.values),
        scale=proto.scale,
        program=proto.program,
        citations=tuple(map(_cited, proto.citations)),
        evidence=tuple(Evidence(_cited(each.citation), each.score) for each in proto.evidence),
        confidence=proto.confidence,
        abstention="" if proto.found else abstention,
        usage=usage(proto.usage),
        model=identity(proto.model),
        ranker=identity(proto.ranker),
        entity_counts=dict(proto.entity_counts),
        **meta,
    )


def _cited(proto: inference_pb2.Citation) -> Cited:
    return Cited(proto.start, proto.end, proto.text)


def model_card(proto: models_pb2.Model) -> ModelCard:
    """A model."""
    kind = models_pb2.ModelKind.Name(proto.kind).removeprefix("MODEL_KIND_")
    return ModelCard(identity(proto.identity), kind, proto.description, proto.licence)


def audit_record(proto: audit_pb2.AuditRecord) -> AuditRecord:
    """A record."""
    return AuditRecord(
        index=proto.index,
        leaf_hash=proto.leaf_hash.hex(),
        canonical_json=proto.canonical_json,
        kind=audit_pb2.RecordKind.Name(proto.kind).removeprefix("RECORD_KIND_"),
        time=proto.time,
        request_id=proto.request_id,
        principal=proto.principal,
        tenant=proto.tenant,
        method=proto.method,
        task=proto.task,
        status=proto.status,
        reason=proto.reason,
        event=proto.event,
    )
