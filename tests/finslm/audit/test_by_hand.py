"""docs/audit-log.md tells the truth: its commands, run as written on a real log, agree with us."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from finslm.audit import AuditLog, Record

DOCS = Path(__file__).resolve().parents[3] / "docs" / "audit-log.md"
TOOLS = ("sed", "cut", "xxd", "sha256sum", "openssl", "base64", "dd")


@pytest.mark.skipif(any(shutil.which(tool) is None for tool in TOOLS), reason=f"needs {', '.join(TOOLS)}")
async def test_the_documented_commands(
    open_log: Callable[..., AuditLog], make_record: Callable[..., Record], tmp_path: Path
) -> None:
    """Leaf hash, root and signature, each by the shell lines of the document."""
    log = open_log()
    receipts = [await log.append(make_record(n)) for n in range(2)]
    await log.close()
    chapter = DOCS.read_text("utf-8").partition("## Checking by hand")[2].partition("\n## ")[0]
    leaf, root, signature = (
        _run(block, tmp_path / "log") for block in re.findall(r"```\n(.*?)```", chapter, re.DOTALL)
    )
    assert leaf.split() == [receipts[0].leaf_hash, "-", receipts[0].leaf_hash]
    assert root.strip() == (tmp_path / "log/checkpoint").read_text().splitlines()[2]
    assert "Signature Verified Successfully" in signature


def _run(commands: str, folder: Path) -> str:
    return subprocess.run(
        ["sh", "-e", "-c", commands], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    ).stdout
