"""Whole runs that tell a host: it has everything in the end, and the map is as without it."""

import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from darkscan.drivers.recording import Recording
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.map_reading import read_map
from darkscan.pipeline.host_link.messages import (
    FramesSettled,
    MapFinished,
    Progress,
    Pyramid,
    ScanBegan,
    ScanEnded,
)
from darkscan.pipeline.transport.journal import JOURNAL_NAME, read_journal
from tests.stages.running import (
    FRAMES,
    PATIENCE_S,
    darkscan,
    kill,
    running,
    stage_processes,
    the_stage,
    wait_until,
)
from tests.uplink.hosts import Host
from tests.uplink.pictures import above, greyed, level_0

pytestmark = pytest.mark.slow


def slowly(folder: Path) -> tuple[str, ...]:
    """Options of a replay that is still under way when something happens to it."""
    recipe = folder / "slowly.toml"
    recipe.write_text("[processes]\nring_slots = 3\n")
    return "--speed", "recorded", "--recipe", str(recipe)


def hold(run: subprocess.Popen[str], out: Path, *, frames: int) -> psutil.Process:
    """Holds up a replay when so many frames are settled; what resuming lets it go on."""
    wait_until(lambda: len(read_journal(out / JOURNAL_NAME)) >= frames)
    worker = the_stage(run, "classification")
    worker.suspend()
    return worker


def frames_of(recording: Path) -> list[tuple[object, Pixels]]:
    with Recording(recording) as source:
        found = []
        for index, meta in enumerate(source.frames):
            pixels: Pixels = np.empty(source.info.frame_shape, source.info.dtype)
            source.read_into(index, pixels)
            found.append((meta, pixels))
    return found  # type: ignore[return-value]


def assert_shows_all(host: Host, recording: Path) -> None:
    """Every tile of level 1 and above is there, final, and the reference's but for the JPEG."""
    picture = host.of(ScanBegan)[-1].picture
    assert picture is not None
    with Recording(recording) as source:
        info = source.info
    lowest = level_0(info, picture, frames_of(recording))  # type: ignore[arg-type]
    tiles = host.tiles
    assert all(tile.final for tile in tiles.tiles.values())
    for level in range(1, picture.levels):
        assert_same_picture(tiles.level(picture, level), greyed(picture, above(lowest, level)))
    assert 0 < len(finest(host)) < grid(picture)


def assert_same_picture(got: Pixels, expected: Pixels) -> None:
    error = np.abs(got.astype(int) - expected)
    assert error.mean() < 2
    assert np.percentile(error, 99.9) < 16


def finest(host: Host) -> set[tuple[int, int]]:
    return {(x, y) for level, x, y in host.tiles.tiles if level == 0}


def grid(picture: Pyramid) -> int:
    return -(-picture.width_px // 512) * -(-picture.height_px // 512)


def assert_all_told(host: Host, out: Path, undisturbed: Path, recording: Path) -> None:
    """The host has the map, byte for byte, each frame once, and the whole picture."""
    kinds = host.kinds
    assert (kinds[0], kinds[-1]) == ("ScanBegan", "ScanEnded")
    assert set(kinds) == {"ScanBegan", "FramesSettled", "MapFinished", "ScanEnded"}
    assert len(host.scans) == 1
    assert host.map_bytes == (out / "defect-map.json").read_bytes()
    assert host.map_bytes == (undisturbed / "defect-map.json").read_bytes()
    assert sorted(host.settled) == list(range(FRAMES))
    assert host.ended.outcome == "complete"
    assert host.ended.frames_not_pictured == 0
    assert_shows_all(host, recording)


def test_a_replay_tells_the_host_everything(
    recording: Path, undisturbed: Path, host: Host, tmp_path: Path
) -> None:
    host.start()
    done = darkscan("replay", recording, "--out", tmp_path / "out", *host.options)
    assert "host: everything delivered" in done.stdout
    assert_all_told(host, tmp_path / "out", undisturbed, recording)
    began, report = host.began, json.loads((tmp_path / "out" / "run.json").read_text())
    assert host.scans == [report["scan_id"]]
    assert (began.origin, began.recording) == ("replay", str(recording))
    assert began.frames.tolist() == list(range(FRAMES))
    found = read_map(undisturbed)
    assert found.element.name == began.element
    settled = host.of(FramesSettled)
    assert sum(int(some.shapes.counts.size) for some in settled) >= len(found.defects)
    assert {stage for some in settled for stage in some.stamps[:, 1].tolist()} == {0, 1, 2}
    assert all((some.outcomes == 0).all() for some in settled)
    living = tmp_path / "state" / "living"
    assert not list(living.iterdir())


def test_the_host_is_told_how_the_run_is(recording: Path, host: Host, tmp_path: Path) -> None:
    host.start()
    out = tmp_path / "out"
    with running("replay", recording, "--out", out, *slowly(tmp_path), *host.options) as run:
        held = hold(run, out, frames=6)
        wait_until(lambda: any(map(_mapped_six, host.news)) or run.poll() is not None)
        held.resume()
        stdout, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 0, stderr + stdout
    assert "host connected" in stderr
    told = next(news for news in host.news if _mapped_six(news))
    assert {stage.stage for stage in told.stages} >= {"acquisition", "merging", "classification"}
    assert any(map(_worked, host.news))


def _mapped_six(news: Progress) -> bool:
    return news.sums is not None and news.sums.mapped >= 6


def _worked(news: Progress) -> bool:
    return any(stage.working_ms for stage in news.stages if stage.stage == "classification")


def test_a_host_that_is_not_there_changes_nothing_and_gets_all_later(
    recording: Path, undisturbed: Path, host: Host, tmp_path: Path
) -> None:
    done = darkscan("replay", recording, "--out", tmp_path / "out", *host.options)
    assert "send them later: darkscan send --host" in done.stdout
    assert "the host does not answer" in done.stdout
    without = {entry.name for entry in undisturbed.iterdir()}
    assert {entry.name for entry in (tmp_path / "out").iterdir()} == without
    host.start()
    done = darkscan("send", *host.options)
    assert "host: everything delivered" in done.stdout
    assert_all_told(host, tmp_path / "out", undisturbed, recording)
    assert "nothing waits" in darkscan("send", *host.options).stdout


def test_send_says_what_waits_when_nobody_answers(host: Host) -> None:
    done = darkscan("send", *host.options, "--timeout", "1", check=0)
    assert "nothing waits" in done.stdout


@pytest.mark.parametrize("times", [1, 20], ids=["once", "again and again"])
def test_an_uplink_that_is_killed_costs_nothing(
    recording: Path, undisturbed: Path, host: Host, tmp_path: Path, times: int
) -> None:
    host.start()
    out = tmp_path / "out"
    with running("replay", recording, "--out", out, *slowly(tmp_path), *host.options) as run:
        held = hold(run, out, frames=6)
        wait_until(lambda: bool(host.settled) or run.poll() is not None)
        killed = 0
        while killed < times and "given up" not in (out / "log.jsonl").read_text():
            for process in stage_processes(run.pid, "uplink"):
                kill(process)
                psutil.wait_procs([process], timeout=PATIENCE_S)
                killed += 1
            time.sleep(0.05)
        held.resume()
        stdout, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 0, stderr + stdout
    report = json.loads((out / "run.json").read_text())
    assert report["restarts"]["uplink"] >= 1
    assert ("uplink" in report["ended_early"]) == (times > 1)
    assert_all_told(host, out, undisturbed, recording)


def test_a_host_that_goes_and_comes_back_misses_nothing(
    recording: Path, undisturbed: Path, host: Host, tmp_path: Path
) -> None:
    host.start()
    out = tmp_path / "out"
    with running("replay", recording, "--out", out, *slowly(tmp_path), *host.options) as run:
        held = hold(run, out, frames=4)
        wait_until(lambda: bool(host.settled) or run.poll() is not None)
        host.stop()
        held.resume()
        wait_until(lambda: run.poll() is not None or len(read_journal(out / JOURNAL_NAME)) > 15)
        host.start()
        stdout, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 0, stderr + stdout
    darkscan("send", *host.options)
    assert_all_told(host, out, undisturbed, recording)


def test_who_aborts_is_believed(recording: Path, host: Host, tmp_path: Path) -> None:
    host.start()
    out = tmp_path / "out"
    with running("replay", recording, "--out", out, *slowly(tmp_path), *host.options) as run:
        wait_until(lambda: len(read_journal(out / JOURNAL_NAME)) >= 2)
        the_stage(run, "classification").suspend()
        run.send_signal(signal.SIGINT)
        time.sleep(0.3)
        run.send_signal(signal.SIGINT)
        _, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 130, stderr
    assert type(host.contents[0][1]) is ScanBegan
    assert host.ended.outcome == "aborted"
    assert not host.of(MapFinished)


def test_a_drained_replay_is_incomplete(recording: Path, host: Host, tmp_path: Path) -> None:
    host.start()
    out = tmp_path / "out"
    with running("replay", recording, "--out", out, *slowly(tmp_path), *host.options) as run:
        wait_until(lambda: len(read_journal(out / JOURNAL_NAME)) >= 2)
        run.send_signal(signal.SIGINT)
        stdout, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 3, stderr + stdout
    assert host.ended.outcome == "incomplete"
    assert "frames were not inspected" in host.ended.reason
    assert sorted(host.settled) == list(range(FRAMES))
    lost = [some for some in host.of(FramesSettled) if (some.outcomes == 2).any()]
    assert any("stopped by the operator" in reason for some in lost for reason in some.reasons)
    assert all(tile.final for tile in host.tiles.tiles.values())


def test_a_run_that_fails_says_why(recording: Path, host: Host, tmp_path: Path) -> None:
    host.start()
    out = tmp_path / "out"
    with running("replay", recording, "--out", out, *slowly(tmp_path), *host.options) as run:
        wait_until(lambda: len(read_journal(out / JOURNAL_NAME)) >= 2)
        the_stage(run, "preprocessing").suspend()  # nothing settles any more
        deadline = time.monotonic() + PATIENCE_S
        while run.poll() is None and time.monotonic() < deadline:
            for process in stage_processes(run.pid, "merging"):
                kill(process)
            time.sleep(0.05)
        run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 1
    assert host.ended.outcome == "failed"
    assert "merging died" in host.ended.reason


def test_what_a_killed_rig_left_is_told_as_died(
    recording: Path, host: Host, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with running("replay", recording, "--out", out, *slowly(tmp_path), *host.options) as run:
        hold(run, out, frames=4)
        living = psutil.Process(run.pid).children()
        host.start()
        wait_until(lambda: bool(host.settled) or run.poll() is not None)
        darkscan("send", *host.options)
        assert not host.of(ScanEnded), "it lives"
        run.kill()
        psutil.wait_procs(living, timeout=PATIENCE_S)
    done = darkscan("send", *host.options)
    assert "everything delivered" in done.stdout
    assert host.ended.outcome == "died"
    assert host.ended.reason
    darkscan("send", *host.options)
    assert len(host.of(ScanEnded)) == 1


def test_a_killed_run_that_goes_on_tells_the_rest(
    recording: Path, undisturbed: Path, host: Host, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    host.start()
    with running("replay", recording, "--out", out, *slowly(tmp_path), *host.options) as run:
        hold(run, out, frames=4)
        living = psutil.Process(run.pid).children()
        wait_until(lambda: bool(host.settled) or run.poll() is not None)
        run.kill()
        psutil.wait_procs(living, timeout=PATIENCE_S)
    done = darkscan("replay", "--resume", out)  # the host is the unfinished run's
    assert "host: everything delivered" in done.stdout
    assert len(host.scans) == 1
    assert sorted(host.settled) == list(range(FRAMES))  # each once
    assert [end.outcome for end in host.of(ScanEnded)] == ["died", "complete"]
    assert host.map_bytes == (undisturbed / "defect-map.json").read_bytes()
    assert_shows_all(host, recording)


def test_an_outbox_that_cannot_be_written_does_not_hinder_the_scan(
    recording: Path, undisturbed: Path, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("DARKSCAN_STATE", str(tmp_path / "file" / "state"))
    done = darkscan("replay", recording, "--out", tmp_path / "out", *host.options)
    assert "host: nothing was told" in done.stdout
    for name in ("defect-map.json", "defect-map.svg", "defect-map.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (undisturbed / name).read_bytes()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(["--host", "here"], "--host", id="no address"),
        pytest.param(["--host", "tcp://127.0.0.1:1"], "darkscan keys new", id="no key yet"),
        pytest.param(["--insecure"], "--insecure: has no meaning without --host", id="no host"),
        pytest.param(["--host-key", "x"], "--host-key: has no meaning", id="a key and no host"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_the_run(
    recording: Path, host: Host, tmp_path: Path, options: list[str], words: str
) -> None:
    done = darkscan("replay", recording, "--out", tmp_path / "out", *options, check=2)
    assert words in done.stderr
    assert not (tmp_path / "out").exists()
