"""What a dense model gains where frames carry context across their borders.

    python benchmarks/context.py [--elements 24] [--margins 64 128]

Simulated elements (preset weak), a frame of 2048x2048 out of the middle of each. Its windows are
scored without a margin (the frame ends), with a mirrored one (no neighbour was taken) and
with the element's true pixels (all neighbours were). Windows at the border and inside are
held against the truth apart; 1 is a perfect ranking.
"""

import argparse
import os
from importlib.resources import files
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
from figures import machine

from darkscan.inference import FrameWindows, OnnxRuntimeBackend, read_conventions, see
from darkscan.network.datasets.rule import Judge
from darkscan.network.datasets.simulated import SimulatedImage
from darkscan.network.metrics import area_under_curve, figures
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.brightness import gains_and_offsets, window_extrema
from darkscan.pipeline.core.grid import window_origins

FRAME, WINDOW, STRIDE = 2048, 256, 128


def main() -> None:
    """Prints a row for each kind of margin."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--elements", type=int, default=24)
    parser.add_argument("--margins", type=int, nargs="+", default=[64, 128])
    arguments = parser.parse_args()
    model = Path(str(files("darkscan") / "models" / "default.onnx"))
    threshold = read_conventions(model).threshold
    backend = OnnxRuntimeBackend(model, threads=len(os.sched_getaffinity(0)), batch=1)
    widest = max(arguments.margins)
    origins = window_origins((FRAME, FRAME), WINDOW, STRIDE)
    last = FRAME - WINDOW
    rim = ((origins == 0) | (origins == last)).any(axis=1)
    labels: list[npt.NDArray[np.int8]] = []
    scores: dict[str, list[npt.NDArray[np.float32]]] = {}
    for number in range(arguments.elements):
        image = SimulatedImage(930_000 + number, "weak", FRAME + 2 * widest).load()
        labels.append(Judge(image.truth).label(origins + widest))
        for name, margin, mirrored in _ways(arguments.margins):
            around = image.pixels[
                widest - margin : widest + FRAME + margin, widest - margin : widest + FRAME + margin
            ]
            frame = cast("Pixels", np.ascontiguousarray(around))
            if mirrored:
                inner = frame[margin:-margin, margin:-margin]
                frame = cast("Pixels", np.pad(inner, margin, mode="reflect"))
            scores.setdefault(name, []).append(_scored(backend, frame, origins, margin))
    truth = np.concatenate(labels)
    at_rim = np.tile(rim, arguments.elements)
    print(machine())
    print("| margin | border: AUC | recall | false | inside: AUC | recall | false |")
    print("|---|---|---|---|---|---|---|")
    for name, parts in scores.items():
        found = np.concatenate(parts)
        cells = [name]
        for where in (at_rim, ~at_rim):
            chosen = where & (truth >= 0)
            f = figures(found[chosen], truth[chosen], threshold)
            area = area_under_curve(found[chosen], truth[chosen])
            cells += [f"{area:.4f}", f"{f.recall:.4f}", f"{f.false_positive_rate:.4f}"]
        print("|", " | ".join(cells), "|")
    judged = at_rim[truth >= 0].sum(), (~at_rim)[truth >= 0].sum()
    print(f"{judged[0]} windows at the border, {judged[1]} inside")


def _ways(margins: list[int]) -> list[tuple[str, int, bool]]:
    ways = [("none", 0, False)]
    for margin in margins:
        ways += [(f"{margin} px, mirrored", margin, True), (f"{margin} px, true", margin, False)]
    return ways


def _scored(
    backend: OnnxRuntimeBackend, frame: Pixels, origins: npt.NDArray[np.int32], margin: int
) -> npt.NDArray[np.float32]:
    inner = frame[margin : margin + FRAME, margin : margin + FRAME]
    adjustment = gains_and_offsets(*window_extrema(inner, origins, WINDOW))
    windows = FrameWindows(frame, origins + np.int32(margin), *adjustment)
    return see(backend, windows, 255).scores


if __name__ == "__main__":
    main()
