"""What rigs last said of their running scans: kept in memory only."""

import threading
from typing import NamedTuple

from darkscan.host.store import _clock
from darkscan.host.store.types import HeardProgress
from darkscan.pipeline.host_link.messages import Progress


class _Said(NamedTuple):
    progress: Progress
    at: float


class Presence:
    """When each running scan was heard of, and how far it was; for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: dict[str, float] = {}
        self._said: dict[str, _Said] = {}

    def heard_of(self, scan_id: str, *, running: bool) -> None:
        """A rig sent something of a scan; what was said of one that has ended is let go."""
        with self._lock:
            if running:
                self._heard[scan_id] = _clock.now()
            else:
                self._heard.pop(scan_id, None)
                self._said.pop(scan_id, None)

    def hear(self, scan_id: str, progress: Progress) -> HeardProgress:
        """A rig said how far a running scan is."""
        with self._lock:
            self._heard[scan_id] = _clock.now()
            self._said[scan_id] = _Said(progress, _clock.now())
        return HeardProgress(**dict(progress), heard_s_ago=0.0)

    def heard(self) -> dict[str, float]:
        """When, by the host's clock, each running scan was heard of."""
        with self._lock:
            return dict(self._heard)

    def progress(self, scan_id: str) -> HeardProgress | None:
        """What was said last, and how long ago; None: nothing yet."""
        with self._lock:
            said = self._said.get(scan_id)
        if said is None:
            return None
        return HeardProgress(**dict(said.progress), heard_s_ago=max(_clock.now() - said.at, 0.0))
