r"""Measures whether every scratch is one defect of its map, as it is: on simulated elements.

    python benchmarks/scratches.py --out out/scratches
    python benchmarks/scratches.py --model mine.onnx --count 4 --real DIR --out out/mine

--count elements of each preset, of 2x2 frames, are simulated, inspected in this process as a
replay does it, and held against their truths: recall and precision by kind and length, splits
and merges, lengths, ends and widths. What counts as what stands in
darkscan/simulation/element/comparison.py. An element takes some seconds.

Seeds are those from --seed on; --seed + 1000 for the second preset, and so on. Nothing has
been tuned on those from 910000 to 914000, and nothing must be.

--real DIR: a folder of real frames and the polylines drawn on them, as real_frames.py reads it.

Written are scratches.md, scratches.json, scratches.csv (a row for each true line) and
defects.csv (a row for each defect of the maps).
"""

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from figures import exit_code_of, machine
from frame_tables import MAP_COLUMNS, map_row

from darkscan.cli.options import add_force_option, checked_threads, model_file, require_new
from darkscan.cli.progress import progress_bar
from darkscan.inference.scoring import ModelScorer
from darkscan.network.evaluation import plain
from darkscan.network.evaluation.element_tables import element_section
from darkscan.network.evaluation.elements import (
    Compared,
    DefectFigures,
    figures_by_preset,
)
from darkscan.network.evaluation.frame_figures import MapTotals
from darkscan.network.evaluation.labelled_frames import LabelledFrame, flat_fielded, read_frames
from darkscan.network.evaluation.lines_in_maps import find_in_map
from darkscan.network.evaluation.report import table
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.files import write_together
from darkscan.pipeline.core.frame_results import SHORTEST_PX
from darkscan.runs.elements import MOST_ELEMENTS, compare_elements, simulated_elements
from darkscan.runs.in_process import LoneFrame, examining, inspect_traced
from darkscan.simulation.element import PRESETS

REPORT, FIGURES, LINES, DEFECTS = "scratches.md", "scratches.json", "scratches.csv", "defects.csv"
FIRST_SEED = 910_000
LINE_COLUMNS = (
    *("preset", "seed", "trace", "shape", "x_mm", "y_mm", "far_x_mm", "far_y_mm", "length_px"),
    *("fwhm_px", "cnr", "in_areas", "traced", "found", "as_other_kind", "split", "merged"),
    *("defects", "length_ratio", "end_px", "far_end_px", "width_ratio"),
)
DEFECT_COLUMNS = (
    *("preset", "seed", "defect", "kind", "probability", "shows", "right", "x_mm", "y_mm"),
    *("length_px", "on_scratches", "width_um", "contrast", "area"),
)


def run(arguments: argparse.Namespace) -> None:
    """Measures and writes. Raises InputError, StorageError."""
    names = (REPORT, FIGURES, LINES, DEFECTS)
    require_new(*(arguments.out / name for name in names), force=arguments.force)
    if not 1 <= arguments.count <= MOST_ELEMENTS:
        problem = f"must be from 1 to {MOST_ELEMENTS}, is {arguments.count}"
        raise InputError(problem, field="--count")
    if arguments.seed < 0:
        raise InputError(f"must not be negative, is {arguments.seed}", field="--seed")
    with model_file(arguments.model) as file:
        scorer = ModelScorer(file, threads=checked_threads(arguments.threads))
    frames = [] if arguments.real is None else read_frames(arguments.real)
    real = _in_real_frames(scorer, frames) if frames else {}
    truths = simulated_elements(arguments.count, arguments.presets, arguments.seed)
    with progress_bar("simulated elements", "frames") as show:
        compared = compare_elements(truths, examining(scorer), scorer.info, show)
    figures = figures_by_preset(compared)
    contents = {
        LINES: _csv(LINE_COLUMNS, _line_rows(compared)),
        DEFECTS: _csv(DEFECT_COLUMNS, _defect_rows(compared)),
        FIGURES: json.dumps(plain({"elements": figures, "real": real}), indent=1).encode(),
        REPORT: _report(arguments, scorer, figures, real).encode(),
    }
    write_together(arguments.out, contents)
    print(contents[REPORT].decode())
    print(", ".join(str(arguments.out / name) for name in contents))


def _in_real_frames(scorer: ModelScorer, frames: Sequence[LabelledFrame]) -> dict[str, MapTotals]:
    """What the maps of frames show of the lines drawn on them: raw, and flat-fielded."""
    sets = {"raw": frames, "flat-fielded": flat_fielded(frames)}
    totals = {}
    with progress_bar("real frames", "frames", len(sets) * len(frames)) as bar:
        for name, some in sets.items():
            found = []
            for frame in some:
                source = LoneFrame(*frame.grey, frame.name)
                mapped = inspect_traced(source, examining(scorer), scorer.info, lambda _: None)
                found.append(find_in_map(frame.lines, mapped))
                bar.advance()
            totals[name] = MapTotals.of(found)
    return totals


def _report(
    arguments: argparse.Namespace,
    scorer: ModelScorer,
    figures: Mapping[str, DefectFigures],
    real: Mapping[str, MapTotals],
) -> str:
    info = scorer.info
    kinds = "tells kinds of defects" if info.kinds else "tells no kinds: shapes of lines do"
    lines = [
        "# Scratches in maps",
        "",
        f"{info.name} ({info.hash[:19]}, threshold {info.threshold:.4f}, {kinds}); elements of",
        f"seeds from {arguments.seed} on; {machine()}.",
        "",
        *element_section(figures),
    ]
    if real:
        rows = ([info.name, name, *map_row(total)] for name, total in real.items())
        frames = next(iter(real.values())).frames
        lines += ["", f"### {frames} real frames", "", *table(MAP_COLUMNS, rows)]
    return "\n".join(lines) + "\n"


def _line_rows(compared: Sequence[Compared]) -> Iterator[list[Any]]:
    for truth, _, comparison in compared:
        for line in (*comparison.scratches, *comparison.hairs):
            if line.length_px < SHORTEST_PX:
                continue
            mm, one = line.pixel_mm, line.one
            ends = (mm * line.track.places[[0, -1]]).round(3).ravel().tolist()
            along = " ".join(f"{each.defect.id}:{each.share:.2f}" for each in line.lines)
            against = ["", "", "", ""]
            if one is not None:
                figures = (one.length_ratio, *one.ends_px, one.width_ratio)
                against = [f"{figure:.3f}" for figure in figures]
            yield [
                *(truth.preset, truth.seed, line.trace.id, line.trace.kind, *ends),
                *(f"{line.length_px:.1f}", line.trace.fwhm_px, f"{line.cnr:.2f}"),
                *(f"{line.covered:.3f}", f"{line.traced:.3f}"),
                *(int(line.found), int(line.mistaken), int(line.split), int(line.merged)),
                *(along, *against),
            ]


def _defect_rows(compared: Sequence[Compared]) -> Iterator[list[Any]]:
    for truth, _, comparison in compared:
        for each in comparison.defects:
            found = each.defect
            yield [
                *(truth.preset, truth.seed, found.id, found.kind, found.probability),
                *(each.cause, int(each.right), *found.centroid_mm, f"{each.length_px:.1f}"),
                *(f"{each.on_scratches:.3f}", found.width_um, found.contrast, found.area),
            ]


def _csv(columns: Sequence[str], rows: Iterator[list[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", metavar="M", help="a model file, or a shipped one by its name")
    parser.add_argument(
        "--count", type=int, default=10, metavar="N", help="elements of each preset (default: 10)"
    )
    parser.add_argument("--presets", nargs="+", choices=list(PRESETS), default=list(PRESETS))
    parser.add_argument(
        "--seed", type=int, default=FIRST_SEED, help=f"the first one (default: {FIRST_SEED})"
    )
    parser.add_argument("--real", type=Path, metavar="DIR", help="real frames and polylines.json")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write into")
    parser.add_argument("--threads", type=int, help="of the model (default: all cores)")
    add_force_option(parser)
    return parser.parse_args()


def main() -> int:
    """Measures, writes the files and prints the tables."""
    arguments = _arguments()
    return exit_code_of(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
