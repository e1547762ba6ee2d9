"""The Python client: :class:`Client` (blocking) and :class:`AsyncClient`.

Importing it needs grpc and protobuf, and neither torch nor the redactor::

    with Client("slm.bank.internal:50051", token=token, tls=Tls(ca_file="ca.pem")) as client:
        answer = client.generate("Customer DE89 3704 0044 0532 0130 00 disputes a fee.", task="complaint_summary")
        print(answer.text, answer.receipt)

Every call has a timeout and a request id (a new UUID4 unless you give one), tries again by itself
when the server is unavailable, and raises a :class:`ClientError` when it fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self, TypeVar, Unpack

import grpc

from finslm.rpc import calls, results
from finslm.rpc.calls import Consent, Constraint, RecordChoice, RpcCall, Sampling
from finslm.rpc.client_errors import (
    AbortedError,
    CancelledError,
    ClientError,
    DataLossError,
    DeadlineExceededError,
    FailedPreconditionError,
    FieldViolation,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
    error_of,
)
from finslm.rpc.client_export import AsyncRecordExport, RecordExport
from finslm.rpc.client_wire import (
    DEFAULT_TIMEOUT_S,
    HEALTH_CODEC,
    HEALTH_PATH,
    AsyncGenerateStream,
    GenerateStream,
    Sender,
    Tls,
    channel_options,
    codec_of,
    health_name,
    health_request,
    identify,
    meta_of,
    path_of,
)
from finslm.rpc.results import Receipt

__all__ = [
    "AbortedError",
    "AsyncClient",
    "AsyncGenerateStream",
    "AsyncRecordExport",
    "CancelledError",
    "Client",
    "ClientError",
    "Consent",
    "Constraint",
    "DataLossError",
    "DeadlineExceededError",
    "FailedPreconditionError",
    "FieldViolation",
    "GenerateStream",
    "InternalError",
    "InvalidArgumentError",
    "NotFoundError",
    "PermissionDeniedError",
    "Receipt",
    "RecordChoice",
    "RecordExport",
    "ResourceExhaustedError",
    "Sampling",
    "Tls",
    "UnauthenticatedError",
    "UnavailableError",
]

R = TypeVar("R")


class Client(Sender):
    """Blocking client of one server; safe to share between threads. Close it, or use it in ``with``.

    Args:
        target: ``host:port``.
        token: bearer token; None on a server without a token file.
        tls: None for plain text, which is for this machine and for a mesh that encrypts.
        timeout_s: of a call that gives none, seconds.

    Every method takes ``timeout_s`` and ``request_id`` (a UUID4) and raises :class:`ClientError`; those that take
    a text also ``policy``, the name of a redaction policy of the caller's tenant.
    """

    def __init__(
        self, target: str, *, token: str | None = None, tls: Tls | None = None, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> None:
        super().__init__(token, timeout_s)
        if tls is None:
            self._channel = grpc.insecure_channel(target, options=channel_options(tls))
        else:
            self._channel = grpc.secure_channel(target, tls.credentials(), options=channel_options(tls))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls in progress are cancelled."""
        self._channel.close()

    def generate(
        self,
        text: str,
        *,
        task: str = "",
        sampling: Sampling | None = None,
        constraint: Constraint | None = None,
        policy: str = "",
        subject: str = "",
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> results.Generated:
        """Run a task and return its answer."""
        return self._call(calls.generate(text, task, sampling, constraint, policy, subject), timeout_s, request_id)

    def classify(
        self,
        text: str,
        *,
        task: str,
        labels: Sequence[str] = (),
        abstain_below: float | None = None,
        policy: str = "",
        subject: str = "",
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> results.Classified:
        """Score the labels of a task, or ``labels`` with the task ``choose_label``.

        With ``abstain_below``, the result says whether the best probability is below it.
        """
        return self._call(calls.classify(text, task, policy, labels, abstain_below, subject), timeout_s, request_id)

    def extract(
        self,
        text: str,
        *,
        task: str,
        policy: str = "",
        subject: str = "",
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> results.Extracted:
        """Fill the JSON schema of a task."""
        return self._call(calls.extract(text, task, policy, subject), timeout_s, request_id)

    def answer(
        self,
        question: str,
        document: str,
        *,
        policy: str = "",
        subject: str = "",
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> results.AnswerFound:
        """Answer a question from a document, with its evidence; ``found`` is False where it is not there.

        Args:
            document: prose, and tables as Markdown has them or with tabs between the cells.
        """
        return self._call(calls.answer(question, document, policy, subject), timeout_s, request_id)

    def analyze(
        self, text: str, *, policy: str = "", timeout_s: float | None = None, request_id: str | None = None
    ) -> results.Analyzed:
        """Say where personal data is."""
        return self._call(calls.analyze(text, policy), timeout_s, request_id)

    def redact(
        self,
        text: str,
        *,
        policy: str = "",
        subject: str = "",
        session_id: str = "",
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> results.Redacted:
        """Replace personal data; keep ``session_id`` for :meth:`restore`, or to go on with its placeholders."""
        return self._call(calls.redact(text, policy, session_id, subject), timeout_s, request_id)

    def restore(
        self, text: str, *, session_id: str, timeout_s: float | None = None, request_id: str | None = None
    ) -> results.Restored:
        """Put the values of a session back."""
        return self._call(calls.restore(text, session_id), timeout_s, request_id)

    def submit_feedback(
        self,
        text: str,
        *,
        task: str,
        verdict: Literal["RIGHT", "WRONG"],
        consent: Consent | None,
        label: str | None = None,
        answer: str | None = None,
        about: results.Result | None = None,
        policy: str = "",
        subject: str = "",
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> results.FeedbackKept:
        """Say whether an answer was right, and what would have been; kept redacted, and with consent alone.

        Args:
            text: again, as it was sent for the answer.
            consent: that it may be kept; without, the server refuses.
            label, answer: what would have been right, or was: a label where the task classifies.
            about: the answer, as the client returned it.
        """
        call = calls.submit_feedback(text, task, verdict, label, answer, consent, about, policy, subject)
        return self._call(call, timeout_s, request_id)

    def list_models(
        self, *, page_size: int = 0, page_token: str = "", timeout_s: float | None = None, request_id: str | None = None
    ) -> results.ModelPage:
        """List a page of the models that are served; ``page_size`` 0 leaves it to the server."""
        return self._call(calls.list_models(page_size, page_token), timeout_s, request_id)

    def get_model(
        self, name: str, *, timeout_s: float | None = None, request_id: str | None = None
    ) -> results.ModelFound:
        """Return one model."""
        return self._call(calls.get_model(name), timeout_s, request_id)

    def get_record(
        self,
        index: int | None = None,
        *,
        record_request_id: str | None = None,
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> results.Records:
        """Return the record at an index, or (``record_request_id``) the records of a call."""
        return self._call(calls.get_record(index, record_request_id), timeout_s, request_id)

    def get_checkpoint(
        self, *, timeout_s: float | None = None, request_id: str | None = None
    ) -> results.CheckpointRead:
        """Return the newest signed checkpoint."""
        return self._call(calls.get_checkpoint(), timeout_s, request_id)

    def get_inclusion_proof(
        self, index: int, *, tree_size: int | None = None, timeout_s: float | None = None, request_id: str | None = None
    ) -> results.InclusionProof:
        """Prove that a record is in the tree of a size, the present one when None."""
        return self._call(calls.get_inclusion_proof(index, tree_size), timeout_s, request_id)

    def list_records(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
        request_id: str | None = None,
        **chosen: Unpack[RecordChoice],
    ) -> results.RecordPage:
        """Return a page of the audit records that fit: ``list_records(tenant="emea", status="OK")``."""
        return self._call(calls.list_records(chosen, page_size, page_token), timeout_s, request_id)

    def export_records(
        self, *, timeout_s: float | None = None, request_id: str | None = None, **chosen: Unpack[RecordChoice]
    ) -> RecordExport:
        """Read all audit records that fit; iterate the result (``for``), then look at its ``checkpoint``."""
        call = calls.export_records(chosen)
        sent_id = identify(call, request_id)
        send = self._channel.unary_stream(path_of(call), **codec_of(call))
        return RecordExport(send(call.request, **self._arguments(timeout_s)), sent_id)

    def get_consistency_proof(
        self,
        old_size: int,
        *,
        new_size: int | None = None,
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> results.ConsistencyProof:
        """Prove that the tree of ``new_size`` (now, when None) only appends to that of ``old_size``."""
        return self._call(calls.get_consistency_proof(old_size, new_size), timeout_s, request_id)

    def verify(self, *, timeout_s: float | None = None, request_id: str | None = None) -> results.Verified:
        """Check the whole log."""
        return self._call(calls.verify(), timeout_s, request_id)

    def generate_stream(
        self,
        text: str,
        *,
        task: str = "",
        sampling: Sampling | None = None,
        constraint: Constraint | None = None,
        policy: str = "",
        subject: str = "",
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> GenerateStream:
        """Run a task; iterate the result for the pieces of the answer."""
        call = calls.generate_stream(text, task, sampling, constraint, policy, subject)
        sent_id = identify(call, request_id)
        send = self._channel.unary_stream(path_of(call), **codec_of(call))
        return GenerateStream(send(call.request, **self._arguments(timeout_s)), sent_id)

    def health(self, service: str = "", *, timeout_s: float | None = None) -> str:
        """Return SERVING, NOT_SERVING or SERVICE_UNKNOWN (gRPC Health Checking Protocol)."""
        send = self._channel.unary_unary(HEALTH_PATH, **HEALTH_CODEC)
        try:
            answer = send(health_request(service), **self._arguments(timeout_s))
        except grpc.RpcError as error:
            raise error_of(error, "") from None
        return health_name(answer)

    def _call(self, call: RpcCall[R], timeout_s: float | None, request_id: str | None) -> R:
        sent_id = identify(call, request_id)
        send = self._channel.unary_unary(path_of(call), **codec_of(call))
        try:
            answer, rpc = send.with_call(call.request, **self._arguments(timeout_s))
        except grpc.RpcError as error:
            raise error_of(error, sent_id) from None
        return call.read(answer, meta_of(rpc.trailing_metadata(), sent_id))


class AsyncClient(Sender):
    """:class:`Client` for asyncio: the same methods, awaited. Make and use it on one event loop."""

    def __init__(
        self, target: str, *, token: str | None = None, tls: Tls | None = None, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> None:
        super().__init__(token, timeout_s)
        if tls is None:
            self._channel = grpc.aio.insecure_channel(target, options=channel_options(tls))
        else:
            self._channel = grpc.aio.secure_channel(target, tls.credentials(), options=channel_options(tls))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls in progress are cancelled."""
        await self._channel.close()

    async def generate(
        self,
        text: str,
        *,
        task: str = "",
        sampling: Sampling | None = None,
        constraint: Constraint | None = None,
        policy: str = "",
        subject: str = "",
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> results.Generated:
        """Run a task and return its answer."""
        return await self._call(
            calls.generate(text, task, sampling, constraint, policy, subject), timeout_s, request_id
        )

    async def classify(
        self,
        text: str,
        *,
        task: str,
        labels: Sequence[str] = (),
        abstain_below: float | None = None,
        policy: str = "",
        subject: str = "",
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> results.Classified:
        """Score the labels of a task, or ``labels`` with the task ``choose_label``.

        With ``abstain_below``, the result says whether the best probability is below it.
        """
        return await self._call(
            calls.classify(text, task, policy, labels, abstain_below, subject), timeout_s, request_id
        )

    async def extract(
        self,
        text: str,
        *,
        task: str,
        policy: str = "",
        subject: str = "",
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> results.Extracted:
        """Fill the JSON schema of a task."""
        return await self._call(calls.extract(text, task, policy, subject), timeout_s, request_id)

    async def answer(
        self,
        question: str,
        document: str,
        *,
        policy: str = "",
        subject: str = "",
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> results.AnswerFound:
        """Answer a question from a document, with its evidence; ``found`` is False where it is not there.

        Args:
            document: prose, and tables as Markdown has them or with tabs between the cells.
        """
        return await self._call(calls.answer(question, document, policy, subject), timeout_s, request_id)

    async def analyze(
        self, text: str, *, policy: str = "", timeout_s: float | None = None, request_id: str | None = None
    ) -> results.Analyzed:
        """Say where personal data is."""
        return await self._call(calls.analyze(text, policy), timeout_s, request_id)

    async def redact(
        self,
        text: str,
        *,
        policy: str = "",
        subject: str = "",
        session_id: str = "",
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> results.Redacted:
        """Replace personal data; keep ``session_id`` for :meth:`restore`, or to go on with its placeholders."""
        return await self._call(calls.redact(text, policy, session_id, subject), timeout_s, request_id)

    async def restore(
        self, text: str, *, session_id: str, timeout_s: float | None = None, request_id: str | None = None
    ) -> results.Restored:
        """Put the values of a session back."""
        return await self._call(calls.restore(text, session_id), timeout_s, request_id)

    async def submit_feedback(
        self,
        text: str,
        *,
        task: str,
        verdict: Literal["RIGHT", "WRONG"],
        consent: Consent | None,
        label: str | None = None,
        answer: str | None = None,
        about: results.Result | None = None,
        policy: str = "",
        subject: str = "",
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> results.FeedbackKept:
        """Say whether an answer was right, and what would have been; kept redacted, and with consent alone.

        Args:
            text: again, as it was sent for the answer.
            consent: that it may be kept; without, the server refuses.
            label, answer: what would have been right, or was: a label where the task classifies.
            about: the answer, as the client returned it.
        """
        call = calls.submit_feedback(text, task, verdict, label, answer, consent, about, policy, subject)
        return await self._call(call, timeout_s, request_id)

    async def list_models(
        self, *, page_size: int = 0, page_token: str = "", timeout_s: float | None = None, request_id: str | None = None
    ) -> results.ModelPage:
        """List a page of the models that are served; ``page_size`` 0 leaves it to the server."""
        return await self._call(calls.list_models(page_size, page_token), timeout_s, request_id)

    async def get_model(
        self, name: str, *, timeout_s: float | None = None, request_id: str | None = None
    ) -> results.ModelFound:
        """Return one model."""
        return await self._call(calls.get_model(name), timeout_s, request_id)

    async def get_record(
        self,
        index: int | None = None,
        *,
        record_request_id: str | None = None,
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> results.Records:
        """Return the record at an index, or (``record_request_id``) the records of a call."""
        return await self._call(calls.get_record(index, record_request_id), timeout_s, request_id)

    async def get_checkpoint(
        self, *, timeout_s: float | None = None, request_id: str | None = None
    ) -> results.CheckpointRead:
        """Return the newest signed checkpoint."""
        return await self._call(calls.get_checkpoint(), timeout_s, request_id)

    async def get_inclusion_proof(
        self, index: int, *, tree_size: int | None = None, timeout_s: float | None = None, request_id: str | None = None
    ) -> results.InclusionProof:
        """Prove that a record is in the tree of a size, the present one when None."""
        return await self._call(calls.get_inclusion_proof(index, tree_size), timeout_s, request_id)

    async def list_records(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
        request_id: str | None = None,
        **chosen: Unpack[RecordChoice],
    ) -> results.RecordPage:
        """Return a page of the audit records that fit: ``list_records(tenant="emea", status="OK")``."""
        return await self._call(calls.list_records(chosen, page_size, page_token), timeout_s, request_id)

    def export_records(
        self, *, timeout_s: float | None = None, request_id: str | None = None, **chosen: Unpack[RecordChoice]
    ) -> AsyncRecordExport:
        """Read all audit records that fit; iterate the result (``async for``), then look at its ``checkpoint``."""
        call = calls.export_records(chosen)
        sent_id = identify(call, request_id)
        send = self._channel.unary_stream(path_of(call), **codec_of(call))
        return AsyncRecordExport(send(call.request, **self._arguments(timeout_s)), sent_id)

    async def get_consistency_proof(
        self,
        old_size: int,
        *,
        new_size: int | None = None,
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> results.ConsistencyProof:
        """Prove that the tree of ``new_size`` (now, when None) only appends to that of ``old_size``."""
        return await self._call(calls.get_consistency_proof(old_size, new_size), timeout_s, request_id)

    async def verify(self, *, timeout_s: float | None = None, request_id: str | None = None) -> results.Verified:
        """Check the whole log."""
        return await self._call(calls.verify(), timeout_s, request_id)

    def generate_stream(
        self,
        text: str,
        *,
        task: str = "",
        sampling: Sampling | None = None,
        constraint: Constraint | None = None,
        policy: str = "",
        subject: str = "",
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> AsyncGenerateStream:
        """Run a task; iterate the result (``async for``) for the pieces of the answer."""
        call = calls.generate_stream(text, task, sampling, constraint, policy, subject)
        sent_id = identify(call, request_id)
        send = self._channel.unary_stream(path_of(call), **codec_of(call))
        return AsyncGenerateStream(send(call.request, **self._arguments(timeout_s)), sent_id)

    async def health(self, service: str = "", *, timeout_s: float | None = None) -> str:
        """Return SERVING, NOT_SERVING or SERVICE_UNKNOWN (gRPC Health Checking Protocol)."""
        send = self._channel.unary_unary(HEALTH_PATH, **HEALTH_CODEC)
        try:
            answer = await send(health_request(service), **self._arguments(timeout_s))
        except grpc.RpcError as error:
            raise error_of(error, "") from None
        return health_name(answer)

    async def _call(self, call: RpcCall[R], timeout_s: float | None, request_id: str | None) -> R:
        sent_id = identify(call, request_id)
        rpc = self._channel.unary_unary(path_of(call), **codec_of(call))(call.request, **self._arguments(timeout_s))
        try:
            answer = await rpc
            trailing = await rpc.trailing_metadata()
        except grpc.RpcError as error:
            raise error_of(error, sent_id) from None
        return call.read(answer, meta_of(trailing, sent_id))
