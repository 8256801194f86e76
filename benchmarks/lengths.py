"""The length and width of the scratches in a map against the truth of simulated elements.

    python benchmarks/lengths.py [--presets optic clean dirty] [--seeds 5] [--frames 1x1]
                                 [--model model.onnx] [--true-windows | --no-line-maps]

Every element is rendered, scored, searched for centre lines and mapped as the stages do it,
in this process. With --true-windows the windows in which a true scratch is long enough to
count are positive and no others, whatever a model says: that tells the extractor
from the model. With --no-line-maps the model's line maps are not followed. Ratios hold the
length in the map against that of the true scratches within positive windows (of what can be
traced), and against all of them on the element. A true
scratch is matched, and a centre line is not false, where the two are within 3 pixels.
"""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt
from figures import machine

from darkscan.centrelines import find_centrelines
from darkscan.inference import (
    FrameWindows,
    OnnxRuntimeBackend,
    read_conventions,
    scores_with_neighbours,
    see,
)
from darkscan.network.datasets.rule import RIM_PX, VISIBLE_PX
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.frame_results import FrameResult, Inspected, LedgerSums, ModelInfo
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.recipe import Inspection
from darkscan.pipeline.core.scan import FrameMeta
from darkscan.simulation.element import PRESETS, SimulatedScan, simulate_element, size_of_patch
from darkscan.simulation.element.comparison import Comparison, TrueScratch, compare
from darkscan.simulation.element.element_truth import SCRATCH_KINDS, ElementTruth
from darkscan.stages.merging import build_map

WINDOW, STRIDE = 256, 128

Scores = npt.NDArray[np.float32]
LineMaps = npt.NDArray[np.float32]
Scored = tuple[Scores, LineMaps | None]
Scorer = Callable[[ElementTruth, FrameMeta, Pixels], Scored]

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
        model, score = _true_windows()
    else:
        model, score = _model(arguments.model, follows=not arguments.no_line_maps)
    print(machine())
    print("element       true mm   within  in map   ratio  of all    false  cpu ms a frame")
    everything: list[Comparison] = []
    for preset in arguments.presets:
        of_preset = []
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            truth = simulate_element(size, seed, preset)
            comparison, milliseconds = _inspect(truth, model, score)
            of_preset.append(comparison)
            print(_row(f"{preset} {seed}", [comparison]), f"{milliseconds:>10.0f}")
        print(_row(f"{preset}, all", of_preset))
        everything += of_preset
    print(_row("all", everything), "\n")
    _print_kinds(everything)


def _inspect(truth: ElementTruth, model: ModelInfo, score: Scorer) -> tuple[Comparison, float]:
    """An element's map against its truth, and processor time for a frame's centre lines, ms."""
    scan = SimulatedScan(truth)
    results, spent = [], 0.0
    for index, meta in enumerate(scan.frames):
        pixels: Pixels = np.empty(scan.info.frame_shape, scan.info.dtype)
        scan.read_into(index, pixels)
        scores, maps = score(truth, meta, pixels)
        start = time.process_time()
        positive = scores >= model.grow_threshold
        positive_maps = None if maps is None else maps[positive]
        lines = find_centrelines(pixels, ORIGINS[positive], WINDOW, positive_maps)
        spent += time.process_time() - start
        thumbnail = np.zeros((1, 1), np.uint8)
        results.append(
            FrameResult(
                meta=meta, origins=ORIGINS, scores=scores, thumbnail=thumbnail, centrelines=lines
            )
        )
    count = len(results)
    inspected = Inspected(
        scan=scan.info,
        recipe_name="default",
        recipe_hash="-",
        model=model,
        results=tuple(results),
        not_inspected=(),
        sums=LedgerSums(captured=count, mapped=count, quarantined=0, lost=0, in_flight=0),
    )
    return compare(truth, build_map(inspected)), 1000 * spent / count


def _model(file: Path | None, *, follows: bool) -> tuple[ModelInfo, Scorer]:
    """Scores as classification gives them."""
    path = file or Path(str(files("darkscan") / "models" / "default.onnx"))
    model = read_conventions(path).fit(Inspection(), file=path)
    backend = OnnxRuntimeBackend(path, threads=1, batch=32)

    def score(truth: ElementTruth, meta: FrameMeta, pixels: Pixels) -> Scored:
        del truth, meta
        seen = see(backend, FrameWindows.adjusted(pixels, ORIGINS, WINDOW), 255)
        return scores_with_neighbours(seen, ORIGINS, WINDOW), seen.lines if follows else None

    return model, score


def _true_windows() -> tuple[ModelInfo, Scorer]:
    """Scores of 1 where a scratch runs through a window, and 0 elsewhere."""

    def score(truth: ElementTruth, meta: FrameMeta, pixels: Pixels) -> Scored:
        del pixels
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
    return model, score


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
    of_kind: dict[str, list[TrueScratch]] = defaultdict(list)
    for comparison in comparisons:
        for scratch in comparison.scratches:
            of_kind[scratch.trace.kind].append(scratch)
    for kind in (kind for kind in SCRATCH_KINDS if kind in of_kind):
        scratches = of_kind[kind]
        true, within, traced = (
            sum(s.length_mm * share(s) for s in scratches)
            for share in (lambda _: 1.0, lambda s: s.covered, lambda s: s.traced)
        )
        widths = [
            s.width_um / (10.0 * s.trace.fwhm_px) for s in scratches if s.width_um is not None
        ]
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
