"""A keyed hash: the same for the same value of a tenant, and nothing to anybody without the key."""

from __future__ import annotations

import base64
import hmac
from typing import ClassVar, final

from pydantic import Field

from redaction.operators import base
from redaction.operators.base import OPERATORS, Context
from redaction.operators.plain import Plain


@final
class KeyedHashOptions(base.Options):
    """How long it is."""

    chars: int = Field(24, ge=16, le=51)
    """Letters and digits (base 32) of the hash; 16 are 80 bits."""


@OPERATORS.register("keyed_hash")
@final
class KeyedHash(Plain[KeyedHashOptions]):
    """``[TYPE:hash]``, HMAC-SHA-256 (RFC 2104) of type and value under the tenant's key.

    Without a key, whoever knows the form of a value could try all of them; with one, only its keeper can. Texts of a
    tenant can be linked by it, those of two tenants cannot.

    Raises:
        RedactionError: there is no key.
    """

    Options: ClassVar[type[base.Options]] = KeyedHashOptions

    def __init__(self, options: KeyedHashOptions, context: Context) -> None:
        super().__init__(options, context)
        self._key = context.key("keyed_hash", "1")

    def replace(self, type_: str, value: str) -> str:
        """Return the hash with the type before it."""
        data = type_.encode() + b"\0" + value.encode("utf-8", "surrogatepass")
        digest = base64.b32encode(hmac.digest(self._key, data, "sha256")).decode().lower()
        return f"[{type_}:{digest[: self._options.chars]}]"
