"""From domain values to messages. No decision is taken here."""

from __future__ import annotations

from collections.abc import Mapping

from finslm.types import (
    AnswerResult,
    Cited,
    ClassifyResult,
    ExtractResult,
    Fact,
    FinishReason,
    GenerateResult,
    ModelIdentity,
    Receipt,
    Usage,
)
from finslm.v1 import common_pb2, inference_pb2
from redaction.detection import Detection

_FINISH: Mapping[FinishReason, inference_pb2.FinishReason.ValueType] = {
    FinishReason.STOP: inference_pb2.FINISH_REASON_STOP,
    FinishReason.LENGTH: inference_pb2.FINISH_REASON_LENGTH,
    FinishReason.BLOCKED: inference_pb2.FINISH_REASON_BLOCKED,
}


def receipt_to_proto(receipt: Receipt) -> common_pb2.Receipt:
    """Hashes travel as their 32 bytes."""
    return common_pb2.Receipt(
        index=receipt.index,
        leaf_hash=bytes.fromhex(receipt.leaf_hash),
        tree_size=receipt.tree_size,
        root_hash=bytes.fromhex(receipt.root_hash),
        proof=receipt.proof,
    )


def usage_to_proto(usage: Usage) -> common_pb2.Usage:
    """Token counts."""
    return common_pb2.Usage(prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens)


def identity_to_proto(identity: ModelIdentity) -> common_pb2.ModelIdentity:
    """Name and digest."""
    return common_pb2.ModelIdentity(name=identity.name, digest=identity.digest)


def detection_to_proto(detection: Detection) -> common_pb2.Detection:
    """Kind, place and score; never the piece of text."""
    return common_pb2.Detection(
        type=detection.type, start=detection.start, end=detection.end, score=detection.score, source=detection.source
    )


def generate_to_proto(result: GenerateResult) -> inference_pb2.GenerateResponse:
    """A whole answer."""
    return inference_pb2.GenerateResponse(
        text=result.text,
        finish_reason=_FINISH[result.finish_reason],
        usage=usage_to_proto(result.usage),
        model=identity_to_proto(result.model),
        entity_counts=result.entity_counts,
        adapter=None if result.adapter is None else identity_to_proto(result.adapter),
        unsupported=[_fact_to_proto(fact) for fact in result.unsupported],
    )


def summary_to_proto(result: GenerateResult) -> inference_pb2.GenerateSummary:
    """The end of a streamed answer."""
    return inference_pb2.GenerateSummary(
        finish_reason=_FINISH[result.finish_reason],
        usage=usage_to_proto(result.usage),
        model=identity_to_proto(result.model),
        entity_counts=result.entity_counts,
        adapter=None if result.adapter is None else identity_to_proto(result.adapter),
        unsupported=[_fact_to_proto(fact) for fact in result.unsupported],
    )


def _fact_to_proto(fact: Fact) -> inference_pb2.UnsupportedFact:
    return inference_pb2.UnsupportedFact(start=fact.start, end=fact.end, kind=fact.kind)


def classify_to_proto(result: ClassifyResult) -> inference_pb2.ClassifyResponse:
    """Labels by falling probability."""
    return inference_pb2.ClassifyResponse(
        labels=[inference_pb2.LabelScore(label=s.label, score=s.score) for s in result.labels],
        usage=usage_to_proto(result.usage),
        model=identity_to_proto(result.model),
        adapter=None if result.adapter is None else identity_to_proto(result.adapter),
        entity_counts=result.entity_counts,
        abstained=result.abstained,
    )


def extract_to_proto(result: ExtractResult) -> inference_pb2.ExtractResponse:
    """The JSON document."""
    return inference_pb2.ExtractResponse(
        json=result.json,
        usage=usage_to_proto(result.usage),
        model=identity_to_proto(result.model),
        entity_counts=result.entity_counts,
        adapter=None if result.adapter is None else identity_to_proto(result.adapter),
        scores=result.scores,
    )


def answer_to_proto(result: AnswerResult) -> inference_pb2.AnswerResponse:
    """An answer with its evidence."""
    evidence = [inference_pb2.Evidence(citation=_cited(each.cited), score=each.score) for each in result.evidence]
    return inference_pb2.AnswerResponse(
        found=result.found,
        text=result.text,
        values=result.values,
        scale=result.scale,
        program=result.program,
        citations=map(_cited, result.citations),
        evidence=evidence,
        confidence=result.confidence,
        abstention=inference_pb2.Abstention.Value(f"ABSTENTION_{result.abstention or 'UNSPECIFIED'}"),
        usage=usage_to_proto(result.usage),
        model=identity_to_proto(result.model),
        ranker=identity_to_proto(result.ranker),
        entity_counts=result.entity_counts,
    )


def _cited(cited: Cited) -> inference_pb2.Citation:
    return inference_pb2.Citation(start=cited.start, end=cited.end, text=cited.text)
