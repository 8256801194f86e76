"""Whole runs whose workers are on "other computers": the map is the same, come what may."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from darkscan.pipeline.access.keys import KeyRing
from darkscan.pipeline.transport.journal import JOURNAL_NAME, read_journal
from tests.remote.proxy import Cable
from tests.remote.rest_of_a_run import free_address
from tests.stages.running import PATIENCE_S, darkscan, kill, running, the_stage, wait_until

pytestmark = pytest.mark.slow

WORKER = "worker-1"


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyRing:
    """The keys of this computer, which is the run's and the workers' alike."""
    monkeypatch.setenv("DARKSCAN_CONFIG", str(tmp_path / "config"))
    ring = KeyRing()
    ring.allow(ring.new().public, WORKER)
    return ring


def the_map(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "defect-map.json").read_text())
    return content


def same_but_for_who_scored(out: Path, other: Path) -> bool:
    """Whether two maps are the same, but for the list of who scored."""
    one, two = the_map(out), the_map(other)
    del one["scored_by"], two["scored_by"]
    return one == two


@pytest.mark.parametrize(
    ("disturbance", "workers_here"),
    [("link cut", 0), ("worker killed", 0), ("gateway killed", 1)],
)
def test_the_map_does_not_depend_on_where_its_workers_are(
    recording: Path, undisturbed: Path, tmp_path: Path, disturbance: str, workers_here: int
) -> None:
    out, address = tmp_path / "out", free_address()
    (tmp_path / "recipe.toml").write_text("[processes]\nbatch_wait_ms = 20\nthreads = 1")
    replay = ("replay", recording, "--out", out, "--recipe", tmp_path / "recipe.toml")
    where = ("--workers", workers_here, "--remote-workers", address)
    with (
        Cable(address) as cable,
        running("worker", cable.address, "--threads", 1, "--name", "first") as first,
        running("worker", address, "--threads", 1, "--name", "second") as second,
        running(*replay, *where) as run,
    ):
        wait_until(lambda: len(read_journal(out / JOURNAL_NAME)) >= 3)
        match disturbance:
            case "link cut":
                cable.cut()
            case "worker killed":
                first.kill()
            case "gateway killed":
                kill(the_stage(run, "gateway"))
        _, stderr = run.communicate(timeout=PATIENCE_S)
        assert run.returncode == 0, stderr
        if not workers_here:  # then those elsewhere are there to the end
            said, complaint = second.communicate(timeout=PATIENCE_S)
            assert "the run has ended" in said
            assert (second.returncode, complaint) == (0, "")
    assert same_but_for_who_scored(out, undisturbed)
    assert all(one["secured"] for one in the_map(out)["scored_by"])
    if not workers_here:
        assert {one["name"] for one in the_map(out)["scored_by"]} == {WORKER}
    restarts = json.loads((out / "run.json").read_text())["restarts"]
    assert restarts == ({"gateway": 1} if disturbance == "gateway killed" else {})


def test_a_worker_without_a_run_says_so(tmp_path: Path) -> None:
    address = free_address()
    done = darkscan("worker", address, "--wait", 1, check=1)
    assert done.stderr.endswith(f"darkscan: error: {address}: no run answered for 1 s\n")


def test_a_run_that_no_worker_came_to_ends_on_ctrl_c(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    where = ("--workers", 0, "--remote-workers", free_address())
    with running("replay", recording, "--out", out, *where) as run:
        the_stage(run, "gateway")
        run.send_signal(signal.SIGINT)
        _, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 3, stderr
    assert "Traceback" not in stderr
    coverage = json.loads((out / "defect-map.json").read_text())["coverage"]
    assert not coverage["complete"]
    assert coverage["inspected_fraction"] == 0.0
    assert {frame["reason"] for frame in coverage["not_inspected"]} == {
        "stopped by the operator while no worker was there",
        "not taken: stopped by the operator",
    }


def test_an_address_in_use_ends_the_run_in_one_line(recording: Path, tmp_path: Path) -> None:
    with Cable("tcp://127.0.0.1:1") as somebody:
        arguments = ("--out", tmp_path / "out", "--remote-workers", somebody.address)
        done = darkscan("replay", recording, *arguments, check=2)
    last = done.stderr.strip().splitlines()[-1]
    assert last == (
        f"darkscan: error: {somebody.address}: workers cannot connect there: Address already in use"
    )


@pytest.mark.parametrize(
    ("command", "arguments", "field"),
    [
        pytest.param("worker", ["10.0.0.1:5570"], "ADDRESS", id="no scheme"),
        pytest.param("worker", ["ipc:///tmp/x"], "ADDRESS", id="another scheme"),
        pytest.param("worker", ["tcp://host:0"], "ADDRESS", id="no port"),
        pytest.param("worker", ["tcp://host:70000"], "ADDRESS", id="a port that cannot be"),
        pytest.param("worker", ["tcp://h:1", "--threads", "0"], "--threads", id="no threads"),
        pytest.param("worker", ["tcp://h:1", "--name", "a\nb"], "--name", id="two lines"),
        pytest.param("worker", ["tcp://h:1", "--wait", "0"], "--wait", id="no patience"),
        pytest.param(
            "replay",
            ["x.h5", "--out", "out", "--remote-workers", "tcp://*:5570"],
            "--remote-workers",
            id="no host to bind",
        ),
        pytest.param(
            "replay", ["x.h5", "--out", "out", "--workers", "0"], "--workers", id="nobody"
        ),
    ],
)
def test_impossible_options_are_refused_in_one_line(
    command: str, arguments: list[str], field: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from darkscan.cli.main import main

    assert main([command, *arguments]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"darkscan: error: {field}: must ")


@pytest.mark.parametrize(
    ("command", "has_key", "field"),
    [
        pytest.param("replay", False, "own.key: this computer has no key yet", id="run, no key"),
        pytest.param("replay", True, "--remote-workers: no worker is allowed yet", id="run, alone"),
        pytest.param("worker", False, "own.key: this computer has no key yet", id="worker, no key"),
        pytest.param("worker", True, "--run-key: no computer is allowed", id="worker, alone"),
    ],
)
def test_without_keys_nothing_begins_and_it_is_said_what_to_type(
    command: str,
    has_key: bool,
    field: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from darkscan.cli.main import main

    monkeypatch.setenv("DARKSCAN_CONFIG", str(tmp_path / "other"))
    if has_key:
        KeyRing().new()
    address = free_address()
    where = ["x.h5", "--out", "out", "--remote-workers", address]
    assert main([command, *(where if command == "replay" else [address])]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert field in line
    assert "`darkscan keys" in line


def test_an_insecure_worker_is_told_that_the_run_wants_keys(
    recording: Path, tmp_path: Path
) -> None:
    address = free_address()
    where = ("--workers", 0, "--remote-workers", address)
    with running("replay", recording, "--out", tmp_path / "out", *where) as run:
        the_stage(run, "gateway")
        done = darkscan("worker", address, "--wait", 15, "--insecure", check=1)
        assert "the run lets in known keys only: leave out --insecure here" in done.stderr
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=PATIENCE_S)
