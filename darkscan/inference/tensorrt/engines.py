"""Engines: the shapes they are built for, where they are kept, and whether one fits a run."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Self, get_args

import numpy as np

from darkscan.inference.conventions import Conventions, Precision
from darkscan.inference.frame_windows import even_parts, fitted_shape
from darkscan.pipeline.core.errors import StorageError
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.scan import PixelType

_MOST_WINDOWS = 256  # in one pass: a 2048x2048 frame has 225
_WINDOWS_APART = 64  # of passes: their addresses must be multiples of 256 bytes


class Shapes(NamedTuple):
    """A frame of height x width pixels of ``depth`` bytes, and ``windows`` of it at once."""

    height: int
    width: int
    depth: int
    windows: int

    @classmethod
    def of_frames(
        cls,
        conventions: Conventions,
        frame_shape: tuple[int, int],
        depth: int,
        *,
        context: int = 0,
        stride: int | None = None,
    ) -> Self:
        """For the frames (height, width) of a scan, their pixels ``depth`` bytes.

        ``context``: how many pixels of its neighbours surround each frame. ``stride``: from
        window to window, pixels; left out, the model's. A dense model takes the frame enlarged
        to what it can see, and all windows at once; a windowed one takes them in passes of one
        size. Raises InputError for a frame smaller than a window.
        """
        surrounded = (frame_shape[0] + 2 * context, frame_shape[1] + 2 * context)
        stride = stride or conventions.stride
        windows = len(window_origins(frame_shape, conventions.window, stride))
        if conventions.form == "dense":
            return cls(*fitted_shape(surrounded), depth, windows)
        if windows > _MOST_WINDOWS:
            part = even_parts(windows, _MOST_WINDOWS)
            windows = part + -part % _WINDOWS_APART
        return cls(*surrounded, depth, windows)

    def passes(self, windows: int) -> int:
        """In how many passes so many windows of a frame go; 0 if they cannot be parted so."""
        passes = -(-windows // self.windows)
        return passes if passes == 1 or self.windows % _WINDOWS_APART == 0 else 0

    @property
    def of_inputs(self) -> dict[str, tuple[int, ...]]:
        """The shape of each input of the model that could be of another."""
        windows = self.windows
        return {
            "frame": (self.height, self.width, self.depth),
            "origins": (windows, 2),
            "gains": (windows,),
            "offsets": (windows,),
        }

    def __str__(self) -> str:
        return f"{self.width}x{self.height}, {8 * self.depth} bits, {self.windows} windows"


Arithmetic = Literal["fp32", "fp16", "bf16"]
"""Of the trunk; int8 models are built as "fp32", which leaves their types as they are."""

_ARITHMETICS = get_args(Arithmetic)
_HASH_DIGITS = 12
_NAME = re.compile(
    r"(?P<model>[0-9a-f]{12})_(?P<device>[a-z0-9-]+-sm\d+)_(?P<library>[a-z-]+-[0-9.]+)_"
    r"(?P<height>\d+)x(?P<width>\d+)x(?P<depth>[12])_(?P<windows>[1-9]\d*)_"
    rf"(?P<arithmetic>{'|'.join(_ARITHMETICS)})\.engine"
)


@dataclass(frozen=True)
class Engine:
    """What an engine was built from and for, all of it in its file's name."""

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
        """None if it is no engine's."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        numbers = (int(found[part]) for part in ("height", "width", "depth", "windows"))
        arithmetic = next(known for known in _ARITHMETICS if known == found["arithmetic"])
        return cls(found["model"], found["device"], found["library"], Shapes(*numbers), arithmetic)


def engines_folder() -> Path:
    """``$XDG_CACHE_HOME/darkscan/engines``, else ``~/.cache/darkscan/engines``."""
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
    """Those that run a model on a device with a library, the one built last first."""
    wanted = (model, device, library)
    return [
        (path, engine)
        for path, engine in engines_in(folder)
        if (engine.model, engine.device, engine.library) == wanted
    ]


@dataclass(frozen=True)
class Wanted:
    """The frames and windows that an engine must take, and how exactly it must compute."""

    frame_shape: tuple[int, int] | None = None
    """Height and width of the frames with the context around them; left out, any will do."""

    pixel_type: PixelType | None = None
    """Left out, either will do."""

    stride: int | None = None
    """Step from window to window, pixels; left out, the model's."""

    context: int = 0
    """Pixels of its neighbours around each frame."""

    precision: Precision = "exact"

    @property
    def depth(self) -> int | None:
        """Bytes of a pixel, if it is known."""
        return None if self.pixel_type is None else np.dtype(self.pixel_type).itemsize

    def passes(self, shapes: Shapes, conventions: Conventions) -> int:
        """In how many passes an engine of a model takes a frame's windows; 0: not at all.

        A dense model takes all windows at once, and no others: they shape its adjustment.
        Raises InputError for frames smaller than a window.
        """
        if self.depth not in {None, shapes.depth}:
            return 0
        if self.frame_shape is None:
            return 1
        windows = len(window_origins(self._own_shape, conventions.window, self._step(conventions)))
        frame = (shapes.height, shapes.width)
        if conventions.form == "dense":
            return int(frame == fitted_shape(self.frame_shape) and windows == shapes.windows)
        return shapes.passes(windows) if frame == self.frame_shape else 0

    def rank(self, arithmetic: Arithmetic) -> int | None:
        """How much engines of an arithmetic are wanted, 0 the most; None: not at all.

        Those of "fp32" leave the file's types as they are: they are exact, eight-bit ones too.
        """
        exact = arithmetic == "fp32"
        if self.precision == "exact":
            return 0 if exact else None
        return int(exact)

    def frames(self, conventions: Conventions) -> str:
        """The frames, for people; nothing where any will do."""
        if self.frame_shape is None:
            return ""
        height, width = self._own_shape
        around = f" in a context of {self.context}" if self.context else ""
        step = self._step(conventions)
        finer = f" with a stride of {step}" if step != conventions.stride else ""
        return f"frames of {width}x{height}{around}{finer}"

    def options(self, conventions: Conventions) -> str:
        """What makes ``darkscan engine build`` build one."""
        options = []
        if self.frame_shape is not None:
            height, width = self._own_shape
            options.append(f"--frame {width}x{height}")
        if self.context:
            options.append(f"--context {self.context}")
        if self._step(conventions) != conventions.stride:
            options.append(f"--stride {self.stride}")
        if self.depth is not None:
            options.append(f"--depth {8 * self.depth}")
        if self.precision == "half" and conventions.precision == "float32":
            options.append("--precision fp16")
        return " ".join(options)

    @property
    def _own_shape(self) -> tuple[int, int]:
        """Height and width of the frames without their context."""
        assert self.frame_shape is not None, "asked only where it is known"
        height, width = self.frame_shape
        return height - 2 * self.context, width - 2 * self.context

    def _step(self, conventions: Conventions) -> int:
        return self.stride or conventions.stride
