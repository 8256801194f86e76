"""The rate at which this machine classifies, measured for a moment before a scan."""

import time
from collections import deque
from pathlib import Path

import numpy as np

from darkscan.inference.backend import Backend, FrameWindows, Pending, see
from darkscan.inference.model_job import FrameFormat, ModelJob
from darkscan.inference.onnx_runtime import read_conventions
from darkscan.inference.selection import Placement, choose, open_backend
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.cores import threads_each, usable
from darkscan.pipeline.core.recipe import Recipe
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
    stride = conventions.fit(inspection, file=model).stride
    frames = FrameFormat.of_scan(scan, inspection.context_px)
    job = ModelJob(model, conventions, frames, stride, inspection.precision)
    choice = choose(processes.backend, job, processes.devices)
    workers = max(1, processes.workers)
    threads = processes.threads or threads_each(workers)
    placement = Placement(choice.backend_name, choice.device_of(0), threads, processes.batch)
    backend = open_backend(job, placement)
    try:
        if choice.devices:
            windows = _frame(job)
        elif job.dense:
            height, width = scan.frame_shape
            windows = _frame(job.with_shape((min(height, _LARGEST_PX), min(width, _LARGEST_PX))))
        else:
            windows = _batch(job, processes.batch)
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


def _frame(job: ModelJob) -> FrameWindows:
    """All windows of a frame of the job's format, dark with some noise, as most frames are."""
    frames, rng = job.frames, np.random.default_rng(0)
    levels = rng.integers(0, max(2, frames.full_scale // 16), frames.surrounded, dtype=np.uint16)
    frame: Pixels = levels.astype(np.uint8) if frames.pixel_type == "uint8" else levels
    return FrameWindows.adjusted(frame, job.origins(), job.conventions.window)


def _batch(job: ModelJob, batch: int) -> FrameWindows:
    """A batch of windows of a patch: those of a windowed model cost the same wherever they lie."""
    side = job.conventions.window + 2 * job.stride
    height, width = job.frames.shape
    frame, origins, gains, offsets = _frame(job.with_shape((min(side, height), min(side, width))))
    return FrameWindows(
        frame, np.resize(origins, (batch, 2)), np.resize(gains, batch), np.resize(offsets, batch)
    )
