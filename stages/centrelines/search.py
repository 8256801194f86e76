"""The search within a frame: from its positive windows to the lines that are scratches."""

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.frames import Pixels
from darkscan.pipeline.geometry import FloatArray
from darkscan.pipeline.results import MOST_LINES, MOST_POINTS, Centrelines
from darkscan.stages.centrelines.joining import join
from darkscan.stages.centrelines.measuring import Line, measure
from darkscan.stages.centrelines.ridges import HALVED, Ridges, find_ridges
from darkscan.stages.centrelines.straightening import straighten
from darkscan.stages.centrelines.tracing import Chain, trace

_ROUNDS = 2  # of joining: what has been joined reaches further
_LEAST_EXCESS = 26.0  # sigmas: most chains of dust have less, nearly all that are kept more
_MOST_CANDIDATES = 100
_SHORTEST = 12.0  # from end to end of a chain, pixels of the halved frame
_END, _FURTHER = 12, 4  # of a chain that shows where it goes on, and how far
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
    for chain in _candidates(find_ridges(frame, mask)):
        rest = _unclaimed(chain.points, claimed)
        if np.hypot(*(rest[-1] - rest[0])) < _SHORTEST:
            continue
        # The middle of a pixel of the halved frame is the corner of four of the frame's.
        for line in measure(straighten(frame, HALVED * (_extended(rest, mask) + 0.5))):
            path = np.rint(line.points / HALVED - 0.5).astype(np.int32)
            if _is_claimed(path, claimed):  # the chain has moved onto a brighter line
                continue
            cv2.polylines(claimed, [path], isClosed=False, color=1, thickness=_CLAIM)
            yield line


def _candidates(ridges: Ridges) -> list[Chain]:
    """The chains worth a closer look, the most promising first."""
    chains = trace(ridges)
    for _ in range(_ROUNDS):
        chains = join(chains)
    promising = [chain for chain in chains if chain.excess >= _LEAST_EXCESS]
    return sorted(promising, key=lambda chain: -chain.excess)[:_MOST_CANDIDATES]


def _unclaimed(chain: FloatArray, claimed: npt.NDArray[np.uint8]) -> FloatArray:
    """A chain (K, 2) from its first to its last free pixel; but one pixel if most are claimed."""
    x, y = chain.astype(np.intp).T
    free = np.flatnonzero(claimed[y, x] == 0)
    if len(free) < _LEAST_FREE * len(chain):
        return chain[:1]
    return chain[free[0] : free[-1] + 1]


def _extended(chain: FloatArray, mask: npt.NDArray[np.uint8]) -> FloatArray:
    """The chain gone on a little at both ends within the mask: the filters fall off there."""
    step = min(len(chain), _END) - 1
    ends = []
    for end, inner in ((chain[0], chain[step]), (chain[-1], chain[-1 - step])):
        heading = (end - inner) / math.dist(end, inner)
        ahead = end + np.arange(1, _FURTHER + 1)[:, None] * heading
        x, y = np.rint(ahead).astype(np.intp).T
        inside = (x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0])
        inside[inside] = mask[y[inside], x[inside]] > 0
        ends.append(ahead[inside])
    return np.concatenate([ends[0][::-1], chain, ends[1]])


def _is_claimed(path: npt.NDArray[np.int32], claimed: npt.NDArray[np.uint8]) -> bool:
    """Whether a polyline (K, 2) runs for the most part where earlier lines do."""
    low = np.maximum(path.min(axis=0) - 1, 0)
    high = path.max(axis=0) + 2
    around = claimed[low[1] : high[1], low[0] : high[0]]
    own = np.zeros_like(around)
    cv2.polylines(own, [path - low], isClosed=False, color=1)
    taken = cv2.countNonZero(own & around)
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
