"""What is known of the RPC in progress, from its first byte on."""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

PACKAGE: Final = "finslm.v1"
REQUEST_ID_KEY: Final = "finslm-request-id"
RECEIPT_KEY: Final = "finslm-receipt-bin"

_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Rpc:
    """The RPC in progress: its id, and its method such as ``InferenceService/Generate``."""

    request_id: str
    method: str


_CURRENT: ContextVar[Rpc] = ContextVar("finslm_rpc")


def begin(request: object, path: str) -> Rpc:
    """Make the RPC of ``path`` (``/finslm.v1.Service/Method``) the current one of this task.

    The id is the caller's when it is a UUID4, and else a new one: text of another form is never
    repeated to anybody.
    """
    sent = getattr(request, "request_id", "")
    request_id = sent if isinstance(sent, str) and _UUID4.fullmatch(sent) else str(uuid.uuid4())
    rpc = Rpc(request_id, path.removeprefix(f"/{PACKAGE}."))
    _CURRENT.set(rpc)
    return rpc


def current() -> Rpc:
    """Return the RPC of this task.

    Raises:
        LookupError: outside of an RPC.
    """
    return _CURRENT.get()
