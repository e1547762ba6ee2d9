"""The forms of a report; each is imported when it is asked for."""

from __future__ import annotations

from enum import StrEnum

from finslm.compliance.model import Report


class Format(StrEnum):
    """Form of the report."""

    html = "html"
    pdf = "pdf"
    csv = "csv"
    json = "json"
    oscal = "oscal"


def render(drawn: Report, form: Format) -> bytes:
    """The report in a form.

    Raises:
        InvalidRequest: the PDF has no letters for a name in the report.
    """
    if form is Format.pdf:
        from finslm.compliance.pdf import to_pdf

        return to_pdf(drawn)
    if form is Format.csv:
        from finslm.compliance.tables import to_csv_zip

        return to_csv_zip(drawn)
    if form is Format.oscal:
        from finslm.compliance.oscal import to_oscal

        return to_oscal(drawn).encode()
    if form is Format.json:
        return drawn.to_json().encode()
    from finslm.compliance.html import to_html

    return to_html(drawn).encode()
