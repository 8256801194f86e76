"""Finds the camera when acquisition begins, and when it begins again in mid-scan."""

import time
from pathlib import Path

import structlog

from darkscan.drivers.camera.camera import Camera
from darkscan.drivers.camera.errors import CameraError
from darkscan.drivers.planning import LiveScan
from darkscan.pipeline.errors import InputError
from darkscan.pipeline.ring import FrameRing
from darkscan.pipeline.run import RING_NAME
from darkscan.pipeline.station import Station

_log = structlog.get_logger(__name__)
_AGAIN_S = 0.5


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
