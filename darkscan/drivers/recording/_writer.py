"""Writes recordings frame by frame, readable at any moment, whatever stops the writer."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np

from darkscan.drivers.recording._checksums import (
    PLAN_CRC,
    SCAN_CRC,
    pixels_checksum,
    plan_checksum,
    row_checksum,
    scan_checksum,
)
from darkscan.drivers.recording._holders import NO_LOCKS
from darkscan.drivers.recording._layout import (
    FORMAT,
    FRAME_COLUMNS,
    LIBVER,
    PIXELS,
    PIXELS_CRC,
    PLAN_COLUMNS,
    ROW_CRC,
    SCAN,
    UNWRITTEN,
    VERSION,
    Column,
    Values,
    frame_row,
    plan_row,
    scan_attributes,
)
from darkscan.drivers.recording._row_writer import RowWriter
from darkscan.drivers.recording.superblock import read_superblock
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.disk_sync import DiskSync
from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.core.files import sync
from darkscan.pipeline.core.scan import FrameFlag, FrameMeta, ScanInfo

_BOOKKEEPING_BYTES = 1 << 20
_INDEX_BYTES = 16  # of a frame's pixels
_MOST_BITS_OF_A_FLAG = 31


class RecordingWriter:
    """A recording in the making.

    Every frame is on its way to the disk when ``write`` returns: a writer that is
    killed loses at most the frame it was writing. Once a second, what was written is brought
    to the disk, and only then a frame's number is written into its row: after a power cut, a
    row that has its number has its pixels. Closing marks the recording complete; leaving a
    ``with`` block by an exception closes it without the mark.

    The file is made at once and never replaces another. Raises InputError if it
    exists, StorageError if it cannot be written, ValueError if the plan does not
    hold ``info.frames_planned`` frames of distinct numbers.
    """

    def __init__(self, path: Path, info: ScanInfo, plan: Sequence[FrameMeta]) -> None:
        self.path = path
        self.info = info
        self._rows = {meta.frame: row for row, meta in enumerate(plan)}
        if not len(self._rows) == len(plan) == info.frames_planned:
            raise ValueError(f"a plan of {info.frames_planned} distinct frames is needed")
        self._written: dict[int, int] = {}
        try:
            self._claims = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError as error:
            raise InputError("exists already", file=path) from error
        except OSError as error:
            raise StorageError(path, error) from error
        try:
            self._file = h5py.File(path, "w", libver=LIBVER, rdcc_nbytes=0)
        except (OSError, RuntimeError) as error:
            os.close(self._claims)
            path.unlink(missing_ok=True)
            raise _storage_error(path, error) from error
        self._open = True
        self._sync: DiskSync[int] = DiskSync(self._claims)
        try:
            self._claim(len(plan) * (_INDEX_BYTES + sum(map(_row_bytes, FRAME_COLUMNS))))
            self._lay_out(plan)
            os.fsync(self._claims)
            sync(path.parent)
        except (OSError, RuntimeError) as error:
            self.abandon()
            path.unlink(missing_ok=True)
            raise _storage_error(path, error) from error

    def write(self, meta: FrameMeta, pixels: Pixels | None) -> None:
        """Records a frame with its pixels (height, width), or a lost one without (None).

        A frame that is taken again replaces what was written of it. Raises InputError if the
        pixels are not of the scan's size and type, StorageError if there is no room, ValueError
        if the frame is not planned, or comes with pixels though it is flagged lost (or the
        other way round).
        """
        row = self._row(meta, pixels)
        try:
            self._confirm(self._sync.arrived())
            self._claim(0 if pixels is None else self.info.frame_bytes)
            if meta.frame in self._written:
                self._withdraw(row)
            place, checksum = self._write_pixels(row, pixels)
            values = {**frame_row(meta), "pixels_offset": place, PIXELS_CRC: checksum}
            values[ROW_CRC] = row_checksum(values)
            for name, column in self._columns.items():
                if name != "id":  # that says that it is on the disk
                    column[row] = values[name]
            self._file.flush()
        except (OSError, RuntimeError) as error:
            raise _storage_error(self.path, error) from error
        self._written[meta.frame] = row
        self._sync.add(meta.frame)

    def keep_up(self) -> None:
        """Confirms what has reached the disk; to be called while no frames come.

        Raises StorageError.
        """
        try:
            self._confirm(self._sync.arrived())
        except (OSError, RuntimeError) as error:
            raise _storage_error(self.path, error) from error

    def close(self) -> None:
        """Marks the recording complete and closes it. Raises StorageError."""
        if not self._open:
            return
        try:
            self._confirm(self._sync.finish())
            self._file.attrs.modify("complete", np.uint8(1))
            self._finish()
        except (OSError, RuntimeError) as error:
            self.abandon()
            raise _storage_error(self.path, error) from error

    def abandon(self) -> None:
        """Closes it without the mark of completeness, unless it is closed; never raises."""
        if self._open:
            with contextlib.suppress(OSError, RuntimeError):
                self._confirm(self._sync.finish())
            with contextlib.suppress(OSError, RuntimeError):
                self._finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abandon()

    def _lay_out(self, plan: Sequence[FrameMeta]) -> None:
        height, width = self.info.frame_shape
        self._file.attrs["format"] = FORMAT
        self._file.attrs["format_version"] = VERSION
        self._file.attrs["complete"] = np.uint8(0)
        rows = [plan_row(meta) for meta in plan]
        columns: dict[str, Values] = {}
        for column in PLAN_COLUMNS:
            values = np.array([row[column.field] for row in rows], column.dtype)
            columns[column.field] = values
            self._create(column, values)
        attributes = {**scan_attributes(self.info), PLAN_CRC: plan_checksum(columns)}
        attributes[SCAN_CRC] = scan_checksum(attributes)
        self._file.create_group(SCAN).attrs.update(attributes)
        self._columns = {
            column.field: RowWriter(
                self._create(
                    column, np.full(column.shape(len(plan)), column.unwritten, column.dtype)
                )
            )
            for column in FRAME_COLUMNS
        }
        pixels = self._file.create_dataset(
            PIXELS, (len(plan), height, width), self.info.dtype, chunks=(1, height, width)
        )
        pixels.attrs["units"] = "grey level"
        pixels.attrs["meaning"] = "frames; the rows whose /frames/id is -1 were not recorded"
        self._pixels = pixels.id
        self._file.swmr_mode = True

    def _create(self, column: Column, values: Values) -> h5py.Dataset:
        dataset = self._file.create_dataset(column.name, data=values, fillvalue=column.unwritten)
        dataset.attrs["units"] = column.units
        dataset.attrs["meaning"] = column.meaning
        return dataset

    def _write_pixels(self, row: int, pixels: Pixels | None) -> tuple[int, int]:
        """Writes straight to the file, before any column says so; their place and checksum."""
        if pixels is None:
            return 0, 0
        self._pixels.write_direct_chunk((row, 0, 0), np.ascontiguousarray(pixels))
        place = self._pixels.get_chunk_info_by_coord((row, 0, 0)).byte_offset
        return place, pixels_checksum(pixels)

    def _withdraw(self, row: int) -> None:
        """A frame is taken again: until it is whole, it is not there, on the disk neither."""
        for column in (ROW_CRC, "id"):
            self._columns[column][row] = UNWRITTEN
        self._file.flush()
        os.fdatasync(self._claims)

    def _confirm(self, frames: Sequence[int]) -> None:
        """Writes the numbers of frames that are on the disk."""
        if frames:
            numbers = self._columns["id"]
            for frame in frames:
                numbers[self._written[frame]] = frame
            self._file.flush()

    def _claim(self, wanted: int) -> None:
        """Takes room on the disk before HDF5 writes, as it does not survive failed writes.

        The extra room keeps what closing still has to write.
        """
        end = self._file.id.get_filesize()
        os.posix_fallocate(self._claims, end, wanted + _BOOKKEEPING_BYTES)

    def _row(self, meta: FrameMeta, pixels: Pixels | None) -> int:
        if meta.frame not in self._rows:
            raise ValueError(f"frame {meta.frame} is not planned")
        if bool(meta.flags & FrameFlag.LOST) != (pixels is None):
            raise ValueError(f"frame {meta.frame}: lost frames have no pixels, all others have")
        if meta.flags >> _MOST_BITS_OF_A_FLAG:
            raise ValueError(f"frame {meta.frame}: unknown flags {meta.flags:#x}")
        if pixels is not None and (
            pixels.shape != self.info.frame_shape or pixels.dtype != self.info.dtype
        ):
            raise InputError(
                f"is {_say(pixels.shape)} pixels of {pixels.dtype}, but the scan's frames are "
                f"{_say(self.info.frame_shape)} of {self.info.pixel_type}",
                file=self.path,
                field=f"frame {meta.frame}",
            )
        return self._rows[meta.frame]

    def _finish(self) -> None:
        try:
            self._file.close()
            os.ftruncate(self._claims, read_superblock(self.path).stated_size)
            os.fsync(self._claims)
        finally:
            self._sync.close()
            os.close(self._claims)
            self._open = False


def _row_bytes(column: Column) -> int:
    return np.dtype(column.dtype).itemsize * column.width


def _say(shape: tuple[int, ...]) -> str:
    return "x".join(str(length) for length in reversed(shape))


def _storage_error(path: Path, error: OSError | RuntimeError) -> StorageError:
    # HDF5's own words for a failed write fill half a page.
    number = getattr(error, "errno", None)
    if number in NO_LOCKS:
        reason = f"files cannot be locked there ({os.strerror(number)})"
        return StorageError(path, f"{reason}: record to a local disk")
    return StorageError(path, os.strerror(number) if number else str(error).split("\n")[0])
