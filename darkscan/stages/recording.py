"""Recording: copies every frame from the ring to a file while the scan goes on."""

from pathlib import Path

import structlog

from darkscan.drivers.recording import RecordingWriter
from darkscan.pipeline.core.errors import StorageError
from darkscan.pipeline.core.frame_results import NotInspected
from darkscan.pipeline.core.scan import FrameMeta
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.running.specification import RING_NAME
from darkscan.pipeline.transport.links import Inbox, Outbox
from darkscan.pipeline.transport.messages import (
    Captured,
    EndOfScan,
    Message,
    Recorded,
    RecordingEnded,
)
from darkscan.pipeline.transport.ring import FrameRing, StaleReferenceError
from darkscan.pipeline.transport.station import Station

_log = structlog.get_logger(__name__)


class RecordingStage:
    """Writes frames as they were captured; the file is readable at every moment.

    When the disk is full, recording ends and says so: inspection goes on without it.
    """

    def __init__(self, run_dir: Path, writer: RecordingWriter, station: Station) -> None:
        self._station = station
        self._writer = writer
        self._ring = FrameRing.attach(run_dir / RING_NAME)
        self._inbox = Inbox(run_dir, "recording")
        self._to_acquisition = Outbox(run_dir, "acquisition")
        self._recorded: set[FrameId] = set()
        station.listen_to(self._inbox.socket)

    def run(self) -> bool:
        """Works until the scan ends; False if it was told to stop before.

        Raises StorageError when nothing more can be written, after saying so.
        """
        try:
            while not self._station.stopping:
                message = self._inbox.next()
                if message is None:
                    self._writer.keep_up()
                    self._station.wait()
                elif isinstance(message, EndOfScan):
                    self._finish()
                    return True
                else:
                    self._record(message)
                self._station.beat(len(self._recorded))
        except StorageError as error:
            self._to_acquisition.send(RecordingEnded(reason=str(error)))
            self._to_acquisition.close(linger_ms=1000)
            raise
        finally:
            self._writer.abandon()
            if not self._recorded:
                self._writer.path.unlink(missing_ok=True)  # a recording of nothing
        return False

    def _finish(self) -> None:
        missing = self._writer.info.frames_planned - len(self._recorded)
        if missing:  # acquisition died with frames that were mapped, but not yet here
            raise StorageError(self._writer.path, f"{missing} frames never came to be recorded")
        self._writer.close()

    def _record(self, message: Message) -> None:
        match message:
            case Captured(ref=ref, meta=meta):
                try:
                    self._writer.write(meta, self._ring.peek(ref))
                except StaleReferenceError:
                    return  # acquisition was restarted and takes it again
                if self._ring.still_holds(ref):
                    self._confirm(meta)
            case NotInspected(meta=meta):
                # A frame taken before acquisition died is not worse for not being taken again.
                if meta.frame not in self._recorded:
                    self._writer.write(meta, None)
                self._confirm(meta)
            case _:
                _log.warning("unexpected message", kind=type(message).__name__)

    def _confirm(self, meta: FrameMeta) -> None:
        self._recorded.add(meta.frame)
        self._to_acquisition.send(Recorded(frame=meta.frame))
