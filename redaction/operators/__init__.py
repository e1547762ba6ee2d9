"""What is put in the place of a detection. To add one: a file with ``@OPERATORS.register``, imported below."""

from __future__ import annotations

from redaction.operators.base import OPERATORS, Context, Issuer, Keys, Operator, Options, make
from redaction.operators.date_shift import DateShift
from redaction.operators.drop import Drop
from redaction.operators.fpe import Fpe
from redaction.operators.generalise import Generalise
from redaction.operators.keyed_hash import KeyedHash
from redaction.operators.mask import Mask
from redaction.operators.placeholder import PLACEHOLDER, Placeholder
from redaction.operators.presidio import Presidio
from redaction.operators.surrogate import Surrogate

__all__ = [
    "OPERATORS",
    "PLACEHOLDER",
    "Context",
    "DateShift",
    "Drop",
    "Fpe",
    "Generalise",
    "Issuer",
    "KeyedHash",
    "Keys",
    "Mask",
    "Operator",
    "Options",
    "Placeholder",
    "Presidio",
    "Surrogate",
    "make",
]
