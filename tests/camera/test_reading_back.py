"""What a camera was set to is read back: one that clips, rounds or forgets is not believed."""

from pathlib import Path

import pytest
from genicam.genapi import NodeMap

from darkscan.drivers.camera.camera import Camera
from darkscan.drivers.camera.errors import CameraError
from darkscan.drivers.camera.nodes import Nodes
from darkscan.drivers.camera.wanted import Wanted
from darkscan.drivers.rig.camera import NodeValue
from darkscan.pipeline.errors import InputError
from tests.camera.simulated import bench

DESCRIPTION = """<?xml version="1.0" encoding="utf-8"?>
<RegisterDescription ModelName="Test" VendorName="Test" StandardNameSpace="None"
    SchemaMajorVersion="1" SchemaMinorVersion="1" SchemaSubMinorVersion="0" MajorVersion="1"
    MinorVersion="0" SubMinorVersion="0" ProductGuid="1477D3CE-C128-5D55-BA64-497C207A659E"
    VersionGuid="2CF8F018-23C9-5D92-BCEE-B23548461788"
    xmlns="http://www.genicam.org/GenApi/Version_1_1">
  <Category Name="Root"><pFeature>InTens</pFeature></Category>
  <Converter Name="InTens">
    <FormulaTo>FLOOR(FROM / 10)</FormulaTo><FormulaFrom>TO * 10</FormulaFrom><pValue>Tens</pValue>
  </Converter>
  <Integer Name="Tens"><Value>0</Value><Min>0</Min><Max>100000</Max></Integer>
  <IntConverter Name="InFours">
    <FormulaTo>FROM - FROM % 4</FormulaTo><FormulaFrom>TO</FormulaFrom><pValue>Fours</pValue>
    <Slope>Increasing</Slope>
  </IntConverter>
  <Integer Name="Fours"><Value>0</Value><Min>0</Min><Max>100000</Max></Integer>
  <Float Name="Millis"><Value>1</Value><Min>0</Min><Max>1e6</Max><Unit>ms</Unit></Float>
  <Float Name="Micros"><Value>1</Value><Min>0</Min><Max>1e6</Max><Unit>us</Unit></Float>
</RegisterDescription>
"""


def apply(node: str, value: NodeValue, *, microseconds: bool = False) -> None:
    node_map = NodeMap()
    node_map.load_xml_from_string(DESCRIPTION)
    wanted = Wanted(node, value, "camera.test", microseconds=microseconds)
    Nodes(node_map, {}, Path("rig.toml")).apply(wanted)


@pytest.mark.parametrize(
    ("node", "value"),
    [("InTens", 2000.0), ("InTens", 2003.0), ("InFours", 400), ("Micros", 0.0)],
    ids=["as it is", "rounded by less than matters", "a whole number", "zero"],
)
def test_what_the_camera_takes_is_set(node: str, value: NodeValue) -> None:
    apply(node, value)


@pytest.mark.parametrize(
    ("node", "value", "said"),
    [
        ("InTens", 19.0, "the camera has InTens = 10 after it was set to 19"),
        ("InFours", 402, "the camera has InFours = 400 after it was set to 402"),
    ],
    ids=["rounded to half", "a whole number rounded"],
)
def test_what_the_camera_rounds_is_refused(node: str, value: NodeValue, said: str) -> None:
    with pytest.raises(InputError, match=r"^rig\.toml: camera\.test: ") as refusal:
        apply(node, value)
    assert said in str(refusal.value)


def test_an_exposure_time_in_other_units_is_refused() -> None:
    apply("Micros", 20.0, microseconds=True)
    with pytest.raises(InputError, match=r"Millis of this camera is in ms, not in us"):
        apply("Millis", 20.0, microseconds=True)


@pytest.mark.usefixtures("simulated_camera")
def test_a_value_that_was_undone_later_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Wanted("ExposureTime", 10.0, "camera.exposure_us")
    with bench(tmp_path, monkeypatch, "area") as area, Camera(area.settings, "step") as camera:
        camera._nodes.require(wanted)
        camera._nodes._map.get_node("UserSetLoad").execute()
        with pytest.raises(InputError, match=r"^camera\.exposure_us: the camera has ExposureTime"):
            camera._nodes.require(wanted)


@pytest.mark.usefixtures("simulated_camera")
def test_an_encoder_that_does_not_go_to_zero_ends_the_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"EncoderReset": ""}  # left alone: the count stays what it is
    with (
        bench(tmp_path, monkeypatch, "line", names=names) as line,
        Camera(line.settings, "line", encoder=True) as camera,
    ):
        line.sweep(0, 300)
        with pytest.raises(CameraError, match=r"EncoderValue = .* after EncoderReset"):
            camera.arm()


@pytest.mark.usefixtures("simulated_camera")
def test_an_encoder_that_cannot_be_reset_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"EncoderReset": "NoSuchNode"}
    refused = pytest.raises(InputError, match=r"^camera\.names\.EncoderReset: ")
    with bench(tmp_path, monkeypatch, "line", names=names) as line, refused:
        Camera(line.settings, "line", encoder=True)
