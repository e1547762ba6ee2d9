"""The calls a client can make, as values: method, request, and how the answer is read.

The two clients differ only in how they send; what they send is here, once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypedDict, TypeVar

from google.protobuf.message import Message

from finslm.rpc import results
from finslm.rpc.client_texts import sendable
from finslm.v1 import audit_pb2, feedback_pb2, inference_pb2, models_pb2, redaction_pb2

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class RpcCall(Generic[R]):
    """One call: ``method`` such as ``InferenceService/Generate``, and what its answer means.

    ``read`` gets the answer and what every result has (``request_id`` and ``receipt``).
    """

    method: str
    request: Message
    response_type: type[Message]
    read: Callable[[Any, Mapping[str, Any]], R]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen; None leaves a field to the task. Ranges: ``SamplingParams`` in inference.proto."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    stop: Sequence[str] = ()
    min_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: Mapping[int, float] = field(default_factory=dict)

    def to_proto(self) -> inference_pb2.SamplingParams:
        """The message."""
        return inference_pb2.SamplingParams(
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            repetition_penalty=self.repetition_penalty,
            seed=self.seed,
            stop=self.stop,
            min_p=self.min_p,
            presence_penalty=self.presence_penalty,
            frequency_penalty=self.frequency_penalty,
            logit_bias=self.logit_bias,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """What an answer must look like; set one of the three. Rules: ``Constraint`` in inference.proto.

    Raises:
        ValueError: none is set, or more than one.
    """

    json_schema: str | Mapping[str, Any] | None = None
    regex: str | None = None
    choice: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if (count := sum(form is not None for form in (self.json_schema, self.regex, self.choice))) != 1:
            raise ValueError(f"a constraint is one of json_schema, regex and choice; {count} are set")

    def to_proto(self) -> inference_pb2.Constraint:
        """The message."""
        if self.choice is not None:
            return inference_pb2.Constraint(choice=inference_pb2.Constraint.Choice(options=self.choice))
        if self.regex is not None:
            return inference_pb2.Constraint(regex=self.regex)
        schema = self.json_schema
        return inference_pb2.Constraint(json_schema=schema if isinstance(schema, str) else json.dumps(schema))


@sendable
def generate(
    text: str, task: str, sampling: Sampling | None, constraint: Constraint | None, policy: str, subject: str = ""
) -> RpcCall[results.Generated]:
    """InferenceService.Generate."""
    request = inference_pb2.GenerateRequest(
        task=task,
        text=text,
        sampling=sampling.to_proto() if sampling else None,
        constraint=constraint.to_proto() if constraint else None,
        policy=policy,
        subject=subject,
    )
    return RpcCall(
        "InferenceService/Generate",
        request,
        inference_pb2.GenerateResponse,
        lambda answer, meta: results.generated(answer, answer.text, meta),
    )


@sendable
def generate_stream(
    text: str, task: str, sampling: Sampling | None, constraint: Constraint | None, policy: str, subject: str = ""
) -> RpcCall[inference_pb2.GenerateStreamResponse]:
    """InferenceService.GenerateStream; ``read`` returns each message as it is."""
    request = inference_pb2.GenerateStreamRequest(
        task=task,
        text=text,
        sampling=sampling.to_proto() if sampling else None,
        constraint=constraint.to_proto() if constraint else None,
        policy=policy,
        subject=subject,
    )
    return RpcCall(
        "InferenceService/GenerateStream", request, inference_pb2.GenerateStreamResponse, lambda answer, _: answer
    )


@sendable
def classify(
    text: str, task: str, policy: str, labels: Sequence[str], abstain_below: float | None, subject: str = ""
) -> RpcCall[results.Classified]:
    """InferenceService.Classify."""

    def read(answer: inference_pb2.ClassifyResponse, meta: Mapping[str, Any]) -> results.Classified:
        return results.Classified(
            labels=tuple((scored.label, scored.score) for scored in answer.labels),
            usage=results.usage(answer.usage),
            model=results.identity(answer.model),
            adapter=results.identity(answer.adapter) if answer.HasField("adapter") else None,
            entity_counts=dict(answer.entity_counts),
            abstained=answer.abstained,
            **meta,
        )

    request = inference_pb2.ClassifyRequest(
        task=task, text=text, policy=policy, labels=labels, abstain_below=abstain_below, subject=subject
    )
    return RpcCall("InferenceService/Classify", request, inference_pb2.ClassifyResponse, read)


@sendable
def extract(text: str, task: str, policy: str, subject: str = "") -> RpcCall[results.Extracted]:
    """InferenceService.Extract."""

    def read(answer: inference_pb2.ExtractResponse, meta: Mapping[str, Any]) -> results.Extracted:
        return results.Extracted(
            json=answer.json,
            usage=results.usage(answer.usage),
            model=results.identity(answer.model),
            entity_counts=dict(answer.entity_counts),
            adapter=results.identity(answer.adapter) if answer.HasField("adapter") else None,
            scores=dict(answer.scores),
            **meta,
        )

    request = inference_pb2.ExtractRequest(task=task, text=text, policy=policy, subject=subject)
    return RpcCall("InferenceService/Extract", request, inference_pb2.ExtractResponse, read)


@sendable
def answer(question: str, document: str, policy: str, subject: str = "") -> RpcCall[results.AnswerFound]:
    """InferenceService.Answer."""
    request = inference_pb2.AnswerRequest(question=question, document=document, policy=policy, subject=subject)
    return RpcCall("InferenceService/Answer", request, inference_pb2.AnswerResponse, results.answer_found)


@sendable
def analyze(text: str, policy: str) -> RpcCall[results.Analyzed]:
    """RedactionService.Analyze."""
    return RpcCall(
        "RedactionService/Analyze",
        redaction_pb2.AnalyzeRequest(text=text, policy=policy),
        redaction_pb2.AnalyzeResponse,
        lambda answer, meta: results.Analyzed(detections=results.detections(answer.detections), **meta),
    )


@sendable
def redact(text: str, policy: str, session_id: str, subject: str = "") -> RpcCall[results.Redacted]:
    """RedactionService.Redact."""

    def read(answer: redaction_pb2.RedactResponse, meta: Mapping[str, Any]) -> results.Redacted:
        return results.Redacted(
            session_id=answer.session_id,
            text=answer.text,
            detections=results.detections(answer.detections),
            entity_counts=dict(answer.entity_counts),
            **meta,
        )

    request = redaction_pb2.RedactRequest(text=text, policy=policy, session_id=session_id, subject=subject)
    return RpcCall("RedactionService/Redact", request, redaction_pb2.RedactResponse, read)


@sendable
def restore(text: str, session_id: str) -> RpcCall[results.Restored]:
    """RedactionService.Restore."""
    return RpcCall(
        "RedactionService/Restore",
        redaction_pb2.RestoreRequest(session_id=session_id, text=text),
        redaction_pb2.RestoreResponse,
        lambda answer, meta: results.Restored(text=answer.text, **meta),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """That a text may be kept and trained on.

    Args:
        basis: a code that the server takes, for example ``CONSENT``.
        given_by: SUBJECT, EMPLOYEE or CONTROLLER.

    Raises:
        ValueError: ``given_by`` is something else.
    """

    basis: str
    given_by: str

    def __post_init__(self) -> None:
        known = [name.removeprefix("CONSENT_GIVER_") for name in feedback_pb2.ConsentGiver.keys()[1:]]
        if self.given_by not in known:
            raise ValueError(f"given_by is one of {', '.join(known)}")

    def to_proto(self) -> feedback_pb2.Consent:
        """The message; giving it is giving consent."""
        giver = feedback_pb2.ConsentGiver.Value(f"CONSENT_GIVER_{self.given_by}")
        return feedback_pb2.Consent(given=True, basis=self.basis, given_by=giver)


@sendable
def submit_feedback(
    text: str,
    task: str,
    verdict: Literal["RIGHT", "WRONG"],
    label: str | None,
    answer: str | None,
    consent: Consent | None,
    about: results.Result | None,
    policy: str,
    subject: str,
) -> RpcCall[results.FeedbackKept]:
    """FeedbackService.SubmitFeedback.

    Raises:
        ValueError: a label and an answer are given, or the verdict is none.
    """
    if label is not None and answer is not None:
        raise ValueError("a correction is a label or an answer, not both")
    request = feedback_pb2.SubmitFeedbackRequest(
        task=task,
        text=text,
        policy=policy,
        verdict=feedback_pb2.Verdict.Value(f"VERDICT_{verdict}"),
        consent=consent.to_proto() if consent else None,
        answer_request_id=about.request_id if about else "",
        answer_index=about.receipt.index if about and about.receipt else None,
        subject=subject,
    )
    if label is not None:
        request.label = label
    if answer is not None:
        request.answer = answer

    def read(kept: feedback_pb2.SubmitFeedbackResponse, meta: Mapping[str, Any]) -> results.FeedbackKept:
        return results.FeedbackKept(
            feedback_id=kept.feedback_id,
            entity_counts=dict(kept.entity_counts),
            answer_known=kept.answer_known,
            **meta,
        )

    return RpcCall("FeedbackService/SubmitFeedback", request, feedback_pb2.SubmitFeedbackResponse, read)


@sendable
def list_models(page_size: int, page_token: str) -> RpcCall[results.ModelPage]:
    """ModelService.ListModels."""

    def read(answer: models_pb2.ListModelsResponse, meta: Mapping[str, Any]) -> results.ModelPage:
        cards = tuple(map(results.model_card, answer.models))
        return results.ModelPage(models=cards, next_page_token=answer.next_page_token, **meta)

    request = models_pb2.ListModelsRequest(page_size=page_size, page_token=page_token)
    return RpcCall("ModelService/ListModels", request, models_pb2.ListModelsResponse, read)


@sendable
def get_model(name: str) -> RpcCall[results.ModelFound]:
    """ModelService.GetModel."""
    return RpcCall(
        "ModelService/GetModel",
        models_pb2.GetModelRequest(name=name),
        models_pb2.GetModelResponse,
        lambda answer, meta: results.ModelFound(model=results.model_card(answer.model), **meta),
    )


@sendable
def get_record(index: int | None, record_request_id: str | None) -> RpcCall[results.Records]:
    """AuditService.GetRecord."""
    selector: dict[str, Any] = {"index": index, "record_request_id": record_request_id}
    return RpcCall(
        "AuditService/GetRecord",
        audit_pb2.GetRecordRequest(**selector),
        audit_pb2.GetRecordResponse,
        lambda answer, meta: results.Records(records=tuple(map(results.audit_record, answer.records)), **meta),
    )


def get_checkpoint() -> RpcCall[results.CheckpointRead]:
    """AuditService.GetCheckpoint."""
    return RpcCall(
        "AuditService/GetCheckpoint",
        audit_pb2.GetCheckpointRequest(),
        audit_pb2.GetCheckpointResponse,
        lambda answer, meta: results.CheckpointRead(checkpoint=answer.checkpoint, **meta),
    )


def get_inclusion_proof(index: int, tree_size: int | None) -> RpcCall[results.InclusionProof]:
    """AuditService.GetInclusionProof."""

    def read(answer: audit_pb2.GetInclusionProofResponse, meta: Mapping[str, Any]) -> results.InclusionProof:
        return results.InclusionProof(
            index=answer.index,
            tree_size=answer.tree_size,
            leaf_hash=answer.leaf_hash.hex(),
            hashes=tuple(h.hex() for h in answer.hashes),
            proof=answer.proof,
            **meta,
        )

    request = audit_pb2.GetInclusionProofRequest(index=index, tree_size=tree_size)
    return RpcCall("AuditService/GetInclusionProof", request, audit_pb2.GetInclusionProofResponse, read)


def get_consistency_proof(old_size: int, new_size: int | None) -> RpcCall[results.ConsistencyProof]:
    """AuditService.GetConsistencyProof."""

    def read(answer: audit_pb2.GetConsistencyProofResponse, meta: Mapping[str, Any]) -> results.ConsistencyProof:
        hashes = tuple(h.hex() for h in answer.hashes)
        return results.ConsistencyProof(old_size=answer.old_size, new_size=answer.new_size, hashes=hashes, **meta)

    request = audit_pb2.GetConsistencyProofRequest(old_size=old_size, new_size=new_size)
    return RpcCall("AuditService/GetConsistencyProof", request, audit_pb2.GetConsistencyProofResponse, read)


class RecordChoice(TypedDict, total=False):
    """Which audit records; those that fit all that is given."""

    time_from: str
    """First moment, ``2026-01-31T00:00:00Z``."""
    time_to: str
    """End, exclusive."""
    kind: Literal["INTENT", "OUTCOME", "EVENT"]
    tenant: str
    principal: str
    method: str
    task: str
    status: str
    reason: str
    event: str


@sendable
def list_records(chosen: RecordChoice, page_size: int, page_token: str) -> RpcCall[results.RecordPage]:
    """AuditService.ListRecords."""

    def read(answer: audit_pb2.ListRecordsResponse, meta: Mapping[str, Any]) -> results.RecordPage:
        records = tuple(map(results.audit_record, answer.records))
        return results.RecordPage(records=records, next_page_token=answer.next_page_token, **meta)

    wanted = audit_pb2.RecordFilter(**_named(chosen))
    request = audit_pb2.ListRecordsRequest(filter=wanted, page_size=page_size, page_token=page_token)
    return RpcCall("AuditService/ListRecords", request, audit_pb2.ListRecordsResponse, read)


@sendable
def export_records(chosen: RecordChoice) -> RpcCall[audit_pb2.ExportRecordsResponse]:
    """AuditService.ExportRecords; ``read`` returns each message as it is."""
    request = audit_pb2.ExportRecordsRequest(filter=audit_pb2.RecordFilter(**_named(chosen)))
    return RpcCall("AuditService/ExportRecords", request, audit_pb2.ExportRecordsResponse, lambda answer, _: answer)


def _named(chosen: RecordChoice) -> dict[str, Any]:
    """Fields of a filter, its kind by name: ``OUTCOME``."""
    named: dict[str, Any] = {**chosen}
    if kind := named.pop("kind", ""):
        named["kind"] = audit_pb2.RecordKind.Value(f"RECORD_KIND_{kind}")
    return named


def verify() -> RpcCall[results.Verified]:
    """AuditService.Verify."""

    def read(answer: audit_pb2.VerifyResponse, meta: Mapping[str, Any]) -> results.Verified:
        return results.Verified(
            tree_size=answer.tree_size,
            root_hash=answer.root_hash.hex(),
            records=answer.records,
            intents_without_outcome=tuple(answer.intents_without_outcome),
            outcomes_without_intent=tuple(answer.outcomes_without_intent),
            ok=answer.ok,
            first_kept=answer.first_kept,
            **meta,
        )

    return RpcCall("AuditService/Verify", audit_pb2.VerifyRequest(), audit_pb2.VerifyResponse, read)
