"""Puts faults into a run from outside: by signals, files, and messages over its sockets.

The run itself knows nothing of it, so that a run without faults pays nothing.
"""

import errno
import os
import random
import resource
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import structlog

from darkscan.faults._fault import SPOILING, Fault
from darkscan.faults._forging import Forger
from darkscan.faults._processes import stage_pids
from darkscan.pipeline.core.errors import StorageError
from darkscan.pipeline.transport.journal import JOURNAL_NAME, JournalFollower
from darkscan.pipeline.transport.links import DeskClient
from darkscan.pipeline.transport.messages import Captured, Prepared, encode

_LOOKS_EVERY_S = 0.005
_STRANGER = 10**6
"""The number of the worker that takes frames from the desk and never answers."""

_log = structlog.get_logger(__name__)


@contextmanager
def injected(
    faults: Sequence[Fault], recording: Path, out_dir: Path, seed: int = 0
) -> Iterator["Injector"]:
    """Has faults happen to a replay into ``out_dir``; yields what is to be told its folder.

    Where a fault spoils the recording, ``Injector.recording`` is a copy beside ``out_dir``,
    removed in the end. Raises StorageError if it cannot be made.
    """
    above = next(folder for folder in out_dir.absolute().parents if folder.is_dir())
    spoilt = recording.is_file() and any(fault.kind in SPOILING for fault in faults)
    with (
        tempfile.TemporaryDirectory(dir=above, prefix=".faults-")
        if spoilt
        else nullcontext("") as folder
    ):
        if spoilt:
            copy = Path(folder, recording.name)
            try:
                shutil.copyfile(recording, copy)
            except OSError as error:
                raise StorageError(copy, error) from error
            recording = copy
        injector = Injector(faults, recording, out_dir, seed)
        try:
            yield injector
        finally:
            injector.close()


class Injector:
    """Looks on at a run and has faults happen, each once, when their frame's turn comes."""

    def __init__(self, faults: Sequence[Fault], recording: Path, out_dir: Path, seed: int) -> None:
        self.recording = recording
        """The one that is to be replayed."""

        self.told: list[str] = []
        """What was done, a line each."""

        self._waiting = sorted(faults, key=lambda fault: fault.frame)
        self._journal = out_dir.resolve() / JOURNAL_NAME
        self._rng = random.Random(seed)  # noqa: S311 - repeatable, nothing secret
        self._due: list[tuple[float, Callable[[], None]]] = []
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, run_dir: Path) -> None:
        """Begins with the run whose folder it is; before its stages start."""
        self._thread = threading.Thread(target=self._run, args=(run_dir,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends; what was stopped goes on. Faults whose turn never came are told, too."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.told += [f"{fault}: did not happen, the run was over" for fault in self._waiting]
        self._waiting.clear()

    def _run(self, run_dir: Path) -> None:
        follower = JournalFollower(self._journal)
        settled = 0
        forger, desk = Forger(run_dir, self._rng), DeskClient(run_dir, _STRANGER)
        try:
            while not self._over.wait(_LOOKS_EVERY_S):
                settled += len(follower.new_records())
                for fault in [fault for fault in self._waiting if fault.frame <= settled]:
                    self._try(fault, run_dir, forger, desk)
                self._act_what_is_due(time.monotonic())
        finally:
            self._act_what_is_due(float("inf"))
            forger.close()
            desk.close()

    def _try(self, fault: Fault, run_dir: Path, forger: Forger, desk: DeskClient) -> None:
        try:
            what = self._inject(fault, run_dir, forger, desk)
        except OSError as error:  # the process or the file is gone
            if error.errno not in {errno.ESRCH, errno.ENOENT}:
                raise
            what = ""
        if what:
            self._waiting.remove(fault)
            self.told.append(f"{fault}: {what}")
            _log.warning("fault injected", fault=str(fault), what=what)

    def _inject(self, fault: Fault, run_dir: Path, forger: Forger, desk: DeskClient) -> str:
        """Has the fault happen; says what was done, nothing if it has to be tried again."""
        match fault.kind:
            case "kill" | "stop":
                return self._signal(fault, run_dir)
            case "forge":
                return f"{forger.lie(fault.stage)} was sent"
            case "disk-full":
                return self._fill_disk(run_dir)
            case "cut-recording":
                size = self.recording.stat().st_size // 2
                os.truncate(self.recording, size)
                return f"cut to {size} bytes"
            case "replace-recording":
                return self._replace_recording()
            case _:
                return self._take_message(fault, forger, desk)

    def _signal(self, fault: Fault, run_dir: Path) -> str:
        pids = stage_pids(run_dir, fault.stage)
        if not pids:
            return ""
        pid = self._rng.choice(pids)
        if fault.kind == "kill":
            os.kill(pid, signal.SIGKILL)
            return f"process {pid} killed"
        os.kill(pid, signal.SIGSTOP)
        self._due.append((time.monotonic() + fault.seconds, lambda: _go_on(run_dir, pid)))
        return f"process {pid} stopped for {fault.seconds:g} s"

    def _fill_disk(self, run_dir: Path) -> str:
        """Lets merging's files grow no more, as on a disk without room."""
        pids = stage_pids(run_dir, "merging")
        for pid in pids:
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            size = self._journal.stat().st_size
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
        return "files of merging grow no more" if pids else ""

    def _replace_recording(self) -> str:
        other = self.recording.with_suffix(".other")
        content = bytearray(self.recording.read_bytes())
        place = len(content) // 2
        content[place : place + 64] = bytes(value ^ 0xFF for value in content[place : place + 64])
        other.write_bytes(content)
        other.replace(self.recording)
        return "another file has its name"

    def _take_message(self, fault: Fault, forger: Forger, desk: DeskClient) -> str:
        """Takes a frame on its way to classification; loses it, or sends it on in its own way."""
        desk.ask()
        desk.socket.poll(20)
        message = desk.next()
        if not isinstance(message, Prepared):
            return ""
        sent = encode(Captured(ref=message.ref, meta=message.meta, stamps=message.stamps[:1]))
        frame = f"frame {message.ref.frame}"
        match fault.kind:
            case "delay":
                send = self._sending(forger, sent)
                self._due.append((time.monotonic() + fault.seconds, send))
                return f"{frame} kept back for {fault.seconds:g} s"
            case "duplicate":
                forger.send("preprocessing", sent)
                forger.send("preprocessing", sent)
                return f"{frame} sent twice"
            case "corrupt":
                forger.send("preprocessing", forger.flipped(sent))
                return f"{frame} sent with flipped bits"
        return f"{frame} dropped"

    @staticmethod
    def _sending(forger: Forger, data: bytes) -> Callable[[], None]:
        return lambda: forger.send("preprocessing", data)

    def _act_what_is_due(self, now: float) -> None:
        for when, act in list(self._due):
            if when <= now:
                self._due.remove((when, act))
                act()


def _go_on(run_dir: Path, pid: int) -> None:
    if pid in stage_pids(run_dir):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
