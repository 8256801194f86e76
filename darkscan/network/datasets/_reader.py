"""Opens data sets: windows by index, and what is known of each."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
import numpy.typing as npt

from darkscan.drivers.recording import require_closed, why_not_opened
from darkscan.drivers.recording.superblock import FileState, read_superblock
from darkscan.network.datasets._layout import (
    COLUMNS,
    FORMAT,
    MANIFEST,
    PIXELS,
    SOURCES,
    VERSION,
    hash_of_file,
)
from darkscan.network.datasets._splits import SPLITS
from darkscan.network.datasets.rule import WINDOW_PX
from darkscan.pipeline.core.errors import InputError

Indices = Sequence[int] | npt.NDArray[np.integer[Any]] | slice


class _Handle:
    """An open file that each process opens for itself: HDF5 handles do not cross a fork."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: tuple[int, h5py.File] | None = None

    def __getstate__(self) -> Path:
        return self.path

    def __setstate__(self, path: Path) -> None:
        self.path = path
        self._open = None

    def file(self) -> h5py.File:
        if self._open is None or self._open[0] != os.getpid():
            self._open = os.getpid(), h5py.File(self.path, "r")
        return self._open[1]

    def close(self) -> None:
        if self._open is not None and self._open[0] == os.getpid():
            self._open[1].close()
        self._open = None


@dataclass(frozen=True)
class WindowSet:
    """The windows of one split, in the order of the file; N of them.

    May be given to other processes: each opens the file for itself.
    """

    name: str
    full_scale: float
    """The highest grey level the camera can give."""

    _handle: _Handle
    _sources: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: Indices) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
        """Windows as the camera gave them, in the order asked for: (n, 256, 256).

        Raises InputError if the file is damaged, IndexError for windows it does not have.
        """
        pixels = self._group[PIXELS]
        chosen = self._rows(indices)
        out = np.empty((len(chosen), WINDOW_PX, WINDOW_PX), pixels.dtype.newbyteorder("="))
        try:
            for row, index in enumerate(chosen):
                pixels.read_direct(out, np.s_[index], np.s_[row])
        except (OSError, RuntimeError) as error:
            problem = f"cannot be read: {error}"
            raise InputError(problem, file=self._handle.path, field=self.name) from error
        return out

    def lines(self, indices: Indices) -> npt.NDArray[np.uint8]:
        """1 in the cells of 8 px that a centre line runs through, else 0: (n, 32, 32)."""
        chosen = self._rows(indices)
        return np.asarray(self._lines[chosen], dtype=np.uint8)

    @cached_property
    def labels(self) -> npt.NDArray[np.int8]:
        """1 scratch, 0 background: (N,)."""
        return np.asarray(self._column("labels"), dtype=np.int8)

    @cached_property
    def source(self) -> npt.NDArray[np.str_]:
        """The image that each window was cut from: (N,)."""
        return np.asarray(np.array(self._sources, dtype=np.str_)[self._column("source")])

    @cached_property
    def origin(self) -> npt.NDArray[np.int32]:
        """Each window's first pixel in its image, y and x: (N, 2)."""
        return np.asarray(self._column("origin"), dtype=np.int32)

    @cached_property
    def method(self) -> npt.NDArray[np.str_]:
        """How each window was sampled, "gaussian", "uniform" or "random": (N,)."""
        return self._column("method").astype(np.str_)

    @cached_property
    def kind(self) -> npt.NDArray[np.str_]:
        """The scratch's shape, or a background's rarest distractor; "" if unknown: (N,)."""
        return self._column("kind").astype(np.str_)

    @cached_property
    def cnr(self) -> npt.NDArray[np.float32]:
        """The scratch's amplitude over the noise, 0 for background, NaN if unknown: (N,)."""
        return np.asarray(self._column("cnr"), dtype=np.float32)

    @cached_property
    def length_px(self) -> npt.NDArray[np.float32]:
        """The scratch's visible length in the window less its rim, 0 for background: (N,)."""
        return np.asarray(self._column("length_px"), dtype=np.float32)

    @cached_property
    def snr(self) -> npt.NDArray[np.float32]:
        """Signal-to-noise of the matched filter for all scratch light in the window: (N,).

        0 for background, NaN if unknown.
        """
        return np.asarray(self._column("snr"), dtype=np.float32)

    @cached_property
    def boxes(self) -> npt.NDArray[np.float32]:
        """x0, y0, x1, y1 around the scratch pixels, window pixels; zeros if none: (N, 4)."""
        return np.asarray(self._column("boxes"), dtype=np.float32)

    @cached_property
    def _lines(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self._column("lines"), dtype=np.bool_)

    def _rows(self, indices: Indices) -> npt.NDArray[np.intp]:
        return np.arange(len(self), dtype=np.intp)[indices]

    def _column(self, name: str) -> npt.NDArray[Any]:
        return np.asarray(self._group[name][:])

    @property
    def _group(self) -> h5py.Group:
        return self._handle.file()[self.name]


class Dataset:
    """A data set on disk; ``open`` it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = _Handle(path)
        self._read(_opened(self._handle))

    @classmethod
    def open(cls, file: Path) -> Self:
        """Opens a file that ``darkscan dataset build`` wrote.

        Raises InputError, naming file and field, for anything else.
        """
        return cls(file)

    def split(self, name: str) -> WindowSet:
        """The windows of "train", "validation" or "test". Raises InputError if there is none."""
        if name not in self.splits:
            problem = f"no such split, this data set has {', '.join(self.splits)}"
            raise InputError(problem, file=self.path, field=name)
        return WindowSet(name, self.full_scale, self._handle, self._sources["name"])

    def sources(self, split: str) -> tuple[str, ...]:
        """The images that a split's windows come from."""
        pairs = zip(self._sources["name"], self._sources["split"], strict=True)
        return tuple(name for name, where in pairs if where == split)

    def verify(self) -> None:
        """Reads everything. Raises InputError if it is not what the hash was made of."""
        try:
            found = hash_of_file(self._handle.file())
        except (OSError, RuntimeError) as error:
            raise InputError(f"is damaged: {error}", file=self.path) from error
        if found != self.hash:
            raise InputError(f"content has {found}, not {self.hash}", file=self.path, field="hash")

    def close(self) -> None:
        """Lets go of the file; its window sets can still be used, and open it again."""
        self._handle.close()

    def _read(self, file: h5py.File) -> None:
        try:
            self.hash = str(file.attrs["hash"])
            self.full_scale = float(file.attrs["full_scale"])
            self.manifest: dict[str, Any] = json.loads(file.attrs[MANIFEST])
            self.splits = tuple(name for name in SPLITS if name in file)
            self._sources = {
                column: tuple(file[SOURCES][column].asstr()[:])
                for column in ("name", "sha256", "split")
            }
            for name in self.splits:
                self._check_rows(file[name])
        except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
            self.close()
            raise InputError(f"is damaged: {error}", file=self.path) from error

    def _check_rows(self, group: h5py.Group) -> None:
        count = len(group["labels"])
        shapes = {PIXELS: (WINDOW_PX, WINDOW_PX)} | {n: c[1] for n, c in COLUMNS.items()}
        for name, shape in shapes.items():
            if group[name].shape != (count, *shape):
                raise ValueError(f"{group.name}/{name} has the shape {group[name].shape}")


def _opened(handle: _Handle) -> h5py.File:
    path = handle.path
    try:
        state = read_superblock(path).state
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
    if state is FileState.FOREIGN:
        raise InputError("is not a data set: not an HDF5 file", file=path)
    if state is FileState.TRUNCATED:
        raise InputError("is damaged: it is shorter than it was written", file=path)
    require_closed(path, "darkscan dataset info")
    try:
        file = handle.file()
    except OSError as error:
        raise InputError(why_not_opened(path, error), file=path) from error
    if file.attrs.get("format") != FORMAT:
        handle.close()
        raise InputError("is HDF5, but not a data set", file=path)
    version = file.attrs.get("format_version")
    if version != VERSION:
        handle.close()
        problem = f"version {version} is unknown, expected {VERSION}"
        raise InputError(problem, file=path, field="format_version")
    return file
