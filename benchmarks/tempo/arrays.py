"""Arrays that the comparison works on: sound as it is heard, and what is computed from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Array = NDArray[np.float64]
