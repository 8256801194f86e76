"""A classification worker for a run on another computer."""

import time
from collections import deque
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple

from darkscan.inference import FrameFormat
from darkscan.inference.worker_backend import WorkerBackend
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import DarkscanError
from darkscan.pipeline.core.settings import updated
from darkscan.pipeline.core.wire import WireError
from darkscan.pipeline.transport.messages import (
    Capacity,
    FrameRef,
    Join,
    Joined,
    JoinFirst,
    Leaving,
    Message,
    NotScored,
    Prepared,
    Refused,
    RunEnded,
    Scored,
    StillHere,
    describe,
)
from darkscan.pipeline.transport.remote_links import Delivery, GatewayClient
from darkscan.stages.classification._remote_checks import model_file, pixels_of
from darkscan.stages.classification.classifier import Classified, Classifier, Job

_BEAT_S = 0.5
_JOIN_AGAIN_S = 1.0
_SILENT_S = 10.0  # a gateway that says nothing for longer is taken for gone
_ON_THE_WAY = 1  # calls' worth of frames that travel while others are computed


OpenBackend = Callable[[Path, Joined], WorkerBackend]
"""Opens the backend for a model file and the run that was joined. Raises InputError."""


class _Ready(NamedTuple):
    """A backend, and the run that it was opened for."""

    worker: WorkerBackend
    joined: Joined


class RemoteWorker:
    """Joins the run behind an address, works for it, and joins again when it was cut off."""

    def __init__(
        self,
        address: str,
        name: str,
        open_backend: OpenBackend,
        say: Callable[[str], None],
        *,
        stays: bool = False,
        wait_s: float = 60.0,
    ) -> None:
        """Begins to connect.

        ``say`` prints a line for people; ``stays``: waits for the next run when one ends;
        ``wait_s``: gives up when no run answers for so long, unless it stays.
        """
        self._address = address
        self._join = Join(
            name=name, process=token_hex(8), version=version("darkscan"), model_hash=""
        )
        self._open_backend = open_backend
        self._say = say
        self._stays = stays
        self._wait_s = wait_s
        self._client = GatewayClient(address)
        self._ready: _Ready | None = None
        self._model = b""  # the file's bytes, for another scan with the same model

    def run(self) -> None:
        """Works until the run ends. Raises DarkscanError if it cannot take part, or no more."""
        try:
            while self._work(self._joined()) or self._stays:
                pass
        except WireError as error:
            raise DarkscanError(f"{self._address}: speaks another language: {error}") from error
        except (KeyboardInterrupt, Exception):
            # The frames it holds are not to blame: the gateway gives them to others.
            self._client.send(Leaving())
            raise
        finally:
            self._client.close(linger_ms=500)
            self._close_backend()

    def _joined(self) -> Delivery:
        """Waits for a run to take this worker in."""
        since, asked_at, told = time.monotonic(), 0.0, False
        while True:
            now = time.monotonic()
            if now - asked_at >= _JOIN_AGAIN_S and self._client.send(self._join):
                asked_at = now
            if not told and now - since > _JOIN_AGAIN_S:
                told = True
                self._say(f"waiting for a run at {self._address}")
            if not self._stays and now - since > self._wait_s:
                raise DarkscanError(f"{self._address}: no run answered for {self._wait_s:g} s")
            self._client.socket.poll(200)
            while (delivery := self._client.next()) is not None:
                match delivery.message:
                    case Joined():
                        return delivery
                    case Refused(reason=reason):
                        raise DarkscanError(f"{self._address}: refused: {reason}")

    def _work(self, delivery: Delivery) -> bool:
        """Works for a run; True if it goes on but this worker was cut off from it."""
        joined = delivery.message
        assert isinstance(joined, Joined)
        worker = self._backend_for(joined, delivery.payload)
        self._say(
            f"joined {self._address}: {joined.scan.element}, {joined.scan.side}; "
            f"model {joined.model.name} on {worker.backend.name}"
        )
        supply = _LinkSupply(self._client, self._address, joined)
        frames = FrameFormat.of_scan(joined.scan, joined.margin_px)
        wait_s = joined.batch_wait_ms / 1000
        classifier = Classifier(supply, worker, joined.model, frames, batch_wait_s=wait_s)
        capacity = classifier.capacity + _ON_THE_WAY * worker.frames_a_call
        self._client.send(Capacity(frames=capacity))
        while not supply.over:
            if not self._step(classifier):
                patience = classifier.patience_s
                wait_s = _BEAT_S if patience is None else min(patience, _BEAT_S)
                self._client.socket.poll(max(1, int(wait_s * 1000)))
            supply.beat()
        classifier.drop_all()
        done = f"{classifier.frames} frames, {classifier.windows} windows"
        if supply.failed:
            done += f", {supply.failed} frames failed: {supply.last_error}"
        if supply.ended:
            self._say(f"the run has ended: {done}")
            return False
        self._say(f"cut off from {self._address} ({done}); joining again")
        return True

    def _step(self, classifier: Classifier) -> bool:
        try:
            return classifier.step()
        except (DarkscanError, WireError):
            raise
        except Exception as error:  # the backend has failed repeatedly; libraries raise anything
            raise DarkscanError(f"{self._address}: gives up: {describe(error)}") from error

    def _backend_for(self, joined: Joined, content: memoryview | None) -> WorkerBackend:
        """The backend for a run: the open one if the run before had the same model and scan."""
        if self._ready is not None and self._ready.joined == joined:
            return self._ready.worker
        self._close_backend()
        model = self._model if content is None else bytes(content)
        with model_file(model, joined.model.hash) as path:
            worker = self._open_backend(path, joined)
        self._model = model
        self._ready = _Ready(worker, joined)
        self._join = updated(self._join, model_hash=joined.model.hash)
        return worker

    def _close_backend(self) -> None:
        if self._ready is not None:
            self._ready.worker.backend.close()
            self._ready = None


class _LinkSupply:
    """Frames from a gateway, pixels and all; answers to it."""

    def __init__(self, client: GatewayClient, address: str, joined: Joined) -> None:
        self._client = client
        self._address = address
        self._frames = FrameFormat.of_scan(joined.scan, joined.margin_px)
        self._windows = len(joined.model.origins(joined.scan.frame_shape))
        self._arrived: deque[Prepared] = deque()
        self._pixels: dict[FrameRef, Pixels] = {}
        self._heard = time.monotonic()
        self._next_beat = 0.0
        self._cut = False
        self.ended = False
        """Whether the run has ended."""

        self.over = False
        """Whether the run has ended, or the gateway is gone, or takes this worker for gone."""

        self.failed = 0
        self.last_error = ""

    def ask(self, frames: int) -> None:
        """See Supply.ask: does nothing, as the gateway keeps count of this worker's frames."""

    def next(self) -> Prepared | None:
        """See Supply.next."""
        while (delivery := self._client.next()) is not None:
            self._heard = time.monotonic()
            self._hear(delivery)
        if self._cut or time.monotonic() - self._heard > _SILENT_S:
            self.over = True  # only after the last messages of a gateway that is gone were read
        if self.over:
            return None
        return self._arrived.popleft() if self._arrived else None

    def take(self, prepared: Prepared) -> Pixels | None:
        """See Supply.take."""
        return self._pixels.get(prepared.ref)

    def let_go(self, prepared: Prepared) -> None:
        """See Supply.let_go."""
        self._pixels.pop(prepared.ref, None)

    def deliver(self, job: Job, classified: Classified) -> None:
        """See Supply.deliver."""
        self._send(
            Scored(
                ref=job.prepared.ref,
                scores=classified.scores,
                traces=classified.traces,
                worked_ns=classified.finished_ns - classified.started_ns,
            )
        )

    def fail(self, job: Job, error: Exception) -> None:
        """See Supply.fail."""
        self._fail(job.prepared.ref, describe(error))

    def beat(self) -> None:
        """See Supply.beat."""
        if time.monotonic() >= self._next_beat:
            self._next_beat = time.monotonic() + _BEAT_S
            self._send(StillHere())

    def _hear(self, delivery: Delivery) -> None:
        match delivery.message:
            case Prepared() as prepared:
                try:
                    pixels = pixels_of(delivery.payload, prepared, self._frames, self._windows)
                except ValueError as error:
                    self._fail(prepared.ref, describe(error))
                else:
                    self._pixels[prepared.ref] = pixels
                    self._arrived.append(prepared)
            case RunEnded():
                self.ended = self.over = True
                self._send(Leaving())
            case JoinFirst():
                self.over = True
            case Refused(reason=reason):
                raise DarkscanError(f"{self._address}: refused: {reason}")

    def _fail(self, ref: FrameRef, error: str) -> None:
        self.failed += 1
        self.last_error = error
        self._send(NotScored(ref=ref, error=error))

    def _send(self, message: Message) -> None:
        # Without a gateway, others get the frames, and this worker joins again.
        self._cut |= not self._client.send(message)
