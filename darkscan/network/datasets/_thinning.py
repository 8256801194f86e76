"""Centre lines of drawn masks: thinned to lines one pixel wide, pieces joined over gaps."""

import cv2
import numpy as np

from darkscan.network.datasets._labelled_image import Scratch
from darkscan.pipeline.core.arrays import Float64Array, Indices, Mask

JOINED_PX = 24.0
"""Pieces of a mask whose ends lie no farther apart are one scratch, made of dots."""

# A chain of pixels is longer than the line it draws: steps so weighted give the right
# length on average over all directions (Kulpa, "Area and perimeter measurement of blobs
# in discrete binary pictures", 1977).
_STRAIGHT = np.pi * (1 + np.sqrt(2)) / 8
_DIAGONAL = np.sqrt(2) * _STRAIGHT


def mask_scratches(mask: Mask) -> tuple[Scratch, ...]:
    """The scratches of a mask (H, W), one for each group of pieces that belong together."""
    if not mask.any():
        return ()
    skeleton = thin(mask)
    _, pieces = cv2.connectedComponents(skeleton.astype(np.uint8), connectivity=8)
    y, x = np.nonzero(skeleton)
    centres = np.stack([x, y], axis=1).astype(np.float64) + 0.5
    lengths, neighbours = _steps(skeleton)
    piece = pieces[y, x].astype(np.intp) - 1
    groups, bridges = _join(centres[neighbours <= 1], piece[neighbours <= 1], int(piece.max()) + 1)
    member = groups[piece]
    scratches = []
    for group in np.unique(member):
        points, weights = [centres[member == group]], [lengths[member == group]]
        for start, end in bridges.get(int(group), ()):
            gap = float(np.hypot(*(end - start)))
            count = max(1, int(gap) - 1)
            points.append(start + (end - start) * (np.arange(1, count + 1) / (count + 1))[:, None])
            weights.append(np.full(count, gap / count))
        together = np.concatenate(points)
        scratches.append(Scratch(together, np.concatenate(weights), np.full(len(together), np.nan)))
    return tuple(scratches)


def thin(mask: Mask) -> Mask:
    """The skeleton (H, W) of a mask: lines one pixel wide, connected as it was.

    Lee, Kashyap and Chu, "Building skeleton models via 3-D medial surface/axis thinning
    algorithms", 1994, as scikit-image has it. Its default, Zhang and Suen's, shortens
    diagonals two pixels wide to half their length.
    """
    # It belongs to the learning extra and loads slowly: data sets without masks do without it.
    from skimage.morphology import skeletonize

    return np.asarray(skeletonize(mask, method="lee") > 0, dtype=np.bool_)


def _steps(skeleton: Mask) -> tuple[Float64Array, Indices]:
    """The length each skeleton pixel stands for, and how many others it is linked to."""
    height, width = skeleton.shape
    padded = np.pad(skeleton, 1).astype(np.intp)

    def shifted(dy: int, dx: int) -> Indices:
        return padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]

    straight = shifted(-1, 0) + shifted(1, 0) + shifted(0, -1) + shifted(0, 1)
    # A diagonal beside a corner pixel is no step of its own: the way leads over the corner.
    diagonal = sum(
        (shifted(dy, dx) * (1 - shifted(dy, 0)) * (1 - shifted(0, dx))
         for dy in (-1, 1) for dx in (-1, 1)),
        start=np.zeros_like(straight),
    )  # fmt: skip
    lengths = (_STRAIGHT * straight + _DIAGONAL * diagonal) / 2.0
    return lengths[skeleton], (straight + diagonal)[skeleton]


def _join(
    ends: Float64Array, piece: Indices, count: int
) -> tuple[Indices, dict[int, list[tuple[Float64Array, Float64Array]]]]:
    """Joins pieces end to end, nearest first: a group for each piece, a group's bridges."""
    group = np.arange(count)
    bridges: dict[int, list[tuple[Float64Array, Float64Array]]] = {}
    for first, second in _near_pairs(ends):
        a, b = int(group[piece[first]]), int(group[piece[second]])
        if a == b:
            continue
        group[group == b] = a
        joined = [*bridges.pop(a, []), *bridges.pop(b, []), (ends[first], ends[second])]
        bridges[a] = joined
    return group, bridges


def _near_pairs(ends: Float64Array) -> list[tuple[int, int]]:
    """Pairs of points no farther apart than pieces may be, nearest first."""
    order = np.argsort(ends[:, 0], kind="stable")
    firsts: list[Indices] = []
    seconds: list[Indices] = []
    x = ends[order, 0]
    last = np.searchsorted(x, x + JOINED_PX, side="right")
    for place, stop in enumerate(last):
        others = order[place + 1 : stop]
        firsts.append(np.full(len(others), order[place]))
        seconds.append(others)
    first, second = np.concatenate(firsts or [order]), np.concatenate(seconds or [order])
    distance = np.hypot(*(ends[first] - ends[second]).T)
    nearest = np.argsort(distance, kind="stable")
    nearest = nearest[distance[nearest] <= JOINED_PX]
    return list(zip(first[nearest].tolist(), second[nearest].tolist(), strict=True))
