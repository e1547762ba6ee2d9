"""Letters that look like Latin ones, folded where a word is not simply written in another script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from redaction.views.view import Edit

_LOOKS: Final = (
    # Cyrillic
    ("АВЕЅЗІЇЈКМНОРСТУХҮԌԚԜҺӀЬ", "ABES3IIJKMHOPCTYXYGQWHIb"),
    ("авеёѕзіїјкмнорсгтухһԁԛԝӏѵүб", "abees3iijkmhopcrtyxhdqwlvy6"),
    # Greek
    ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹͿ", "ABEZHIKMNOPTYXCJ"),
    ("αεικνορτυχγηϲϳσω", "aeikvoptuxyncjow"),
    # Armenian
    ("ՏՍՕԼ", "SUOL"),
    ("հոռսօցյզք", "hnnuogjqf"),
    # Cherokee
    ("ᎪᏴᏟᎠᎬᎻᎫᏦᏞᎷᏢᏒᏚᎢᏙᎳᏃᎥ", "ABCDEHJKLMPRSTVWZi"),
    # Latin letters that are not among the 26, and signs
    ("ıɪɑɡʏᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢɴʀꜱǀƖ", "iiagyacdejkmoptuvwznrsll"),
)
_SAME: Final = {ord(looks): latin for many, as_ in _LOOKS for looks, latin in zip(many, as_, strict=True)}
_CHARS: Final = frozenset(map(chr, _SAME))
_WORD: Final = re.compile(r"\w+")
_ASCII: Final = re.compile(r"[0-9A-Za-z]")
_DIGIT_NEXT: Final = re.compile(r"[ -]?[0-9]")


def skeleton(text: str) -> str:
    """Return the text with every such letter folded, also where a word is simply written in another script."""
    return text.translate(_SAME)


def confusables(text: str) -> Iterator[Edit]:
    """Yield what to fold: in words that mix scripts, hold digits, or are capitals in front of digits.

    A name that is written in one script stays, so that its reader sees the name.
    """
    if text.isascii() or _CHARS.isdisjoint(text):
        return
    for match in _WORD.finditer(text):
        word = match[0]
        if not word.isascii() and _is_disguised(word, text, match.end()):
            for place, char in enumerate(word, match.start()):
                if char in _CHARS:
                    yield place, place + 1, _SAME[ord(char)]


def _is_disguised(word: str, text: str, end: int) -> bool:
    if not (_ASCII.search(word) or (word.isupper() and _DIGIT_NEXT.match(text, end))):
        return False
    folded = word.translate(_SAME)
    return folded != word and folded.isascii()
