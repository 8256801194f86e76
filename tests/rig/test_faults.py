"""What can break on a rig breaks here: each loss is located, the map is finished, nothing moves."""

import os
import resource
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from darkscan.drivers.recording import Recording
from darkscan.drivers.rig import Rig
from darkscan.pipeline.running.supervisor import Progress
from darkscan.simulation.rig import SimulatedRig
from tests.acquisition.fakes import rig_of
from tests.motion.records import put
from tests.rig.scanning import (
    Once,
    assert_same_results,
    captured,
    replayed,
    scan,
    simulated,
    status_of,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc)"),
    pytest.mark.expects_errors,
]


def slow(kind: str, **changes: dict[str, object]) -> Rig:
    """A rig that takes a few seconds for its scan, so that faults meet it in mid-scan."""
    velocity = {"area": 50.0, "fly": 12.0, "line": 8.0}[kind]
    motion = {"velocity_mm_s": velocity, "acceleration_mm_s2": 100.0, **changes.pop("motion", {})}
    if kind == "area":
        motion["settle_s"] = 0.2
    return rig_of(kind, motion=motion, **changes)


def at_rest(running: SimulatedRig) -> bool:
    """Whether the simulated axes stand still: they tell where they are only while they move."""
    before = running.shared._head.moves_told
    time.sleep(0.3)
    return bool(running.shared._head.moves_told == before)


@pytest.mark.parametrize(("kind", "fault"), [("fly", "drop"), ("line", "incomplete")])
def test_frames_that_the_camera_loses_are_taken_again(
    kind: str, fault: str, tmp_path: Path
) -> None:
    rig = _barely_run_up(kind)
    with simulated(rig) as running:
        getattr(running.shared.faults, fault)(1)
        scanned = scan(rig, tmp_path, rescans=1)
    assert scanned.map.coverage.complete
    assert scanned.map.ledger.lost == 0
    lost = scanned.report["lost_at_first"]
    assert lost
    assert all(frame["taken_again"] for frame in lost)


@pytest.mark.parametrize(
    ("kind", "fault", "reason"),
    [
        ("area", "drop", "the camera lost it"),
        ("fly", "incomplete", "with missing lines"),
        ("line", "drop", "lines missing"),
    ],
)
def test_without_a_rescan_the_loss_is_located_and_recorded(
    kind: str, fault: str, reason: str, tmp_path: Path
) -> None:
    rig = _barely_run_up(kind)
    with simulated(rig) as running:
        getattr(running.shared.faults, fault)(1)
        scanned = scan(rig, tmp_path, rescans=0, record=True)
    coverage = scanned.map.coverage
    assert scanned.reasons
    assert all(reason in words for words in scanned.reasons.values())
    assert not coverage.complete
    areas = [area for area in coverage.not_inspected if area.frames]
    assert {frame for area in areas for frame in area.frames} <= scanned.reasons.keys()
    assert areas
    assert scanned.record is not None
    assert_same_results(scanned.out, replayed(scanned.record, tmp_path / "replayed"))


def test_lines_that_the_encoder_skips_cost_their_frame_and_shift_none(tmp_path: Path) -> None:
    rig = slow("line")
    with simulated(rig) as running:

        def skip(_: Progress) -> None:
            running.shared.faults.skip(40)

        meddle = Once(lambda progress: captured(progress) >= 1, skip)
        scanned = scan(rig, tmp_path, rescans=0, on_progress=meddle)
    assert meddle.done
    assert scanned.reasons
    assert all("lines missing" in words for words in scanned.reasons.values())
    assert scanned.map.ledger.mapped == scanned.map.ledger.captured - len(scanned.reasons)


@pytest.mark.parametrize("kind", ["area", "line"])
def test_a_camera_unplugged_and_plugged_in_again_goes_on(kind: str, tmp_path: Path) -> None:
    rig = slow(kind)
    with simulated(rig) as running:
        unplug = Once(
            lambda progress: captured(progress) >= 1, lambda _: running.shared.faults.unplug()
        )
        plug = Once(
            lambda progress: unplug.done and _waits(progress),
            lambda _: running.shared.faults.plug(),
        )
        scanned = scan(rig, tmp_path, on_progress=_both(unplug, plug))
    assert plug.done
    assert scanned.map.coverage.complete
    assert scanned.report["interruptions"]


def test_a_camera_that_stays_away_ends_the_scan_with_a_map(tmp_path: Path) -> None:
    rig = slow("area", camera={"reconnect_s": 1.0})
    with simulated(rig) as running:
        unplug = Once(
            lambda progress: captured(progress) >= 2, lambda _: running.shared.faults.unplug()
        )
        scanned = scan(rig, tmp_path, on_progress=unplug, record=True)
        assert at_rest(running)
    assert scanned.map.ledger.mapped >= 2
    assert scanned.reasons
    assert all("does not answer" in words for words in scanned.reasons.values())
    assert scanned.record is not None
    assert_same_results(scanned.out, replayed(scanned.record, tmp_path / "replayed"))


@pytest.mark.parametrize("kind", ["fly", "line"])
def test_a_motion_unit_killed_in_mid_move_and_restarted_goes_on(kind: str, tmp_path: Path) -> None:
    rig = slow(kind)
    with simulated(rig) as running:
        kill = Once(lambda progress: captured(progress) >= 1, lambda _: running.motion_unit.kill())
        start = Once(
            lambda progress: kill.done and _waits(progress),
            lambda _: running.motion_unit.start(),
        )
        scanned = scan(rig, tmp_path, on_progress=_both(kill, start))
    assert start.done
    assert scanned.map.coverage.complete
    assert "motion unit" in scanned.report["interruptions"][0]


def test_a_motion_unit_that_stays_away_ends_the_scan_with_a_map(tmp_path: Path) -> None:
    rig = slow("fly", motion={"reconnect_s": 1.0})
    with simulated(rig) as running:
        kill = Once(lambda progress: captured(progress) >= 1, lambda _: running.motion_unit.kill())
        scanned = scan(rig, tmp_path, on_progress=kill)
    assert scanned.map.ledger.mapped >= 1
    assert all("not taken" in words for words in scanned.reasons.values())


@pytest.mark.parametrize("fault", ["limit", "problem"])
def test_an_axis_that_fails_in_mid_move_stops_the_scan(fault: str, tmp_path: Path) -> None:
    rig = slow("fly")
    with simulated(rig) as running:
        strike = Once(
            lambda progress: captured(progress) >= 1,
            lambda _: put(f"{rig.motion.x.record}:FAULT", fault),
        )
        scanned = scan(rig, tmp_path, on_progress=strike)
        assert at_rest(running)
    assert strike.done
    assert scanned.map.ledger.mapped >= 1
    assert scanned.reasons
    assert all("not taken" in words for words in scanned.reasons.values())


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [(".SET", "Set", ".SET "), (":FAULT", "echo", ".DRBV moved by ")],
    ids=["SET is switched on", "the record echoes its orders"],
)
def test_an_axis_that_only_seems_to_move_leaves_no_false_map(
    variable: str, value: str, said: str, tmp_path: Path
) -> None:
    rig = slow("area")
    record = rig.motion.x.record
    with simulated(rig) as running:
        throw = Once(
            lambda progress: captured(progress) >= 2, lambda _: put(f"{record}{variable}", value)
        )
        scanned = scan(rig, tmp_path, on_progress=throw)
        assert at_rest(running)
    assert throw.done
    assert scanned.reasons
    assert all(f"{record}{said}" in words for words in scanned.reasons.values())
    assert not scanned.map.coverage.complete


@pytest.mark.parametrize("stage", ["acquisition", "motion", "merging"])
def test_a_stage_that_dies_is_restarted_and_the_scan_goes_on(stage: str, tmp_path: Path) -> None:
    rig = slow("area")

    meddle = Once(
        lambda progress: captured(progress) >= 2 and status_of(progress, stage) is not None,
        lambda progress: _kill(progress, stage),
    )
    with simulated(rig):
        scanned = scan(rig, tmp_path, on_progress=meddle, record=True)
    assert meddle.done
    assert scanned.map.coverage.complete
    assert scanned.record is not None
    assert_same_results(scanned.out, replayed(scanned.record, tmp_path / "replayed"))


def test_a_full_disk_ends_the_recording_but_not_the_inspection(tmp_path: Path) -> None:
    rig = slow("area")

    def fill(progress: Progress) -> None:
        status = status_of(progress, "recording")
        assert status is not None
        assert scan_file.exists()
        size = scan_file.stat().st_size
        resource.prlimit(status.pid, resource.RLIMIT_FSIZE, (size, size))

    scan_file = tmp_path / "scan.h5"
    meddle = Once(
        lambda progress: captured(progress) >= 2 and status_of(progress, "recording") is not None,
        fill,
    )
    ended: dict[str, str] = {}

    def watch(progress: Progress) -> None:
        meddle(progress)
        ended.update(progress.ended)

    with simulated(rig):
        scanned = scan(rig, tmp_path, on_progress=watch, record=True)
    assert meddle.done
    assert scanned.map.coverage.complete
    assert "recording" in ended
    with Recording(scan_file) as recording:
        assert not recording.complete
        assert 2 <= len(recording.frames) - recording.missing < len(recording.frames)


def test_the_operator_holds_the_scan_and_lets_it_go_on(tmp_path: Path) -> None:
    rig = slow("area")
    held_at: list[int] = []

    def signal_self(_: Progress) -> None:
        os.kill(os.getpid(), signal.SIGUSR1)

    hold = Once(lambda progress: captured(progress) >= 2, signal_self)
    seen = Once(lambda progress: hold.done and _says(progress, "held"), lambda _: None)
    began: list[float] = []

    def watch(progress: Progress) -> None:
        hold(progress)
        seen(progress)
        if seen.done:
            began.append(time.monotonic())
            held_at.append(captured(progress))
            go_on(progress)

    go_on = Once(lambda _: began[-1] - began[0] > 2.0, signal_self)
    with simulated(rig):
        scanned = scan(rig, tmp_path, on_progress=watch)
    assert go_on.done
    assert held_at[2] <= held_at[0] + 1
    assert scanned.map.coverage.complete


def test_the_operator_ends_the_scan(tmp_path: Path) -> None:
    rig = slow("line", motion={"velocity_mm_s": 5.0})
    stop = Once(
        lambda progress: captured(progress) >= 1, lambda _: os.kill(os.getpid(), signal.SIGINT)
    )
    with simulated(rig) as running:
        scanned = scan(rig, tmp_path, on_progress=stop, record=True)
        assert at_rest(running)
    assert scanned.map.ledger.mapped >= 1
    assert scanned.reasons
    assert all("stopped by the operator" in words for words in scanned.reasons.values())
    assert scanned.record is not None
    assert_same_results(scanned.out, replayed(scanned.record, tmp_path / "replayed"))


def _kill(progress: Progress, stage: str) -> None:
    status = status_of(progress, stage)
    assert status is not None
    psutil.Process(status.pid).kill()


def test_camera_and_motion_unit_lost_together_and_back_again(tmp_path: Path) -> None:
    rig = slow("line")
    with simulated(rig) as running:

        def cut(_: Progress) -> None:
            running.shared.faults.unplug()
            running.motion_unit.kill()

        def restore(_: Progress) -> None:
            running.shared.faults.plug()
            running.motion_unit.start()

        cutting = Once(lambda progress: captured(progress) >= 1, cut)
        restoring = Once(lambda progress: cutting.done and _waits(progress), restore)
        scanned = scan(rig, tmp_path, on_progress=_both(cutting, restoring))
    assert restoring.done
    assert scanned.map.coverage.complete


@pytest.mark.parametrize("comes_back", [True, False], ids=["for a while", "for good"])
def test_a_camera_that_takes_its_process_with_it(comes_back: bool, tmp_path: Path) -> None:
    rig = slow("area", camera={"reconnect_s": 30.0 if comes_back else 1.0})
    with simulated(rig) as running:

        def crash(progress: Progress) -> None:
            running.shared.faults.unplug()
            _kill(progress, "acquisition")

        crashing = Once(lambda progress: captured(progress) >= 2, crash)
        plugging = Once(
            lambda progress: comes_back and crashing.done and _waits(progress),
            lambda _: running.shared.faults.plug(),
        )
        scanned = scan(rig, tmp_path, on_progress=_both(crashing, plugging))
    assert plugging.done == comes_back
    assert scanned.map.coverage.complete == comes_back
    assert scanned.map.ledger.mapped >= 2
    assert all("the camera is gone" in words for words in scanned.reasons.values())


def test_a_motion_unit_and_its_process_lost_together(tmp_path: Path) -> None:
    rig = slow("area")
    with simulated(rig) as running:

        def crash(progress: Progress) -> None:
            running.motion_unit.kill()
            _kill(progress, "motion")

        crashing = Once(
            lambda progress: captured(progress) >= 2 and status_of(progress, "motion") is not None,
            crash,
        )
        restarting = Once(
            lambda progress: crashing.done and _waits(progress),
            lambda _: running.motion_unit.start(),
        )
        scanned = scan(rig, tmp_path, on_progress=_both(crashing, restarting))
    assert restarting.done
    assert scanned.map.coverage.complete


def test_a_recording_that_ended_and_then_acquisition_dies(tmp_path: Path) -> None:
    rig = slow("area")

    first = Once(
        lambda progress: captured(progress) >= 1 and status_of(progress, "recording") is not None,
        lambda progress: _kill(progress, "recording"),
    )
    second = Once(
        lambda progress: "recording" in progress.ended and captured(progress) >= 3,
        lambda progress: _kill(progress, "acquisition"),
    )
    with simulated(rig):
        scanned = scan(rig, tmp_path, on_progress=_both(first, second), record=True)
    assert second.done
    assert scanned.map.coverage.complete


def test_an_encoder_that_counts_down_is_no_hindrance(tmp_path: Path) -> None:
    rig = rig_of("line", motion={"encoder_axis_reversed": True})
    with simulated(rig):
        scanned = scan(rig, tmp_path, rescans=0)
    assert scanned.map.coverage.complete


def _barely_run_up(kind: str) -> Rig:
    """A rig whose first frames or lines on the way count: no block is lost in the run-up."""
    return slow(kind) if kind == "line" else rig_of(kind)


def _waits(progress: Progress) -> bool:
    return _says(progress, "waiting")


def _says(progress: Progress, word: str) -> bool:
    status = status_of(progress, "acquisition")
    return status is not None and word in status.doing


def _both(*watchers: Callable[[Progress], None]) -> Callable[[Progress], None]:
    def watch(progress: Progress) -> None:
        for watcher in watchers:
            watcher(progress)

    return watch
