"""One axis: an EPICS motor record."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aioca

from darkscan.drivers.motion.channel_access import (
    ANSWER_S,
    Sample,
    read,
    read_numbers,
    tell,
    watch,
    write,
)
from darkscan.drivers.motion.errors import MotionError, MotionGoneError
from darkscan.drivers.rig.tables import MotionSettings
from darkscan.pipeline.core.errors import InputError

# Bits of the record's MSTA.
_PLUS_LIMIT = 1 << 2
_PROBLEM = 1 << 9
_COMMUNICATION = 1 << 12
_MINUS_LIMIT = 1 << 13
_HOMED = 1 << 14

_STOPPED, _PAUSED = 0, 1
_UNLIMITED_MM = 1e6
_UM_TO_MM = 1e-3
_WATCHED_EVERY_S = 1.0

OnSample = Callable[[Sample], None]


@dataclass(frozen=True)
class _State:
    """Fields of the record, read together."""

    low: float
    high: float
    msta: int
    still: bool
    pause: int

    FIELDS = ("LLM", "HLM", "MSTA", "DMOV", "SPMG")


class Motor:
    """Moves one axis. All positions are the record's user coordinates, mm.

    ``latest`` is the last readback that came, with the record's time stamp; ``ramp_s`` how long
    the axis accelerates and slows down.
    """

    latest: Sample
    low_mm: float
    high_mm: float

    def __init__(
        self,
        axis: str,
        settings: MotionSettings,
        *,
        on_sample: OnSample,
        on_gone: Callable[[], None],
        margin_s: float,
    ) -> None:
        """``margin_s`` is how much longer than reckoned a move may take."""
        self.axis = axis
        self._settings = settings
        self.record: str = getattr(settings, axis).record
        self._on_sample, self._on_gone = on_sample, on_gone
        self._margin_s = margin_s
        self._fault: asyncio.Future[MotionError] | None = None
        self._tolerance_mm = 0.0
        self._base = self._velocity = self.ramp_s = self._fastest = 0.0

    async def connect(self, seconds: float) -> None:
        """Waits for the record and watches it. Raises InputError where it is not to be used."""
        names = [self._field(name) for name in ("RBV", "VAL", "STOP", *_State.FIELDS)]
        try:
            await aioca.connect(names, timeout=seconds)
            await self._learn()
        except (aioca.CANothing, MotionGoneError) as error:
            raise InputError(
                f"record {self.record} does not answer within {seconds:g} s", field=self._setting
            ) from error
        self.latest = await read(self._field("RBV"))
        watch(self._field("RBV"), self._take_sample, self._on_gone)
        watch(self._field("MSTA"), self._take_status, self._on_gone)

    async def require_ready(self) -> None:
        """Raises MotionError unless the axis is homed and in order; learns its limits."""
        state = await self._state()
        self._require_order(state.msta)
        if state.pause in {_STOPPED, _PAUSED}:
            raise MotionError(f"axis {self.axis}: {self.record} is paused (SPMG)")
        if not state.still:
            raise MotionError(f"axis {self.axis}: {self.record} still moves")

    async def require_within(self, target: float) -> None:
        """Raises MotionError if the record's soft limits, as of now, forbid ``target``."""
        await self.require_ready()
        if not self.low_mm <= target <= self.high_mm:
            raise MotionError(
                f"axis {self.axis}: {target:.3f} mm lies beyond the soft limits of {self.record}, "
                f"{self.low_mm:.3f} to {self.high_mm:.3f} mm"
            )

    async def go(self, target: float, velocity: float | None = None) -> None:
        """Moves; returns when the axis stands still at ``target``.

        velocity: mm/s; left out: as the record has it. Raises MotionError: the axis did not get
        there, or MotionGoneError. Whoever cancels has to stop the axis.
        """
        if velocity is not None:
            await self._set_speed(velocity)
        loop = asyncio.get_running_loop()
        distance = abs(target - float(self.latest.value))
        deadline = loop.time() + distance / self._velocity + 2.0 * self.ramp_s + self._margin_s
        self._fault = loop.create_future()
        put = asyncio.ensure_future(write(self._field("VAL"), target, seconds=None))
        put.add_done_callback(_take_note)
        ends: set[asyncio.Future[Any]] = {put, self._fault}
        try:
            while not put.done():
                left = deadline - loop.time()
                if left <= 0.0:
                    raise MotionError(
                        f"axis {self.axis}: the move to {target:.3f} mm does not end in time"
                    )
                await asyncio.wait(
                    ends,
                    timeout=min(left, _WATCHED_EVERY_S),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if self._fault.done():
                    raise self._fault.result()
                if not put.done():
                    await read_numbers([self._field("DMOV")])  # does it answer at all?
            put.result()
        finally:
            put.cancel()
            self._fault.cancel()
            self._fault = None
        await self._require_arrival(target)

    async def measure(self) -> Sample:
        """Asks where the axis is: news that were sent before an answer may come after it."""
        self.latest = await read(self._field("RBV"))
        self._on_sample(self.latest)
        return self.latest

    async def stop(self) -> bool:
        """Tells the axis to stop; whether that could be sent."""
        return await tell(self._field("STOP"), 1)

    async def is_still(self, seconds: float = ANSWER_S) -> bool:
        """Whether the record says that it does not move. Raises MotionGoneError."""
        (still,) = await read_numbers([self._field("DMOV")], seconds=seconds)
        return bool(still)

    @property
    def _setting(self) -> str:
        return f"motion.{self.axis}.record"

    def _field(self, name: str) -> str:
        return f"{self.record}.{name}"

    async def _learn(self) -> None:
        names = ("VELO", "VBAS", "ACCL", "VMAX", "RDBD", "MRES")
        velocity, base, ramp_s, fastest, deadband, step = await read_numbers(
            [self._field(name) for name in names]
        )
        self._velocity, self._base, self.ramp_s, self._fastest = velocity, base, ramp_s, fastest
        measured = 10.0 * self._settings.uncertainty_um * _UM_TO_MM
        self._tolerance_mm = max(deadband, 2.0 * abs(step), measured)
        if velocity <= 0.0:
            raise InputError(f"{self._field('VELO')} is {velocity:g}", field=self._setting)
        await self._state()

    def require_speed(self, velocity: float) -> None:
        """Raises MotionError for a speed that the record does not have."""
        if self._fastest and velocity > self._fastest:
            raise MotionError(
                f"axis {self.axis}: {velocity:g} mm/s is more than {self._field('VMAX')}, "
                f"{self._fastest:g} mm/s"
            )
        if velocity <= self._base:
            raise MotionError(
                f"axis {self.axis}: {velocity:g} mm/s is not more than {self._field('VBAS')}, "
                f"{self._base:g} mm/s"
            )

    async def _set_speed(self, velocity: float) -> None:
        self.require_speed(velocity)
        self._velocity = velocity
        self.ramp_s = (velocity - self._base) / self._settings.acceleration_mm_s2
        await write(self._field("VELO"), velocity)
        await write(self._field("ACCL"), self.ramp_s)

    async def _state(self) -> _State:
        low, high, msta, still, pause = await read_numbers(
            [self._field(name) for name in _State.FIELDS]
        )
        # A record whose limits are equal has none.
        limited = low != high
        self.low_mm, self.high_mm = (low, high) if limited else (-_UNLIMITED_MM, _UNLIMITED_MM)
        return _State(low, high, int(msta), bool(still), int(pause))

    def _require_order(self, msta: int) -> None:
        if msta & _COMMUNICATION:
            raise MotionError(f"axis {self.axis}: {self.record} does not reach its controller")
        if msta & _PROBLEM:
            raise MotionError(f"axis {self.axis}: {self.record} reports a problem (MSTA)")
        if self._settings.homed_bit == "msta" and not msta & _HOMED:
            raise MotionError(f"axis {self.axis}: {self.record} is not homed")

    async def _require_arrival(self, target: float) -> None:
        state = await self._state()
        measured = float((await self.measure()).value)
        self._require_order(state.msta)
        if abs(measured - target) <= self._tolerance_mm and state.still:
            return
        limits = {_PLUS_LIMIT: "upper", _MINUS_LIMIT: "lower"}
        hit = "".join(f" on its {name} limit" for bit, name in limits.items() if state.msta & bit)
        raise MotionError(
            f"axis {self.axis}: stopped{hit} at {measured:.3f} mm on the way to {target:.3f} mm"
        )

    def _take_sample(self, sample: Sample) -> None:
        self.latest = sample
        self._on_sample(sample)

    def _take_status(self, sample: Sample) -> None:
        if self._fault is None or self._fault.done():
            return
        try:
            self._require_order(int(sample.value))
        except MotionError as error:
            self._fault.set_result(error)


def _take_note(task: asyncio.Task[None]) -> None:
    """A write that fails after its move was given up is nobody's business."""
    if not task.cancelled():
        task.exception()
