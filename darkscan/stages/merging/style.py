"""Colours and the scale bar that a map's drawing, picture and terminal share.

The colours are those of Okabe and Ito, "Color Universal Design" (2008), and greys: people with
any common kind of colour blindness tell them apart. Kinds differ in form, too: scratches are
whole lines, fibres dashed ones, digs round dots and grains square ones.
"""

import math

from darkscan.pipeline.core.defect_map import NotInspectedKind
from darkscan.pipeline.core.frame_results import DefectKind

KIND_COLOURS: dict[DefectKind, str] = {
    "scratch": "#d55e00",
    "fibre": "#56b4e9",
    "dig": "#cc79a7",
    "dust": "#009e73",
}
AREA_COLOUR = "#e69f00"
"""The colour of areas: windows over the model's threshold."""

NOT_INSPECTED_COLOURS: dict[NotInspectedKind, str] = {
    "lost": "#0072b2",
    "quarantined": "#f0e442",
    "no_score": "#f0e442",
    "never_scanned": "#7f7f7f",
    "outside_region": "#bfbfbf",
}

LINE_KINDS: frozenset[DefectKind] = frozenset({"scratch", "fibre"})
"""The kinds that a centre line tells; the others are spots."""


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
