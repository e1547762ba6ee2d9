"""The compliance report: what the service did in a period, from the verified audit log and nothing else."""

from finslm.compliance.html import to_html
from finslm.compliance.model import Report
from finslm.compliance.report import draw

__all__ = ["Report", "draw", "to_html"]
