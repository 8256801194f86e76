"""The length and width of the scratches in a map against the truth of simulated elements.

What is found one to one, split and merged is in scratches.py; this is for the extractor.

    python benchmarks/lengths.py [--presets optic clean dirty] [--seeds 5] [--frames 1x1]
                                 [--model model.onnx] [--true-windows | --no-line-maps]

Every element is rendered, scored, searched for centre lines and mapped as the stages do it,
in this process. With --true-windows the windows in which a true scratch is long enough to
count are positive and no others, whatever a model says: that tells the extractor
from the model. With --no-line-maps the model's line maps are not followed. Ratios hold the
length of the map's scratches against that of the true ones within areas (of what can be
traced), and against all of them on the element. A true scratch is matched, and a line of
the map is not false, where the two are within 3 pixels and run alike.
"""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from figures import machine

from darkscan.centrelines import Windows, trace_frame
from darkscan.cli.options import model_file
from darkscan.inference.neighbour_scores import frame_scores
from darkscan.inference.scoring import ModelScorer
from darkscan.network.datasets.rule import RIM_PX, VISIBLE_PX
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.frame_results import ModelInfo, Traces
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.scan import FrameMeta
from darkscan.runs.in_process import inspect_traced
from darkscan.simulation.element import PRESETS, SimulatedScan, simulate_element, size_of_patch
from darkscan.simulation.element.comparison import Comparison, TrueLine, compare
from darkscan.simulation.element.element_truth import SCRATCH_KINDS, ElementTruth

WINDOW, STRIDE = 256, 128

Maps = tuple[npt.NDArray[np.float32] | None, npt.NDArray[np.float32] | None]
"""The line maps and the kinds of cells of windows, where a model has them."""
Sight = tuple[npt.NDArray[np.float32], Maps | None]
"""Scores of windows, and what to follow; None: nothing."""
See = Callable[[ElementTruth, FrameMeta, Pixels, float], Sight]

ORIGINS = window_origins((2048, 2048), WINDOW, STRIDE)


def main() -> None:
    """Prints a row for each element, one for each preset, one for each kind of scratch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presets", nargs="+", choices=list(PRESETS), default=list(PRESETS))
    parser.add_argument("--seeds", type=int, default=5, help="elements of each preset")
    parser.add_argument("--first-seed", type=int, default=101)
    parser.add_argument("--frames", default="1x1", help="of each element")
    parser.add_argument("--model", type=Path, help="instead of the default model")
    parser.add_argument("--true-windows", action="store_true", help="in place of a model")
    parser.add_argument("--no-line-maps", action="store_true", help="search all of the windows")
    arguments = parser.parse_args()
    columns, rows = (int(count) for count in arguments.frames.split("x"))
    size = size_of_patch((columns, rows))
    if arguments.true_windows:
        model, see = _true_windows()
    else:
        model, see = _model(arguments.model, follows=not arguments.no_line_maps)
    print(machine())
    print("element       true mm   within  in map   ratio  of all    false  cpu ms a frame")
    everything: list[Comparison] = []
    for preset in arguments.presets:
        of_preset = []
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            truth = simulate_element(size, seed, preset)
            comparison, milliseconds = _inspect(truth, model, see)
            of_preset.append(comparison)
            print(_row(f"{preset} {seed}", [comparison]), f"{milliseconds:>10.0f}")
        print(_row(f"{preset}, all", of_preset))
        everything += of_preset
    print(_row("all", everything), "\n")
    _print_kinds(everything)


def _inspect(truth: ElementTruth, model: ModelInfo, see: See) -> tuple[Comparison, float]:
    """An element's map against its truth, and processor time for tracing a frame, ms."""
    scan = SimulatedScan(truth)
    metas = iter(scan.frames)
    spent = 0.0

    def examine(
        pixels: Pixels, origins: npt.NDArray[np.int32], full_scale: float
    ) -> tuple[npt.NDArray[np.float32], Traces]:
        nonlocal spent
        scores, seen = see(truth, next(metas), pixels, full_scale)
        start = time.process_time()
        positive = scores >= model.grow_threshold
        windows = Windows(origins, WINDOW, positive, *(seen or (None, None)))
        traces = trace_frame(pixels, full_scale, windows)
        spent += time.process_time() - start
        return scores, traces

    found = inspect_traced(scan, examine, model, lambda _: None)
    return compare(truth, found), 1000 * spent / len(scan.frames)


def _model(file: Path | None, *, follows: bool) -> tuple[ModelInfo, See]:
    """What classification sees."""
    with model_file(file) as path:
        scorer = ModelScorer(path, threads=1)

    def see(truth: ElementTruth, meta: FrameMeta, pixels: Pixels, full_scale: float) -> Sight:
        del truth, meta
        seen = scorer.alone(pixels, ORIGINS, full_scale)
        maps = (seen.lines, seen.kinds) if follows else None
        return frame_scores(seen, ORIGINS, scorer.info), maps

    return scorer.info, see


def _true_windows() -> tuple[ModelInfo, See]:
    """Scores of 1 where a scratch runs through a window, and 0 elsewhere."""

    def see(truth: ElementTruth, meta: FrameMeta, pixels: Pixels, full_scale: float) -> Sight:
        del pixels, full_scale
        corner = np.array(meta.position_mm[:2]) * 100.0  # simulated at 10 um a pixel
        touched = np.zeros(len(ORIGINS))
        for trace in truth.scratches:
            steps = np.hypot(*np.diff(trace.vertices, axis=0).T)
            middles = (trace.vertices[1:] + trace.vertices[:-1]) / 2 - corner
            low = ORIGINS[:, None, ::-1] + RIM_PX
            inside = ((middles > low) & (middles < low + WINDOW - 2 * RIM_PX)).all(axis=2)
            touched += inside @ steps
        return (touched >= VISIBLE_PX).astype(np.float32), None

    model = ModelInfo(
        name="truth", hash="-", window=WINDOW, stride=STRIDE, threshold=0.5, grow_threshold=0.5
    )
    return model, see


def _row(name: str, comparisons: list[Comparison]) -> str:
    true, within, found, false = (
        sum(getattr(comparison, field) for comparison in comparisons)
        for field in ("true_mm", "covered_mm", "length_mm", "false_mm")
    )
    ratio = f"{found / within:>7.3f}" if within else "      -"
    return (
        f"{name:<13}{true:>8.1f} {within:>8.1f}{found:>8.1f} {ratio} {found / true:>7.3f} "
        f"{false / found if found else 0:>7.1%}"
    )


def _print_kinds(comparisons: list[Comparison]) -> None:
    """For each kind: what is traced of its length within defects, and how wide it looks."""
    print(
        "kind             number  true mm   within  matched  of within  looks/true fwhm (10-90 %)"
    )
    of_kind: dict[str, list[TrueLine]] = defaultdict(list)
    for comparison in comparisons:
        for scratch in comparison.scratches:
            of_kind[scratch.trace.kind].append(scratch)
    for kind in (kind for kind in SCRATCH_KINDS if kind in of_kind):
        scratches = of_kind[kind]
        true, within, traced = (
            sum(s.length_mm * share(s) for s in scratches)
            for share in (lambda _: 1.0, lambda s: s.covered, lambda s: s.traced)
        )
        widths = [s.one.width_ratio for s in scratches if s.found and s.one is not None]
        looks = "-"
        if widths:
            low, high = np.percentile(widths, [10, 90])
            looks = f"{statistics.median(widths):.2f} ({low:.2f}-{high:.2f})"
        print(
            f"{kind:<16}{len(scratches):>7} {true:>8.1f} {within:>8.1f} {traced / true:>8.1%} "
            f"{traced / within if within else 0:>9.1%}   {looks}"
        )


if __name__ == "__main__":
    main()
