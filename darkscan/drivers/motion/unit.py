"""The motion unit: its axes moved together, watched, and stopped whatever happens."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, Literal

from darkscan.drivers.motion.channel_access import Sample, forget_all, silence
from darkscan.drivers.motion.compare_output import CompareOutput, OnLatches
from darkscan.drivers.motion.errors import MotionError, MotionGoneError
from darkscan.drivers.motion.motor import Motor
from darkscan.drivers.motion.track import Times, Track
from darkscan.drivers.rig.tables import MotionSettings
from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.units import Millimetres
from darkscan.pipeline.transport.messages import Axis, Compare, Place

OnTrack = Callable[[Times, Float64Array], None]
"""Is given (N,) times, ns, and (N, 3) positions, mm."""

_AXES: tuple[Literal["x", "y", "z"], ...] = ("x", "y", "z")
_TRACK_EVERY_S = 0.05
_LOOK_EVERY_S = 0.02
_HEARD_S = 0.5
MARGIN_S = 5.0


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
    ) -> None:
        """``margin_s`` is how much longer than reckoned a move or a stop may take."""
        self._settings = settings
        self._on_track, self._on_latches, self._on_gone = on_track, on_latches, on_gone
        self._margin_s = margin_s
        self._motors: list[Motor] = []
        self._compare: CompareOutput | None = None
        self._track: Track | None = None
        self._there = False

    @property
    def low_mm(self) -> Place:
        """Lower soft limits, as last read."""
        return self._place([motor.low_mm for motor in self._motors])

    @property
    def high_mm(self) -> Place:
        """Upper soft limits, as last read."""
        return self._place([motor.high_mm for motor in self._motors])

    async def connect(self) -> None:
        """Finds the unit, at first or once more, and stops all axes.

        Raises InputError: a record or process variable is not there, or an axis is not homed,
        reports a problem or does not stop.
        """
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
            )
            for axis in _AXES
            if getattr(self._settings, axis) is not None
        ]
        self._there = True
        await _all(motor.connect(seconds) for motor in self._motors)
        if (names := self._settings.compare) is not None:
            self._compare = CompareOutput(names, self._on_latches, self._lose)
            await self._compare.connect(seconds)
        try:
            await self.stop()
            for motor in self._motors:
                await motor.require_ready()
            for motor in self._motors[:2]:
                motor.require_speed(self._settings.velocity_mm_s)
        except MotionError as error:
            raise InputError(str(error), field="motion") from error

    def forget(self) -> None:
        """Closes all connections."""
        self._there = False
        self._motors, self._compare = [], None
        forget_all()

    async def position(self) -> Place:
        """Asks where the axes are. Raises MotionGoneError."""
        samples = await asyncio.gather(*(motor.measure() for motor in self._motors))
        return self._place([float(sample.value) for sample in samples])

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
        return await self.position()

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
        self._track = Track(_AXES.index(axis), start, self._on_track)
        telling = asyncio.ensure_future(self._track.tell_every(_TRACK_EVERY_S))
        try:
            await moving.go(end_mm, velocity_mm_s)
            if compare is not None:
                await self._armed().finish()
            return await self.position()
        finally:
            telling.cancel()
            self._track.tell()
            self._track = None

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
                    raise MotionError(f"axis {motor.axis}: {motor.record} does not stop")
                await asyncio.sleep(_LOOK_EVERY_S)

    async def stop_now(self) -> bool:
        """Tells all axes to stop and the compare output to be quiet; whether all heard it."""
        reached = await asyncio.gather(*(motor.stop() for motor in self._motors))
        if self._compare is not None:
            await self._compare.disarm()
        # What is sent on a circuit arrives in order: an answer means that the above arrived.
        with suppress(MotionGoneError):
            await asyncio.gather(*(motor.is_still(_HEARD_S) for motor in self._motors))
        return all(reached)

    def _armed(self) -> CompareOutput:
        if self._compare is None:
            raise MotionError("the rig has no compare output (motion.compare)")
        return self._compare

    def _take(self, axis: str, sample: Sample) -> None:
        if self._track is not None:
            self._track.take(_AXES.index(axis), sample)

    def _lose(self) -> None:
        if self._there:
            self._there = False
            self._on_gone()

    def _place(self, values: list[float]) -> Place:
        x, y, z = (*values, 0.0) if len(values) == 2 else values  # noqa: PLR2004 - no z axis
        return Millimetres(x), Millimetres(y), Millimetres(z)


async def _all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Does all at once; the first failure ends the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
