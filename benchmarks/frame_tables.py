"""What was measured on labelled frames, as Markdown, CSV and plain data."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from frame_results import FrameSet, Results

from darkscan.network.classical.marked_windows import WindowLabels
from darkscan.network.evaluation import plain
from darkscan.network.evaluation.frame_figures import MapTotals, Marked, WindowFigures
from darkscan.network.evaluation.report import table

COLUMNS = "detector,frames,frame,y,x,label,score,in_frame_alone,cut_out,frame_cut_at_step"
WINDOW_COLUMNS = (
    *("detector", "frames", "positive", "negative", "AUC", "P", "R", "negatives marked"),
    *("AUC, no neighbours", "P", "R", "negatives marked"),
)
MAP_COLUMNS = (
    *("model", "frames", "clear", "as one line", "split", "length", "faint", "as one line"),
    *("split", "merging lines", "false scratches", "in 10 frames", "length beside all drawn"),
    *("fibres", "of them beside all", "spots", "areas without defect"),
)
BEYOND_COLUMNS = (
    *("model", "frames", "windows", "of them", "in the frame, with neighbours", "in the frame"),
    *("cut out", "frame cut at the step"),
)


def data(results: Results, terms: Mapping[str, Any]) -> dict[str, Any]:
    """All figures; ``terms`` are what they depend on."""
    models = []
    for each in results.models:
        with_neighbours, alone = each.windows()
        maps = {**plain(each.maps()), "missed": each.missed(), "in_parts": each.in_parts()}
        models.append(
            {
                "model": each.model,
                "frames": each.of.treatment,
                "windows": {"with_neighbours": with_neighbours, "alone": alone},
                "maps": maps,
                "negatives_marked": each.beyond(),
            }
        )
    banks = [{"frames": bank.of.treatment, "windows": bank.windows()} for bank in results.banks]
    return {**terms, "results": models, "line_bank": banks}


def markdown(results: Results, terms: Mapping[str, Any]) -> str:
    """The figures as tables; ``terms`` are what they depend on."""
    named = (
        f"{name} ({about['hash'][:19]}, threshold {about['threshold']:.4f})"
        for name, about in terms["models"].items()
    )
    lines = [
        "# Real frames",
        "",
        f"{terms['frames']} frames; {', '.join(named)}; on {terms['machine']}.",
        f"Positive: {terms['shortest_px']:g} px or more of a clear or faint line. Flat-fielded:",
        f"less the mean over the frames but {terms['trim']:.0%} at either end, times two.",
        "",
        "## Windows",
        "",
        *table(WINDOW_COLUMNS, _window_rows(results)),
        "",
        "## Scratches in the maps",
        "",
        *table(MAP_COLUMNS, _map_rows(results)),
        "",
        *(
            f"- {m.model}, {m.of.treatment}, {what}: {'; '.join(drawn) or 'none'}"
            for m in results.models
            for what, drawn in (("missed", m.missed()), ("not as one line", m.in_parts()))
        ),
        "",
        "## Negative windows marked, with more or less light from around them",
        "",
        *table(BEYOND_COLUMNS, _beyond_rows(results)),
    ]
    return "\n".join(lines) + "\n"


def _window_rows(results: Results) -> Iterator[list[object]]:
    for each in results.models:
        with_neighbours, alone = each.windows()
        counts = (with_neighbours.positive, with_neighbours.negative)
        figures = [*_figures(with_neighbours), *_figures(alone)]
        yield [each.model, each.of.treatment, *counts, *figures]
    for bank in results.banks:
        found = bank.windows()
        counts, nothing = (found.positive, found.negative), ["-"] * 3
        figures = [*nothing, "-", f"{found.auc:.4f}", *nothing]
        yield ["line bank", bank.of.treatment, *counts, *figures]


def _figures(found: WindowFigures) -> Iterable[str]:
    yield from (f"{found.auc:.4f}", f"{found.precision:.3f}", f"{found.recall:.3f}")
    yield str(found.marked_negative)


def _map_rows(results: Results) -> Iterator[list[object]]:
    for each in results.models:
        yield [each.model, each.of.treatment, *map_row(each.maps())]


def map_row(total: MapTotals) -> list[object]:
    """The cells of ``MAP_COLUMNS`` but the first two."""
    clear, faint = total.clear, total.faint
    return [
        f"{clear.found} of {clear.count}",
        clear.once,
        clear.split,
        f"{clear.traced_px / clear.length_px:.1%}" if clear.count else "-",
        f"{faint.found} of {faint.count}",
        faint.once,
        faint.split,
        total.merged,
        f"{total.false_scratches} of {total.scratches}",
        f"{total.false_in_10_frames:.1f}",
        f"{total.stray_px:.0f} of {total.length_px:.0f} px",
        total.fibres,
        total.false_fibres,
        total.spots,
        total.areas_without_defect,
    ]


def _beyond_rows(results: Results) -> Iterator[list[object]]:
    for each in results.models:
        for name, marked in each.beyond().items():
            yield [each.model, each.of.treatment, name, marked.windows, *_counts(marked)]


def _counts(marked: Marked) -> Iterable[object]:
    yield from (marked.with_neighbours, marked.in_frame, marked.cut_out)
    yield "-" if marked.parted is None else marked.parted


def windows_csv(results: Results) -> str:
    """Every window with its label and its scores; empty where a detector has none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS.split(","))
    for each in results.models:
        for number, view in enumerate(each.views):
            scores = (view.with_neighbours, view.in_frame, view.cut_out, view.parted)
            writer.writerows(_score_rows(each.model, each.of, number, np.stack(scores, axis=1)))
    for bank in results.banks:
        for number, alone in enumerate(bank.scores):
            only_alone = np.full((len(alone), 4), np.nan)
            only_alone[:, 2] = alone
            writer.writerows(_score_rows("line bank", bank.of, number, only_alone))
    return text.getvalue()


def _score_rows(
    detector: str, of: FrameSet, number: int, scores: npt.NDArray[np.floating]
) -> Iterator[list[object]]:
    """Rows of windows.csv: the windows of one frame, with their scores (N, 4)."""
    frame, labels = of.frames[number], of.labels[number]
    for place, (y, x) in enumerate(frame.origins.tolist()):
        shown = ["" if np.isnan(score) else f"{score:.6g}" for score in scores[place].tolist()]
        yield [detector, of.treatment, frame.name, y, x, _label(labels, place), *shown]


def _label(labels: WindowLabels, place: int) -> str:
    if labels.visible[place]:
        return "positive"
    return "none" if labels.touched[place] else "negative"
