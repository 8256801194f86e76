"""A measured surface as a figure: SNR50 over length, and recall over contrast."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from darkscan.network.evaluation.surface._drawing import Line, Scene
from darkscan.network.evaluation.surface._measuring import FALSE_RATE, Surface
from darkscan.network.evaluation.surface._plan import FWHM_PX
from darkscan.network.evaluation.surface._report import cnr_name, length_name
from darkscan.network.pictures import png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL_IN = (3.1, 3.3)
_DPI = 130
_SNR_LIMITS = (3.0, 300.0)
_SNR_TICKS = (3, 5, 10, 20, 50, 100)
_NEVER_AT = 220.0
_MARKERS = "osD^v"


def draw_figure(surface: Surface) -> bytes:
    """A PNG: above, SNR50 over length, for each number of specks a panel; below, recall.

    Below is the first detector's recall over contrast, a line for each length.
    """
    from matplotlib.figure import Figure

    columns = len(surface.plan.specks)
    width, height = _PANEL_IN
    figure = Figure(figsize=(width * columns + 1.2, 2 * height), dpi=_DPI, layout="constrained")
    panels = figure.subplots(2, columns, sharey="row", squeeze=False)
    for column, specks in enumerate(surface.plan.specks):
        above, below = panels[:, column]
        title = "no specks" if specks == 0 else f"{specks} specks in $10^4$ px"
        above.set_title(title, fontsize="medium")
        _half_found(above, surface, specks)
        _recall(below, surface, specks)
    panels[0, 0].set_ylabel("signal-to-noise at which half are found")
    panels[1, 0].set_ylabel(f"recall of {surface.detectors[0]}")
    panels[0, -1].legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    panels[1, -1].legend(
        title="length, px", fontsize="small", loc="upper left", bbox_to_anchor=(1, 1)
    )
    figure.suptitle(
        f"Straight lines of FWHM {FWHM_PX:g} px at {FALSE_RATE:.1%} false windows", fontsize="large"
    )
    return png(figure)


def _half_found(axes: "Axes", surface: Surface, specks: int) -> None:
    lengths = surface.plan.lengths_px
    for number, detector in enumerate(surface.detectors):
        halves = {
            half.length_px: half.snr
            for half in surface.half_found
            if (half.detector, half.specks) == (detector, specks)
        }
        snr = [halves[length] for length in lengths]
        value = np.array([min(s.value, _NEVER_AT) for s in snr])
        low = np.array([min(s.low, _NEVER_AT) for s in snr])
        high = np.array([min(s.high, _NEVER_AT) for s in snr])
        axes.errorbar(
            np.arange(len(lengths)) + 0.08 * (number - (len(surface.detectors) - 1) / 2),
            value,
            yerr=np.maximum(0, (value - low, high - value)),
            marker=_MARKERS[number % len(_MARKERS)],
            markersize=5,
            linewidth=1.3,
            elinewidth=0.8,
            capsize=2,
            label=detector,
        )
    axes.axhline(_NEVER_AT, color="grey", linewidth=0.6, linestyle=":")
    axes.set_yscale("log")
    axes.set_ylim(_SNR_LIMITS)
    axes.set_yticks([*_SNR_TICKS, _NEVER_AT], [*map(str, _SNR_TICKS), "never"])
    axes.minorticks_off()
    _ticks(axes, [length_name(length) for length in lengths])
    axes.set_xlabel("length, px")
    axes.grid(alpha=0.3)


def _recall(axes: "Axes", surface: Surface, specks: int) -> None:
    from matplotlib import colormaps

    plan, cells = surface.plan, surface.by_place()
    colours = colormaps["viridis"](np.linspace(0, 0.92, len(plan.lengths_px)))
    for length, colour in zip(plan.lengths_px, colours, strict=True):
        scenes = [Scene(specks, line=Line(length, FWHM_PX, cnr)) for cnr in plan.cnrs]
        recall = [cells[surface.detectors[0], scene].found.estimate.value for scene in scenes]
        axes.plot(recall, color=colour, marker=".", linewidth=1.3, label=length_name(length))
    _ticks(axes, [cnr_name(cnr) for cnr in plan.cnrs])
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("contrast to noise")
    axes.grid(alpha=0.3)


def _ticks(axes: "Axes", names: Sequence[str]) -> None:
    turned = 45 if max(map(len, names)) > math.floor(12 / len(names)) + 3 else 0
    axes.set_xticks(range(len(names)), names, rotation=turned, fontsize="small")
