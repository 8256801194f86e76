"""How fast this machine classifies: a moment's measurement before a scan."""

import time
from collections import deque
from pathlib import Path

import numpy as np

from darkscan.inference.backend import Backend, FrameWindows, Pending, see
from darkscan.inference.onnx_runtime import read_conventions
from darkscan.inference.opening import surrounded_shape
from darkscan.inference.selection import choose, open_backend
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.cores import threads_each, usable
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.recipe import Inspection, Recipe
from darkscan.pipeline.core.scan import ScanInfo

_ENOUGH_S = 0.4
_MOST_FRAMES = 50
_LARGEST_PX = 2048  # more of a frame takes longer, and says no more


def windows_per_s(model: Path, recipe: Recipe, scan: ScanInfo) -> float:
    """Windows a second that all workers together get through the network, nothing else running.

    With the backend that a run would use. Takes one or two seconds on a machine that is worth
    it: a frame to warm up (its windows a batch of the recipe's, if the model is windowed and
    runs on the CPU), then frames until the time is up. Raises InputError if the model or the
    backend cannot be run.
    """
    processes, inspection = recipe.processes, recipe.inspection
    conventions = read_conventions(model)
    surrounded = surrounded_shape(scan, inspection.context_px)
    choice = choose(
        processes.backend,
        model,
        conventions,
        frame_shape=surrounded,
        pixel_type=scan.pixel_type,
        devices=processes.devices,
        stride=inspection.stride,
        context=inspection.context_px,
        precision=inspection.precision,
    )
    workers = max(1, processes.workers)
    threads = processes.threads or threads_each(workers)
    backend = open_backend(
        choice.backend_name,
        model,
        threads=threads,
        batch=processes.batch,
        frame_shape=surrounded,
        pixel_type=scan.pixel_type,
        device=choice.device_of(0),
        stride=inspection.stride,
        context=inspection.context_px,
        precision=inspection.precision,
    )
    try:
        if choice.devices:
            windows = _frame(scan, scan.frame_shape, inspection)
        elif conventions.form == "dense":
            height, width = scan.frame_shape
            part = (min(height, _LARGEST_PX), min(width, _LARGEST_PX))
            windows = _frame(scan, part, inspection)
        else:
            windows = _batch(scan, inspection, processes.batch)
        rate = measured(backend, windows, scan.full_scale)
    finally:
        backend.close()
    # Workers on a GPU share it; on the CPU, each has cores of its own, as long as there are any.
    places = len(choice.devices) or max(1, usable() // threads)
    return rate * min(workers, places)


def measured(backend: Backend, windows: FrameWindows, full_scale: int) -> float:
    """Windows a second that a backend gets through, as many frames ahead as it likes."""
    see(backend, windows, full_scale)
    under_way: deque[Pending] = deque()
    started, frames = time.perf_counter(), 0
    while frames < _MOST_FRAMES and (frames == 0 or time.perf_counter() - started < _ENOUGH_S):
        under_way.append(backend.start(windows, full_scale))
        if len(under_way) >= backend.ahead:
            under_way.popleft()()
        frames += 1
    for pending in under_way:
        pending()
    return frames * len(windows.origins) / (time.perf_counter() - started)


def _frame(scan: ScanInfo, shape: tuple[int, int], inspection: Inspection) -> FrameWindows:
    """All windows of a frame of this height and width, dark with some noise, as most are."""
    rng = np.random.default_rng(0)
    margin = inspection.context_px
    around = (shape[0] + 2 * margin, shape[1] + 2 * margin)
    levels = rng.integers(0, max(2, scan.full_scale // 16), around, dtype=np.uint16)
    frame: Pixels = levels.astype(np.uint8) if scan.pixel_type == "uint8" else levels
    origins = window_origins(shape, inspection.window, inspection.stride) + np.int32(margin)
    return FrameWindows.adjusted(frame, origins, inspection.window)


def _batch(scan: ScanInfo, inspection: Inspection, batch: int) -> FrameWindows:
    """A batch of windows of a patch: those of a windowed model cost the same wherever they lie."""
    side = inspection.window + 2 * inspection.stride
    shape = (min(side, scan.frame_shape[0]), min(side, scan.frame_shape[1]))
    frame, origins, gains, offsets = _frame(scan, shape, inspection)
    return FrameWindows(
        frame, np.resize(origins, (batch, 2)), np.resize(gains, batch), np.resize(offsets, batch)
    )
