"""The processes of a run: which there are, and how one is started."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from darkscan.pipeline.transport.messages import Status

# The algebra libraries within numpy and OpenCV start spinning threads that no stage needs.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}
_LOWEST_PRIORITY = 19
_PRIORITY_OF_ITS_SESSION = 5
_STDERR_TAIL = 2000

StageKey = tuple[str, int]
"""A stage's name, and which of its workers."""


@dataclass
class StageProcess:
    """A running stage process."""

    process: subprocess.Popen[bytes]
    pidfd: int
    last_heard: float
    status: Status | None = None


def stage_list(
    workers: int,
    *,
    inspects: bool = True,
    rig: bool = False,
    records: bool = False,
    remote: bool = False,
    told: bool = False,
) -> list[StageKey]:
    """The processes of a run: the consumers first, so that nothing waits for them.

    ``remote``: whether workers on other computers may take part; ``told``: whether a host is
    told of the run.
    """
    stages: list[StageKey] = []
    if inspects:
        classification: list[StageKey] = [("classification", index) for index in range(workers)]
        stages += [("merging", 0), ("preprocessing", 0), *classification]
        if remote:
            stages.append(("gateway", 0))
    if records:
        stages.append(("recording", 0))
    if rig:
        stages.append(("motion", 0))
    if told:
        stages.append(("uplink", 0))
    return [*stages, ("acquisition", 0)]


def start_stage(run_dir: Path, key: StageKey, *, last: bool) -> StageProcess:
    """Starts a stage of a run; ``last``: it has what time the others leave."""
    stage, index = key
    command = [
        *(sys.executable, "-m", "darkscan.stages", stage),
        *("--run", str(run_dir), "--index", str(index)),
        *("--parent", str(os.getpid())),
    ]
    with _stderr_path(run_dir, key).open("wb") as stderr:
        # A session of its own: the terminal's Ctrl-C is for us alone.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stderr=stderr,
            env=_ENVIRONMENT | os.environ,
            start_new_session=True,
        )
    if last:
        _step_back(process.pid)
    return StageProcess(process, os.pidfd_open(process.pid), time.monotonic())


def _step_back(process: int) -> None:
    """Gives a process the lowest priority, and its session a lower one than others have.

    Each stage is a session of its own, and where the kernel shares time among sessions first,
    the priority within one means nothing. The lowest one there left the uplink not a second of
    a busy machine in two minutes of a scan: its host would be told of all at the end.
    """
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process, _LOWEST_PRIORITY)
    with suppress(OSError):
        group = Path(f"/proc/{process}/autogroup")
        group.write_text(str(_PRIORITY_OF_ITS_SESSION), encoding="ascii")


def last_words(run_dir: Path, key: StageKey) -> str:
    """The end of what a stage's latest process wrote to standard error."""
    return _stderr_path(run_dir, key).read_bytes()[-_STDERR_TAIL:].decode(errors="replace")


def last_line(stderr: str) -> str:
    """The last thing that a process said that died without leaving a failure; may be empty."""
    lines = stderr.strip().splitlines() or [""]
    return lines[-1].strip().removeprefix("darkscan: error: ")


def _stderr_path(run_dir: Path, key: StageKey) -> Path:
    return run_dir / f"{key[0]}-{key[1]}.stderr"
