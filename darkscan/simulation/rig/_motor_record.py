"""A motor record before a simulated axis, as far as clients of a motor record need it.

It obeys its switches as the real one does: with SET on it gives its place another name instead
of moving, with DISA as DISV it does nothing, with DISP it takes no orders, and so on.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import NamedTuple

from caproto import AlarmSeverity, AlarmStatus, ChannelAlarm

from darkscan.simulation.rig._axis import Axis, Fault, no_place
from darkscan.simulation.rig._channels import (
    Channel,
    KeepOldValue,
    choice,
    number,
    post,
    post_changed,
    refusing,
    text,
    whole,
)
from darkscan.simulation.rig._record_places import PRECISION, RESOLUTION_MM, Callbacks, RecordPlaces

# Bits of MSTA.
_UPWARDS = 1 << 0
_DONE = 1 << 1
_PLUS_LIMIT = 1 << 2
_POWERED = 1 << 5
_STALL = 1 << 6
_ENCODER = 1 << 8
_PROBLEM = 1 << 9
_MOVING = 1 << 10
_SWITCHES_POWER = 1 << 11
_MINUS_LIMIT = 1 << 13
_HOMED = 1 << 14

_PAUSE_WORDS = ("Stop", "Pause", "Move", "Go")
_NO_YES = ("No", "Yes")
_HOLDS = {"Stop", "Pause"}
_SEVERITIES = ("NO_ALARM", "MINOR", "MAJOR", "INVALID")
_FAULTS = tuple(fault.value for fault in Fault)
_SLOWEST_RAMP_S = 0.1  # what the record takes for an ACCL that is none


class Setup(NamedTuple):
    """The values that a record has at first."""

    limits: tuple[float, float]
    """Soft limits, mm."""
    velocity: float
    """mm/s."""
    seconds: float
    """The time that the axis takes to reach its velocity, s."""
    noise_um: float
    """Standard deviation of the readback."""


class MotorRecord:
    """The process variables of one motor record.

    Beside the record's fields there are, for tests, ``NAME:FAULT`` (a word of ``Fault``),
    ``NAME:FAULT_AT`` (where it strikes, mm, written before the fault; not a number: at once)
    and ``NAME:NOISE`` (of the readback, um).
    """

    def __init__(
        self,
        name: str,
        axis: Axis,
        setup: Setup,
        *,
        draw: Callable[[], float],
        before_change: Callable[[], int],
        after_change: Callable[[], None],
    ) -> None:
        """Serves ``axis`` under ``name``.

        ``draw`` gives standard normal deviates. ``before_change`` brings the simulation up to
        date and returns its time, ns; ``after_change`` sets it in motion.
        """
        self.axis = axis
        self._draw = draw
        self._before, self._after = before_change, after_change
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._still = asyncio.Event()
        self._still.set()
        self._violation = False
        self._waits = False
        """Whether an order waits for SPMG."""

        self._alarm = ChannelAlarm()
        callbacks = Callbacks(self._on_val, self._on_dval, before_change, self.noise_mm)
        self._places = RecordPlaces(axis, setup.limits, callbacks, self._alarm)
        self._make_moving(setup.velocity, setup.seconds)
        self._make_switches()
        self._fault_at = number(math.nan)
        self._noise = number(setup.noise_um)
        fields = self._fields()
        for field, channel in fields.items():
            if field != ".DISP":
                refusing(channel, lambda: bool(self._disp.value))
        self.channels = {
            name + field: channel
            for field, channel in {
                **fields,
                ":FAULT": choice("none", _FAULTS, self._on_fault),
                ":FAULT_AT": self._fault_at,
                ":NOISE": self._noise,
            }.items()
        }

    def _make_moving(self, velocity: float, seconds: float) -> None:
        self._velo, self._vbas = number(velocity, self._on_velo), number(0.0)
        self._vmax = number(2.0 * velocity)
        self._accl = number(seconds, self._on_accl)
        self._rdbd = number(5e-3, self._on_rdbd)
        self._dmov, self._movn, self._msta = whole(1), whole(0), whole(0)
        self._lvio, self._hls, self._lls, self._tdir = whole(0), whole(0), whole(0), whole(1)

    def _make_switches(self) -> None:
        self._stop = whole(0, self._on_stop)
        self._spmg = choice("Go", _PAUSE_WORDS, self._on_pause)
        self._set = choice("Use", ("Use", "Set"))
        self._stup = choice("OFF", ("OFF", "ON", "BUSY"), self._on_stup)
        self._cnen = choice("Enable", ("Disable", "Enable"), self._on_cnen)
        self._disp, self._disa, self._disv = whole(0), whole(0), whole(1)
        self._udf = whole(0, self._on_udf)
        self._sevr = choice("NO_ALARM", _SEVERITIES)
        self._stat = text("NO_ALARM")  # a menu, but of more words than caproto's have

    def _fields(self) -> dict[str, Channel]:
        return {
            "": self._places.val,
            ".VAL": self._places.val,
            ".RBV": self._places.rbv,
            ".DVAL": self._places.dval,
            ".DRBV": self._places.drbv,
            ".RRBV": self._places.rrbv,
            ".DMOV": self._dmov,
            ".MOVN": self._movn,
            ".MSTA": self._msta,
            ".TDIR": self._tdir,
            ".VELO": self._velo,
            ".VBAS": self._vbas,
            ".VMAX": self._vmax,
            ".ACCL": self._accl,
            ".LLM": self._places.low,
            ".HLM": self._places.high,
            ".DLLM": self._places.dial_low,
            ".DHLM": self._places.dial_high,
            ".LVIO": self._lvio,
            ".LLS": self._lls,
            ".HLS": self._hls,
            ".STOP": self._stop,
            ".SPMG": self._spmg,
            ".STUP": self._stup,
            ".CNEN": self._cnen,
            ".DISP": self._disp,
            ".DISA": self._disa,
            ".DISV": self._disv,
            ".UDF": self._udf,
            ".STAT": self._stat,
            ".SEVR": self._sevr,
            ".EGU": self._places.egu,
            ".DESC": text("simulated axis"),
            ".OUT": text("@simulated"),
            ".RTYP": text("motor"),
            ".PREC": whole(PRECISION),
            ".MRES": self._places.mres,
            ".ERES": number(RESOLUTION_MM),
            ".RRES": number(RESOLUTION_MM),
            ".SREV": whole(200),
            ".UREV": number(200 * RESOLUTION_MM),
            ".UEIP": choice("No", _NO_YES),
            ".URIP": choice("No", _NO_YES),
            ".RDBD": self._rdbd,
            ".RTRY": whole(10),
            ".MISS": whole(0),
            ".OFF": self._places.off,
            ".DIR": self._places.dir,
            ".FOFF": self._places.foff,
            ".SET": self._set,
        }

    def noise_mm(self) -> float:
        """An error of a measured position."""
        return float(self._noise.value) * 1e-3 * self._draw()

    async def post(self, time_ns: int) -> None:
        """Tells the clients what has changed; a frozen record tells nothing."""
        axis = self.axis
        if axis.frozen:
            self._thawed.clear()
            return
        self._thawed.set()
        moving = axis.profile.moving(time_ns)
        await self._post_state(time_ns, moving=moving)
        was_still = self._still.is_set()
        if moving or not was_still:
            await self._places.post(time_ns)
        # A status that was asked for is waited for before a move is said to be done.
        busy = moving or self._waits or (not was_still and self._stup.value == "BUSY")
        if busy:
            self._still.clear()
        await post_changed(self._movn, int(moving), time_ns)
        await post_changed(self._dmov, int(not busy), time_ns)
        if busy:
            return
        if not was_still and self._spmg.value == "Move":  # that was the one
            await post(self._spmg, "Pause", time_ns)
        self._still.set()

    async def _post_state(self, time_ns: int, *, moving: bool) -> None:
        axis = self.axis
        _, velocity = axis.profile.at(time_ns)
        upwards = velocity > 0 or (velocity == 0 and bool(self._tdir.value))
        plus, minus = axis.at_high(time_ns), axis.at_low(time_ns)
        bits = (
            (_UPWARDS, upwards),
            (_DONE, not moving),
            (_PLUS_LIMIT, plus),
            (_STALL | _PROBLEM, axis.problem),
            (_ENCODER | _SWITCHES_POWER, True),
            (_POWERED, self._cnen.value == "Enable"),
            (_MOVING, moving),
            (_MINUS_LIMIT, minus),
            (_HOMED, axis.homed),
        )
        same_way = (self._places.coordinates.direction > 0) == (self._places.mres.value >= 0)
        high, low = (plus, minus) if same_way else (minus, plus)
        status, severity = self._alarm_of(high=high, low=low)
        if (self._alarm.status, self._alarm.severity) != (status, severity):
            await self._alarm.write(status=status, severity=severity)
            await post(self._stat, status.name, time_ns)
            await post(self._sevr, _SEVERITIES[severity], time_ns)
        await post_changed(self._tdir, int(upwards), time_ns)
        await post_changed(self._hls, int(high), time_ns)
        await post_changed(self._lls, int(low), time_ns)
        await post_changed(self._lvio, int(self._violation), time_ns)
        await post_changed(self._msta, sum(bit for bit, is_set in bits if is_set), time_ns)

    def _alarm_of(self, *, high: bool, low: bool) -> tuple[AlarmStatus, AlarmSeverity]:
        if self._udf.value:
            return AlarmStatus.UDF, AlarmSeverity.INVALID_ALARM
        if self.axis.unreached:
            return AlarmStatus.COMM, AlarmSeverity.INVALID_ALARM
        if self.axis.problem:
            return AlarmStatus.STATE, AlarmSeverity.MAJOR_ALARM
        if high or low:
            return (AlarmStatus.HIGH if high else AlarmStatus.LOW), AlarmSeverity.MAJOR_ALARM
        if self._violation:
            return AlarmStatus.SOFT, AlarmSeverity.MINOR_ALARM
        return AlarmStatus.NO_ALARM, AlarmSeverity.NO_ALARM

    @property
    def _disabled(self) -> bool:
        """Whether a value that is written is kept, but has no effect."""
        return bool(self._disa.value == self._disv.value)

    async def _on_val(self, target: float) -> None:
        """Moves; returns, and so completes the client's put, when the move has ended."""
        if self._disabled:
            return
        if self._set.value == "Set":
            await self._places.rename(target)
            raise KeepOldValue
        now_ns = self._before()
        low, high = self._places.low.value, self._places.high.value
        self._violation = not low <= target <= high and low != high
        if self._violation:
            await self.post(now_ns)
            raise KeepOldValue
        await post(self._places.val, target, now_ns)
        await post(self._places.dval, self._places.coordinates.dial_of(target), now_ns)
        if self._spmg.value in _HOLDS:
            self._waits = True
            await self.post(now_ns)
        else:
            await self._go(now_ns)
        self._after()
        await self._still.wait()
        await self._thawed.wait()  # a frozen record never says that it has arrived
        raise KeepOldValue

    async def _on_dval(self, target: float) -> None:
        if self._disabled:
            return
        if self._set.value == "Set":
            await self._places.load(target)
            raise KeepOldValue
        await self._on_val(self._places.coordinates.user_of(target))

    async def _go(self, now_ns: int) -> None:
        self._waits = False
        coordinates = self._places.coordinates
        if self.axis.echoing:
            await self._places.post(now_ns)
        elif self._cnen.value == "Enable" and not self._udf.value:
            scale = abs(coordinates.true_per_dial)
            self.axis.go(
                now_ns,
                coordinates.true(coordinates.dial_of(float(self._places.val.value))),
                velocity=float(self._velo.value) * scale,
                seconds=float(self._accl.value),
                base=float(self._vbas.value) * scale,
            )
        await self.post(now_ns)

    async def _on_velo(self, velocity: float) -> None:
        """Clips the speed as the record does."""
        fastest = float(self._vmax.value)
        clipped = max(velocity, float(self._vbas.value))
        await post(self._velo, min(clipped, fastest) if fastest else clipped, time.time_ns())
        raise KeepOldValue

    async def _on_accl(self, seconds: float) -> None:
        await post(self._accl, seconds if seconds > 0.0 else _SLOWEST_RAMP_S, time.time_ns())
        raise KeepOldValue

    async def _on_rdbd(self, deadband: float) -> None:
        await post(self._rdbd, max(deadband, abs(self._places.mres.value)), time.time_ns())
        raise KeepOldValue

    async def _on_stop(self, value: int) -> None:
        if value and not self._disabled:
            self._waits = False
            self.axis.stop(self._before())
            self._after()
            await self._places.settle()
        raise KeepOldValue

    async def _on_pause(self, word: str) -> None:
        if self._disabled:
            return
        now_ns = self._before()
        if word in _HOLDS:
            self.axis.stop(now_ns)
        if word == "Stop":
            await self._places.settle()
        if word not in _HOLDS and (self._waits or self._spmg.value == "Pause"):
            await self._go(now_ns)
        self._after()

    async def _on_stup(self, word: str) -> None:
        self._after()
        if word == "ON":  # the status comes at once
            raise KeepOldValue

    async def _on_cnen(self, word: str) -> None:
        if word == "Disable":
            self.axis.stop(self._before())
        self._after()

    async def _on_udf(self, _value: int) -> None:
        self._after()

    async def _on_fault(self, word: str) -> None:
        now_ns = self._before()
        self.axis.fail(now_ns, Fault(word), no_place(float(self._fault_at.value)))
        self._after()
        await self.post(now_ns)
        if not self.axis.frozen:
            await self._places.post(now_ns)
