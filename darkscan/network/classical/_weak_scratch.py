"""The rules of the paper's reference [6] as a method: candidate pixels, then straight lines.

Line segments (LSD) are grouped; a line is fitted to the end points of each group
(RANSAC); what lies on one is drawn and searched for straight lines once more (Hough).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.network.classical._method import Findings, FrameMethod, Origins, windows_of
from darkscan.network.classical.levels import eight_bit
from darkscan.pipeline.core.arrays import Float64Array, Mask, Pixels

SIDE_PX = 3
"""How far across a line its two sides are looked at."""
LARGEST_ANGLE = np.radians(12.0)
LARGEST_OFFSET_PX = 3.0
LARGEST_GAP_PX = 200.0
SAMPLE_POINTS = 5
TRIALS = 1000
LEAST_INLIERS = 10
Segments = npt.NDArray[np.float64]
"""Segments (N, 4): x and y of the one end, x and y of the other, px."""
# The pixel (y, x) across the line, for lines at 0, 45, 90 and 135 degrees. Along a
# diagonal, 2 pixels are the nearest to a distance of 3.
_ACROSS = ((3, 0), (2, 2), (0, 3), (2, -2))
_GRID_PX = 32
_ABOVE_LOCAL_MEAN = 5
_HOUGH_STEP_PX = 1.0
_HOUGH_STEP_RAD = np.pi / 180
_HOUGH_VOTES = 160
_HOUGH_GAP_PX = 100.0


@dataclass(frozen=True)
class Rules:
    """The thresholds T1 to T4, in grey levels at 8 bit, as the paper sets them.

    A pixel c between its two sides l and r, 3 px across one of four directions, is a
    candidate if (1) c > T1, (2) c > l + T2 and c > r + T2, (3) abs(l - r) < T3, and, where
    ``bright_side`` is asked for, (4) l > T4 or r > T4. With ``adaptive``, T1 is the local
    mean + 5 instead. The text of [6] was not at hand: rule 4 follows a public account of
    it, and finds next to nothing on a background darker than T4.
    """

    t1: int = 30
    t2: int = 5
    t3: int = 5
    t4: int = 40
    adaptive: bool = False
    bright_side: bool = False

    def candidates(self, levels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """The candidate pixels of grey levels (H, W): (H, W) bool."""
        height, width = levels.shape
        margins = (SIDE_PX,) * 4
        framed = cv2.copyMakeBorder(levels, *margins, cv2.BORDER_REPLICATE).astype(np.int16)
        centre = framed[SIDE_PX:-SIDE_PX, SIDE_PX:-SIDE_PX]
        found = np.zeros((height, width), dtype=np.bool_)
        for y, x in _ACROSS:
            left = framed[SIDE_PX - y :, SIDE_PX - x :][:height, :width]
            right = framed[SIDE_PX + y :, SIDE_PX + x :][:height, :width]
            here = centre > np.maximum(left, right) + self.t2
            here &= np.abs(left - right) < self.t3
            if self.bright_side:
                here &= np.maximum(left, right) > self.t4
            found |= here
        return found & (centre > self._first_threshold(levels))

    def _first_threshold(self, levels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32] | int:
        if not self.adaptive:
            return self.t1
        height, width = levels.shape
        grid = (max(1, width // _GRID_PX), max(1, height // _GRID_PX))
        means = cv2.resize(levels.astype(np.float32), grid, interpolation=cv2.INTER_AREA)
        local = cv2.resize(means, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(local, dtype=np.float32) + _ABOVE_LOCAL_MEAN


@dataclass(frozen=True)
class WeakScratchRules(FrameMethod):
    """Candidate pixels by four rules, and the straight lines among them.

    A window's score is the number of line pixels in it. The lines are those of the whole
    frame: in a window that stands alone only lines of 160 px or more are found.
    """

    rules: Rules
    seed: int = 0

    def examine(self, frame: Pixels, origins: Origins, full_scale: float) -> Findings:
        """See FrameMethod.examine."""
        marks = lines_among(self.rules.candidates(eight_bit(frame, full_scale)), self.seed)
        scores = [np.count_nonzero(window) for window in windows_of(marks, origins)]
        return Findings(marks, np.array(scores, dtype=np.float64))


def lines_among(candidates: Mask, seed: int = 0) -> Mask:
    """The pixels (H, W) of the straight lines among candidate pixels (H, W).

    The same candidates and seed give the same lines.
    """
    drawn = np.zeros(candidates.shape, dtype=np.uint8)
    lines = np.zeros_like(drawn)
    rng = np.random.default_rng(seed)
    for group in groups(find_segments(candidates)):
        on_line = inliers(group.reshape(-1, 2), rng).reshape(-1, 2)
        _draw(drawn, group[on_line.all(axis=1)])
    found = cv2.HoughLinesP(
        drawn, _HOUGH_STEP_PX, _HOUGH_STEP_RAD, _HOUGH_VOTES, maxLineGap=_HOUGH_GAP_PX
    )
    if found is not None:
        _draw(lines, found.reshape(-1, 4))
    return lines > 0


def find_segments(candidates: Mask) -> Segments:
    """The segments (N, 4) of a binary image (H, W), by LSD (von Gioi 2010)."""
    detector = cv2.createLineSegmentDetector(
        scale=0.8, sigma_scale=0.6, quant=2.0, ang_th=22.5, density_th=0.7, n_bins=1024
    )
    found = detector.detect(candidates.astype(np.uint8) * 255)[0]
    return np.zeros((0, 4)) if found is None else found.reshape(-1, 4).astype(np.float64)


def groups(segments: Segments) -> Iterator[Segments]:
    """Segments that continue one another, the longest first: each (K, 4), of 5 or more.

    A group is what follows its longest segment's line: within 12 degrees and 3 px of
    it, without a gap of 200 px. Smaller groups have too few end points for a fit.
    """
    ends = segments.reshape(-1, 2, 2)
    along = ends[:, 1] - ends[:, 0]
    length = np.hypot(*along.T)
    order = np.argsort(-length, kind="stable")
    ends, length = ends[order], length[order]
    unit = along[order] / np.maximum(length, np.finfo(float).tiny)[:, np.newaxis]
    middle = ends.mean(axis=1)
    free = np.ones(len(ends), dtype=np.bool_)
    for first in range(len(ends)):
        if not free[first]:
            continue
        others = np.flatnonzero(free)
        near = _near(unit[first], unit[others], middle[others] - middle[first])
        members = others[near]
        if 2 * len(members) >= LEAST_INLIERS:
            places = (ends[members] - middle[first]) @ unit[first]
            members = members[_without_gap(places, int(np.searchsorted(members, first)))]
        free[members] = False
        if 2 * len(members) >= LEAST_INLIERS:
            yield ends[members].reshape(-1, 4)


def inliers(points: Float64Array, rng: np.random.Generator) -> Mask:
    """Which of the points (K, 2), px, lie within 3 px of one straight line, by RANSAC.

    The line with the most of a thousand, each the least-squares fit of five points; none
    if it has fewer than ten. Raises ValueError if there are fewer than five points.
    """
    if len(points) < SAMPLE_POINTS:
        raise ValueError(f"{len(points)} points are too few for a fit")
    samples = points[rng.random((TRIALS, len(points))).argpartition(SAMPLE_POINTS - 1, axis=1)
                     [:, :SAMPLE_POINTS]]  # fmt: skip
    centre = samples.mean(axis=1)
    x, y = np.moveaxis(samples - centre[:, np.newaxis], 2, 0)
    angle = 0.5 * np.arctan2(2 * (x * y).sum(axis=1), (x * x - y * y).sum(axis=1))
    normal = np.stack([-np.sin(angle), np.cos(angle)], axis=1)
    distance = np.abs(normal @ points.T - (normal * centre).sum(axis=1, keepdims=True))
    close = distance <= LARGEST_OFFSET_PX
    best: Mask = close[close.sum(axis=1).argmax()]
    return best if best.sum() >= LEAST_INLIERS else np.zeros_like(best)


def _near(unit: Float64Array, units: Float64Array, middles: Float64Array) -> Mask:
    """Which segments run along a line through the origin of ``middles``."""
    parallel = np.abs(units @ unit) >= np.cos(LARGEST_ANGLE)
    offset = np.abs(middles[:, 0] * unit[1] - middles[:, 1] * unit[0])
    near: Mask = parallel & (offset <= LARGEST_OFFSET_PX)
    return near


def _without_gap(places: Float64Array, wanted: int) -> Mask:
    """Which intervals (K, 2) of a line hang together with the one at ``wanted``."""
    begins, stops = places.min(axis=1), places.max(axis=1)
    order = np.argsort(begins, kind="stable")
    reached = np.maximum.accumulate(stops[order])
    run = np.cumsum(np.append(False, begins[order][1:] - reached[:-1] >= LARGEST_GAP_PX))
    runs = np.empty_like(run)
    runs[order] = run
    together: Mask = runs == runs[wanted]
    return together


def _draw(image: npt.NDArray[np.uint8], segments: npt.NDArray[np.generic]) -> None:
    for x0, y0, x1, y1 in np.rint(segments.astype(np.float64)).astype(int).tolist():
        cv2.line(image, (x0, y0), (x1, y1), (255,))
