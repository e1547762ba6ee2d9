"""The words of ``words.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

WORDS: Final[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "words.yaml").read_text("utf-8"))
