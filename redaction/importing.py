"""One lock for imports that take seconds.

Where two threads import modules that need one another, Python lets one of them go on with a module that is only half
made ("cannot import name ..."). Presidio brings spaCy, torch and transformers along; who imports one of these on
another thread takes this lock as well.
"""

from __future__ import annotations

import threading
from typing import Final

HEAVY: Final = threading.RLock()
"""Held while Presidio, torch or transformers are imported."""
