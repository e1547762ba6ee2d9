"""What a document said once is known in all of it: names in other forms, numbers in other groups.

A model finds "Margaret Okonkwo" and misses "OKONKWO, M." in the signature; an account number is told by
the word in front of it, and stands alone further down. Time is linear in the text, however many are known.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, final

from redaction.detection import WORDED, Detection
from redaction.views.normalise import plain

SOURCE: Final = "backstop"

_NAME_SCORE: Final = 0.5
"""Names that were found with less are not looked for elsewhere."""
_LOWER_SCORE: Final = 0.7
_LOWER_CHARS: Final = 4
"""A family name that is longer and surer is found alone in lower case too."""
_CODE_SCORE: Final = 0.75
_CODE_CHARS: Final = 6
_CODE_DIGITS: Final = 4
_FOUND_ANYWHERE: Final = frozenset({"EMAIL_ADDRESS", "URL", "IP_ADDRESS", "MAC_ADDRESS", "LITERAL"})
"""Codes whose shape is found without any word near them."""

_LONGEST: Final = 8
"""Words of a name that are looked at."""

_TOKEN: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*+")
_GAP: Final = re.compile(r"[\s.,&'’/_-]{1,4}")
_POSSESSION: Final = ("'s", "’s")
_CODE_GAP: Final = 3
"""Signs that may stand between two characters of a code."""
_SEPARATORS: Final = re.compile(r"[\W_]+")


def _words_in(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TITLES: Final = _words_in(
    """
    cfa cpa dame dr esq frau herr ii iii iv jr junior lady lord madam madame master md miss mlle mme monsieur mr mrs
    ms mx phd prof professor rev senior señor señora sir sr sra
    """
)
_PARTICLES: Final = _words_in(
    """
    al bin da de del della den der di dos du el ibn la le san st ten ter van von y zu
    """
)
_FIRM_FORMS: Final = _words_in(
    """
    ab ag as bv co company corp corporation gmbh group holdings inc incorporated kg limited llc llp lp ltd nv oy plc
    pty sa sarl sas se spa srl
    """
)
_EVERYDAY: Final = _words_in(
    """
    a about account address after again age all alpha also amber amount an and angel any april are art as ash ask at
    august autumn baker bank banker banking banks bar bath bay be bear beck bell best beta bill bird bishop black
    blue bond booth branch bridge broker brook brown buck bull burns bush but butler buy by call can card carol
    carter case cash chair chance charity chase check cheque chief child church city claim clay clerk client close
    coast cold cole contact cook cooper corn could court cover credit crisp cross customer daisy dale date dawn day
    dean dear debit deep department deposit did director do drew duke each earl early east easter eve even ever fair
    faith farm fee field finance first fisher flint flood florence flower for ford forest fox frank free friday
    friend from fund gale gay gene general gift glass go gold good gore grace grant gray great green grey grove guy
    had hall hand hardy has have hay he head heath hello help her here hi high hill him his hold home hood hope
    house how hunt hunter i if in income insurance invoice iris is it its ivory ivy jack jade january jay joy judge
    july june just justice keen key kind king knight lake lamb land lane last law lawyer lay lee lend lender letter
    life light like lily line loan local london long love low major make man manager many march mark market marsh
    mason master may me mercy mild miles mill miller mine mint miss mobile monday money moon more most much my name
    new next night no noble norm north not note now number of office officer old olive on one only or order our out
    over owner page palm park parker pay payee payer payment pearl penny pepper phone pike piper please pole pond
    poor pope porter post pound power price pride prince prior purple quick rain ram ray read red reed reference
    refund regards rent rest rice rich right ring river rob robin rock roman room rose rosemary ruby rule said sale
    sally sand saturday save savings say sea self sell send sender set sharp shaw she shepherd short silver sir sky
    small so some south spring square star state statement sterling still stock stone storm street strong sue summer
    summit sun sunday swift tailor take tax team teller temple thank thanks that the their them then there these
    they this thursday time to today tom too total town trade transfer trust tuesday turner two under union up us
    value victor violet visa walker wall ward was waters way we webb wednesday week well wells west what when which
    white who wild will win winter wise wish with wolf wood woods word work world would yes york you young your
    """
)
"""Words that are names too: alone they are left where a model left them."""


class _Form(NamedTuple):
    """Where a way of writing a name ends."""

    type: str
    score: float
    cased: bool
    """Found only with a capital."""


class _Token(NamedTuple):
    start: int
    end: int
    word: str


@final
class _Node:
    __slots__ = ("form", "next")

    def __init__(self) -> None:
        self.next: dict[str, _Node] = {}
        self.form: _Form | None = None


@final
class Known:
    """What is known of a document.

    Args:
        said: the findings with their values.
    """

    def __init__(self, said: Iterable[tuple[Detection, str]]) -> None:
        self._root = _Node()
        self._codes: dict[str, Detection] = {}
        self._seen: Counter[str] = Counter()
        names: set[tuple[str, str]] = set()
        for detection, value in said:
            if detection.type in _NAMES and detection.score >= _NAME_SCORE:
                if (detection.type, value) not in names:
                    names.add((detection.type, value))
                    self._add(detection, _NAMES[detection.type](plain(value), detection.score))
            elif _is_code(detection):
                self._add_code(detection, value)

    def find(self, text: str) -> list[Detection]:
        """Find it in a text of the document; what was found before is found again."""
        found = list(self._names(text)) if self._root.next else []
        return found + list(self._repeated(text)) if self._codes else found

    def _add(self, detection: Detection, forms: Iterable[tuple[tuple[str, ...], bool]]) -> None:
        for words, cased in forms:
            node = self._root
            for word in words:
                node = node.next.setdefault(word, _Node())
            if node.form is None or (node.form.cased and not cased):
                node.form = _Form(detection.type, detection.score, cased)

    def _add_code(self, detection: Detection, value: str) -> None:
        code = _compact(plain(value))
        if len(code) >= _CODE_CHARS and sum(map(str.isdigit, code)) >= _CODE_DIGITS:
            self._seen[code] += 1
            self._codes.setdefault(code, detection)

    def _names(self, text: str) -> Iterator[Detection]:
        words = list(_TOKEN.finditer(text))
        n = 0
        while n < len(words):
            word = words[n][0].casefold()
            last, form = n, None
            if word in self._root.next or word.endswith(_POSSESSION):
                last, form = self._longest(words, n, text)
            if form is not None:
                yield Detection(words[n].start(), _token(words[last]).end, form.type, form.score, SOURCE)
            n = last + 1

    def _longest(self, words: Sequence[re.Match[str]], first: int, text: str) -> tuple[int, _Form | None]:
        node, last, form = self._root, first, None
        before: _Token | None = None
        for n in range(first, min(first + _LONGEST, len(words))):
            token = _token(words[n])
            following = node.next.get(token.word)
            if following is None or not _may_be_initial(token, text):
                break
            if before is not None and not _joined(before, token, text):
                break
            node, before = following, token
            capitals = not (text[words[first].start()].islower() or text[token.start].islower())
            if node.form is not None and (capitals or not node.form.cased):
                last, form = n, node.form
        return last, form

    def _repeated(self, text: str) -> Iterator[Detection]:
        """Codes that stand in the text more often than they were found."""
        digits = _digits(text)
        enough = [code for code in self._codes if digits >= _digits(code) * (self._seen[code] + 1)]
        if not enough:  # mostly there are no more digits than those of the codes themselves
            return
        compact = _compact(text)
        more = [code for code in enough if compact.count(code) > self._seen[code]]
        if not more:
            return
        places = [n for n, char in enumerate(text) if char.isalnum()]
        if len(places) != len(compact):  # a capital of two letters
            return
        for code in more:
            known = self._codes[code]
            at = compact.find(code)
            while at >= 0:
                end = at + len(code)
                if _in_one_piece(text, places, at, end):
                    span = places[at], places[end - 1] + 1
                    yield Detection(*span, known.type, known.score, SOURCE, known.validated)
                at = compact.find(code, end)


def known_entities(texts: Sequence[str], found: Sequence[Sequence[Detection]]) -> list[list[Detection]]:
    """Find in each text of one document what was found in any of them.

    Args:
        texts: e.g. the leaves of a JSON document.
        found: what was found in each.

    Returns:
        Per text, detections with ``backstop`` as their source; they may overlap ``found``.
    """
    known = Known((d, text[d.start : d.end]) for text, more in zip(texts, found, strict=True) for d in more)
    return [known.find(text) for text in texts]


def is_everyday(word: str) -> bool:
    """Whether a word, in lower case, is no name for certain when it stands alone: a title, a particle, "baker"."""
    return word in _EVERYDAY or word in _TITLES or word in _PARTICLES


def _token(match: re.Match[str]) -> _Token:
    """A word in lower case, without the 's of possession."""
    word, (start, end) = match[0].casefold(), match.span()
    if word.endswith(_POSSESSION):
        return _Token(start, end - 2, word[:-2])
    return _Token(start, end, word)


def _joined(left: _Token, right: _Token, text: str) -> bool:
    """Whether two words may be of one name: a full stop stands behind an initial or "St" only."""
    gap = text[left.end : right.start]
    return _GAP.fullmatch(gap) is not None and not ("." in gap and len(left.word) > 3)


def _may_be_initial(token: _Token, text: str) -> bool:
    """Whether one letter is an initial: the word "a" seldom is."""
    return len(token.word) > 1 or not text[token.start].islower() or text[token.end : token.end + 1] == "."


def _words(value: str) -> list[str]:
    return [_token(match)[2] for match in _TOKEN.finditer(value)]


def _forms_of_person(value: str, score: float) -> Iterator[tuple[tuple[str, ...], bool]]:
    """The ways in which a name is written, and whether only with a capital: as it is, inverted, with initials."""
    words = [word for word in _words(value) if word not in _TITLES and not word.isdigit()][:_LONGEST]
    if "," in value and len(words) > 1:
        words = [*words[1:], words[0]]
    if sum(map(len, words)) < 2 or not words:
        return
    if len(words) == 1:
        yield from _alone(words[0], cased=True)
        return
    at = next((n for n, word in enumerate(words) if n and word in _PARTICLES), len(words) - 1)
    given, family = tuple(words[:at]), tuple(words[at:])
    initials = tuple(word[0] for word in given)
    everyday = _EVERYDAY.issuperset(words)
    for front in {given, given[:1], initials, initials[:1], ("".join(initials),)}:
        yield front + family, everyday
        yield family + front, everyday
    if len(family) > 1:
        yield family, everyday
    yield from _alone(family[-1], cased=len(family[-1]) < _LOWER_CHARS or score < _LOWER_SCORE)
    yield from _alone(given[0], cased=True)


def _alone(word: str, *, cased: bool) -> Iterator[tuple[tuple[str, ...], bool]]:
    if len(word) > 1 and word not in _EVERYDAY and word not in _PARTICLES:
        yield (word,), cased


def _forms_of_firm(value: str, _score: float) -> Iterator[tuple[tuple[str, ...], bool]]:
    """The whole name, and the name without its legal form."""
    words = _words(value)
    if len(words) > _LONGEST:
        return
    bare = list(words)
    while len(bare) > 1 and bare[-1] in _FIRM_FORMS:
        bare.pop()
    for form in (words, bare):
        if len(form) > 1:
            yield tuple(form), all(word in _EVERYDAY for word in form)
        elif form and len(form[0]) > 2 and not form[0].isdigit():
            yield from _alone(form[0], cased=True)


_NAMES: Final = {"PERSON": _forms_of_person, "ORGANIZATION": _forms_of_firm}


def _is_code(detection: Detection) -> bool:
    coded = detection.type not in WORDED and detection.type not in _FOUND_ANYWHERE
    return coded and (detection.validated or detection.score >= _CODE_SCORE)


def _digits(text: str) -> int:
    return sum(map(text.count, "0123456789"))


def _compact(text: str) -> str:
    return _SEPARATORS.sub("", text).upper()


def _in_one_piece(text: str, places: Sequence[int], first: int, end: int) -> bool:
    """Whether no other digit is attached, and what parts the characters is short."""
    start, last = places[first], places[end - 1]
    if text[start - 1 : start].isalnum() or text[last + 1 : last + 2].isalnum():
        return False
    gaps = (right - left for left, right in zip(places[first : end - 1], places[first + 1 : end], strict=True))
    return max(gaps, default=1) <= _CODE_GAP + 1
