"""What the model says that each cell of a frame shows: dust, a dig, a fibre, a scratch."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from darkscan.centrelines._line_map import in_one
from darkscan.pipeline.core.arrays import Float32Array, Float64Array, Mask
from darkscan.pipeline.core.frame_results import DEFECT_KINDS, DefectKind

_CODES: dict[DefectKind, int] = {"dust": 3, "dig": 4, "fibre": 5, "scratch": 6}
"""The numbers by which a model file's ``kinds`` go, of those that are defects."""


@dataclass(frozen=True, eq=False)
class CellKinds:
    """The most likely kind of each cell of a frame, and its probability."""

    codes: npt.NDArray[np.uint8]
    """(h, w)."""
    probability: Float32Array
    """(h, w)."""
    cell: int
    """Side of a cell, pixels."""

    @classmethod
    def of(
        cls,
        origins: npt.NDArray[np.int32],
        kinds: Float32Array,
        window: int,
        shape: tuple[int, int],
    ) -> Self:
        """Those of all windows of a frame of ``shape`` (H, W), in one.

        origins: (N, 2) their first pixels (y, x); kinds: (N, cells, cells) as a model gives them,
        the kind's number plus its probability less than 1.
        """
        whole = in_one(origins, kinds, window, shape)
        codes = np.floor(whole)
        return cls(codes.astype(np.uint8), whole - codes, window // kinds.shape[1])

    def under(self, points: Float64Array) -> Float32Array:
        """The mean probability (4,) of each of ``DEFECT_KINDS`` along points (K, 2), pixels."""
        columns, rows = np.minimum(points // self.cell, np.array(self.codes.shape[::-1]) - 1).T
        place = (rows.astype(np.intp), columns.astype(np.intp))
        codes, probability = self.codes[place], self.probability[place]
        means = [
            np.mean(np.where(codes == _CODES[kind], probability, 0), dtype=np.float64)
            for kind in DEFECT_KINDS
        ]
        return np.array(means, np.float32)

    def where(self, kind: DefectKind) -> Mask:
        """(h, w) the cells that show a kind most likely."""
        return np.asarray(self.codes == _CODES[kind], np.bool_)

    def probability_of(self, kind: DefectKind) -> Float32Array:
        """(h, w) the probability of a kind, 0 where another one is likelier."""
        return np.where(self.where(kind), self.probability, np.float32(0.0))
