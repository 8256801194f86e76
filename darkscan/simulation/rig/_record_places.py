"""The places of a simulated motor record: setpoints, readbacks, limits, and what they hang on."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from caproto import ChannelAlarm

from darkscan.simulation.rig._axis import Axis
from darkscan.simulation.rig._channels import (
    choice,
    number,
    post,
    post_changed,
    text,
    whole,
)
from darkscan.simulation.rig._coordinates import Coordinates

RESOLUTION_MM = 1e-4
PRECISION = 4
_UNITS = "mm"

OnPlace = Callable[[float], Awaitable[None]]


class Callbacks(NamedTuple):
    """The functions of the record that its places call."""

    on_val: OnPlace
    """Carries out an order in user coordinates."""
    on_dval: OnPlace
    """Carries out an order in dial coordinates."""
    before_change: Callable[[], int]
    """Brings the simulation up to date and gives its time, ns."""
    noise_mm: Callable[[], float]
    """Gives an error of a measured position."""


class RecordPlaces:
    """The channels of a record's places; they follow OFF, DIR and MRES as the real ones do."""

    def __init__(
        self, axis: Axis, limits: tuple[float, float], callbacks: Callbacks, alarm: ChannelAlarm
    ) -> None:
        """``limits``: the soft limits, mm."""
        self._axis = axis
        self._before, self._noise_mm = callbacks.before_change, callbacks.noise_mm
        self.coordinates = Coordinates(RESOLUTION_MM, RESOLUTION_MM)
        start = axis.profile.end
        places: dict[str, Any] = {
            "units": _UNITS,
            "precision": PRECISION,
            "lower_ctrl_limit": limits[0],
            "upper_ctrl_limit": limits[1],
        }
        self.val = number(start, callbacks.on_val, alarm=alarm, **places)
        self.rbv = number(start, alarm=alarm, **places)
        self.dval, self.drbv = number(start, callbacks.on_dval, **places), number(start, **places)
        self.rrbv = whole(round(start / RESOLUTION_MM))
        self.low, self.high = number(limits[0], self._on_low), number(limits[1], self._on_high)
        self.dial_low = number(limits[0], self._on_dial_low)
        self.dial_high = number(limits[1], self._on_dial_high)
        self.off = number(0.0, self._on_off)
        self.dir = choice("Pos", ("Pos", "Neg"), self._on_dir)
        self.foff = choice("Variable", ("Variable", "Frozen"))
        self.mres = number(RESOLUTION_MM, self._on_mres)
        self.egu = text(_UNITS, self._on_egu)

    async def rename(self, value: float) -> None:
        """SET is on: VAL says what the place is called from now on."""
        if self.foff.value == "Frozen":
            await self.load(self.coordinates.dial_of(value))
            return
        self.coordinates.offset = value - self.dval.value * self.coordinates.direction
        await post(self.val, value, time.time_ns())
        await self._post_offset()

    async def load(self, dial: float) -> None:
        """SET is on: the controller is told where it is."""
        now_ns, coordinates = self._before(), self.coordinates
        coordinates.load(dial, self._axis.position(now_ns))
        await post(self.dval, dial, now_ns)
        if self.foff.value == "Frozen":
            await post(self.val, coordinates.user_of(dial), now_ns)
        else:
            coordinates.offset = self.val.value - dial * coordinates.direction
        await self._post_offset()

    async def _post_offset(self) -> None:
        """Readback and limits follow the coordinates."""
        now_ns, coordinates = time.time_ns(), self.coordinates
        await post_changed(self.off, coordinates.offset, now_ns)
        await self.post(now_ns)
        if self.dial_low.value == self.dial_high.value == 0.0:
            return
        ends = [coordinates.user_of(end.value) for end in (self.dial_low, self.dial_high)]
        await post_changed(self.low, min(ends), now_ns)
        await post_changed(self.high, max(ends), now_ns)
        await self.val.write_metadata(lower_ctrl_limit=min(ends), upper_ctrl_limit=max(ends))

    async def _on_off(self, offset: float) -> None:
        self.coordinates.offset = offset
        await post(self.val, self.coordinates.user_of(self.dval.value), time.time_ns())
        await self._post_offset()

    async def _on_dir(self, word: str) -> None:
        coordinates = self.coordinates
        coordinates.direction = 1 if word == "Pos" else -1
        if self.foff.value == "Frozen":
            await post(self.val, coordinates.user_of(self.dval.value), time.time_ns())
        else:
            coordinates.offset = self.val.value - self.dval.value * coordinates.direction
        await self._post_offset()

    async def _on_mres(self, resolution: float) -> None:
        """Steps become larger or smaller; the dial stays where it is."""
        if not resolution:
            raise ValueError("a step of no size")
        now_ns = self._before()
        true_mm = self._axis.position(now_ns)
        dial = self.coordinates.dial(true_mm)
        self.coordinates.resolution = resolution
        self.coordinates.load(dial, true_mm)

    async def _on_egu(self, unit: str) -> None:
        for channel in (self.val, self.rbv, self.dval, self.drbv):
            await channel.write_metadata(units=unit)

    async def settle(self) -> None:
        """After a stop the setpoint is where the axis comes to rest."""
        dial = self.coordinates.dial(self._axis.profile.end)
        await post_changed(self.dval, dial, time.time_ns())
        await post_changed(self.val, self.coordinates.user_of(dial), time.time_ns())

    async def _on_low(self, value: float) -> None:
        await self._set_limit(self.coordinates.dial_of(value), low=True, user=True)

    async def _on_high(self, value: float) -> None:
        await self._set_limit(self.coordinates.dial_of(value), low=False, user=True)

    async def _on_dial_low(self, value: float) -> None:
        await self._set_limit(value, low=True, user=False)

    async def _on_dial_high(self, value: float) -> None:
        await self._set_limit(value, low=False, user=False)

    async def _set_limit(self, dial: float, *, low: bool, user: bool) -> None:
        if user and self.coordinates.direction < 0:  # they change places
            low = not low
        await post(self.dial_low if low else self.dial_high, dial, time.time_ns())
        await self._post_offset()

    async def post(self, time_ns: int) -> None:
        """Measures where the axis is, and tells the clients."""
        dial = self.coordinates.dial(self._axis.position(time_ns) + self._noise_mm())
        user = self.coordinates.user_of(dial)
        if self._axis.echoing:  # nothing moves, and the user readback says what was ordered
            dial, user = self.drbv.value, self.val.value
        await post(self.rrbv, round(dial / self.mres.value), time_ns)
        await post(self.drbv, dial, time_ns)
        await post(self.rbv, user, time_ns)
