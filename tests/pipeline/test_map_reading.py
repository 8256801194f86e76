"""Maps are read whole: the present version as it is, version 2 brought up to it."""

import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkscan.pipeline.core.defect_map import DefectMap, to_json
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.map_reading import read_map

OLD = Path(__file__).with_name("defect-map-version-2.json")
"""A map of version 2: two frames with scratches, one with a defect without, one lost."""

VALUES: tuple[object, ...] = (
    *(None, True, "", "\0", "\ud800", -1, 0, 10**400, 1e-320, 1e308, float("nan")),
    *([], [[]], {}, [[0, 0]] * 4),
)


@pytest.fixture(scope="module")
def renewed() -> DefectMap:
    return read_map(OLD)


def old_content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(OLD.read_text())
    return content


def written(folder: Path, content: object) -> Path:
    path = folder / "defect-map.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_old_defects_are_areas_and_their_scratches_defects(renewed: DefectMap) -> None:
    old = old_content()
    assert renewed.version == 3
    assert renewed.model.kinds == ("scratch",)
    for area, before in zip(renewed.areas, old["defects"], strict=True):
        assert area.id == "A" + before["id"][1:]
        assert [list(map(list, ring)) for ring in area.contour] == before["contour"]
        assert (area.windows, area.score_max) == (before["windows"], before["score_max"])
        own = [defect for defect in renewed.defects if defect.area == area.id]
        assert tuple(defect.id for defect in own) == area.defects
        lines = {(d.length_mm, d.width_um, d.contrast, d.centreline) for d in own}
        assert lines == {
            (s["length_mm"], s["width_um"], s["contrast"], tuple(map(tuple, s["centreline"])))
            for s in before["scratches"]
        }


def test_what_was_not_measured_then_is_null(renewed: DefectMap) -> None:
    for defect in renewed.defects:
        assert defect.kind == "scratch"
        assert defect.probability is defect.width_max_um is defect.width_uncertainty_um is None
        assert defect.brightness_um is defect.brightness_um2 is defect.saturated is None
        assert defect.views == len(defect.frames)


def test_defects_are_numbered_from_the_top_down(renewed: DefectMap) -> None:
    assert [defect.id for defect in renewed.defects] == ["D0001", "D0002", "D0003", "D0004"]
    tops = [defect.box_mm[1] for defect in renewed.defects]
    assert tops == sorted(tops)


def test_outlines_are_centre_lines_widened_by_their_width(renewed: DefectMap) -> None:
    upright = next(defect for defect in renewed.defects if defect.length_mm == 4.2)
    width = upright.width_um / 1000
    assert set(upright.outline) == {
        (round(3.0 + side * width / 2, 4), y) for side in (-1, 1) for y in (0.6, 4.8)
    }
    assert upright.box_mm == pytest.approx((3.0 - width / 2, 0.6, width, 4.2), abs=1e-4)
    assert upright.extent_mm == pytest.approx((4.2, width), abs=1e-4)
    assert upright.orientation_deg == 90.0
    thin = next(defect for defect in renewed.defects if defect.width_um == 5.0)
    assert thin.extent_mm[1] == pytest.approx(0.01, abs=2e-4), "a pixel at least"


def test_totals_and_flags_follow_from_the_lines(renewed: DefectMap) -> None:
    total = renewed.totals
    assert total.scratch.count == 4
    assert total.scratch.length_mm == pytest.approx(old_content()["scratch_length_mm"], abs=1e-3)
    assert total.scratch.longest_mm == 4.2
    assert total.fibre.count == total.dig.count == total.dust.count == 0
    assert (total.areas, total.areas_without_defect) == (3, 1)
    assert total.worst_concentration is not None
    (near,) = (defect for defect in renewed.defects if defect.touches_not_inspected)
    assert np.allclose(near.centreline[-1], (5.05, 5.08))
    assert not any(defect.touches_region_border for defect in renewed.defects)


def test_the_present_version_is_read_as_it_is(renewed: DefectMap, tmp_path: Path) -> None:
    path = written(tmp_path, to_json(renewed))
    assert read_map(path) == renewed
    assert read_map(tmp_path) == renewed, "of a folder of results"
    assert to_json(read_map(path)) == path.read_text()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "is no defect map: not JSON"),
        ("[" * 100_000, "is no defect map: not JSON"),
        ("[]", "is no defect map: its format is not"),
        ('{"format": "geojson"}', "is no defect map: its format is not"),
        ({"format": "darkscan-defect-map"}, "version: must be 2 or 3"),
        ({"format": "darkscan-defect-map", "version": 1}, "version: must be 2 or 3"),
        ({"format": "darkscan-defect-map", "version": "4\n"}, "version: must be 2 or 3"),
        ({"format": "darkscan-defect-map", "version": 3}, "element: is missing"),
        ({"format": "darkscan-defect-map", "version": 2}, "element: is missing"),
    ],
    ids=["half a file", "deep", "a list", "another kind", "no version", "too old", "too new",
         "empty, version 3", "empty, version 2"],
)  # fmt: skip
def test_what_is_no_map_is_refused_in_a_line(tmp_path: Path, content: object, problem: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(InputError, match=problem) as caught:
        read_map(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_map_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"defect-map\.json: there is no such map"):
        read_map(tmp_path)
    with pytest.raises(InputError, match="no file can have this name"):
        read_map(Path("a\0b"))


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("defects.0.scratches.1.width_um", -3, "defects.0.scratches.1.width_um: "),
        ("defects.0.scratches.0.centreline", [[3, 3], [3, 3]], "must be 0.001 mm long at least"),
        ("defects.0.scratches.0.centreline", [[3, 3], [3, 300]], "must lie on the element"),
        ("defects.2.id", "A0001", "defects.2.id: "),
        ("element.size_mm", [1e6, 9.0], "element.size_mm: must be 10000 mm at most"),
        ("scan.pitch_um", 1e300, "scan.pitch_um: must be"),
        ("defects.1.window", 4, "defects.1.window: unknown key; did you mean 'windows'?"),
    ],
)
def test_bad_fields_of_an_old_map_are_named(
    tmp_path: Path, field: str, value: object, problem: str
) -> None:
    content = old_content()
    *path, last = (int(part) if part.isdigit() else part for part in field.split("."))
    part = content
    for key in path:
        part = part[key]  # type: ignore[index]
    part[last] = value  # type: ignore[index]
    with pytest.raises(InputError, match=problem):
        read_map(written(tmp_path, content))


@given(seed=st.integers(0, 2**32), value=st.sampled_from(VALUES), new=st.booleans())
def test_a_map_with_any_value_in_any_place_is_read_or_refused_in_a_line(
    tmp_path_factory: pytest.TempPathFactory, seed: int, value: object, *, new: bool
) -> None:
    content = json.loads(to_json(read_map(OLD))) if new else old_content()
    rng = random.Random(seed)  # noqa: S311 - no secret
    part: Any = content
    while True:
        key = rng.choice(list(part) if isinstance(part, dict) else range(len(part)))
        if not isinstance(part[key], dict | list) or not part[key] or rng.random() < 0.1:
            break
        part = part[key]
    part[key] = value
    path = written(tmp_path_factory.mktemp("map"), content)
    with suppress(InputError):
        read_map(path)
        return
    with pytest.raises(InputError) as caught:
        read_map(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
