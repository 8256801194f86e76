"""Motion: carries out the orders of acquisition, and stops the axes when anything goes wrong.

A process of its own, the guard, stops them when this one is gone; see ``drivers.motion.guard``.
"""

import asyncio
import json
import signal
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from darkscan.drivers.motion.errors import MotionError, MotionGoneError, UnfitError
from darkscan.drivers.motion.guard import BEAT_S, StopGuard
from darkscan.drivers.motion.history import Times
from darkscan.drivers.motion.record_state import Meaning
from darkscan.drivers.motion.unit import MARGIN_S, MotionUnit
from darkscan.drivers.rig.tables import MotionSettings
from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.errors import DarkscanError, InputError
from darkscan.pipeline.core.files import write_atomically
from darkscan.pipeline.transport.links import Inbox, Outbox
from darkscan.pipeline.transport.messages import (
    Arrived,
    Halt,
    Latched,
    Message,
    MotionReady,
    MotionStopped,
    Move,
    Sweep,
    Track,
)
from darkscan.pipeline.transport.station import Station

_BEAT_S = 0.5
_RETRY_S = 0.5
_END_S = 0.8
_WAS_READY = "motion-was-ready"

_log = structlog.get_logger(__name__)

Work = Callable[[], Coroutine[Any, Any, None]]


class Motion:
    """One order at a time; a new one ends the last. The axes never move without an order."""

    def __init__(
        self,
        run_dir: Path,
        settings: MotionSettings,
        station: Station,
        *,
        margin_s: float = MARGIN_S,
    ) -> None:
        self._settings = settings
        self._station = station
        self._was_ready = run_dir / _WAS_READY
        self._inbox = Inbox(run_dir, "motion")
        self._to_acquisition = Outbox(run_dir, "acquisition")
        self._unit = MotionUnit(
            settings,
            on_track=self._tell_track,
            on_latches=self._tell_latches,
            on_gone=self._on_gone,
            margin_s=margin_s,
            meanings=_read_meanings(self._was_ready),
        )
        self._end = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._order = 0
        self._orders = 0
        self._ready = False
        self._moving = False
        self._guard: StopGuard | None = None
        self._failure: Exception | None = None

    def run(self) -> None:
        """Works until it is told to stop. Raises InputError for axes that cannot be used."""
        try:
            asyncio.run(self._work())
        finally:
            self._inbox.close()
            self._to_acquisition.close(linger_ms=200)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        # In place of the station's handlers, which do not wake this loop.
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._finish)
        if self._station.stopping:  # told before anybody listened
            return
        beating = [asyncio.ensure_future(self._beat()), asyncio.ensure_future(self._reassure())]
        try:
            self._guard = StopGuard.start(self._settings)
            self._begin(self._start)
            loop.add_reader(self._inbox.socket.fileno(), self._take_orders)
            await self._end.wait()
        finally:
            loop.remove_reader(self._inbox.socket.fileno())
            await self._stop_for_good()
            for task in beating:
                task.cancel()
            if self._guard is not None:
                self._guard.close()
        if self._failure is not None:
            raise self._failure

    async def _beat(self) -> None:
        while True:
            self._station.beat(self._orders)
            self._take_orders()  # should the socket ever have failed to wake us
            await asyncio.sleep(_BEAT_S)

    async def _reassure(self) -> None:
        """Tells the guard many times a second that this process is there."""
        while True:
            await asyncio.sleep(BEAT_S)
            if self._guard is None:
                continue
            try:
                self._guard.say(moving=self._moving)
            except MotionGoneError as error:
                self._guard = None
                self._begin(partial(self._give_up, str(error)))

    async def _be_guarded(self) -> None:
        """Returns when the guard has found the axes. Raises MotionGoneError."""
        if self._guard is None:
            self._guard = StopGuard.start(self._settings)
        try:
            await asyncio.to_thread(self._guard.wait_ready)
        except MotionGoneError:
            self._guard = None
            raise

    def _finish(self) -> None:
        self._station.stopping = True
        self._end.set()

    async def _stop_for_good(self) -> None:
        under_way = {self._task} if self._task is not None else set()
        for task in under_way:
            task.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._unit.stop_now(), _END_S)
        for task in under_way:
            task.cancel()
            await asyncio.wait({task}, timeout=_END_S)
        self._unit.forget()

    def _take_orders(self) -> None:
        # The socket wakes us once for all that is there: all of it has to be taken.
        for message in self._inbox.messages():
            if not isinstance(message, Move | Sweep | Halt):
                continue
            if not self._ready:  # nothing moves, and nothing keeps us from finding the unit
                if isinstance(message, Halt):
                    continue  # MotionReady follows when it is found
                self._send(MotionStopped(reason="the motion unit is not ready", gone=True))
            elif isinstance(message, Halt):
                self._begin(partial(self._halt, message.reason))
            else:
                self._begin(partial(self._carry_out, message))

    def _begin(self, work: Work) -> None:
        """Ends what is under way, and then does ``work``."""
        self._task = asyncio.ensure_future(self._after(self._task, work))

    async def _after(self, last: asyncio.Task[None] | None, work: Work) -> None:
        if last is not None and not last.done():
            last.cancel()
            await asyncio.wait({last})
        try:
            await work()
        except MotionGoneError as error:
            await self._recover(str(error))
        except MotionError as error:
            await self._give_up(str(error))
        except Exception as error:  # noqa: BLE001 - raised where run() waits
            self._failure = error
            self._end.set()

    async def _start(self) -> None:
        try:
            await self._unit.connect()
        except InputError as error:
            if not self._was_ready.exists():
                raise
            # A predecessor of this process had found the unit: it may come back.
            await self._recover(str(error))
        else:
            await self._say_ready()

    async def _say_ready(self) -> None:
        self._moving = False
        await self._be_guarded()
        position = await self._unit.position()
        self._ready = True
        _write_meanings(self._was_ready, self._unit.meanings)
        self._send(
            MotionReady(position_mm=position, low_mm=self._unit.low_mm, high_mm=self._unit.high_mm)
        )

    async def _carry_out(self, order: Move | Sweep) -> None:
        self._order = order.order
        await self._be_guarded()
        assert self._guard is not None, "it is there, or _be_guarded had raised"
        self._moving = True
        self._guard.say(moving=True)
        try:
            if isinstance(order, Move):
                position = await self._unit.move(order.target_mm)
            else:
                position = await self._unit.sweep(
                    order.axis, order.end_mm, order.velocity_mm_s, order.compare
                )
        except asyncio.CancelledError:
            with suppress(MotionError):
                await self._unit.stop()
                self._moving = False
            raise
        self._moving = False
        self._orders += 1
        self._send(
            Arrived(
                order=order.order,
                position_mm=position,
                uncertainty_um=self._settings.uncertainty_um,
            )
        )

    async def _halt(self, reason: str) -> None:
        _log.info("halt", reason=reason)
        await self._unit.stop()
        await self._say_ready()

    async def _give_up(self, reason: str) -> None:
        _log.warning("axes stopped", reason=reason)
        try:
            await self._unit.stop()
        except MotionGoneError as error:
            await self._recover(str(error))
            return
        except MotionError as error:
            reason = f"{reason}; {error}"
        else:
            self._moving = False
        self._send(MotionStopped(reason=reason, gone=False))

    def _on_gone(self) -> None:
        reason = "the motion unit does not answer"
        self._say_gone(reason)
        self._begin(partial(self._recover, reason))

    def _say_gone(self, reason: str) -> None:
        if self._ready:  # else it was said
            self._ready = False
            _log.warning("motion unit gone", reason=reason)
            self._send(MotionStopped(reason=reason, gone=True))

    async def _recover(self, reason: str) -> None:
        """Tries until the unit is back and its axes stand still."""
        self._say_gone(reason)
        await self._unit.stop_now()  # an axis that still answers
        while True:
            try:
                await self._unit.connect()
                await self._say_ready()
            except DarkscanError as error:
                _log.info("motion unit not back", reason=str(error))
                if isinstance(error, UnfitError) and error.problem != reason:
                    reason = error.problem  # it is there: somebody has to mend it
                    self._send(MotionStopped(reason=reason, gone=True))
                await asyncio.sleep(_RETRY_S)
            else:
                return

    def _tell_track(self, times_ns: Times, positions_mm: Float64Array) -> None:
        self._send(Track(times_ns=times_ns, positions_mm=positions_mm))

    def _tell_latches(self, first: int, positions_mm: Float64Array) -> None:
        self._send(Latched(order=self._order, first=first, positions_mm=positions_mm))

    def _send(self, message: Message) -> None:
        self._to_acquisition.send(message)


def _write_meanings(file: Path, meanings: Mapping[str, Meaning]) -> None:
    """Leaves what positions hang on for a successor of this process."""
    content = {axis: asdict(meaning) for axis, meaning in meanings.items()}
    write_atomically(file, json.dumps(content).encode())


def _read_meanings(file: Path) -> dict[str, Meaning]:
    """The state that a predecessor of this process left; empty if there was none."""
    if not file.exists():
        return {}
    return {axis: Meaning(**fields) for axis, fields in json.loads(file.read_bytes()).items()}
