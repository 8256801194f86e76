"""The position-compare output: it triggers the camera and latches the axes' positions."""

import asyncio
from collections.abc import Callable

import aioca
import numpy as np

from darkscan.drivers.motion._channel_access import (
    ANSWER_S,
    Sample,
    read,
    read_numbers,
    read_text,
    tell,
    watch,
    write,
)
from darkscan.drivers.motion.errors import AbsentError, MotionError
from darkscan.drivers.rig.tables import CompareSettings
from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.transport.messages import Axis, Compare

_LOOK_EVERY_S = 0.02

OnLatches = Callable[[int, Float64Array], None]
"""Is given the number of the first new latch within its sweep, and the new ones (N, 3), mm."""


class CompareOutput:
    """Arms and disarms, and passes on the latches as they come."""

    def __init__(
        self,
        settings: CompareSettings,
        on_latches: OnLatches,
        on_gone: Callable[[], None],
        *,
        tolerance_mm: float,
    ) -> None:
        """``tolerance_mm``: the output may round by so much where it triggers."""
        self._names = settings
        self._on_latches, self._on_gone = on_latches, on_gone
        self._tolerance_mm = tolerance_mm
        self._known = 0
        self._cleared_ns: int | None = None

    async def connect(self, seconds: float) -> None:
        """Waits for the process variables and watches the latches. Raises AbsentError."""
        for field, name in self._names:
            if not name:
                continue
            try:
                await aioca.connect(name, timeout=seconds)
            except aioca.CANothing as error:
                raise AbsentError(
                    f"{name} does not answer within {seconds:g} s", field=f"motion.compare.{field}"
                ) from error
        if self._names.latches:
            watch(self._names.latches, self._take, self._on_gone)

    async def arm(self, axis: Axis, compare: Compare) -> None:
        """Gets ready for a sweep and forgets the latches of the last. Raises MotionError."""
        names = self._names
        self._cleared_ns = None
        await write(names.arm, 0)
        await write(names.axis, axis)
        await write(names.first, float(compare.first_mm))
        await write(names.step, float(compare.step_mm))
        await write(names.count, compare.count)  # clears the latches
        await self._require_taken(axis, compare)
        if names.latches:
            # News of the last sweep may still be on the way: they are older than this.
            self._known, self._cleared_ns = 0, await self._when_cleared()
        await write(names.arm, 1)

    async def _require_taken(self, axis: Axis, compare: Compare) -> None:
        """Raises MotionError unless the output has what was written to it, to its rounding."""
        names = self._names
        (first, step, count), compared = await asyncio.gather(
            read_numbers([names.first, names.step, names.count]), read_text(names.axis)
        )
        # Steps that are a little off add up.
        steps_mm = max(compare.count - 1, 1) * abs(step - compare.step_mm)
        for name, wanted, has, same in (
            (names.axis, axis, compared, compared.strip().lower() == axis),
            (
                names.first,
                compare.first_mm,
                first,
                abs(first - compare.first_mm) <= self._tolerance_mm,
            ),
            (names.step, compare.step_mm, step, steps_mm <= self._tolerance_mm),
            (names.count, compare.count, count, count == compare.count),
        ):
            if not same:
                raise MotionError(f"{name} is {has} after {wanted} was written to it")

    async def _when_cleared(self) -> int:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + ANSWER_S
        while np.size((latches := await read(self._names.latches)).value):
            if loop.time() > deadline:
                raise MotionError(f"{self._names.count} does not clear {self._names.latches}")
            await asyncio.sleep(_LOOK_EVERY_S)
        return latches.time_ns

    async def finish(self) -> None:
        """Passes on the last latches, and disarms. Raises MotionGoneError."""
        if self._names.latches:
            self._take(await read(self._names.latches))
            self._cleared_ns = None
        await write(self._names.arm, 0)

    async def disarm(self) -> None:
        """Tells the output to fire no more, whatever has happened."""
        self._cleared_ns = None
        await tell(self._names.arm, 0)

    def _take(self, sample: Sample) -> None:
        if self._cleared_ns is None or sample.time_ns < self._cleared_ns:
            return
        latches = np.array(sample.value, np.float64).reshape(-1)
        positions = latches[: len(latches) // 3 * 3].reshape(-1, 3)
        if len(positions) > self._known:
            first, self._known = self._known, len(positions)
            self._on_latches(first, positions[first:])
