"""Acquisition: writes each frame once into the ring and answers for it until it is mapped."""

import time
from collections import deque
from pathlib import Path

import structlog

from darkscan.pipeline.frames import FrameSource
from darkscan.pipeline.journal import JOURNAL_NAME, outcome, read_journal
from darkscan.pipeline.ledger import Ledger
from darkscan.pipeline.links import Inbox, Outbox
from darkscan.pipeline.messages import (
    Acknowledged,
    Captured,
    EndOfScan,
    Failed,
    FrameRef,
    Message,
    StageDied,
    StopScan,
)
from darkscan.pipeline.results import Stamp
from darkscan.pipeline.ring import FrameRing
from darkscan.pipeline.run import RING_NAME, RunSpec
from darkscan.pipeline.scan import FrameFlag, FrameMeta
from darkscan.pipeline.station import Station
from darkscan.pipeline.units import FrameId

_log = structlog.get_logger(__name__)


class Acquisition:
    """Feeds the frames of a source to preprocessing, as fast as slots come free."""

    def __init__(self, run_dir: Path, spec: RunSpec, source: FrameSource, station: Station) -> None:
        processes = spec.recipe.processes
        self._station = station
        self._source = source
        self._recorded_speed = spec.speed == "recorded"
        self._resend_after_s = processes.resend_after_s
        self._ring = FrameRing.attach(run_dir / RING_NAME)
        self._ring.begin_session()
        self._free = deque(range(self._ring.slots))
        self._ledger = Ledger(processes.attempts)
        self._sent_at: dict[FrameId, float] = {}
        self._stamps: dict[FrameId, Stamp] = {}
        self._stop_reason: str | None = None
        self._ended = False
        self._inbox = Inbox(run_dir, "acquisition")
        self._to_preprocessing = Outbox(run_dir, "preprocessing")
        self._to_merging = Outbox(run_dir, "merging")
        station.listen_to(self._inbox.socket)
        # After a restart of ours the frames in the journal are settled already.
        for frame, record in read_journal(spec.out_dir / JOURNAL_NAME).items():
            self._ledger.remember(frame, outcome(record))
        self._todo = deque(
            index for index, meta in enumerate(source.frames) if not self._ledger.knows(meta.frame)
        )
        self._began = time.monotonic()
        todo = (source.frames[index] for index in self._todo)
        self._first_exposure_ns = next((meta.exposure_ns for meta in todo if meta.usable), 0)
        self._last_news = self._began
        self._waiting_since = time.monotonic_ns()

    def run(self) -> None:
        """Works until it is told to stop; merging's map ends the run, not this."""
        while not self._station.stopping:
            for message in self._inbox.messages():
                self._handle(message)
            self._resend_overdue()
            if self._todo and self._may_take():
                self._take(self._todo.popleft())
            else:
                self._end_if_done()
                self._station.wait(self._seconds_to_next())
            sums = self._ledger.sums
            self._station.beat(sums.captured, sums=sums, queue=len(self._todo))

    def _may_take(self) -> bool:
        if self._stop_reason is not None or not self._source.frames[self._todo[0]].usable:
            return True
        return bool(self._free) and self._seconds_to_next() <= 0

    def _seconds_to_next(self) -> float:
        """How long the recording says to wait for the next frame; unknown is a while."""
        if not self._todo or not self._free:
            return 1.0
        if not self._recorded_speed:
            return 0.0
        exposure_ns = self._source.frames[self._todo[0]].exposure_ns
        since_first = (exposure_ns - self._first_exposure_ns) / 1e9
        return self._began + since_first - time.monotonic()

    def _take(self, index: int) -> None:
        meta = self._source.frames[index]
        if self._stop_reason is not None:
            self._lose(meta, f"not taken: {self._stop_reason}")
            return
        if not meta.usable:
            self._lose(meta, _why_unusable(meta))
            return
        started = time.monotonic_ns()
        slot = self._free.popleft()
        pixels, ref = self._ring.lease(slot, meta.frame)
        try:
            self._source.read_into(index, pixels)
        except Exception:  # noqa: BLE001 - a frame that breaks us must not stop the scan
            # The map says that it cannot be read; why in detail may differ from run to run.
            _log.exception("frame cannot be read", frame=meta.frame)
            self._ring.release(slot)
            self._free.append(slot)
            self._lose(meta, "its pixels cannot be read")
            return
        finished = time.monotonic_ns()
        self._stamps[meta.frame] = Stamp(
            stage="acquisition",
            received_ns=self._waiting_since,
            started_ns=started,
            finished_ns=finished,
        )
        self._waiting_since = finished
        self._ledger.capture(meta, slot)
        self._send(ref, meta)

    def _lose(self, meta: FrameMeta, reason: str) -> None:
        notice = self._ledger.lose(meta, reason)
        self._sent_at[meta.frame] = time.monotonic()
        self._to_merging.send(notice)
        _log.warning("frame lost", frame=meta.frame, reason=reason)

    def _send(self, ref: FrameRef, meta: FrameMeta) -> None:
        self._sent_at[meta.frame] = time.monotonic()
        stamps = (self._stamps[meta.frame],)
        self._to_preprocessing.send(Captured(ref=ref, meta=meta, stamps=stamps))

    def _resend(self, frame: FrameId) -> None:
        """Sends an unacknowledged frame again: the notice if it has one, else the pixels."""
        entry = self._ledger.entry(frame)
        if entry is None:
            return
        if entry.notice is not None:
            self._sent_at[frame] = time.monotonic()
            self._to_merging.send(entry.notice)
        elif entry.slot is not None:
            self._send(self._ring.resend(entry.slot), entry.meta)

    def _handle(self, message: Message) -> None:
        match message:
            case Acknowledged(frame=frame, outcome=how):
                slot = self._ledger.acknowledge(frame, how)
                self._last_news = time.monotonic()
                self._sent_at.pop(frame, None)
                self._stamps.pop(frame, None)
                if slot is not None:
                    self._ring.release(slot)
                    self._free.append(slot)
            case Failed(frame=frame, stage=stage, error=error):
                self._fail(frame, f"{stage}: {error}")
                self._resend(frame)
            case StageDied(stage=stage, pid=pid):
                for frame in self._ring.held_by(pid):
                    self._fail(frame, f"{stage} died on it")
                self._ring.forget(pid)
                for frame in self._ledger.unacknowledged():
                    self._resend(frame)
                self._ended = False  # merging may have died with the end of the scan in hands
            case StopScan(reason=reason, give_up=give_up):
                self._stop_reason = reason
                if give_up:
                    for frame in self._ledger.unacknowledged():
                        self._ledger.set_aside(frame, reason)
                        self._resend(frame)
            case _:
                _log.warning("unexpected message", kind=type(message).__name__)

    def _fail(self, frame: FrameId, reason: str) -> None:
        quarantined = self._ledger.fail(frame, reason)
        _log.warning("frame failed", frame=frame, reason=reason, quarantined=quarantined)

    def _resend_overdue(self) -> None:
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

    def _end_if_done(self) -> None:
        if self._ended or self._todo or self._ledger.sums.in_flight:
            return
        self._ended = True
        self._to_merging.send(EndOfScan(sums=self._ledger.sums))


def _why_unusable(meta: FrameMeta) -> str:
    flags = FrameFlag(meta.flags)
    if FrameFlag.MISSING in flags:
        return "the recording was interrupted before it"
    reasons = {
        FrameFlag.LOST: "the camera lost it",
        FrameFlag.INCOMPLETE: "the camera delivered it with missing lines",
        FrameFlag.UNPLACED: "its position was not measured",
    }
    return (
        "; ".join(reason for flag, reason in reasons.items() if flag in flags) or f"flags {flags}"
    )
