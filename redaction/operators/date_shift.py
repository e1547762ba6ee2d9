"""Dates moved by a number of days that is one subject's own, so that the time between two of them stays."""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import ClassVar, Final, Literal, final

from pydantic import Field

from redaction.operators import base
from redaction.operators.base import OPERATORS, Context
from redaction.operators.dates import shift
from redaction.operators.plain import Plain

DATES: Final = frozenset({"DATE_TIME", "DATE_OF_BIRTH"})


@final
class DateShiftOptions(base.Options):
    """How far, and how dates are read."""

    max_days: int = Field(182, ge=7, le=3650)
    """Farthest, to either side; never not at all."""
    whole_weeks: bool = False
    """Keep the day of the week."""
    order: Literal["dmy", "mdy"] = "dmy"
    """What 03/05/1980 means: day or month first. Where only the other is possible, it counts."""


@OPERATORS.register("date_shift")
@final
class DateShift(Plain[DateShiftOptions]):
    """Shifts by HMAC-SHA-256 of the subject under the tenant's key; the form stays, times of day too.

    All texts about one subject are shifted alike, in any call; without a subject all of a tenant are. A value
    without a date in it, such as "yesterday", or with more of one than can be read, is left out: ``[DATE_TIME]``
    stands there.

    Raises:
        RedactionError: there is no key.
    """

    Options: ClassVar[type[base.Options]] = DateShiftOptions

    def __init__(self, options: DateShiftOptions, context: Context) -> None:
        super().__init__(options, context)
        digest = hmac.digest(context.key("date_shift", "1"), context.subject.encode("utf-8", "surrogatepass"), "sha256")
        unit = 7 if options.whole_weeks else 1
        steps = options.max_days // unit
        at = int.from_bytes(digest, "big") % (2 * steps)
        self._by = timedelta(days=unit * (at - steps if at < steps else at - steps + 1))

    @staticmethod
    def unsuited(type_: str, options: base.Options) -> str:  # noqa: ARG004 - of the protocol
        """Return why a type cannot be shifted, or nothing."""
        return "" if type_ in DATES else f"only dates can be shifted: {', '.join(sorted(DATES))}"

    def replace(self, type_: str, value: str) -> str:
        """Return the other date."""
        try:
            moved = shift(value, self._by, self._options.order)
        except OverflowError:
            moved = ""
        return moved if moved and moved != value else f"[{type_}]"
