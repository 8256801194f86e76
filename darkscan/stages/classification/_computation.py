"""The computation of a worker elsewhere: a classification process as those of a run here.

It has a ring, a desk and inboxes of its own in a folder in shared memory, as a run's stages have.
So it can be killed at any moment: when its model loops, when it takes too much memory, at the end.
"""

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import zmq

from darkscan.inference import FrameFormat
from darkscan.pipeline.core.errors import DarkscanError, ExitCode, InputError
from darkscan.pipeline.core.recipe import Inspection, Processes, Recipe
from darkscan.pipeline.core.settings import updated
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.running.specification import RING_NAME, RunFolder, RunSpec
from darkscan.pipeline.transport.links import Desk, Inbox
from darkscan.pipeline.transport.messages import (
    Failed,
    FrameRef,
    FrameScores,
    Joined,
    Prepared,
    Status,
)
from darkscan.pipeline.transport.ring import FrameRing
from darkscan.pipeline.transport.station import SUPERVISOR
from darkscan.stages.classification._remote_checks import model_file, pixels_of

_RING_BYTES = 32 * 2**20
_FEWEST_SLOTS, _MOST_SLOTS = 4, 64
_GRACE_S = 2.0
_STDERR_TAIL = 2000
_MEMORY_PART = 0.75  # of this computer's
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MEMORY = os.sysconf("SC_PHYS_PAGES") * _PAGE


def python_of(module: str) -> Callable[[Path], list[str]]:
    """The command that runs a module as the computing process of a run's folder."""
    return lambda run_dir: [sys.executable, "-m", module, str(run_dir), str(os.getpid())]


COMPUTE = python_of("darkscan.stages.classification.remote_child")


class Means(NamedTuple):
    """What a worker computes with."""

    backend: str | None = None
    """What runs the model; None: the run's own."""
    device: int | None = None
    """The GPU, by number; None: the first, if any."""
    threads: int = 1
    longest_loading_s: float = 600.0
    """How long loading the model may take."""
    longest_frame_s: float = 600.0
    """How long a frame may take."""
    command: Callable[[Path], list[str]] = COMPUTE
    """Starts the computing process of a run's folder."""


class Answer(NamedTuple):
    """What became of a frame: its scores, or why there are none."""

    ref: FrameRef
    """As the gateway has it."""
    scores: FrameScores | None
    error: str = ""


class _InHand(NamedTuple):
    ref: FrameRef
    """As the gateway has it."""
    frame: FrameId
    since: float


class CrashedError(DarkscanError):
    """The computing process was killed by what it computed: that frame may be to blame."""


class Computation:
    """A process that classifies frames with one model, for one scan."""

    def __init__(
        self,
        joined: Joined,
        model: bytes,
        means: Means,
    ) -> None:
        """Starts it. Raises DarkscanError if the model is not whole or there is no room."""
        self._means = means
        self._frames = FrameFormat.of_scan(joined.scan, joined.margin_px)
        self._windows = len(joined.model.origins(joined.scan.frame_shape))
        self._stack = ExitStack()
        try:
            file = self._stack.enter_context(model_file(model, joined.model.hash))
            folder = self._stack.enter_context(RunFolder()).path
            self._lay_out(folder, joined, file)
            self._start(folder)
        except BaseException:
            self._stack.close()
            raise

    def _lay_out(self, folder: Path, joined: Joined, file: Path) -> None:
        height, width = self._frames.surrounded
        fitting = _RING_BYTES // (height * width * self._frames.dtype.itemsize)
        slots = max(_FEWEST_SLOTS, min(fitting, _MOST_SLOTS))
        self._ring = FrameRing.create(
            folder / RING_NAME,
            slots,
            joined.scan.frame_shape,
            joined.scan.dtype,
            margin=joined.margin_px,
        )
        self._stack.callback(self._ring.close)
        self._ring.begin_session()
        _spec(folder, joined, file, self._means).write(folder)
        self._desk = Desk(folder)
        self._stack.callback(self._desk.socket.close)
        self._merging, self._acquisition, self._supervisor = (
            Inbox(folder, name) for name in ("merging", "acquisition", SUPERVISOR)
        )
        for inbox in (self._merging, self._acquisition, self._supervisor):
            self._stack.callback(inbox.close)
        self._free = deque(range(slots))
        self._waiting: deque[Prepared] = deque()
        self._in_hand: dict[int, _InHand] = {}
        self.backend = ""
        """What runs the model; empty until it is loaded."""
        self.capacity = 0
        """Frames to have here at a time, one call's worth of them on the way; 0 until known."""

    def _start(self, folder: Path) -> None:
        self._stderr = folder / "stderr"
        with self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                self._means.command(folder),
                stdin=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
        self._stack.callback(self._end)
        self._heard = self._began = time.monotonic()

    @property
    def sockets(self) -> list[zmq.Socket[bytes]]:
        """Those at which there may be news."""
        inboxes = (self._merging, self._acquisition, self._supervisor)
        return [self._desk.socket, *(inbox.socket for inbox in inboxes)]

    def give(self, prepared: Prepared, payload: memoryview | None) -> None:
        """Takes a frame with the pixels that came with it.

        Raises ValueError if they do not fit, DarkscanError if there is no room for it.
        """
        pixels = pixels_of(payload, prepared, self._frames, self._windows)
        if not self._free:
            raise DarkscanError("the run sends more frames than it was told there is room for")
        slot = self._free.popleft()
        _, ref = self._ring.lease(slot, prepared.ref.frame)
        self._ring.to_surround(ref)[:] = pixels
        if prepared.ref.attempt:
            ref = self._ring.resend(slot)  # it is worked on alone: a worker may have died of it
        self._in_hand[slot] = _InHand(prepared.ref, ref.frame, time.monotonic())
        self._waiting.append(updated(prepared, ref=ref, stamps=(), only_here=False))
        self._hand_out()

    def answers(self) -> Iterator[Answer]:
        """What became of frames since the last call."""
        self._hand_out()
        for message in self._supervisor.messages():
            if isinstance(message, Status):
                self._heard = time.monotonic()
                self.backend = self.backend or message.doing
        for message in self._merging.messages():
            if isinstance(message, FrameScores) and self._is_current(message.ref):
                yield Answer(self._take_out(message.ref.slot), message)
        for message in self._acquisition.messages():
            if isinstance(message, Failed):
                for slot, in_hand in list(self._in_hand.items()):
                    if in_hand.frame == message.frame:
                        yield Answer(self._take_out(slot), None, message.error)

    def forget_all(self) -> None:
        """Drops all frames: others have them by now. What is computed of one is ignored."""
        self._ring.begin_session()
        self._free = deque(range(self._ring.slots))
        self._waiting.clear()
        self._in_hand.clear()

    def look(self) -> None:
        """Raises DarkscanError if the process is gone, hangs, or takes too much memory."""
        code = self._process.poll()
        if code is not None:
            raise self._why_gone(code)
        now = time.monotonic()
        if not self.backend:
            longest_s = self._means.longest_loading_s
            if now - self._began > longest_s:
                raise DarkscanError(f"loading the model took longer than {longest_s:g} s")
            return
        longest_s = self._means.longest_frame_s
        first = min((each.since for each in self._in_hand.values()), default=now)
        if max(now - first, now - self._heard) > longest_s:
            raise DarkscanError(f"a frame took longer than {longest_s:g} s: its process is ended")
        if (size := _memory_of(self._process.pid)) > _MEMORY_PART * _MEMORY:
            raise DarkscanError(f"the model takes {size / 2**30:.1f} GiB: its process is ended")

    def close(self) -> None:
        """Ends the process, and removes what was made for it."""
        self._stack.close()

    def _hand_out(self) -> None:
        self._desk.listen()
        if self.backend and not self.capacity and (room := self._desk.room):
            self.capacity = min(room + -(-room // 3), self._ring.slots)
        while self._waiting and self._desk.hand_out(self._waiting[0]):
            self._waiting.popleft()

    def _is_current(self, ref: FrameRef) -> bool:
        return ref.slot in self._in_hand and self._ring.still_holds(ref)

    def _take_out(self, slot: int) -> FrameRef:
        self._ring.release(slot)
        self._free.append(slot)
        return self._in_hand.pop(slot).ref

    def _why_gone(self, code: int) -> DarkscanError:
        text = self._stderr.read_bytes()[-_STDERR_TAIL:].decode(errors="replace")
        last = (text.strip().splitlines() or [f"exit {code}"])[-1]
        last = last.removeprefix("darkscan: error: ")
        if code < 0:
            return CrashedError(f"the model's process died of signal {-code}")
        if code == ExitCode.BAD_INPUT:
            return InputError(last)
        return DarkscanError(f"gives up: {last}")

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _spec(folder: Path, joined: Joined, model_file: Path, means: Means) -> RunSpec:
    """The description of a run that has nothing but this process."""
    inspection = Inspection(
        window=joined.model.window,
        stride=joined.model.stride,
        precision=joined.precision,
        context_px=joined.margin_px,
    )
    processes = Processes(batch=joined.batch, batch_wait_ms=joined.batch_wait_ms)
    return RunSpec(
        scan_id="0" * 32,
        out_dir=folder,
        recipe=Recipe(inspection=inspection, processes=processes),
        recipe_hash="",
        model_path=model_file,
        model=joined.model,
        scan=joined.scan,
        thumbnail_scale=1,
        backend=means.backend or joined.backend,
        devices=() if means.device is None else (means.device,),
        workers=1,
        threads=means.threads,
    )


def _memory_of(process: int) -> int:
    """Bytes of memory that a process has; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0
