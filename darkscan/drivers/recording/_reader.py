"""Reads recordings: whole ones, interrupted ones, and ones that are still written."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np

from darkscan.drivers.recording._holders import why_not_open, why_not_opened
from darkscan.drivers.recording._layout import FORMAT, LIBVER, SCAN, VERSION, read_scan
from darkscan.drivers.recording._tables import check_pixels, read_frames, read_plan, rows_in_file
from darkscan.drivers.recording.superblock import FileState, read_superblock
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.inputs import require_file
from darkscan.pipeline.core.scan import FrameFlag, FrameMeta, ScanInfo
from darkscan.pipeline.core.settings import updated

_MISSING = FrameFlag.LOST | FrameFlag.MISSING
_BAND_BYTES = 1 << 20


class Recording:
    """A recorded scan, a FrameSource.

    ``frames`` holds every planned frame in scan order: the recorded ones with their
    measured position and flags, the missing ones with the planned position and
    ``FrameFlag.MISSING``. The file is opened for reading only and never changed, not even
    one whose writer was killed.

    Raises InputError, naming file and field, for anything that is not a recording of
    this version with sound content.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _open(path)
        try:
            self._read()
        except InputError:
            self._file.close()
            raise
        except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
            self._file.close()
            raise InputError(f"is damaged: {error}", file=path) from error

    @property
    def info(self) -> ScanInfo:
        """The scan's description."""
        return self._info

    @property
    def frames(self) -> Sequence[FrameMeta]:
        """Every planned frame in scan order; those without pixels are flagged LOST."""
        return self._frames

    @property
    def complete(self) -> bool:
        """Whether its writer closed it, so that nothing more will come."""
        return self._complete

    @property
    def missing_frames(self) -> Sequence[int]:
        """Numbers of the planned frames that were never recorded, in scan order."""
        return self._missing

    @property
    def missing(self) -> int:
        """How many of the planned frames were never recorded."""
        return len(self._missing)

    @property
    def shortfall(self) -> str:
        """One line on what is missing; empty for a complete recording of all frames."""
        if self.complete and not self.missing:
            return ""
        end = "ended early" if self.complete else "was interrupted"
        planned = len(self._frames)
        if not self.missing:
            return f"recording {end} after its last frame: all {planned} frames are there"
        there = planned - self.missing
        return (
            f"recording {end}: {there} of {planned} frames are there, "
            f"{name_frames(self._missing)} missing"
        )

    def read_into(self, index: int, out: Pixels) -> None:
        """Writes the pixels of ``frames[index]`` into ``out``, without a detour if C-contiguous.

        ``out`` is (height, width) of the scan's dtype. Raises InputError if the frame has
        no pixels or they cannot be read, ValueError if ``out`` does not fit.
        """
        if out.shape != self._info.frame_shape or out.dtype != self._info.dtype:
            raise ValueError(f"out must be {self._info.frame_shape} of {self._info.pixel_type}")
        row = self._row(index)
        with self._reading(index):
            if out.flags.c_contiguous:
                self._pixels.read_direct(out[None], source_sel=(slice(row, row + 1),))
            else:
                self._read_by_bands(row, out)

    def read_rows(self, index: int, top: int, out: Pixels) -> None:
        """Writes rows of ``frames[index]``, from ``top`` on, into ``out``; no others are read.

        ``out`` is (rows, width) of the scan's dtype, C-contiguous. Raises InputError if the
        frame has no pixels or they cannot be read, ValueError if ``out`` does not fit.
        """
        height, width = self._info.frame_shape
        if out.shape[1:] != (width,) or out.dtype != self._info.dtype:
            raise ValueError(f"out must be rows of {width} {self._info.pixel_type}")
        if not 0 <= top <= top + len(out) <= height:
            raise ValueError(f"rows {top} to {top + len(out)} are not all of {height}")
        row = self._row(index)
        selection = (slice(row, row + 1), slice(top, top + len(out)))
        with self._reading(index):
            self._pixels.read_direct(out[None], source_sel=selection)

    def _row(self, index: int) -> int:
        """Where a frame's pixels are. Raises InputError if they are not there."""
        number = self._frames[index].frame
        row = self._rows.get(number)
        if row is None:
            raise InputError("has no pixels", file=self.path, field=f"frame {number}")
        self._check_still_there(row, number)
        return row

    @contextmanager
    def _reading(self, index: int) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError) as error:
            number = self._frames[index].frame
            problem = f"cannot be read: {error}"
            raise InputError(problem, file=self.path, field=f"frame {number}") from error

    def _read_by_bands(self, row: int, out: Pixels) -> None:
        # HDF5 reads into contiguous memory; a band stays in the processor's cache on its way.
        rows = max(1, _BAND_BYTES // (out.shape[1] * out.itemsize))
        band: Pixels = np.empty((1, min(rows, len(out)), out.shape[1]), out.dtype)
        for top in range(0, len(out), rows):
            part = band[:, : len(out) - top]
            selection = (slice(row, row + 1), slice(top, top + part.shape[1]))
            self._pixels.read_direct(part, source_sel=selection)
            out[top : top + rows] = part[0]

    def _check_still_there(self, row: int, number: int) -> None:
        # HDF5 reads zeros past the end of a file, without a word: that would be clean glass.
        size = self.path.stat().st_size
        if size < self._size and not rows_in_file(self._pixels, size)[row]:
            problem = "is gone: the file was cut short while it was read"
            raise InputError(problem, file=self.path, field=f"frame {number}")

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self) -> None:
        _check_format(self._file, self.path)
        scan = self._file.get(SCAN)
        if not isinstance(scan, h5py.Group):
            raise InputError("group is missing", file=self.path, field=SCAN)
        self._complete = bool(self._file.attrs.get("complete", 0))
        self._info = read_scan(scan, self.path)
        plan = read_plan(self._file, self.path, self._info)
        self._pixels = check_pixels(self._file, self.path, self._info)
        recorded, rows = read_frames(self._file, self.path, complete=self._complete)
        self._match(plan, recorded, rows.tolist())

    def _match(self, plan: list[FrameMeta], recorded: list[FrameMeta], rows: list[int]) -> None:
        """Sorts the recorded frames into the plan."""
        planned = {meta.frame for meta in plan}
        there: dict[int, FrameMeta] = {}
        self._rows: dict[int, int] = {}
        self._size = self.path.stat().st_size
        has_pixels = rows_in_file(self._pixels, self._size)
        for meta, row in zip(recorded, rows, strict=True):
            if meta.frame not in planned:
                problem = f"frame {meta.frame} is not in /plan"
                raise InputError(problem, file=self.path, field="/frames/id")
            if meta.flags & FrameFlag.LOST:
                there[meta.frame] = meta
            elif row < len(has_pixels) and has_pixels[row]:
                there[meta.frame] = meta
                self._rows[meta.frame] = row
        self._frames = [
            there.get(meta.frame) or updated(meta, flags=int(_MISSING)) for meta in plan
        ]
        self._missing = [meta.frame for meta in plan if meta.frame not in there]


def name_frames(numbers: Sequence[int]) -> str:
    """Says which frames, with a verb: ``frame 3 is``, ``frames 3, 7-9 are``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    most = 20
    names = ["-".join(str(end) for end in run) for run in runs[:most]]
    more = f" and {len(runs) - most} more stretches" if len(runs) > most else ""
    return f"frame{'s'[: len(numbers) > 1]} {', '.join(names)}{more} " + (
        "is" if len(numbers) == 1 else "are"
    )


def _open(path: Path) -> h5py.File:
    require_file(path)
    try:
        block = read_superblock(path)
        problem = why_not_open(path, block)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
    if problem is not None:
        raise InputError(problem, file=path)
    try:
        # Without a chunk cache, pixels go from the file straight to where they are wanted.
        swmr = block.state is FileState.SWMR
        return h5py.File(path, "r", swmr=swmr, libver=LIBVER, rdcc_nbytes=0)
    except OSError as error:
        raise InputError(why_not_opened(path, error), file=path) from error
    except RuntimeError as error:
        raise InputError(f"is damaged: {error}", file=path) from error


def _check_format(file: h5py.File, path: Path) -> None:
    if file.attrs.get("format") != FORMAT:
        raise InputError("is not a darkscan recording", file=path, field="format")
    version = file.attrs.get("format_version")
    if version != VERSION:
        problem = f"is {version}, this darkscan reads version {VERSION}"
        raise InputError(problem, file=path, field="format_version")
