"""The redactor under attack, made once with the policy and the models that ship."""

from __future__ import annotations

import pytest

from redaction import Redactor


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    """Fails, and says what to install, where the models are missing."""
    return Redactor.from_policy(budget_s=60)
