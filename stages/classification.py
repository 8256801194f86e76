"""Classification: gives each window of a frame its score, and traces the scratches found."""

import time
from pathlib import Path

import structlog

from darkscan.pipeline.links import DeskClient, Outbox
from darkscan.pipeline.messages import Failed, Prepared, describe
from darkscan.pipeline.results import FrameResult, Stamp
from darkscan.pipeline.ring import FrameRing, Role, StaleReferenceError
from darkscan.pipeline.run import RING_NAME, RunSpec
from darkscan.pipeline.station import Station
from darkscan.stages.centrelines import find_centrelines
from darkscan.stages.inference import Backend, FrameWindows, scores_in_context

_log = structlog.get_logger(__name__)


class Classification:
    """One worker: takes a frame, scores its windows, traces scratches, asks for the next."""

    def __init__(self, run_dir: Path, spec: RunSpec, backend: Backend, station: Station) -> None:
        self._station = station
        self._backend = backend
        self._full_scale = spec.scan.full_scale
        self._model = spec.model
        self._ring = FrameRing.attach(run_dir / RING_NAME)
        self._desk = DeskClient(run_dir, station.index)
        self._to_merging = Outbox(run_dir, "merging")
        self._to_acquisition = Outbox(run_dir, "acquisition")
        self._frames = 0
        self._windows = 0
        station.listen_to(self._desk.socket)

    def run(self) -> None:
        """Works until it is told to stop."""
        self._beat(now=True)
        while not self._station.stopping:
            prepared = self._desk.next()
            # Asked before the work, the next frame is here when this one is done. While
            # nothing comes it is asked again: preprocessing may have been restarted.
            self._desk.ask()
            if isinstance(prepared, Prepared):
                self._classify(prepared)
            else:
                self._station.wait()
            self._beat()

    def _classify(self, prepared: Prepared) -> None:
        received = time.monotonic_ns()
        ref = prepared.ref
        try:
            if not self._ring.hold(ref, Role.CLASSIFICATION):
                return
            started = time.monotonic_ns()
            pixels = self._ring.view(ref)
            windows = FrameWindows(pixels, prepared.origins, prepared.gains, prepared.offsets)
            seen = self._backend.start(windows, self._full_scale, between_batches=self._beat)()
            scores = scores_in_context(seen, prepared.origins, self._model.window)
            positive = prepared.origins[scores >= self._model.grow_threshold]
            centrelines = find_centrelines(pixels, positive, self._model.window)
            if not self._ring.still_holds(ref):
                return  # somebody else was faster and the pixels have changed under us
        except StaleReferenceError:
            return
        except Exception as error:  # noqa: BLE001 - a frame that breaks us must not stop the scan
            _log.exception("frame cannot be classified", frame=ref.frame)
            self._to_acquisition.send(
                Failed(
                    frame=ref.frame,
                    stage="classification",
                    error=describe(error),
                )
            )
            return
        finally:
            self._ring.let_go(ref, Role.CLASSIFICATION)
        stamp = Stamp(
            stage="classification",
            worker=self._station.index,
            received_ns=received,
            started_ns=started,
            finished_ns=time.monotonic_ns(),
        )
        self._frames += 1
        self._windows += len(scores)
        self._to_merging.send(
            FrameResult(
                meta=prepared.meta,
                origins=prepared.origins,
                scores=scores,
                thumbnail=prepared.thumbnail,
                centrelines=centrelines,
                stamps=(*prepared.stamps, stamp),
            )
        )

    def _beat(self, *, now: bool = False) -> None:
        self._station.beat(self._frames, now=now, windows=self._windows)
