"""Pictures: windows with their histogram equalised, and figures as PNG."""

import io
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Pixels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def equalised(window: Pixels) -> npt.NDArray[np.uint8]:
    """The window (H, W) with a flat histogram, for weak scratches to be seen.

    On 8 bits it is ``cv2.equalizeHist``; deeper windows keep all their levels until they
    are spread out. A flat window is black.
    """
    levels, ranks, counts = np.unique(window, return_inverse=True, return_counts=True)
    if len(levels) == 1:
        return np.zeros(window.shape, np.uint8)
    above = np.cumsum(counts) - counts[0]
    lookup = np.rint(above * (255.0 / above[-1])).astype(np.uint8)
    spread: npt.NDArray[np.uint8] = lookup[ranks].reshape(window.shape)
    return spread


def png(figure: "Figure") -> bytes:
    """A figure as PNG, of the same bytes with every version of matplotlib that draws alike."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
