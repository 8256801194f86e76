"""A map's drawing is true in millimetres, fills a window, and tells everything of a defect."""

import re
import xml.etree.ElementTree as ET
from itertools import combinations

import numpy as np
import pytest

from darkscan.pipeline.core.defect_map import Defect, DefectMap
from darkscan.pipeline.core.frame_results import DEFECT_KINDS, Inspected, Traces
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.stages.merging import build_map
from darkscan.stages.merging._drawing import to_svg
from darkscan.stages.merging._labels import Label, in_rows, place_labels
from darkscan.stages.merging.style import AREA_COLOUR, KIND_COLOURS, NOT_INSPECTED_COLOURS
from tests.mapping.hand_made import frames_of, inspected, lines_of, result, scan_info
from tests.mapping.test_files_of_a_map import scan_with_everything

SVG = "{http://www.w3.org/2000/svg}"
INKSCAPE = "{http://www.inkscape.org/namespaces/inkscape}"
LAYERS = ("scratches", "fibres", "digs", "dust", "areas", "not-inspected", "region", "element")
OF_KIND = dict(zip(DEFECT_KINDS, LAYERS, strict=False))


@pytest.fixture(scope="module")
def document() -> DefectMap:
    return build_map(scan_with_everything())


@pytest.fixture(scope="module")
def svg(document: DefectMap) -> ET.Element:
    return drawn(document)


def drawn(document: DefectMap) -> ET.Element:
    return ET.fromstring(to_svg(document).encode())  # noqa: S314 - written here


def by_id(svg: ET.Element, name: str) -> ET.Element:
    (element,) = (each for each in svg.iter() if each.get("id") == name)
    return element


def box_of(svg: ET.Element) -> tuple[float, float, float, float]:
    left, top, width, height = map(float, svg.attrib["viewBox"].split())
    return left, top, width, height


def test_the_drawing_is_in_true_millimetres(svg: ET.Element) -> None:
    left, top, width, height = box_of(svg)
    assert svg.attrib["width"] == f"{width:.4f}mm"
    assert svg.attrib["height"] == f"{height:.4f}mm"
    assert max(left, top) < 0
    assert min(left + width, top + height) > 40
    (rect,) = by_id(svg, "element").iter(f"{SVG}rect")
    assert [float(rect.attrib[name]) for name in ("x", "y", "width", "height")] == [0, 0, 40, 40]


def test_on_a_screen_it_fills_the_window(svg: ET.Element) -> None:
    style = "".join(each.text or "" for each in svg.iter(f"{SVG}style"))
    screen = style.partition("@media screen")[2]
    assert re.search(r":root {[^}]*width: 100vw; height: 100vh;", screen)
    assert not style.partition("@media screen")[0].strip(), "paper is left alone"


def test_scratches_lie_on_top_and_all_kinds_are_layers(svg: ET.Element) -> None:
    layers = [g.get("id") for g in svg if g.get(f"{INKSCAPE}groupmode") == "layer"]
    assert set(LAYERS) <= set(layers)
    order = [layers.index(name) for name in ("areas", "dust", "digs", "fibres", "scratches")]
    assert order == sorted(order)
    assert all(by_id(svg, name).get(f"{INKSCAPE}label") for name in LAYERS)


def test_each_defect_is_in_its_layer_with_its_outline_and_a_mark(
    svg: ET.Element, document: DefectMap
) -> None:
    for kind in DEFECT_KINDS:
        layer = by_id(svg, OF_KIND[kind])
        assert layer.get("stroke") == KIND_COLOURS[kind]
        groups = {group.get("id"): group for group in layer}
        defects = [defect for defect in document.defects if defect.kind == kind]
        assert list(groups) == [defect.id for defect in defects]
        assert defects
        for defect in defects:
            group = groups[defect.id]
            assert ring_of(group.findall(f"{SVG}path")[0]) == defect.outline
            if defect.is_line:
                (line,) = group.iter(f"{SVG}polyline")
                points = [tuple(map(float, p.split(","))) for p in line.attrib["points"].split()]
                assert tuple(points) == defect.centreline
            else:
                x, y = defect.centroid_mm
                assert group.findall(f"{SVG}path")[1].attrib["d"] == f"M{x},{y} h0"


def ring_of(path: ET.Element) -> tuple[tuple[float, ...], ...]:
    corners = path.attrib["d"].removeprefix("M").removesuffix(" Z").split(" L")
    return tuple(tuple(map(float, corner.split(","))) for corner in corners)


def test_a_title_says_all_of_a_defect(svg: ET.Element, document: DefectMap) -> None:
    for defect in document.defects:
        (title,) = by_id(svg, defect.id).iter(f"{SVG}title")
        text = title.text or ""
        assert text.startswith(f"{defect.id}: ")
        for words in (f"probability {defect.probability:g}", f"looks {defect.width_um:g} "):
            assert words in text
        assert f"contrast {defect.contrast:g}" in text
        assert ("reaches the region's border" in text) == defect.touches_region_border
        assert (f"in area {defect.area}" in text) == (defect.area is not None)
    titles = [title.text or "" for title in svg.iter(f"{SVG}title")]
    assert titles[0] == "Defect map of window <7> & more, front"
    lost = "lost: the camera never delivered it: 321.126 mm\N{SUPERSCRIPT TWO}; frames 3"
    assert lost in titles


def test_areas_keep_their_holes(svg: ET.Element, document: DefectMap) -> None:
    for area in document.areas:
        rings = by_id(svg, area.id).attrib["d"].replace(" M", "|M").split("|")
        assert len(rings) == len(area.contour)
        assert by_id(svg, "areas").get("fill") == AREA_COLOUR
    assert any(len(area.contour) > 1 for area in document.areas)


def test_the_legend_counts_each_kind_and_tells_what_was_not_inspected(svg: ET.Element) -> None:
    words = [text.text or "" for text in by_id(svg, "legend").iter(f"{SVG}text")]
    for start in ("2 scratches, ", "1 fibre, ", "1 dig", "2 grains of dust", "frames lost, "):
        assert any(word.startswith(start) for word in words), start
    assert any("not a window" not in word and word.startswith("inspected ") for word in words)
    assert by_id(svg, "scale-bar").get("width") == "5.0000"


def test_colours_of_kinds_areas_and_blind_parts_differ() -> None:
    blind = {NOT_INSPECTED_COLOURS["lost"], NOT_INSPECTED_COLOURS["quarantined"]}
    assert len({*KIND_COLOURS.values(), AREA_COLOUR, *blind}) == 7


SIZES = [
    (20.0, 20.0),
    (59.0, 59.0),
    (460.0, 810.0),
    (1000.0, 1000.0),
    (1000.0, 60.0),
    (60.0, 900.0),
]


def crowded(size_mm: tuple[float, float]) -> Inspected:
    """An element of a size, large pixels on large ones, crowded with scratches."""
    pitch = max(size_mm) / 1.9
    scan = scan_info(
        element_size_mm=size_mm,
        region_mm=(0.0, 0.0, *size_mm),
        pitch_um=pitch,
        pixel_to_stage=PixelToStage.from_pitch(pitch),
    )
    right, bottom = (side * 1000 / pitch for side in size_mm)
    across = np.linspace(10, right - 80, 24)
    down = np.linspace(10, bottom - 40, 12)
    lines = [[(x, y), (x + 30 + k, y + 14)] for k, x in enumerate(across) for y in down]
    frame = result(frames_of(1, 1)[0])
    return inspected(
        [frame.model_copy(update={"traces": Traces(lines=lines_of(*lines))})], scan=scan
    )


@pytest.mark.parametrize("size_mm", SIZES, ids=str)
def test_text_is_legible_in_a_window_whatever_the_elements_size(
    size_mm: tuple[float, float],
) -> None:
    svg = drawn(build_map(crowded(size_mm)))
    left, top, width, height = box_of(svg)
    per_mm = min(1280 / width, 800 / height)  # pixels of a small window
    assert 9 <= float(svg.attrib["font-size"]) * per_mm <= 26
    for text in by_id(svg, "legend").iter(f"{SVG}text"):
        end = float(text.attrib["x"]) + 0.56 * len(text.text or "") * float(svg.attrib["font-size"])
        assert end <= left + width + 1e-6
        assert float(text.attrib["y"]) <= top + height


@pytest.mark.parametrize("size_mm", SIZES, ids=str)
def test_ids_lie_on_the_element_and_on_no_other_and_the_rest_is_counted(
    size_mm: tuple[float, float],
) -> None:
    document = build_map(crowded(size_mm))
    svg = drawn(document)
    size = float(svg.attrib["font-size"])
    boxes = [box_of_text(text, size) for text in by_id(svg, "ids").iter(f"{SVG}text")]
    assert 3 < len(boxes) < len(document.defects)
    for one, other in combinations(boxes, 2):
        assert not overlap(one, other)
    for left, top, right, bottom in boxes:
        assert left >= -1e-3
        assert top >= -0.2 * size
        assert right <= size_mm[0] + 1e-3
        assert bottom <= size_mm[1] + 0.2 * size
    words = [text.text for text in by_id(svg, "legend").iter(f"{SVG}text")]
    assert f"no room for {len(document.defects) - len(boxes)} more ids" in words


def box_of_text(text: ET.Element, size: float) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a text in a wide font."""
    width = 0.62 * size * len(text.text or "")
    x, y = float(text.attrib["x"]), float(text.attrib["y"])
    left = x if text.get("text-anchor") == "start" else x - width
    return left, y - 0.75 * size, left + width, y + 0.05 * size


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    slack = 1e-3
    return (
        one[0] < other[2] - slack
        and other[0] < one[2] - slack
        and one[1] < other[3] - slack
        and other[1] < one[3] - slack
    )


def test_the_longest_defects_have_their_ids() -> None:
    document = build_map(crowded((59.0, 59.0)))
    placed = {label.id for label in labels_of(document)}
    lengths = sorted((defect.length_mm for defect in document.defects), reverse=True)
    longest = {d.id for d in document.defects if d.length_mm >= lengths[20]}
    assert len(longest & placed) >= 0.8 * len(longest)


def labels_of(document: DefectMap) -> list[Label]:
    size = document.element.size_mm
    return place_labels(document.defects, size, (size[0] / 100, size[0] / 62))


def test_a_lone_id_stands_beside_its_line_not_on_it() -> None:
    rising, falling = [(200, 1200), (1200, 200)], [(200, 200), (1200, 1200)]
    for line in (rising, falling):
        frame = result(frames_of(1, 1)[0])
        traced = frame.model_copy(update={"traces": Traces(lines=lines_of(line))})
        document = build_map(inspected([traced]))
        (label,) = labels_of(document)
        assert not runs_through(document.defects[0], label)


def runs_through(defect: Defect, label: Label) -> bool:
    left, top, right, bottom = label.box
    (x0, y0), (x1, y1) = defect.centreline[0], defect.centreline[-1]
    along = np.linspace(0, 1, 1000)
    x, y = x0 + along * (x1 - x0), y0 + along * (y1 - y0)
    return bool(((x > left) & (x < right) & (y > top) & (y < bottom)).any())


@pytest.mark.parametrize(
    ("widths", "expected"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([3, 4], [(0, 0), (4, 0)], id="all in one row"),
        pytest.param([3, 4, 5], [(0, 0), (4, 0), (0, 1)], id="one too many"),
        pytest.param([30, 2], [(0, 0), (0, 1)], id="wider than a row"),
    ],
)
def test_a_legend_is_broken_into_rows(widths: list[float], expected: list[object]) -> None:
    assert in_rows(widths, 10, 1) == expected
