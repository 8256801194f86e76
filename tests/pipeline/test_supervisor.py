"""When the supervisor takes a silent stage for dead."""

import os
import subprocess
import time
from pathlib import Path
from typing import cast

import pytest

from darkscan.pipeline.running.stage_processes import StageProcess
from darkscan.pipeline.running.supervisor import Supervisor
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
    child = StageProcess(cast("subprocess.Popen[bytes]", process), -1, time.monotonic() - 30.0)
    child.status = Status(
        stage="classification", index=0, pid=process.pid, frames=0, loading="the model"
    )
    supervisor._children[key] = child
    supervisor._kill_silent()
    assert not process.killed


@pytest.mark.parametrize(
    ("stage", "heard", "silent_s", "timeout_s", "killed"),
    [
        pytest.param("preprocessing", True, 4.0, 3.0, True, id="silent"),
        pytest.param("preprocessing", True, 2.0, 3.0, False, id="not for long"),
        pytest.param("preprocessing", False, 4.0, 3.0, False, id="still starting"),
        pytest.param("preprocessing", False, 61.0, 3.0, True, id="never started"),
        pytest.param("preprocessing", False, 61.0, 90.0, False, id="patient recipe"),
        pytest.param("uplink", True, 61.0, 3.0, False, id="the others leave it no time"),
        pytest.param("uplink", True, 601.0, 3.0, True, id="it is not waited for without end"),
    ],
)
def test_a_stage_is_killed_when_it_was_silent_for_too_long(
    tmp_path: Path, stage: str, heard: bool, silent_s: float, timeout_s: float, killed: bool
) -> None:
    key = (stage, 0)
    supervisor = Supervisor(
        tmp_path, [key], restarts=5, stage_timeout_s=timeout_s, on_progress=lambda _: None
    )
    process = Process()
    last_heard = time.monotonic() - silent_s
    child = StageProcess(cast("subprocess.Popen[bytes]", process), -1, last_heard)
    child.status = Status(stage=stage, index=0, pid=process.pid, frames=0) if heard else None
    supervisor._children[key] = child
    supervisor._kill_silent()
    assert process.killed == killed
