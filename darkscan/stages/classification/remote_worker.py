"""A classification worker for a run on another computer.

It holds the link and checks what comes over it; what is sent to it is computed in a process that
can be killed. The model may be anybody's: see ``Computation``.
"""

import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from secrets import token_hex
from typing import NamedTuple

import zmq

from darkscan.pipeline.core.errors import DarkscanError, InputError
from darkscan.pipeline.core.names import printable
from darkscan.pipeline.core.wire import WireError
from darkscan.pipeline.transport.gateway_client import Delivery, GatewayClient, RunKeys
from darkscan.pipeline.transport.messages import (
    Capacity,
    FrameRef,
    Join,
    Joined,
    JoinFirst,
    Leaving,
    Message,
    ModelFile,
    NotScored,
    Prepared,
    Refused,
    RunEnded,
    Scored,
    StillHere,
    WantModel,
    describe,
)
from darkscan.stages.classification._computation import (
    Answer,
    Computation,
    CrashedError,
    Means,
)
from darkscan.stages.classification._remote_checks import require_size

__all__ = ["Means", "RemoteWorker", "Who"]

_BEAT_S = 0.5
_WAIT_S = 0.1
_JOIN_AGAIN_S = 1.0
_SILENT_S = 10.0  # a gateway that says nothing for longer is taken for gone
_LONGEST_ERROR = 300
_MOST_AT_A_TIME = 64


class Who(NamedTuple):
    """Who a worker is."""

    name: str
    """For people."""
    keys: RunKeys | None
    """None: nothing is encrypted, and nobody asked for a key."""


class RemoteWorker:
    """Joins the run behind an address, works for it, and joins again when it was cut off."""

    def __init__(
        self,
        address: str,
        who: Who,
        means: Means,
        say: Callable[[str], None],
        *,
        stays: bool = False,
        wait_s: float = 60.0,
    ) -> None:
        """Begins to connect. Raises InputError for an impossible address.

        ``say`` prints a line for people; ``stays``: waits for the next run when one ends;
        ``wait_s``: gives up when no run answers for so long, unless it stays.
        """
        self._address = address
        self._join = Join(name=who.name, process=token_hex(8), version=version("darkscan"))
        self._means = means
        self._say = say
        self._stays = stays
        self._wait_s = wait_s
        self._client = GatewayClient(address, who.keys)
        self._kept: tuple[Joined, Computation] | None = None
        self._model = b""  # the file's bytes, for another scan with the same model
        self._model_hash = ""

    def run(self) -> None:
        """Works until the run ends. Raises DarkscanError if it cannot take part, or no more."""
        try:
            while self._work(self._joined()) or self._stays:
                pass
        except WireError as error:
            raise DarkscanError(f"{self._address}: speaks another language: {error}") from error
        except CrashedError:
            raise  # without a word: the gateway then suspects the frame
        except (KeyboardInterrupt, Exception):
            # The frames it holds are not to blame: the gateway gives them to others.
            self._client.send(Leaving())
            raise
        finally:
            self._client.close(linger_ms=500)
            self._close_computation()

    def _joined(self) -> Joined:
        """Waits for a run to take this worker in."""
        since, asked_at, told = time.monotonic(), 0.0, ""
        while True:
            now = time.monotonic()
            if now - asked_at >= _JOIN_AGAIN_S and self._client.send(self._join):
                asked_at = now
            waiting = self._client.problem or f"waiting for a run at {self._address}"
            if told != waiting and (self._client.problem or now - since > _JOIN_AGAIN_S):
                told = waiting
                self._say(waiting)
            if not self._stays and now - since > self._wait_s:
                problem = self._client.problem or f"no run answered for {self._wait_s:g} s"
                raise DarkscanError(f"{self._address}: {problem}")
            self._client.socket.poll(200)
            while (delivery := self._client.next()) is not None:
                match delivery.message:
                    case Joined() as joined:
                        self._require_size(joined)
                        return joined
                    case Refused(reason=reason):
                        raise DarkscanError(f"{self._address}: refused: {reason}")

    def _require_size(self, joined: Joined) -> None:
        try:
            require_size(joined, field=self._address)
        except InputError as error:
            raise DarkscanError(str(error)) from error

    def _work(self, joined: Joined) -> bool:
        """Works for a run; True if it goes on but this worker was cut off from it."""
        stay = _Stay(self._client, self._address, joined)
        computation = self._computation_for(joined)
        if computation is None:
            stay.send(WantModel())
        elif computation.capacity:
            self._say_joined(stay, computation)
        while not stay.over:
            poller = zmq.Poller()
            for socket in (self._client.socket, *(computation.sockets if computation else ())):
                poller.register(socket, zmq.POLLIN)
            poller.poll(int(_WAIT_S * 1000))
            computation = self._hear_all(stay, computation)
            if computation is not None:
                self._pass_on(stay, computation)
            stay.beat()
        if computation is not None:
            computation.forget_all()
        done = f"{stay.frames} frames, {stay.windows} windows"
        if stay.failed:
            done += f", {stay.failed} frames failed: {stay.last_error}"
        if stay.ended:
            self._say(f"the run has ended: {done}")
            return False
        self._say(f"cut off from {self._address} ({done}); joining again")
        return True

    def _hear_all(self, stay: "_Stay", computation: Computation | None) -> Computation | None:
        """Heeds what came from the gateway; returns the computation, once there is a model."""
        for delivery in stay.deliveries():
            match delivery.message:
                case ModelFile() if computation is None:
                    computation = self._begin(stay.joined, delivery.payload)
                case Prepared() as prepared if computation is not None:
                    try:
                        computation.give(prepared, delivery.payload)
                    except ValueError as error:
                        stay.fail(prepared.ref, describe(error))
                case _:
                    stay.heed(delivery.message)
        return computation

    def _pass_on(self, stay: "_Stay", computation: Computation) -> None:
        for answer in computation.answers():
            stay.answer(answer)
        computation.look()
        if computation.capacity and not stay.ready:
            self._say_joined(stay, computation)

    def _say_joined(self, stay: "_Stay", computation: Computation) -> None:
        joined, stay.ready = stay.joined, True
        self._say(
            f"joined {self._address}: {joined.scan.element}, {joined.scan.side}; "
            f"model {printable(joined.model.name)[:80]} on {computation.backend}"
        )
        stay.send(Capacity(frames=computation.capacity))

    def _begin(self, joined: Joined, content: memoryview | None) -> Computation:
        """Starts to compute with a model that came. Raises DarkscanError."""
        size = 0 if content is None else content.nbytes
        if content is None or size != joined.model_bytes:
            problem = f"the model came with {size} bytes, not {joined.model_bytes}"
            raise DarkscanError(f"{self._address}: {problem}")
        self._model, self._model_hash = bytes(content), joined.model.hash
        return self._start(joined)

    def _computation_for(self, joined: Joined) -> Computation | None:
        """The computation at work if the run before had the same model and scan.

        Another one if this worker has the model; None if it must be asked for.
        """
        if self._kept is not None and self._kept[0] == joined:
            return self._kept[1]
        self._close_computation()
        return self._start(joined) if self._model_hash == joined.model.hash else None

    def _start(self, joined: Joined) -> Computation:
        try:
            computation = Computation(joined, self._model, self._means)
        except ValueError as error:
            raise DarkscanError(f"{self._address}: {describe(error)}") from error
        self._kept = (joined, computation)
        return computation

    def _close_computation(self) -> None:
        if self._kept is not None:
            self._kept[1].close()
            self._kept = None


class _Stay:
    """A worker's stay at a run: from being taken in until it ends, or the link is cut."""

    def __init__(self, client: GatewayClient, address: str, joined: Joined) -> None:
        self._client = client
        self._address = address
        self.joined = joined
        self._heard = time.monotonic()
        self._next_beat = 0.0
        self.ready = False
        """Whether the gateway knows that frames may come."""
        self.ended = False
        """Whether the run has ended."""
        self.over = False
        """Whether the run has ended, or the gateway is gone, or takes this worker for gone."""
        self.frames = self.windows = self.failed = 0
        self.last_error = ""

    def deliveries(self) -> Iterator[Delivery]:
        """What came from the gateway, one after the other, and not all at once."""
        for _ in range(_MOST_AT_A_TIME):
            if (delivery := self._client.next()) is None:
                break
            self._heard = time.monotonic()
            yield delivery
        if time.monotonic() - self._heard > _SILENT_S:
            self.over = True

    def heed(self, message: Message) -> None:
        """Heeds what says how the stay goes on. Raises DarkscanError if this worker is refused."""
        match message:
            case RunEnded():
                self.ended = self.over = True
                self.send(Leaving())
            case JoinFirst():
                self.over = True
            case Refused(reason=reason):
                raise DarkscanError(f"{self._address}: refused: {reason}")

    def answer(self, answer: Answer) -> None:
        """Tells the gateway what became of a frame."""
        if answer.scores is None:
            self.fail(answer.ref, answer.error)
            return
        stamp = answer.scores.stamps[-1]
        self.frames += 1
        self.windows += len(answer.scores.scores)
        self.send(
            Scored(
                ref=answer.ref,
                scores=answer.scores.scores,
                traces=answer.scores.traces,
                worked_ns=stamp.finished_ns - stamp.started_ns,
            )
        )

    def fail(self, ref: FrameRef, error: str) -> None:
        """Tells the gateway that a frame cannot be scored."""
        self.failed += 1
        self.last_error = printable(error)[:_LONGEST_ERROR]
        self.send(NotScored(ref=ref, error=self.last_error))

    def beat(self) -> None:
        """Tells the gateway twice a second that this worker is alive."""
        if time.monotonic() >= self._next_beat:
            self._next_beat = time.monotonic() + _BEAT_S
            self.send(StillHere())

    def send(self, message: Message) -> None:
        """Sends a message; without a gateway, others get the frames, and this worker joins anew."""
        self.over |= not self._client.send(message)
