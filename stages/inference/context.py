"""What a window's neighbours see of it: a scratch that grazes one crosses another."""

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from darkscan.stages.inference.backend import FloatArray, Seen


def scores_in_context(seen: Seen, origins: npt.NDArray[np.int32], window: int) -> FloatArray:
    """The scores (N,) of a frame's windows: with their neighbours', where there are lines."""
    if seen.lines is None:
        return seen.scores
    return with_neighbours(origins, seen.scores, seen.lines, window)


def with_neighbours(
    origins: npt.NDArray[np.int32], scores: FloatArray, lines: FloatArray, window: int
) -> FloatArray:
    """Scores (N,) of windows that know what the windows overlapping them found there.

    A window that shows a corner of a scratch cannot tell it from a speck; a neighbour that
    sees the whole can, and its line map says where it runs. So a window's score is raised
    to a neighbour's, times the highest line probability in the cells that both show.
    No score rises above the highest around it: nothing is found that no window found.

    ``origins`` (N, 2) first pixels (y, x); ``scores`` (N,) and ``lines`` (N, cells, cells)
    probabilities, of the windows alone; ``window`` their side in pixels.
    """
    seen = scores.copy()
    for offset, pairs in _overlaps(origins, window).items():
        own, other = np.array(pairs).T
        certain = scores[other] > scores[own]
        own, other = own[certain], other[certain]
        rows, columns = (_shared_cells(step, window, lines.shape[1]) for step in offset)
        shared = lines[other, rows, columns]
        if shared.size:
            # Each own window is in a group once: its neighbour at this offset.
            seen[own] = np.maximum(seen[own], scores[other] * shared.max(axis=(1, 2)))
    return seen


def _overlaps(
    origins: npt.NDArray[np.int32], window: int
) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Pairs of overlapping windows by how far the first lies below and right of the second."""
    places = {(y, x): index for index, (y, x) in enumerate(origins.tolist())}
    near_y, near_x = (_near(origins[:, axis], window) for axis in (0, 1))
    pairs = defaultdict(list)
    for (y, x), own in places.items():
        for v in near_y[y]:
            for u in near_x[x]:
                other = places.get((v, u))
                if other is not None and other != own:
                    pairs[y - v, x - u].append((own, other))
    return pairs


def _near(starts: npt.NDArray[np.int32], window: int) -> dict[int, list[int]]:
    """For each place along an axis, those less than a window away."""
    places = np.unique(starts)
    first = np.searchsorted(places, places - window, side="right")
    last = np.searchsorted(places, places + window, side="left")
    return {
        place: places[a:b].tolist()
        for place, a, b in zip(places.tolist(), first.tolist(), last.tolist(), strict=True)
    }


def _shared_cells(step: int, window: int, cells: int) -> slice:
    """The other window's cells that lie wholly in the one ``step`` px after it."""
    cell = window // cells
    return slice(-(-max(step, 0) // cell), (min(step, 0) + window) // cell)
