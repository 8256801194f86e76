"""What the camera says it is and takes for values."""

from pathlib import Path

import numpy as np
import pytest

from darkscan.drivers.rig import BIT_DEPTHS
from darkscan.simulation.rig._shared import SHARED_RIG
from tests.simulated_camera.cameras import AREA, LINE, Bench, area_look, line_look

BLACK = np.zeros((300, 300), np.uint16)


def test_both_cameras_are_there_without_a_rig(bench: Bench) -> None:
    assert bench.serials == [AREA, LINE]


@pytest.mark.parametrize(
    ("look", "serial"),
    [
        pytest.param(area_look(), AREA, id="area rig"),
        pytest.param(line_look(), LINE, id="line rig"),
    ],
)
def test_a_rig_has_one_camera(bench: Bench, look: object, serial: str) -> None:
    bench.rig(look, BLACK)  # type: ignore[arg-type]
    assert bench.serials == [serial]
    nodes = bench.open(serial).nodes
    assert nodes.WidthMax.value == 256
    assert nodes.DeviceSerialNumber.value == serial


def test_a_rig_that_is_none_leaves_no_camera(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").write_bytes(b"something else" * 100_000)
    monkeypatch.setenv(SHARED_RIG, str(tmp_path / "other"))
    assert bench.serials == []


@pytest.mark.parametrize("serial", [AREA, LINE], ids=["area", "line"])
def test_nodes_of_the_naming_convention_are_there(bench: Bench, serial: str) -> None:
    nodes = bench.open(serial).nodes
    assert nodes.PixelFormat.symbolics == tuple(BIT_DEPTHS)
    assert nodes.DeviceScanType.value == {AREA: "Areascan", LINE: "Linescan"}[serial]
    assert nodes.TriggerSelector.symbolics == ({AREA: "FrameStart", LINE: "LineStart"}[serial],)
    for name in (
        *("Width", "Height", "OffsetX", "ExposureTime", "ExposureMode", "ExposureAuto", "GainAuto"),
        *("TriggerMode", "TriggerActivation", "TriggerDelay", "TriggerSoftware", "UserSetLoad"),
        *("AcquisitionMode", "ChunkModeActive", "ChunkSelector", "ChunkEnable", "PayloadSize"),
        *("EncoderSelector", "EncoderSourceA", "EncoderSourceB", "EncoderMode", "EncoderDivider"),
        *("EncoderOutputMode", "EncoderReset", "EncoderValue", "CounterSelector", "CounterValue"),
        *("ChunkFrameID", "ChunkTimestamp", "ChunkEncoderValue", "ChunkCounterValue"),
        *("ChunkLineStatusAll", "ChunkEncoderSelector", "TLParamsLocked"),
        {AREA: "AcquisitionFrameRate", LINE: "AcquisitionLineRate"}[serial],
    ):
        assert nodes.has_node(name), name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("Width", 4100, id="wider than the sensor"),
        pytest.param("Width", 4095, id="not a multiple of the increment"),
        pytest.param("Height", 0, id="no rows"),
        pytest.param("OffsetX", 4, id="offset beyond the sensor"),
        pytest.param("AcquisitionFrameRate", 1e6, id="too fast"),
        pytest.param("PixelFormat", "RGB8", id="colour"),
    ],
)
def test_values_out_of_range_are_refused(bench: Bench, name: str, value: object) -> None:
    node = getattr(bench.open(AREA).nodes, name)
    before = node.value
    with pytest.raises(Exception, match=r"(?i)must be|not a valid|entry|feature|range"):
        node.value = value
    assert node.value == before


def test_the_width_left_depends_on_the_offset(bench: Bench) -> None:
    camera = bench.open(AREA).set(Width=1000, OffsetX=96)
    assert camera.nodes.Width.max == 4000
    assert camera.nodes.OffsetX.max == 3096
    assert camera.nodes.Width.inc == 4


@pytest.mark.parametrize("name", ["Width", "Height", "OffsetX", "PixelFormat", "ChunkModeActive"])
def test_the_shape_of_pictures_is_locked_while_they_are_taken(bench: Bench, name: str) -> None:
    camera = bench.open(AREA)
    node = getattr(camera.nodes, name)
    value = node.value
    with camera.acquiring(), pytest.raises(Exception, match=r"(?i)writable"):
        node.value = value
    node.value = value


@pytest.mark.parametrize(
    ("serial", "each_line"), [(AREA, 1), (LINE, 100)], ids=["area", "line: for each line"]
)
def test_the_payload_grows_with_the_chunks(bench: Bench, serial: str, each_line: int) -> None:
    camera = bench.open(serial).set(Width=256, Height=100)
    sizes = [camera.nodes.PayloadSize.value]
    sizes += [
        camera.enable_chunks(chunk).nodes.PayloadSize.value
        for chunk in ("FrameID", "Timestamp", "EncoderValue")
    ]
    assert sizes[0] == 25_600
    assert list(np.diff(sizes)) == [8, 8 * each_line, 8 * each_line]


def test_the_user_set_restores_what_was_at_first(bench: Bench) -> None:
    camera = bench.open(LINE).set(Width=512, PixelFormat="Mono12p", EncoderDivider=7)
    camera.nodes.UserSetLoad.execute()
    assert (camera.nodes.Width.value, camera.nodes.EncoderDivider.value) == (16_384, 1)
    assert camera.nodes.PixelFormat.value == "Mono8"


def test_modules_on_the_host_have_nodes_too(bench: Bench) -> None:
    camera = bench.open(AREA).set(Width=256, Height=64, AcquisitionFrameRate=1000)
    acquirer = camera.acquirer
    for module in (acquirer.system, acquirer.interface, acquirer.device):
        assert module.node_map.ModuleID.value
    with camera.acquiring():
        camera.fetch_all(3)
        assert camera.stream.node_map.StreamDeliveredFrameCount.value >= 3
        assert camera.stream.node_map.StreamAnnouncedBufferCount.value == 8
