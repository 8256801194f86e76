"""What comes over the network is checked before anybody counts on it."""

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.frames import Pixels
from darkscan.pipeline.messages import Prepared, Scored
from darkscan.pipeline.scan import ScanInfo
from darkscan.stages.inference.setting_up import surrounded_shape


def pixels_of(
    payload: memoryview | None, prepared: Prepared, scan: ScanInfo, margin: int
) -> Pixels:
    """The pixels (H + 2 margin, W + 2 margin) that came with a frame, mostly without a copy.

    Raises ValueError unless they and the frame's windows are what the scan's frames are.
    """
    height, width = surrounded_shape(scan, margin)
    expected = height * width * scan.dtype.itemsize
    size = 0 if payload is None else payload.nbytes
    if payload is None or size != expected:
        raise ValueError(f"came with {size} bytes of pixels, not {expected}")
    count = len(prepared.origins) if prepared.origins.ndim else 0
    _require(prepared.origins, "origins", np.int32, (count, 2))
    _require(prepared.gains, "gains", np.float32, (count,))
    _require(prepared.offsets, "offsets", np.float32, (count,))
    # Bytes that came over a network may lie at any address.
    return np.require(np.frombuffer(payload, scan.dtype), requirements="A").reshape(height, width)


def require_fit(scored: Scored, prepared: Prepared, scan: ScanInfo) -> None:
    """Raises ValueError unless the answer can be one to that frame."""
    _require(scored.scores, "scores", np.float32, (len(prepared.origins),))
    if not ((scored.scores >= 0) & (scored.scores <= 1)).all():
        raise ValueError("scores must be probabilities")
    points = scored.centrelines.points
    if ((points < 0) | (points > np.array(scan.frame_shape[::-1]))).any():
        raise ValueError("centre lines must lie within the frame")


def _require(
    array: npt.NDArray[np.generic],
    name: str,
    dtype: type[np.generic],
    shape: tuple[int, ...],
) -> None:
    if array.dtype != dtype or array.shape != shape:
        raise ValueError(
            f"{name} must be {np.dtype(dtype)} {shape}, are {array.dtype} {array.shape}"
        )
