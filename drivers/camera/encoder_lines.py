"""The encoder's count of each line of a block, from as few readings as will do."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt


def encoder_lines(read: Callable[[int], int], rows: int, step: int | None) -> npt.NDArray[np.int64]:
    """The counts (rows,) of a block's lines, where ``read`` gives that of one line.

    Reading every line through GenApi costs more time than the lines take to come. As a line
    is taken each ``step`` counts (signed; None: not known, each line is read), lines between
    two that are as far apart as they should be are in their places, and are not read: two
    readings for a whole block, and about 2 log2(rows) more for each jump in it. "As far" is
    to less than half a step, which leaves room for a count's jitter. Lines between two of the
    same count have that count as well (the encoder stands still, and lines come all the same).
    """
    counts = np.empty(rows, np.int64)
    if step is None:
        counts[:] = [read(row) for row in range(rows)]
        return counts
    counts[0], counts[-1] = read(0), read(rows - 1)
    open_ranges = [(0, rows - 1)]
    while open_ranges:
        first, last = open_ranges.pop()
        way = int(counts[last] - counts[first])
        if way == 0 or 2 * abs(way - step * (last - first)) < abs(step):
            counts[first : last + 1] = np.rint(
                np.linspace(counts[first], counts[last], last - first + 1)
            )
        elif last - first > 1:
            middle = (first + last) // 2
            counts[middle] = read(middle)
            open_ranges += [(first, middle), (middle, last)]
    return counts
