"""Campaigns are told by their seed, and see what is wrong."""

import json
import shutil
import signal
from pathlib import Path

import pytest

from darkscan.faults._checks import problems_of_results
from darkscan.faults._processes import command_of
from darkscan.faults.torture import Campaign, Disturbed
from tests.stages.running import PATIENCE_S, darkscan, running, wait_until

pytestmark = pytest.mark.slow


def commands() -> list[str]:
    """The commands of all living processes."""
    return [" ".join(command_of(int(entry.name))) for entry in Path("/proc").glob("[0-9]*")]


def test_a_seed_gives_the_same_faults_again() -> None:
    first = [Disturbed.drawn(7, number) for number in range(50)]
    assert first == [Disturbed.drawn(7, number) for number in range(50)]
    assert first != [Disturbed.drawn(8, number) for number in range(50)]
    assert first[3].again == "darkscan torture --seed 7 --first 3 --runs 1"


def test_an_equal_map_has_no_problems(undisturbed: Path) -> None:
    assert problems_of_results(undisturbed, undisturbed, whole=True) == []


def changed(undisturbed: Path, tmp_path: Path, change: str) -> Path:
    copy = Path(shutil.copytree(undisturbed, tmp_path / "copy"))
    path = copy / "defect-map.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    if change == "a defect left out":
        content["defects"] = content["defects"][1:]
    elif change == "a frame too many":
        content["ledger"]["captured"] += 1
    elif change == "a frame lost in silence":
        content["ledger"]["mapped"] -= 1
        content["ledger"]["lost"] += 1
    path.write_text(json.dumps(content), encoding="utf-8")
    return copy


@pytest.mark.parametrize(
    ("change", "whole", "problem"),
    [
        ("a defect left out", True, "defect-map.json differs"),
        ("a defect left out", False, "is missing, though all of its frames were inspected"),
        ("a frame too many", False, "the ledger does not close"),
        ("a frame lost in silence", False, "0 frames are listed as not inspected"),
    ],
)
def test_a_false_map_is_seen(
    undisturbed: Path, tmp_path: Path, change: str, *, whole: bool, problem: str
) -> None:
    found = problems_of_results(changed(undisturbed, tmp_path, change), undisturbed, whole=whole)
    assert any(problem in line for line in found), found


def test_a_run_without_a_map_is_seen(undisturbed: Path, tmp_path: Path) -> None:
    (problem,) = problems_of_results(tmp_path, undisturbed, whole=True)
    assert "defect-map.json" in problem


def test_a_clean_run_leaves_nothing(campaign: Campaign) -> None:
    before = sorted(campaign.folder.iterdir())
    verdict = campaign.run(0)
    assert verdict.problems == []
    assert verdict.code in verdict.run.codes
    assert sorted(campaign.folder.iterdir()) == before


def test_the_command_sums_up_and_removes_its_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = darkscan("torture", "--seed", 4, "--runs", 1, "--out", out)
    assert "seed 4: 1 runs, none failed" in done.stdout
    assert not out.exists()


def test_an_interrupt_sums_up_and_leaves_no_process_behind(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with running("torture", "--seed", 4, "--out", out) as command:
        wait_until((out / "run-0").is_dir)
        command.send_signal(signal.SIGINT)
        stdout, stderr = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == 0, stderr
    assert "interrupted\nseed 4: 0 runs, none failed" in stdout
    assert not out.exists()
    wait_until(lambda: not any(str(out) in command for command in commands()))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--minutes", "nan"], "--minutes: must be from"),
        (["--runs", "0"], "--runs: must be from 1"),
        (["--first", "-1"], "--first: must be from 0"),
        (["--out", __file__], "cannot be written"),
    ],
)
def test_bad_options_are_refused(options: list[str], reason: str) -> None:
    assert reason in darkscan("torture", *options, check=2).stderr
