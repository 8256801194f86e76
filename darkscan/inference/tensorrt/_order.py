"""Builds the engine of a model for this machine's GPU, unless it is there already."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from darkscan.inference.gpus import Device, use_device
from darkscan.inference.model_job import ModelJob
from darkscan.inference.tensorrt._building import Watch, build, read_graph
from darkscan.inference.tensorrt._engines import Arithmetic, Engine, Shapes, short_hash
from darkscan.inference.tensorrt._halving import in_half
from darkscan.inference.tensorrt._library import Library
from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.core.files import write_atomically


class Made(NamedTuple):
    """An engine, its file, and whether it was built just now."""

    path: Path
    engine: Engine
    anew: bool


@dataclass(frozen=True)
class Order:
    """An engine to be built: for a model's job, in an arithmetic."""

    job: ModelJob
    arithmetic: Arithmetic
    workspace: int | None = None
    """The most device memory for kernels beside weights and feature maps, bytes; None: any."""

    def shapes(self) -> Shapes:
        """The shapes that the engine takes. Raises InputError if the model cannot be built so."""
        job = self.job
        if job.conventions.quantised_for == "cpu":
            problem = "is in eight bits for CPUs; darkscan quantise --target tensorrt makes another"
            raise InputError(problem, file=job.file)
        if job.stride > job.conventions.stride:
            problem = f"the model has stride {job.conventions.stride}, wanted is {job.stride}"
            raise InputError(problem, file=job.file, field="darkscan.stride")
        return Shapes.of(job)

    def content(self) -> bytes:
        """The model's graph in the wanted arithmetic. Raises InputError."""
        content = self.job.file.read_bytes()
        if self.arithmetic == "fp32":
            return content
        return in_half(content, self.arithmetic, file=self.job.file)


def make_engine(
    library: Library,
    device: Device,
    order: Order,
    folder: Path,
    *,
    force: bool = False,
    watch: Watch | None = None,
) -> Made:
    """Builds an engine into ``folder``, or finds it there; in both cases it becomes the latest.

    The timings of kernels are kept beside it, so that the next engine is built faster. Raises
    the errors of ``build``, and StorageError if the engine cannot be written; then no file is.
    """
    shapes = order.shapes()
    model = short_hash(order.job.conventions.hash)
    engine = Engine(model, device.slug, library.tag, shapes, order.arithmetic)
    path = folder / engine.file_name
    if path.is_file() and not force:
        _touch(path)
        return Made(path, engine, anew=False)
    timings = folder / f"timings_{device.slug}_{library.tag}.cache"
    use_device(device)
    built = build(
        library,
        read_graph(library, order.content(), file=order.job.file),
        shapes,
        timings=_content_of(timings),
        workspace=order.workspace,
        watch=watch,
    )
    if built.timings:
        write_atomically(timings, built.timings)
    write_atomically(path, built.engine)
    return Made(path, engine, anew=True)


def _touch(path: Path) -> None:
    try:
        os.utime(path)
    except OSError as error:
        raise StorageError(path, error) from error


def _content_of(path: Path) -> bytes:
    """A file's content; none if the file cannot be read, as timings only save time."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
