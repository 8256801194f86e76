"""Runs a model file's content on windows that are cut out already."""

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import onnxruntime

from darkscan.network.quantising.windows import Tick, silent
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.brightness import gains_and_offsets, window_extrema
from darkscan.pipeline.core.grid import window_origins

WINDOW_PX, STRIDE_PX = 256, 128
_BATCH = 16
_ERROR = 3  # ONNX Runtime's severity; its warnings are about graphs, not about runs

Feed = dict[str, npt.NDArray[Any]]


def open_model(content: bytes, *, threads: int = 0) -> onnxruntime.InferenceSession:
    """The model on the CPU, on ``threads`` cores; 0 is all of them."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _ERROR
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def feeds(
    windows: Pixels, full_scale: float, batch: int = _BATCH, *, dense: bool = False
) -> Iterator[Feed]:
    """The model's inputs for windows (N, 256, 256): one below the other, they are a frame.

    Of a dense model: for one image after the other, with all windows of each.
    """
    if dense:
        for image in windows:
            yield _feed(image, window_origins(image.shape, WINDOW_PX, STRIDE_PX), full_scale)
        return
    _, side, width = windows.shape
    for first in range(0, len(windows), batch):
        some = windows[first : first + batch]
        frame = cast("Pixels", np.ascontiguousarray(some).reshape(-1, width))
        rows = np.arange(len(some), dtype=np.int32) * side
        yield _feed(frame, np.stack([rows, np.zeros_like(rows)], axis=1), full_scale)


def score_windows(
    session: onnxruntime.InferenceSession,
    windows: Pixels,
    full_scale: float,
    *,
    tick: Tick = silent,
    batch: int = _BATCH,
    dense: bool = False,
) -> npt.NDArray[np.float32]:
    """Scores of windows (N, 256, 256) uint8 or uint16, probability of scratch: (N,).

    Of a dense model: of all windows of all images.
    """
    parts = []
    for feed in feeds(windows, full_scale, batch, dense=dense):
        parts.append(session.run(["scores"], feed)[0])
        tick(1 if dense else len(feed["origins"]))
    return np.concatenate(parts).astype(np.float32)


def _feed(frame: Pixels, origins: npt.NDArray[np.int32], full_scale: float) -> Feed:
    gains, offsets = gains_and_offsets(*window_extrema(frame, origins, WINDOW_PX))
    return {
        "frame": np.ascontiguousarray(frame).view(np.uint8).reshape(*frame.shape, frame.itemsize),
        "origins": origins.astype(np.int64),
        "gains": gains,
        "offsets": offsets,
        "full_scale": np.array(full_scale, np.float32),
    }
