"""Numbers that states give to people and firms."""

from __future__ import annotations

from redaction.recognizers.national import announced, numbers

__all__ = ["announced", "numbers"]
