"""The real redactor with the installed models, made once."""

from __future__ import annotations

import pytest

from redaction import Redactor


@pytest.fixture(scope="session")
def redactor() -> Redactor:
    """Fails, and says what to install, where the models are missing."""
    return Redactor.from_policy(budget_s=60)
