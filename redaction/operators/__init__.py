"""What is put in the place of a detection. To add one: a file with ``@OPERATORS.register``, imported below."""

from __future__ import annotations

from redaction.operators.base import OPERATORS, Context, Issuer, Keys, Operator, Options, make
from redaction.operators.drop import Drop
from redaction.operators.keyed_hash import KeyedHash
from redaction.operators.mask import Mask
from redaction.operators.placeholder import PLACEHOLDER, Placeholder

__all__ = [
    "OPERATORS",
    "PLACEHOLDER",
    "Context",
    "Drop",
    "Issuer",
    "KeyedHash",
    "Keys",
    "Mask",
    "Operator",
    "Options",
    "Placeholder",
    "make",
]
