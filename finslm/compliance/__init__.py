"""The compliance report: what the service did in a period, from the verified audit log and nothing else."""

from finslm.compliance.model import Report
from finslm.compliance.report import draw
from finslm.compliance.request import Request

__all__ = ["Report", "Request", "draw"]
