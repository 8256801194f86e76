"""Displays that fail: the inspection behind them goes on."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stages.running import PATIENCE_S, darkscan

pytestmark = pytest.mark.slow


def replay(
    recording: Path, out: Path, *, stdout: int, stderr: int
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "darkscan", "replay", str(recording), "--out", str(out)]
    return subprocess.run(
        command, stdout=stdout, stderr=stderr, timeout=PATIENCE_S, check=False, env=os.environ
    )


@pytest.fixture
def full() -> int:
    return os.open("/dev/full", os.O_WRONLY)


@pytest.fixture
def lost() -> int:
    """A terminal whose window was closed: writing to it is an input/output error."""
    window, terminal = pty.openpty()
    os.close(window)
    return terminal


def same_map(out: Path, undisturbed: Path) -> bool:
    name = "defect-map.json"
    return (out / name).read_bytes() == (undisturbed / name).read_bytes()


@pytest.mark.parametrize("how", ["full", "lost"])
def test_progress_that_cannot_be_shown_changes_nothing(
    how: str,
    request: pytest.FixtureRequest,
    recording: Path,
    undisturbed: Path,
    tmp_path: Path,
) -> None:
    broken: int = request.getfixturevalue(how)
    done = replay(recording, tmp_path / "out", stdout=subprocess.PIPE, stderr=broken)
    assert done.returncode == 0
    assert same_map(tmp_path / "out", undisturbed)
    assert b"defect-map.json" in done.stdout
    assert "display failed" in (tmp_path / "out" / "log.jsonl").read_text()


@pytest.mark.parametrize("how", ["full", "lost"])
def test_results_that_cannot_be_printed_are_there_all_the_same_and_the_exit_code_says_so(
    how: str,
    request: pytest.FixtureRequest,
    recording: Path,
    undisturbed: Path,
    tmp_path: Path,
) -> None:
    broken: int = request.getfixturevalue(how)
    done = replay(recording, tmp_path / "out", stdout=broken, stderr=subprocess.PIPE)
    assert done.returncode == 1
    last = done.stderr.decode().strip().splitlines()[-1]
    assert last.startswith("darkscan: error: standard output: cannot be written: ")
    assert same_map(tmp_path / "out", undisturbed)


def test_names_that_look_like_markup_or_control_the_terminal_are_shown_as_they_are(
    recording: Path, tmp_path: Path
) -> None:
    out = tmp_path / "[red]a[/] \x1b[31mb\rc"
    done = darkscan("replay", recording, "--out", out)
    shown = done.stdout + done.stderr
    assert "\x1b" not in shown
    assert "\r" not in shown
    assert r"[red]a[/] \x1b[31mb\rc" in done.stdout


def test_an_error_that_names_a_terminal_code_shows_it_as_text(tmp_path: Path) -> None:
    done = darkscan("info", tmp_path / "\x1b[2Jgone[/]", check=2)
    assert done.stderr.count("\n") == 1
    assert r"\x1b[2Jgone[/]" in done.stderr
