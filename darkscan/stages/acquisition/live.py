"""Acquisition from a rig: the camera's loop, with the conductor beside it."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import structlog

from darkscan.drivers.camera.camera import Camera
from darkscan.drivers.camera.errors import CameraError, CameraGone
from darkscan.drivers.planning import LiveScan
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.files import write_atomically
from darkscan.pipeline.running.specification import RING_NAME, RunSpec
from darkscan.pipeline.transport.links import Outbox
from darkscan.pipeline.transport.ring import FrameRing
from darkscan.pipeline.transport.station import Station
from darkscan.stages.acquisition._capture import Correction, FrameWriter
from darkscan.stages.acquisition._conductor import Conductor, Interrupted, NoCamera, ScanEnded
from darkscan.stages.acquisition._custody import Custody

_log = structlog.get_logger(__name__)
_AGAIN_S = 0.5


REPORT_NAME = "scan.json"
_FETCH_S = 0.02
_IDLE_S = 0.02


def was_begun(run_dir: Path) -> bool:
    """Whether an acquisition process was at work in this run before this one."""
    return FrameRing.attach(run_dir / RING_NAME).session > 0


def find_camera(scan: LiveScan, station: Station, *, patient: bool) -> Camera | None:
    """The camera, opened and set.

    ``patient``: a predecessor had it. It may have died of the camera's going away, so it is
    looked for as long as ``camera.reconnect_s``; None if it does not come back, for frames
    already taken are still worth a map. Otherwise raises InputError.
    """
    settings = scan.rig.camera
    until = time.monotonic() + settings.reconnect_s
    while True:
        try:
            return Camera(
                settings,
                scan.plan.mode,
                encoder=scan.plan.mode == "line",
                encoder_divider=scan.plan.encoder_divider or 1,
                file=scan.rig_file,
            )
        except (InputError, CameraError) as error:
            if not patient:
                raise
            if time.monotonic() > until or station.stopping:
                _log.warning("camera does not come back", reason=str(error))
                return None
            station.beat(0, doing=f"waiting: {error}")
            station.wait(_AGAIN_S)


class LiveAcquisition:
    """Takes the frames of a rig's scan while the conductor moves the axes.

    One thread does it all: GenTL keeps Python's lock while it waits for a buffer, so a
    second one would not run.
    """

    def __init__(
        self,
        run_dir: Path,
        spec: RunSpec,
        scan: LiveScan,
        camera: Camera | None,
        correction: Correction | None,
        station: Station,
    ) -> None:
        """``camera`` None: it is gone for good; what was taken before is all there will be."""
        self._station = station
        self._spec = spec
        self._scan = scan
        self._camera = camera
        planned = [frame.meta for frame in scan.plan.frames]
        self._custody = Custody(run_dir, spec, station, planned)
        writer = FrameWriter(self._custody, scan.plan, scan.geometry, correction)
        to_motion = Outbox(run_dir, "motion")
        self._conductor = Conductor(
            scan,
            camera or NoCamera(),
            self._custody,
            writer,
            to_motion.send,
            rescans=spec.rescans,
        )
        self._script = self._conductor.script()
        self._waits_for: Callable[[], bool] | None = None

    def run(self) -> None:
        """Works until it is told to stop; the end of the run is not this stage's to say."""
        try:
            if self._camera is None:
                self._end("the camera is gone")
            else:  # from here on the script can be interrupted
                self._resume(lambda: next(self._script))
            while not self._station.stopping:
                self._hear()
                self._custody.resend_overdue()
                self._take()
                self._go_on()
                sums = self._custody.sums
                self._station.beat(sums.captured, sums=sums, doing=self._conductor.doing)
        finally:
            self._script.close()
            if self._camera is not None:
                self._camera.close()

    def _hear(self) -> None:
        for message in self._custody.messages():
            try:
                self._conductor.hear(message)
            except (Interrupted, ScanEnded) as news:
                self._interrupt(news)
        if self._custody.stop is not None and self._waits_for is not None:
            self._interrupt(ScanEnded(self._custody.stop.reason))

    def _take(self) -> None:
        """Fetches what the camera has, or waits for messages while it is not at work."""
        if self._camera is None or not self._conductor.armed:
            self._station.wait(_IDLE_S if self._waits_for is not None else None)
            return
        try:
            with self._camera.fetch(_FETCH_S) as buffer:
                if buffer is not None and self._conductor.collector is not None:
                    self._conductor.collector.take(buffer)
        except CameraGone as gone:
            self._interrupt(Interrupted(str(gone), camera=True))
        except CameraError as error:
            self._interrupt(ScanEnded(str(error)))

    def _go_on(self) -> None:
        if self._waits_for is None:
            self._custody.end_if_settled()
        elif self._waits_for():
            self._resume(lambda: next(self._script))

    def _interrupt(self, news: Interrupted | ScanEnded) -> None:
        if self._waits_for is not None:
            self._resume(lambda: self._script.throw(news))

    def _resume(self, step: Callable[[], Callable[[], bool]]) -> None:
        """Lets the script do its next step, which may be its last."""
        try:
            self._waits_for = step()
        except StopIteration:
            self._end("")
        except (ScanEnded, Interrupted) as end:
            _log.warning("scan ended early", reason=str(end))
            self._end(str(end))

    def _end(self, reason: str) -> None:
        self._waits_for = None
        self._conductor.give_up_rest(reason)
        self._report()

    def _report(self) -> None:
        """Leaves what the scan went through beside the map."""
        conductor = self._conductor
        content = {
            "rig": self._scan.rig.name,
            "camera": None if self._camera is None else self._camera.name,
            "camera_counts": None if self._camera is None else asdict(self._camera.counts),
            "interruptions": conductor.interruptions,
            "lost_at_first": [
                {
                    "frame": frame,
                    "reason": " ".join(filter(None, (str(loss.flags.name), loss.note))),
                    "taken_again": frame not in conductor.given_up,
                }
                for frame, loss in sorted(conductor.losses.items())
            ],
        }
        write_atomically(
            self._spec.out_dir / REPORT_NAME, json.dumps(content, indent=2).encode() + b"\n"
        )
