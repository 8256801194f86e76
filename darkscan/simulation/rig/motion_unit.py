"""The simulated motion unit: ``python -m darkscan.simulation.rig.motion_unit FILE``.

Serves the motor records of a rig, its position-compare output and its light by Channel
Access, and tells the simulated camera where the axes are and when the output fires.
Positions follow from the profiles at exact times: how late this process wakes up changes
when somebody is told, never what.
"""

import argparse
import asyncio
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from caproto.asyncio.server import Context

from darkscan.drivers.rig.tables import AxisSettings, CompareSettings
from darkscan.pipeline.core.errors import DarkscanError, ExitCode
from darkscan.pipeline.transport.station import die_with
from darkscan.simulation.rig._axis import Axis
from darkscan.simulation.rig._channels import (
    Channel,
    choice,
    number,
    post,
    text,
    waveform,
    whole,
)
from darkscan.simulation.rig._motor_record import MotorRecord, Setup
from darkscan.simulation.rig._position_compare import PositionCompare
from darkscan.simulation.rig._shared import SharedRig
from darkscan.simulation.rig._unit_process import READY, MotionUnitSettings

MOST_TRIGGERS = 10_000
"""The most positions that are latched after one arming."""

_NS = 1_000_000_000
_TICK_S = 0.01
_TOLD_EVERY_NS = 5_000_000
_LATCHES_EVERY_NS = 60_000_000
_UNLIMITED = (-1000.0, 1000.0)
_OVERTRAVEL_MM = 5.0


class MotionUnit:
    """Three axes (the third one without a record, where the rig has none) and what they drive."""

    def __init__(self, settings: MotionUnitSettings) -> None:
        self._shared = (
            None if settings.shared_rig is None else SharedRig.attach(settings.shared_rig)
        )
        self._deviates = np.random.default_rng([settings.simulation.seed, 1])
        self._noise_um = settings.simulation.readback_noise_um
        self._settings = settings
        self._wake = asyncio.Event()
        self._told_ns = time.time_ns()
        motion = settings.motion
        axes = (motion.x, motion.y, motion.z)
        self._axes = [
            self._axis(axis, start) for axis, start in zip(axes, settings.start_mm, strict=True)
        ]
        self._records = [
            self._record(axis, mover)
            for axis, mover in zip(axes, self._axes, strict=True)
            if axis is not None
        ]
        self._compare = PositionCompare(self._axes, self._fire, self._records[0].noise_mm)
        self._latches = waveform(3 * MOST_TRIGGERS)
        self._latches_posted_ns = 0
        self.channels: dict[str, Channel] = {}
        for record in self._records:
            self.channels |= record.channels
        if motion.compare is not None:
            self.channels |= self._compare_channels(motion.compare)
        if switch := settings.illumination_switch:
            self.channels[switch] = choice("on", ("off", "on"), self._on_light)
        if self._shared is not None:
            self._shared.move(self._told_ns, self._positions(self._told_ns))

    async def run(self) -> None:
        """Keeps clients and camera informed, as often as something moves."""
        while True:
            self._wake.clear()
            now_ns = self.advance()
            await self._post(now_ns)
            ends = [end_ns for axis in self._axes if (end_ns := axis.profile.end_ns) > now_ns]
            if ends:
                await asyncio.sleep(min(_TICK_S, (min(ends) - now_ns) / _NS))
            else:
                await self._wake.wait()

    def advance(self) -> int:
        """Brings axes, camera and compare output up to date; returns the time, ns."""
        now_ns = max(time.time_ns(), self._told_ns)
        for axis in self._axes:
            axis.advance(now_ns)
        self._tell(now_ns)
        self._compare.advance(now_ns)
        return now_ns

    def _axis(self, settings: AxisSettings | None, start: float) -> Axis:
        low, high = _limits(settings)
        travel = (low - _OVERTRAVEL_MM, high + _OVERTRAVEL_MM)
        return Axis(start, travel, self._settings.simulation.time_scale)

    def _record(self, settings: AxisSettings, axis: Axis) -> MotorRecord:
        motion = self._settings.motion
        setup = Setup(
            limits=_limits(settings),
            velocity=motion.velocity_mm_s,
            seconds=motion.velocity_mm_s / motion.acceleration_mm_s2,
            noise_um=self._noise_um,
        )
        return MotorRecord(
            settings.record,
            axis,
            setup,
            draw=lambda: float(self._deviates.standard_normal()),
            before_change=self.advance,
            after_change=self._wake.set,
        )

    def _positions(self, time_ns: int) -> tuple[float, float, float]:
        x, y, z = (axis.position(time_ns) for axis in self._axes)
        return x, y, z

    def _fire(self, time_ns: int, positions: tuple[float, float, float]) -> None:
        if self._shared is not None:
            self._shared.trigger(time_ns, positions)

    def _tell(self, now_ns: int) -> None:
        """Tells the camera of every bend of the axes' profiles since the last time, and between."""
        told_ns, self._told_ns = self._told_ns, now_ns
        profiles = [axis.profile for axis in self._axes if axis.profile.end_ns > told_ns]
        if self._shared is None or not profiles:
            return
        first_ns = max(told_ns, min(profile.start_ns for profile in profiles))
        bends = {piece.start_ns for profile in profiles for piece in profile.pieces}
        last_ns = min(now_ns, max(profile.end_ns for profile in profiles))
        moments = bends | set(range(first_ns, last_ns, _TOLD_EVERY_NS)) | {last_ns}
        for moment in sorted(moments):
            if told_ns < moment <= now_ns:
                self._shared.move(moment, self._positions(moment))

    async def _post(self, now_ns: int) -> None:
        new_latches = len(self._compare.latches) != len(self._latches.value)
        moving = any(axis.profile.moving(now_ns) for axis in self._axes)
        due = now_ns - self._latches_posted_ns >= _LATCHES_EVERY_NS
        if new_latches and (due or not moving):  # all of them, before a record says it is done
            await self._post_latches(now_ns)
        for record in self._records:
            await record.post(now_ns)

    async def _post_latches(self, now_ns: int) -> None:
        self._latches_posted_ns = now_ns
        await post(self._latches, list(self._compare.latches), now_ns)

    def _compare_channels(self, names: CompareSettings) -> dict[str, Channel]:
        channels = {
            names.axis: text("x", self._on_axis),
            names.first: number(0.0, self._on_first),
            names.step: number(1.0, self._on_step),
            names.count: whole(0, self._on_count),
            names.arm: whole(0, self._on_arm),
        }
        return {**channels, names.latches: self._latches} if names.latches else channels

    async def _on_axis(self, value: str) -> None:
        if value not in {"x", "y"}:
            raise ValueError(f"no such axis: {value!r:.20}")
        self.advance()
        self._compare.axis = value

    async def _on_first(self, value: float) -> None:
        self.advance()
        self._compare.first = float(value)

    async def _on_step(self, value: float) -> None:
        self.advance()
        self._compare.step = float(value)

    async def _on_count(self, value: int) -> None:
        if not 0 <= value <= MOST_TRIGGERS:
            raise ValueError(f"not 0...{MOST_TRIGGERS}: {value}")
        now_ns = self.advance()
        self._compare.count = int(value)
        self._compare.clear()
        await self._post_latches(now_ns)

    async def _on_arm(self, value: int) -> None:
        now_ns = self.advance()
        if value:
            self._compare.arm(now_ns)
        else:
            self._compare.disarm()

    async def _on_light(self, word: str) -> None:
        if self._shared is not None:
            self._shared.light = word == "on"


def _limits(settings: AxisSettings | None) -> tuple[float, float]:
    if settings is None or settings.limits_mm is None:
        return _UNLIMITED
    return float(settings.limits_mm[0]), float(settings.limits_mm[1])


async def _serve(settings: MotionUnitSettings) -> None:
    unit = MotionUnit(settings)
    context: Any = Context(unit.channels)

    async def when_started(_library: Any) -> None:
        for listening in context.tcp_sockets.values():
            # Inherited by the clients' sockets: of several answers all but the first would wait
            # for the client's acknowledgement, 40 ms.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Whoever waits for us may search for the records now.
        sys.stdout.buffer.write(READY)
        sys.stdout.buffer.flush()

    server = asyncio.ensure_future(context.run(startup_hook=when_started))
    mover = asyncio.ensure_future(unit.run())
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, server.cancel)
    await asyncio.wait({server, mover}, return_when=asyncio.FIRST_COMPLETED)
    mover.cancel()
    server.cancel()
    for task in (mover, server):
        if not task.cancelled() and task.done() and (error := task.exception()) is not None:
            raise error


def main() -> int:
    """Serves until it is told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(prog="darkscan.simulation.rig.motion_unit")
    parser.add_argument("settings", type=Path, help="what the simulated rig wrote")
    try:
        settings = MotionUnitSettings.read(parser.parse_args().settings)
        if settings.parent is not None:
            die_with(settings.parent)
        asyncio.run(_serve(settings))
    except DarkscanError as error:
        print(f"darkscan: error: {error}", file=sys.stderr)  # noqa: T201 - for whoever started us
        return error.exit_code
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
