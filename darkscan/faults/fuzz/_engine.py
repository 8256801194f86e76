"""Runs cases in a process of their own, so that a crash, a hang or an appetite is a finding.

A case follows from target, seed and number alone: whoever knows these has it again.
"""

import multiprocessing
import random
import resource
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

from darkscan.faults.fuzz._target import Target, TargetName
from darkscan.faults.fuzz._targets import target_of

_BATCH_S = 0.25
_HANGS_AFTER_S = 20.0
_STARTS_WITHIN_S = 120.0
_JUMP_BYTES = 512 * 2**20
_MOST_BYTES = 8 * 2**30
_MOST_FINDINGS = 20


@dataclass(frozen=True)
class Finding:
    """A case that was neither accepted nor refused as documented."""

    target: TargetName
    seed: int
    number: int
    what: str
    place: str
    """Where in the code; findings of one place are one."""

    data: bytes = field(repr=False, default=b"")


@dataclass
class Counts:
    """The sums of a run of cases."""

    cases: int = 0
    accepted: int = 0
    refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Kinds of refusal, by the class of the error."""

    findings: list[Finding] = field(default_factory=list)

    def __str__(self) -> str:
        found = f"{len(self.findings)} findings" if self.findings else "nothing found"
        return f"{self.cases} cases: {self.accepted} accepted, {self.refused} refused, {found}"


@dataclass(frozen=True)
class Work:
    """What the process does."""

    target: TargetName
    seed: int
    corpus: tuple[bytes, ...] = ()


def case_of(target: Target, seed: int, number: int) -> bytes:
    """The case of this number: the corpus first, as it is; then drawn ones."""
    if number < len(target.corpus):
        return target.corpus[number]
    return target.draw(random.Random(f"{seed}/{number}"))  # noqa: S311 - repeatable


def fuzz(
    work: Work, *, seconds: float, cases: int | None, show: Callable[[Counts], None]
) -> Counts:
    """Runs cases until time is up, or so many were run; ``show`` is called now and then.

    A process that dies or hangs is replaced, and the next case is run.
    """
    counts = Counts()
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until and (cases is None or counts.cases < cases):
            with _Reader(work, counts) as reader:
                reader.run(until, cases, lambda: show(counts))
            if len(counts.findings) >= _MOST_FINDINGS:
                break
    except KeyboardInterrupt:
        pass
    return counts


class _Reader:
    """The process that reads cases, seen from the one that counts."""

    def __init__(self, work: Work, counts: Counts) -> None:
        self._work, self._counts = work, counts
        context = multiprocessing.get_context("spawn")
        self._current = context.Value("q", counts.cases, lock=False)
        self._told, teller = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_read_cases, args=(work, counts.cases, self._current, teller), daemon=True
        )
        self._process.start()
        teller.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._told.close()

    def run(self, until: float, cases: int | None, show: Callable[[], None]) -> None:
        """Returns when all is done, or when the process is of no use any more."""
        patience = _STARTS_WITHIN_S
        while time.monotonic() < until and (cases is None or self._counts.cases < cases):
            if not self._told.poll(patience):
                self._blame("hangs", "hang")
                return
            try:
                batch = self._told.recv()
            except EOFError:
                self._process.join()
                self._blame(f"the process died, exit {self._process.exitcode}", "crash")
                return
            patience = _HANGS_AFTER_S
            self._take(batch)
            show()

    def _take(self, batch: "_Batch") -> None:
        counts = self._counts
        counts.cases += batch.cases
        counts.accepted += batch.accepted
        counts.refused += batch.refused
        counts.reasons.update(batch.reasons)
        known = {finding.place for finding in counts.findings}
        for finding in batch.findings:
            if finding.place not in known:
                known.add(finding.place)
                counts.findings.append(finding)

    def _blame(self, what: str, place: str) -> None:
        """The case under way is at fault; the next process goes on behind it."""
        work, number = self._work, self._current.value
        with tempfile.TemporaryDirectory(prefix="darkscan-fuzz-") as folder:
            data = case_of(target_of(work.target, Path(folder), work.corpus), work.seed, number)
        finding = Finding(work.target, work.seed, number, what, f"{place} {number}", data)
        self._counts.findings.append(finding)
        self._counts.cases = number + 1


@dataclass
class _Batch:
    cases: int = 0
    accepted: int = 0
    refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


def _read_cases(work: Work, first: int, current: Any, teller: Connection) -> None:
    """The process's task: cases without end; tells of them four times a second."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    with tempfile.TemporaryDirectory(prefix="darkscan-fuzz-") as folder:
        target = target_of(work.target, Path(folder), work.corpus)
        for data in target.bases[: len(target.bases) - len(work.corpus)]:
            target.read(data)  # libraries are loaded, and what is sound is accepted
        batch, due, number = _Batch(), time.monotonic() + _BATCH_S, first
        peak = _peak_bytes()
        while True:
            current.value = number
            data = case_of(target, work.seed, number)
            peak = _read_one(target, work, data, number, batch, peak)
            number += 1
            if time.monotonic() >= due:
                teller.send(batch)
                batch, due = _Batch(), time.monotonic() + _BATCH_S


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _read_one(
    target: Target, work: Work, data: bytes, number: int, batch: _Batch, peak: int
) -> int:
    """Reads one case; returns the most memory that the process has had."""
    batch.cases += 1
    try:
        target.read(data)
        batch.accepted += 1
    except target.refusals as error:
        batch.refused += 1
        batch.reasons[type(error).__name__] += 1
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        frames = traceback.extract_tb(error.__traceback__)[1:]  # without this function
        ours = [frame for frame in frames if "darkscan" in frame.filename] or frames
        place = f"{type(error).__name__} {Path(ours[-1].filename).name}:{ours[-1].lineno}"
        what = f"{type(error).__name__}: {error!s:.200}"
        batch.findings.append(Finding(work.target, work.seed, number, what, place, data))
    most = _peak_bytes()
    if most - peak > _JUMP_BYTES:
        what = f"takes {most - peak >> 20} MiB more"
        batch.findings.append(Finding(work.target, work.seed, number, what, "memory", data))
    return most
