"""The files of a map say the same, and are written together or not at all."""

import csv
import errno
import json
import os
from pathlib import Path

import cv2
import jsonschema
import numpy as np
import numpy.typing as npt
import pytest

from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.defect_map import DefectMap, json_schema, to_json
from darkscan.pipeline.core.errors import StorageError
from darkscan.pipeline.core.files import write_atomically
from darkscan.pipeline.core.frame_results import DEFECT_KINDS, DefectKind, Inspected, Spots, Traces
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.thumbnail import make_thumbnail, thumbnail_scale
from darkscan.stages.merging import build_map, write_map
from darkscan.stages.merging.style import AREA_COLOUR, KIND_COLOURS, bgr, scale_bar_mm
from tests.mapping.hand_made import (
    frames_of,
    inspected,
    lines_of,
    lost,
    meta,
    result,
    scan_info,
    spots_of,
)

DOCS = Path(__file__).parents[2] / "docs" / "reference"
NAMES = [
    "defect-map-areas.csv",
    "defect-map.csv",
    "defect-map.json",
    "defect-map.png",
    "defect-map.svg",
]
SVG = "{http://www.w3.org/2000/svg}"
INKSCAPE = "{http://www.inkscape.org/namespaces/inkscape}"
SURE = {kind: tuple(0.9 * (each == kind) for each in DEFECT_KINDS) for kind in DEFECT_KINDS}


def scan_with_everything() -> Inspected:
    """Three frames, the fourth lost; a defect of each kind; areas with and without a hole."""
    around = [(y, x) for y in range(0, 641, 128) for x in range(0, 641, 128)]
    around = [(y, x) for y, x in around if y in {0, 640} or x in {0, 640}]
    frames = frames_of(2, 2)
    scratched = {0: around, 1: [(896, 896), (1024, 1024)]}
    results = [result(frame, scratched.get(frame.frame, [])) for frame in frames[:3]]
    traces = [
        Traces(lines=lines_of([(50, 40), (700, 60)], [(30, 90), (30, 500)], kinds=SURE["scratch"])),
        Traces(lines=lines_of([(950, 950), (1100, 1000), (1000, 1200)], kinds=SURE["fibre"])),
        Traces(spots=joined(spots_at("dig", (300, 400)), spots_at("dust", (900, 400), (950, 950)))),
    ]
    results = [
        done.model_copy(update={"traces": seen}) for done, seen in zip(results, traces, strict=True)
    ]
    scan = scan_info(element_size_mm=(40.0, 40.0), element="window <7> & more")
    found = inspected(results, [lost(frames[3])], scan=scan)
    return found.model_copy(update={"model": found.model.model_copy(update={"kinds": True})})


def spots_at(kind: DefectKind, *places: tuple[float, float]) -> Spots:
    """Square spots of 10 pixels around places (x, y) of a frame."""
    corners = [(-5, -5), (5, -5), (5, 5), (-5, 5)]
    return spots_of(*([(x + a, y + b) for a, b in corners] for x, y in places), kinds=SURE[kind])


def joined(*spots: Spots) -> Spots:
    fields = ("points", "counts", "measures", "kinds")
    return Spots(**{name: np.concatenate([getattr(s, name) for s in spots]) for name in fields})


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_published_schema_is_that_of_the_code() -> None:
    published = json.loads((DOCS / "defect-map.schema.json").read_text(encoding="utf-8"))
    assert published == json_schema()


def test_a_written_map_meets_the_published_schema_and_reads_back_equal(tmp_path: Path) -> None:
    document = write_map(scan_with_everything(), tmp_path, 512)
    schema = json.loads((DOCS / "defect-map.schema.json").read_text(encoding="utf-8"))
    text = (tmp_path / "defect-map.json").read_text(encoding="utf-8")
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    validator.validate(json.loads(text))
    assert DefectMap.model_validate_json(text) == document
    assert text.endswith("}\n")
    assert "-0.0" not in text


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("coverage", "inspected_fraction"), 7.5),
        (("coverage", "cell_mm"), -1),
        (("scan", "pitch_um"), -3),
        (("areas", 0, "score_max"), 9),
        (("defects", 0, "probability"), 2),
        (("defects", 0, "width_um"), -1),
        (("element", "size_mm"), [-1, 0]),
        (("defects", 0, "frames"), [-4]),
    ],
)
def test_the_schema_alone_refuses_impossible_numbers(
    path: tuple[str | int, ...], value: object
) -> None:
    content = json.loads(to_json(build_map(scan_with_everything())))
    part = content
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, json_schema())


def test_a_map_that_breaks_the_schema_is_refused() -> None:
    content = json.loads(to_json(build_map(scan_with_everything())))
    content["defects"][0]["centroid_mm"] = ["left", 1.0]
    with pytest.raises(jsonschema.ValidationError, match="is not of type 'number'"):
        jsonschema.validate(content, json_schema())


def test_the_same_scan_gives_the_same_bytes_in_every_file(tmp_path: Path) -> None:
    for name in ("once", "twice"):
        write_map(scan_with_everything(), tmp_path / name, 512)
    assert names_in(tmp_path / "once") == NAMES
    for name in NAMES:
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "twice" / name).read_bytes()


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_has_a_row_for_each_defect_with_the_maps_figures(tmp_path: Path) -> None:
    document = write_map(scan_with_everything(), tmp_path, 512)
    rows = rows_of(tmp_path / "defect-map.csv")
    assert {row["kind"] for row in rows} == set(DEFECT_KINDS)
    assert [row["id"] for row in rows] == [defect.id for defect in document.defects]
    for row, defect in zip(rows, document.defects, strict=True):
        for name in ("length_mm", "width_um", "contrast", "orientation_deg", "saturated"):
            assert float(row[name]) == getattr(defect, name)
        for name in ("probability", "width_max_um", "brightness_um", "brightness_um2", "area"):
            value = getattr(defect, name)
            assert row[name] == ("" if value is None else str(value))
        assert (float(row["centroid_x_mm"]), float(row["centroid_y_mm"])) == defect.centroid_mm
        assert tuple(map(int, row["frames"].split())) == defect.frames
        assert (row["touches_region_border"] == "yes") == defect.touches_region_border
        ends = [row[f"{end}_{axis}_mm"] for end in ("start", "end") for axis in "xy"]
        if defect.is_line:
            assert tuple(map(float, ends)) == defect.centreline[0] + defect.centreline[-1]
        else:
            assert ends == [""] * 4


def test_a_second_table_has_the_areas(tmp_path: Path) -> None:
    document = write_map(scan_with_everything(), tmp_path, 512)
    rows = rows_of(tmp_path / "defect-map-areas.csv")
    assert [row["id"] for row in rows] == [area.id for area in document.areas]
    for row, area in zip(rows, document.areas, strict=True):
        assert float(row["area_mm2"]) == area.area_mm2
        assert float(row["score_max"]) == area.score_max
        assert tuple(row["defects"].split()) == area.defects
    assert any(area.defects for area in document.areas)


def test_the_picture_shows_frames_in_their_places_with_areas_over_them(tmp_path: Path) -> None:
    frames = frames_of(2, 2)
    results = [result(frame, [(896, 896)] if frame.frame == 3 else []) for frame in frames]
    write_map(inspected(results), tmp_path, 384)
    picture = read_picture(tmp_path)
    assert picture.shape[1] == 384
    assert picture.shape[0] > 384, "the legend is below the element"
    levels = [int(picture[y, x, 0]) for y in (80, 300) for x in (80, 300)]
    assert levels == sorted(set(levels)), "thumbnails grow brighter with the frame's number"
    # The window's left edge, 0.1 mm a pixel.
    edge, beside, within = (picture[281, x].astype(int) for x in (268, 260, 281))
    towards = np.array(bgr(AREA_COLOUR)) - beside
    for seen, share in ((edge, 1 - 0.94 * 0.6), (within, 0.06)):  # the edge lies within, too
        assert np.abs(seen - beside - share * towards).max() <= 2


def read_picture(folder: Path) -> npt.NDArray[np.uint8]:
    picture = cv2.imread(str(folder / "defect-map.png"))
    assert picture is not None
    return picture.astype(np.uint8)


@pytest.mark.parametrize("kind", DEFECT_KINDS)
def test_the_picture_shows_each_kind_in_its_colour(tmp_path: Path, kind: DefectKind) -> None:
    write_map(scan_with_everything(), tmp_path / "with", 800)
    bare = scan_with_everything()
    bare = bare.model_copy(
        update={"results": tuple(r.model_copy(update={"traces": Traces()}) for r in bare.results)}
    )
    write_map(bare, tmp_path / "without", 800)
    colour = bgr(KIND_COLOURS[kind])
    seen, before = (
        np.abs(read_picture(tmp_path / name)[:800, :800].astype(int) - colour).max(axis=2) < 40
        for name in ("with", "without")
    )
    assert seen.sum() > before.sum()
    places = {"scratch": (10, 70), "fibre": (200, 572), "dig": (438, 60), "dust": (438, 180)}
    y, x = places[kind]
    assert (seen & ~before)[y - 3 : y + 4, x - 40 : x + 40].any()


def test_the_picture_marks_what_was_not_inspected(tmp_path: Path) -> None:
    frames = frames_of(2, 2)
    write_map(inspected([result(f) for f in frames[:3]], [lost(frames[3])]), tmp_path, 384)
    picture = read_picture(tmp_path)[:384, :384]
    coloured = picture.max(axis=2) != picture.min(axis=2)
    assert coloured[206:, 206:].all()
    assert not coloured[:204].any()


@pytest.mark.parametrize("flip_x", [False, True], ids=["upright", "mirrored"])
def test_the_picture_mirrors_frames_as_the_rig_does(tmp_path: Path, flip_x: bool) -> None:
    scan = scan_info(
        element_size_mm=(20.48, 20.48),
        region_mm=(0.0, 0.0, 20.48, 20.48),
        pixel_to_stage=PixelToStage.from_pitch(10.0, flip_x=flip_x),
        pixel_type="uint16",
        bit_depth=12,
    )
    ramp = np.tile(np.arange(256, dtype=np.uint16) * 16, (256, 1))
    frame = result(meta(0, 20.48 if flip_x else 0.0, 0.0)).model_copy(update={"thumbnail": ramp})
    write_map(inspected([frame], scan=scan), tmp_path, 128)
    picture = read_picture(tmp_path)
    row = picture[64, :, 0].astype(int)
    steps = np.diff(row)
    assert (steps <= 0).all() if flip_x else (steps >= 0).all()
    assert abs(row[-1] - row[0]) > 200


@pytest.mark.parametrize("picture_px", [64, 100, 383, 384, 385, 4000])
def test_the_element_keeps_to_the_pictures_bound(tmp_path: Path, picture_px: int) -> None:
    """The legend comes on top of it; small pictures have none."""
    found = scan_with_everything()
    document = write_map(found, tmp_path, picture_px)
    height, width, _ = read_picture(tmp_path).shape
    px = thumbnail_scale(found.scan, picture_px)
    side = round(document.element.size_mm[0] * 1000 / (document.scan.pitch_um * px) + 0.499)
    assert picture_px / 2 <= side <= picture_px
    assert (width, height) == (side, side) if side < 256 else width >= side < height


@pytest.mark.parametrize(
    ("size_mm", "picture_px", "scale"),
    [
        ((810.0, 460.0), 2048, 40),
        ((460.0, 810.0), 2048, 40),
        ((20.48, 20.48), 2048, 1),
        ((20.49, 20.48), 2048, 2),
        ((1.0, 1.0), 2048, 1),
    ],
)
def test_a_thumbnail_averages_as_few_pixels_as_the_picture_allows(
    size_mm: tuple[float, float], picture_px: int, scale: int
) -> None:
    assert thumbnail_scale(scan_info(element_size_mm=size_mm), picture_px) == scale


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_thumbnail_is_the_mean_of_squares_in_the_cameras_dtype(dtype: type) -> None:
    pixels: Pixels = np.zeros((64, 96), dtype)
    pixels[:32, :32] = 200
    pixels[0:4, 64:68] = 160
    small = make_thumbnail(pixels, 8)
    assert small.dtype == dtype
    assert small.shape == (8, 12)
    assert (small[:4, :4] == 200).all()
    assert small[0, 8] == 40


def test_a_thumbnail_spans_the_whole_frame_whatever_its_size() -> None:
    assert make_thumbnail(np.zeros((2050, 1999), np.uint8), 40).shape == (51, 50)
    assert make_thumbnail(np.zeros((10, 10), np.uint8), 40).shape == (1, 1)


@pytest.mark.parametrize(
    ("width_mm", "length_mm"), [(810, 100), (40, 5), (10, 2), (0.3, 0.05), (25, 5), (50, 10)]
)
def test_the_scale_bar_has_a_round_length(width_mm: float, length_mm: float) -> None:
    assert scale_bar_mm(width_mm) == length_mm


def test_a_full_disk_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"defect-map\.csv: cannot be written: No space left"):
        write_map(scan_with_everything(), tmp_path, 512)
    assert names_in(tmp_path) == []


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "trace.json"
    write_atomically(path, b"old")

    def failing(source: Path, target: Path) -> Path:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(StorageError, match=r"trace\.json: cannot be written: Permission denied"):
        write_atomically(path, b"new")
    assert names_in(tmp_path) == ["trace.json"]
    assert path.read_bytes() == b"old"


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(StorageError, match="out: cannot be written"):
        write_map(scan_with_everything(), tmp_path / "out", 512)
