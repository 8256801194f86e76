"""Finds the device, the library and the engine for a model's job on a GPU, or says what lacks.

The driver is asked first: without one, TensorRT imports as if nothing were wrong and then
crashes.
"""

import runpy
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from darkscan.inference.conventions import Precision
from darkscan.inference.frame_windows import fitted_shape
from darkscan.inference.gpus import Device, find_device
from darkscan.inference.model_job import ModelJob
from darkscan.inference.tensorrt._engines import (
    Arithmetic,
    Engine,
    Shapes,
    engines_folder,
    engines_for,
    short_hash,
)
from darkscan.inference.tensorrt._library import Library, load_library
from darkscan.pipeline.core.errors import DarkscanError, InputError


class Found(NamedTuple):
    """An engine that fits a job, with the device and the library that run it."""

    device: Device
    library: Library
    path: Path
    engine: Engine
    passes: int
    """The number of passes in which the engine takes a frame's windows."""


def why_not(job: ModelJob, device: int, *, folder: Path | None = None) -> str | None:
    """Why TensorRT cannot do a job on a GPU, in one line; None if it can.

    Loads no torch and makes nothing of TensorRT's, so it cannot crash. ``folder``: where
    engines are looked for; left out, the usual one.
    """
    try:
        find_engine(job, device, folder=folder)
    except DarkscanError as error:
        return str(error)
    return None


def find_engine(job: ModelJob, device: int, *, folder: Path | None = None) -> Found:
    """The best engine for a job, of several the one that was built last.

    Raises InputError, in one line, if there is none.
    """
    found, library = find_device(device), load_library()
    _require_torch()
    engines = engines_for(
        folder or engines_folder(),
        model=short_hash(job.conventions.hash),
        device=found.slug,
        library=library.tag,
    )
    fitting = [
        Found(found, library, path, engine, passes)
        for path, engine in engines
        if (passes := _passes(job, engine.shapes))
    ]
    ranked = [
        (rank, each)
        for each in fitting
        if (rank := _rank(job.precision, each.engine.arithmetic)) is not None
    ]
    if ranked:
        return min(ranked, key=itemgetter(0))[1]
    raise InputError(_missing(job, found, inexact=bool(fitting)))


def _passes(job: ModelJob, shapes: Shapes) -> int:
    """The number of passes in which an engine takes a frame's windows; 0 if it does not.

    A dense model takes all windows at once, and no others: they shape its adjustment. Raises
    InputError for frames smaller than a window.
    """
    if shapes.depth != job.frames.dtype.itemsize:
        return 0
    windows = len(job.origins())
    frame = (shapes.height, shapes.width)
    if job.dense:
        return int(frame == fitted_shape(job.frames.surrounded) and windows == shapes.windows)
    return shapes.passes(windows) if frame == job.frames.surrounded else 0


def _rank(precision: Precision, arithmetic: Arithmetic) -> int | None:
    """The rank of an arithmetic among engines, 0 the best; None if it may not be used.

    Engines of "fp32" leave the file's types as they are: they are exact, eight-bit ones too.
    """
    exact = arithmetic == "fp32"
    if precision == "exact":
        return 0 if exact else None
    return int(exact)


def _missing(job: ModelJob, device: Device, *, inexact: bool) -> str:
    """One line that says which engine is missing, and the command that builds it.

    ``inexact``: whether there is one, but of 16 bits.
    """
    frames, stated = job.frames, job.conventions
    height, width = frames.shape
    what = f"no {'exact ' if inexact else ''}engine was built of this model for {device.name}"
    what += f" and frames of {width}x{height}"
    options = [f"--frame {width}x{height}"]
    if frames.margin_px:
        what += f" in a context of {frames.margin_px}"
        options.append(f"--context {frames.margin_px}")
    if job.stride != stated.stride:
        what += f" with a stride of {job.stride}"
        options.append(f"--stride {job.stride}")
    options.append(f"--depth {8 * frames.dtype.itemsize}")
    if job.precision == "half" and stated.precision == "float32":
        options.append("--precision fp16")
    if inexact:
        what += ", only in 16 bits"
    command = f"darkscan engine build --model {job.file} {' '.join(options)}"
    return f"{what}: {command} --device {device.number}"


def _require_torch() -> None:
    """Raises InputError if there is no torch, or one without CUDA; does not load it."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        raise InputError("needs torch: pip install 'darkscan[gpu]'")
    # A file of a few constants; torch itself takes seconds to load.
    stated = runpy.run_path(str(Path(spec.origin).parent / "version.py"))
    if stated.get("cuda") is None:
        raise InputError(f"torch {stated.get('__version__')} was built without CUDA")
