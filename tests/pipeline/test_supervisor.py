"""When the supervisor takes a silent stage for dead."""

import os
import subprocess
import time
from pathlib import Path
from typing import cast

import pytest

from darkscan.pipeline.running.supervisor import Supervisor, _Child
from darkscan.pipeline.transport.messages import Status


class Process:
    """Notes that it was killed."""

    pid = os.getpid()
    killed = False

    def kill(self) -> None:
        self.killed = True


def test_a_stage_that_loads_something_has_as_long_as_one_that_starts(tmp_path: Path) -> None:
    key = ("classification", 0)
    supervisor = Supervisor(
        tmp_path, [key], restarts=5, stage_timeout_s=3.0, on_progress=lambda _: None
    )
    process = Process()
    child = _Child(cast("subprocess.Popen[bytes]", process), -1, time.monotonic() - 30.0)
    child.status = Status(
        stage="classification", index=0, pid=process.pid, frames=0, loading="the model"
    )
    supervisor._children[key] = child
    supervisor._kill_silent()
    assert not process.killed


@pytest.mark.parametrize(
    ("heard", "silent_s", "timeout_s", "killed"),
    [
        (True, 4.0, 3.0, True),
        (True, 2.0, 3.0, False),
        (False, 4.0, 3.0, False),
        (False, 61.0, 3.0, True),
        (False, 61.0, 90.0, False),
    ],
    ids=["silent", "not for long", "still starting", "never started", "patient recipe"],
)
def test_a_stage_is_killed_when_it_was_silent_for_too_long(
    tmp_path: Path, heard: bool, silent_s: float, timeout_s: float, killed: bool
) -> None:
    key = ("preprocessing", 0)
    supervisor = Supervisor(
        tmp_path, [key], restarts=5, stage_timeout_s=timeout_s, on_progress=lambda _: None
    )
    process = Process()
    last_heard = time.monotonic() - silent_s
    child = _Child(cast("subprocess.Popen[bytes]", process), -1, last_heard)
    child.status = (
        Status(stage="preprocessing", index=0, pid=process.pid, frames=0) if heard else None
    )
    supervisor._children[key] = child
    supervisor._kill_silent()
    assert process.killed == killed
