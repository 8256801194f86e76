"""What made the model look: the scores of its windows, as heat over a picture.

A window's score stands for all of it, so a place is as hot as the hottest window over it, of
all frames that show it.
"""

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from darkscan.host.store import NotKept
from darkscan.host.web._composing import View, lay
from darkscan.pipeline.core.arrays import UInt8Array
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.host_link.messages import ScanBegan


def heat_of(
    view: View,
    began: ScanBegan,
    frames: Sequence[int],
    scores_of: Callable[[int], UInt8Array],
) -> UInt8Array:
    """(height, width) The highest score, 0 to 255, of the windows over each pixel of a view.

    ``frames``: numbers of those that show it; ``scores_of`` gives a frame's. Raises NotKept
    if not one of them has scores.
    """
    if began.frame_shape is None:
        raise NotKept("the scan does not say how large its frames are")
    to_element = began.pixel_to_stage or PixelToStage.from_pitch(began.pitch_um)
    places = dict(zip(began.frames.tolist(), began.places_mm, strict=True))
    heat = np.zeros((view.height, view.width), np.uint8)
    found = False
    for frame in frames:
        try:
            scores = scores_of(frame)
            cells, cell_px = cells_of(scores, began)
        except (NotKept, InputError):
            continue
        if frame not in places:
            continue
        inverse = np.linalg.inv(to_element.matrix)
        offset = inverse @ (np.array([view.left, view.top]) * view.pitch_mm - places[frame])
        to_frame = np.hstack([inverse * view.pitch_mm, offset[:, None]])
        lay(cells, to_frame / cell_px, heat)
        found = True
    if not found:
        raise NotKept("the scores of the frames that show this defect are not kept")
    return heat


def cells_of(scores: UInt8Array, began: ScanBegan) -> tuple[UInt8Array, int]:
    """(rows, columns) The highest score of the windows over each cell; a cell's side, pixels.

    Raises InputError if the scores are not those of the frame's windows.
    """
    assert began.frame_shape is not None
    origins = window_origins(began.frame_shape, began.window, began.stride)
    if len(origins) != len(scores):
        raise InputError(f"{len(scores)} scores are not those of {len(origins)} windows")
    cell = max(1, math.gcd(began.stride, began.window) // 2)
    cells = np.zeros([-(-side // cell) for side in began.frame_shape], np.uint8)
    side = began.window // cell
    for (y, x), score in zip((origins // cell).tolist(), scores.tolist(), strict=True):
        part = cells[y : y + side, x : x + side]
        np.maximum(part, score, out=part)
    return cells, cell


def with_heat(grey: UInt8Array, heat: UInt8Array, most: float) -> UInt8Array:
    """(height, width, 3), blue, green, red: the picture under its heat.

    ``most``: the share of the heat's colour where it is 255.
    """
    colours = cv2.applyColorMap(heat, cv2.COLORMAP_INFERNO).astype(np.float32)
    share = (heat.astype(np.float32) / 255 * most)[..., None]
    mixed: UInt8Array = (grey[..., None] * (1 - share) + colours * share).round().astype(np.uint8)
    return mixed
