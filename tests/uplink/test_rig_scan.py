"""Scans of a simulated rig that are told to a host: its picture is made of frames in the ring."""

import os
import shutil
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest

from darkscan.drivers.recording import Recording
from darkscan.pipeline.core.recipe import Recipe
from darkscan.pipeline.core.settings import updated
from darkscan.pipeline.host_link.messages import OUTCOMES, FramesSettled, Tile
from darkscan.pipeline.host_link.target import target_of
from darkscan.runs.rig_scan import ScanRequest, prepare_scan
from darkscan.runs.runner import run_to_map
from tests.acquisition.fakes import rig_of
from tests.rig.scanning import Once, settled, simulated
from tests.stages.running import kill, stage_processes
from tests.uplink.hosts import Host
from tests.uplink.pictures import above, greyed, level_0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc)"),
]


@pytest.mark.parametrize(
    ("kind", "recorded", "killed"),
    [
        pytest.param("area", True, False, id="step and stare"),
        pytest.param("line", True, False, id="line scan"),
        pytest.param("area", True, True, id="step and stare, the uplink killed"),
        pytest.param("area", False, False, id="not recorded"),
    ],
)
def test_a_live_scan_is_told_and_pictured(
    host: Host, tmp_path: Path, kind: str, recorded: bool, killed: bool
) -> None:

    host.start()
    rig = rig_of(kind, element={"size_mm": (18.0, 12.0)})
    target = target_of(host.address, insecure=True)
    lines: list[str] = []
    kills = Once(
        lambda progress: killed and settled(progress) >= 2,
        lambda _: kill_uplink(),
    )
    with (
        simulated(rig),
        as_file(files("darkscan") / "models" / "default.onnx") as model,
    ):
        record = tmp_path / "scan.h5" if recorded else None
        request = ScanRequest(rig, Path("rig.toml"), record=record)
        prepared = prepare_scan(request, Recipe(), model, tmp_path / "out")
        spec = updated(prepared.spec, host=target)
        run_to_map(spec, kills, describe=prepared.live.write, tell=lines.append)
    assert lines == ["host: everything delivered"]
    began = host.began
    assert began.origin == "run"
    assert began.stage_to_element == prepared.live.geometry.stage_to_element
    assert began.recording == ("" if record is None else str(record))
    assert host.map_bytes == (tmp_path / "out" / "defect-map.json").read_bytes()
    assert host.ended.outcome == "complete"
    assert sorted(host.settled) == began.frames.tolist()
    assert all(
        OUTCOMES[outcome] == "mapped"
        for some in host.of(FramesSettled)
        for outcome in some.outcomes.tolist()
    )
    assert all(tile.final for tile in host.tiles.tiles.values())
    if record is not None:
        assert host.ended.frames_not_pictured == 0
        assert_shows(host, record)
    # Who has the lowest priority may come too late for the ring; what it shows is counted.
    elif host.ended.frames_not_pictured < len(began.frames):
        assert host.of(Tile)


def kill_uplink() -> None:
    for process in stage_processes(os.getpid(), "uplink"):
        kill(process)


def assert_shows(host: Host, recording: Path) -> None:
    """The picture is that of the recording's frames, at their measured places."""
    picture = host.began.picture
    assert picture is not None
    with Recording(recording) as source:
        frames = []
        for index, meta in enumerate(source.frames):
            pixels = np.empty(source.info.frame_shape, source.info.dtype)
            source.read_into(index, pixels)
            frames.append((meta, pixels))
        lowest = level_0(source.info, picture, frames)
    for level in range(1, picture.levels):
        error = np.abs(
            host.tiles.level(picture, level).astype(int) - greyed(picture, above(lowest, level))
        )
        assert error.mean() < 2
        assert np.percentile(error, 99.5) < 16
