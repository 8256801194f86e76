"""Reads what a recording says of its scan and of its frames, and holds it against checksums."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np

from darkscan.drivers.recording._checksums import (
    PLAN_CRC,
    SCAN_CRC,
    plan_checksum,
    scan_checksum,
)
from darkscan.drivers.recording._frames import FoundFrames, sort_checked, sort_unchecked
from darkscan.drivers.recording._layout import (
    CHECKED_FIELDS,
    FORMAT,
    PIXELS_CRC,
    PLAN,
    ROW_CRC,
    SCAN,
    VERSION,
    Table,
    scan_of,
)
from darkscan.drivers.recording._storage import Storage
from darkscan.drivers.recording._tables import check_pixels, read_frames, read_plan
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import ScanInfo


@dataclass(frozen=True)
class Contents:
    """All of a recording but its pixels."""

    path: Path
    info: ScanInfo
    complete: bool
    """Whether its writer closed it."""

    is_checked: bool
    """Whether it has checksums; those of scan and plan are right then."""

    attributes: Mapping[str, Any]
    plan: Table
    frames: Table
    pixels: h5py.Dataset

    @classmethod
    def read(cls, file: h5py.File, path: Path) -> Self:
        """Raises InputError naming what is wrong, and whatever HDF5 raises."""
        storage = Storage(file, path)
        complete = _check_format(storage.attributes("/"), path)
        attributes = storage.attributes(SCAN)
        info = scan_of(attributes, path)
        plan = read_plan(storage, info)
        frames = read_frames(storage, info)
        return cls(
            path=path,
            info=info,
            complete=complete,
            is_checked=_check(attributes, plan, frames, path),
            attributes=attributes,
            plan=plan,
            frames=frames,
            pixels=check_pixels(storage, info),
        )

    def found(self) -> FoundFrames:
        """The planned frames as far as they are there. Raises InputError for senseless rows."""
        if self.is_checked:
            return sort_checked(self.plan, self.frames, complete=self.complete)
        return sort_unchecked(self.plan, self.frames, self.path, complete=self.complete)

    def hash(self) -> str:
        """Tells this recording from others, as far as the checksums of its pixels go."""
        content = hashlib.sha256(scan_checksum(self.attributes).to_bytes(4, "little"))
        for table in (self.plan, self.frames):
            for name in sorted(table):
                content.update(np.ascontiguousarray(table[name]).tobytes())
        return content.hexdigest()


def _check_format(attributes: Mapping[str, Any], path: Path) -> bool:
    """Whether it says that it is complete. Raises InputError if it is no such recording."""
    if attributes.get("format") != FORMAT:
        raise InputError("is not a darkscan recording", file=path, field="format")
    version = attributes.get("format_version")
    if version != VERSION:
        problem = f"is {version}, this darkscan reads version {VERSION}"
        raise InputError(problem, file=path, field="format_version")
    return bool(attributes.get("complete", 0))


def _check(attributes: Mapping[str, Any], plan: Table, frames: Table, path: Path) -> bool:
    """Whether there are checksums; raises InputError if those of scan or plan are not right."""
    stated = {SCAN: attributes.get(SCAN_CRC), PLAN: attributes.get(PLAN_CRC)}
    columns = {ROW_CRC, PIXELS_CRC} & set(frames)
    if not columns and all(checksum is None for checksum in stated.values()):
        return False
    absent = sorted(CHECKED_FIELDS - set(frames))
    if absent:
        problem = "dataset is missing, though the recording has checksums"
        raise InputError(problem, file=path, field=f"/frames/{absent[0]}")
    right = {SCAN: scan_checksum(attributes), PLAN: plan_checksum(plan)}
    for name, checksum in right.items():
        if stated[name] != checksum:
            problem = "is damaged: it does not match its checksum"
            raise InputError(problem, file=path, field=name)
    return True
