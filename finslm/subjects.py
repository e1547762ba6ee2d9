"""From what was found in a text to the data subjects it names: keyed hashes, by tenant; and the search for one."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Sequence
from typing import Final, final

from finslm.audit.subjects import Sighting, SubjectStore
from finslm.errors import AuditUnavailable, FieldViolation, InvalidRequest
from redaction import Detection
from redaction.errors import RedactionError
from redaction.keys import KeyProvider

PURPOSE: Final = "audit subjects 1"
"""What the tenant's hashing key is derived for; a search with another key finds nothing."""

TYPES: Final = frozenset(
    {
        *("PERSON", "EMAIL_ADDRESS", "PHONE_NUMBER", "IBAN_CODE", "US_SSN", "US_ITIN", "UK_NINO", "BANK_ACCOUNT"),
        *("UK_BANK_ACCOUNT", "CRYPTO", "DE_TAX_ID", "FR_NIR", "CA_SIN", "US_PASSPORT", "US_DRIVER_LICENSE"),
    }
)
"""Types that name somebody. Not cards: a keyed hash of a card number beside its last digits elsewhere would need
controls of its own (PCI DSS 4.0.1, 3.5.1)."""

MAX_SUBJECTS: Final = 256
"""Most of one text; what is beyond is not in the index, and the call is refused rather than told of in part."""

_WORDLESS = re.compile(r"[^\w@.+-]+")
_NUMBERLIKE: Final = re.compile(r"[\s().\-/]+")


def normalised(type_: str, value: str) -> str:
    """The spelling that equal values share: width, case, spaces and marks in numbers do not tell people apart."""
    folded = unicodedata.normalize("NFKC", value).casefold()
    if type_ in ("PERSON", "EMAIL_ADDRESS"):
        return _WORDLESS.sub(" ", folded).strip()
    return _NUMBERLIKE.sub("", folded)


@final
class SubjectIndex:
    """Tells the store who a call was about, and finds the calls about somebody.

    Args:
        store: where it is kept.
        keys: of the tenants.
    """

    def __init__(self, store: SubjectStore, keys: KeyProvider) -> None:
        self._store, self._keys = store, keys

    def token(self, tenant: str, type_: str, value: str) -> bytes:
        """The keyed hash of a value: HMAC-SHA-256 under a key of the tenant's.

        Raises:
            AuditUnavailable: the keeper of the keys cannot be reached.
        """
        try:
            key = self._keys.derive(tenant, PURPOSE)
        except RedactionError as error:
            raise AuditUnavailable(f"the tenant's key cannot be used: {type(error).__name__}") from None
        return hmac.digest(key, f"{type_}\n{normalised(type_, value)}".encode("utf-8", "surrogatepass"), hashlib.sha256)

    async def sight(self, tenant: str, request_id: str, text: str, found: Sequence[Detection]) -> str:
        """Keep who a call is about, durably; return the commitment for its OUTCOME record.

        Raises:
            AuditUnavailable: it cannot be kept.
            InvalidRequest: there are more than :data:`MAX_SUBJECTS`.
        """
        values = {(hit.type, text[hit.start : hit.end]) for hit in found if hit.type in TYPES}
        if len(values) > MAX_SUBJECTS:
            what = f"names more than {MAX_SUBJECTS} data subjects: send it in parts"
            raise InvalidRequest(f"the text {what}", FieldViolation("text", what))
        tokens = [self.token(tenant, type_, value) for type_, value in values]
        return await asyncio.to_thread(self._store.note, tenant, request_id, tokens)

    def sightings(self, tenant: str, token: bytes) -> list[Sighting]:
        """See :meth:`SubjectStore.sightings`."""
        return self._store.sightings(tenant, token)

    def erase(self, tenant: str, token: bytes) -> int:
        """See :meth:`SubjectStore.erase`."""
        return self._store.erase(tenant, token)

    def forget(self) -> None:
        """See :meth:`SubjectStore.forget`."""
        self._store.forget()

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()
