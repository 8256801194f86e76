"""The fine stage of reference [6]: from candidate pixels to straight lines.

Line segments (LSD) are grouped; a line is fitted to the end points of each group
(RANSAC); what lies on one is drawn and searched for straight lines once more (Hough).
"""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

Segments = npt.NDArray[np.float64]
"""Segments (N, 4): x and y of the one end, x and y of the other, px."""
Points = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

LARGEST_ANGLE = np.radians(12.0)
LARGEST_OFFSET_PX = 3.0
LARGEST_GAP_PX = 200.0

SAMPLE_POINTS = 5
TRIALS = 1000
LEAST_INLIERS = 10

_HOUGH_STEP_PX = 1.0
_HOUGH_STEP_RAD = np.pi / 180
_HOUGH_VOTES = 160
_HOUGH_GAP_PX = 100.0


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


def inliers(points: Points, rng: np.random.Generator) -> Mask:
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


def _near(unit: Points, units: Points, middles: Points) -> Mask:
    """Which segments run along a line through the origin of ``middles``."""
    parallel = np.abs(units @ unit) >= np.cos(LARGEST_ANGLE)
    offset = np.abs(middles[:, 0] * unit[1] - middles[:, 1] * unit[0])
    near: Mask = parallel & (offset <= LARGEST_OFFSET_PX)
    return near


def _without_gap(places: Points, wanted: int) -> Mask:
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
