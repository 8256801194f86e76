"""The map as a drawing in true millimetres, for browsers and drawing programs."""

import xml.etree.ElementTree as ET

from darkscan.pipeline.core.defect_map import Defect, DefectMap
from darkscan.pipeline.core.frame_results import DEFECT_KINDS, DefectKind
from darkscan.stages.merging._labels import Label, place_labels
from darkscan.stages.merging._legend import legend_of
from darkscan.stages.merging._svg import (
    INK,
    SCRIPT,
    STYLE,
    Scale,
    add,
    add_hatches,
    add_layer,
    as_text,
    hatched,
    line_mark,
    number,
    points,
    rectangle,
    rings,
    spot_mark,
)
from darkscan.stages.merging._words import about_area, about_blind, about_defect, is_partial
from darkscan.stages.merging.style import AREA_COLOUR, KIND_COLOURS, LINE_KINDS

_REGION_COLOUR = "#595959"
_LETTER = 0.62
"""Width of a letter of an id, in heights of the text: a wide font's, so that none overlap."""

_MARGIN, _ABOVE, _NARROWEST = 1.5, 3.5, 48.0
"""Around the element, above it, width of the page at least, in heights of the text."""

_LAYERS: dict[DefectKind, tuple[str, str]] = {
    "scratch": ("scratches", "Scratches"),
    "fibre": ("fibres", "Fibres"),
    "dig": ("digs", "Digs"),
    "dust": ("dust", "Dust"),
}


def to_svg(document: DefectMap) -> str:
    """An SVG document whose user unit is one millimetre of the element.

    The element's top left corner is the origin; above it stands its name, below it the
    legend, a scale bar and the map's figures. The document's size is true, so it prints and
    imports in millimetres; on a screen it fills the window. Each kind of defects, the areas and
    what was not inspected are layers; each defect, and each area, has a title to point at.
    """
    size_mm = document.element.size_mm
    scale = Scale.of(size_mm)
    text, margin = scale.text, _MARGIN * scale.text
    labels = place_labels(document.defects, size_mm, (_LETTER * text, text))
    page_width = max(size_mm[0] + 2 * margin, _NARROWEST * text)
    legend, bottom = legend_of(
        document, page_width - 2 * margin, without_id=len(document.defects) - len(labels)
    )
    box = (-margin, -_ABOVE * text, page_width, bottom + margin + _ABOVE * text)
    svg = _page(document, box, scale)
    _heading(svg, document, text)
    _not_inspected(svg, document, scale)
    _areas(svg, document, scale)
    _borders(svg, document, scale)
    for kind in reversed(DEFECT_KINDS):  # scratches lie on top
        _defects(svg, [d for d in document.defects if d.kind == kind], kind, scale)
    _ids(svg, labels)
    svg.append(legend)
    add(svg, "script", text=SCRIPT)
    return as_text(svg)


def _page(document: DefectMap, box: tuple[float, float, float, float], scale: Scale) -> ET.Element:
    """A drawing with nothing on it; ``box``: its left, top, width and height, mm."""
    svg = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "width": f"{number(box[2])}mm",
            "height": f"{number(box[3])}mm",
            "viewBox": " ".join(map(number, box)),
            "font-family": "Helvetica, Arial, sans-serif",
            "font-size": number(scale.text),
            "stroke-linejoin": "round",
            "stroke-linecap": "round",
        },
    )
    add(svg, "title", text=f"Defect map of {document.element.name}, {document.element.side}")
    add(svg, "desc", text=f"One user unit is one millimetre: {document.element.coordinates}.")
    add(svg, "style", text=STYLE)
    add_hatches(svg, scale)
    add(svg, "rect", {"fill": "white"} | rectangle(*box))
    return svg


def _heading(svg: ET.Element, document: DefectMap, text: float) -> None:
    width, height = document.element.size_mm
    place = {"id": "heading", "x": "0", "y": number(-1.3 * text), "fill": INK}
    name = f"{document.element.name}, {document.element.side}"
    heading = add(svg, "text", place | {"font-size": number(1.4 * text)}, text=name)
    size = {"dx": number(text), "font-size": number(text)}
    add(heading, "tspan", size, text=f"{width:g} x {height:g} mm")


def _not_inspected(svg: ET.Element, document: DefectMap, scale: Scale) -> None:
    style = {"stroke": INK, "stroke-width": number(scale.line / 2), "stroke-opacity": "0.6"}
    layer = add_layer(svg, "not-inspected", "Not inspected", style)
    for area in document.coverage.not_inspected:
        path = add(layer, "path", {"class": "area"} | rings(area.contour) | hatched(area.kind))
        add(path, "title", text=about_blind(area))


def _areas(svg: ET.Element, document: DefectMap, scale: Scale) -> None:
    """A faint underlay: these are where the model looked, not what it found."""
    style = {"fill": AREA_COLOUR, "fill-opacity": "0.1", "stroke": AREA_COLOUR}
    style |= {"stroke-width": number(scale.line / 2), "stroke-opacity": "0.55"}
    layer = add_layer(svg, "areas", "Areas", style)
    for area in document.areas:
        path = add(layer, "path", {"id": area.id, "class": "area"} | rings(area.contour))
        add(path, "title", text=about_area(area))


def _borders(svg: ET.Element, document: DefectMap, scale: Scale) -> None:
    line = {"fill": "none", "stroke-width": number(scale.line), "stroke-linecap": "butt"}
    dashes = f"{number(8 * scale.line)} {number(5 * scale.line)}"
    region = line | {"stroke": _REGION_COLOUR, "stroke-dasharray": dashes}
    layer = add_layer(svg, "region", "Region", region | {"pointer-events": "none"})
    if is_partial(document.element):
        add(layer, "rect", rectangle(*document.element.region_mm))
    element = line | {"stroke": INK, "pointer-events": "none"}
    layer = add_layer(svg, "element", "Element", element)
    add(layer, "rect", rectangle(0, 0, *document.element.size_mm))


def _defects(svg: ET.Element, defects: list[Defect], kind: DefectKind, scale: Scale) -> None:
    """All of one kind: what each looks like in true size, and a mark that is always seen."""
    colour, (name, label) = KIND_COLOURS[kind], _LAYERS[kind]
    layer = add_layer(svg, name, label, {"class": kind, "stroke": colour, "fill": colour})
    for defect in defects:
        group = add(layer, "g", {"id": defect.id, "class": "defect"})
        add(group, "title", text=about_defect(defect))
        outline = {"class": "outline", "fill-opacity": "0.45", "stroke": "none"}
        add(group, "path", outline | rings((defect.outline,)))
        if kind in LINE_KINDS:
            add(group, "polyline", line_mark(kind, scale) | points(defect.centreline))
        else:
            add(group, "path", spot_mark(kind, scale, defect.centroid_mm))


def _ids(svg: ET.Element, labels: list[Label]) -> None:
    layer = add_layer(svg, "ids", "Ids", {"fill": INK})
    for label in labels:
        x, y = label.anchor
        place = {
            "class": "id",
            "x": number(label.left if label.is_right else label.left + label.width),
            "y": number(label.top + 0.85 * label.height),
            "text-anchor": "start" if label.is_right else "end",
            "style": f"transform-origin: {x:.4f}px {y:.4f}px",
        }
        add(layer, "text", place, text=label.id)
