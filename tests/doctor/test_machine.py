"""Clock, limits, shared memory and disks that will not do, and those that will."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from darkscan.doctor import _machine
from darkscan.doctor._disks import Disk, check_disk, judged
from darkscan.doctor._machine import Clock, check_clock, judged_limit, kernel_clock
from darkscan.doctor._machine import judged as judged_clock
from darkscan.doctor._memory import check_leftovers, ring_room
from darkscan.pipeline.core.recipe import Processes, Recipe
from darkscan.pipeline.core.shared_memory import SHARED_MEMORY
from tests.conftest import REPOSITORY
from tests.doctor.subjects import levels, subject

GB = 10**9


def test_the_kernels_clock_is_read() -> None:
    clock = kernel_clock()
    assert 0 <= clock.error_ms <= 100_000


@pytest.mark.parametrize(
    ("clock", "level"),
    [
        (Clock(synchronised=True, error_ms=0.4), "ok"),
        (Clock(synchronised=False, error_ms=16e3), "note"),
    ],
    ids=["kept right", "left to itself"],
)
def test_a_clock_that_nothing_keeps_right_is_noted(clock: Clock, level: str) -> None:
    assert judged_clock(clock).level == level


def test_a_kernel_that_may_not_be_asked_leaves_it_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> Clock:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(_machine, "kernel_clock", refuse)
    monkeypatch.setattr(_machine, "_TIMESYNCD", tmp_path / "synchronized")
    (unknown,) = check_clock(subject(tmp_path))
    assert unknown.level == "note"
    assert "unknown" in unknown.text
    (tmp_path / "synchronized").touch()
    assert levels(list(check_clock(subject(tmp_path)))) == ["ok"]


@pytest.mark.parametrize(
    ("soft", "level"),
    [(64, "problem"), (512, "note"), (1024, "ok"), (-1, "ok")],
    ids=["too few to run", "few for a host", "usual", "without a limit"],
)
def test_few_files_are_said_to_be(soft: int, level: str) -> None:
    assert judged_limit(soft, 4096).level == level


def test_a_hard_limit_is_raised_by_root_only() -> None:
    assert "limits.conf" in judged_limit(512, 512).advice
    assert "ulimit -n" in judged_limit(512, 4096).advice


def test_a_ring_that_fits_is_good(tmp_path: Path) -> None:
    small = Recipe(processes=Processes(ring_slots=2))
    assert ring_room(subject(tmp_path, recipe=small), SHARED_MEMORY).level == "ok"


@pytest.mark.parametrize(
    ("width", "frame"),
    [(None, "2048x2048"), (8192, "8192x2048")],
    ids=["usual frames", "the rig's frames"],
)
def test_a_ring_that_does_not_fit_is_a_problem_with_the_command_that_makes_room(
    width: int | None, frame: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = os.statvfs_result((4096, 4096, *[10] * 8))
    monkeypatch.setattr("os.statvfs", lambda _: full)
    rig_file = None if width is None else tmp_path / "rig.toml"
    if rig_file is not None:
        text = (REPOSITORY / "configs" / "rig-line-simulated.toml").read_text()
        rig_file.write_text(text.replace("width = 2048", f"width = {width}"))
    found = ring_room(subject(tmp_path, rig_file=rig_file), SHARED_MEMORY)
    assert found.level == "problem"
    assert frame in found.text
    assert "remount,size=" in found.advice
    assert "processes.ring_slots" in found.advice


def test_what_a_killed_run_left_is_counted_and_left_alone(tmp_path: Path) -> None:
    code = """if True:
        import os, signal
        from darkscan.pipeline.running.specification import RunFolder
        folder = RunFolder()
        (folder.path / "ring").write_bytes(bytes(2**20))
        print(folder.path, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    left = Path(done.stdout.strip())
    try:
        (found,) = check_leftovers(subject(tmp_path))
        assert found.level == "note"
        assert left.name in found.text
        assert left.exists()
    finally:
        for entry in left.glob("*"):
            entry.unlink()
        left.rmdir()


@pytest.mark.parametrize(
    ("disk", "wanted", "level", "said"),
    [
        (Disk(GB // 2, 500), 0, "problem", "make room"),
        (Disk(100 * GB, 3), 0, "note", "slow"),
        (Disk(100 * GB, 100), 250, "note", "full rate"),
        (Disk(5 * GB, 500), 0, "note", "a few scans"),
        (Disk(100 * GB, 500), 250, "ok", ""),
    ],
    ids=["full", "slow", "slower than the camera", "nearly full", "good"],
)
def test_a_disk_is_judged_by_room_and_speed(
    disk: Disk, wanted: float, level: str, said: str, tmp_path: Path
) -> None:
    found = judged("results", tmp_path, disk, wanted)
    assert found.level == level
    assert said in found.text + found.advice


def test_a_disk_is_measured_and_nothing_of_it_is_left(tmp_path: Path) -> None:
    found = check_disk("store", tmp_path / "not" / "yet" / "there")
    assert found.level in {"ok", "note"}
    assert "MB/s" in found.text
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("what", ["a file", "read-only memory"])
def test_a_place_that_cannot_be_written_to_is_a_problem(what: str, tmp_path: Path) -> None:
    if what == "a file":
        place = tmp_path / "file"
        place.touch()
    else:
        place = Path("/proc/self")
    found = check_disk("store", place)
    assert found.level == "problem"
    assert "cannot be written to" in found.text
