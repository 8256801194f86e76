"""A rig that cannot be used as asked: one line that names the field, and nothing moves."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import genicam
import pytest

from darkscan.drivers.rig import Rig
from darkscan.pipeline.core.errors import DarkscanError, ExitCode
from darkscan.pipeline.core.settings import check
from darkscan.simulation.rig import SimulatedRig
from tests.acquisition.fakes import rig_of
from tests.motion.records import put
from tests.rig.scanning import scan, simulated
from tests.stages.running import darkscan

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc)"),
    pytest.mark.expects_errors,
]

VIKY = str(Path(genicam.__file__).parent / "viky.cti")


@pytest.fixture(scope="module")
def running() -> Iterator[SimulatedRig]:
    with simulated(rig_of("area")) as rig:
        yield rig


def refused(rig: Rig, running: SimulatedRig, folder: Path) -> str:
    """The one line that a scan is refused with."""
    before = running.shared._head.moves_told
    with pytest.raises(DarkscanError) as refusal:
        scan(rig, folder, record=True)
    assert running.shared._head.moves_told == before
    assert refusal.value.exit_code == ExitCode.BAD_INPUT
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) in (
        [],
        ["log.jsonl"],
    )
    message = str(refusal.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("camera", "said"),
    [
        ({"nodes": {"Gian": 3.0}}, r"rig\.toml: camera\.nodes\.Gian: .*Gain"),
        ({"exposure_us": 1e12}, r"rig\.toml: camera\.exposure_us: .*1e\+12"),
        ({"serial": "SIM-X"}, r"rig\.toml: camera\.serial: .*SIM-A"),
        ({"names": {"ExposureTime": "Exposure"}}, r"Exposure"),
        ({"trigger_source": "Line77"}, r"rig\.toml: camera\.trigger_source: .*Software"),
    ],
    ids=["unknown node", "value out of range", "no such serial", "unknown name", "no such entry"],
)
def test_a_camera_that_cannot_be_set(
    camera: dict[str, object], said: str, running: SimulatedRig, tmp_path: Path
) -> None:
    message = refused(rig_of("area", camera=camera), running, tmp_path)
    assert re.search(said, message), message


@pytest.mark.parametrize(
    ("producer", "serial", "said"),
    [
        ("nowhere.cti", "", "nowhere.cti"),
        (__file__, "", "no GenTL"),
        (VIKY, "", "serial"),
    ],
    ids=["missing .cti", "no producer", "several cameras and no serial"],
)
def test_a_camera_that_cannot_be_found(
    producer: str, serial: str, said: str, running: SimulatedRig, tmp_path: Path
) -> None:
    content = rig_of("area").model_dump(exclude_unset=True)
    content["camera"] |= {"producer": producer, "serial": serial}
    del content["simulation"]
    message = refused(check(content, Rig, file=None), running, tmp_path)
    assert said in message, message
    assert "camera." in message


def test_an_axis_that_is_not_homed(running: SimulatedRig, tmp_path: Path) -> None:
    rig = rig_of("area")
    put(f"{rig.motion.x.record}:FAULT", "unhomed")
    try:
        message = refused(rig, running, tmp_path)
    finally:
        put(f"{rig.motion.x.record}:FAULT", "none")
    assert "homed" in message
    assert rig.motion.x.record in message


@pytest.mark.parametrize(("field", "wrong", "right"), [("SET", "Set", "Use"), ("EGU", "um", "mm")])
def test_a_record_that_would_not_move_as_it_is_told(
    field: str, wrong: str, right: str, running: SimulatedRig, tmp_path: Path
) -> None:
    rig = rig_of("area")
    put(f"{rig.motion.y.record}.{field}", wrong)
    try:
        message = refused(rig, running, tmp_path)
    finally:
        put(f"{rig.motion.y.record}.{field}", right)
    assert f'{rig.motion.y.record}.{field} is "{wrong}"' in message
    assert right in message


def test_a_plan_beyond_the_records_limits(running: SimulatedRig, tmp_path: Path) -> None:
    rig = rig_of("area", geometry={"origin_mm": (295.0, 50.0)})
    x = {"record": rig.motion.x.record}  # without limits in the file, the record's own count
    rig = rig_of("area", geometry={"origin_mm": (295.0, 50.0)}, motion={"x": x})
    message = refused(rig, running, tmp_path)
    assert "soft limits are 0.000 to 300.000" in message


def test_a_record_that_nobody_serves(running: SimulatedRig, tmp_path: Path) -> None:
    rig = rig_of("area", motion={"y": {"record": "SIM:NOBODY"}, "connect_s": 1.0})
    assert "SIM:NOBODY" in refused(rig, running, tmp_path)


def test_on_the_command_line_it_is_one_line(tmp_path: Path) -> None:
    text = (Path("configs") / "rig-area-simulated.toml").read_text()
    broken = tmp_path / "rig.toml"
    broken.write_text(text.replace("exposure_us = 2000.0", "exposure_us = 2e9"))
    out = tmp_path / "out"
    done = darkscan("run", "--rig", broken, "--out", out, check=2)
    assert "exposure_us" in done.stderr
    assert "darkscan: error: " in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rig", "nowhere.toml"), "nowhere.toml: cannot be read"),
        (("--rig", "configs/rig-area-simulated.toml", "--rescan", "99"), "--rescan"),
        (("--rig", "configs/default.toml"), "element: is missing"),
        (
            ("--rig", "configs/rig-area-simulated.toml", "--record", "README.md"),
            "README.md: exists already",
        ),
    ],
    ids=["no rig file", "too many rescans", "a recipe for a rig", "a recording that exists"],
)
def test_arguments_that_cannot_be_used(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    done = darkscan("run", *arguments, "--out", tmp_path / "out", check=2)
    assert said in done.stderr
    assert not (tmp_path / "out").exists()
