"""Classification: gives each window of a frame its score, and traces the scratches found."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog
import zmq

from darkscan.inference import Backend, FrameFormat, ModelJob, Placement, file_hash
from darkscan.inference.backend import FetchesFrames
from darkscan.inference.selection import device_of
from darkscan.inference.worker_backend import WorkerBackend, open_worker_backend, shares_calls
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.frame_results import Stamp
from darkscan.pipeline.running.specification import RING_NAME, RunSpec
from darkscan.pipeline.transport.links import DeskClient, Outbox
from darkscan.pipeline.transport.messages import Failed, FrameScores, Prepared, describe
from darkscan.pipeline.transport.ring import FrameRing, Role, StaleReferenceError
from darkscan.pipeline.transport.station import Station
from darkscan.stages.classification.classifier import Classified, Classifier, Job

_log = structlog.get_logger(__name__)


def classify(run_dir: Path, spec: RunSpec, station: Station) -> None:
    """Works as one of a run's workers until told to stop.

    Raises InputError if the model has changed since the run began, or cannot be run.
    """
    with station.loading("the model"):
        worker = _load(spec, station.index)
    Classification(run_dir, spec, worker, station).run()


def _load(spec: RunSpec, index: int) -> WorkerBackend:
    """The worker's backend, ready to run. Raises InputError."""
    if file_hash(spec.model_path) != spec.model.hash:
        raise InputError("has changed since the run began", file=spec.model_path)
    inspection, processes = spec.recipe.inspection, spec.recipe.processes
    job = ModelJob.read(
        spec.model_path,
        FrameFormat.of_scan(spec.scan, inspection.context_px),
        stride=spec.model.stride,
        precision=inspection.precision,
    )
    device = device_of(index, spec.devices)
    # Where one failure sets a frame aside, no frame may suffer for another one's.
    sharing = processes.attempts > 1 and shares_calls(device, processes.batch_wait_ms)
    placement = Placement(spec.backend, device, spec.threads, processes.batch)
    return open_worker_backend(job, placement, sharing=sharing)


class Classification:
    """One worker on this computer: its frames stay in the ring."""

    def __init__(
        self, run_dir: Path, spec: RunSpec, worker: WorkerBackend, station: Station
    ) -> None:
        """Joins the run; the worker's backend is ready for the frames of the run's scan."""
        processes = spec.recipe.processes
        self._station = station
        supply = RingSupply(run_dir, station, self._beat)
        supply.show_to(worker.backend)
        self._classifier = Classifier(
            supply,
            worker,
            spec.model,
            FrameFormat.of_scan(spec.scan, spec.recipe.inspection.context_px),
            batch_wait_s=processes.batch_wait_ms / 1000,
            # As with shared calls: the frames that a worker dies with are all suspected.
            ahead=1 if processes.attempts == 1 else None,
        )

    def run(self) -> None:
        """Works until it is told to stop."""
        self._beat(now=True)
        while not self._station.stopping:
            if not self._classifier.step():
                self._station.wait(self._classifier.patience_s)
            self._beat()

    def _beat(self, *, now: bool = False) -> None:
        self._station.beat(self._classifier.frames, now=now, windows=self._classifier.windows)


class Listening(Protocol):
    """The part of a Station that a supply needs."""

    index: int

    def listen_to(self, wire: zmq.Socket[bytes]) -> None:
        """See Station.listen_to."""


class RingSupply:
    """Frames from preprocessing's desk, their pixels in the ring; answers to merging."""

    def __init__(self, run_dir: Path, station: Listening, beat: Callable[[], None]) -> None:
        self._ring = FrameRing.attach(run_dir / RING_NAME)
        self._desk = DeskClient(run_dir, station.index)
        self._to_merging = Outbox(run_dir, "merging")
        self._to_acquisition = Outbox(run_dir, "acquisition")
        self._worker = station.index
        self.ask = self._desk.ask
        self.beat = beat
        station.listen_to(self._desk.socket)

    def show_to(self, backend: Backend) -> None:
        """Lets a backend's device fetch frames from the ring by itself, if it can."""
        if isinstance(backend, FetchesFrames) and not backend.pin(self._ring.memory):
            _log.info("the device cannot fetch frames from the ring; each is copied first")

    def next(self) -> Prepared | None:
        """See Supply.next."""
        while (message := self._desk.next()) is not None:
            if isinstance(message, Prepared):
                return message
        return None

    def take(self, prepared: Prepared) -> Pixels | None:
        """See Supply.take: none if another worker holds it, or the slot has moved on."""
        try:
            if self._ring.hold(prepared.ref, Role.CLASSIFICATION):
                return self._ring.surrounded(prepared.ref)
        except StaleReferenceError:
            self.let_go(prepared)  # the slot may have moved on after it was held
        return None

    def let_go(self, prepared: Prepared) -> None:
        """See Supply.let_go."""
        self._ring.let_go(prepared.ref, Role.CLASSIFICATION)

    def deliver(self, job: Job, classified: Classified) -> None:
        """See Supply.deliver."""
        prepared = job.prepared
        if not self._ring.still_holds(prepared.ref):
            return  # another worker was faster, and the slot has other pixels by now
        stamp = Stamp(
            stage="classification",
            worker=self._worker,
            received_ns=job.received_ns,
            started_ns=classified.started_ns,
            finished_ns=classified.finished_ns,
        )
        self._to_merging.send(
            FrameScores(
                ref=prepared.ref,
                meta=prepared.meta,
                scores=classified.scores,
                traces=classified.traces,
                stamps=(*prepared.stamps, stamp),
            )
        )

    def close(self) -> None:
        """Disconnects."""
        for link in (self._desk, self._to_merging, self._to_acquisition):
            link.close()
        self._ring.close()

    def fail(self, job: Job, error: Exception) -> None:
        """See Supply.fail."""
        frame = job.prepared.ref.frame
        _log.error("frame cannot be classified", frame=frame, exc_info=error)
        failed = Failed(frame=frame, stage="classification", error=describe(error))
        self._to_acquisition.send(failed)
