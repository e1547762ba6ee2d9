"""An export of audit records as it arrives at the client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, final

import grpc

from finslm.rpc.client_errors import ClientError, error_of
from finslm.rpc.client_wire import meta_of
from finslm.rpc.results import AuditRecord, Receipt, audit_record


class _Export:
    """What has arrived."""

    def __init__(self, rpc: Any, request_id: str) -> None:
        self._rpc, self._request_id = rpc, request_id
        self.checkpoint = ""
        """Signed note of the tree that the records are of; empty until the export has ended."""
        self.records_read = 0
        """Records that the server read, those that did not fit included."""
        self.receipt: Receipt | None = None

    def _take(self, message: Any) -> Sequence[AuditRecord]:
        self.checkpoint = message.checkpoint or self.checkpoint
        self.records_read = message.records_read or self.records_read
        return [audit_record(record) for record in message.records]

    def _end(self, trailing: Any) -> None:
        if not self.checkpoint:
            said = "the export ended without its checkpoint: what arrived is not all of it"
            raise ClientError(said, status=grpc.StatusCode.UNKNOWN, request_id=self._request_id)
        self.receipt = meta_of(trailing, self._request_id)["receipt"]


@final
class RecordExport(_Export):
    """Records in the order of the log (``for record in export``); afterwards ``checkpoint`` covers them."""

    def __iter__(self) -> Iterator[AuditRecord]:
        try:
            for message in self._rpc:
                yield from self._take(message)
        except grpc.RpcError as error:
            raise error_of(error, self._request_id) from None
        finally:
            self._rpc.cancel()  # of no effect once it has ended
        self._end(self._rpc.trailing_metadata())


@final
class AsyncRecordExport(_Export):
    """Records in the order of the log (``async for record in export``); afterwards ``checkpoint`` covers them."""

    async def __aiter__(self) -> AsyncIterator[AuditRecord]:
        try:
            async for message in self._rpc:
                for record in self._take(message):
                    yield record
            trailing = await self._rpc.trailing_metadata()
        except grpc.RpcError as error:
            raise error_of(error, self._request_id) from None
        finally:
            self._rpc.cancel()
        self._end(trailing)
