"""Masks in complaints: what a masked word must have been, by what stands around it."""

from __future__ import annotations

import random
import re
from typing import Final

from finslm.train.names.grammar import Scene, assemble
from finslm.train.names.makers import Makers
from finslm.train.names.sample import Sample

_MASK: Final = r"XXXX(?:(?: |-)XXXX)*"
_BEFORE_PERSON: Final = (
    r"my name is|name was|name is|named|mr\.?|mrs\.?|ms\.?|dr\.?|spoke (?:to|with)|representative|supervisor|manager"
    r"|wife|husband|son|daughter|brother|signed by"
)
_BEFORE_FIRM: Final = (
    r"account with|loan from|card from|bank with|card with|employed by|work for|work at|worked for|owed to|sold to"
    r"|transferred to|called|contacted|company called|purchased from|complaint against|letter from|through"
)
_BEFORE_NUMBER: Final = r"account|acct|loan|card|case|ticket|reference|confirmation|claim|tracking"
_FILLS: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), rule)
    for pattern, rule in (
        (r"\bXX/XX/(?:\d{4}|XXXX|year>?|\d\d)", "full_date"),
        (r"\{\$[\d.,]+\}", ""),
        (rf"(?i:\b(?:{_BEFORE_PERSON}),? )({_MASK})(?= (?:who|and|said|told|from|at|on|that|about)\b|[.,])", "person"),
        (rf"(?i:\b(?:{_BEFORE_FIRM}) )({_MASK})(?= (?:and|for|in|on|to|about|because|but|that)\b|[.,])", "org"),
        (rf"\b(?:bank|Bank) of ({_MASK})", "place"),
        (rf"({_MASK})(?= (?:bank|Bank|credit union|Credit Union)\b)", "org_word"),
        (rf"\b(?:in|to|from|near) ({_MASK})(?=, (?:[A-Z]{{2}}|[A-Z][a-z]+)\b)", "city"),
        (rf"(?i:\b(?:{_BEFORE_NUMBER})(?: number| no\.?| #| ending in| ID)+:? )(XXXX)\b", "number"),
        (r"\b(?:in|since|by|until) (XXXX)(?= (?:of )?\d{4}\b)", "inmonth"),
        (r"(?i:\b(?:call|called|phone number|phone|number) )(XXXX-XXXX|XXXX XXXX XXXX)(?=[ .,])", "phone"),
    )
)
"""Mask and the rule that fills it. No rule: the braces around an amount go."""


def filled(text: str, makers: Makers, rng: random.Random) -> Sample | None:
    """Fill the masks that tell what they hid; None where one does not."""
    sample = Sample(text, ())
    for pattern, rule in _FILLS:
        for found in reversed(list(pattern.finditer(sample.text))):
            start, end = found.span(found.re.groups)
            new = (
                assemble(makers.grammar.expand("fill_" + rule, Scene(rng)))
                if rule
                else Sample(found[0][1:-1], ((0, end - start - 2, "OTHER_ID"),))
            )
            shift = len(new.text) - (end - start)
            moved = [s if s[1] <= start else (s[0] + shift, s[1] + shift, s[2]) for s in sample.spans]
            moved += [(a + start, b + start, type_) for a, b, type_ in new.spans]
            sample = Sample(sample.text[:start] + new.text + sample.text[end:], tuple(sorted(moved)))
    return None if "XX" in sample.text else sample
