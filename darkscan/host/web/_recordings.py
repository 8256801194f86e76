"""Recordings of scans that this host can read: only in folders that it was told of.

Where a scan's recording lies is a rig's word, which is not to be trusted. A path is followed
only if it leads, with all links resolved, beneath one of the folders, and the file counts only
if it is of the same element, frames and size.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog

from darkscan.drivers.recording import Recording
from darkscan.host.web._composing import Frames
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.host_link.messages import ScanBegan

_MOST_OPEN = 4
_MOST_REFUSED = 1000
_IDLE_SECONDS = 60.0
_AGAIN_SECONDS = 5.0
"""So long it is believed that a recording cannot be read, or that no frames were added to it."""

_log = structlog.get_logger(__name__)


class _Open:
    """A recording that is open, for one thread at a time."""

    def __init__(self, recording: Recording) -> None:
        self.lock = threading.Lock()
        self.frames: Frames | None = Frames(recording)
        self.complete = recording.complete
        self.opened = self.used = time.monotonic()

    def close(self) -> None:
        with self.lock:
            if self.frames is not None:
                self.frames.recording.close()
                self.frames = None


class Recordings:
    """Opens recordings as they are asked for, keeps a few open, and closes idle ones."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """``folders``: beneath them recordings may be read. Raises InputError unless they are."""
        for folder in folders:
            if not folder.is_dir():
                raise InputError("is no folder", file=folder, field="--recordings")
        self._folders = [folder.resolve() for folder in folders]
        self._lock = threading.Lock()
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._refused: OrderedDict[str, float] = OrderedDict()

    def readable(self, scan: str, began: ScanBegan) -> bool:
        """Whether a scan's recording can be read here."""
        with self.reading(scan, began) as frames:
            return frames is not None

    @contextmanager
    def reading(self, scan: str, began: ScanBegan) -> Iterator[Frames | None]:
        """A scan's frames, for this thread alone while the context lasts; None: not readable."""
        found = self._find(scan, began)
        if found is None:
            yield None
            return
        with found.lock:
            found.used = time.monotonic()
            yield found.frames

    def close(self) -> None:
        """Closes all files."""
        with self._lock:
            opened = list(self._open.values())
            self._open.clear()
        for each in opened:
            each.close()

    def _find(self, scan: str, began: ScanBegan) -> _Open | None:
        if not self._folders or not began.recording:
            return None
        now = time.monotonic()
        with self._lock:
            found = self._open.get(scan)
            old = []
            if found is not None and not found.complete and now - found.opened > _AGAIN_SECONDS:
                old, found = [self._open.pop(scan)], None  # frames may have been added to it
            if found is None and now - self._refused.get(scan, -_AGAIN_SECONDS) >= _AGAIN_SECONDS:
                found = self._try(scan, began, now)
            if found is not None:
                self._open[scan] = found
                self._open.move_to_end(scan)
            while len(self._open) > _MOST_OPEN:
                old.append(self._open.popitem(last=False)[1])
        for each in old:
            each.close()
        return found

    def close_idle(self) -> None:
        """Closes those that were not read for a while: who wants to write them has to wait."""
        before = time.monotonic() - _IDLE_SECONDS
        with self._lock:
            names = [name for name, each in self._open.items() if each.used < before]
            old = [self._open.pop(name) for name in names]
        for each in old:
            each.close()

    def _try(self, scan: str, began: ScanBegan, now: float) -> _Open | None:
        """Opens a scan's recording, or remembers for a while that it cannot be read."""
        try:
            recording = Recording(self._allowed(began.recording))
            try:
                _require_same(recording, began)
            except InputError:
                recording.close()
                raise
            return _Open(recording)
        except InputError as error:
            if scan not in self._refused:
                _log.info("recording not readable", scan=scan, reason=str(error))
        self._refused[scan] = now
        self._refused.move_to_end(scan)
        while len(self._refused) > _MOST_REFUSED:
            self._refused.popitem(last=False)
        return None

    def _allowed(self, named: str) -> Path:
        """The file that a rig names, with all links resolved. Raises InputError."""
        try:
            path = Path(named).resolve(strict=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError("is not there", file=named) from error
        if not Path(named).is_absolute() or not path.is_file():
            raise InputError("is no file with its whole path", file=named)
        if not any(path.is_relative_to(folder) for folder in self._folders):
            raise InputError("lies beneath none of the folders for recordings", file=named)
        return path


def _require_same(recording: Recording, began: ScanBegan) -> None:
    """Raises InputError unless a recording can be that of a scan."""
    info = recording.info
    facts = {
        "element": (info.element, began.element),
        "side": (info.side, began.side),
        "element_size_mm": (info.element_size_mm, began.element_size_mm),
        "pitch_um": (info.pitch_um, began.pitch_um),
        "frame_shape": (info.frame_shape, began.frame_shape),
        "frames": ([meta.frame for meta in recording.frames], began.frames.tolist()),
    }
    for name, (there, told) in facts.items():
        if there != told:
            raise InputError("is of another scan", file=recording.path, field=name)
