"""The search within a frame: from its positive windows to the lines that are scratches."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.frames import Pixels
from darkscan.pipeline.results import MOST_LINES, MOST_POINTS, Centrelines
from darkscan.stages.centrelines.measuring import Line, measure
from darkscan.stages.centrelines.ridges import HALVED, find_ridges
from darkscan.stages.centrelines.straightening import straighten
from darkscan.stages.centrelines.tracing import Chain, trace

_SHORTEST = 12.0  # from end to end of a chain, pixels of the halved frame
_LEAST_FREE = 0.5  # of a chain that no line found before has claimed
_CLAIM = 5  # width of what a line claims, pixels of the halved frame
_FINENESS = 64  # parts of a pixel that places are given in: rounding of no size goes no further


def find_centrelines(frame: Pixels, origins: npt.NDArray[np.int32], window: int) -> Centrelines:
    """The scratches within windows of a frame.

    frame: (H, W) uint8 or uint16; origins: (N, 2), first pixel (y, x) of each positive
    window of ``window`` pixels. Nothing outside of them is searched. The same frame and
    windows give the same lines. Where more are found than a frame may have, the
    strongest stay.
    """
    height, width = frame.shape
    mask = np.zeros((height // HALVED, width // HALVED), np.uint8)
    for y, x in origins.tolist():
        rows, columns = (slice(-(-at // HALVED), (at + window) // HALVED) for at in (y, x))
        mask[rows, columns] = 1
    return _packed(list(_find(frame, mask))) if len(origins) else Centrelines.none()


def _find(frame: Pixels, mask: npt.NDArray[np.uint8]) -> Iterator[Line]:
    """The lines within a mask of the halved frame; what lies on an earlier one is no other."""
    claimed = np.zeros_like(mask)
    for chain in trace(find_ridges(frame, mask)):
        rest = _unclaimed(chain, claimed)
        if np.hypot(*(rest[-1] - rest[0])) < _SHORTEST:
            continue
        # The middle of a pixel of the halved frame is the corner of four of the frame's.
        for line in measure(straighten(frame, HALVED * (rest + 0.5))):
            path = np.rint(line.points / HALVED - 0.5).astype(np.int32)
            if _is_claimed(path, claimed):  # the chain has moved onto a brighter line
                continue
            cv2.polylines(claimed, [path], isClosed=False, color=1, thickness=_CLAIM)
            yield line


def _unclaimed(chain: Chain, claimed: npt.NDArray[np.uint8]) -> Chain:
    """The chain from its first to its last free pixel, or but one pixel if most are claimed."""
    x, y = chain.astype(np.intp).T
    free = np.flatnonzero(claimed[y, x] == 0)
    if len(free) < _LEAST_FREE * len(chain):
        return chain[:1]
    return chain[free[0] : free[-1] + 1]


def _is_claimed(path: npt.NDArray[np.int32], claimed: npt.NDArray[np.uint8]) -> bool:
    """Whether a polyline (K, 2) runs for the most part where earlier lines do."""
    own = np.zeros_like(claimed)
    cv2.polylines(own, [path], isClosed=False, color=1)
    taken = cv2.countNonZero(own & claimed)
    return taken > (1 - _LEAST_FREE) * cv2.countNonZero(own)


def _packed(lines: Sequence[Line]) -> Centrelines:
    counts, points = [], 0
    for line in lines[:MOST_LINES]:
        points += len(line.points)
        if points > MOST_POINTS:
            break
        counts.append(len(line.points))
    kept = lines[: len(counts)]
    if not kept:
        return Centrelines.none()
    places = np.concatenate([line.points for line in kept])
    return Centrelines(
        points=(np.rint(places * _FINENESS) / _FINENESS).astype(np.float32),
        counts=np.array(counts, np.int32),
        widths=np.array([round(line.width_px, 3) for line in kept], np.float32),
        contrasts=np.array([round(line.contrast, 3) for line in kept], np.float32),
    )
