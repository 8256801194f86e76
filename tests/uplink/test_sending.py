"""A finished folder of results is sent to a host, with what is left of its scan."""

import json
import shutil
import zlib
from pathlib import Path

import pytest

from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.host_link.messages import (
    MapFinished,
    ScanBegan,
    ScanEnded,
    Tile,
    decode_content,
)
from darkscan.pipeline.host_link.outbox import Outbox
from darkscan.pipeline.running.living_scans import LivingScan
from darkscan.runs.sending import FinishedScan
from tests.conftest import REPOSITORY
from tests.stages.running import FRAMES, darkscan, record_small_scan
from tests.uplink.hosts import Host

pytestmark = pytest.mark.slow

OLD_MAP = REPOSITORY / "tests" / "pipeline" / "defect-map-version-2.json"


@pytest.fixture
def results(undisturbed: Path, tmp_path: Path) -> Path:
    """The results of a run without a host."""
    return Path(shutil.copytree(undisturbed, tmp_path / "results"))


def changed_report(results: Path, **changes: object) -> None:
    path = results / "run.json"
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def test_a_finished_scan_is_sent_with_its_picture(host: Host, results: Path) -> None:
    host.start()
    done = darkscan("send", results, *host.options)
    assert "host: everything delivered" in done.stdout
    assert host.kinds == ["ScanBegan", "MapFinished", "ScanEnded"]
    assert host.scans == [json.loads((results / "run.json").read_text())["scan_id"]]
    assert host.map_bytes == (results / "defect-map.json").read_bytes()
    assert (
        zlib.decompress(host.of(MapFinished)[0].trace_zlib) == (results / "trace.json").read_bytes()
    )
    assert (host.began.origin, host.ended.outcome) == ("sent", "complete")
    assert host.began.frames.tolist() == list(range(FRAMES))
    tiles = host.tiles.tiles
    assert {level for level, _, _ in tiles} == {0, 1, 2, 3}
    assert all(tile.final for tile in tiles.values())
    darkscan("send", results, *host.options)
    assert len(host.scans) == 1


def test_a_recording_that_has_moved_is_named(
    host: Host, results: Path, recording: Path, tmp_path: Path
) -> None:
    changed_report(results, recording=str(tmp_path / "gone.h5"))
    host.start()
    done = darkscan("send", results, *host.options)
    assert "no picture" in done.stdout
    assert "--scan RECORDING" in done.stdout
    assert not host.of(Tile)
    assert host.began.picture is not None  # it may come later
    darkscan("send", results, "--scan", recording, *host.options)
    assert host.of(Tile)
    assert len(host.scans) == 1


def test_results_of_before_there_was_a_host_are_sent_once(host: Host, results: Path) -> None:
    changed_report(results, scan_id=None, scan=None, recording=None)
    host.start()
    for _ in range(2):
        darkscan("send", results, *host.options)
    assert len(host.scans) == 1
    assert host.of(ScanBegan)[0].frame_shape is None


@pytest.mark.parametrize("report", [None, "{", "[]", '{"scan_id": "no id", "started": 5}'])
def test_a_map_of_version_2_alone_will_do(host: Host, tmp_path: Path, report: str | None) -> None:
    (tmp_path / "old").mkdir()
    shutil.copy(OLD_MAP, tmp_path / "old" / "defect-map.json")
    if report is not None:
        (tmp_path / "old" / "run.json").write_text(report)
    host.start()
    darkscan("send", tmp_path / "old", *host.options)
    assert host.map_bytes == OLD_MAP.read_bytes()
    assert host.kinds == ["ScanBegan", "MapFinished", "ScanEnded"]


def test_what_cannot_be_sent_is_refused_in_a_line(
    host: Host, results: Path, tmp_path: Path
) -> None:
    record_small_scan(tmp_path / "other.h5", columns=2)
    for arguments, words in [
        ((tmp_path / "nothing",), "there is no such map"),
        ((results, "--scan", tmp_path / "other.h5"), "is not the recording of the map"),
        ((results, "--scan", results / "run.json"), "run.json"),
        (("--scan", tmp_path / "other.h5"), "--scan: has no meaning"),
        (("--timeout", "nan"), "--timeout"),
    ]:
        done = darkscan("send", *arguments, *host.options, check=2)
        assert words in done.stderr
        assert len(done.stderr.splitlines()) <= 2


def test_a_picture_that_is_interrupted_costs_the_map_nothing(results: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == total // 2:
            raise KeyboardInterrupt

    with Outbox(tmp_path / "outbox.sqlite", "tcp://host:1") as outbox:
        finished = FinishedScan(results, None)
        with pytest.raises(KeyboardInterrupt):
            finished.put(outbox, interrupt)
        finished.close()
        waiting = outbox.waiting(limit=100, limit_bytes=10**9)
        durable = [decode_content(parcel.content) for parcel in waiting][:3]
        assert [type(content) for content in durable] == [ScanBegan, MapFinished, ScanEnded]
        assert outbox.begun_not_ended() == []
        with (
            LivingScan(outbox.path, finished.scan_id),
            pytest.raises(InputError, match="under way"),
        ):
            FinishedScan(results, None).put(outbox, interrupt)


def test_what_is_not_delivered_in_time_waits(host: Host, results: Path) -> None:
    done = darkscan("send", results, *host.options, "--timeout", 1, check=1)
    assert "send them later" in done.stdout
    host.start()
    darkscan("send", *host.options)
    assert host.map_bytes == (results / "defect-map.json").read_bytes()
