"""Training windows with labels: scratched or clean, from easy to as hard as they come.

A window is scratched (label 1) when 12 px or more of a scratch show within it less a rim of
4 px, clean (0) when no scratch touches it at all. In between lie windows that a scratch grazes
and scratches too faint for any eye: they train the network to rank them between the two, and
judge nothing.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from darkscan.simulation.element.kinds import CELL_PX, Cells, Kind
from darkscan.simulation.element.looks import WINDOW_PX, WindowPreset
from darkscan.simulation.element.real_backgrounds import RealBackgrounds
from darkscan.simulation.element.training_images import draw_image, label, some

_CLEAN = 0.5
_FURTHER = 0.25  # scratches beside the first


@dataclass(frozen=True)
class TrainingWindow:
    """A window as the camera gives it, before brightness adjustment.

    ``image`` is (256, 256) uint8; ``label`` 1 for scratched, 0 for clean, between them
    for grazed or too faint; ``cnr`` the strongest scratch's amplitude over the noise (0 if
    clean); ``kind`` the first scratch's shape, or the rarest thing in a clean window; ``snr``
    the matched filter's signal-to-noise of its strongest scratch (0 if clean); ``kinds``
    (32, 32) the ``Kind`` of each cell of 8 px, or ``UNKNOWN``; ``directions`` (32, 32) that of
    scratches, in degrees from x towards y.
    """

    image: npt.NDArray[np.uint8]
    label: float
    cnr: float
    kind: str
    snr: float
    kinds: Cells
    directions: Cells

    @property
    def lines(self) -> Cells:
        """(32, 32) 1 in the cells that a scratch's centre line crosses, else 0."""
        return np.asarray(self.kinds == Kind.SCRATCH, dtype=np.uint8)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 around these cells in pixels; zeros if there are none."""
        rows, columns = np.nonzero(self.lines)
        if not len(rows):
            return 0.0, 0.0, 0.0, 0.0
        left, top = (CELL_PX * float(axis.min()) for axis in (columns, rows))
        right, bottom = (CELL_PX * float(axis.max() + 1) for axis in (columns, rows))
        return left, top, right, bottom


class TrainingBatch(NamedTuple):
    """N training images with what is true of them, field by field.

    Of single windows: ``images`` (N, 256, 256) uint8, ``labels`` (N,) float32; of larger
    images (N, 512, 512) and those of their windows at half-window steps (N, 3, 3). ``lines``,
    ``kinds`` and ``directions`` (N, h, w) uint8 are of cells of 8 px, see ``TrainingWindow``;
    ``boxes`` (N, 4) float32, zeros for larger images, which may hold several scratches.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.float32]
    lines: Cells
    boxes: npt.NDArray[np.float32]
    kinds: Cells
    directions: Cells


def training_batch(
    seed: int,
    index: int,
    size: int,
    contrast: float = 1.0,
    preset: WindowPreset = "mixed",
    backgrounds: RealBackgrounds | None = None,
) -> TrainingBatch:
    """Batch ``index`` of a training run: ``size`` windows with their labels.

    See ``training_window``. The same arguments give the same bytes.
    """
    rng = np.random.default_rng([seed, index])
    windows = [training_window(rng, contrast, preset, backgrounds) for _ in range(size)]
    return TrainingBatch(
        images=np.stack([window.image for window in windows]),
        labels=np.array([window.label for window in windows], np.float32),
        lines=np.stack([window.lines for window in windows]),
        boxes=np.array([window.box for window in windows], np.float32),
        kinds=np.stack([window.kinds for window in windows]),
        directions=np.stack([window.directions for window in windows]),
    )


def training_window(
    rng: np.random.Generator,
    contrast: float = 1.0,
    preset: WindowPreset = "mixed",
    backgrounds: RealBackgrounds | None = None,
) -> TrainingWindow:
    """Draws one window; those with a scratch are as frequent as clean ones.

    ``contrast`` in [0, 1] is the curriculum, ``backgrounds`` real ones for a share of the
    windows, see ``training_images.draw_image``.
    """
    count = some(rng, _CLEAN, _FURTHER)
    drawn = draw_image(rng, contrast, preset, WINDOW_PX, count, backgrounds)
    lines = drawn.lines
    return TrainingWindow(
        image=drawn.picture,
        label=label(lines),
        cnr=max((line.cnr for line in lines), default=0.0),
        kind=lines[0].kind if lines else drawn.rarest,
        snr=max((line.snr for line in lines), default=0.0),
        kinds=drawn.kinds.kinds,
        directions=drawn.kinds.directions,
    )
