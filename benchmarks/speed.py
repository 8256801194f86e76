"""Windows a second: the paper's way, what one would pick instead, and ours, in turn.

    python benchmarks/speed.py [--rounds 5] [--frames 2]

All ways score the same simulated frames (preset optic) with the same threads. The paper's
way is its network, ResNet18 with BA, SA and CA at full width, in torch, eager, float32,
32 windows cut out at a time; its speed does not depend on its weights, so they are fresh. The
naive loops cut windows out with slices, adjust each by its extrema (NumPy) and ask one ONNX
Runtime session for them, one or 32 at a time; sliced inference is that of the package sahi
(`pip install sahi`, left out if it is not there): all three with the windowed model's own
file. Ours are the backends with the shipped models.

The time of a side is that of 1100 frames of 225 windows, 810x460 mm at 10 um with a tenth of
overlap, if nothing but this were to be done.
"""

import argparse
import os
import statistics
from collections.abc import Callable
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from figures import in_turn, machine, ratio
from papers_way import BATCH, PAPER, STRIDE, WINDOW, Way, papers_way, timed
from sliced import sliced_inference

from darkscan.inference import FrameFormat, FrameWindows, ModelJob, Placement, open_backend, see
from darkscan.inference.conventions import Precision
from darkscan.network.datasets.simulated import SimulatedImage
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.brightness import gains_and_offsets
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.recipe import SHIPPED_MODELS

SIDE_FRAMES, FRAME_WINDOWS = 1100, 225
MODELS = files("darkscan") / "models"

Feed = dict[str, npt.NDArray[np.generic]]


def main() -> None:
    """Prints windows/s of each way, its ratio to the paper's, and a side's time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=2, help="that each way scores a round")
    arguments = parser.parse_args()
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    frames = [SimulatedImage(900_000 + n).load().pixels for n in range(arguments.frames)]
    ways = {PAPER: papers_way(frames[0])} | _others(frames, threads) | _ours(frames, threads)
    figures = in_turn(ways, arguments.rounds)
    print(f"{machine()} - {threads} threads, torch {torch.__version__}")
    print("| way | windows/s | x the paper's (range) | a side |\n|---|---|---|---|")
    for name, rates in figures.items():
        rate = statistics.median(rates)
        minutes = SIDE_FRAMES * FRAME_WINDOWS / rate / 60
        print(f"| {name} | {rate:.0f} | {ratio(figures, name, PAPER)} | {minutes:.1f} min |")
    if find_spec("sahi") is None:
        print("sahi is not installed: sliced inference was left out")


def _others(frames: list[Pixels], threads: int) -> dict[str, Way]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    model = str(MODELS / "windowed.onnx")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def score(windows: list[Pixels]) -> npt.NDArray[np.float32]:
        scores: npt.NDArray[np.float32] = session.run(["scores"], _stacked(windows))[0]
        return scores

    def loop(batch: int) -> Callable[[], object]:
        def work() -> None:
            for frame in frames:
                origins = window_origins((frame.shape[0], frame.shape[1]), WINDOW, STRIDE)
                cut = [frame[y : y + WINDOW, x : x + WINDOW] for y, x in origins]
                for first in range(0, len(cut), batch):
                    score(cut[first : first + batch])

        return work

    count = FRAME_WINDOWS * len(frames)
    ways = {f"naive loop, batch {batch}": timed(count, loop(batch)) for batch in (1, BATCH)}
    if find_spec("sahi") is not None:
        sliced = sliced_inference(score, WINDOW, STRIDE)
        ways["sahi, sliced inference"] = timed(count, lambda: [sliced(f) for f in frames])
    return ways


def _stacked(windows: list[Pixels]) -> Feed:
    """Windows one below the other, as the model's inputs."""
    frame = np.concatenate(windows)
    low, high = zip(*((w.min(), w.max()) for w in windows), strict=True)
    gains, offsets = gains_and_offsets(np.array(low), np.array(high))
    rows = np.arange(len(windows)) * WINDOW
    return {
        "frame": frame[..., None],
        "origins": np.stack([rows, np.zeros_like(rows)], axis=1),
        "gains": gains,
        "offsets": offsets,
        "full_scale": np.array(255, np.float32),
    }


def _ours(frames: list[Pixels], threads: int) -> dict[str, Way]:
    views = []
    for frame in frames:
        origins = window_origins((frame.shape[0], frame.shape[1]), WINDOW, STRIDE)
        views.append(FrameWindows.adjusted(frame, origins, WINDOW))
    ways = {}
    backends: list[tuple[str, Precision]] = [("onnxruntime", "exact")]
    if find_spec("openvino"):
        backends += [("openvino", "exact"), ("openvino", "half")]
    for model in SHIPPED_MODELS:
        for name, precision in backends:
            job = ModelJob.read(
                Path(str(MODELS / f"{model}.onnx")),
                FrameFormat((2048, 2048), "uint8", 255),
                precision=precision,
            )
            backend = open_backend(job, Placement(name, None, threads, BATCH))
            half = " half" if precision == "half" else ""
            ways[f"{model}, {name}{half}"] = timed(
                FRAME_WINDOWS * len(frames),
                lambda backend=backend: [see(backend, view, 255) for view in views],  # type: ignore[misc]
            )
    return ways


if __name__ == "__main__":
    main()
