"""Reads recordings: whole ones, interrupted ones, damaged ones, and ones still written."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from pydantic import ValidationError

from darkscan.drivers.recording._checksums import (
    PLAN_CRC,
    SCAN_CRC,
    plan_checksum,
    scan_checksum,
)
from darkscan.drivers.recording._frames import FoundFrames, sort_checked, sort_unchecked
from darkscan.drivers.recording._holders import why_not_open, why_not_opened
from darkscan.drivers.recording._layout import (
    CHECKED_FIELDS,
    FORMAT,
    LIBVER,
    PIXELS_CRC,
    PLAN,
    ROW_CRC,
    SCAN,
    VERSION,
    Table,
    scan_of,
)
from darkscan.drivers.recording._pixels import PixelReader
from darkscan.drivers.recording._short_file import ShortFile
from darkscan.drivers.recording._storage import Storage
from darkscan.drivers.recording._tables import check_pixels, read_frames, read_plan
from darkscan.drivers.recording.superblock import FileState, Superblock, read_superblock
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.inputs import require_file
from darkscan.pipeline.core.scan import FrameFlag, FrameMeta, ScanInfo
from darkscan.pipeline.running.specification import RecordingIdentity

UNCHECKED = (
    "the recording holds no checksums: what has changed in it since it was taken cannot be told"
)
"""What stands in a map that is made of such a recording."""

_READ_ERRORS = (OSError, RuntimeError, ValueError, KeyError, TypeError, MemoryError, RecursionError)


class DamagedFrameError(InputError):
    """A frame's pixels are not what was recorded.

    ``cause`` says why; ``reason`` says it as the problem of a frame that is damaged.
    """

    def __init__(self, file: Path, frame: int, reason: str) -> None:
        self.cause = reason
        self.reason = f"the recording is damaged ({reason})"
        super().__init__(f"is damaged: {reason}", file=file, field=f"frame {frame}")


class Recording:
    """A recorded scan, a FrameSource.

    ``frames`` holds every planned frame in scan order: the recorded ones with their
    measured position and flags, the others with the planned position and
    ``FrameFlag.MISSING`` or ``FrameFlag.DAMAGED``. The file is opened for reading only and
    never changed, not even one whose writer was killed.

    Raises InputError, naming file and field, for anything that is not a recording of
    this version with sound content, and for one that is not of the ``identity`` given.
    """

    def __init__(self, path: Path, identity: RecordingIdentity | None = None) -> None:
        self.path = path
        self._block, self._file = _open(path)
        try:
            self._read()
            if identity not in {None, self.identity}:
                raise InputError("has changed since the run began", file=path)
        except InputError:
            self._file.close()
            raise
        except _READ_ERRORS as error:
            self._file.close()
            raise InputError(self._why_unreadable(error), file=path) from error

    @property
    def info(self) -> ScanInfo:
        """The scan's description."""
        return self._info

    @property
    def frames(self) -> Sequence[FrameMeta]:
        """Every planned frame in scan order; those without pixels are flagged LOST."""
        return self._found.frames

    @property
    def complete(self) -> bool:
        """Whether its writer closed it, so that nothing more will come, and nothing is cut off."""
        return self._complete

    @property
    def is_checked(self) -> bool:
        """Whether it holds checksums, so that what has changed in it is found."""
        return self._is_checked

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a map of this recording has to say of it."""
        return () if self._is_checked else (UNCHECKED,)

    @property
    def identity(self) -> RecordingIdentity:
        """Tells this recording from any other, and from itself once it was changed."""
        return self._identity

    @property
    def missing_frames(self) -> Sequence[int]:
        """Numbers of the planned frames that were never recorded, in scan order."""
        return self._found.numbers(FrameFlag.MISSING)

    @property
    def missing(self) -> int:
        """How many of the planned frames were never recorded."""
        return len(self.missing_frames)

    @property
    def damaged_frames(self) -> Mapping[int, str]:
        """Numbers of the frames that are seen to be damaged without their pixels, and why."""
        return {m.frame: m.note for m in self.frames if m.flags & FrameFlag.DAMAGED}

    @property
    def shortfall(self) -> str:
        """One line on what is missing; empty for a complete recording of all frames."""
        missing, damaged = self.missing_frames, list(self.damaged_frames)
        if self.complete and not missing and not damaged:
            return ""
        planned = len(self.frames)
        if self._is_short:
            end = f"is cut short ({self._block.size} of {self._block.stated_size} bytes are there)"
        elif damaged:
            end = "is damaged"
        else:
            end = "ended early" if self.complete else "was interrupted"
        if not missing and not damaged:
            return f"recording {end} after its last frame: all {planned} frames are there"
        there = planned - len(missing) - len(damaged)
        parts = [
            f"{name_frames(numbers)} {what}"
            for numbers, what in ((missing, "missing"), (damaged, "damaged"))
            if numbers
        ]
        return f"recording {end}: {there} of {planned} frames are there, {', '.join(parts)}"

    def read_into(self, index: int, out: Pixels) -> None:
        """Writes the pixels of ``frames[index]`` into ``out``, without a detour if C-contiguous.

        ``out`` is (height, width) of the scan's dtype. Raises DamagedFrameError if they are
        not what was recorded, InputError if the frame has no pixels or they cannot be read,
        ValueError if ``out`` does not fit.
        """
        if out.shape != self._info.frame_shape or out.dtype != self._info.dtype:
            raise ValueError(f"out must be {self._info.frame_shape} of {self._info.pixel_type}")
        number = self.frames[index].frame
        row = self._found.rows.get(number)
        if row is None:
            raise InputError("has no pixels", file=self.path, field=f"frame {number}")
        with self._reading(number):
            is_right = self._pixels.read_into(row, out)
        if not is_right:
            raise DamagedFrameError(self.path, number, self._pixels.why_not(row))

    def read_rows(self, index: int, top: int, out: Pixels) -> None:
        """Writes rows of ``frames[index]``, from ``top`` on, into ``out``.

        The whole frame is read and checked, and kept for the next call. ``out`` is (rows,
        width) of the scan's dtype. Raises as ``read_into`` does.
        """
        height, width = self._info.frame_shape
        if out.shape[1:] != (width,) or out.dtype != self._info.dtype:
            raise ValueError(f"out must be rows of {width} {self._info.pixel_type}")
        if not 0 <= top <= top + len(out) <= height:
            raise ValueError(f"rows {top} to {top + len(out)} are not all of {height}")
        if self._kept is None or self._kept[0] != index:
            pixels: Pixels = np.empty(self._info.frame_shape, self._info.dtype)
            self.read_into(index, pixels)
            self._kept = index, pixels
        out[...] = self._kept[1][top : top + len(out)]

    def changes(self) -> tuple[str, ...]:
        """Opens the recording anew and says what has changed in it while it was open.

        With checksums, what was read is what was recorded all the same; without them, it may
        be of two recordings: then this raises InputError. Frames cannot be read after that.
        """
        self.close()  # HDF5 would go on with what it knows of an open file
        try:
            fresh = Recording(self.path, self._identity)
        except InputError:
            if self._is_checked:
                return ("the recording was changed or replaced while it was inspected",)
            raise
        self._file, self._pixels = fresh._file, fresh._pixels
        return ()

    def close(self) -> None:
        """Lets go of the file."""
        self._pixels.close()
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

    @property
    def _is_short(self) -> bool:
        return self._block.state is FileState.TRUNCATED

    @contextmanager
    def _reading(self, number: int) -> Iterator[None]:
        try:
            yield
        except _READ_ERRORS as error:
            problem = f"cannot be read: {error}"
            raise InputError(problem, file=self.path, field=f"frame {number}") from error

    def _why_unreadable(self, error: Exception) -> str:
        if self._is_short:
            return f"is cut short: {self._block.size} of {self._block.stated_size} bytes are there"
        if isinstance(error, ValidationError):
            first = error.errors(include_url=False)[0]
            return f"is damaged: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        return f"is damaged: {error or type(error).__name__}"

    def _read(self) -> None:
        storage = Storage(self._file, self.path)
        complete = _check_format(storage.attributes("/"), self.path)
        self._complete = complete and not self._is_short
        attributes = storage.attributes(SCAN)
        self._info = scan_of(attributes, self.path)
        plan = read_plan(storage, self._info)
        table = read_frames(storage, self._info)
        self._is_checked = self._check(attributes, plan, table)
        if self._is_checked:
            found = sort_checked(plan, table, complete=complete)
        else:
            found = sort_unchecked(plan, table, self.path, complete=complete)
        dataset = check_pixels(storage, self._info)
        self._pixels = PixelReader(dataset, self.path, self._info, table)
        self._kept: tuple[int, Pixels] | None = None
        try:
            self._found = self._with_pixels(found)
            self._identity = self._identify(attributes, plan, table)
        except BaseException:
            self._pixels.close()
            raise

    def _check(self, attributes: Mapping[str, Any], plan: Table, table: Table) -> bool:
        """Whether there are checksums; raises InputError if those of scan or plan are not right."""
        stated = {SCAN: attributes.get(SCAN_CRC), PLAN: attributes.get(PLAN_CRC)}
        columns = {ROW_CRC, PIXELS_CRC} & set(table)
        if not columns and all(checksum is None for checksum in stated.values()):
            return False
        absent = sorted(CHECKED_FIELDS - set(table))
        if absent:
            problem = "dataset is missing, though the recording has checksums"
            raise InputError(problem, file=self.path, field=f"/frames/{absent[0]}")
        right = {SCAN: scan_checksum(attributes), PLAN: plan_checksum(plan)}
        for name, checksum in right.items():
            if stated[name] != checksum:
                problem = "is damaged: it does not match its checksum"
                raise InputError(problem, file=self.path, field=name)
        return True

    def _with_pixels(self, found: FoundFrames) -> FoundFrames:
        """Leaves out the frames whose pixels are not in the file."""
        absent = [frame for frame, row in found.rows.items() if not self._pixels.has(row)]
        if not absent:
            return found
        if self._is_checked or self._is_short or self._complete:
            return found.without_pixels(absent)
        return found.less(absent)

    def _identify(
        self, attributes: Mapping[str, Any], plan: Table, table: Table
    ) -> RecordingIdentity:
        content = hashlib.sha256(scan_checksum(attributes).to_bytes(4, "little"))
        for columns in (plan, table):
            for name in sorted(columns):
                content.update(np.ascontiguousarray(columns[name]))
        status = self._pixels.status()
        return RecordingIdentity(
            device=status.st_dev,
            inode=status.st_ino,
            size=status.st_size,
            # Pixels without checksums can change and leave all else as it was.
            modified_ns=0 if self._is_checked else status.st_mtime_ns,
            content=content.hexdigest(),
        )


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


def _open(path: Path) -> tuple[Superblock, h5py.File]:
    require_file(path)
    try:
        block = read_superblock(path)
        problem = why_not_open(path, block)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
    if problem is not None:
        raise InputError(problem, file=path)
    is_short = block.state is FileState.TRUNCATED
    try:
        # Without a chunk cache, pixels go from the file straight to where they are wanted.
        swmr = block.state is FileState.SWMR
        file = ShortFile(path, block.stated_size) if is_short else path
        return block, h5py.File(file, "r", swmr=swmr, libver=LIBVER, rdcc_nbytes=0)
    except _READ_ERRORS as error:
        if is_short:
            problem = f"is cut short: {block.size} of {block.stated_size} bytes are there"
        elif isinstance(error, OSError):
            problem = why_not_opened(path, error)
        else:
            problem = f"is damaged: {error}"
        raise InputError(problem, file=path) from error


def _check_format(attributes: Mapping[str, Any], path: Path) -> bool:
    """Whether the recording says that it is complete. Raises InputError if it is of another kind."""
    if attributes.get("format") != FORMAT:
        raise InputError("is not a darkscan recording", file=path, field="format")
    version = attributes.get("format_version")
    if version != VERSION:
        problem = f"is {version}, this darkscan reads version {VERSION}"
        raise InputError(problem, file=path, field="format_version")
    return bool(attributes.get("complete", 0))
