"""OpenVINO without its telemetry: import it from here, and nowhere else.

``import openvino`` starts a thread that reports to Google Analytics, and keeps a file for that in the home
directory. Where ``openvino_telemetry`` cannot be imported it uses a stub of its own that does nothing, so the import
is made to fail before it is tried.
"""

from __future__ import annotations

import sys

from finslm.errors import ConfigError

if "openvino_telemetry" in sys.modules and sys.modules["openvino_telemetry"] is not None:
    raise ConfigError("openvino was imported before finslm.engine: its telemetry is running; import finslm first")
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import openvino as ov  # noqa: E402
import openvino.opset15 as op  # noqa: E402
from openvino.op import _PagedAttentionExtension as PagedAttention  # noqa: E402

__all__ = ["PagedAttention", "op", "ov"]
