"""Classification: gives each window of a frame its score, and traces the scratches found."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog
import zmq

from darkscan.inference import Backend, file_hash
from darkscan.inference.backend import FetchesFrames
from darkscan.inference.opening import set_up
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.frame_results import FrameResult, Stamp
from darkscan.pipeline.core.recipe import Processes
from darkscan.pipeline.running.specification import RING_NAME, RunSpec
from darkscan.pipeline.transport.links import DeskClient, Outbox
from darkscan.pipeline.transport.messages import Failed, Prepared, describe
from darkscan.pipeline.transport.ring import FrameRing, Role, StaleReferenceError
from darkscan.pipeline.transport.station import Station
from darkscan.stages.classification.classifier import Classified, Classifier, Job

_log = structlog.get_logger(__name__)


def classify(run_dir: Path, spec: RunSpec, station: Station) -> None:
    """Works as one of a run's workers until told to stop.

    Raises InputError if the model has changed since the run began, or cannot be run.
    """
    if file_hash(spec.model_path) != spec.model.hash:
        raise InputError("has changed since the run began", file=spec.model_path)
    processes = spec.recipe.processes
    devices = spec.devices
    calls = set_up(
        spec.backend,
        devices[station.index % len(devices)] if devices else None,
        spec.model_path,
        scan=spec.scan,
        model=spec.model,
        margin=spec.recipe.inspection.context_px,
        threads=spec.threads,
        batch=processes.batch,
        shares_calls=shares_calls(processes, on_gpu=bool(devices)),
        precision=spec.recipe.inspection.precision,
    )
    Classification(run_dir, spec, calls.backend, station, frames_a_call=calls.frames).run()


def shares_calls(processes: Processes, *, on_gpu: bool) -> bool:
    """Whether small frames share calls of the model.

    On a processor the caches are better off with one frame after the other, unless frames
    are waited for anyway. Where one failure sets a frame aside, none may suffer for another.
    """
    return processes.attempts > 1 and (on_gpu or processes.batch_wait_ms > 0)


class Classification:
    """One worker on this computer: its frames stay in the ring."""

    def __init__(
        self,
        run_dir: Path,
        spec: RunSpec,
        backend: Backend,
        station: Station,
        *,
        frames_a_call: int = 1,
    ) -> None:
        """``frames_a_call``: see ``stacking.frames_a_call``; the backend takes frames so tall."""
        processes = spec.recipe.processes
        self._station = station
        supply = RingSupply(run_dir, station, self._beat)
        supply.show_to(backend)
        self._classifier = Classifier(
            supply,
            backend,
            model=spec.model,
            full_scale=spec.scan.full_scale,
            margin=supply.margin,
            frames_a_call=frames_a_call,
            batch_wait_s=processes.batch_wait_ms / 1000,
            # As with shared calls: the frames that a worker dies with are all suspected.
            ahead=1 if processes.attempts == 1 else backend.ahead,
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
    """What a supply needs of its Station."""

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
        self.margin = self._ring.margin
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
            self.let_go(prepared)  # it may have moved on once it was held
        return None

    def let_go(self, prepared: Prepared) -> None:
        """See Supply.let_go."""
        self._ring.let_go(prepared.ref, Role.CLASSIFICATION)

    def deliver(self, job: Job, classified: Classified) -> None:
        """See Supply.deliver."""
        prepared = job.prepared
        if not self._ring.still_holds(prepared.ref):
            return  # somebody else was faster and the pixels have changed under us
        stamp = Stamp(
            stage="classification",
            worker=self._worker,
            received_ns=job.received_ns,
            started_ns=classified.started_ns,
            finished_ns=classified.finished_ns,
        )
        self._to_merging.send(
            FrameResult(
                meta=prepared.meta,
                origins=prepared.origins,
                scores=classified.scores,
                thumbnail=prepared.thumbnail,
                centrelines=classified.centrelines,
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
