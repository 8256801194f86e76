"""Finds what runs a model on a GPU: the device, the library, an engine; or says what lacks.

The driver is asked first: without one, TensorRT imports as if nothing were wrong and then
crashes.
"""

import runpy
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from darkscan.pipeline.errors import DarkscanError, InputError
from darkscan.pipeline.scan import PixelType
from darkscan.stages.inference.conventions import Conventions
from darkscan.stages.inference.onnx_runtime import read_conventions
from darkscan.stages.inference.tensorrt.device import Device, find_device
from darkscan.stages.inference.tensorrt.engines import (
    Engine,
    engines_folder,
    engines_for,
    short_hash,
)
from darkscan.stages.inference.tensorrt.library import Library, load_library
from darkscan.stages.inference.tensorrt.shapes import enlarged


class Found(NamedTuple):
    """All that it takes to run a model."""

    device: Device
    library: Library
    conventions: Conventions
    path: Path
    engine: Engine


def why_not(
    model: Path,
    device: int,
    *,
    frame_shape: tuple[int, int] | None = None,
    pixel_type: PixelType | None = None,
    folder: Path | None = None,
) -> str | None:
    """Why TensorRT cannot run a model on a GPU, in one line; None if it can.

    ``frame_shape`` and ``pixel_type``: of the frames; left out, any engine will do. Loads
    no torch and makes nothing of TensorRT's, so it cannot crash.
    """
    try:
        find_engine(model, device, frame_shape, pixel_type, folder=folder)
    except DarkscanError as error:
        return str(error)
    return None


def find_engine(
    model: Path,
    device: int,
    frame_shape: tuple[int, int] | None,
    pixel_type: PixelType | None,
    *,
    folder: Path | None = None,
) -> Found:
    """The engine that was built last for such frames. Raises InputError, in one line."""
    found, library = find_device(device), load_library()
    _require_torch()
    conventions = read_conventions(model)
    engines = engines_for(
        folder or engines_folder(),
        model=short_hash(conventions.hash),
        device=found.slug,
        library=library.tag,
    )
    wanted = frame_shape
    if frame_shape is not None and conventions.form == "dense":
        wanted = enlarged(frame_shape)
    depth = None if pixel_type is None else np.dtype(pixel_type).itemsize
    for path, engine in engines:
        shapes = engine.shapes
        if wanted in {None, (shapes.height, shapes.width)} and depth in {None, shapes.depth}:
            return Found(found, library, conventions, path, engine)
    how = _how_to_build(model, found, frame_shape, depth)
    if conventions.form == "dense" and frame_shape is not None:
        how += " (with a context_px, --frame without it and --context PX)"
    raise InputError(how)


def _how_to_build(
    model: Path, device: Device, frame_shape: tuple[int, int] | None, depth: int | None
) -> str:
    size = "" if frame_shape is None else f" --frame {frame_shape[1]}x{frame_shape[0]}"
    bits = "" if depth is None else f" --depth {8 * depth}"
    command = f"darkscan engine build --model {model}{size}{bits} --device {device.number}"
    frames = "" if frame_shape is None else f" and frames of {frame_shape[1]}x{frame_shape[0]}"
    return f"no engine was built of this model for {device.name}{frames}: {command}"


def _require_torch() -> None:
    """Raises InputError if there is no torch, or one without CUDA; does not load it."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        raise InputError("needs torch: pip install 'darkscan[gpu]'")
    # A file of a few constants; torch itself takes seconds to load.
    stated = runpy.run_path(str(Path(spec.origin).parent / "version.py"))
    if stated.get("cuda") is None:
        raise InputError(f"torch {stated.get('__version__')} was built without CUDA")
