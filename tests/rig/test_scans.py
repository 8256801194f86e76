"""Whole scans of simulated elements: through harvesters and Channel Access to the map."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from darkscan.drivers.planning import plan_scan
from darkscan.drivers.recording import Recording
from darkscan.drivers.rig import Rig, drawn_geometry
from darkscan.pipeline.core.recipe import Inspection
from darkscan.simulation.element._background import draw_background
from darkscan.simulation.element.comparison import compare
from darkscan.simulation.element.sensor import Noise
from darkscan.simulation.rig import truth_of
from tests.acquisition.fakes import rig_of
from tests.rig.scanning import Scanned, assert_same_results, replayed, scan, simulated

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc)"),
]

KINDS = ["area", "fly", "fly by time stamps", "line"]
CNR = 4.0
SHORTEST_MM = 0.5


def rig_for(kind: str) -> Rig:
    height = 256 if kind == "line" else 1024
    changes: dict[str, dict[str, object]] = {
        "element": {"size_mm": (26.0, 18.0)},
        "camera": {"width": 1024, "height": height},
    }
    if kind == "line":
        changes["scan"] = {"frame_height_px": 1024}
    if kind == "fly by time stamps":
        changes["motion"] = {"positions": "timestamps"}
    if kind == "area":
        changes["camera"] |= {"pixel_format": "Mono12p"}
    return rig_of(kind.partition(" ")[0], **changes)


@pytest.fixture(scope="module", params=KINDS)
def rig(request: pytest.FixtureRequest) -> Rig:
    return rig_for(request.param)


@pytest.fixture(scope="module")
def scanned(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    with simulated(rig):
        return scan(rig, tmp_path_factory.mktemp("scan"), record=True)


def test_every_frame_is_mapped_and_all_of_the_element_inspected(scanned: Scanned) -> None:
    ledger = scanned.map.ledger
    assert (ledger.mapped, ledger.lost, ledger.quarantined) == (ledger.captured, 0, 0)
    assert scanned.map.coverage.complete
    assert scanned.report["camera_counts"]["underruns"] == 0


def test_every_planted_scratch_that_stands_out_is_found(rig: Rig, scanned: Scanned) -> None:
    truth = truth_of(rig)
    assert truth is not None
    level = draw_background(np.random.default_rng([truth.seed, 0xBAC6]), truth.size_px).level
    strong = [
        scratch
        for scratch in compare(truth, scanned.map).scratches
        if scratch.amplitude / Noise().sigma(level) >= CNR and scratch.length_mm >= SHORTEST_MM
    ]
    assert len(strong) >= 3
    assert [scratch for scratch in strong if not scratch.found] == []


def test_the_recording_replayed_gives_the_same_map(scanned: Scanned, tmp_path: Path) -> None:
    assert scanned.record is not None
    assert_same_results(scanned.out, replayed(scanned.record, tmp_path / "replayed"))


def test_packed_grey_levels_keep_their_depth(rig: Rig, scanned: Scanned) -> None:
    assert scanned.record is not None
    with Recording(scanned.record) as recording:
        assert recording.info.bit_depth == rig.camera.bit_depth
        pixels = np.empty(recording.info.frame_shape, recording.info.dtype)
        recording.read_into(0, pixels)
    level = np.median(pixels) / 2 ** (rig.camera.bit_depth - 8)
    assert 5 < level < 60


def test_each_frame_says_when_and_how_surely_it_was_placed(rig: Rig, scanned: Scanned) -> None:
    assert scanned.record is not None
    with Recording(scanned.record) as recording:
        times = [meta.exposure_ns for meta in recording.frames]
        plan = plan_scan(
            rig, drawn_geometry(rig), Inspection(), side="front", recipe_name="default"
        )
        for planned, meta in zip(plan.frames, recording.frames, strict=True):
            off_um = 1000 * (np.array(meta.position_mm) - planned.meta.position_mm)[:2]
            assert np.abs(off_um).max() < max(10.0, 5 * meta.uncertainty_um)
        assert all(meta.uncertainty_um > 0 for meta in recording.frames)
    assert len(set(times)) > len(times) // 2
    assert min(times) > 0
