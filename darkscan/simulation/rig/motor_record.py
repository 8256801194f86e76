"""A motor record before a simulated axis, as far as clients of a motor record need it."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

from caproto import AlarmSeverity, AlarmStatus, ChannelAlarm

from darkscan.simulation.rig.axis import Axis, Fault, no_place
from darkscan.simulation.rig.channels import (
    Channel,
    KeepOldValue,
    choice,
    number,
    post,
    post_changed,
    text,
    whole,
)

RESOLUTION_MM = 1e-4
_UNITS, _PRECISION = "mm", 4

# Bits of MSTA.
_UPWARDS = 1 << 0
_DONE = 1 << 1
_PLUS_LIMIT = 1 << 2
_STALL = 1 << 6
_ENCODER = 1 << 8
_PROBLEM = 1 << 9
_MOVING = 1 << 10
_MINUS_LIMIT = 1 << 13
_HOMED = 1 << 14

_PAUSE_WORDS = ("Stop", "Pause", "Move", "Go")
_SEVERITIES = ("NO_ALARM", "MINOR", "MAJOR", "INVALID")
_FAULTS = tuple(fault.value for fault in Fault)


class MotorRecord:
    """The process variables of one motor record.

    Beside the record's fields there are, for tests, ``NAME:FAULT`` (none, limit, problem,
    frozen or unhomed), ``NAME:FAULT_AT`` (where it strikes, mm, written before the fault;
    not a number: at once) and ``NAME:NOISE`` (of the readback, um).
    """

    def __init__(
        self,
        name: str,
        axis: Axis,
        *,
        limits: tuple[float, float],
        velocity: float,
        seconds: float,
        noise_um: float,
        draw: Callable[[], float],
        before_change: Callable[[], int],
        after_change: Callable[[], None],
    ) -> None:
        """Serves ``axis`` under ``name``; velocity mm/s, seconds to velocity.

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
        start = axis.profile.end
        self._alarm = ChannelAlarm()
        places: dict[str, Any] = {
            "units": _UNITS,
            "precision": _PRECISION,
            "lower_ctrl_limit": limits[0],
            "upper_ctrl_limit": limits[1],
        }
        self._val = number(start, self._on_val, alarm=self._alarm, **places)
        self._rbv = number(start, alarm=self._alarm, **places)
        self._dval, self._drbv = number(start, self._on_val, **places), number(start, **places)
        self._velo, self._vbas, self._accl = number(velocity), number(0.0), number(seconds)
        self._vmax = number(2.0 * velocity)
        self._low, self._high = number(limits[0], self._on_low), number(limits[1], self._on_high)
        self._dial_low = number(limits[0], self._on_low)
        self._dial_high = number(limits[1], self._on_high)
        self._dmov, self._movn, self._msta = whole(1), whole(0), whole(0)
        self._lvio, self._hls, self._lls, self._tdir = whole(0), whole(0), whole(0), whole(1)
        self._stop = whole(0, self._on_stop)
        self._spmg = choice("Go", _PAUSE_WORDS, self._on_pause)
        self._sevr = choice("NO_ALARM", _SEVERITIES)
        self._stat = choice("NO_ALARM", [status.name for status in AlarmStatus][:16])
        self._fault_at = number(math.nan)
        self._noise = number(noise_um)
        fields: dict[str, Channel] = {
            "": self._val,
            ".VAL": self._val,
            ".RBV": self._rbv,
            ".DVAL": self._dval,
            ".DRBV": self._drbv,
            ".DMOV": self._dmov,
            ".MOVN": self._movn,
            ".MSTA": self._msta,
            ".TDIR": self._tdir,
            ".VELO": self._velo,
            ".VBAS": self._vbas,
            ".VMAX": self._vmax,
            ".ACCL": self._accl,
            ".LLM": self._low,
            ".HLM": self._high,
            ".DLLM": self._dial_low,
            ".DHLM": self._dial_high,
            ".LVIO": self._lvio,
            ".LLS": self._lls,
            ".HLS": self._hls,
            ".STOP": self._stop,
            ".SPMG": self._spmg,
            ".STAT": self._stat,
            ".SEVR": self._sevr,
            ".EGU": text(_UNITS),
            ".DESC": text("simulated axis"),
            ".OUT": text("@simulated"),
            ".RTYP": text("motor"),
            ".PREC": whole(_PRECISION),
            ".MRES": number(RESOLUTION_MM),
            ".ERES": number(RESOLUTION_MM),
            ".SREV": whole(200),
            ".UREV": number(200 * RESOLUTION_MM),
            ".RDBD": number(5e-3),
            ".OFF": number(0.0),
            ".DIR": choice("Pos", ("Pos", "Neg")),
            ".FOFF": choice("Variable", ("Variable", "Frozen")),
            ".SET": choice("Use", ("Use", "Set")),
            ":FAULT": choice("none", _FAULTS, self._on_fault),
            ":FAULT_AT": self._fault_at,
            ":NOISE": self._noise,
        }
        self.channels = {name + field: channel for field, channel in fields.items()}

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
            measured = axis.position(time_ns) + self.noise_mm()
            await post(self._drbv, measured, time_ns)
            await post(self._rbv, measured, time_ns)
        if moving:
            self._still.clear()
        await post_changed(self._movn, int(moving), time_ns)
        await post_changed(self._dmov, int(not moving), time_ns)
        if not moving:
            self._still.set()

    async def _post_state(self, time_ns: int, *, moving: bool) -> None:
        axis = self.axis
        _, velocity = axis.profile.at(time_ns)
        upwards = velocity > 0 or (velocity == 0 and bool(self._tdir.value))
        high, low = axis.at_high(time_ns), axis.at_low(time_ns)
        bits = (
            (_UPWARDS, upwards),
            (_DONE, not moving),
            (_PLUS_LIMIT, high),
            (_STALL | _PROBLEM, axis.problem),
            (_ENCODER, True),
            (_MOVING, moving),
            (_MINUS_LIMIT, low),
            (_HOMED, axis.homed),
        )
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
        if self.axis.problem:
            return AlarmStatus.STATE, AlarmSeverity.MAJOR_ALARM
        if high or low:
            return (AlarmStatus.HIGH if high else AlarmStatus.LOW), AlarmSeverity.MAJOR_ALARM
        if self._violation:
            return AlarmStatus.SOFT, AlarmSeverity.MINOR_ALARM
        return AlarmStatus.NO_ALARM, AlarmSeverity.NO_ALARM

    async def _on_val(self, target: float) -> None:
        """Moves; returns, and so completes the client's put, when the move has ended."""
        now_ns = self._before()
        low, high = self._low.value, self._high.value
        self._violation = not low <= target <= high and low != high
        if self._violation:
            await self.post(now_ns)
            raise KeepOldValue
        for setpoint in (self._val, self._dval):
            await post(setpoint, target, now_ns)
        if self._spmg.value not in {"Stop", "Pause"}:
            self._go(now_ns)
            await self.post(now_ns)
        self._after()
        await self._still.wait()
        await self._thawed.wait()  # a frozen record never says that it has arrived
        raise KeepOldValue

    def _go(self, now_ns: int) -> None:
        velocity = min(float(self._velo.value), float(self._vmax.value))
        self.axis.go(
            now_ns,
            float(self._val.value),
            velocity=velocity,
            seconds=float(self._accl.value),
            base=float(self._vbas.value),
        )

    async def _on_stop(self, value: int) -> None:
        if value:
            self.axis.stop(self._before())
            self._after()
            await self._settle_setpoint()
        raise KeepOldValue

    async def _on_pause(self, word: str) -> None:
        now_ns = self._before()
        if word in {"Stop", "Pause"}:
            self.axis.stop(now_ns)
        if word == "Stop":
            await self._settle_setpoint()
        if word in {"Move", "Go"} and self._spmg.value == "Pause":
            self._go(now_ns)
        self._after()

    async def _settle_setpoint(self) -> None:
        """After a stop the setpoint is where the axis comes to rest."""
        for setpoint in (self._val, self._dval):
            await post_changed(setpoint, self.axis.profile.end, time.time_ns())

    async def _on_low(self, value: float) -> None:
        for limit in (self._low, self._dial_low):
            await post(limit, value, time.time_ns())
        await self._val.write_metadata(lower_ctrl_limit=value)

    async def _on_high(self, value: float) -> None:
        for limit in (self._high, self._dial_high):
            await post(limit, value, time.time_ns())
        await self._val.write_metadata(upper_ctrl_limit=value)

    async def _on_fault(self, word: str) -> None:
        now_ns = self._before()
        self.axis.fail(now_ns, Fault(word), no_place(float(self._fault_at.value)))
        self._after()
        await self.post(now_ns)
