"""SHA-256 of files, and one digest for a folder of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

BLOCK_BYTES = 1 << 20


def sha256_file(path: Path) -> str:
    """SHA-256 of the file's bytes, 64 hex digits (FIPS 180-4)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(files: Mapping[str, str]) -> str:
    r"""One digest of many files.

    Args:
        files: path relative to the folder, with ``/`` → SHA-256 of the file, hex.

    Returns:
        SHA-256 over the sorted lines ``"<sha256>  <path>\n"``: what
        ``(cd FOLDER && sha256sum FILES... | LC_ALL=C sort | sha256sum)`` prints.
    """
    lines = sorted(f"{digest}  {path}\n".encode() for path, digest in files.items())
    return hashlib.sha256(b"".join(lines)).hexdigest()
