"""The demo and the simulate command, as a newcomer runs them."""

from pathlib import Path

import numpy as np
import pytest

from darkscan.drivers.recording import Recording
from darkscan.pipeline.core.arrays import Pixels
from darkscan.simulation.element import ElementTruth
from tests.stages.running import darkscan


@pytest.mark.slow
def test_the_demo_finds_scratches_and_says_where_to_look(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    text = darkscan("demo", "--out", out).stdout
    assert "true scratch" in text
    for name in ("defect-map.json", "defect-map.png", "defect-map.svg", "trace.json"):
        assert str(out / "map" / name) in text
        assert (out / "map" / name).stat().st_size > 0
    found, total = (int(word) for word in text.split("found ")[1].split(" true")[0].split(" of "))
    assert found >= total / 2


def test_the_demo_can_be_run_again_but_clears_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    refused = darkscan("demo", "--out", tmp_path, check=2)
    assert "holds no earlier demo" in refused.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_simulate_records_the_same_bytes_for_the_same_seed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        darkscan(
            *("simulate", "--frames", "2x1", "--frame", 512, "--seed", 5),
            *("--out", tmp_path / name / "scan.h5"),
        )
    one, other = (Recording(tmp_path / name / "scan.h5") for name in ("a", "b"))
    with one, other:
        assert one.frames == other.frames
        frames: list[Pixels] = []
        for recording in (one, other):
            pixels: Pixels = np.empty(recording.info.frame_shape, recording.info.dtype)
            recording.read_into(1, pixels)
            frames.append(pixels)
        np.testing.assert_array_equal(frames[0], frames[1])
    truth = ElementTruth.load(tmp_path / "a" / "scan.truth.json")
    assert truth.scratches
