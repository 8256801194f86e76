"""Reads recordings: whole ones, interrupted ones, damaged ones, and ones still written."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from darkscan.drivers.recording._contents import Contents
from darkscan.drivers.recording._frames import FoundFrames
from darkscan.drivers.recording._opening import READ_ERRORS, open_file, why_unreadable
from darkscan.drivers.recording._pixels import PixelReader
from darkscan.drivers.recording.superblock import FileState
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import FrameFlag, FrameMeta, ScanInfo
from darkscan.pipeline.running.specification import RecordingIdentity

UNCHECKED = (
    "the recording holds no checksums: what has changed in it since it was taken cannot be told"
)
"""What stands in a map that is made of such a recording."""


class DamagedFrameError(InputError):
    """A frame's pixels are not what was recorded.

    ``cause`` says why; ``reason`` says it as the problem of a frame that is damaged.
    """

    def __init__(self, file: Path, frame: int, cause: str) -> None:
        self.cause = cause
        self.reason = f"the recording is damaged ({cause})"
        super().__init__(f"is damaged: {cause}", file=file, field=f"frame {frame}")


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
        self._pixels: PixelReader | None = None
        self._open()
        if identity not in {None, self._identity}:
            self.close()
            raise InputError("has changed since the run began", file=path)

    @property
    def info(self) -> ScanInfo:
        """The scan's description."""
        return self._contents.info

    @property
    def frames(self) -> Sequence[FrameMeta]:
        """Every planned frame in scan order; those without pixels are flagged LOST."""
        return self._found.frames

    @property
    def complete(self) -> bool:
        """Whether its writer closed it, so that nothing more will come, and nothing is cut off."""
        return self._contents.complete and not self._is_short

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a map of this recording has to say of it."""
        return () if self._contents.is_checked else (UNCHECKED,)

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
        return {meta.frame: meta.note for meta in self.frames if meta.flags & FrameFlag.DAMAGED}

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
        info = self.info
        if out.shape != info.frame_shape or out.dtype != info.dtype:
            raise ValueError(f"out must be {info.frame_shape} of {info.pixel_type}")
        number = self.frames[index].frame
        pixels, row = self._place(index)
        with self._reading(number):
            is_right = pixels.read_into(row, out)
        if not is_right:
            raise DamagedFrameError(self.path, number, pixels.why_not(row))

    def read_rows(self, index: int, top: int, out: Pixels) -> None:
        """Writes rows of ``frames[index]``, from ``top`` on, into ``out``; no others are read.

        For pictures, not for inspection: a frame is held against its checksum only as a whole.
        ``out`` is (rows, width) of the scan's dtype, C-contiguous. Raises InputError if the
        frame has no pixels or they cannot be read, ValueError if ``out`` does not fit.
        """
        height, width = self.info.frame_shape
        if out.shape[1:] != (width,) or out.dtype != self.info.dtype:
            raise ValueError(f"out must be rows of {width} {self.info.pixel_type}")
        if not 0 <= top <= top + len(out) <= height:
            raise ValueError(f"rows {top} to {top + len(out)} are not all of {height}")
        pixels, row = self._place(index)
        with self._reading(self.frames[index].frame):
            pixels.read_rows(row, top, out)

    def changes(self) -> tuple[str, ...]:
        """Opens the recording anew and says what has changed in it while it was open.

        With checksums, what was read is what was recorded all the same; without them, it may
        be of two recordings: then this raises InputError. Frames cannot be read after that.
        """
        identity, is_checked = self._identity, self._contents.is_checked
        self.close()  # HDF5 would go on with what it knows of an open file
        try:
            self._open()
        except InputError:
            if not is_checked:
                raise
        else:
            if self._identity == identity:
                return ()
            self.close()
        if not is_checked:
            raise InputError("has changed since the run began", file=self.path)
        return ("the recording was changed or replaced while it was inspected",)

    def close(self) -> None:
        """Lets go of the file."""
        if self._pixels is not None:
            self._pixels.close()
            self._pixels = None
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

    def _open(self) -> None:
        self._block, self._file = open_file(self.path)
        try:
            self._contents = contents = Contents.read(self._file, self.path)
            self._pixels = PixelReader(contents.pixels, self.path, contents.info, contents.frames)
            self._found = self._find(self._pixels)
            self._identity = self._identify(self._pixels.status())
        except InputError:
            self.close()
            raise
        except READ_ERRORS as error:
            self.close()
            raise InputError(why_unreadable(self._block, error), file=self.path) from error

    def _place(self, index: int) -> tuple[PixelReader, int]:
        """Where a frame's pixels are. Raises InputError if they are not there."""
        number = self.frames[index].frame
        row = self._found.rows.get(number)
        if row is None or self._pixels is None:
            raise InputError("has no pixels", file=self.path, field=f"frame {number}")
        return self._pixels, row

    @contextmanager
    def _reading(self, number: int) -> Iterator[None]:
        try:
            yield
        except READ_ERRORS as error:
            problem = f"cannot be read: {error}"
            raise InputError(problem, file=self.path, field=f"frame {number}") from error

    def _find(self, pixels: PixelReader) -> FoundFrames:
        """The frames, less those whose pixels are not in the file."""
        found = self._contents.found()
        absent = [frame for frame, row in found.rows.items() if not pixels.has(row)]
        if not absent:
            return found
        if self._contents.is_checked or self._is_short or self.complete:
            return found.without_pixels(absent)
        return found.less(absent)  # the last one of a writer that was killed

    def _identify(self, status: os.stat_result) -> RecordingIdentity:
        return RecordingIdentity(
            device=status.st_dev,
            inode=status.st_ino,
            size=status.st_size,
            # Pixels without checksums can change and leave all else as it was.
            modified_ns=0 if self._contents.is_checked else status.st_mtime_ns,
            content=self._contents.hash(),
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
