"""A measured surface as CSV, JSON and Markdown."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from typing import Any

from darkscan.network.evaluation._evaluation import plain
from darkscan.network.evaluation._intervals import Estimate, Share
from darkscan.network.evaluation.report import table
from darkscan.network.evaluation.surface._drawing import (
    BACKGROUND,
    NOISE,
    SIDE_PX,
    SIGMA,
    Finish,
    Line,
    Scene,
)
from darkscan.network.evaluation.surface._measuring import FALSE_RATE, Cell, Surface
from darkscan.network.evaluation.surface._plan import FWHM_PX

_NEVER, _CROSSING, _SATURATED = "never", "crossing", "saturated"


def to_csv(surface: Surface) -> str:
    """One row for each point and detector."""
    text = io.StringIO()
    records = [_record(cell) for cell in surface.cells]
    writer = csv.DictWriter(text, records[0].keys(), lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({name: _short(value) for name, value in record.items()})
    return text.getvalue()


def to_json(surface: Surface, about: dict[str, Any]) -> dict[str, Any]:
    """Everything in JSON's types; ``about``: what the model file is."""
    conditions = {
        "seed": surface.seed,
        "window_px": SIDE_PX,
        "background_levels": BACKGROUND,
        "noise_levels": NOISE,
        "sigma_levels": SIGMA,
        "false_rate": FALSE_RATE,
        "windows_a_point": surface.plan.windows,
        "blank_windows": surface.plan.blanks,
    }
    thresholds = [
        {
            "method": blanks.detector,
            "specks": blanks.scene.specks,
            "finish": blanks.scene.finish,
            "windows": blanks.windows,
            "threshold": blanks.threshold,
            "false_at_own_threshold": blanks.false_at_own,
        }
        for blanks in surface.blanks
    ]
    halves = [
        {
            "method": half.detector,
            "specks": half.specks,
            "length_px": length_name(half.length_px),
            "snr50": _or_never(half.snr.value),
            "low": _or_never(half.snr.low),
            "high": _or_never(half.snr.high),
        }
        for half in surface.half_found
    ]
    points = [_record(cell) for cell in surface.cells]
    content = {"about": about, "conditions": conditions, "thresholds": thresholds}
    result: dict[str, Any] = plain(content | {"snr50": halves, "points": points})
    return result


def to_markdown(surface: Surface, picture: str, about: str) -> str:
    """The report. ``picture``: a file beside it; ``about``: what was measured, in a line."""
    plan = surface.plan
    lines = [
        "# Against what is possible",
        "",
        f"{about} Seed {surface.seed}.",
        "",
        (
            f"Straight lines of FWHM {FWHM_PX:g} px on a background of {BACKGROUND:g} grey levels, "
            f"in windows of {SIDE_PX}x{SIDE_PX} px and 8 bits with white noise of {NOISE:g} levels "
            f"({SIGMA:.2f} with rounding), among 0 or more specks in 10^4 px. Contrast (CNR) is "
            f"the line's highest light over the noise. Each method's threshold is the one that "
            f"{FALSE_RATE:.1%} of {plan.blanks} windows without a line reach, for each number of "
            f"specks by itself. {plan.windows} windows a point; intervals: 95 %."
        ),
        "",
        "## Signal-to-noise at which half are found (SNR50)",
        "",
        *half_found_table(surface),
        "",
        (
            "The signal-to-noise is the matched filter's: the root of the sum over pixels of "
            "(trace / noise)^2. The matched filter assumes white noise of known level and "
            "deviation: without specks it is the ideal observer, among specks it is not."
        ),
        "",
        f"![{picture}]({picture})",
    ]
    for specks in plan.specks:
        lines += ["", *_recall(surface, specks)]
    if plan.sharpness_rows:
        lines += ["", *_sharpness(surface)]
    lines += ["", *_at_own(surface)]
    lines += ["", *_thresholds(surface)]
    return "\n".join(lines) + "\n"


def half_found_table(surface: Surface) -> list[str]:
    """SNR50 in Markdown: a row for each number of specks and length, the detectors in columns."""
    halves = {(h.detector, h.specks, h.length_px): h.snr for h in surface.half_found}
    return table(
        ("specks in 10^4 px", "length, px", *surface.detectors),
        (
            (specks, length_name(length), *(_half(halves[d, specks, length])
                                            for d in surface.detectors))
            for specks in surface.plan.specks
            for length in surface.plan.lengths_px
        ),
    )  # fmt: skip


def length_name(length_px: float) -> str:
    """A length as a row's heading."""
    return _CROSSING if math.isinf(length_px) else f"{length_px:g}"


def cnr_name(cnr: float) -> str:
    """A contrast as a column's heading."""
    return _SATURATED if math.isinf(cnr) else f"{cnr:g}"


def sharpness_name(fwhm_px: float, finish: Finish) -> str:
    """A width, and what was done to the whole picture."""
    name = f"FWHM {fwhm_px:g} px"
    return name if finish == "plain" else f"{name}, {finish}"


def _record(cell: Cell) -> dict[str, Any]:
    """The facts of a cell under the names of the CSV's columns."""
    line, own = _line(cell.scene), cell.found_at_own
    share, at_own = cell.found.estimate, None if own is None else own.estimate
    return {
        "method": cell.detector,
        "specks": cell.scene.specks,
        "finish": cell.scene.finish,
        "fwhm_px": line.fwhm_px,
        "length_px": length_name(line.length_px),
        "cnr": cnr_name(line.cnr),
        "snr": cell.snr,
        "windows": cell.found.count,
        "found": cell.found.hits,
        "recall": share.value,
        "recall_low": share.low,
        "recall_high": share.high,
        "mean_score": cell.mean_score,
        "recall_at_own_threshold": None if at_own is None else at_own.value,
        "recall_at_own_threshold_low": None if at_own is None else at_own.low,
        "recall_at_own_threshold_high": None if at_own is None else at_own.high,
    }


def _line(scene: Scene) -> Line:
    assert scene.line is not None
    return scene.line


def _short(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def _or_never(value: float) -> float | str:
    return _NEVER if math.isinf(value) else value


def _half(snr: Estimate) -> str:
    if math.isinf(snr.value):
        return _NEVER
    high = _NEVER if math.isinf(snr.high) else f"{snr.high:.1f}"
    return f"{snr.value:.1f} [{snr.low:.1f}, {high}]"


def _recall(surface: Surface, specks: int) -> Iterator[str]:
    """Lengths by contrasts among so many specks, all detectors in a cell."""
    cells = surface.by_place()
    yield f"## Recall among {specks} specks in 10^4 px, at {FALSE_RATE:.1%} false windows"
    yield ""
    yield f"Of {' / '.join(surface.detectors)}."
    yield ""
    rows = []
    for length in surface.plan.lengths_px:
        scenes = [Scene(specks, line=Line(length, FWHM_PX, cnr)) for cnr in surface.plan.cnrs]
        found = [_side_by_side([cells[d, s].found for d in surface.detectors]) for s in scenes]
        rows.append((length_name(length), *found))
    yield from table(("length, px \\ CNR", *map(cnr_name, surface.plan.cnrs)), rows)


def _sharpness(surface: Surface) -> Iterator[str]:
    cells = surface.by_place()
    yield f"## Recall by sharpness, among {surface.plan.sharpness_specks} specks in 10^4 px"
    yield ""
    yield (
        f"Of {' / '.join(surface.detectors)}, at {FALSE_RATE:.1%} false windows. Sharpened: "
        f"unsharp mask of the finished picture; blurred: a Gaussian of sigma 0.7 px over it."
    )
    yield ""
    rows = []
    for scenes in surface.plan.sharpness_rows:
        line = _line(scenes[0])
        found = [_side_by_side([cells[d, s].found for d in surface.detectors]) for s in scenes]
        name = sharpness_name(line.fwhm_px, scenes[0].finish)
        rows.append((length_name(line.length_px), name, *found))
    yield from table(("length, px", "sharpness \\ CNR", *map(cnr_name, surface.plan.cnrs)), rows)


def _at_own(surface: Surface) -> Iterator[str]:
    """Recall and mean score of the detectors that have thresholds of their own."""
    cells = surface.by_place()
    known = {cell.detector for cell in surface.cells if cell.found_at_own is not None}
    for detector in (name for name in surface.detectors if name in known):
        yield f"## {detector} at its own threshold: recall (mean score)"
        yield ""
        rows = []
        for specks in surface.plan.specks:
            for length in surface.plan.lengths_px:
                lines = [Line(length, FWHM_PX, cnr) for cnr in surface.plan.cnrs]
                row = [cells[detector, Scene(specks, line=line)] for line in lines]
                rows.append((specks, length_name(length), *map(_own, row)))
        headings = ("specks in 10^4 px", "length, px \\ CNR", *map(cnr_name, surface.plan.cnrs))
        yield from table(headings, rows)
        yield ""


def _own(cell: Cell) -> str:
    assert cell.found_at_own is not None
    return f"{cell.found_at_own.estimate.value:.2f} ({cell.mean_score:.2f})"


def _thresholds(surface: Surface) -> Iterator[str]:
    yield "## Thresholds"
    yield ""
    rows = (
        (
            blanks.detector,
            blanks.scene.specks,
            blanks.scene.finish,
            blanks.windows,
            f"{blanks.threshold:.4g}",
            "-" if blanks.false_at_own is None else blanks.false_at_own.estimate,
        )
        for blanks in surface.blanks
    )
    own = "false windows at its own threshold [95 %]"
    headings = ("method", "specks in 10^4 px", "finish", "blank windows", "threshold", own)
    yield from table(headings, rows)


def _side_by_side(shares: Sequence[Share]) -> str:
    return " / ".join(f"{share.estimate.value:.2f}" for share in shares)
