"""The conductor: carries out a plan, one movement and one exposure after the other.

The scan is written down as a script, a generator that yields what it waits for; whoever
runs the camera's loop asks it to go on when that has come. Interruptions are raised in it.
"""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Generator
from typing import Protocol

import structlog

from darkscan.drivers.camera.errors import CameraError, CameraGone
from darkscan.drivers.planning import LiveScan, Pass, check_limits, passes
from darkscan.pipeline.core.errors import DarkscanError
from darkscan.pipeline.core.scan import FrameFlag
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.transport.messages import (
    Arrived,
    Halt,
    Latched,
    Message,
    MotionReady,
    MotionStopped,
    Move,
    Pause,
    Place,
    StageDied,
    Sweep,
    Track,
)
from darkscan.stages.acquisition._capture import FrameWriter, Loss
from darkscan.stages.acquisition._collector import Collector, StepCollector
from darkscan.stages.acquisition._custody import Custody
from darkscan.stages.acquisition._sweep import PassCollectors

_log = structlog.get_logger(__name__)

MOST_INTERRUPTIONS = 20
_REOPEN_EVERY_S = 1.0

Condition = Callable[[], bool]
Script = Generator[Condition, None, None]


class CameraPort(Protocol):
    """The camera as the conductor uses it."""

    def arm(self, direction: int = 1) -> None:
        """Takes frames on triggers from now on."""

    def disarm(self) -> None:
        """Takes no more."""

    def trigger(self) -> None:
        """Takes one frame now."""

    def reopen(self) -> None:
        """Finds the camera again that was gone. Raises DarkscanError while it is not there."""


class NoCamera:
    """A CameraPort with nothing behind it."""

    def arm(self, direction: int = 1) -> None:  # noqa: ARG002 - as the port has it
        """Raises CameraGone."""
        self.reopen()

    def disarm(self) -> None:
        """Nothing is armed."""

    def trigger(self) -> None:
        """Raises CameraGone."""
        self.reopen()

    def reopen(self) -> None:
        """Raises CameraGone."""
        raise CameraGone("there is no camera")


class Interrupted(Exception):  # noqa: N818 - no error yet: it may go on
    """The camera or the motion unit is gone, perhaps only for a while."""

    def __init__(self, reason: str, *, camera: bool) -> None:
        super().__init__(reason)
        self.camera = camera


class ScanEnded(Exception):  # noqa: N818 - not always an error
    """No further frame will be taken."""


class Conductor:
    """Moves the axes and triggers the camera as the plan says."""

    def __init__(
        self,
        scan: LiveScan,
        camera: CameraPort,
        custody: Custody,
        writer: FrameWriter,
        send: Callable[[Move | Sweep | Halt], None],
        *,
        rescans: int,
    ) -> None:
        self._rig = scan.rig
        self._rig_file = scan.rig_file
        self._plan = scan.plan
        self._camera = camera
        self._custody = custody
        self._writer = writer
        self._send = send
        self._rounds = 1 + rescans
        self._collectors = PassCollectors(scan, writer)
        self._open = {
            planned.meta.frame
            for planned in scan.plan.frames
            if not custody.knows(planned.meta.frame)
        }
        self._order = 0
        self._ready: MotionReady | None = None
        self._arrived: Arrived | None = None
        self._held = False
        self._interruptions = 0
        self._shots = 0
        self.armed = False
        self.collector: Collector | None = None
        self._doing = "waiting for the motion unit"
        self.losses: dict[FrameId, Loss] = {}
        """Frames that were lost, and why the last time; some were taken later."""

        self.given_up: set[FrameId] = set()
        """Frames that ended as not inspected."""

        self.interruptions: list[str] = []

    @property
    def doing(self) -> str:
        """The scan's present step, for the operator."""
        return f"held: {self._doing}" if self._held else self._doing

    def script(self) -> Script:
        """The whole scan. Ends by itself, or by ScanEnded; then nothing moves."""
        try:
            yield from self._begin()
            for number in range(self._rounds):
                todo = self._still_open()
                if not todo:
                    break
                again = f"again ({number} of {self._rounds - 1}): " if number else ""
                yield from self._round(deque(passes(self._plan, self._rig, todo)), again)
        finally:
            self._disarm()
            self._send(Halt(reason="the scan is over"))
            self._doing = "scanned"

    def give_up_rest(self, reason: str) -> None:
        """Gives up the frames that were not captured: they end as not inspected."""
        for frame in sorted(self._still_open()):
            loss = self.losses.get(frame) or Loss(FrameFlag.NOT_TAKEN, reason)
            self._writer.lose(frame, loss)
            self.given_up.add(frame)

    def hear(self, message: Message) -> None:
        """Takes note of what the motion unit says. Raises Interrupted or ScanEnded."""
        match message:
            case MotionReady():
                self._ready = message
            case Arrived(order=order) if order == self._order:
                self._arrived = message
            case Latched(order=order) if order == self._order and self.collector is not None:
                self.collector.hear(message)
            case Track() if self.collector is not None:
                self.collector.hear(message)
            case Pause(hold=hold):
                self._held = hold
            case MotionStopped(reason=reason, gone=gone):
                self._ready = None
                if gone:
                    raise Interrupted(reason, camera=False)
                raise ScanEnded(reason)
            case StageDied():
                self._forget_motion()
                raise Interrupted("the motion process died", camera=False)
            case Arrived() | Latched() | Track():
                pass  # an answer to an order that was replaced
            case _:
                _log.warning("unexpected message", kind=type(message).__name__)

    def _begin(self) -> Script:
        # A predecessor of this process may have left the axes moving.
        self._send(Halt(reason="the scan begins"))
        patience = self._rig.motion.connect_s + self._rig.motion.reconnect_s
        late = _after(patience)
        try:
            yield lambda: self._ready is not None or late()
        except Interrupted as interruption:
            yield from self._recover(interruption)
        if self._ready is None:
            raise ScanEnded(f"the motion unit is not ready after {patience:g} s")
        todo = passes(self._plan, self._rig, self._open)
        check_limits(todo, self._ready.low_mm, self._ready.high_mm, file=self._rig_file)

    def _round(self, todo: deque[Pass], again: str) -> Script:
        """Takes passes until none is left; of an interrupted pass the rest is taken next."""
        while todo:
            the_pass = todo.popleft()
            self._doing = f"{again}strip {the_pass.strip + 1} of {self._plan.strips}"
            try:
                yield from self._take(the_pass)
            except Interrupted as interruption:
                yield from self._recover(interruption)
                rest = set(the_pass.frames) & self._still_open()
                todo.extendleft(reversed(passes(self._plan, self._rig, rest)))

    def _take(self, the_pass: Pass) -> Script:
        try:
            if self._plan.mode == "step":
                yield from self._step_along(the_pass)
            else:
                yield from self._sweep_along(the_pass)
        except (Interrupted, ScanEnded):
            self._close_collector(cut_short=True)
            raise
        finally:
            self._disarm()

    def _step_along(self, the_pass: Pass) -> Script:
        for frame in the_pass.frames:
            yield self._room_for(1)
            arrived = yield from self._go(self._writer.planned(frame).stage_mm)
            self._arm()
            exposure = self._writer.lease(frame)
            if exposure is None:
                continue
            collector = StepCollector(self._writer, exposure, arrived, self._shots)
            self.collector = collector
            self._use_camera(self._camera.trigger)
            self._shots += 1
            yield self._settled_or_late(collector)
            if not collector.settled:
                self._disarm()  # arming begins a new count: what comes late is known as late
            else:
                self._close_collector()

    def _sweep_along(self, the_pass: Pass) -> Script:
        yield self._room_for(min(len(the_pass.frames), self._custody.slots))
        arrived = yield from self._go(the_pass.start_mm)
        # The camera is told which way its encoder's counts go.
        reverse = self._rig.motion.encoder_axis_reversed
        self._arm(-the_pass.direction if reverse else the_pass.direction)
        collector = self._collectors.begin(the_pass, arrived)
        self.collector = collector
        order = self._next_order()
        self._send(
            Sweep(
                order=order,
                axis=self._plan.axis,
                end_mm=the_pass.end_mm,
                velocity_mm_s=self._plan.velocity_mm_s,
                compare=the_pass.compare,
            )
        )
        yield lambda: self._arrived is not None
        yield self._settled_or_late(collector)

    def _go(self, place: Place) -> Generator[Condition, None, Arrived]:
        if not self._plan.focused and self._ready is not None:
            place = (*place[:2], self._ready.position_mm[2])  # z stays where it stands
        self._send(Move(order=self._next_order(), target_mm=place))
        yield lambda: self._arrived is not None
        assert self._arrived is not None, "just waited for"
        return self._arrived

    def _next_order(self) -> int:
        self._order += 1
        self._arrived = None
        return self._order

    def _room_for(self, frames: int) -> Condition:
        """Backpressure, and the operator's hold."""
        return lambda: self._custody.free >= frames and not self._held

    def _settled_or_late(self, collector: Collector) -> Condition:
        late = time.monotonic() + self._rig.camera.frame_timeout_s
        return lambda: collector.settled or time.monotonic() > late

    def _arm(self, direction: int = 1) -> None:
        if not self.armed:
            self._shots = 0
            self._use_camera(lambda: self._camera.arm(direction))
            self.armed = True

    def _disarm(self) -> None:
        self._close_collector()
        if self.armed:
            self.armed = False
            with contextlib.suppress(CameraGone):  # then it takes no more either
                self._camera.disarm()

    @staticmethod
    def _use_camera(call: Callable[[], None]) -> None:
        try:
            call()
        except CameraGone as gone:
            raise Interrupted(str(gone), camera=True) from gone
        except CameraError as error:
            raise ScanEnded(str(error)) from error

    def _close_collector(self, *, cut_short: bool = False) -> None:
        """Notes the losses of a pass; if it was cut short, not the frames it had still to take."""
        collector, self.collector = self.collector, None
        if collector is None:
            return
        so_far = dict(collector.losses)
        collector.finish()
        for frame, loss in (so_far if cut_short else collector.losses).items():
            _log.warning("frame not taken", frame=frame, flags=int(loss.flags), note=loss.note)
            self.losses[frame] = loss

    def _still_open(self) -> set[FrameId]:
        self._open = {frame for frame in self._open if not self._custody.knows(frame)}
        return self._open

    def _recover(self, interruption: Interrupted) -> Script:
        """Waits for what is gone; ScanEnded if it does not come back in time."""
        missing: Interrupted | None = interruption
        camera_gone = False
        while missing is not None:
            camera_gone = camera_gone or missing.camera
            self._interruptions += 1
            self.interruptions.append(str(missing))
            _log.warning("scan interrupted", reason=str(missing))
            if self._interruptions > MOST_INTERRUPTIONS:
                raise ScanEnded(f"interrupted {self._interruptions} times, at last: {missing}")
            try:
                yield from self._wait_for(str(missing), camera_gone=camera_gone)
            except Interrupted as another:
                missing = another
            else:
                missing = None

    def _wait_for(self, reason: str, *, camera_gone: bool) -> Script:
        self._doing = f"waiting: {reason}"
        self._forget_motion()
        self._send(Halt(reason=reason))
        if camera_gone:
            yield from self._find_camera(reason)
        until = time.monotonic() + self._rig.motion.reconnect_s
        yield lambda: self._ready is not None or time.monotonic() > until
        if self._ready is None:
            raise ScanEnded(reason)

    def _forget_motion(self) -> None:
        self._ready = None

    def _find_camera(self, reason: str) -> Script:
        until = time.monotonic() + self._rig.camera.reconnect_s
        while True:
            try:
                self._camera.reopen()
            except DarkscanError as error:
                if time.monotonic() > until:
                    raise ScanEnded(reason) from error
            else:
                return
            yield _after(_REOPEN_EVERY_S)


def _after(seconds: float) -> Condition:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end
