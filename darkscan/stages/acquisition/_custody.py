"""Custody of frames: acquisition answers for each frame from its capture until it is mapped."""

import time
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

import structlog

from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import DarkscanError
from darkscan.pipeline.core.frame_results import LedgerSums, NotInspected, Outcome, Stamp
from darkscan.pipeline.core.scan import FrameMeta
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.running.specification import RING_NAME, RunSpec
from darkscan.pipeline.transport.journal import JOURNAL_NAME, outcome, read_journal
from darkscan.pipeline.transport.ledger import Ledger
from darkscan.pipeline.transport.links import Inbox, Outbox
from darkscan.pipeline.transport.messages import (
    Acknowledged,
    Captured,
    Distrusted,
    EndOfScan,
    Failed,
    FrameRef,
    Message,
    Recorded,
    RecordingEnded,
    StageDied,
    StopScan,
)
from darkscan.pipeline.transport.ring import FrameRing
from darkscan.pipeline.transport.station import Station
from darkscan.stages.acquisition._margin import Read, Surroundings

_log = structlog.get_logger(__name__)


class Custody:
    """The frames of a scan in their slots of the ring, and the ledger that counts them.

    It leases slots, sends frames on their way, sends them again, and frees slots.

    A slot is free again when merging has the frame in its journal and, where the scan is
    recorded, the recording has it too.
    """

    def __init__(
        self,
        run_dir: Path,
        spec: RunSpec,
        station: Station,
        frames: Sequence[FrameMeta],
        *,
        read: Read | None = None,
    ) -> None:
        """``frames``: all of the scan, in scan order, with their planned or measured places.

        ``read``: gives the pixels of the frames once more, where they are recorded ones.
        """
        processes = spec.recipe.processes
        self.stop: StopScan | None = None
        self._inspects = spec.inspects
        self._records = spec.record is not None
        self._resend_after_s = processes.resend_after_s
        self._ring = FrameRing.attach(run_dir / RING_NAME)
        self._ring.begin_session()
        self._free = deque(range(self._ring.slots))
        self._ledger = Ledger(processes.attempts)
        self._unrecorded: set[FrameId] = set()
        self._mapped_slots: dict[FrameId, int] = {}  # mapped frames wait for the recording
        self._sent_at: dict[FrameId, float] = {}
        self._stamps: dict[FrameId, Stamp] = {}
        self._ended = False
        self._inbox = Inbox(run_dir, "acquisition")
        self._to_preprocessing = Outbox(run_dir, "preprocessing")
        self._to_merging = Outbox(run_dir, "merging")
        self._to_recording = Outbox(run_dir, "recording")
        # The host's picture of a live scan: who makes it looks, and is waited for by nobody.
        pictured = spec.host is not None and spec.recording is None
        self._to_uplink = Outbox(run_dir, "uplink", droppable=True) if pictured else None
        station.listen_to(self._inbox.socket)
        margin = self._ring.margin
        self._surroundings = (
            Surroundings(spec.scan, frames, margin, read=read, run_dir=run_dir) if margin else None
        )
        self._journal = spec.out_dir / JOURNAL_NAME
        self._planned = {meta.frame: meta for meta in frames}
        self._can_read_again = read is not None
        self._unsettled: list[FrameId] = []
        # After a restart of ours the frames in the journal are settled already.
        for frame, record in read_journal(self._journal).items():
            self._ledger.remember(frame, outcome(record))
            if self._surroundings is not None and record.meta.usable:
                self._surroundings.remember(record.meta)
        self._last_news = time.monotonic()
        self._waiting_since = time.monotonic_ns()

    @property
    def free(self) -> int:
        """Slots that a frame can be written to."""
        return len(self._free)

    @property
    def slots(self) -> int:
        """Slots of the ring."""
        return self._ring.slots

    @property
    def sums(self) -> LedgerSums:
        """The ledger at this moment."""
        return self._ledger.sums

    def knows(self, frame: FrameId) -> bool:
        """Whether the frame was captured or lost before."""
        return self._ledger.knows(frame)

    def unsettled(self) -> list[FrameId]:
        """Frames to take again since the last call: their results are gone, or do not count."""
        unsettled, self._unsettled = self._unsettled, []
        return unsettled

    def messages(self) -> list[Message]:
        """Deals with the messages about frames that came in; returns the others."""
        return [message for message in self._inbox.messages() if not self._handle(message)]

    def lease(self, frame: FrameId) -> tuple[Pixels, FrameRef] | None:
        """Room for a frame: its pixels to write, and what ``capture`` needs; None if all is full.

        The room is taken until the frame is captured and settled, or given back.
        """
        return self._ring.lease(self._free.popleft(), frame) if self._free else None

    def give_back(self, ref: FrameRef) -> None:
        """Frees the room of a frame that was leased and will not be captured."""
        self._ring.release(ref.slot)
        self._free.append(ref.slot)

    def capture(self, meta: FrameMeta, ref: FrameRef, started_ns: int) -> None:
        """A frame's pixels are whole and its place is known: on its way it goes.

        ``started_ns``: when its pixels began to be written, monotonic.
        """
        if self._surroundings is not None:
            self._surroundings.fill(meta, self._ring.to_surround(ref))
        finished = time.monotonic_ns()
        self._stamps[meta.frame] = Stamp(
            stage="acquisition",
            received_ns=min(self._waiting_since, started_ns),
            started_ns=started_ns,
            finished_ns=finished,
        )
        self._waiting_since = finished
        self._ledger.capture(meta, ref.slot)
        if self._records:
            self._unrecorded.add(meta.frame)
        self._send(ref, meta)

    def lose(self, meta: FrameMeta, reason: str) -> None:
        """A frame never had whole pixels and a place: it ends as not inspected."""
        notice = self._ledger.lose(meta, reason)
        if self._records:
            self._unrecorded.add(meta.frame)
        self._send_notice(notice)
        _log.warning("frame lost", frame=meta.frame, reason=reason)

    def resend_overdue(self) -> None:
        """A safety net for messages lost without a death: a link cut, a bug.

        As long as frames are acknowledged, those not yet are only waiting for their turn.
        """
        now = time.monotonic()
        if now - self._last_news < self._resend_after_s:
            return
        overdue = [f for f, at in self._sent_at.items() if now - at > self._resend_after_s]
        for frame in overdue:
            entry = self._ledger.entry(frame)
            if entry is not None and entry.slot is not None and self._ring.is_held(entry.slot):
                self._sent_at[frame] = now
                continue
            _log.warning("frame sent again: not acknowledged", frame=frame)
            self._resend(frame)

    def end_if_settled(self, warnings: tuple[str, ...] = ()) -> None:
        """Ends the scan once every frame entered is accounted for; saying it twice is harmless.

        ``warnings``: what the map has to say of where its frames came from.
        """
        if self._ended or self._ledger.sums.in_flight or self._unrecorded:
            return
        self._ended = True
        end = EndOfScan(sums=self._ledger.sums, warnings=warnings)
        if self._inspects:
            self._to_merging.send(end)
        if self._records:
            self._to_recording.send(end)

    def _send(self, ref: FrameRef, meta: FrameMeta) -> None:
        self._sent_at[meta.frame] = time.monotonic()
        captured = Captured(ref=ref, meta=meta, stamps=(self._stamps[meta.frame],))
        if self._inspects:
            self._to_preprocessing.send(captured)
        if meta.frame in self._unrecorded:
            self._to_recording.send(captured)
        if self._to_uplink is not None:
            self._to_uplink.send(captured)

    def _send_notice(self, notice: NotInspected) -> None:
        self._sent_at[notice.meta.frame] = time.monotonic()
        if self._inspects:
            self._to_merging.send(notice)
        if notice.meta.frame in self._unrecorded and notice.kind == "lost":
            self._to_recording.send(notice)

    def _resend(self, frame: FrameId) -> None:
        """Sends an unacknowledged frame again: the notice if it has one, else the pixels."""
        entry = self._ledger.entry(frame)
        if entry is None:
            return
        if entry.notice is not None:
            self._send_notice(entry.notice)
        elif entry.slot is not None:
            self._send(self._ring.resend(entry.slot), entry.meta)

    def _handle(self, message: Message) -> bool:
        match message:
            case Acknowledged(frame=frame, outcome=how):
                self._note_mapped(frame, how)
            case Recorded(frame=frame):
                self._note_recorded(frame)
            case RecordingEnded(reason=reason):
                self._end_recording(reason)
            case Failed(frame=frame, stage=stage, error=error):
                self._fail(frame, f"{stage}: {error}")
                self._resend(frame)
            case StageDied(stage=stage) if stage != "motion":
                self._note_death(message)
            case StopScan():
                self._note_stop(message)
            case Distrusted(scorer=scorer, frames=frames):
                self._inspect_again(frames, f"it was scored falsely by {scorer.name}")
            case _:
                return False
        return True

    def _note_mapped(self, frame: FrameId, how: Outcome) -> None:
        if frame not in self._planned:
            _log.warning("acknowledgement of an unplanned frame refused", frame=frame)
            return
        if not self._ledger.knows(frame):
            self._ledger.remember(frame, how)  # a predecessor of this process had sent it
            return
        slot = self._ledger.acknowledge(frame, how)
        self._forget(frame)
        if slot is not None and frame in self._unrecorded:
            self._mapped_slots[frame] = slot
        elif slot is not None:
            self._free_slot(slot)

    def _note_death(self, death: StageDied) -> None:
        if death.stage == "recording":
            self._end_recording("its process died")
            return
        for frame in self._ring.held_by(death.pid):
            if death.stage != "gateway":  # which only passes frames on
                self._fail(frame, f"{death.stage} died on it")
        self._ring.forget(death.pid)
        for frame in self._ledger.unacknowledged():
            self._resend(frame)
        self._ended = False  # merging may have died before it dealt with the end of the scan
        if death.stage == "merging":
            self._note_lost_results()

    def _note_lost_results(self) -> None:
        """Merging goes on from its journal: what can no longer be read there is not settled."""
        gone = sorted(self._ledger.settled() - read_journal(self._journal).keys())
        self._inspect_again(gone, "its result was damaged in the journal")

    def _inspect_again(self, frames: Iterable[FrameId], reason: str) -> None:
        """Has frames inspected again whose results are gone; what cannot be read again is lost."""
        settled = self._ledger.settled()
        for frame in frames:
            _log.warning("result does not count", frame=frame, reason=reason)
            if frame not in settled:
                self._resend(frame)
                continue
            self._ledger.forget(frame)
            if self._can_read_again:
                self._unsettled.append(frame)
            else:  # a recording that is made has its pixels all the same
                self._send_notice(self._ledger.lose(self._planned[frame], reason))
        self._ended = False

    def _note_stop(self, stop: StopScan) -> None:
        self.stop = stop
        if stop.give_up:
            for frame in self._ledger.unacknowledged():
                self._ledger.set_aside(frame, stop.reason)
                self._resend(frame)

    def _note_recorded(self, frame: FrameId) -> None:
        self._unrecorded.discard(frame)
        if self._inspects:
            slot = self._mapped_slots.pop(frame, None)
        else:  # nobody but the recording has a say
            entry = self._ledger.entry(frame)
            lost = entry is not None and entry.notice is not None
            slot = self._ledger.acknowledge(frame, "lost" if lost else "mapped")
            self._forget(frame)
        if slot is not None:
            self._free_slot(slot)

    def _forget(self, frame: FrameId) -> None:
        self._last_news = time.monotonic()
        self._sent_at.pop(frame, None)
        self._stamps.pop(frame, None)

    def _end_recording(self, reason: str) -> None:
        """Nothing more is recorded; frames that waited for it alone are done with."""
        if not self._records:
            return
        _log.warning("recording ended early", reason=reason)
        self._records = False
        waiting, self._unrecorded = self._unrecorded, set()
        for frame in waiting:
            if (slot := self._mapped_slots.pop(frame, None)) is not None:
                self._free_slot(slot)
        if not self._inspects:
            raise DarkscanError(f"recording ended early: {reason}")

    def _free_slot(self, slot: int) -> None:
        self._ring.release(slot)
        self._free.append(slot)

    def _fail(self, frame: FrameId, reason: str) -> None:
        quarantined = self._ledger.fail(frame, reason)
        _log.warning("frame failed", frame=frame, reason=reason, quarantined=quarantined)
