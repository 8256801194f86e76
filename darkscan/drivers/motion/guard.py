"""A second holder of the stop: a process that stops the axes when the one that moves them is gone.

The process that moves the axes can be killed or suspended, and a new one takes seconds to find
the records. The guard has found them before anything moves, and hears from its principal
many times a second while axes move.
"""

import json
import os
import subprocess
import sys
from contextlib import suppress
from typing import Self

from darkscan.drivers.motion.errors import MotionGoneError
from darkscan.drivers.rig.tables import MotionSettings

BEAT_S = 0.05
"""How often the principal says that it is there, while axes move."""

MOVING, RESTING, READY = b"m", b"r", b"g"


class StopGuard:
    """The guard's process, as its principal sees it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._moving = False
        self._ready = False

    @classmethod
    def start(cls, settings: MotionSettings) -> Self:
        """Starts it; the axes must not move before ``wait_ready``."""
        axes = (settings.x, settings.y, settings.z)
        stops = [f"{axis.record}.STOP" for axis in axes if axis is not None]
        quiets = [settings.compare.arm] if settings.compare is not None else []
        task = {
            "stop": stops,
            "quiet": quiets,
            "seconds": settings.connect_s,
            "principal": os.getpid(),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "darkscan.drivers.motion._guard_process", json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # what ends its principal's session must not end it
        )
        return cls(process)

    def wait_ready(self) -> None:
        """Waits until it has found the axes. Raises MotionGoneError if it does not find them."""
        if self._ready:
            return
        assert self._process.stdout is not None, "it was started with one"
        if self._process.stdout.read(1) != READY:
            self.close()
            raise MotionGoneError("the guard of the stop does not reach the axes")
        self._ready = True

    def say(self, *, moving: bool) -> None:
        """Says that the principal is there, and whether axes may move.

        Raises MotionGoneError if the guard itself is gone: nothing moves unguarded.
        """
        if moving or self._moving:
            self._write(MOVING if moving else RESTING)
        self._moving = moving

    def close(self) -> None:
        """Ends it; the axes stand still."""
        if self._moving:
            with suppress(MotionGoneError):
                self.say(moving=False)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None, "it was started with both"
            with suppress(OSError):
                pipe.close()
        if not self._ready:  # it may search for long
            self._process.kill()
        self._process.wait()

    def _write(self, word: bytes) -> None:
        assert self._process.stdin is not None, "it was started with one"
        try:
            self._process.stdin.write(word)
            self._process.stdin.flush()
        except OSError as error:
            self._moving = False
            self.close()
            raise MotionGoneError("the guard of the stop is gone") from error
