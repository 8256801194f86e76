"""Finds what runs a model on a GPU: the device, the library, an engine; or says what lacks.

The driver is asked first: without one, TensorRT imports as if nothing were wrong and then
crashes.
"""

import runpy
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from darkscan.inference.conventions import Conventions
from darkscan.inference.onnx_runtime import read_conventions
from darkscan.inference.tensorrt.device import Device, find_device
from darkscan.inference.tensorrt.engines import (
    Engine,
    Wanted,
    engines_folder,
    engines_for,
    short_hash,
)
from darkscan.inference.tensorrt.library import Library, load_library
from darkscan.pipeline.core.errors import DarkscanError, InputError


class Found(NamedTuple):
    """All that it takes to run a model."""

    device: Device
    library: Library
    conventions: Conventions
    path: Path
    engine: Engine
    passes: int
    """In how many passes the engine takes a frame's windows."""


def why_not(
    model: Path, device: int, wanted: Wanted | None = None, *, folder: Path | None = None
) -> str | None:
    """Why TensorRT cannot run a model on a GPU, in one line; None if it can.

    ``wanted``: of an engine; left out, one for any frames will do. Loads no torch and makes
    nothing of TensorRT's, so it cannot crash.
    """
    try:
        find_engine(model, device, wanted or Wanted(), folder=folder)
    except DarkscanError as error:
        return str(error)
    return None


def find_engine(model: Path, device: int, wanted: Wanted, *, folder: Path | None = None) -> Found:
    """The best engine of a model that is fit, of several the one that was built last.

    Raises InputError, in one line, if there is none.
    """
    found, library = find_device(device), load_library()
    _require_torch()
    conventions = read_conventions(model)
    engines = engines_for(
        folder or engines_folder(),
        model=short_hash(conventions.hash),
        device=found.slug,
        library=library.tag,
    )
    of_frames = [
        Found(found, library, conventions, path, engine, passes)
        for path, engine in engines
        if (passes := wanted.passes(engine.shapes, conventions))
    ]
    ranked = [
        (rank, each)
        for each in of_frames
        if (rank := wanted.rank(each.engine.arithmetic)) is not None
    ]
    if ranked:
        return min(ranked, key=itemgetter(0))[1]
    raise InputError(_what_lacks(model, found, conventions, wanted, inexact=bool(of_frames)))


def _what_lacks(
    model: Path, device: Device, conventions: Conventions, wanted: Wanted, *, inexact: bool
) -> str:
    exact = "exact " if inexact else ""
    frames = wanted.frames(conventions)
    what = f"no {exact}engine was built of this model for {device.name}"
    what += f" and {frames}" if frames else ""
    what += ", only in 16 bits" if inexact else ""
    parts = ("--model", str(model), wanted.options(conventions), f"--device {device.number}")
    return " ".join([f"{what}: darkscan engine build", *filter(None, parts)])


def _require_torch() -> None:
    """Raises InputError if there is no torch, or one without CUDA; does not load it."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        raise InputError("needs torch: pip install 'darkscan[gpu]'")
    # A file of a few constants; torch itself takes seconds to load.
    stated = runpy.run_path(str(Path(spec.origin).parent / "version.py"))
    if stated.get("cuda") is None:
        raise InputError(f"torch {stated.get('__version__')} was built without CUDA")
