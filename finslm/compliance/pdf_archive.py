"""What makes a PDF one for the archive (ISO 19005-2, PDF/A-2b): XMP metadata, output intent, a fixed identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final
from xml.sax.saxutils import escape

from PIL import ImageCms
from reportlab.pdfbase import pdfdoc
from reportlab.pdfgen.canvas import Canvas

_ICC_DATE: Final = slice(24, 36)
"""Date and time in the header of an ICC profile (ICC.1, 7.2.8); the library writes the present there."""
_ICC_FIXED: Final = bytes((0x07, 0xEA, 0, 1, 0, 1)) + bytes(6)
"""1 January 2026, midnight: a profile that is the same each time."""
PRODUCER: Final = "ReportLab PDF Library"


@final
@dataclass(frozen=True, slots=True)
class Identity:
    """What a document says of itself. ``time`` is RFC 3339 in UTC with a Z; ``digest`` 16 bytes as hex."""

    title: str
    author: str
    subject: str
    keywords: str
    creator: str
    time: str
    digest: str


def archive(canvas: Canvas, identity: Identity) -> None:
    """Give the document of ``canvas`` its identity; nothing of it depends on when or where this runs."""
    canvas.setTitle(identity.title)
    canvas.setAuthor(identity.author)
    canvas.setSubject(identity.subject)
    canvas.setKeywords(identity.keywords)
    canvas.setCreator(identity.creator)
    canvas.setProducer(PRODUCER)
    document = canvas._doc  # noqa: SLF001 - reportlab has no public way to the catalog
    document.__class__ = _Document
    seconds = identity.time[:19]
    document.info._dateFormatter = lambda *_: f"D:{seconds.translate(_NO_MARKS)}Z"  # noqa: SLF001
    document._ID = f"\n[<{identity.digest}><{identity.digest}>]\n".encode()  # noqa: SLF001
    document.Catalog.Lang = pdfdoc.PDFString("en")
    metadata = {"Type": pdfdoc.PDFName("Metadata"), "Subtype": pdfdoc.PDFName("XML")}
    document.Catalog.Metadata = _stream(metadata, _xmp(identity).encode())
    # reportlab's catalog writes the keys of this list only
    document.Catalog.__NoDefault__ = [*pdfdoc.PDFCatalog.__NoDefault__, "OutputIntents"]
    document.Catalog.OutputIntents = pdfdoc.PDFArray([_output_intent(document)])


_NO_MARKS: Final = str.maketrans("", "", "-:T")


class _Stream(pdfdoc.PDFStream):  # type: ignore[misc]
    """A stream with a line end before ``endstream`` that does not count as content (ISO 19005-2, 6.1.7.1)."""

    def format(self, document: pdfdoc.PDFDocument) -> bytes:
        """The bytes of the stream."""
        return bytes(super().format(document).removesuffix(_END) + b"\n" + _END)


class _Document(pdfdoc.PDFDocument):  # type: ignore[misc]
    """A document all of whose streams are written so, and whose links are to be printed (ISO 19005-2, 6.3.2)."""

    def Reference(self, obj: object, name: str | None = None) -> object:  # noqa: N802 - reportlab's name
        """Register an object, as reportlab does when it is written."""
        if type(obj) is pdfdoc.PDFStream:
            obj.__class__ = _Stream
        elif isinstance(obj, pdfdoc.LinkAnnotation):
            obj.otherkw["F"] = _PRINT
        return super().Reference(obj, name)


_END: Final = b"endstream\n"
_PRINT: Final = 4
"""Flag of an annotation (ISO 32000-1, table 165)."""


def _stream(entries: Mapping[str, object], content: bytes) -> pdfdoc.PDFStream:
    return pdfdoc.PDFStream(pdfdoc.PDFDictionary(dict(entries)), content)


def _output_intent(document: pdfdoc.PDFDocument) -> pdfdoc.PDFDictionary:
    profile = _stream({"N": 3}, srgb_profile())
    words = {"OutputConditionIdentifier": "sRGB IEC61966-2.1", "Info": "sRGB IEC61966-2.1"}
    return pdfdoc.PDFDictionary(
        {
            "Type": pdfdoc.PDFName("OutputIntent"),
            "S": pdfdoc.PDFName("GTS_PDFA1"),
            **{name: pdfdoc.PDFString(value) for name, value in words.items()},
            "DestOutputProfile": document.Reference(profile),
        }
    )


def srgb_profile() -> bytes:
    """An ICC profile of sRGB, the same bytes each time."""
    raw = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    raw[_ICC_DATE] = _ICC_FIXED
    return bytes(raw)


def _xmp(identity: Identity) -> str:
    words = {name: escape(getattr(identity, name)) for name in Identity.__slots__}
    return _XMP.format(**words, producer=PRODUCER, seconds=f"{identity.time[:19]}Z")


_XMP: Final = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:pdf="http://ns.adobe.com/pdf/1.3/" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">
<pdfaid:part>2</pdfaid:part>
<pdfaid:conformance>B</pdfaid:conformance>
<dc:format>application/pdf</dc:format>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>{author}</rdf:li></rdf:Seq></dc:creator>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{subject}</rdf:li></rdf:Alt></dc:description>
<pdf:Keywords>{keywords}</pdf:Keywords>
<pdf:Producer>{producer}</pdf:Producer>
<xmp:CreatorTool>{creator}</xmp:CreatorTool>
<xmp:CreateDate>{seconds}</xmp:CreateDate>
<xmp:ModifyDate>{seconds}</xmp:ModifyDate>
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""
