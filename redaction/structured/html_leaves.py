"""HTML and XML: text by block, attributes, comments and scripts, with labels, table headers and elements as context.

Text is read across inline elements, so that ``4111 <b>1111</b> 1111 1111`` is one number. The names of
elements are never replaced. Browsers and html.parser differ on broken markup; then the widest reading counts.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from typing import Final, final

from redaction.structured.document import Kind, Leaf, Reading, check_leaves, slice_view
from redaction.structured.fields import Field
from redaction.views import View

_NAME = re.compile(r"[A-Za-z][^\s/>]*+")
_ATTRIBUTE = re.compile(r"[\s/]*+([^\s/>=][^\s/>=]*+)(?:\s*+=\s*+(\"[^\"]*+\"|'[^']*+'|[^\s>\"'][^\s>]*+))?+")
_ENTITY = re.compile(r"&(?:#[0-9]{1,8};?|#[xX][0-9a-fA-F]{1,8};?|[A-Za-z][A-Za-z0-9]{1,31};?)")
_SCRIPT_END = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in ("script", "style")}

_INLINE: Final = frozenset(
    "a abbr b bdi bdo big cite code data del dfn em font i ins kbd mark q s samp small span strike strong sub sup tt u "  # noqa: SIM905
    "var wbr".split()
)
_VOID: Final = frozenset("area base br col embed hr img input link meta source track wbr".split())  # noqa: SIM905
_BLOCKS: Final = frozenset(
    "address article aside blockquote body button caption center colgroup dd details dialog div dl dt fieldset "  # noqa: SIM905
    "figcaption figure footer form h1 h2 h3 h4 h5 h6 head header html label legend li main nav noscript ol optgroup "
    "option output p picture pre section select style script summary svg table tbody td template textarea tfoot th "
    "thead title tr ul video audio canvas iframe object param map menu meter progress".split()
)
_HTML: Final = _INLINE | _VOID | _BLOCKS
"""Every other element is data's own, and its name is the key of what is in it."""

_LABELS: Final = frozenset({"label", "th", "td", "dt", "legend"})
_LABELLED: Final = frozenset({"td", "dd", "input", "textarea", "select", "option", "output"})
_LABEL_CHARS: Final = 48
_INERT: Final = re.compile(
    r"(?i)(?:class|id|style|type|rel|lang|dir|charset|role|method|enctype|target|width|height|colspan|rowspan|align|"
    r"valign|for|name|media|http-equiv|xmlns(?::.*)?|xml:.*|xsi:.*|viewbox|on[a-z]+|version|encoding|tabindex)"
)
"""Attributes that steer the page: their values are replaced only where something is proven."""

_NAMING: Final = ("name", "id", "aria-label", "placeholder", "itemprop", "property")
"""Attributes that say what the ``value`` or ``content`` beside them is, the first that is there."""


@final
class HtmlWalker:
    """Walks a document once; whatever is not markup is text. It never fails: every text is some HTML."""

    def __init__(self, document: str) -> None:
        self._document = document
        self.leaves: list[Leaf] = []
        self._top = Field()
        self._plain = Field()
        self._open: list[tuple[str, Field]] = []
        self._count: Counter[str] = Counter()
        self._block = Reading()
        self._label = ""
        self._headers: dict[int, str] = {}
        self._column = 0

    def walk(self) -> list[Leaf]:
        """Return the leaves, sorted by start."""
        document, at = self._document, 0
        while at < len(document):
            mark = document.find("<", at)
            mark = len(document) if mark < 0 else mark
            self._text(at, mark)
            at = self._markup(mark) if mark < len(document) else mark
        self._close_block()
        return sorted(self.leaves, key=lambda leaf: leaf.start)

    def _text(self, start: int, end: int) -> None:
        if start < end:
            _decode(self._document, start, end, self._block)

    def _markup(self, at: int) -> int:
        """Take what begins with ``<``; return where it ends."""
        document = self._document
        if document.startswith("<!--", at):
            return self._verbatim(at + 4, "-->", Kind.TEXT)
        if document.startswith("<![CDATA[", at):
            return self._cdata(at + 9)
        if document.startswith(("<!", "<?"), at):
            return self._verbatim(at + 2, ">", Kind.MARKUP)
        closing = document.startswith("</", at)
        name = _NAME.match(document, at + 1 + closing)
        if name is None:
            self._block.plain("<", at)
            return at + 1
        if closing:
            return self._end_tag(name[0].lower(), name.end())
        return self._start_tag(name[0], at, name.end())

    def _verbatim(self, start: int, closes: str, kind: Kind) -> int:
        """A comment or declaration: read as it stands."""
        end = self._document.find(closes, start)
        end = len(self._document) if end < 0 else end
        self._leaf(start, end, slice_view(self._document, start, end), self._plain, kind)
        return min(end + len(closes), len(self._document))

    def _cdata(self, start: int) -> int:
        end = self._document.find("]]>", start)
        end = len(self._document) if end < 0 else end
        self._block.plain(self._document[start:end], start)
        return min(end + 3, len(self._document))

    def _end_tag(self, name: str, at: int) -> int:
        end = self._document.find(">", at)
        end = len(self._document) if end < 0 else end
        self._leaf(at, end, slice_view(self._document, at, end), self._plain, Kind.MARKUP)
        if name not in _INLINE:
            self._close_block()
        if self._count[name]:
            opened = ""
            while opened != name:
                opened, _ = self._open.pop()
                self._count[opened] -= 1
        return min(end + 1, len(self._document))

    def _start_tag(self, raw: str, start: int, at: int) -> int:
        name = raw.lower()
        attributes = []
        while attribute := _ATTRIBUTE.match(self._document, at):
            attributes.append(attribute)
            at = attribute.end()
        end = self._document.find(">", at) + 1
        if not end:  # then no tag is closed from here on: all of it is text, and is looked at once
            self._text(start, len(self._document))
            return len(self._document)
        self._leaf(at, end - 1, slice_view(self._document, at, end - 1), self._plain, Kind.MARKUP)
        if name in ("br", "hr"):
            self._block.unit("\n", start, start)
        elif name not in _INLINE:
            self._close_block()
        self._enter(raw, name, closed=self._document.startswith("/>", end - 2))
        self._attributes(name, attributes)
        script = _SCRIPT_END.get(name)
        return self._script(end, script) if script else end

    def _script(self, start: int, closes: re.Pattern[str]) -> int:
        found = closes.search(self._document, start)
        end = found.start() if found else len(self._document)
        self._leaf(start, end, slice_view(self._document, start, end), self._plain, Kind.TEXT)
        return end

    def _enter(self, raw: str, name: str, *, closed: bool) -> None:
        if name == "table":
            self._headers = {}
        elif name == "tr":
            self._column, self._label = -1, ""
        elif name in ("td", "th"):
            self._column += 1
        if not closed and name not in _VOID:
            field = self._field()
            self._open.append((name, field if name in _HTML else field.child(raw.rpartition(":")[2])))
            self._count[name] += 1

    def _field(self) -> Field:
        return self._open[-1][1] if self._open else self._top

    def _attributes(self, name: str, attributes: list[re.Match[str]]) -> None:
        values = {a[1].lower(): html.unescape(a[2].strip("\"'")) for a in attributes if a[2]}
        said = next((values[key] for key in _NAMING if values.get(key)), "")
        for attribute in attributes:
            self._leaf(*attribute.span(1), slice_view(self._document, *attribute.span(1)), self._plain, Kind.MARKUP)
            if not attribute[2]:
                continue
            start, end = attribute.span(2)
            if attribute[2][0] in "\"'":
                start, end = start + 1, end - 1
            key = attribute[1].lower()
            kind = Kind.MARKUP if _INERT.fullmatch(key) else Kind.STRING
            reading = Reading()
            _decode(self._document, start, end, reading)
            self._leaf(start, end, reading.view(), self._attribute_field(name, key, said), kind)

    def _attribute_field(self, name: str, key: str, said: str) -> Field:
        if key not in ("value", "content"):
            return self._field().child(key.removeprefix("data-"))
        label = said or (self._label if name in _LABELLED else "")
        return self._field().child(label)

    def _close_block(self) -> None:
        """Text ends here: make it a leaf, and maybe the label of what follows."""
        block, self._block = self._block, Reading()
        view = block.view()
        said = view.text.strip()
        if not said:
            return
        around = next((name for name, _ in reversed(self._open) if name not in _INLINE), "")
        field = self._field()
        if around in ("td", "dd") or (self._label and around not in _LABELS):
            field = field.child(self._headers.get(self._column, self._label) if around == "td" else self._label)
        kind = Kind.MARKUP if around == "th" else Kind.STRING
        self._leaf(*block.span(), view, field, kind)
        if around == "th":
            self._headers[self._column] = said[:_LABEL_CHARS]
        names = around in _LABELS or said.endswith(":")
        self._label = said.rstrip(": ") if names and len(said) <= _LABEL_CHARS else ""

    def _leaf(self, start: int, end: int, view: View, field: Field, kind: Kind) -> None:
        if any(map(str.isalnum, view.text)):
            self.leaves.append(Leaf(start, end, view, field, kind))
            check_leaves(len(self.leaves))


def _decode(document: str, start: int, end: int, reading: Reading) -> None:
    """Read text with its entities."""
    at = start
    for entity in _ENTITY.finditer(document, start, end):
        said = html.unescape(entity[0])
        if said != entity[0]:
            reading.plain(document[at : entity.start()], at)
            reading.unit(said, *entity.span())
            at = entity.end()
    reading.plain(document[at:end], at)
