"""Each form of the report: the same bytes for the same log, the log's figures in it, and nothing that runs."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pypdf
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from trestle.oscal.assessment_results import AssessmentResults

from finslm.audit import Kind, Record
from finslm.compliance import Report, Request, draw
from finslm.compliance.html import to_html
from finslm.compliance.oscal import control_id, to_oscal
from finslm.compliance.pdf import to_pdf
from finslm.compliance.pdf_archive import srgb_profile
from finslm.compliance.pdf_sign import sign
from finslm.compliance.tables import to_csv_zip
from finslm.errors import ConfigError, InvalidRequest

NASTY = "<b onload=x>&amp; =1+1"
"""Markup and a formula; what is printable is a name."""


def tables(report: Report) -> dict[str, list[list[str]]]:
    """The CSV files by name."""
    archive = zipfile.ZipFile(io.BytesIO(to_csv_zip(report)))
    return {n: list(csv.reader(io.StringIO(archive.read(n).decode(), newline=""))) for n in archive.namelist()}


@pytest.fixture(scope="module")
def monthly_pdf(monthly: Report) -> bytes:
    """The month's report as PDF."""
    return to_pdf(monthly)


def pdf_text(raw: bytes) -> str:
    """Words of all pages."""
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(raw)).pages)


def test_each_form_is_the_same_bytes_again(
    month: Path, monthly: Report, monthly_pdf: bytes, request_of: Callable[..., Request]
) -> None:
    """Drawn anew with the same arguments, byte for byte; drawn by another, another report with another id."""
    again, other = draw(month, request_of()), draw(month, request_of(drawn_by="a.okafor"))
    for render in (Report.to_json, to_html, to_oscal, to_csv_zip):
        assert render(again) == render(monthly)
        assert render(other) != render(monthly)
    assert to_pdf(again) == monthly_pdf
    assert other.report_id != monthly.report_id


def test_csv_has_the_figures_whole(monthly: Report) -> None:
    """RFC 4180 lines, raw numbers, full digests; one file for each table of the report."""
    found = tables(monthly)
    assert dict(found["entities-by-type.csv"][1:]) == {k: str(n) for k, n in monthly.entities.by_type.items()}
    assert [row[2] for row in found["in-force.csv"][1:]] == [row.digest for row in monthly.in_force]
    assert found["checks.csv"][0] == ["Check", "Found", "Result"]
    raw = zipfile.ZipFile(io.BytesIO(to_csv_zip(monthly))).read("checks.csv")
    assert raw.count(b"\r\n") == raw.count(b"\n") == 9
    assert len([name for name in found if name.startswith("controls-")]) == len(monthly.standards)


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_csv_neutralises_formulas(cell: str, monthly: Report) -> None:
    """A cell that a spreadsheet would run begins with an apostrophe."""
    kept = monthly.model_copy(
        update={"generated_by": cell, "source": monthly.source.model_copy(update={"system": cell})}
    )
    rows = dict(tables(kept)["about.csv"][1:])
    assert rows["System"] == f"'{cell}"
    assert not any(
        value.startswith(("=", "+", "-", "@", "\t", "\r"))
        for rows in tables(kept).values()
        for row in rows
        for value in row
    )


def test_markup_stays_text(month: Path, request_of: Callable[..., Request]) -> None:
    """In the page, in the PDF and in OSCAL, a name with markup is shown as it was given."""
    report = draw(month, request_of(drawn_by=NASTY, system=NASTY, environment=NASTY, standards=("glba",)))
    assert "<b onload" not in to_html(report)
    assert "&lt;b onload=x&gt;&amp;amp; =1+1" in to_html(report)
    pdf = to_pdf(report)
    assert NASTY in pdf_text(pdf)
    assert pypdf.PdfReader(io.BytesIO(pdf)).xmp_metadata.dc_creator == [NASTY]
    assert NASTY in json.loads(to_oscal(report))["assessment-results"]["metadata"]["title"]


def test_pdf_says_what_the_report_says(monthly: Report, monthly_pdf: bytes) -> None:
    """Figures, head, foot and page numbers, read back from the pages."""
    reader = pypdf.PdfReader(io.BytesIO(monthly_pdf))
    words = [page.extract_text() for page in reader.pages]
    for figure in (
        f"{monthly.calls.total.calls:,}",
        f"{monthly.evidence.tree_at_end.size:,}",
        monthly.evidence.tree_at_end.root_hash,
        monthly.query.sha256,
        "RESTART_WITHOUT_STOP",
        "No witness policy given",
        "17a-4(f)",
    ):
        assert any(figure in page for page in words)
    for number, page in enumerate(words, 1):
        assert f"page {number} of {len(words)}" in page
        assert f"Report {monthly.report_id}" in page
    assert [item.title for item in reader.outline][1].endswith("Completeness and integrity")


def test_pdf_is_one_for_the_archive(monthly_pdf: bytes) -> None:
    """What PDF/A-2b asks and pypdf can see: metadata, output intent, embedded fonts, an id, nothing active."""
    reader = pypdf.PdfReader(io.BytesIO(monthly_pdf))
    root, info = reader.trailer["/Root"], reader.metadata
    xmp = root["/Metadata"].get_data().decode()
    assert "<pdfaid:part>2</pdfaid:part>" in xmp
    assert "<pdfaid:conformance>B</pdfaid:conformance>" in xmp
    assert "/Filter" not in root["/Metadata"]
    intent = root["/OutputIntents"][0]
    assert (intent["/S"], intent["/DestOutputProfile"]["/N"]) == ("/GTS_PDFA1", 3)
    assert intent["/DestOutputProfile"].get_data() == srgb_profile()
    assert info["/CreationDate"] == info["/ModDate"] == "D:20260402083000Z"
    assert "<xmp:CreateDate>2026-04-02T08:30:00Z</xmp:CreateDate>" in xmp
    assert info["/Title"] in xmp
    assert len(reader.trailer["/ID"]) == 2
    fonts = [f.get_object() for page in reader.pages for f in page["/Resources"]["/Font"].values()]
    assert {"/FontFile2" in font["/FontDescriptor"] for font in fonts} == {True}
    links = [link.get_object() for page in reader.pages for link in page.get("/Annots", ())]
    assert {link["/F"] for link in links} == {4}
    objects = re.sub(
        rb"stream\n.*?\nendstream", b"", monthly_pdf, flags=re.DOTALL
    )  # what is packed may read as anything
    assert objects.count(b"/Length") > len(reader.pages)
    assert not re.search(rb"/(JavaScript|JS|Encrypt|SMask|Launch|EmbeddedFile)\b", objects)
    for length in re.finditer(rb"/Length (\d+)", monthly_pdf):
        at = monthly_pdf.index(b"stream\n", length.end()) + 7 + int(length[1])
        assert monthly_pdf[at : at + 10] == b"\nendstream"


def test_pdf_refuses_what_it_cannot_show(month: Path, request_of: Callable[..., Request]) -> None:
    """A name in letters that the fonts do not have is refused, and the page shows it."""
    report = draw(month, request_of(system="\u8cb8\u4ed8"))
    with pytest.raises(InvalidRequest, match=r"U\+4ED8"):
        to_pdf(report)
    assert "\u8cb8\u4ed8" in to_html(report)


def test_oscal_is_valid_and_says_evidence_only(monthly: Report) -> None:
    """Read by a foreign implementation of OSCAL 1.2.1; a finding for each control, satisfied only when evidenced."""
    tree = json.loads(to_oscal(monthly))["assessment-results"]
    read = AssessmentResults.model_validate(tree)
    result = read.results[0]
    controls = [(s, c) for s in monthly.standards for c in s.controls]
    assert len(result.findings) == len(controls) == len({control_id(s, c) for s, c in controls})
    states = {finding.target.target_id: finding.target.status.state.value for finding in result.findings}
    for standard, control in controls:
        satisfied = states[f"{control_id(standard, control)}_evidence"] == "satisfied"
        assert satisfied == (control.status == "evidenced")
    plan = tree["import-ap"]["href"].removeprefix("#")
    assert tree["back-matter"]["resources"][0]["uuid"] == plan
    assert tree["back-matter"]["resources"][0]["description"] == monthly.query.text


def key_and_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """An RSA key and its own certificate, PEM."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    usage = x509.KeyUsage(True, True, *[False] * 7)
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    certificate = (
        builder.serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=3650))
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.key.pem", folder / f"{name}.cert.pem"
    paths[0].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    paths[1].write_bytes(certificate.public_bytes(Encoding.PEM))
    return paths


def test_a_signed_pdf_verifies(monthly_pdf: bytes, tmp_path: Path) -> None:
    """pyHanko finds it whole and signed by the certificate; one changed byte, and it does not."""
    from pyhanko.keys import load_cert_from_pemder
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation import validate_pdf_signature
    from pyhanko_certvalidator import ValidationContext

    key, certificate = key_and_certificate(tmp_path, "officer")
    signed = sign(monthly_pdf, key, certificate)
    assert signed.startswith(monthly_pdf)

    def status(raw: bytes) -> object:
        trusted = ValidationContext(trust_roots=[load_cert_from_pemder(str(certificate))], allow_fetching=False)
        return validate_pdf_signature(PdfFileReader(io.BytesIO(raw)).embedded_signatures[0], trusted)

    assert status(signed).bottom_line  # type: ignore[attr-defined]
    at = signed.index(b"endstream") - 40
    broken = signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :]
    assert not status(broken).intact  # type: ignore[attr-defined]


def test_signing_refuses_another_key(tmp_path: Path) -> None:
    """A key that is not the certificate's, or no key at all."""
    (key, certificate), (other, _) = (key_and_certificate(tmp_path, name) for name in ("officer", "other"))
    for pair, what in (
        ((other, certificate), "is not the certificate of"),
        ((certificate, certificate), "private key"),
    ):
        with pytest.raises(ConfigError, match=what):
            sign(b"", *pair)
    with pytest.raises(ConfigError, match="PEM certificate"):
        sign(b"", key, key)


def test_the_command_line_writes_each_form(month: Path, sample: ModuleType, tmp_path: Path) -> None:
    """Byte for byte what the library makes; what cannot be asked for ends with 2."""
    import typer
    from typer.testing import CliRunner

    from finslm.cli import compliance

    app = typer.Typer()
    app.add_typer(compliance.app, name="compliance")

    def run(*arguments: object) -> int:
        fixed = ("--from", "2026-03-01", "--to", "2026-04-01", "--dir", month, "--drawn-at", "2026-04-02T08:30:00Z")
        named = ("--by", "h.lindqvist", "--system", "Lending", "--standard", "glba", "--standard", "finra")
        result = CliRunner().invoke(app, ["compliance", "report", *map(str, (*fixed, *named, *arguments))])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code

    request = Request(sample.START, sample.END, sample.DRAWN, "h.lindqvist", "Lending", standards=("finra", "glba"))
    report = draw(month, request)
    wanted = {"pdf": to_pdf(report), "csv": to_csv_zip(report), "oscal": to_oscal(report).encode()}
    for form, raw in wanted.items():
        assert run("--format", form, "--out", tmp_path / form) == 1  # a call of the month has no outcome
        assert (tmp_path / form).read_bytes() == raw
    key, certificate = key_and_certificate(tmp_path, "officer")
    signing = ("--sign-key", key, "--sign-cert", certificate)
    assert run("--format", "pdf", "--out", tmp_path / "signed", *signing) == 1
    assert (tmp_path / "signed").read_bytes().startswith(wanted["pdf"])
    for wrong in (
        ("--format", "pdf"),
        ("--format", "csv"),
        ("--sign-key", key, "--out", tmp_path / "x"),
        ("--format", "html", "--out", tmp_path / "x", *signing),
        ("--tenant", "nobody"),
        ("--standard", "hipaa"),
        ("--drawn-at", "2999-01-01"),
        ("--by", "x\u202ey"),
        ("--key", tmp_path / "nothing"),
    ):
        assert run(*wrong) == 2, wrong


def test_a_long_log_of_odd_names_fits(sample: ModuleType, tmp_path: Path) -> None:
    """More rows than a table shows, names as long as they may be: every form is made, and says what it left out."""
    steps = [
        (sample.START, Record(Kind.OUTCOME, request_id=f"5d1f0c3a-0000-4000-8000-{i:012x}", status="OK", **_names(i)))
        for i in range(70)
    ]
    folder = sample.write(tmp_path / "log", steps)
    report = draw(folder, Request(sample.START, sample.END, sample.DRAWN, *["W" * 64] * 3, standards=("finra",)))
    assert "10 more rows are in the CSV and JSON forms" in to_html(report)
    assert "10 more rows are in the CSV and JSON forms" in pdf_text(to_pdf(report))
    assert len(tables(report)["calls-by-principal.csv"]) == 71


def _names(i: int) -> dict[str, str]:
    return {"principal": f"{'p' * 60}{i:04d}", "tenant": "t" * 64, "task": "k" * 64, "method": f"{'M' * 64}/{'M' * 64}"}
