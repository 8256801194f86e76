"""Replay against the bare model loop, to see what four processes cost.

    python benchmarks/replay.py [--rounds 5] [--frames 3x3] [--recording scan.h5]
                                [--backend auto] [--model default]

The floor loads all frames and their brightness adjustments beforehand and then does
nothing but run the same model on them, with the same threads and batches. A replay is
timed from its first frame being classified to its last one being journaled, as its own
trace says; what it takes to start and to write the map is printed beside it. Floor, replay
and the paper's way, on the first frame, run in turn.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from figures import in_turn, machine, ratio, seconds_of_frames
from papers_way import PAPER, STRIDE, WINDOW, Way, papers_way

from darkscan.drivers.recording import Recording
from darkscan.inference import (
    BACKENDS,
    FrameFormat,
    FrameWindows,
    ModelJob,
    Placement,
    choose,
    open_backend,
    see,
)
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.recipe import SHIPPED_MODELS, Recipe

BARE, REPLAY = "bare model loop", "replay, one worker"

_around: list[float] = []
_chosen: set[str] = set()


def main() -> None:
    """Prints frames/s of both and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", default="3x3", help="of the simulated recording")
    parser.add_argument("--recording", type=Path, help="instead of a simulated one")
    parser.add_argument("--backend", choices=["auto", *BACKENDS], default="auto")
    parser.add_argument("--model", choices=SHIPPED_MODELS, default="default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        recording = arguments.recording or _simulated(Path(folder), arguments.frames)
        recipe = Path(folder) / "recipe.toml"
        recipe.write_text(
            f'[inspection]\nmodel = "{arguments.model}"\n'
            f'[processes]\nbackend = "{arguments.backend}"\n'
        )
        threads = len(os.sched_getaffinity(0))
        torch.set_num_threads(threads)
        paper, windows = _papers_way(recording)
        ways = {
            BARE: lambda: _bare(recording, threads, arguments.backend, arguments.model),
            REPLAY: lambda: _replay(recording, recipe, Path(folder) / "out"),
            PAPER: lambda: paper() / windows,
        }
        figures = in_turn(ways, arguments.rounds)
    print(machine(), "-", ", ".join(_chosen))
    for name, values in figures.items():
        rate = statistics.median(values)
        print(f"{name:<44}{rate:>8.3f} frames/s {windows * rate:>8.1f} windows/s")
    print(f"replay x bare {ratio(figures, REPLAY, BARE)}")
    print(f"replay x the paper's {ratio(figures, REPLAY, PAPER)}")
    print(f"start-up and writing the map: {statistics.median(_around):.2f} s")


def _simulated(folder: Path, frames: str) -> Path:
    path = folder / "scan.h5"
    command = [sys.executable, "-m", "darkscan", "simulate", "--frames", frames, "--out", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return path


def _papers_way(recording: Path) -> tuple[Way, int]:
    """Its windows/s, and how many windows a frame has."""
    source = Recording(recording)
    pixels = np.empty(source.info.frame_shape, source.info.dtype)
    source.read_into(0, pixels)
    source.close()
    return papers_way(pixels), len(window_origins(pixels.shape, WINDOW, STRIDE))


def _bare(recording: Path, threads: int, backend_name: str, name: str) -> float:
    recipe = Recipe()
    window, stride = recipe.inspection.window, recipe.inspection.stride
    source = Recording(recording)
    model = Path(str(files("darkscan") / "models" / f"{name}.onnx"))
    job = ModelJob.read(model, FrameFormat.of_scan(source.info))
    choice = choose(backend_name, job)
    batch = recipe.processes.batch
    backend = open_backend(job, Placement(choice.backend_name, choice.device_of(0), threads, batch))
    _chosen.add(backend.name)
    origins = window_origins(source.info.frame_shape, window, stride)
    frames = []
    for index in range(len(source.frames)):
        pixels = np.empty(source.info.frame_shape, source.info.dtype)
        source.read_into(index, pixels)
        frames.append(FrameWindows.adjusted(pixels, origins, window))
    full_scale = source.info.full_scale
    source.close()
    see(backend, frames[0], full_scale)  # warms up
    start = time.perf_counter()
    for windows in frames:
        see(backend, windows, full_scale)
    seconds = time.perf_counter() - start
    backend.close()
    return len(frames) / seconds


def _replay(recording: Path, recipe: Path, out: Path) -> float:
    command = [sys.executable, "-m", "darkscan", "replay", str(recording), "--out", str(out)]
    command += ["--recipe", str(recipe)]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    whole = time.perf_counter() - start
    seconds = seconds_of_frames(out)
    frames = json.loads((out / "defect-map.json").read_text())["ledger"]["mapped"]
    shutil.rmtree(out)
    _around.append(whole - seconds)
    return float(frames / seconds)


if __name__ == "__main__":
    main()
