"""Builds the engine of a model for this machine's GPU, unless it is there already."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from darkscan.inference.conventions import Conventions
from darkscan.inference.onnx_runtime import read_conventions
from darkscan.inference.tensorrt.building import Watch, build
from darkscan.inference.tensorrt.device import Device, use_device
from darkscan.inference.tensorrt.engines import Arithmetic, Engine, Shapes, short_hash
from darkscan.inference.tensorrt.halving import in_half
from darkscan.inference.tensorrt.library import Library
from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.core.files import write_atomically


class Made(NamedTuple):
    """Where an engine lies, and whether it was built just now."""

    path: Path
    engine: Engine
    anew: bool


@dataclass(frozen=True)
class Order:
    """An engine that somebody wants."""

    model: Path
    frame_shape: tuple[int, int]
    depth: int
    """Bytes of a pixel."""

    arithmetic: Arithmetic
    context: int = 0
    """Pixels of its neighbours around each frame."""

    stride: int | None = None
    """Step from window to window, pixels; left out, the model's."""

    def shapes(self) -> Shapes:
        """What the engine takes. Raises InputError if the model cannot be built so."""
        conventions = self.conventions()
        if self.stride is not None and self.stride > conventions.stride:
            problem = f"the model has stride {conventions.stride}, wanted is {self.stride}"
            raise InputError(problem, file=self.model, field="darkscan.stride")
        return Shapes.of_frames(
            conventions, self.frame_shape, self.depth, context=self.context, stride=self.stride
        )

    def conventions(self) -> Conventions:
        """What the model says of itself. Raises InputError if TensorRT cannot run it."""
        conventions = read_conventions(self.model)
        if conventions.quantised_for == "cpu":
            problem = "is in eight bits for CPUs; darkscan quantise --target tensorrt makes another"
            raise InputError(problem, file=self.model)
        return conventions

    def content(self) -> bytes:
        """The model's graph in the wanted arithmetic. Raises InputError."""
        content = self.model.read_bytes()
        if self.arithmetic == "fp32":
            return content
        return in_half(content, self.arithmetic, file=self.model)


def make_engine(
    library: Library,
    device: Device,
    order: Order,
    folder: Path,
    *,
    workspace: int | None = None,
    force: bool = False,
    watch: Watch | None = None,
) -> Made:
    """Builds an engine into ``folder``, or finds it there; either way it is the latest then.

    What is measured is kept beside it, so that the next engine is built faster. Raises
    what ``build`` raises, and StorageError if it cannot be written; then nothing is.
    """
    shapes = order.shapes()
    model = short_hash(order.conventions().hash)
    engine = Engine(model, device.slug, library.tag, shapes, order.arithmetic)
    path = folder / engine.file_name
    if path.is_file() and not force:
        _touch(path)
        return Made(path, engine, anew=False)
    measured = folder / f"timings_{device.slug}_{library.tag}.cache"
    use_device(device)
    built = build(
        library,
        order.content(),
        shapes,
        file=order.model,
        timings=_content_of(measured),
        workspace=workspace,
        watch=watch,
    )
    if built.timings:
        write_atomically(measured, built.timings)
    write_atomically(path, built.engine)
    return Made(path, engine, anew=True)


def _touch(path: Path) -> None:
    try:
        os.utime(path)
    except OSError as error:
        raise StorageError(path, error) from error


def _content_of(path: Path) -> bytes:
    """A file's content; nothing where it is not, or cannot be read: it only saves time."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
