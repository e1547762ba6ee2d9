"""The gate: every call is identified, checked and counted before the pipeline sees it; refusals are recorded."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import Message

from finslm.access.principals import Authenticator
from finslm.config import Settings
from finslm.errors import DeadlineTooShort, FinslmError, InvalidRequest, Overloaded
from finslm.rpc.context import RECEIPT_KEY, REQUEST_ID_KEY, current
from finslm.rpc.convert import receipt_to_proto
from finslm.rpc.interceptor import Context, Malformed
from finslm.rpc.validation import Limits, check
from finslm.types import Call, Principal, Receipt

if TYPE_CHECKING:
    from finslm.pipeline import Pipeline

UNAUTHENTICATED: Final = Principal("unauthenticated")
"""Who a refused call is recorded for when the caller did not prove who it is."""

RETRY_WHEN_FULL_S: Final = 1.0
"""``RetryInfo`` of a call refused because too many are in progress, seconds."""


class Gate:
    """Steps (1) and (2) of the way of a request.

    The caller is identified first: whoever has no token learns nothing about the rules of the API.
    """

    def __init__(self, settings: Settings, pipeline: Pipeline, authenticator: Authenticator) -> None:
        self._server = settings.server
        self._limits = Limits.of(settings)
        self._pipeline = pipeline
        self._authenticator = authenticator
        self._in_progress = 0

    @asynccontextmanager
    async def admit(self, request: Message | Malformed, context: Context) -> AsyncIterator[Call]:
        """Yield the call when it may go on; it counts as in progress until the block ends.

        Raises:
            Unauthenticated, InvalidRequest, DeadlineTooShort, Overloaded: refused, and recorded.
            AuditUnavailable: refused, and the refusal could not be recorded.
        """
        rpc, remaining = current(), context.time_remaining()
        budget = self._server.default_deadline_s if remaining is None else remaining
        call = Call(rpc.request_id, UNAUTHENTICATED, rpc.method, time.monotonic() + budget)
        try:
            call = replace(call, principal=self._authenticator.authenticate(_text_metadata(context)))
            self._check(request, budget)
            call = replace(call, policy=getattr(request, "policy", ""), subject=getattr(request, "subject", ""))
        except FinslmError as error:
            await self._pipeline.record_refusal(call, error)
            raise
        self._in_progress += 1
        try:
            yield call
        finally:
            self._in_progress -= 1

    def _check(self, request: Message | Malformed, remaining_s: float) -> None:
        if remaining_s < self._server.min_deadline_s:
            least = self._server.min_deadline_s
            raise DeadlineTooShort(
                f"deadline in {max(remaining_s, 0):.3f} s, least {least} s: allow the call more time"
            )
        # Ours, not grpc's maximum_concurrent_rpcs: that one also refuses health checks, without a reason.
        if self._in_progress >= self._server.max_concurrent_rpcs:
            limit = self._server.max_concurrent_rpcs
            raise Overloaded(f"{limit} calls are in progress, limit {limit}: retry", retry_after_s=RETRY_WHEN_FULL_S)
        if isinstance(request, Malformed):
            raise InvalidRequest(
                "the bytes are not this method's request message: check the version of the API, "
                "and that strings are UTF-8",
                reason="MALFORMED_MESSAGE",
            )
        check(request, self._limits)


def answer_with(context: Context, receipt: Receipt) -> None:
    """Send the receipt and the request id in the trailing metadata."""
    proof = receipt_to_proto(receipt).SerializeToString()
    context.set_trailing_metadata(((REQUEST_ID_KEY, current().request_id), (RECEIPT_KEY, proof)))


def _text_metadata(context: Context) -> dict[str, str]:
    """Metadata as a mapping. A key sent twice has both values, so that no second token slips in unseen."""
    pairs: Iterable[tuple[str, Any]] = context.invocation_metadata() or ()
    metadata: dict[str, str] = {}
    for key, value in pairs:
        if isinstance(value, str):
            metadata[key] = f"{metadata[key]},{value}" if key in metadata else value
    return metadata
