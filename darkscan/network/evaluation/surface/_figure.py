"""A measured surface as a figure: SNR50 over length, and recall over contrast."""

from typing import TYPE_CHECKING

import numpy as np

from darkscan.network.evaluation.surface._drawing import Line, Scene
from darkscan.network.evaluation.surface._measuring import FALSE_RATE, Surface
from darkscan.network.evaluation.surface._plan import FWHM_PX
from darkscan.network.evaluation.surface._report import cnr_name, length_name
from darkscan.network.pictures import png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL_IN = (3.2, 3.2)
_DPI = 130
_SNR_LIMITS = (3.0, 700.0)
_SNR_TICKS = (3, 5, 10, 20, 50, 100, 200)
_NEVER_AT = 500.0
_MARKERS = "osD^v"
_DARK = 0.6  # recall below which a cell's number is white


def draw_figure(surface: Surface) -> bytes:
    """A PNG: above, SNR50 over length, for each number of specks a panel; below, recall.

    Below is the first detector's recall for each length and contrast.
    """
    from matplotlib.figure import Figure

    columns = len(surface.plan.specks)
    width, height = _PANEL_IN
    figure = Figure(figsize=(width * columns + 0.8, 2 * height), dpi=_DPI, layout="constrained")
    panels = figure.subplots(2, columns, sharey="row", squeeze=False)
    for column, specks in enumerate(surface.plan.specks):
        above, below = panels[:, column]
        title = "no specks" if specks == 0 else f"{specks} specks in $10^4$ px"
        above.set_title(title, fontsize="medium")
        _half_found(above, surface, specks)
        _recall(below, surface, specks)
    panels[0, 0].set_ylabel("signal-to-noise (SNR50)")
    panels[0, 0].legend(fontsize="small", loc="upper right", bbox_to_anchor=(1, 0.9))
    panels[1, 0].set_ylabel("length, px")
    figure.suptitle(
        f"Above: signal-to-noise at which half of the lines are found.\n"
        f"Below: recall of the {surface.detectors[0]}. Both at {FALSE_RATE:.1%} false windows.",
        fontsize="medium",
    )
    return png(figure)


def _half_found(axes: "Axes", surface: Surface, specks: int) -> None:
    lengths = surface.plan.lengths_px
    apart = 0.1
    for number, detector in enumerate(surface.detectors):
        halves = {
            half.length_px: half.snr
            for half in surface.half_found
            if (half.detector, half.specks) == (detector, specks)
        }
        snr = [halves[length] for length in lengths]
        value, low, high = np.array([(s.value, s.low, min(s.high, _NEVER_AT)) for s in snr]).T
        place = np.arange(len(lengths)) + apart * (number - (len(surface.detectors) - 1) / 2)
        never = np.isinf(value)
        known = ~never
        line = axes.errorbar(
            place[known],
            value[known],
            yerr=np.maximum(0, (value[known] - low[known], high[known] - value[known])),
            marker=_MARKERS[number % len(_MARKERS)],
            markersize=5,
            linewidth=1.3,
            elinewidth=0.8,
            capsize=2,
            label=detector,
        )[0]
        axes.plot(
            place[never],
            np.full(never.sum(), _NEVER_AT),
            line.get_marker(),
            color=line.get_color(),
            markerfacecolor="none",
            markersize=5,
        )
    axes.axhline(_NEVER_AT, color="grey", linewidth=0.6, linestyle=":")
    axes.set_yscale("log")
    axes.set_ylim(_SNR_LIMITS)
    axes.set_yticks([*_SNR_TICKS, _NEVER_AT], [*map(str, _SNR_TICKS), "never"])
    axes.minorticks_off()
    axes.set_xticks(range(len(lengths)), [length_name(length) for length in lengths])
    axes.tick_params(axis="x", labelsize="small", labelrotation=45)
    axes.set_xlim(-0.5, len(lengths) - 0.5)
    axes.set_xlabel("length, px")
    axes.grid(alpha=0.3)


def _recall(axes: "Axes", surface: Surface, specks: int) -> None:
    plan, cells = surface.plan, surface.by_place()
    detector = surface.detectors[0]
    recall = np.array(
        [
            [
                cells[detector, Scene(specks, line=Line(length, FWHM_PX, cnr))].found.estimate.value
                for cnr in plan.cnrs
            ]
            for length in plan.lengths_px
        ]
    )
    axes.imshow(recall, vmin=0, vmax=1, cmap="viridis", aspect="auto")
    for (row, column), value in np.ndenumerate(recall):
        colour = "white" if value < _DARK else "black"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(plan.cnrs)), [cnr_name(cnr) for cnr in plan.cnrs])
    axes.tick_params(axis="x", labelsize="small", labelrotation=45)
    axes.set_yticks(
        range(len(plan.lengths_px)), [length_name(length) for length in plan.lengths_px]
    )
    axes.set_xlabel("contrast to noise")
