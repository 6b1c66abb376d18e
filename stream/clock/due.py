"""When the viewer sees what is being worked on, known to everything that the work calls."""

from __future__ import annotations

import math
from contextvars import ContextVar

DUE: ContextVar[float] = ContextVar("due", default=math.inf)
"""Event-loop time; infinite where nobody watches."""
