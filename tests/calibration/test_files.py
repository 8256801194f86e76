"""Calibration files: read as written, refused when stale, foreign or changed."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkscan.drivers.calibration import (
    FlatField,
    GeometryCalibration,
    header_for,
    load_flat,
    load_geometry,
    read_flat,
    read_geometry,
    save_flat,
    save_geometry,
    valid_until,
)
from darkscan.drivers.calibration._flat_field import BadPixels
from darkscan.drivers.calibration._geometry_file import GeometryQuality
from darkscan.drivers.calibration._header import StageSetup
from darkscan.drivers.rig import Rig, drawn_geometry
from darkscan.pipeline.core.errors import InputError, StorageError
from tests.calibration.scenes import make_rig, true_geometry

TAKEN = date(2026, 5, 4)
LAST = date(2026, 8, 2)
NARROW: dict[str, Any] = {"camera": {"width": 300, "height": 260}}
RIG = make_rig(**NARROW)


def calibration(rig: Rig = RIG) -> GeometryCalibration:
    truth = true_geometry(rig)
    return GeometryCalibration(
        setup=StageSetup.of(rig),
        taken=TAKEN,
        valid_until=LAST,
        pixel_to_stage=truth.pixel_to_stage,
        stage_to_element=truth.stage_to_element,
        quality=GeometryQuality(
            spacing_mm=1.0,
            frames=9,
            dots=200,
            set_aside=3,
            rms_um=1.0,
            rms_x_um=0.8,
            rms_y_um=0.6,
            largest_um=2.5,
        ),
    )


def flat_field(rig: Rig = RIG) -> FlatField:
    rng = np.random.default_rng(2)
    shape = (1 if rig.camera.kind == "line" else rig.camera.height, rig.camera.width)
    return FlatField(
        rng.uniform(0, 4, shape).astype(np.float32),
        rng.uniform(0.8, 1.4, shape).astype(np.float32),
        BadPixels(np.array([(0, 7), (0, 9)], np.int32), shape),
        bit_depth=rig.camera.bit_depth,
    )


@pytest.fixture
def geometry_file(tmp_path: Path) -> Path:
    save_geometry(tmp_path / "target.json", calibration())
    return tmp_path / "target.json"


@pytest.fixture
def flat_file(tmp_path: Path) -> Path:
    save_flat(tmp_path / "flat.h5", flat_field(), header_for(RIG, TAKEN, LAST))
    return tmp_path / "flat.h5"


def with_files(rig: Rig, geometry: Path | None = None, flat: Path | None = None) -> Rig:
    named = rig.calibration.model_copy(update={"geometry": geometry, "flat": flat})
    return rig.model_copy(update={"calibration": named})


def test_without_files_the_geometry_is_as_drawn_and_frames_are_as_they_come() -> None:
    assert load_geometry(RIG) == drawn_geometry(RIG)
    assert load_flat(RIG) is None
    assert load_geometry(RIG).name == ""


def test_a_geometry_is_read_as_it_was_written(geometry_file: Path) -> None:
    assert read_geometry(geometry_file)[0].geometry() == true_geometry(RIG)
    loaded = load_geometry(with_files(RIG, geometry_file), today=LAST)
    hash_ = json.loads(geometry_file.read_text())["hash"]
    assert loaded == true_geometry(RIG).model_copy(update={"name": f"target {hash_[:15]}"})


@pytest.mark.parametrize("kind", ["area", "line"])
def test_a_flat_field_corrects_as_before(kind: Any, tmp_path: Path) -> None:
    rig = make_rig(kind, **NARROW)
    flat, path = flat_field(rig), tmp_path / "flat.h5"
    save_flat(path, flat, header_for(rig, TAKEN, LAST))
    loaded = load_flat(with_files(rig, flat=path), today=LAST)
    assert loaded is not None
    assert loaded.name.startswith("flat sha256:")
    assert len(loaded.name) == len("flat sha256:12345678")
    frames = np.random.default_rng(1).integers(0, 255, (2, 260, 300)).astype(np.uint8)
    frames[1] = frames[0]
    flat.correct(frames[0])
    loaded.correct(frames[1])
    assert np.array_equal(frames[0], frames[1])


def test_equal_calibrations_are_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_flat(tmp_path / name, flat_field(), header_for(RIG, TAKEN, LAST))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def refusals(rig: Rig, today: date = LAST) -> list[str]:
    """What loading says, unless forced; forced it must load."""
    said = []
    for load in (load_geometry, load_flat):
        try:
            load(rig, today=today)
        except InputError as error:
            said.append(str(error))
            load(rig, today=today, force=True)
    return said


def test_expired_calibrations_are_refused_unless_forced(
    geometry_file: Path, flat_file: Path
) -> None:
    rig = with_files(RIG, geometry_file, flat_file)
    assert refusals(rig, LAST) == []
    geometry, flat = refusals(rig, LAST + timedelta(days=1))
    assert geometry.startswith(f"{geometry_file}: expired on 2026-08-02")
    assert flat.startswith(f"{flat_file}: expired on 2026-08-02")


@pytest.mark.parametrize(
    ("rig", "geometry", "flat"),
    [
        pytest.param(
            RIG.model_copy(update={"name": "other"}), "rig test rig", "rig test rig", id="rig"
        ),
        pytest.param(
            make_rig(**NARROW, geometry={"pitch_um": 5.0}), "geometry.pitch_um 10.0", "", id="pitch"
        ),
        pytest.param(
            make_rig(**NARROW, geometry={"flip_y": True}),
            "geometry.flip_y False",
            "",
            id="orientation",
        ),
        pytest.param(make_rig(**NARROW, scan={"axis": "y"}), "axis x", "", id="scan axis"),
    ],
)
def test_foreign_calibrations_are_refused_unless_forced(
    rig: Rig, geometry: str, flat: str, geometry_file: Path, flat_file: Path
) -> None:
    wanted = [f"was made with {field}" for field in (geometry, flat) if field]
    said = refusals(with_files(rig, geometry_file, flat_file))
    assert len(said) == len(wanted)
    assert all(words in line for words, line in zip(wanted, said, strict=True))


@pytest.mark.parametrize(
    ("camera", "problem"),
    [
        pytest.param({"width": 512}, "width 300", id="wider frames"),
        pytest.param({"height": 512}, "height 260", id="higher frames"),
        pytest.param({"pixel_format": "Mono12"}, "bit_depth 8", id="deeper pixels"),
    ],
)
def test_a_flat_field_of_other_frames_is_refused_even_if_forced(
    camera: dict[str, Any], problem: str, flat_file: Path
) -> None:
    rig = with_files(make_rig(camera={**NARROW["camera"], **camera}), flat=flat_file)
    for force in (False, True):
        with pytest.raises(InputError, match=problem):
            load_flat(rig, today=TAKEN, force=force)


@pytest.mark.parametrize(
    ("made", "now", "refused"),
    [("A1", "A2", True), ("A1", "A1", False), ("", "A1", False), ("A1", "", False)],
    ids=["another camera", "the same camera", "not known then", "not known now"],
)
def test_cameras_are_told_apart_where_their_numbers_are_known(
    made: str, now: str, refused: bool, tmp_path: Path
) -> None:
    rigs = [make_rig(camera={**NARROW["camera"], "serial": serial}) for serial in (made, now)]
    path = tmp_path / "flat.h5"
    save_flat(path, flat_field(rigs[0]), header_for(rigs[0], TAKEN, LAST))
    said = refusals(with_files(rigs[1], flat=path))
    assert said == ([f"{path}: was made with serial A1, the rig file says A2"] if refused else [])


@given(change=st.sampled_from([1e-9, -0.5, 1e6]), where=st.integers(0, 100))
def test_any_number_changed_by_hand_is_noticed(change: float, where: int) -> None:
    content = calibration().model_dump(mode="json")
    from darkscan.pipeline.core.settings import content_hash

    before = content_hash(content)
    part = content[["pixel_to_stage", "stage_to_element"][where % 2]]
    field = sorted(part)[where % len(part)]
    part[field] += change
    assert content_hash(content) != before


def test_an_edited_geometry_is_refused_unless_forced(geometry_file: Path) -> None:
    content = json.loads(geometry_file.read_text())
    content["valid_until"] = "2099-01-01"
    geometry_file.write_text(json.dumps(content))
    said = refusals(with_files(RIG, geometry_file))
    assert said == [f"{geometry_file}: was changed or damaged since it was made"]


def _set(name: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file[name][0, 0] += 1

    return change


def _longer(file: h5py.File) -> None:
    file.attrs["header"] = file.attrs["header"].replace("2026-08-02", "2099-08-02")


@pytest.mark.parametrize(
    "change",
    [_set("gain"), _set("dark"), _set("bad"), _longer],
    ids=["gain", "dark", "bad", "date"],
)
def test_an_edited_flat_field_is_refused_unless_forced(
    change: Callable[[h5py.File], None], flat_file: Path
) -> None:
    with h5py.File(flat_file, "r+") as file:
        change(file)
    said = refusals(with_files(RIG, flat=flat_file))
    assert said == [f"{flat_file}: was changed or damaged since it was made"]


@pytest.mark.parametrize("force", [False, True], ids=["not forced", "forced"])
@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[1, 2]", b"\x89HDF\r\n\x1a\n", b'{"format": "darkscan geometry"', b"\xff" * 99],
    ids=["empty", "no fields", "a list", "a signature alone", "cut JSON", "noise"],
)
def test_what_is_no_calibration_is_refused_in_one_line(
    content: bytes, force: bool, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    for read in (read_geometry, read_flat):
        with pytest.raises(InputError) as caught:
            read(path, force=force)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


def test_a_cut_flat_field_is_refused(flat_file: Path) -> None:
    flat_file.write_bytes(flat_file.read_bytes()[:100_000])
    with pytest.raises(InputError, match="damaged"):
        read_flat(flat_file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for read in (read_geometry, read_flat):
        with pytest.raises(InputError, match="cannot be read"):
            read(tmp_path / "nowhere")


def test_nothing_is_half_written(geometry_file: Path) -> None:
    before = geometry_file.read_bytes()
    with pytest.raises(StorageError):
        save_geometry(geometry_file / "below" / "a.json", calibration())
    assert geometry_file.read_bytes() == before


@pytest.mark.parametrize("days", [0, -3, 10**9])
def test_impossible_validities_are_refused(days: int) -> None:
    with pytest.raises(InputError, match="--valid-days"):
        valid_until(TAKEN, days)
