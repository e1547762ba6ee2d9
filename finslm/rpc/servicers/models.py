"""ModelService."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from finslm.errors import FieldViolation, InvalidRequest, UnknownModel
from finslm.rpc.convert import identity_to_proto
from finslm.rpc.gate import Gate
from finslm.rpc.interceptor import Context
from finslm.types import ModelView
from finslm.v1 import models_pb2, models_pb2_grpc

if TYPE_CHECKING:
    from finslm.pipeline import Pipeline

DEFAULT_PAGE_SIZE: Final = 50
"""Models of a page whose size the caller leaves open."""

_KINDS: Final = {
    "base": models_pb2.MODEL_KIND_BASE,
    "adapter": models_pb2.MODEL_KIND_ADAPTER,
    "detector": models_pb2.MODEL_KIND_DETECTOR,
    "ranker": models_pb2.MODEL_KIND_RANKER,
}


class ModelServicer(models_pb2_grpc.ModelServiceServicer):
    """ListModels, GetModel."""

    def __init__(self, gate: Gate, pipeline: Pipeline) -> None:
        self._gate = gate
        self._pipeline = pipeline

    async def ListModels(
        self, request: models_pb2.ListModelsRequest, context: Context
    ) -> models_pb2.ListModelsResponse:
        """List a page of them."""
        async with self._gate.admit(request, context):
            size = request.page_size or DEFAULT_PAGE_SIZE
            after = _decode_token(request.page_token)
            rest = [view for view in self._by_name() if view.identity.name > after]
            more = _encode_token(rest[size - 1].identity.name) if len(rest) > size else ""
            return models_pb2.ListModelsResponse(models=map(_model_to_proto, rest[:size]), next_page_token=more)

    async def GetModel(self, request: models_pb2.GetModelRequest, context: Context) -> models_pb2.GetModelResponse:
        """Return the one of that name."""
        async with self._gate.admit(request, context):
            for view in self._by_name():
                if view.identity.name == request.name:
                    return models_pb2.GetModelResponse(model=_model_to_proto(view))
            raise UnknownModel("no model of this name is served; ListModels lists those that are")

    def _by_name(self) -> Sequence[ModelView]:
        return sorted(self._pipeline.models(), key=lambda view: view.identity.name)


def _model_to_proto(view: ModelView) -> models_pb2.Model:
    return models_pb2.Model(
        identity=identity_to_proto(view.identity),
        kind=_KINDS.get(view.kind, models_pb2.MODEL_KIND_UNSPECIFIED),
        description=view.description,
        licence=view.licence,
    )


def _encode_token(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _decode_token(token: str) -> str:
    """The last name of the page before; the token is opaque to callers (AIP-158)."""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        rule = "must be the next_page_token of the page before"
        raise InvalidRequest(f"page_token {rule}", FieldViolation("page_token", rule)) from None
