"""Preprocessing: finds each window's brightness adjustment; cuts nothing out."""

import time
from pathlib import Path

import structlog

from darkscan.pipeline.core.brightness import gains_and_offsets, window_extrema
from darkscan.pipeline.core.frame_results import Stamp
from darkscan.pipeline.core.thumbnail import make_thumbnail
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.running.specification import RING_NAME, RunSpec
from darkscan.pipeline.transport.links import Desk, Inbox, Outbox
from darkscan.pipeline.transport.messages import Captured, Failed, Prepared, Thumbnail, describe
from darkscan.pipeline.transport.ring import FrameRing, Role, StaleReferenceError
from darkscan.pipeline.transport.station import Station

_log = structlog.get_logger(__name__)


class Preprocessing:
    """Prepares frames as they come and hands them to the workers as they ask."""

    def __init__(self, run_dir: Path, spec: RunSpec, station: Station) -> None:
        self._station = station
        self._ring = FrameRing.attach(run_dir / RING_NAME)
        self._window = spec.model.window
        self._origins = spec.model.origins(spec.scan.frame_shape)
        self._scale = spec.thumbnail_scale
        self._workers_here = spec.workers
        self._inbox = Inbox(run_dir, "preprocessing")
        self._desk = Desk(run_dir)
        self._to_merging = Outbox(run_dir, "merging")
        self._to_acquisition = Outbox(run_dir, "acquisition")
        self._prepared: dict[FrameId, Prepared] = {}  # the latest sending of each frame
        self._frames = 0
        station.listen_to(self._inbox.socket)
        station.listen_to(self._desk.socket)

    def run(self) -> None:
        """Works until it is told to stop."""
        while not self._station.stopping:
            self._desk.listen()
            self._hand_out()
            captured = self._inbox.next()
            if isinstance(captured, Captured):
                self._prepare(captured)
            elif captured is None:
                self._station.wait()
            self._station.beat(self._frames, queue=len(self._prepared))

    def _prepare(self, captured: Captured) -> None:
        received = time.monotonic_ns()
        try:
            if not self._ring.hold(captured.ref, Role.PREPROCESSING):
                return
            prepared = self._adjust(captured, received)
            self._prepared.pop(captured.ref.frame, None)  # the latest is the last in the queue
            self._prepared[captured.ref.frame] = prepared
        except StaleReferenceError:
            return  # acknowledged, or sent again: the later message counts
        except Exception as error:  # noqa: BLE001 - a frame that breaks us must not stop the scan
            _log.exception("frame cannot be prepared", frame=captured.ref.frame)
            self._to_acquisition.send(
                Failed(
                    frame=captured.ref.frame,
                    stage="preprocessing",
                    error=describe(error),
                )
            )
        finally:
            self._ring.let_go(captured.ref, Role.PREPROCESSING)

    def _adjust(self, captured: Captured, received: int) -> Prepared:
        started = time.monotonic_ns()
        pixels = self._ring.view(captured.ref)
        gains, offsets = gains_and_offsets(*window_extrema(pixels, self._origins, self._window))
        thumbnail = make_thumbnail(pixels, self._scale)
        self._ring.check(captured.ref)
        self._to_merging.send(Thumbnail(ref=captured.ref, pixels=thumbnail))
        self._frames += 1
        stamp = Stamp(
            stage="preprocessing",
            received_ns=received,
            started_ns=started,
            finished_ns=time.monotonic_ns(),
        )
        return Prepared(
            ref=captured.ref,
            meta=captured.meta,
            gains=gains,
            offsets=offsets,
            stamps=(*captured.stamps, stamp),
            only_here=captured.only_here,
        )

    def _hand_out(self) -> None:
        for frame, prepared in list(self._prepared.items()):
            if not self._desk.somebody_waits:
                return
            try:
                self._ring.check(prepared.ref)
            except StaleReferenceError:
                del self._prepared[frame]
                continue
            below = self._workers_here if prepared.only_here else None
            if self._desk.hand_out(prepared, below=below):
                del self._prepared[frame]
