"""Addresses of cryptocurrencies."""

from __future__ import annotations

import re
from typing import Final, final

import base58
from Crypto.Hash import keccak

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS

_BASE58 = re.compile(r"(?<![A-Za-z0-9])[13LMT][1-9A-HJ-NP-Za-km-z]{25,34}(?![A-Za-z0-9])")
_BECH32 = re.compile(r"(?<![A-Za-z0-9])(?:bc1|BC1)[A-Za-z0-9]{11,71}(?![A-Za-z0-9])")
_ETHER = re.compile(
    r"(?<![A-Za-z0-9])0x([0-9a-fA-F]{40}|(?=(?:[0-9a-fA-F][\r\n]{0,2}){40}(?![0-9a-fA-F]))[0-9a-fA-F]{4,36}\r?\n[0-9a-fA-F]{4,36})"
    r"(?![A-Za-z0-9])"
)
"""Also over one line break."""

_VERSIONS: Final = {0x00, 0x05, 0x30, 0x32, 0x41}
"""First byte: Bitcoin P2PKH and P2SH, Litecoin P2PKH and P2SH, TRON."""


_ETHER_DIGITS: Final = 40


def _is_base58(address: str) -> bool:
    """Base58Check: the last four bytes are a double SHA-256 of the rest."""
    try:
        return base58.b58decode_check(address)[0] in _VERSIONS
    except ValueError:
        return False


_BECH32_LETTERS: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_STEPS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_SUMS: Final = {1, 0x2BC830A3}
"""What the checksum of BIP 173 and that of BIP 350 (version 1 and later) must come to."""


def _is_bech32(address: str) -> bool:
    """Whether the checksum of a segregated witness address fits; upper and lower case may not be mixed."""
    if address not in (address.lower(), address.upper()):
        return False
    data = [_BECH32_LETTERS.find(c) for c in address.lower()[3:]]
    if -1 in data:
        return False
    total = 1
    for value in [3, 3, 0, 2, 3, *data]:  # the prefix "bc", expanded
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ value
        for bit, step in enumerate(_BECH32_STEPS):
            total ^= step if top >> bit & 1 else 0
    return total in _BECH32_SUMS


def _is_ether(digits: str) -> bool:
    """EIP-55: the case of each letter is a bit of the Keccak-256 of the address; one case alone carries no check."""
    if digits in (digits.lower(), digits.upper()):
        return True
    hashed = keccak.new(digest_bits=256, data=digits.lower().encode()).hexdigest()
    return all(not c.isalpha() or c.isupper() == (int(h, 16) > 7) for c, h in zip(digits, hashed, strict=False))


@RECOGNIZERS.register("crypto_address")
@final
class CryptoAddress:
    """Bitcoin (Base58Check, BIP 173, BIP 350), Litecoin, TRON and Ethereum (EIP-55) addresses."""

    name = "crypto_address"
    types = ("CRYPTO",)
    trigger = r"[1-9A-HJ-NP-Za-km-z]{26}|(?i)bc1[a-z0-9]{11}|0x[0-9a-fA-F]{4}"
    version = "1"
    examples = (
        "send to ⟦1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa⟧",
        "⟦bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq⟧",
        "⟦bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0⟧",
        "wallet ⟦0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed⟧",
    )
    counter_examples = (
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdz",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD1",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find addresses."""
        spans = [m.span() for m in _BASE58.finditer(text) if _is_base58(m[0])]
        spans += [m.span() for m in _BECH32.finditer(text) if _is_bech32(m[0])]
        found = [Detection(*span, "CRYPTO", 1.0, self.name, validated=True) for span in spans]
        for match in _ETHER.finditer(text):
            digits = "".join(match[1].split())
            sure = len(digits) == _ETHER_DIGITS and _is_ether(digits)
            found.append(Detection(*match.span(), "CRYPTO", 1.0 if sure else 0.6, self.name, validated=sure))
        return found
