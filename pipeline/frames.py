"""Where frames come from: the one interface of recordings, cameras and the simulator."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.scan import FrameMeta, ScanInfo

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


class FrameSource(Protocol):
    """A scan whose frames can be read in any order, as often as needed."""

    @property
    def info(self) -> ScanInfo:
        """What is known of the scan."""

    @property
    def frames(self) -> Sequence[FrameMeta]:
        """Every planned frame in scan order; those without pixels are flagged so."""

    def read_into(self, index: int, out: Pixels) -> None:
        """Writes the pixels of ``frames[index]`` into ``out`` (height, width), once."""

    def close(self) -> None:
        """Lets go of the files behind it."""
