"""One axis: an EPICS motor record."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from darkscan.drivers.motion._channel_access import (
    ANSWER_S,
    Sample,
    read,
    read_numbers,
    tell,
    watch,
    write,
)
from darkscan.drivers.motion._record_search import find_record, not_there
from darkscan.drivers.motion.errors import MotionError, MotionGoneError
from darkscan.drivers.motion.record_state import (
    Gate,
    Look,
    Meaning,
    Outcome,
    Setup,
    Stand,
    Switches,
    bad_status,
    changed,
    distrust,
    obstacle,
    unmoved,
)
from darkscan.drivers.rig.tables import AxisSettings, MotionSettings
from darkscan.pipeline.core.errors import InputError

_UNLIMITED_MM = 1e6
_UM_TO_MM = 1e-3
_WATCHED_EVERY_S = 1.0
_STATUS_S = 3.0
"""A record's own request for its controller's status is answered within this time."""

_LOOK_EVERY_S = 0.02
_LOOK_AT_LEAST_EVERY_S = 1.0
"""Switches that nobody seems to have touched are read again after this time."""

_SAME = 1e-6

OnSample = Callable[[Sample], None]


class Motor:
    """Moves one axis. All positions are the record's user coordinates, mm.

    ``latest`` is the last readback that came, with the record's time stamp; ``ramp_s`` how long
    the axis accelerates and slows down; ``meaning`` what the record's positions hang on.
    """

    latest: Sample
    low_mm: float
    high_mm: float
    meaning: Meaning

    def __init__(
        self,
        axis: str,
        settings: MotionSettings,
        *,
        on_sample: OnSample,
        on_gone: Callable[[], None],
        margin_s: float,
        meaning: Meaning | None = None,
    ) -> None:
        """``margin_s`` is how much longer than reckoned a move may take.

        ``meaning``: what the positions hung on when the run began; None: it begins now.
        """
        self.axis = axis
        self._settings = settings
        self._axis_settings: AxisSettings = getattr(settings, axis)
        self.record = self._axis_settings.record
        self._on_sample, self._on_gone = on_sample, on_gone
        self._margin_s = margin_s
        self._meant = meaning
        self._fault: asyncio.Future[MotionError] | None = None
        self._suspect: MotionError | None = None
        self._lacking: frozenset[str] = frozenset()
        self._before: Look | None = None
        self._looked_s = 0.0
        self._doubted = False
        self._target: float | None = None
        self._velocity = self.ramp_s = 0.0

    async def connect(self, seconds: float) -> None:
        """Waits for the record and watches it. Raises InputError where it is not to be used."""
        try:
            self._lacking = await find_record(self.record, seconds, self._setting)
            self._setup = await Setup.read(self.record, self._lacking)
            look = await self._look()
        except MotionGoneError as error:
            raise not_there(self.record, seconds, self._setting) from error
        except MotionError as error:
            raise InputError(str(error), field=self._setting) from error
        self._velocity, self.ramp_s = self._setup.velo, self._setup.accl
        self._tolerance_mm = max(
            2.0 * abs(look.switches.mres), 10.0 * self._settings.uncertainty_um * _UM_TO_MM
        )
        self.meaning = self._meant or Meaning.of(look)
        self.latest = look.stand.rbv
        watch(self._field("RBV"), self._take_sample, self._on_gone)
        watch(self._field("MSTA"), self._take_status, self._on_gone)
        for field, usual in (("SET", 0.0), ("OFF", self.meaning.off)):
            if field not in self._lacking:
                watch(self._field(field), partial(self._compare, field, usual), self._on_gone)
        for field in Switches.names():
            if field not in self._lacking:
                watch(self._field(field), self._doubt, self._on_gone)

    async def require_order(self) -> None:
        """Raises MotionError if the record would not carry out an order; learns its limits.

        It may move meanwhile.
        """
        loop = asyncio.get_running_loop()
        look = await self._glance()
        deadline = loop.time() + _STATUS_S
        while look.switches.stup and loop.time() < deadline:
            await asyncio.sleep(_LOOK_EVERY_S)  # somebody asks for the status; it will come
            look = await self._look()
        if self._against(look):
            look = await self._look()  # all of it, to say what it is
        self._before = look
        if problem := self._against(look):
            self._doubted = True
            raise self._error(problem)
        if self._suspect is not None:
            raise self._suspect

    def require_usable(self) -> None:
        """Raises MotionError for a speed or a deadband that no scan can live with."""
        setup = self._setup
        if not setup.velo > 0.0:
            raise self._error(f"{self._field('VELO')} is {setup.velo:g}")
        if setup.rtry and not setup.rdbd <= self._tolerance_mm:
            raise self._error(
                f"{self._field('RDBD')} is {setup.rdbd:g} mm: the record is content so far from "
                f"its target, a scan only within {self._tolerance_mm:g} mm (ten times "
                "motion.uncertainty_um); make it smaller"
            )

    def require_speed(self, velocity: float) -> None:
        """Raises MotionError for a speed that the record does not have."""
        base, fastest = self._setup.vbas, self._setup.vmax
        if fastest and velocity > fastest:
            raise self._error(
                f"{velocity:g} mm/s is more than {self._field('VMAX')}, {fastest:g} mm/s"
            )
        if velocity <= base:
            raise self._error(
                f"{velocity:g} mm/s is not more than {self._field('VBAS')}, {base:g} mm/s"
            )

    async def require_ready(self) -> None:
        """Raises MotionError unless the axis stands still and would carry out an order."""
        await self.require_order()
        assert self._before is not None, "just read"
        if not self._before.stand.dmov:
            raise self._error(f"{self.record} still moves")

    async def require_within(self, target: float) -> None:
        """Raises MotionError if the record's soft limits, as of now, forbid ``target``."""
        await self.require_ready()
        if not self.low_mm <= target <= self.high_mm:
            raise self._error(
                f"{target:.3f} mm lies beyond the soft limits of {self.record}, "
                f"{self.low_mm:.3f} to {self.high_mm:.3f} mm"
            )

    async def go(self, target: float, velocity: float | None = None) -> None:
        """Moves, after ``require_within``; returns when the axis stands still at ``target``.

        velocity: mm/s; left out: as the record has it. Raises MotionError: the axis did not get
        there, or MotionGoneError. Whoever cancels has to stop the axis.
        """
        if velocity is not None:
            await self._set_speed(velocity)
        self._target = target
        loop = asyncio.get_running_loop()
        distance = abs(target - float(self.latest.value))
        deadline = loop.time() + distance / self._velocity + 2.0 * self.ramp_s + self._margin_s
        self._fault = loop.create_future()
        put = asyncio.ensure_future(self._write("VAL", target, seconds=None))
        put.add_done_callback(_take_note)
        ends: set[asyncio.Future[Any]] = {put, self._fault}
        try:
            while not put.done():
                left = deadline - loop.time()
                if left <= 0.0:
                    raise self._error(
                        f"the move to {target:.3f} mm does not end in time{await self.excuse()}"
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
        sample, (msta, still) = await asyncio.gather(
            read(self._field("RBV")), read_numbers([self._field("MSTA"), self._field("DMOV")])
        )
        self._take_sample(sample)
        if problem := bad_status(msta, self.record, self._settings):
            raise self._error(problem)
        await self._require_there(float(sample.value), still=bool(still))

    async def confirm(self) -> Sample:
        """Where the axis stands after ``go``.

        Raises MotionError unless it is the target, and the dial, too, has gone that way.
        """
        assert self._target is not None, "an order was given"
        assert self._before is not None, "and looked at before"
        before = self._before
        if self._doubted:
            await self.require_order()
        stand = await self._stand()
        self._take_sample(stand.rbv)
        problem = distrust(stand, self.record, self._settings)
        if stand.off != self.meaning.off:
            problem = problem or changed(self.record, "OFF", self.meaning.off, stand.off)
        if problem:
            raise self._error(problem)
        await self._require_there(stand.user_mm, still=bool(stand.dmov))
        problem = unmoved(before.stand, stand, before.switches, self.record, self._tolerance_mm)
        if problem:
            raise self._error(problem)
        if self._suspect is not None:
            raise self._suspect
        return stand.rbv

    async def measure(self) -> Sample:
        """Asks where the axis is: news that were sent before an answer may come after it."""
        self._take_sample(await read(self._field("RBV")))
        return self.latest

    async def stop(self) -> bool:
        """Tells the axis to stop; whether that could be sent."""
        return await tell(self._field("STOP"), 1)

    async def is_still(self, seconds: float = ANSWER_S) -> bool:
        """Whether the record says that it does not move. Raises MotionGoneError."""
        (still,) = await read_numbers([self._field("DMOV")], seconds=seconds)
        return bool(still)

    def fail(self, error: MotionError) -> None:
        """Ends the move that is under way, if there is one, with an error."""
        if self._fault is not None and not self._fault.done():
            self._fault.set_result(error)

    async def excuse(self) -> str:
        """The record's reason why an order was not carried out, to end a message with."""
        problem = self._obstacle(await self._look())
        self._doubted = True
        return f" ({problem})" if problem else str(await Outcome.read(self.record, self._lacking))

    @property
    def _setting(self) -> str:
        return f"motion.{self.axis}.record"

    def _field(self, name: str) -> str:
        return f"{self.record}.{name}"

    def _error(self, problem: str) -> MotionError:
        return MotionError(f"axis {self.axis}: {problem}")

    async def _set_speed(self, velocity: float) -> None:
        self.require_speed(velocity)
        self._velocity = velocity
        self.ramp_s = (velocity - self._setup.vbas) / self._settings.acceleration_mm_s2
        orders = {"VELO": velocity, "ACCL": self.ramp_s}
        names = [self._field(field) for field in orders]
        taken = await read_numbers(names)
        if _same(taken, orders.values()):
            return
        for field, value in orders.items():
            await self._write(field, value)
        taken = await read_numbers(names)
        if not _same(taken, orders.values()):
            raise self._error(
                f"{' and '.join(names)} are {taken[0]:g} and {taken[1]:g} after {velocity:g} and "
                f"{self.ramp_s:g} were written to them"
            )

    async def _write(self, field: str, value: float, *, seconds: float | None = ANSWER_S) -> None:
        """Writes a field. Raises MotionError with the reason where the record refuses."""
        try:
            await write(self._field(field), value, seconds=seconds)
        except MotionGoneError:
            raise
        except MotionError as refusal:
            raise self._error(f"{refusal}{await self.excuse()}") from refusal

    async def _look(self) -> Look:
        """Reads all that an order depends on."""
        self._doubted, self._looked_s = False, asyncio.get_running_loop().time()
        gate, switches = await asyncio.gather(
            Gate.read(self.record, self._lacking), Switches.read(self.record, self._lacking)
        )
        return self._take(Look(await self._stand(), gate, switches))

    async def _glance(self) -> Look:
        """As ``_look``; what has been read a moment ago, and not touched since, is not again."""
        now_s = asyncio.get_running_loop().time()
        recent = now_s - self._looked_s < _LOOK_AT_LEAST_EVERY_S
        if self._before is None or self._doubted or not recent:
            return await self._look()
        stand, gate = await asyncio.gather(self._stand(), Gate.read(self.record, self._lacking))
        return self._take(Look(stand, gate, self._before.switches))

    async def _stand(self) -> Stand:
        return await Stand.read(self.record, self._lacking)

    def _take(self, look: Look) -> Look:
        """Learns the soft limits. A record whose limits are equal has none."""
        low, high = look.gate.llm, look.gate.hlm
        limited = low != high
        self.low_mm = low if limited else -_UNLIMITED_MM
        self.high_mm = high if limited else _UNLIMITED_MM
        return look

    def _against(self, look: Look) -> str:
        return self._obstacle(look) or self.meaning.difference(Meaning.of(look), self.record)

    def _obstacle(self, look: Look) -> str:
        return obstacle(look, self.record, self._axis_settings, self._settings)

    async def _require_there(self, user_mm: float, *, still: bool) -> None:
        target = self._target
        assert target is not None, "an order was given"
        if still and abs(user_mm - target) <= self._tolerance_mm:
            return
        raise self._error(
            f"stopped{await self.excuse()} at {user_mm:.3f} mm on the way to {target:.3f} mm"
        )

    def _take_sample(self, sample: Sample) -> None:
        self.latest = sample
        self._on_sample(sample)

    def _take_status(self, sample: Sample) -> None:
        if problem := bad_status(float(sample.value), self.record, self._settings):
            self.fail(self._error(problem))

    def _doubt(self, _sample: Sample) -> None:
        """Somebody has touched a switch: all of them are read again."""
        self._doubted = True

    def _compare(self, field: str, usual: float, sample: Sample) -> None:
        """Takes note of a switch that must stay as it was: also of one that is put back."""
        if float(sample.value) != usual:
            self._suspect = self._error(changed(self.record, field, usual, float(sample.value)))
            self.fail(self._suspect)


def _same(taken: Iterable[float], wanted: Iterable[float]) -> bool:
    return all(
        abs(has - value) <= _SAME * abs(value) for has, value in zip(taken, wanted, strict=True)
    )


def _take_note(task: asyncio.Task[None]) -> None:
    """A write that fails after its move was given up is nobody's business."""
    if not task.cancelled():
        task.exception()
