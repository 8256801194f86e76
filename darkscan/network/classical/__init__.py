"""The paper's comparison: methods without a network, and networks as methods beside them.

``method`` is the one interface, ``otsu``, ``weak_scratch`` (reference [6]) and ``banks``
(oriented filters) implement it, ``marked_windows`` says which windows are scratched, ``table``
and ``figure`` lay out the results.
"""

from darkscan.network.classical._method import (
    STRIDE_PX,
    WINDOW_PX,
    Findings,
    FrameMethod,
    NetworkMethod,
    score_windows,
)
from darkscan.network.classical._otsu import Otsu
from darkscan.network.classical._weak_scratch import Rules, WeakScratchRules
from darkscan.network.classical.banks import FilterBank, gabor_kernel, line_kernel
from darkscan.network.datasets.rule import VISIBLE_PX

__all__ = [
    "STRIDE_PX",
    "WINDOW_PX",
    "FilterBank",
    "Findings",
    "FrameMethod",
    "NetworkMethod",
    "Otsu",
    "Rules",
    "WeakScratchRules",
    "gabor_kernel",
    "line_kernel",
    "methods",
    "score_windows",
]

# Standard deviations at which F1 on windows of the simulator's preset "wide" is largest.
_LINE_SIGMAS = 23.0
_GABOR_SIGMAS = 20.0


def methods() -> dict[str, FrameMethod]:
    """Every method without a network, by name, in the order of a table."""
    everything: tuple[FrameMethod, ...] = (
        Otsu("otsu", VISIBLE_PX),
        WeakScratchRules("rules", 1.0, Rules()),
        WeakScratchRules("rules-four", 1.0, Rules(bright_side=True)),
        WeakScratchRules("rules-adaptive", 1.0, Rules(adaptive=True)),
        FilterBank("line-bank", _LINE_SIGMAS, line_kernel),
        FilterBank("gabor-bank", _GABOR_SIGMAS, gabor_kernel),
    )
    return {method.name: method for method in everything}
