"""Looking inside a network: what in a window made it say scratch.

``grad_cam`` asks the gradients, ``attention`` reads the attention modules' own weights,
``explain`` does both, ``figure`` draws them as the paper's Fig. 7 does, and
``defect_windows`` and ``area_windows`` find the windows of a defect or an area of a map.
"""

from darkscan.network.explaining._attention import Attention, attention
from darkscan.network.explaining._explanation import Explanation, Panel, explain, scores_of
from darkscan.network.explaining._figure import draw
from darkscan.network.explaining._grad_cam import grad_cam
from darkscan.network.explaining.defect_windows import (
    WindowPlace,
    area_windows,
    defect_windows,
    spread_out,
)

__all__ = [
    "Attention",
    "Explanation",
    "Panel",
    "WindowPlace",
    "area_windows",
    "attention",
    "defect_windows",
    "draw",
    "explain",
    "grad_cam",
    "scores_of",
    "spread_out",
]
