"""The weak-scratch rules of the paper's reference [6] as a method."""

from dataclasses import dataclass

import numpy as np

from darkscan.network.classical.levels import eight_bit
from darkscan.network.classical.method import Findings, FrameMethod, Origins, windows_of
from darkscan.network.classical.rules import Rules
from darkscan.network.classical.segments import lines_among
from darkscan.pipeline.frames import Pixels


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
