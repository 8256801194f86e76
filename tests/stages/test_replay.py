"""Whole runs with real processes: the map depends on the recording and on nothing else."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from darkscan.pipeline.core.map_reading import read_map
from darkscan.pipeline.running.specification import RING_NAME
from darkscan.pipeline.transport.journal import JOURNAL_NAME, read_journal
from darkscan.pipeline.transport.links import DeskClient
from darkscan.pipeline.transport.ring import FrameRing
from tests.stages.running import (
    FRAMES,
    PATIENCE_S,
    darkscan,
    folder_of,
    kill,
    record_small_scan,
    running,
    stage_processes,
    the_stage,
    wait_until,
)

pytestmark = pytest.mark.slow

RESULTS = {
    "defect-map.json",
    "defect-map.csv",
    "defect-map-areas.csv",
    "defect-map.svg",
    "defect-map.png",
    "trace.json",
    "run.json",
    "log.jsonl",
}


def slowly(folder: Path) -> tuple[str, ...]:
    """Options of a replay that is still under way when something happens to it.

    A few frames at a time: else all of them are in the ring before the first is classified.
    """
    recipe = folder / "slowly.toml"
    recipe.write_text("[processes]\nring_slots = 3\n")
    return "--speed", "recorded", "--recipe", str(recipe)


def logged(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_a_replay_leaves_a_complete_map(undisturbed: Path) -> None:
    assert {entry.name for entry in undisturbed.iterdir()} == RESULTS
    defect_map = read_map(undisturbed)
    assert defect_map.coverage.complete
    assert defect_map.coverage.inspected_fraction == 1.0
    assert defect_map.ledger.mapped == defect_map.ledger.captured == FRAMES
    assert defect_map.defects
    assert not [event for event in logged(undisturbed) if event["level"] == "error"]


def test_profile_names_the_bottleneck(undisturbed: Path) -> None:
    text = darkscan("profile", undisturbed).stdout
    for stage in ("acquisition", "preprocessing", "classification", "merging"):
        assert stage in text
    assert "Bottleneck: classification" in text


@pytest.mark.parametrize("workers", [1, 3])
def test_the_map_does_not_depend_on_the_workers(
    recording: Path, undisturbed: Path, tmp_path: Path, workers: int
) -> None:
    darkscan("replay", recording, "--out", tmp_path / "out", "--workers", workers)
    assert same_map(tmp_path / "out", undisturbed)


@pytest.mark.parametrize(
    ("stage", "workers"),
    [("classification", 2), ("preprocessing", 1), ("merging", 1), ("acquisition", 1)],
)
def test_the_map_survives_the_death_of_a_stage(
    recording: Path, undisturbed: Path, tmp_path: Path, stage: str, workers: int
) -> None:
    out = tmp_path / "out"
    with running("replay", recording, "--out", out, "--workers", workers) as run:
        journal = out / JOURNAL_NAME
        wait_until(lambda: len(read_journal(journal)) >= 3)
        kill(the_stage(run, stage))
        stdout, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 0, stderr + stdout
    assert same_map(out, undisturbed)
    assert json.loads((out / "run.json").read_text())["restarts"] == {stage: 1}


def test_a_frame_that_kills_its_worker_twice_is_set_aside_and_located(
    recording: Path, tmp_path: Path
) -> None:
    poison, out = 5, tmp_path / "out"
    with running("replay", recording, "--out", out) as run:
        for _ in range(2):
            worker = wait_for_worker_on(poison, run)
            kill(worker)
            psutil.wait_procs([worker], timeout=PATIENCE_S)
        stdout, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 3, stderr + stdout
    defect_map = read_map(out)
    ledger = defect_map.ledger
    assert (ledger.captured, ledger.mapped, ledger.quarantined) == (FRAMES, FRAMES - 1, 1)
    (frame,) = defect_map.coverage.frames_not_inspected
    assert frame.frame == poison
    assert "classification died on it" in frame.reason
    (region,) = defect_map.coverage.not_inspected
    assert region.area_mm2 > 0
    assert not defect_map.coverage.complete
    assert "not inspected" in stdout


def wait_for_worker_on(frame: int, run: subprocess.Popen[str]) -> psutil.Process:
    """The classification worker as soon as it has a frame in hands."""
    ring = FrameRing.attach(folder_of(run) / RING_NAME)
    found: list[psutil.Process] = []

    def somebody_has_it() -> bool:
        workers = stage_processes(run.pid, "classification")
        found[:] = [worker for worker in workers if frame in ring.held_by(worker.pid)]
        return bool(found)

    wait_until(somebody_has_it)
    return found[0]


def test_a_stage_that_cannot_live_is_given_up_and_the_map_says_so(
    recording: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with running("replay", recording, "--out", out) as run:
        deadline = time.monotonic() + PATIENCE_S
        while run.poll() is None and time.monotonic() < deadline:
            for worker in stage_processes(run.pid, "classification"):
                kill(worker)
            time.sleep(0.05)
        stdout, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 3, stderr + stdout
    defect_map = read_map(out)
    assert defect_map.ledger.captured == FRAMES
    assert defect_map.ledger.mapped == 0
    assert defect_map.coverage.inspected_fraction == 0
    reasons = {frame.reason for frame in defect_map.coverage.frames_not_inspected}
    assert all("classification died" in reason for reason in reasons)


def test_a_stage_that_hangs_is_restarted(
    recording: Path, undisturbed: Path, tmp_path: Path
) -> None:
    (tmp_path / "recipe.toml").write_text("[processes]\nstage_timeout_s = 3")
    arguments = ("replay", recording, "--out", tmp_path / "out")
    with running(*arguments, "--recipe", tmp_path / "recipe.toml") as run:
        wait_until(lambda: len(read_journal(tmp_path / "out" / JOURNAL_NAME)) >= 2)
        the_stage(run, "classification").suspend()
        stdout, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 0, stderr + stdout
    assert same_map(tmp_path / "out", undisturbed)
    assert any(event["event"] == "stage is silent, killed" for event in logged(tmp_path / "out"))


def test_a_lost_message_is_made_up_for(recording: Path, undisturbed: Path, tmp_path: Path) -> None:
    """A frame queued at nobody's: preprocessing dropped it without dying."""
    (tmp_path / "recipe.toml").write_text("[processes]\nresend_after_s = 1.0")
    out = tmp_path / "out"
    arguments = ("replay", recording, "--out", out, "--recipe", tmp_path / "recipe.toml")
    with running(*arguments) as run:
        thief = DeskClient(folder_of(run), 99)
        stolen = 0
        while stolen < 2 and run.poll() is None:
            thief.ask()
            thief.socket.poll(200)
            stolen += thief.next() is not None
        thief.close()
        stdout, stderr = run.communicate(timeout=PATIENCE_S)
    assert stolen == 2
    assert run.returncode == 0, stderr + stdout
    assert same_map(out, undisturbed)


def test_a_stop_is_remembered_when_acquisition_dies_with_it(
    recording: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with running("replay", recording, "--out", out, *slowly(tmp_path)) as run:
        wait_until(lambda: len(read_journal(out / JOURNAL_NAME)) >= 2)
        acquisition = the_stage(run, "acquisition")
        acquisition.suspend()
        run.send_signal(signal.SIGINT)
        time.sleep(1.0)
        kill(acquisition)
        stdout, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 3, stderr + stdout
    ledger = read_map(out).ledger
    assert ledger.lost > 0
    assert ledger.captured == FRAMES


def test_a_recording_cut_short_in_mid_run_is_not_taken_for_clean(
    recording: Path, tmp_path: Path
) -> None:
    copy, out = tmp_path / "scan.h5", tmp_path / "out"
    shutil.copy(recording, copy)
    with running("replay", copy, "--out", out, *slowly(tmp_path)) as run:
        wait_until(lambda: len(read_journal(out / JOURNAL_NAME)) >= 2)
        os.truncate(copy, copy.stat().st_size // 2)
        stdout, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 3, stderr + stdout
    assert "its pixels are not in the file" in stdout
    assert read_map(out).ledger.lost > 0


def test_an_interrupted_recording_is_inspected_as_far_as_it_goes(tmp_path: Path) -> None:
    path, out = tmp_path / "scan.h5", tmp_path / "out"
    scan = record_small_scan(path, columns=2, frames=5)
    done = darkscan("replay", path, "--out", out, check=3)
    assert "not inspected" in done.stdout
    defect_map = read_map(out)
    assert (defect_map.ledger.mapped, defect_map.ledger.lost) == (5, len(scan.frames) - 5)
    (area,) = {(area.kind, area.reason) for area in defect_map.coverage.not_inspected}
    assert area == ("lost", "the recording was interrupted before it")


def test_a_model_that_changes_in_mid_run_is_refused(recording: Path, tmp_path: Path) -> None:
    model, out = tmp_path / "model.onnx", tmp_path / "out"
    shutil.copy(str(files("darkscan") / "models" / "default.onnx"), model)
    (tmp_path / "recipe.toml").write_text('[inspection]\nmodel = "model.onnx"')
    arguments = ("replay", recording, "--out", out, "--recipe", tmp_path / "recipe.toml")
    with running(*arguments) as run:
        wait_until(lambda: len(read_journal(out / JOURNAL_NAME)) >= 1)
        with model.open("ab") as file:
            file.write(b"more")
        kill(the_stage(run, "classification"))
        _, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 2
    expected = f"darkscan: error: {model}: has changed since the run began"
    assert stderr.strip().splitlines()[-1] == expected
    assert {entry.name for entry in out.iterdir()} == {"log.jsonl"}


def test_two_runs_do_not_write_into_one_folder(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with running("replay", recording, "--out", out) as first:
        wait_until((out / JOURNAL_NAME).exists)
        second = darkscan("replay", recording, "--out", out, check=2)
        assert "another run is writing there" in second.stderr
        stdout, stderr = first.communicate(timeout=PATIENCE_S)
    assert first.returncode == 0, stderr + stdout


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_goes_away_changes_nothing(
    recording: Path, undisturbed: Path, tmp_path: Path, stream: str
) -> None:
    out = tmp_path / "out"
    read_end, write_end = os.pipe()
    os.close(read_end)
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: write_end}
    command = [sys.executable, "-m", "darkscan", "replay", str(recording), "--out", str(out)]
    with subprocess.Popen(command, stdout=streams["stdout"], stderr=streams["stderr"]) as run:
        os.close(write_end)
        assert run.wait(timeout=PATIENCE_S) == 0
    assert same_map(out, undisturbed)


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR2, signal.SIGALRM],
)
def test_a_signal_drains_the_run_and_leaves_nothing_behind(
    recording: Path, tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "out"
    with running("replay", recording, "--out", out, *slowly(tmp_path)) as run:
        wait_until(lambda: len(read_journal(out / JOURNAL_NAME)) >= 2)
        stages, folder = psutil.Process(run.pid).children(), folder_of(run)
        run.send_signal(number)
        stdout, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 3, stderr + stdout
    defect_map = read_map(out)
    assert defect_map.ledger.balanced
    assert defect_map.ledger.in_flight == 0
    assert defect_map.ledger.lost > 0
    assert defect_map.ledger.captured == FRAMES
    reasons = {area.reason for area in defect_map.coverage.not_inspected}
    assert any("stopped by the operator" in reason for reason in reasons)
    assert not [stage for stage in stages if stage.is_running()]
    assert not folder.exists()


@pytest.mark.parametrize("seconds", [0.05, 0.15, 0.3, 0.5])
def test_an_interrupt_while_starting_is_one_line(
    recording: Path, tmp_path: Path, seconds: float
) -> None:
    with running("replay", recording, "--out", tmp_path / "out") as run:
        time.sleep(seconds)
        run.send_signal(signal.SIGINT)
        stdout, stderr = run.communicate(timeout=PATIENCE_S)
    # Before Python runs our first line, it ends by the signal, or drops it, and says so.
    dropped = run.returncode == 0 and stderr.startswith("Exception ignored in")
    # On a busy machine the run may be over before the signal is sent.
    over = run.returncode == 0 and f"{FRAMES} of {FRAMES} frames mapped" in stdout
    assert dropped or over or run.returncode in {130, 3, -signal.SIGINT}, stderr
    assert dropped or "Traceback" not in stderr or run.returncode == -signal.SIGINT
    assert (tmp_path / "out" / "defect-map.json").exists() == (run.returncode in {0, 3})


def test_a_second_interrupt_aborts(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with running("replay", recording, "--out", out, *slowly(tmp_path)) as run:
        wait_until(lambda: len(read_journal(out / JOURNAL_NAME)) >= 1)
        stages, folder = psutil.Process(run.pid).children(), folder_of(run)
        the_stage(run, "classification").suspend()  # so that draining takes long
        run.send_signal(signal.SIGINT)
        wait_until(lambda: any(event["event"] == "draining" for event in logged(out)))
        run.send_signal(signal.SIGINT)
        _, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 130
    assert stderr.strip().splitlines()[-1] == "darkscan: error: aborted: the map was not written"
    assert not [stage for stage in stages if stage.is_running()]
    assert {entry.name for entry in out.iterdir()} == {"log.jsonl"}
    assert not folder.exists()


def test_leftovers_of_a_killed_run_are_swept_at_the_next_start(
    recording: Path, undisturbed: Path, tmp_path: Path
) -> None:
    # A memory of their own: any run that starts beside this test would sweep, too.
    with TemporaryDirectory(dir="/dev/shm") as name:
        memory = Path(name)
        with running("replay", recording, "--out", tmp_path / "1", shared_memory=memory) as run:
            wait_until(lambda: len(read_journal(tmp_path / "1" / JOURNAL_NAME)) >= 1)
            stages, folder = psutil.Process(run.pid).children(), folder_of(run)
            run.kill()
            run.wait()
        psutil.wait_procs(stages, timeout=PATIENCE_S)
        assert not [stage for stage in stages if stage.is_running()]
        assert list(memory.iterdir()) == [folder]
        with running("replay", recording, "--out", tmp_path / "2", shared_memory=memory) as run:
            run.communicate(timeout=PATIENCE_S)
        assert run.returncode == 0
        assert not list(memory.iterdir())
    assert same_map(tmp_path / "2", undisturbed)


def test_idle_processes_wait_and_do_not_spin(recording: Path, tmp_path: Path) -> None:
    """All stages but the suspended worker are idle; they take under 2 % of a core."""
    with running("replay", recording, "--out", tmp_path / "out") as run:
        wait_until(lambda: len(read_journal(tmp_path / "out" / JOURNAL_NAME)) >= 1)
        the_stage(run, "classification").suspend()
        names = ("acquisition", "preprocessing", "merging")
        idle = [psutil.Process(run.pid), *(the_stage(run, name) for name in names)]
        for _ in range(10):  # some may be at their last frames at first
            began = [sum(process.cpu_times()[:2]) for process in idle]
            time.sleep(2.0)
            ended = [sum(process.cpu_times()[:2]) for process in idle]
            used = max(after - before for before, after in zip(began, ended, strict=True))
            if used < 0.02 * 2.0:
                return
    pytest.fail("they are busy with nothing")


def test_deep_pixels_are_inspected_in_their_own_depth(tmp_path: Path) -> None:
    record_small_scan(tmp_path / "scan.h5", bit_depth=12, columns=2)
    darkscan("replay", tmp_path / "scan.h5", "--out", tmp_path / "out")
    assert read_map(tmp_path / "out").coverage.complete


def test_recorded_speed_takes_the_recorded_time(tmp_path: Path) -> None:
    scan = record_small_scan(tmp_path / "scan.h5", columns=1)
    recorded = (scan.frames[-1].exposure_ns - scan.frames[0].exposure_ns) / 1e9
    assert recorded > 3
    began = time.monotonic()
    darkscan("replay", tmp_path / "scan.h5", "--out", tmp_path / "out", "--speed", "recorded")
    assert time.monotonic() - began > recorded


def same_map(one: Path, other: Path) -> bool:
    names = ("defect-map.json", "defect-map.csv", "defect-map.svg", "defect-map.png")
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def test_stages_are_separate_processes(recording: Path, tmp_path: Path) -> None:
    with running("replay", recording, "--out", tmp_path / "out", "--workers", 2) as run:
        wait_until(lambda: len(read_journal(tmp_path / "out" / JOURNAL_NAME)) >= 1)
        names = ("acquisition", "preprocessing", "classification", "merging")
        flat: list[int] = []

        def all_are_there() -> bool:
            flat[:] = [p.pid for name in names for p in stage_processes(run.pid, name)]
            return len(flat) == 5

        wait_until(all_are_there)
    assert len(set(flat)) == 5
    assert os.getpid() not in flat
