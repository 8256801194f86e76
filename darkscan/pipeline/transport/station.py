"""The life of one stage process: signals, waiting without spinning, signs of life."""

import ctypes
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zmq

from darkscan.pipeline.transport.links import Outbox
from darkscan.pipeline.transport.messages import Status

SUPERVISOR = "supervisor"
_BEAT_S = 0.5
_LONGEST_LOADING_S = 600.0
_PR_SET_PDEATHSIG = 1


class Station:
    """The life of a stage's process. A stage asks ``stopping`` between two pieces of work."""

    def __init__(self, run_dir: Path, stage: str, index: int) -> None:
        self.stage = stage
        self.index = index
        self.stopping = False
        self._run_dir = run_dir
        self._to_supervisor = Outbox(run_dir, SUPERVISOR, droppable=True)
        self._next_beat = 0.0
        self._wake, wake_writer = socket.socketpair()
        for end in (self._wake, wake_writer):
            end.settimeout(0)
        self._wake_writer = wake_writer
        # The signal's byte ends a wait at once; the flag is looked at after it.
        signal.set_wakeup_fd(wake_writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        self._poller = zmq.Poller()
        self._poller.register(self._wake, zmq.POLLIN)

    def listen_to(self, wire: zmq.Socket[bytes]) -> None:
        """Lets ``wait`` return when this socket has something."""
        self._poller.register(wire, zmq.POLLIN)

    def wait(self, seconds: float | None = None) -> None:
        """Sleeps until a message, a signal, or the next sign of life is due."""
        limit = _BEAT_S if seconds is None else min(seconds, _BEAT_S)
        for ready, _ in self._poller.poll(math.ceil(max(limit, 0.0) * 1000)):
            if ready == self._wake.fileno():
                self._wake.recv(64)

    def beat(self, frames: int, *, now: bool = False, **counters: Any) -> None:
        """Tells the supervisor how far this stage is, at most twice a second."""
        moment = time.monotonic()
        if not now and moment < self._next_beat:
            return
        self._next_beat = moment + _BEAT_S
        self._to_supervisor.send(
            Status(stage=self.stage, index=self.index, pid=os.getpid(), frames=frames, **counters)
        )

    @contextmanager
    def loading(self, what: str) -> Iterator[None]:
        """Gives signs of life while this process loads something that takes long.

        On a busy machine that takes minutes, and silence would be taken for death. For ten
        minutes at most: what takes longer hangs.
        """
        done = threading.Event()
        signs = threading.Thread(target=self._sign, args=(what, done), daemon=True)
        signs.start()
        try:
            yield
        finally:
            done.set()
            signs.join()

    def _sign(self, what: str, done: threading.Event) -> None:
        # A socket belongs to one thread: this one has its own.
        outbox = Outbox(self._run_dir, SUPERVISOR, droppable=True)
        status = Status(stage=self.stage, index=self.index, pid=os.getpid(), frames=0, loading=what)
        until = time.monotonic() + _LONGEST_LOADING_S
        while time.monotonic() < until:
            outbox.send(status)
            if done.wait(_BEAT_S):
                break
        outbox.close(linger_ms=0)

    def close(self) -> None:
        """Lets the last words reach the supervisor."""
        self._to_supervisor.close(linger_ms=500)

    def _on_signal(self, _signal: int, _frame: object) -> None:
        self.stopping = True


def die_with(parent: int, end: signal.Signals = signal.SIGKILL) -> None:
    """Makes the kernel end this process when its parent is gone, however that went.

    ``end``: the signal it is sent; SIGTERM lets it stop what would go on without it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, end)
    if os.getppid() != parent:  # it was gone before
        os.kill(os.getpid(), end)
