"""``darkscan calibrate`` from recordings and from a rig, and what it refuses."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from darkscan.cli.calibrate import middle_of_element
from darkscan.cli.main import main
from darkscan.drivers.calibration import load_flat, load_geometry
from darkscan.drivers.rig import drawn_geometry, load_rig
from darkscan.pipeline.core.recipe import Recipe
from darkscan.runs.rig_scan import ScanRequest
from tests.calibration.flats import make_camera, record_dark, record_light
from tests.calibration.scenes import make_rig, stops, true_geometry
from tests.calibration.targets import record_target

RIG_FILE = """\
name = "test rig"
[element]
size_mm = [24.0, 18.0]
[camera]
producer = "camera.cti"
kind = "area"
width = 512
height = 512
exposure_us = 20.0
rate_hz = 20.0
[geometry]
pitch_um = 10.0
origin_mm = [3.0, 2.0]
[motion]
x = { record = "X" }
y = { record = "Y" }
velocity_mm_s = 100.0
acceleration_mm_s2 = 1000.0
positions = "readback"
[scan]
mode = "step"
[illumination]
switch = "LIGHT"
[calibration]
geometry = "geometry.json"
flat = "flat.h5"
"""


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of a target and of an element, with and without light."""
    folder, rig = tmp_path_factory.mktemp("scans"), make_rig()
    camera = make_camera(rig, hot=10)
    places = stops(rig)[:3, :3]
    record_target(folder / "target.h5", rig, true_geometry(rig), places_mm=places)
    record_light(folder / "light.h5", rig, camera)
    record_dark(folder / "dark.h5", rig, camera)
    return folder


@pytest.fixture
def rig_file(tmp_path: Path) -> Path:
    path = tmp_path / "rig.toml"
    path.write_text(RIG_FILE)
    return path


def test_both_calibrations_from_recordings_are_used_by_the_rig(
    scans: Path, rig_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = rig_file.parent
    geometry, flat = folder / "geometry.json", folder / "flat.h5"
    command = ["calibrate", "geometry", "--rig", str(rig_file), "--out", str(geometry)]
    assert main([*command, "--scan", str(scans / "target.h5"), "--spacing-mm", "1"]) == 0
    assert "camera   turned by +" in capsys.readouterr().out
    command = ["calibrate", "flat", "--rig", str(rig_file), "--out", str(flat)]
    light, dark = str(scans / "light.h5"), str(scans / "dark.h5")
    assert main([*command, "--light", light, "--dark", dark, "--valid-days", "7"]) == 0
    assert "masked   10 bright and 0 dead pixels" in capsys.readouterr().out
    rig = load_rig(rig_file)
    assert load_geometry(rig).name.startswith("geometry sha256:")
    assert load_flat(rig) is not None
    assert sorted(path.name for path in folder.iterdir()) == [
        "flat.h5",
        "geometry.json",
        "rig.toml",
    ]


@pytest.fixture
def rig_at_work(monkeypatch: pytest.MonkeyPatch, scans: Path) -> list[str]:
    """A rig whose scans were taken before; gives what it was asked to do."""
    done: list[str] = []

    def record_scan(request: ScanRequest, _recipe: Recipe) -> None:
        out = request.record
        assert out is not None
        assert request.rig_file.is_file()
        assert request.geometry == drawn_geometry(request.rig)
        assert not request.corrects
        done.append(out.stem)
        out.write_bytes((scans / out.name).read_bytes())

    @contextmanager
    def darkened(switch: str) -> Iterator[None]:
        done.append(f"{switch} off")
        yield
        done.append(f"{switch} on")

    monkeypatch.setattr("darkscan.cli.calibrate.record_scan", record_scan)
    monkeypatch.setattr("darkscan.cli.calibrate.darkened", darkened)
    return done


def test_a_rig_takes_the_scans_itself(rig_at_work: list[str], rig_file: Path) -> None:
    folder = rig_file.parent
    rig = ["--rig", str(rig_file)]
    flat = ["--out", str(folder / "flat.h5")]
    assert main(["calibrate", "flat", *rig, *flat]) == 0
    assert rig_at_work == ["light", "LIGHT off", "dark", "LIGHT on"]
    target = ["--out", str(folder / "geometry.json"), "--spacing-mm", "1"]
    assert main(["calibrate", "geometry", *rig, *target]) == 0
    assert rig_at_work[-1] == "target"
    # The scans are gone.
    assert sorted(path.name for path in folder.iterdir()) == [
        "flat.h5",
        "geometry.json",
        "rig.toml",
    ]


@pytest.mark.parametrize("transposed", [False, True])
def test_a_flat_field_is_taken_in_the_middle_of_the_element(transposed: bool) -> None:
    rig = make_rig(
        element={"size_mm": [810.0, 460.0]},
        camera={"width": 1024},
        geometry={"transposed": transposed},
    )
    part = middle_of_element(rig, 3, overlap=0.5)
    wide, narrow = 2 * 10.24, 2 * 5.12
    width, height = (narrow, wide) if transposed else (wide, narrow)
    middle = (405 - width / 2, 230 - height / 2, width, height)
    assert part.element.region_mm == pytest.approx(middle)
    assert part.scan.overlap_px == 256
    small = middle_of_element(make_rig(), 99, overlap=0.0)
    assert small.element.region_mm == pytest.approx((0, 0, 24, 18))
    assert small.scan.overlap_px == make_rig().scan.overlap_px


def _no_switch(text: str) -> str:
    return text.replace('[illumination]\nswitch = "LIGHT"\n', "")


@pytest.mark.parametrize(
    ("command", "change", "problem"),
    [
        pytest.param(["flat"], _no_switch, "--dark: is needed", id="no light switch"),
        pytest.param(["flat", "--light", "l.h5"], str, "--dark: is needed", id="light alone"),
        pytest.param(["geometry"], str, "--spacing-mm: is needed", id="no spacing"),
        pytest.param(
            ["geometry", "--spacing-mm", "0.01"], str, "from 0.1 to", id="dots of no size"
        ),
        pytest.param(["geometry", "--spacing-mm", "9"], str, "from 0.1 to", id="a dot a frame"),
        pytest.param(["geometry", "--spacing-mm", "nan"], str, "from 0.1 to", id="no number"),
        pytest.param(
            ["geometry", "--spacing-mm", "1", "--first-dot-mm", "1"],
            str,
            "--first-dot-mm: must be like 1,1",
            id="half a place",
        ),
        pytest.param(
            ["geometry", "--spacing-mm", "1", "--first-dot-mm", "1,inf"],
            str,
            "must be finite",
            id="a place nowhere",
        ),
        pytest.param(
            ["geometry", "--spacing-mm", "1", "--scan", "nowhere.h5"],
            str,
            "nowhere.h5: cannot be read",
            id="no such scan",
        ),
        pytest.param(["flat", "--valid-days", "0"], str, "--valid-days: must be", id="no day"),
    ],
)
def test_bad_input_is_refused_in_one_line_before_anything_moves(
    command: list[str],
    change: Callable[[str], str],
    problem: str,
    rig_at_work: list[str],
    rig_file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rig_file.write_text(change(RIG_FILE))
    out = rig_file.parent / "out"
    assert main(["calibrate", *command, "--rig", str(rig_file), "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert problem in line
    assert rig_at_work == []
    assert list(rig_file.parent.iterdir()) == [rig_file]


@pytest.mark.parametrize("kind", ["flat", "geometry"])
def test_an_older_file_stays_unless_forced(
    kind: str, rig_at_work: list[str], rig_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = rig_file.parent / "out"
    out.write_text("older")
    command: list[Any] = ["calibrate", kind, "--rig", str(rig_file), "--out", str(out)]
    if kind == "geometry":
        command += ["--spacing-mm", "1"]
    assert main(command) == 2
    assert "exists already; --force" in capsys.readouterr().err
    assert rig_at_work == []
    assert out.read_text() == "older"
    assert main([*command, "--force"]) == 0
    assert len(out.read_bytes()) > 500


def test_the_geometry_file_is_plain_for_other_tools(rig_at_work: list[str], rig_file: Path) -> None:
    out = rig_file.parent / "geometry.json"
    command = ["calibrate", "geometry", "--rig", str(rig_file), "--out", str(out)]
    assert main([*command, "--spacing-mm", "1"]) == 0
    content = json.loads(out.read_text())
    assert content["format"] == "darkscan geometry"
    assert content["setup"]["geometry"]["pitch_um"] == 10.0
    assert content["pixel_to_stage"]["xx"] == pytest.approx(0.0101, rel=2e-3)
