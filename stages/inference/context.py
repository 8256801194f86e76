"""What a window's neighbours see of it: a scratch that grazes one crosses another."""

import numpy as np
import numpy.typing as npt

from darkscan.stages.inference.backend import FloatArray, Seen

_NO_WINDOW = -1


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
    (ys, row), (xs, column) = (np.unique(origins[:, axis], return_inverse=True) for axis in (0, 1))
    number = np.full((len(ys), len(xs)), _NO_WINDOW)
    number[row, column] = np.arange(len(origins))
    steps_right = _steps(xs, window)
    for down, below, above in _steps(ys, window):
        band = lines[:, _shared_cells(down, window, lines.shape[1])]
        if not band.size:
            continue
        highest = band.max(axis=1)
        for right, behind, before in steps_right:
            shared = highest[:, _shared_cells(right, window, lines.shape[2])]
            own, other = number[below][:, behind], number[above][:, before]
            pairs = (own != _NO_WINDOW) & (other != _NO_WINDOW)
            if (down, right) == (0, 0) or not shared.size or not pairs.any():
                continue
            # Each own window is in a group once: its neighbour at this offset.
            told = (scores * shared.max(axis=1))[other[pairs]]
            seen[own[pairs]] = np.maximum(seen[own[pairs]], told)
    return seen


def _steps(
    places: npt.NDArray[np.int32], window: int
) -> list[tuple[int, npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """How far places along an axis lie after others less than a window away: which after which."""
    distance = places[:, None] - places
    steps = np.unique(distance[np.abs(distance) < window])
    pairs = ((int(step), distance == step) for step in steps)
    return [(step, same.nonzero()[0], same.nonzero()[1]) for step, same in pairs]


def _shared_cells(step: int, window: int, cells: int) -> slice:
    """The other window's cells that lie wholly in the one ``step`` px after it."""
    cell = window // cells
    return slice(-(-max(step, 0) // cell), (min(step, 0) + window) // cell)
