"""Illegal states do not type-check: raw text is no prompt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PREAMBLE = """
from finslm.engine.base import Engine
from finslm.types import Message, Prompt, SamplingParams
from redaction.text import RawText, RedactedText
def use(engine: Engine, raw: RawText, redacted: RedactedText) -> None:
"""


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("Message('user', redacted)", None),
        ("Message('user', raw)", "arg-type"),
        ("Message('user', 'text')", "arg-type"),
        ("Prompt((raw,))", "arg-type"),
        ("engine.generate(raw, SamplingParams())", "arg-type"),
        ("engine.generate('text', SamplingParams())", "arg-type"),
        ("engine.count_tokens(redacted)", "arg-type"),
        ("_ = engine.score(Prompt(()), [redacted, redacted])", None),
        ("_ = engine.score(Prompt(()), [redacted, raw])", "list-item"),
        ("_ = engine.score(Prompt(()), [redacted, 'label'])", "list-item"),
        ("_ = engine.read([redacted])", None),
        ("_ = engine.read([raw])", "list-item"),
    ],
)
def test_only_redacted_text_becomes_a_prompt(tmp_path, line, error):
    """mypy accepts what is made of redacted text and refuses the rest, for the right reason."""
    file = tmp_path / "snippet.py"
    file.write_text(f"{PREAMBLE}    {line}\n")
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if error is None:
        assert run.returncode == 0, run.stdout
    else:
        assert run.stdout.count("error:") == 1, run.stdout
        assert f"[{error}]" in run.stdout
