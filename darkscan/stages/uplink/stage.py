"""The uplink's process: follows the run, and keeps up the link to the host.

It has the lowest priority, waits for nobody and nobody waits for it: whatever becomes of it
or of the host, the scan goes on.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from darkscan.pipeline.core.scan import FrameMeta
from darkscan.pipeline.host_link.outbox import Outbox
from darkscan.pipeline.host_link.sender import Sender
from darkscan.pipeline.host_link.target import HostTarget
from darkscan.pipeline.running.specification import RING_NAME, RunSpec
from darkscan.pipeline.transport.links import Inbox
from darkscan.pipeline.transport.messages import Captured, RunState
from darkscan.pipeline.transport.station import Station
from darkscan.stages.uplink._health import Health
from darkscan.stages.uplink.account import Account
from darkscan.stages.uplink.picture import keep_freed_memory
from darkscan.stages.uplink.pixels import PixelsOf, RingPixels, recorded_pixels
from darkscan.stages.uplink.words import link_words, rig_name

_log = structlog.get_logger(__name__)
_IDLE_S = 0.25
_LAST_S = 4.0  # less than a stage is given that is told to stop


class Uplink:
    """Puts what the run finds into the outbox, and sends it while there is a host."""

    def __init__(
        self,
        run_dir: Path,
        spec: RunSpec,
        target: HostTarget,
        plan: Sequence[FrameMeta],
        station: Station,
    ) -> None:
        """Raises InputError for a key that cannot be used, StorageError for an outbox."""
        keep_freed_memory()
        self._station = station
        self._scan = spec.scan_id
        self._outbox = Outbox(target.outbox, target.address)
        self._account = Account(run_dir, spec, plan, self._outbox)
        self._health = Health(spec.scan.frames_planned)
        self._ring = None if spec.recording is not None else RingPixels(run_dir / RING_NAME)
        self._pixels_of: PixelsOf = self._ring or recorded_pixels(spec.recording)
        self._state: RunState | None = None
        self._inbox = Inbox(run_dir, "uplink")
        self._sender = Sender(self._outbox, target, rig_name())
        self._counts = self._outbox.counts()
        self._look_at = 0.0
        station.listen_to(self._inbox.socket)
        station.listen_to(self._sender.socket)

    def run(self) -> None:
        """Works until it is told to stop; what it has read by then is in the outbox."""
        while not self._station.stopping:
            busy = self._hear()
            if busy:
                self._account.show_late(self._pixels_of)
            records = self._account.read_on(self._pixels_of)
            for record in records:
                self._health.note(record)
            self._account.tell()
            self._sender.work()
            self._report()
            if not (records or busy):
                self._station.wait(_IDLE_S)
        until = time.monotonic() + _LAST_S
        while time.monotonic() < until and self._account.read_on(self._pixels_of):
            pass  # the ring's pixels are in this process alone
        self._account.tell(now=True)
        self._sender.close()
        self._outbox.close()

    def _hear(self) -> bool:
        """Deals with all messages that are there; whether there were any frames."""
        heard = False
        for message in self._inbox.messages():
            match message:
                case RunState():
                    self._state = message
                case Captured() if self._ring is not None:
                    self._ring.take(message)
                    heard = True
                case _:
                    _log.warning("unexpected message", kind=type(message).__name__)
        return heard

    def _report(self) -> None:
        """Tells the host how the run is, and the run how the link is."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + 2 * _IDLE_S
            self._counts = self._outbox.counts()._replace(
                tiles_dropped=self._outbox.counts(self._scan).tiles_dropped
            )
        if self._state is not None:
            self._sender.tell(self._scan, self._health.progress(self._state, self._counts))
            self._state = None
        doing = link_words(self._sender, self._counts.parcels)
        self._station.beat(self._account.settled, doing=doing)
