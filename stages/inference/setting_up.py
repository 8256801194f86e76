"""A worker's backend, ready for the frames of a scan."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from darkscan.pipeline.grid import window_origins
from darkscan.pipeline.results import ModelInfo
from darkscan.pipeline.scan import ScanInfo
from darkscan.stages.inference.backend import Backend, FrameWindows, see
from darkscan.stages.inference.background import Background
from darkscan.stages.inference.choosing import open_backend
from darkscan.stages.inference.conventions import Precision
from darkscan.stages.inference.onnx_runtime import read_conventions
from darkscan.stages.inference.stacking import frames_a_call


class Calls(NamedTuple):
    """A backend, and how many frames share each call of it."""

    backend: Backend
    frames: int


def surrounded_shape(scan: ScanInfo, margin: int) -> tuple[int, int]:
    """A frame's height and width with a margin around it, pixels."""
    return scan.frame_shape[0] + 2 * margin, scan.frame_shape[1] + 2 * margin


def set_up(
    name: str,
    device: int | None,
    model_path: Path,
    *,
    scan: ScanInfo,
    model: ModelInfo,
    margin: int,
    threads: int,
    batch: int,
    shares_calls: bool,
    precision: Precision = "exact",
) -> Calls:
    """Opens the backend of that name for a scan's frames with a margin around each.

    ``device``: the GPU, None for the CPU. ``shares_calls``: whether small frames may share a
    call; it pays where calls of a few windows leave a device idle. Raises InputError.
    """
    height, width = surrounded_shape(scan, margin)
    windows = len(window_origins(scan.frame_shape, model.window, model.stride))
    # Engines are built for frames as they are.
    shares_calls = shares_calls and name != "tensorrt"
    form = read_conventions(model_path).form
    frames = frames_a_call(form, windows, batch) if shares_calls else 1
    backend = open_backend(
        name,
        model_path,
        threads=threads,
        batch=batch,
        frame_shape=(frames * height, width),
        pixel_type=scan.pixel_type,
        device=device,
        stride=model.stride,
        context=margin,
        precision=precision,
    )
    _warm_up(backend, scan, model, margin=margin, frames=frames, batch=batch, form=form)
    return Calls(backend if device is not None else Background(backend), frames)


def _warm_up(
    backend: Backend,
    scan: ScanInfo,
    model: ModelInfo,
    *,
    margin: int,
    frames: int,
    batch: int,
    form: str,
) -> None:
    """Compiles what is compiled for a shape before the first frame comes, not while it waits."""
    height, width = surrounded_shape(scan, margin)
    origins = window_origins(scan.frame_shape, model.window, model.stride) + np.int32(margin)
    if form != "dense":
        origins = origins[:batch]
    nothing = np.zeros(len(origins), np.float32)
    frame = np.zeros((frames * height, width), scan.dtype)
    see(backend, FrameWindows(frame, origins, nothing, nothing), scan.full_scale)
