"""Runs that were killed, aborted or failed go on from their journal, to the same map."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import psutil
import pytest

from darkscan.pipeline.core.frame_results import FrameResult
from darkscan.pipeline.core.map_reading import read_map
from darkscan.pipeline.running.results_folder import UNFINISHED_NAME
from darkscan.pipeline.transport.journal import JOURNAL_NAME, read_journal
from tests.stages.running import (
    FRAMES,
    PATIENCE_S,
    darkscan,
    record_small_scan,
    running,
    the_stage,
    wait_until,
)

pytestmark = pytest.mark.slow

MAPS = ("defect-map.json", "defect-map.csv", "defect-map.svg", "defect-map.png")


def slowly(folder: Path) -> tuple[str, ...]:
    """Options of a replay that is still under way when something happens to it."""
    recipe = folder / "slowly.toml"
    recipe.write_text("[processes]\nring_slots = 3\n")
    return "--speed", "recorded", "--recipe", str(recipe)


def killed(out: Path, frames: int, *arguments: object) -> None:
    """A run whose processes are all killed at once when that many frames are journaled."""
    with running(*arguments) as run:
        wait_until(
            lambda: run.poll() is not None or len(read_journal(out / JOURNAL_NAME)) >= frames
        )
        processes = [psutil.Process(run.pid), *psutil.Process(run.pid).children(recursive=True)]
        for process in processes:
            process.suspend()  # so that none sees another die
        for process in processes:
            process.kill()
        run.communicate(timeout=PATIENCE_S)
        psutil.wait_procs(processes[1:], timeout=PATIENCE_S)


def inspected(out: Path) -> set[int]:
    return {
        frame
        for frame, record in read_journal(out / JOURNAL_NAME).items()
        if isinstance(record, FrameResult)
    }


def assert_same_map(out: Path, undisturbed: Path) -> None:
    for name in MAPS:
        assert (out / name).read_bytes() == (undisturbed / name).read_bytes(), name
    left = {entry.name for entry in out.iterdir()}
    assert left == {entry.name for entry in undisturbed.iterdir()}


@pytest.fixture(scope="module")
def broken_off(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was killed; to be copied, not changed."""
    folder = tmp_path_factory.mktemp("killed")
    killed(folder / "out", 4, "replay", recording, "--out", folder / "out", *slowly(folder))
    return folder / "out"


@pytest.fixture
def unfinished(broken_off: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(broken_off, tmp_path / "out"))


def test_a_run_killed_again_and_again_gives_the_same_map(
    recording: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out, more = tmp_path / "out", np.random.default_rng(16).integers(1, 6, 4).tolist()
    killed(out, more.pop(), "replay", recording, "--out", out, *slowly(tmp_path))
    while more:
        before = inspected(out)
        assert before
        killed(out, len(before) + more.pop(), "replay", "--resume", out)
        assert before <= inspected(out)
    before = inspected(out)
    darkscan("replay", "--resume", out)
    assert_same_map(out, undisturbed)
    report = json.loads((out / "run.json").read_text())
    assert report["inspected_before"] == len(before)
    assert len(before) < FRAMES


def test_nothing_in_the_journal_is_inspected_again(unfinished: Path) -> None:
    before = read_journal(unfinished / JOURNAL_NAME)
    with running("replay", "--resume", unfinished) as run:
        wait_until(lambda: len(read_journal(unfinished / JOURNAL_NAME)) > len(before))
        merging = the_stage(run, "merging")
        merging.suspend()
        content = (unfinished / JOURNAL_NAME).read_bytes()
        merging.resume()
        run.communicate(timeout=PATIENCE_S)
    (unfinished / "copy").write_bytes(content)
    after = read_journal(unfinished / "copy")
    for frame, record in before.items():
        assert isinstance(record, FrameResult)
        again = after[frame]
        assert isinstance(again, FrameResult)
        assert again.stamps == record.stamps  # the very one that was there


def test_an_aborted_run_takes_again_what_the_stop_gave_up(
    recording: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with running("replay", recording, "--out", out, *slowly(tmp_path)) as run:
        wait_until(lambda: len(read_journal(out / JOURNAL_NAME)) >= 2)
        the_stage(run, "classification").suspend()  # so that draining takes long
        run.send_signal(signal.SIGINT)
        wait_until(lambda: len(read_journal(out / JOURNAL_NAME)) >= FRAMES - 3)
        run.send_signal(signal.SIGINT)
        _, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 130
    assert f"darkscan replay --resume {out}" in stderr
    assert {entry.name for entry in out.iterdir()} == {"log.jsonl", JOURNAL_NAME, UNFINISHED_NAME}
    assert len(inspected(out)) < FRAMES - 3
    darkscan("replay", "--resume", out)
    assert_same_map(out, undisturbed)


@pytest.mark.expects_errors
def test_a_run_that_filled_the_disk_goes_on_when_there_is_room(
    recording: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[processes]\nring_slots = 2\n")  # the ring is a file, too
    command = ("replay", recording, "--out", out, "--recipe", recipe)
    done = darkscan(*command, check=2, largest_file=2**20)
    assert f"{out / JOURNAL_NAME}: cannot be written" in done.stderr
    assert f"darkscan replay --resume {out}" in done.stderr
    assert inspected(out)
    darkscan("replay", "--resume", out)
    assert_same_map(out, undisturbed)


def test_a_torn_record_at_the_end_is_inspected_again(unfinished: Path, undisturbed: Path) -> None:
    journal = unfinished / JOURNAL_NAME
    os.truncate(journal, journal.stat().st_size - 100)
    darkscan("replay", "--resume", unfinished)
    assert_same_map(unfinished, undisturbed)


def test_a_recording_that_was_moved_is_given_anew(
    recording: Path, unfinished: Path, undisturbed: Path, tmp_path: Path
) -> None:
    moved = shutil.copy(recording, tmp_path / "moved.h5")
    darkscan("replay", moved, "--resume", unfinished, "--workers", 2)
    assert_same_map(unfinished, undisturbed)


def change(**fields: object) -> Callable[[Path], None]:
    """A change of what the unfinished run says it is bound to."""

    def act(out: Path) -> None:
        file = out / UNFINISHED_NAME
        content = json.loads(file.read_text())
        content["bound"].update(fields)
        file.write_text(json.dumps(content))

    return act


def write_nonsense(out: Path) -> None:
    (out / UNFINISHED_NAME).write_text("[")


@pytest.mark.parametrize(
    ("harm", "file", "problem"),
    [
        (change(darkscan="0.0.1"), UNFINISHED_NAME, "bound.darkscan: the unfinished run has 0.0.1"),
        (change(wire=1), UNFINISHED_NAME, "bound.wire: the unfinished run has 1, now it is"),
        (change(model="sha256:0"), UNFINISHED_NAME, "model: the unfinished run has sha256:0"),
        (change(backend="other"), UNFINISHED_NAME, "backend: the unfinished run has other"),
        (change(more=1), UNFINISHED_NAME, "bound.more: unknown key"),
        (write_nonsense, UNFINISHED_NAME, "is no JSON"),
        (lambda out: (out / JOURNAL_NAME).unlink(), JOURNAL_NAME, "is missing"),
        (lambda out: (out / UNFINISHED_NAME).unlink(), "", "holds no unfinished run"),
    ],
    ids=["version", "wire", "model", "backend", "unknown", "no JSON", "no journal", "no run"],
)
def test_what_a_run_cannot_go_on_from_is_refused(
    unfinished: Path, harm: Callable[[Path], object], file: str, problem: str
) -> None:
    harm(unfinished)
    done = darkscan("replay", "--resume", unfinished, check=2)
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"darkscan: error: {unfinished / file}: ")
    assert problem in line


def test_another_recording_recipe_or_model_is_refused(unfinished: Path, tmp_path: Path) -> None:
    record_small_scan(tmp_path / "other.h5", seed=4)
    done = darkscan("replay", tmp_path / "other.h5", "--resume", unfinished, check=2)
    assert f"{unfinished / UNFINISHED_NAME}: recording: the unfinished run has" in done.stderr
    recipe = tmp_path / "other.toml"
    recipe.write_text("[inspection]\nstride = 32\n")
    done = darkscan("replay", "--resume", unfinished, "--recipe", recipe, check=2)
    assert "recipe: the unfinished run has" in done.stderr
    model = tmp_path / "model.onnx"
    shutil.copy(str(files("darkscan") / "models" / "default-int8.onnx"), model)
    recipe.write_text('[inspection]\nmodel = "model.onnx"\n')
    done = darkscan("replay", "--resume", unfinished, "--recipe", recipe, check=2)
    assert "model: the unfinished run has" in done.stderr


def test_finished_runs_and_those_under_way_are_refused(
    recording: Path, unfinished: Path, undisturbed: Path
) -> None:
    done = darkscan("replay", "--resume", undisturbed, check=2)
    assert f"{undisturbed}: --resume: holds a finished run" in done.stderr
    done = darkscan("replay", recording, "--out", unfinished, check=2)
    assert "holds an unfinished run, and --resume goes on with it" in done.stderr
    done = darkscan("replay", "--resume", unfinished, "--out", unfinished, check=2)
    assert "--out: has no meaning with --resume" in done.stderr
    with running("replay", "--resume", unfinished) as run:
        the_stage(run, "classification")
        done = darkscan("replay", "--resume", unfinished, check=2)
        assert f"{unfinished}: --resume: another run is writing there" in done.stderr
        run.communicate(timeout=PATIENCE_S)
    assert read_map(unfinished).coverage.complete
