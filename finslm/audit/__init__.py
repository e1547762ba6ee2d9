"""The audit log: append-only, provable, durable before anybody gets an answer."""

from finslm.audit.log import AuditLog
from finslm.audit.reading import InclusionProof
from finslm.audit.records import Kind, Record
from finslm.audit.verify import VerifyReport, verify_dir

__all__ = ["AuditLog", "InclusionProof", "Kind", "Record", "VerifyReport", "verify_dir"]
