"""The motion unit: its axes moved together, watched, and stopped whatever happens."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any, Literal, TypeVar

import numpy as np

from darkscan.drivers.motion._channel_access import Sample, forget_all, silence
from darkscan.drivers.motion._compare_output import CompareOutput, OnLatches
from darkscan.drivers.motion._motor import Motor
from darkscan.drivers.motion._track import Track
from darkscan.drivers.motion.errors import MotionError, MotionGoneError, UnfitError
from darkscan.drivers.motion.history import Times
from darkscan.drivers.motion.record_state import Meaning
from darkscan.drivers.rig.tables import MotionSettings
from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.units import Millimetres
from darkscan.pipeline.transport.messages import Axis, Compare, Place

OnTrack = Callable[[Times, Float64Array], None]
"""Is given (N,) times, ns, and (N, 3) positions, mm."""

_AXES: tuple[Literal["x", "y", "z"], ...] = ("x", "y", "z")
_TRACK_EVERY_S = 0.05
_TOLERANCES = 10.0
_LATCH_TOLERANCES = 100.0
"""Of uncertainty_um. An axis at rest may shake while another one moves."""

_LOOK_EVERY_S = 0.02
_HEARD_S = 0.5
MARGIN_S = 5.0
ResultT = TypeVar("ResultT")


class MotionUnit:
    """Moves the axes. One order at a time; who cancels one calls ``stop``.

    ``on_track`` is called about every 50 ms during a sweep, ``on_latches`` as latches come,
    ``on_gone`` once when the unit is lost; ``connect`` again when it may be back.
    Without a z axis z is 0.
    """

    def __init__(
        self,
        settings: MotionSettings,
        *,
        on_track: OnTrack,
        on_latches: OnLatches,
        on_gone: Callable[[], None],
        margin_s: float = MARGIN_S,
        meanings: Mapping[str, Meaning] | None = None,
    ) -> None:
        """``margin_s`` is how much longer than reckoned a move or a stop may take.

        ``meanings``: what the axes' positions hung on when the run began; None: it begins now.
        """
        self._settings = settings
        self._on_track, self._on_latches, self._on_gone = on_track, on_latches, on_gone
        self._margin_s = margin_s
        self._latch_tolerance_mm = _LATCH_TOLERANCES * settings.uncertainty_um / 1000.0
        self.meanings: dict[str, Meaning] = dict(meanings or {})
        self._motors: list[Motor] = []
        self._compare: CompareOutput | None = None
        self._track: Track | None = None
        self._sweep: tuple[Motor, Place] | None = None
        self._misplaced: MotionError | None = None
        self._there = False

    @property
    def low_mm(self) -> Place:
        """Lower soft limits, as last read."""
        return self._of([motor.low_mm for motor in self._motors])

    @property
    def high_mm(self) -> Place:
        """Upper soft limits, as last read."""
        return self._of([motor.high_mm for motor in self._motors])

    async def connect(self) -> None:
        """Finds the unit, at first or once more, and stops all axes.

        Raises InputError: a record or process variable is not there; UnfitError: an axis is not
        homed, reports a problem or does not stop, or a record would not do what it is told.
        """
        await self._find()
        try:
            await self.stop()
            for motor in self._motors:
                await motor.require_ready()
                motor.require_usable()
            for motor in self._motors[:2]:
                motor.require_speed(self._settings.velocity_mm_s)
        except MotionError as error:
            raise UnfitError(str(error), field="motion") from error
        self.meanings = {motor.axis: motor.meaning for motor in self._motors}

    async def inspect(self) -> None:
        """Finds the unit and looks at its records; nothing is written. Raises as ``connect``."""
        await self._find()
        try:
            for motor in self._motors:
                await motor.require_order()
                motor.require_usable()
            for motor in self._motors[:2]:
                motor.require_speed(self._settings.velocity_mm_s)
        except MotionError as error:
            raise UnfitError(str(error), field="motion") from error

    async def _find(self) -> None:
        self.forget()
        silence()
        seconds = self._settings.connect_s
        self._motors = [
            Motor(
                axis,
                self._settings,
                on_sample=lambda sample, axis=axis: self._take(axis, sample),  # type: ignore[misc]
                on_gone=self._lose,
                margin_s=self._margin_s,
                meaning=self.meanings.get(axis),
            )
            for axis in _AXES
            if getattr(self._settings, axis) is not None
        ]
        self._there = True
        await _all(motor.connect(seconds) for motor in self._motors)
        if (names := self._settings.compare) is not None:
            self._compare = CompareOutput(
                names,
                self._take_latches,
                self._lose,
                tolerance_mm=_TOLERANCES * self._settings.uncertainty_um / 1000.0,
            )
            await self._compare.connect(seconds)

    def forget(self) -> None:
        """Closes all connections."""
        self._there = False
        self._motors, self._compare = [], None
        forget_all()

    async def position(self) -> Place:
        """Asks where the axes are. Raises MotionGoneError."""
        return self._place(await _all(motor.measure() for motor in self._motors))

    async def move(self, target: Place) -> Place:
        """Moves all axes, lets them settle, and returns where they stand.

        Raises MotionError before anything moves if that is not allowed, or after a fault;
        MotionGoneError.
        """
        targets = list(zip(self._motors, target, strict=False))
        await _all(motor.require_within(place) for motor, place in targets)
        velocity = float(self._settings.velocity_mm_s)
        # The focus axis is slower than the others: it keeps its own speed.
        await _all(
            motor.go(place, None if motor.axis == "z" else velocity) for motor, place in targets
        )
        await asyncio.sleep(self._settings.settle_s)
        return self._place(await _all(motor.confirm() for motor in self._motors))

    async def sweep(
        self, axis: Axis, end_mm: float, velocity_mm_s: float, compare: Compare | None
    ) -> Place:
        """Moves one axis at constant speed and returns where the axes then stand.

        Raises as ``move`` does.
        """
        moving = self._motors[_AXES.index(axis)]
        moving.require_speed(velocity_mm_s)
        others = [motor for motor in self._motors if motor is not moving]
        await _all([moving.require_within(end_mm), *(motor.require_ready() for motor in others)])
        if compare is not None:
            await self._armed().arm(axis, compare)
        start = await self.position()
        self._sweep = moving, start
        self._track = Track(_AXES.index(axis), start, self._on_track)
        telling = asyncio.ensure_future(self._track.tell_every(_TRACK_EVERY_S))
        try:
            await moving.go(end_mm, velocity_mm_s)
            if compare is not None:
                await self._armed().finish()
            if self._misplaced is not None:
                raise self._misplaced
            return self._place(
                await _all(
                    motor.confirm() if motor is moving else motor.measure()
                    for motor in self._motors
                )
            )
        finally:
            telling.cancel()
            self._track.tell()
            self._track = self._sweep = self._misplaced = None

    async def stop(self) -> None:
        """Stops all axes that can be reached, and waits until they stand still.

        Raises MotionError if one does not stop, MotionGoneError.
        """
        reached = await self.stop_now()
        if not reached:
            raise MotionGoneError("the motion unit does not answer")
        slowing_s = max(motor.ramp_s for motor in self._motors)
        deadline = asyncio.get_running_loop().time() + slowing_s + self._margin_s
        for motor in self._motors:
            while not await motor.is_still():
                if asyncio.get_running_loop().time() > deadline:
                    excuse = await motor.excuse()
                    raise MotionError(f"axis {motor.axis}: {motor.record} does not stop{excuse}")
                await asyncio.sleep(_LOOK_EVERY_S)

    async def stop_now(self) -> bool:
        """Tells all axes to stop and the compare output to be quiet; whether all heard it."""
        reached = await asyncio.gather(*(motor.stop() for motor in self._motors))
        if self._compare is not None:
            await self._compare.disarm()
        # What is sent on a circuit arrives in order: an answer means that the above arrived.
        with suppress(MotionError):
            await asyncio.gather(*(motor.is_still(_HEARD_S) for motor in self._motors))
        return all(reached)

    def _armed(self) -> CompareOutput:
        if self._compare is None:
            raise MotionError("the rig has no compare output (motion.compare)")
        return self._compare

    def _take(self, axis: str, sample: Sample) -> None:
        if self._track is not None:
            self._track.take(_AXES.index(axis), sample)

    def _take_latches(self, first: int, positions: Float64Array) -> None:
        """Passes latches on, if the output's coordinates are those of the records.

        That is seen from the axes that stand still.
        """
        if self._sweep is None:
            return
        moving, start = self._sweep
        for motor in self._motors:
            column = _AXES.index(motor.axis)
            off = float(np.abs(positions[:, column] - start[column]).max())
            if motor is not moving and not off <= self._latch_tolerance_mm:
                self._misplaced = MotionError(
                    f"axis {motor.axis}: it stands at {start[column]:.3f} mm, and "
                    f"{self._settings.compare and self._settings.compare.latches} latches it "
                    f"{off:.3f} mm from there: the compare output and {motor.record} do not have "
                    "the same coordinates (OFF, DIR)"
                )
                moving.fail(self._misplaced)
                return
        self._on_latches(first, positions)

    def _lose(self) -> None:
        if self._there:
            self._there = False
            self._on_gone()

    def _place(self, samples: list[Sample]) -> Place:
        return self._of([float(sample.value) for sample in samples])

    @staticmethod
    def _of(values: list[float]) -> Place:
        x, y, z = (*values, 0.0) if len(values) == 2 else values  # noqa: PLR2004 - no z axis
        return Millimetres(x), Millimetres(y), Millimetres(z)


async def _all(works: Iterable[Coroutine[Any, Any, ResultT]]) -> list[ResultT]:
    """Does all at once; the first failure ends the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
