"""What the detector remembers of each stream: one column per stream, one row per quantity.

Hours are event time since the epoch; counts are answers. "Effective" counts are divided by the
over-dispersion, raw counts are answers as they came.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, overload

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Ints = NDArray[np.intp]
type Flags = NDArray[np.bool_]

COMPONENTS = 4
