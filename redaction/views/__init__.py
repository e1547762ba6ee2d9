"""Views of a text: other readings of it, each with a map back to the original's offsets.

What a reader or a machine can make of a text is more than its code points: full-width digits are digits,
``&#52;`` is a 4, base64 is a wrapping. Each reading is looked at; what is found in it is replaced in the
original. Every reading is made in time linear in the text and is at most four times as long.
"""

from __future__ import annotations

from redaction.views.readings import views_of
from redaction.views.view import View

__all__ = ["View", "views_of"]
