"""Colours and the scale bar of a map's drawing and picture."""

import math

from darkscan.pipeline.core.defect_map import NotInspectedKind

DEFECT_COLOUR = "#e8452c"
SCRATCH_COLOUR = "#ffe600"
"""The colour of centre lines: bright, thin, and told from the outline around them."""

COLOURS: dict[NotInspectedKind, str] = {
    "lost": "#8e44ad",
    "quarantined": "#b9770e",
    "no_score": "#b9770e",
    "never_scanned": "#2471a3",
    "outside_region": "#808b96",
}
"""The colours of areas that were not inspected."""


def scale_bar_mm(width_mm: float) -> float:
    """A length of 1, 2 or 5 times a power of ten, at most a fifth of the width, mm."""
    most = width_mm / 5
    power = 10.0 ** math.floor(math.log10(most))
    length = max(step * power for step in (1, 2, 5) if step * power <= most * (1 + 1e-9))
    return float(f"{length:.0e}")


def bgr(colour: str) -> tuple[int, int, int]:
    """A colour "#rrggbb" in the order of OpenCV."""
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return blue, green, red
