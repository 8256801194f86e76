"""One name for each type of array, used in all rooms.

The names speak of the values' type; shapes and units stand where an array is used.
"""

import numpy as np
from numpy import typing as npt

Mask = npt.NDArray[np.bool_]
"""Marks pixels, or chooses rows."""
Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""A frame, a window, or a stack of either, in the camera's own depth."""
UInt8Array = npt.NDArray[np.uint8]
"""Bytes, 8-bit grey levels, or colours (..., 3)."""
Indices = npt.NDArray[np.intp]
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
TextArray = npt.NDArray[np.str_]
