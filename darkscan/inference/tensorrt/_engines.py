"""Engines: the shapes they are built for, their file names, and the folder they are kept in."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Self, get_args

from darkscan.inference.frame_windows import even_parts, fitted_shape
from darkscan.inference.model_job import ModelJob
from darkscan.pipeline.core.errors import StorageError

Arithmetic = Literal["fp32", "fp16", "bf16"]
"""The number type of the trunk; int8 models are built as "fp32", which keeps the file's types."""

_MOST_WINDOWS = 256  # in one pass: a 2048x2048 frame has 225
_WINDOWS_APART = 64  # passes begin at multiples of this: TensorRT wants addresses of 256 bytes
_ARITHMETICS = get_args(Arithmetic)
_HASH_DIGITS = 12
_NAME = re.compile(
    r"(?P<model>[0-9a-f]{12})_(?P<device>[a-z0-9-]+-sm\d+)_(?P<library>[a-z-]+-[0-9.]+)_"
    r"(?P<height>\d+)x(?P<width>\d+)x(?P<depth>[12])_(?P<windows>[1-9]\d*)_"
    rf"(?P<arithmetic>{'|'.join(_ARITHMETICS)})\.engine"
)


class Shapes(NamedTuple):
    """The shapes that an engine takes.

    A frame of height x width pixels of ``depth`` bytes each, with its margin, and ``windows``
    of its windows at once.
    """

    height: int
    width: int
    depth: int
    windows: int

    @classmethod
    def of(cls, job: ModelJob) -> Self:
        """The shapes for the frames of a job.

        A dense model takes the frame with its margin, enlarged to sides that it can see, and all
        windows at once; a windowed one takes the windows in passes of one size. Raises InputError
        for a frame smaller than a window.
        """
        windows, depth = len(job.origins()), job.frames.dtype.itemsize
        if job.dense:
            return cls(*fitted_shape(job.frames.surrounded), depth, windows)
        if windows > _MOST_WINDOWS:
            part = even_parts(windows, _MOST_WINDOWS)
            windows = part + -part % _WINDOWS_APART
        return cls(*job.frames.surrounded, depth, windows)

    def passes(self, windows: int) -> int:
        """The number of passes that so many windows of a frame take; 0 if they cannot be parted."""
        passes = -(-windows // self.windows)
        return passes if passes == 1 or self.windows % _WINDOWS_APART == 0 else 0

    @property
    def of_inputs(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the model's inputs, but for ``full_scale``, which is always a scalar."""
        windows = self.windows
        return {
            "frame": (self.height, self.width, self.depth),
            "origins": (windows, 2),
            "gains": (windows,),
            "offsets": (windows,),
        }

    def __str__(self) -> str:
        return f"{self.width}x{self.height}, {8 * self.depth} bits, {self.windows} windows"


@dataclass(frozen=True)
class Engine:
    """An engine's model, device, library and shapes: its file's name states all of them."""

    model: str
    """The first digits of the model file's hash."""

    device: str
    """The GPU's name and capability."""

    library: str
    """TensorRT's name and version: no other can read it."""

    shapes: Shapes
    arithmetic: Arithmetic

    @property
    def file_name(self) -> str:
        """The engine's file name."""
        height, width, depth, windows = self.shapes
        size = f"{height}x{width}x{depth}_{windows}"
        return f"{self.model}_{self.device}_{self.library}_{size}_{self.arithmetic}.engine"

    @classmethod
    def from_file_name(cls, name: str) -> Self | None:
        """The engine that a file name states; None if it is no engine's."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        numbers = (int(found[part]) for part in ("height", "width", "depth", "windows"))
        arithmetic = next(known for known in _ARITHMETICS if known == found["arithmetic"])
        return cls(found["model"], found["device"], found["library"], Shapes(*numbers), arithmetic)


def engines_folder() -> Path:
    """The folder ``$XDG_CACHE_HOME/darkscan/engines``, else ``~/.cache/darkscan/engines``."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "darkscan" / "engines"


def short_hash(model_hash: str) -> str:
    """A model file's hash as engines' names have it."""
    return model_hash.removeprefix("sha256:")[:_HASH_DIGITS]


def engines_in(folder: Path) -> list[tuple[Path, Engine]]:
    """The engines in a folder, the one built last first. Raises StorageError."""
    found = []
    try:
        for path in folder.iterdir() if folder.is_dir() else ():
            engine = Engine.from_file_name(path.name)
            if engine is not None:
                found.append((path.stat().st_mtime_ns, path, engine))
    except OSError as error:
        raise StorageError(folder, f"cannot be looked through: {error.strerror}") from error
    return [(path, engine) for _, path, engine in sorted(found, key=lambda f: f[:2], reverse=True)]


def engines_for(
    folder: Path, *, model: str, device: str, library: str
) -> list[tuple[Path, Engine]]:
    """The engines that run a model on a device with a library, the one built last first."""
    wanted = (model, device, library)
    return [
        (path, engine)
        for path, engine in engines_in(folder)
        if (engine.model, engine.device, engine.library) == wanted
    ]
