"""Signing the PDF with the bank's key (PAdES baseline B, ETSI EN 319 142-1), through pyHanko."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from finslm.errors import ConfigError

if TYPE_CHECKING:
    from pyhanko.sign.signers import SimpleSigner

FIELD: Final = "Signature"


def sign(pdf: bytes, key: Path, certificate: Path) -> bytes:
    """``pdf`` with an invisible signature over all of it, added behind it.

    The time of signing is in it, and some algorithms sign with chance: two signed copies are not the same bytes,
    while what they sign is.

    Args:
        key: private key, PEM without a passphrase.
        certificate: its certificate, PEM.

    Raises:
        ConfigError: pyHanko is not installed, a file cannot be read, or the key is not the certificate's.
    """
    signer = _signer(key, certificate)
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign.fields import SigSeedSubFilter
    from pyhanko.sign.signers import PdfSignatureMetadata, sign_pdf

    wanted = PdfSignatureMetadata(field_name=FIELD, md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES)
    return bytes(sign_pdf(IncrementalPdfFileWriter(BytesIO(pdf)), wanted, signer=signer).getvalue())


def _signer(key: Path, certificate: Path) -> SimpleSigner:
    try:
        from pyhanko.sign.signers import SimpleSigner
    except ImportError:
        raise ConfigError("signing needs pyHanko: pip install finslm[sign]") from None
    _check_pair(key, certificate)
    signer: SimpleSigner | None = SimpleSigner.load(str(key), str(certificate))  # type: ignore[no-untyped-call]
    if signer is None:
        raise ConfigError(f"{key} and {certificate}: pyHanko cannot sign with them; an RSA or EC key is wanted")
    return signer


def _check_pair(key: Path, certificate: Path) -> None:
    """A signature that nobody can verify must not be made."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509 import load_pem_x509_certificate

    try:
        public = load_pem_private_key(key.read_bytes(), password=None).public_key()
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{key} is not a PEM private key without passphrase ({type(error).__name__})") from None
    try:
        of = load_pem_x509_certificate(certificate.read_bytes()).public_key()
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{certificate} is not a PEM certificate ({type(error).__name__})") from None
    if public != of:
        raise ConfigError(f"{certificate} is not the certificate of the key {key}")
