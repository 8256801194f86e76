"""How fast this machine classifies: a moment's measurement before a scan."""

import os
import time
from pathlib import Path

import numpy as np

from darkscan.pipeline.brightness import gains_and_offsets, window_extrema
from darkscan.pipeline.frames import Pixels
from darkscan.pipeline.grid import window_origins
from darkscan.pipeline.recipe import Recipe
from darkscan.pipeline.scan import ScanInfo
from darkscan.stages.inference.backend import FrameWindows, see
from darkscan.stages.inference.onnx_runtime import OnnxRuntimeBackend

_ENOUGH_S = 0.4
_MOST_BATCHES = 50


def windows_per_s(model: Path, recipe: Recipe, scan: ScanInfo) -> float:
    """Windows a second that all workers together get through the network, nothing else running.

    Takes well under two seconds on a machine that is worth it: a batch to warm up, then
    batches of the recipe's size until the time is up. Raises InputError if the model cannot
    be run.
    """
    processes, inspection = recipe.processes, recipe.inspection
    cores = len(os.sched_getaffinity(0))
    threads = processes.threads or max(1, cores // processes.workers)
    backend = OnnxRuntimeBackend(model, threads=threads, batch=processes.batch)
    # A patch, not a frame: the pixels of a window cost the same wherever it lies.
    patch = _patch(scan, inspection.window + 2 * inspection.stride)
    grid = window_origins((patch.shape[0], patch.shape[1]), inspection.window, inspection.stride)
    origins = np.resize(grid, (processes.batch, 2))
    gains, offsets = gains_and_offsets(*window_extrema(patch, grid, inspection.window))
    resized = (np.resize(gains, len(origins)), np.resize(offsets, len(origins)))
    windows = FrameWindows(patch, origins, *resized)
    see(backend, windows, scan.full_scale)
    started, batches = time.perf_counter(), 0
    while batches < _MOST_BATCHES and (batches == 0 or time.perf_counter() - started < _ENOUGH_S):
        see(backend, windows, scan.full_scale)
        batches += 1
    of_one = batches * len(origins) / (time.perf_counter() - started)
    return of_one * min(processes.workers, max(1, cores // threads))


def _patch(scan: ScanInfo, side: int) -> Pixels:
    """Dark with some noise, as most of an element is."""
    rng = np.random.default_rng(0)
    shape = (min(side, scan.frame_shape[0]), min(side, scan.frame_shape[1]))
    levels = rng.integers(0, max(2, scan.full_scale // 16), shape)
    return levels.astype(np.uint8) if scan.pixel_type == "uint8" else levels.astype(np.uint16)
