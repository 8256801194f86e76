"""Runs darkscan as its users do: as a process, looked at from outside."""

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from darkscan.drivers.recording import RecordingWriter
from darkscan.pipeline.core.arrays import Pixels
from darkscan.simulation.element import SimulatedScan, simulate_element, size_of_patch

FRAME = 512
COLUMNS, ROWS = 6, 4
PATIENCE_S = 300
"""How long to wait for what must come: a loaded machine takes many times as long as an idle one."""

FRAMES = COLUMNS * ROWS


def record_small_scan(
    path: Path,
    *,
    bit_depth: int = 8,
    columns: int = COLUMNS,
    frames: int | None = None,
    seed: int = 3,
) -> SimulatedScan:
    """A scan of small frames: 9 windows each, so that a run takes seconds.

    ``frames``: how many of them are recorded, by default all.
    """
    size = size_of_patch((columns, ROWS), frame_px=FRAME)
    scan = SimulatedScan(simulate_element(size, seed=seed), frame_px=FRAME, bit_depth=bit_depth)
    with RecordingWriter(path, scan.info, scan.frames) as writer:
        for index, meta in enumerate(scan.frames[:frames]):
            pixels: Pixels = np.empty(scan.info.frame_shape, scan.info.dtype)
            scan.read_into(index, pixels)
            writer.write(meta, pixels)
    return scan


def darkscan(
    *arguments: object, check: int | None = 0, largest_file: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end; checks its exit code unless told not to.

    largest_file: bytes, a limit that stands in for a full disk.
    """

    def limit_files() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    done = subprocess.run(
        [sys.executable, "-m", "darkscan", *map(str, arguments)],
        preexec_fn=limit_files,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    if check is not None:
        assert done.returncode == check, f"exit {done.returncode}: {done.stderr}\n{done.stdout}"
    return done


_WITH_RUNS_IN = """
import sys
from pathlib import Path
from darkscan.pipeline.running import specification
specification.SHARED_MEMORY = Path(sys.argv.pop(1))
from darkscan.cli.main import main
sys.exit(main())
"""


@contextmanager
def running(
    *arguments: object, shared_memory: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A command under way; killed with all its stages if the test leaves it so.

    shared_memory: where its run's folder lies, apart from those of runs beside the test.
    """
    entrance = ["-m", "darkscan"] if shared_memory is None else ["-c", _WITH_RUNS_IN, shared_memory]
    process = subprocess.Popen(
        [sys.executable, *map(str, (*entrance, *arguments))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def stage_processes(supervisor: int, stage: str) -> list[psutil.Process]:
    """The living processes of a stage, in the order of their start."""
    found = []
    for child in psutil.Process(supervisor).children():
        try:
            command = child.cmdline()
        except psutil.Error:
            continue
        if "darkscan.stages" in command and stage in command:
            found.append(child)
    return sorted(found, key=lambda child: child.create_time())


def the_stage(run: subprocess.Popen[str], stage: str) -> psutil.Process:
    """A living process of a stage of a run under way, as soon as there is one.

    There may be none for a moment: one that was silent for too long is being replaced.
    """
    found: list[psutil.Process] = []

    def is_there() -> bool:
        assert run.poll() is None, f"the run is over before {stage} was looked at"
        found[:] = stage_processes(run.pid, stage)
        return bool(found)

    wait_until(is_there)
    return found[0]


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    """Waits for something to come true; fails if it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def folder_of(run: subprocess.Popen[str]) -> Path:
    """The folder in shared memory of a run under way, as soon as it has stages."""
    found: list[Path] = []

    def has_stages() -> bool:
        for child in psutil.Process(run.pid).children():
            try:
                command = child.cmdline()
            except psutil.Error:
                continue
            if "--run" in command:
                found.append(Path(command[command.index("--run") + 1]))
        return bool(found)

    wait_until(has_stages)
    return found[0]


def kill(process: psutil.Process) -> None:
    """SIGKILL: no last words."""
    process.send_signal(signal.SIGKILL)
