"""Parts of an SVG document: layers, shapes, marks of kinds, and how it behaves on a screen."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import Self

from darkscan.pipeline.core.defect_map import NotInspectedKind, Point, Rings
from darkscan.pipeline.core.frame_results import DefectKind
from darkscan.stages.merging.style import NOT_INSPECTED_COLOURS

INK = "#222222"
"""The colour of text, and of the element's border."""

_INKSCAPE = "http://www.inkscape.org/namespaces/inkscape"

STYLE = """
@media screen {
  :root { display: block; width: 100vw; height: 100vh; background: white; }
  .line, .outline, .area, .mark { vector-effect: non-scaling-stroke; }
  .line { stroke-width: 1.8px; pointer-events: none; }
  .fibre .line { stroke-dasharray: 7px 3px; }
  .outline { stroke: transparent; stroke-width: 10px; pointer-events: all; }
  .mark { stroke-width: 8px; pointer-events: none; }
  .area { stroke-width: 1px; }
  .defect:hover .line { stroke-width: 4px; }
  .defect:hover .mark { stroke-width: 13px; }
  .id { transform: scale(var(--shrink, 1)); paint-order: stroke; stroke: white;
        stroke-width: 3px; vector-effect: non-scaling-stroke; pointer-events: none; }
}
"""
"""On a screen the drawing fills the window, and lines stay as thin as they are however far a
reader zooms in. Paper and drawing programs take the widths in millimetres beside the shapes."""

SCRIPT = """
const svg = document.documentElement;
const whole = svg.getAttribute("viewBox").split(" ").map(Number);
let box = whole, grabbed = null;
const show = (left, top, scale) => {
  box = scale < 1 ? [left, top, whole[2] * scale, whole[3] * scale] : whole;
  svg.setAttribute("viewBox", box.join(" "));
  svg.style.setProperty("--shrink", box[2] / whole[2]);
};
const at = (event) =>
  new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
svg.addEventListener("wheel", (event) => {
  event.preventDefault();
  const place = at(event), by = Math.exp(Math.max(-100, Math.min(100, event.deltaY)) / 400);
  show(place.x - (place.x - box[0]) * by, place.y - (place.y - box[1]) * by,
       Math.max(by * box[2] / whole[2], 1e-4));
}, { passive: false });
svg.addEventListener("pointerdown", (event) => { grabbed = at(event); });
svg.addEventListener("pointerup", () => { grabbed = null; });
svg.addEventListener("pointermove", (event) => {
  if (!grabbed || !event.buttons) return;
  const place = at(event);
  show(box[0] + grabbed.x - place.x, box[1] + grabbed.y - place.y, box[2] / whole[2]);
});
svg.addEventListener("dblclick", () => show(0, 0, 1));
"""
"""The wheel zooms in at the pointer, dragging moves, a double click shows the whole again: a
drawing that fills the window has no other way, since a browser's own zoom leaves it as it is."""


@dataclass(frozen=True)
class Scale:
    """Sizes that grow with the element, so that drawings of all elements look alike, mm."""

    text: float
    """Height of the text."""

    line: float
    """Width of a line."""

    @classmethod
    def of(cls, size_mm: tuple[float, float]) -> Self:
        """For an element of a width and height."""
        return cls(text=max(size_mm) / 62, line=max(size_mm) / 800)


def add(
    parent: ET.Element, tag: str, attributes: dict[str, str] | None = None, *, text: str = ""
) -> ET.Element:
    """Adds an element to another one, and returns it."""
    element = ET.SubElement(parent, tag, attributes or {})
    element.text = text or None
    return element


def add_layer(
    parent: ET.Element, name: str, label: str, style: dict[str, str] | None = None
) -> ET.Element:
    """Adds a group with an id that drawing programs show as a layer with a label."""
    layer = {f"{{{_INKSCAPE}}}groupmode": "layer", f"{{{_INKSCAPE}}}label": label}
    return add(parent, "g", {"id": name} | layer | (style or {}))


def rectangle(x: float, y: float, width: float, height: float) -> dict[str, str]:
    """The attributes of a rectangle."""
    values = {"x": x, "y": y, "width": width, "height": height}
    return {name: number(value) for name, value in values.items()}


def rings(contour: Rings) -> dict[str, str]:
    """The attributes of a path along closed rings; what lies within two of them is a hole."""
    paths = ["M" + " L".join(f"{x},{y}" for x, y in ring) + " Z" for ring in contour]
    return {"d": " ".join(paths), "fill-rule": "evenodd"}


def points(line: tuple[Point, ...]) -> dict[str, str]:
    """The attributes of a polyline."""
    return {"points": " ".join(f"{x},{y}" for x, y in line)}


def line_mark(kind: DefectKind, scale: Scale) -> dict[str, str]:
    """The attributes of a centre line, without its points: fibres are dashed."""
    style = {"class": "line", "fill": "none", "stroke-width": number(scale.line)}
    if kind == "fibre":
        dashes = f"{number(4 * scale.line)} {number(2 * scale.line)}"
        style |= {"stroke-dasharray": dashes, "stroke-linecap": "butt"}
    return style


def spot_mark(kind: DefectKind, scale: Scale, place: Point) -> dict[str, str]:
    """The attributes of a dot at a place, round for digs, square for dust.

    It is a line without length, with thick ends: the one shape whose size on a screen need not
    follow the drawing's.
    """
    end = "round" if kind == "dig" else "square"
    style = {"class": "mark", "stroke-width": number(5 * scale.line), "stroke-linecap": end}
    return style | {"stroke-opacity": "0.8", "d": f"M{place[0]},{place[1]} h0"}


def add_hatches(svg: ET.Element, scale: Scale) -> None:
    """A pattern of slanted lines for each kind of part that was not inspected."""
    definitions = add(svg, "defs")
    step = scale.text / 2
    for kind, colour in NOT_INSPECTED_COLOURS.items():
        pattern = {
            "id": _hatch(kind),
            "patternUnits": "userSpaceOnUse",
            "width": number(step),
            "height": number(step),
            # What nobody asked for leans the other way.
            "patternTransform": f"rotate({-45 if kind == 'outside_region' else 45})",
        }
        hatch = add(definitions, "pattern", pattern)
        add(hatch, "rect", rectangle(0, 0, step, step) | {"fill": colour, "fill-opacity": "0.12"})
        add(hatch, "rect", rectangle(0, 0, step / 5, step) | {"fill": colour})


def hatched(kind: NotInspectedKind) -> dict[str, str]:
    """The attributes of a shape filled with a kind's pattern."""
    return {"fill": f"url(#{_hatch(kind)})"}


def _hatch(kind: NotInspectedKind) -> str:
    return "hatch-" + kind.replace("_", "-")


def number(value: float) -> str:
    """A length in millimetres as the document writes it."""
    return f"{value:.4f}"


def as_text(svg: ET.Element) -> str:
    """The document, indented."""
    ET.register_namespace("inkscape", _INKSCAPE)
    ET.indent(svg, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(svg, encoding="unicode") + "\n"
