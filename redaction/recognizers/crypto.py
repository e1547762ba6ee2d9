"""Addresses of cryptocurrencies, and the keys that open them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, final

import base58
from Crypto.Hash import keccak

from redaction.detection import Detection
from redaction.recognizers.base import RECOGNIZERS, cued

_BASE58 = re.compile(r"(?<![A-Za-z0-9])[13DLMTX][1-9A-HJ-NP-Za-km-z]{25,34}(?![A-Za-z0-9])")
_BECH32 = re.compile(r"(?<![A-Za-z0-9])(?:(?:bc|ltc)1[a-z0-9]{11,71}|(?:BC|LTC)1[A-Z0-9]{11,71})(?![A-Za-z0-9])")
_PRIVATE = re.compile(
    r"(?<![A-Za-z0-9])(?:[5KL][1-9A-HJ-NP-Za-km-z]{50,51}|xprv[1-9A-HJ-NP-Za-km-z]{107})(?![A-Za-z0-9])"
)
_ETHER = re.compile(
    r"(?<![A-Za-z0-9])0x([0-9a-fA-F]{40}|(?=(?:[0-9a-fA-F][\r\n]{0,2}){40}(?![0-9a-fA-F]))[0-9a-fA-F]{4,36}\r?\n[0-9a-fA-F]{4,36})"
    r"(?![A-Za-z0-9])"
)
"""Also over one line break."""

_CUE = re.compile(
    r"(?<![^\W_])(?:bitcoin|btc|litecoin|ltc|dogecoin|dash|tron|crypto|wallet|deposit address)(?![^\W_])",
    re.IGNORECASE,
)

_VERSIONS: Final = {0x00, 0x05, 0x1E, 0x30, 0x32, 0x41, 0x4C}
"""First byte: Bitcoin P2PKH and P2SH, Dogecoin, Litecoin P2PKH and P2SH, TRON, Dash."""

_HASHED: Final = 21
"""Bytes of an address: its version and a hash of 160 bits."""

_PRIVATE_VERSIONS: Final = (b"\x80", b"\x04\x88\xad\xe4")
"""First bytes of a private key: wallet import format, BIP 32."""

_ETHER_DIGITS: Final = 40
_NEAR_MISS: Final = 0.5


def _payload(code: str) -> bytes:
    """What Base58Check encodes; empty where the last four bytes are not a double SHA-256 of the rest."""
    try:
        return bytes(base58.b58decode_check(code))
    except ValueError:
        return b""


def _is_base58(address: str) -> bool:
    payload = _payload(address)
    return len(payload) == _HASHED and payload[0] in _VERSIONS


_BECH32_LETTERS: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_STEPS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_SUM, _BECH32M_SUM = 1, 0x2BC830A3
"""What the checksum must come to: by BIP 173 for witness version 0, by BIP 350 for the later ones."""

_BECH32_LENGTHS: Final = {39, 59}
"""Letters behind the prefix with a program of 20 or 32 bytes; all that are in use."""

_LAST_WITNESS_VERSION: Final = 16


def _is_bech32(address: str) -> bool:
    """Whether the checksum of a segregated witness address fits its version."""
    prefix, _, rest = address.lower().partition("1")
    data = [_BECH32_LETTERS.find(letter) for letter in rest]
    if -1 in data or data[0] > _LAST_WITNESS_VERSION:
        return False
    total = 1
    expanded = [*(code >> 5 for code in prefix.encode()), 0, *(code & 31 for code in prefix.encode())]
    for value in [*expanded, *data]:
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ value
        for bit, step in enumerate(_BECH32_STEPS):
            total ^= step if top >> bit & 1 else 0
    return total == (_BECH32M_SUM if data[0] else _BECH32_SUM)


def _looks_bech32(address: str) -> bool:
    """A mistyped one: the length and the letters of an address, which no other code begins like."""
    rest = address.lower().partition("1")[2]
    return len(rest) in _BECH32_LENGTHS and set(rest) <= set(_BECH32_LETTERS)


def _is_ether(digits: str) -> bool:
    """EIP-55: the case of each letter is a bit of the Keccak-256 of the address; one case alone carries no check."""
    if digits in (digits.lower(), digits.upper()):
        return True
    hashed = keccak.new(digest_bits=256, data=digits.lower().encode()).hexdigest()
    return all(not c.isalpha() or c.isupper() == (int(h, 16) > 7) for c, h in zip(digits, hashed, strict=False))


@RECOGNIZERS.register("crypto_address")
@final
class CryptoAddress:
    """Addresses of Bitcoin (Base58Check, BIP 173, BIP 350) and its kin, TRON, Ethereum (EIP-55); private keys."""

    name = "crypto_address"
    types = ("CRYPTO", "SECRET")
    trigger = r"[1-9A-HJ-NP-Za-km-z]{26}|(?i)(?:bc|ltc)1[a-z0-9]{11}|0x[0-9a-fA-F]{4}"
    version = "2"
    examples = (
        "send to ⟦1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa⟧",
        "⟦bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq⟧",
        "⟦bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0⟧",
        "wallet ⟦0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed⟧",
    )
    counter_examples = (
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5md",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD1",
    )

    def detect(self, text: str) -> list[Detection]:
        """Find addresses and private keys."""
        found = [self._address(match, sure=sure) for match, sure in _addresses(text)]
        keys = (match.span() for match in _PRIVATE.finditer(text) if _payload(match[0]).startswith(_PRIVATE_VERSIONS))
        return found + [Detection(*span, "SECRET", 1.0, self.name, validated=True) for span in keys]

    def _address(self, match: re.Match[str], *, sure: bool) -> Detection:
        return Detection(*match.span(), "CRYPTO", 1.0 if sure else _NEAR_MISS, self.name, validated=sure)


def _addresses(text: str) -> Iterator[tuple[re.Match[str], bool]]:
    """Addresses and whether their check fits; one in Base58 where it does not only near a word for it."""
    for match in _BASE58.finditer(text):
        if _is_base58(match[0]):
            yield match, True
        elif _mixed(match[0]) and cued(_CUE, text, *match.span()):
            yield match, False
    for match in _BECH32.finditer(text):
        if (sure := _is_bech32(match[0])) or _looks_bech32(match[0]):
            yield match, sure
    for match in _ETHER.finditer(text):
        digits = "".join(match[1].split())
        yield match, len(digits) == _ETHER_DIGITS and _is_ether(digits)


def _mixed(code: str) -> bool:
    return all(re.search(kind, code) for kind in ("[0-9]", "[a-z]", "[A-Z]"))
