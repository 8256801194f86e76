"""The guard's own process, see ``guard``: ``python -m darkscan.drivers.motion._guard_process``."""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

from darkscan.drivers.motion._channel_access import missing, silence, tell
from darkscan.drivers.motion.guard import MOVING, READY

_LOOK_S = 0.05
_SILENT_S = 0.22
_STARVED_S = 1.0
"""A principal that has nothing of the processor for so long is taken for one that hangs."""


class _Guard:
    """Stops the axes once when the principal falls silent while they move."""

    def __init__(self, task: dict[str, list[str]], principal: int) -> None:
        self._task = task
        self._principal = principal
        self._heard = time.monotonic()
        self._moving = False
        self._ended = False

    async def watch(self) -> None:
        """Returns when the principal is gone, or has closed its end."""
        os.set_blocking(0, False)
        while not self._ended:
            await asyncio.sleep(_LOOK_S)
            self._listen()
            if self._moving and (self._ended or self._is_silent()):
                self._moving = False  # until it is heard again
                await self._stop()

    def _listen(self) -> None:
        try:
            words = os.read(0, 4096)
        except BlockingIOError:
            return
        self._heard = time.monotonic()
        self._ended = not words
        if words:
            self._moving = words[-1:] == MOVING

    def _is_silent(self) -> bool:
        silent_s = time.monotonic() - self._heard
        if silent_s < _SILENT_S:
            return False
        return silent_s > _STARVED_S or _is_suspended(self._principal)

    async def _stop(self) -> None:
        silent_s = time.monotonic() - self._heard
        why = "is gone" if self._ended else f"has been silent for {silent_s:.2f} s"
        os.write(2, f"the guard stops the axes: the process that moves them {why}\n".encode())
        stops = [tell(name, 1) for name in self._task["stop"]]
        quiets = [tell(name, 0) for name in self._task["quiet"]]
        await asyncio.gather(*stops, *quiets)


def _is_suspended(process: int) -> bool:
    """Whether it is stopped by a signal or a debugger, or is no more."""
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    except OSError:
        return True
    return state.split()[0] in {"T", "t", "Z", "X"}


async def _main() -> int:
    task = json.loads(sys.argv[1])
    silence()
    if await missing([*task["stop"], *task["quiet"]], seconds=task["seconds"]):
        return 1
    try:
        os.write(1, READY)
    except BrokenPipeError:
        return 0  # nothing had moved
    await _Guard(task, task["principal"]).watch()
    return 0


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends after its principal
    sys.exit(asyncio.run(_main()))
