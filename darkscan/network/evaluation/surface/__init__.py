"""How good a detector is against what is possible, on windows drawn for the purpose.

Straight lines of known length, contrast and width lie in white noise, among more or fewer specks.
Every detector has the threshold that one in 200 windows without a line reaches. ``_drawing`` draws
the windows, ``_plan`` says which, ``_measuring`` measures, ``_sensitivity`` finds SNR50,
``_matched_filter`` is the ideal observer, ``_report`` and ``_figure`` show the results.
"""

from darkscan.network.evaluation.surface._drawing import BACKGROUND, SIGMA
from darkscan.network.evaluation.surface._figure import draw_figure
from darkscan.network.evaluation.surface._matched_filter import MatchedFilter
from darkscan.network.evaluation.surface._measuring import Detector, Surface, measure
from darkscan.network.evaluation.surface._plan import FULL, QUICK, Plan
from darkscan.network.evaluation.surface._report import (
    half_found_table,
    to_csv,
    to_json,
    to_markdown,
)

__all__ = [
    "BACKGROUND",
    "FULL",
    "QUICK",
    "SIGMA",
    "Detector",
    "MatchedFilter",
    "Plan",
    "Surface",
    "draw_figure",
    "half_found_table",
    "measure",
    "to_csv",
    "to_json",
    "to_markdown",
]
