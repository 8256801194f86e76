"""A turned, magnified, shaded camera: calibrated by its own scans, it measures the truth."""

import re
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from darkscan.drivers.rig import Rig, load_rig
from darkscan.pipeline.core.defect_map import DefectMap
from darkscan.pipeline.core.map_reading import read_map
from darkscan.simulation.element.comparison import compare
from darkscan.simulation.rig import truth_of
from tests.conftest import REPOSITORY
from tests.stages.running import darkscan

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc)"),
]

ALLOWED_MM = 0.020
PLAIN_CNR = 5.0
NEAR_MM = 0.3
"""A centre line this close to a true scratch is meant to be of it."""

FAULTS = """\
camera_rotation_mrad = 1.0
pitch_error = 0.01
vignetting = 0.3
hot_pixels = 12
"""

Points = npt.NDArray[np.float64]


def write_rig(
    path: Path, kind: str, *, preset: str = "optic", geometry: bool = False, flat: bool = False
) -> Path:
    """A simulated rig whose camera is not as drawn."""
    text = (REPOSITORY / "configs" / f"rig-{kind}-simulated.toml").read_text()
    assert "[simulation]\n" in text
    assert "[calibration]\n" in text
    # Uncorrected, a hot pixel of a line camera draws a bright straight line: a scratch to anybody.
    faults = FAULTS if kind == "area" else FAULTS.replace("hot_pixels = 12\n", "")
    text = text.replace("[simulation]\n", f"[simulation]\n{faults}")
    text, changed = re.subn(r'^preset = "\w+"', f'preset = "{preset}"', text, flags=re.MULTILINE)
    assert changed == 1
    lines = 'geometry = "geometry.json"\n' if geometry else ""
    lines += 'flat = "flat.h5"\n' if flat else ""
    text = text.replace("[calibration]\n", f"[calibration]\n{lines}")
    path.write_text(text)
    return path


@pytest.fixture(scope="module", params=["area", "line"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calibrations, and the map of a scan with them."""
    kind, folder = str(request.param), tmp_path_factory.mktemp("calibrated")
    target = write_rig(folder / "target.toml", kind, preset="dot-grid")
    darkscan("calibrate", "geometry", "--rig", target, "--out", folder / "geometry.json")
    flat = kind == "area"
    if flat:
        clean = write_rig(folder / "clean.toml", kind, preset="clean")
        darkscan("calibrate", "flat", "--rig", clean, "--out", folder / "flat.h5")
    rig = write_rig(folder / "rig.toml", kind, geometry=True, flat=flat)
    darkscan("run", "--rig", rig, "--out", folder / "out", "--record", folder / "scan.h5")
    return folder


def finely(vertices: Points) -> Points:
    """Points along a line, 5 um apart."""
    parts = [
        a + (b - a) * np.linspace(0, 1, max(2, int(np.hypot(*(b - a)) / 0.005)))[:, None]
        for a, b in pairwise(vertices)
    ]
    return np.concatenate(parts)


def offsets_mm(rig: Rig, found: DefectMap) -> Points:
    """How far the centre lines that are of a true scratch lie from it, every 20 um along them."""
    truth = truth_of(rig)
    assert truth is not None
    mm = rig.geometry.pitch_um / 1000
    true = np.concatenate([finely(trace.vertices * mm) for trace in truth.scratches])
    points = np.concatenate(
        [
            finely(np.array(defect.centreline))[::4]
            for defect in found.defects
            if defect.kind == "scratch"
        ]
    )
    nearest = np.array([np.sqrt(((true - point) ** 2).sum(axis=1).min()) for point in points])
    return nearest[nearest < NEAR_MM]


def test_defects_lie_within_two_pixels_of_the_truth(folder: Path) -> None:
    offsets = offsets_mm(load_rig(folder / "rig.toml"), read_map(folder / "out"))
    assert len(offsets) > 50
    assert np.median(offsets) < ALLOWED_MM / 2
    assert np.quantile(offsets, 0.9) < ALLOWED_MM


def test_without_a_calibration_they_would_not(tmp_path: Path) -> None:
    as_drawn = write_rig(tmp_path / "drawn.toml", "area")
    darkscan("run", "--rig", as_drawn, "--out", tmp_path / "out")
    offsets = offsets_mm(load_rig(as_drawn), read_map(tmp_path / "out"))
    assert np.quantile(offsets, 0.9) > 2 * ALLOWED_MM


def test_scratches_across_frame_borders_stay_whole(folder: Path) -> None:
    truth = truth_of(load_rig(folder / "rig.toml"))
    assert truth is not None
    found = read_map(folder / "out")
    across = [
        scratch
        for scratch in compare(truth, found).scratches
        if scratch.found and scratch.length_mm > 5.0
    ]
    assert len(across) >= 3
    assert all(scratch.traced > 0.9 for scratch in across)
    # A faint one may break where a bright one crosses it, wherever frames end.
    plain = [scratch for scratch in across if scratch.cnr > PLAIN_CNR]
    assert len(plain) >= 2
    assert not any(scratch.split for scratch in plain)


def test_the_map_names_its_calibrations(folder: Path) -> None:
    names = read_map(folder / "out").scan.calibration.split("; ")
    assert len(names) == (2 if (folder / "flat.h5").exists() else 1)
    assert all(re.fullmatch(r"\w+ sha256:[0-9a-f]{8}", name) for name in names)


def test_the_recording_is_corrected_already(folder: Path, tmp_path: Path) -> None:
    darkscan("replay", folder / "scan.h5", "--out", tmp_path / "replayed")
    for name in ("defect-map.json", "defect-map.png"):
        again = (tmp_path / "replayed" / name).read_bytes()
        assert again == (folder / "out" / name).read_bytes()
