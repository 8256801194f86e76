"""A window as people can see it: raw, histogram-equalised, or under a heat map."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.frames import Pixels

Grey = npt.NDArray[np.uint8]
Colour = npt.NDArray[np.uint8]

_HEAT_SHARE = 0.55  # of the colour: enough to be read, little enough to see the scratch


def raw_view(window: Pixels, full_scale: float) -> Grey:
    """The window (H, W) as the camera gave it: black is 0, white its full scale."""
    view: Grey = np.rint(window * (255.0 / full_scale)).clip(0, 255).astype(np.uint8)
    return view


def overlay(view: Grey, heat: npt.NDArray[Any], low: float, high: float) -> Colour:
    """A view (H, W) under a heat map (h, w), as RGB (H, W, 3); low is dark, high is light.

    The map's cells are laid over the whole view, smoothly; equal ``low`` and ``high``
    show no heat at all.
    """
    span = high - low
    share = (heat.astype(np.float32) - low) / span if span > 0 else np.zeros_like(heat, np.float32)
    height, width = view.shape
    smooth = cv2.resize(share.clip(0, 1), (width, height), interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap(np.rint(255 * smooth).astype(np.uint8), cv2.COLORMAP_INFERNO)
    grey = view[:, :, None].astype(np.float32)
    mixed = _HEAT_SHARE * colours[:, :, ::-1] + (1 - _HEAT_SHARE) * grey
    return np.rint(mixed).astype(np.uint8)


def mosaic(tiles: list[Colour]) -> Colour:
    """Four equal tiles (H, W, 3) in two rows, thin white lines between."""
    first, second, third, fourth = tiles
    height, width, _ = first.shape
    line = max(2, height // 64)
    whole = np.full((2 * height + line, 2 * width + line, 3), 255, np.uint8)
    whole[:height, :width], whole[:height, -width:] = first, second
    whole[-height:, :width], whole[-height:, -width:] = third, fourth
    return whole
