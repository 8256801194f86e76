"""Campaigns of faults: replays that are disturbed at random, each told by its seed and number.

After each run all that was promised is checked: exit code, map, ledger, leftovers, memory,
descriptors. The faults, the number of workers and the moments follow from the seed alone.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from darkscan.drivers.recording import save_recording
from darkscan.faults._checks import problems_of_results
from darkscan.faults._fault import KINDS, Fault, FaultKind
from darkscan.faults._processes import (
    command_of,
    descriptors,
    resident_bytes,
    run_folder_of,
    stage_pids,
)
from darkscan.pipeline.core.errors import DarkscanError, ExitCode, StorageError
from darkscan.pipeline.core.frame_results import STAGES
from darkscan.simulation.element import SimulatedScan, simulate_element, size_of_patch

_FRAME_PX, _COLUMNS, _ROWS = 512, 5, 4
_FRAMES = _COLUMNS * _ROWS
_ELEMENT = 3
_RUN_LIMIT_S = 240.0
_LOOKS_EVERY_S = 0.05
_GONE_WITHIN_S = 5.0
_DRAINS_WITHIN_S, _ABORTS_WITHIN_S = 1.0, 15.0
_MORE_MEMORY, _MORE_BYTES = 1.3, 64 * 2**20
_MORE_DESCRIPTORS = 24  # of the processes that are being replaced

_RECIPE = """\
[processes]
ring_slots = 3
resend_after_s = 1.5
stage_timeout_s = 5.0
"""

_CODES: dict[FaultKind, frozenset[ExitCode]] = {
    "disk-full": frozenset({ExitCode.BAD_INPUT}),
    "cut-recording": frozenset({ExitCode.BAD_INPUT}),
    "replace-recording": frozenset({ExitCode.BAD_INPUT}),
}
"""The exit codes that a fault may lead to besides those of a map, whole or incomplete."""


@dataclass(frozen=True)
class Disturbed:
    """One run of a campaign: what happens to it."""

    seed: int
    number: int
    workers: int
    faults: tuple[Fault, ...]

    @classmethod
    def drawn(cls, seed: int, number: int) -> "Disturbed":
        """The run of this number; the same for the same seed."""
        rng = random.Random(f"{seed}/{number}")  # noqa: S311 - repeatable, nothing secret
        faults = tuple(_draw(rng) for _ in range(rng.choice((1, 1, 2, 3))))
        return cls(seed, number, rng.choice((1, 2)), faults)

    @property
    def again(self) -> str:
        """The command that repeats it."""
        return f"darkscan torture --seed {self.seed} --first {self.number} --runs 1"

    @property
    def codes(self) -> set[int]:
        """The exit codes that are documented for it."""
        allowed = {int(ExitCode.OK), int(ExitCode.INCOMPLETE)}
        for fault in self.faults:
            allowed |= _CODES.get(fault.kind, frozenset())
        return allowed


@dataclass
class Verdict:
    """What became of one run."""

    run: Disturbed
    code: int
    seconds: float
    problems: list[str]
    happened: list[str] = field(default_factory=list)
    """The faults that happened, in the words of the command."""


@dataclass
class Counts:
    """The sums of a campaign."""

    runs: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    failed: list[Verdict] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        """Counts one run."""
        self.runs += 1
        self.codes[verdict.code] += 1
        self.faults.update(line.split("@")[0].split(":")[0] for line in verdict.happened)
        if verdict.problems:
            self.failed.append(verdict)

    def __str__(self) -> str:
        codes = ", ".join(f"{count} exit {code}" for code, count in sorted(self.codes.items()))
        faults = ", ".join(f"{count} {kind}" for kind, count in sorted(self.faults.items()))
        failed = f"{len(self.failed)} failed" if self.failed else "none failed"
        return f"{self.runs} runs, {failed} ({codes or 'none'}); faults: {faults or 'none'}"


def _draw(rng: random.Random) -> Fault:
    kind = rng.choice(KINDS)
    stage = ""
    if kind in {"kill", "stop"}:
        stage = rng.choice(STAGES)
    elif kind == "forge":
        stage = rng.choice((*STAGES[:2], "merging", "supervisor"))
    return Fault(kind, stage, rng.randrange(_FRAMES), round(rng.uniform(0.2, 3.0), 1))


class Campaign:
    """Disturbed replays of one small recording, in a folder of its own."""

    def __init__(self, folder: Path, seed: int) -> None:
        """``folder`` is empty. Raises StorageError if nothing can be written there."""
        self.folder = folder
        self.seed = seed
        self.counts = Counts()
        self._recording = folder / "scan.h5"
        self._recipe = folder / "recipe.toml"
        self._undisturbed = folder / "undisturbed"
        self._memory = self._descriptors = 0

    def prepare(self) -> None:
        """Records the scan and inspects it undisturbed. Raises DarkscanError if that fails."""
        try:
            self._recipe.write_text(_RECIPE, encoding="ascii")
        except OSError as error:
            raise StorageError(self._recipe, error) from error
        size = size_of_patch((_COLUMNS, _ROWS), frame_px=_FRAME_PX)
        scan = SimulatedScan(simulate_element(size, seed=_ELEMENT), frame_px=_FRAME_PX)
        save_recording(self._recording, scan)
        run = _Watched(self._command(self._undisturbed, 1, ()), self.folder / "undisturbed.log")
        code = run.wait()
        if code != ExitCode.OK:
            raise DarkscanError(f"the undisturbed run failed, exit {code}: {run.last_line()}")
        self._memory, self._descriptors = run.memory, run.descriptors

    def run(self, number: int) -> Verdict:
        """Runs and checks one disturbed replay; a clean one's files are removed."""
        disturbed = Disturbed.drawn(self.seed, number)
        out, log = self.folder / f"run-{number}", self.folder / f"run-{number}.log"
        shutil.rmtree(out, ignore_errors=True)
        began = time.monotonic()
        before = descriptors(os.getpid())
        run = _Watched(self._command(out, disturbed.workers, disturbed.faults), log)
        code = run.wait()
        problems = self._problems(disturbed, run, code, out)
        if descriptors(os.getpid()) > before:
            problems.append("this process has more files open than before the run")
        verdict = Verdict(disturbed, code, time.monotonic() - began, problems, run.happened())
        self.counts.add(verdict)
        if not problems:
            shutil.rmtree(out, ignore_errors=True)
            log.unlink(missing_ok=True)
        return verdict

    def _command(self, out: Path, workers: int, faults: tuple[Fault, ...]) -> list[str]:
        named = [word for fault in faults for word in ("--fault", str(fault))]
        return [
            *(sys.executable, "-m", "darkscan", "replay", str(self._recording)),
            *("--out", str(out), "--recipe", str(self._recipe), "--workers", str(workers), *named),
        ]

    def _problems(self, disturbed: Disturbed, run: "_Watched", code: int, out: Path) -> list[str]:
        problems = run.problems()
        if code not in disturbed.codes:
            problems.append(f"exit code {code}, documented are {sorted(disturbed.codes)}")
        elif code in {ExitCode.OK, ExitCode.INCOMPLETE}:
            problems += problems_of_results(out, self._undisturbed, whole=code == ExitCode.OK)
        elif (out / "defect-map.json").exists():
            problems.append("the run failed, and left a map")
        problems += [
            f"left behind: {path.relative_to(self.folder)}"
            for path in self.folder.rglob("*")
            if path.name.endswith(".part") or path.name.startswith(".faults-")
        ]
        if run.memory > self._memory * _MORE_MEMORY + _MORE_BYTES:
            problems.append(f"the supervisor took {run.memory >> 20} MiB, not {self._memory >> 20}")
        if run.descriptors > self._descriptors + _MORE_DESCRIPTORS:
            problems.append(
                f"the supervisor had {run.descriptors} files open, not {self._descriptors}"
            )
        return problems


class _Watched:
    """A replay as a process, looked at from outside until it ends."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.memory = self.descriptors = 0
        self._log = log
        self._folder: Path | None = None
        self._hangs = False
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # the terminal's Ctrl-C is for the campaign
            )

    def wait(self) -> int:
        """Its exit code; one that hangs is killed, and so is one whose campaign is interrupted."""
        deadline = time.monotonic() + _RUN_LIMIT_S
        try:
            while self._process.poll() is None:
                if self._folder is None:
                    self._folder = run_folder_of(self._process.pid)
                self.memory = max(self.memory, resident_bytes(self._process.pid))
                self.descriptors = max(self.descriptors, descriptors(self._process.pid))
                if time.monotonic() > deadline:
                    self._hangs = True
                    break
                time.sleep(_LOOKS_EVERY_S)
        finally:
            if not self._hangs:
                self._abort()
            self._process.kill()
        return self._process.wait()

    def _abort(self) -> None:
        """Interrupts it twice, as its user would; what is over already is left alone."""
        for patience in (_DRAINS_WITHIN_S, _ABORTS_WITHIN_S):
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGINT)
                _within(patience, lambda: self._process.poll() is not None)

    def problems(self) -> list[str]:
        """What is wrong with how it ended, and what it left outside its results."""
        problems = [f"it was not over after {_RUN_LIMIT_S:g} s"] if self._hangs else []
        if "Traceback (most recent call last)" in self._text():
            problems.append("it printed a traceback")
        if self._folder is None:
            return problems
        if self._folder.exists():
            problems.append(f"left behind: {self._folder}")
        folder = self._folder
        if not _within(_GONE_WITHIN_S, lambda: not stage_pids(folder)):
            left = [" ".join(command_of(pid)[-7:]) for pid in stage_pids(folder)]
            problems.append(f"processes left behind: {left}")
        return problems

    def happened(self) -> list[str]:
        """The faults that happened, as the command told them."""
        told = [line for line in self._text().splitlines() if line.startswith("fault ")]
        return [line.removeprefix("fault ") for line in told if "did not happen" not in line]

    def last_line(self) -> str:
        """The last that it said."""
        return (self._text().strip().splitlines() or [""])[-1]

    def _text(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOKS_EVERY_S)
    return True
