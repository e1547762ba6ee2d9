"""A signature over the manifest: who has the release's public key knows that every hash in it is the release's word.

The manifest pins each file of each model by SHA-256, so one signature over its bytes covers them all. The private
key never comes near the repository; see docs/models.md for how a release is signed.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Final

from finslm.errors import ConfigError
from finslm.models.approvers import Passphrase, is_signed, public_text, read_private_key
from finslm.models.manifest import package_manifest, read_catalogue
from finslm.models.staging import replace_file

CONTEXT: Final = b"finslm model manifest v1\n"
SUFFIX: Final = ".sig"
"""The signature of ``manifest.json`` is ``manifest.json.sig``: one line of base64."""


def sign_manifest(key_file: Path, passphrase: Passphrase, manifest: Path | None = None) -> tuple[Path, str]:
    """Sign the manifest, the package's own when None.

    Returns:
        The file of the signature, and the public key that it is checked with.

    Raises:
        ConfigError: the manifest or the key cannot be read, a shipped model is not pinned, or the place is read-only.
    """
    file = manifest or package_manifest()
    loose = sorted(name for name, e in read_catalogue(file).models.items() if e.shipped and e.digest is None)
    if loose:
        raise ConfigError(f"manifest {file}: {', '.join(loose)}: not pinned yet; run: finslm models pin {loose[0]}")
    key = read_private_key(key_file, passphrase)
    signature, target = key.sign(CONTEXT + file.read_bytes()), Path(f"{file}{SUFFIX}")
    try:
        replace_file(target, base64.b64encode(signature) + b"\n")
    except OSError as error:
        raise ConfigError(f"{target}: {error.strerror}; sign from a checkout that you may write to") from error
    return target, public_text(key.public_key())


def check_manifest(public: str, manifest: Path | None = None) -> None:
    """Refuse a manifest that the holder of the release's key did not sign as it is.

    Args:
        public: 32 bytes in base64, from another source than the package.

    Raises:
        ConfigError: no signature, or not of this key over this manifest.
    """
    file = manifest or package_manifest()
    target = Path(f"{file}{SUFFIX}")
    try:
        signature = base64.b64decode(target.read_bytes().strip(), validate=True)
    except OSError as error:
        raise ConfigError(f"manifest signature {target}: {error.strerror}: this build was not signed") from error
    except binascii.Error:
        raise ConfigError(f"manifest signature {target}: one line of base64 is wanted") from None
    if not is_signed(public, CONTEXT + file.read_bytes(), signature):
        raise ConfigError(f"manifest {file} is not what was signed with this key: do not use this installation")
