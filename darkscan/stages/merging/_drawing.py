"""The map as a drawing in true millimetres, for browsers and drawing programs."""

import xml.etree.ElementTree as ET

from darkscan.pipeline.core.defect_map import DefectMap, NotInspectedKind, Rings
from darkscan.stages.merging.style import COLOURS, DEFECT_COLOUR, SCRATCH_COLOUR, scale_bar_mm

_MARGIN = 0.04
_OUTLINE, _REGION_COLOUR = "#333333", "#1f6f8b"


def to_svg(document: DefectMap) -> str:
    """An SVG document whose user unit is one millimetre of the element.

    The element's top left corner is the origin; a margin around it holds the scale bar
    and one line of facts. Each defect and each area not inspected has a tooltip.
    """
    width, height = document.element.size_mm
    longer = max(width, height)
    margin, line, text = _MARGIN * longer, longer / 1500, longer / 70
    total = (width + 2 * margin, height + 2 * margin)
    svg = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "width": f"{total[0]:.4f}mm",
            "height": f"{total[1]:.4f}mm",
            "viewBox": f"{-margin:.4f} {-margin:.4f} {total[0]:.4f} {total[1]:.4f}",
            "font-family": "sans-serif",
            "font-size": f"{text:.4f}",
        },
    )
    _add(svg, "title", text=f"Defect map of {document.element.name}, {document.element.side}")
    _add(svg, "desc", text=f"One user unit is one millimetre: {document.element.coordinates}.")
    _hatches(svg, text)
    page = {"fill": "white", "stroke": "none"}
    _add(svg, "rect", page | _rectangle(-margin, -margin, *total))
    _not_inspected(svg, document, line)
    outline = {"fill": "none", "stroke-width": f"{2 * line:.4f}"}
    region = outline | {"stroke": _REGION_COLOUR, "stroke-dasharray": f"{8 * line:.4f}"}
    _add(
        svg,
        "rect",
        outline | {"id": "element", "stroke": _OUTLINE} | _rectangle(0, 0, width, height),
    )
    _add(svg, "rect", region | {"id": "region"} | _rectangle(*document.element.region_mm))
    _defects(svg, document, line, text)
    _scratches(svg, document, line)
    _footer(svg, document, margin, line)
    ET.indent(svg, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(svg, encoding="unicode") + "\n"


def _hatches(svg: ET.Element, size: float) -> None:
    """A pattern of slanted lines for each kind of area that was not inspected."""
    definitions = _add(svg, "defs")
    for kind, colour in COLOURS.items():
        pattern = _add(
            definitions,
            "pattern",
            {
                "id": _hatch(kind),
                "patternUnits": "userSpaceOnUse",
                "width": f"{size / 2:.4f}",
                "height": f"{size / 2:.4f}",
                "patternTransform": "rotate(45)",
            },
        )
        square = _rectangle(0, 0, size / 2, size / 2)
        _add(pattern, "rect", square | {"fill": colour, "fill-opacity": "0.15"})
        stripe = _rectangle(0, 0, size / 10, size / 2)
        _add(pattern, "rect", stripe | {"fill": colour})


def _not_inspected(svg: ET.Element, document: DefectMap, line: float) -> None:
    group = _add(svg, "g", {"id": "not-inspected", "stroke-width": f"{line:.4f}"})
    for area in document.coverage.not_inspected:
        style = {"fill": f"url(#{_hatch(area.kind)})", "stroke": COLOURS[area.kind]}
        path = _path(group, area.contour, style)
        frames = f"; frames {', '.join(map(str, area.frames))}" if area.frames else ""
        _add(path, "title", text=f"{area.reason}: {area.area_mm2:g} mm\u00b2{frames}")


def _defects(svg: ET.Element, document: DefectMap, line: float, text: float) -> None:
    style = {"stroke": DEFECT_COLOUR, "stroke-width": f"{2 * line:.4f}", "fill": DEFECT_COLOUR}
    group = _add(svg, "g", {"id": "defects"})
    for defect in document.defects:
        path = _path(group, defect.contour, style | {"id": defect.id, "fill-opacity": "0.2"})
        x, y = defect.contour[0][0]
        title = (
            f"{defect.id}: score {defect.score_max:g}, {defect.length_mm:g} mm of scratch, "
            f"{defect.area_mm2:g} mm\u00b2 of windows"
        )
        _add(path, "title", text=title)
        place = {"x": f"{x:.4f}", "y": f"{y - text * 0.3:.4f}"}
        _add(group, "text", place | {"fill": DEFECT_COLOUR}, text=defect.id)


def _scratches(svg: ET.Element, document: DefectMap, line: float) -> None:
    """Centre lines, dark-rimmed by a wider stroke below: they show on any ground."""
    style = {"fill": "none", "stroke-linejoin": "round", "stroke-linecap": "round"}
    group = _add(svg, "g", {"id": "scratches"} | style)
    for defect in document.defects:
        for scratch in defect.scratches:
            points = {"points": " ".join(f"{x},{y}" for x, y in scratch.centreline)}
            rim = {"stroke": _OUTLINE, "stroke-width": f"{1.6 * line:.4f}"}
            _add(group, "polyline", points | rim)
            bright = {"stroke": SCRATCH_COLOUR, "stroke-width": f"{0.8 * line:.4f}"}
            drawn = _add(group, "polyline", points | bright)
            title = (
                f"{defect.id}: {scratch.length_mm:g} mm long, "
                f"looks {scratch.width_um:g} \u00b5m wide"
            )
            _add(drawn, "title", text=title)


def _footer(svg: ET.Element, document: DefectMap, margin: float, line: float) -> None:
    """A scale bar and what the drawing shows, below the element."""
    width, height = document.element.size_mm
    length = scale_bar_mm(width)
    y = height + margin * 0.3
    _add(svg, "rect", {"id": "scale-bar", "fill": _OUTLINE} | _rectangle(0, y, length, 4 * line))
    coverage = document.coverage
    facts = (
        f"{length:g} mm; {document.element.name}, {document.element.side}; "
        f"defects: {len(document.defects)}, {document.scratch_length_mm:g} mm of scratch; "
        f"inspected: {100 * coverage.inspected_fraction:.6g} % "
        f"of the region"
    )
    _add(svg, "text", {"x": "0", "y": f"{height + margin * 0.8:.4f}"}, text=facts)


def _path(parent: ET.Element, contour: Rings, style: dict[str, str]) -> ET.Element:
    """Rings as one path; its holes stay empty."""
    rings = ["M" + " L".join(f"{x},{y}" for x, y in ring) + " Z" for ring in contour]
    return _add(parent, "path", {"d": " ".join(rings), "fill-rule": "evenodd"} | style)


def _rectangle(x: float, y: float, width: float, height: float) -> dict[str, str]:
    values = {"x": x, "y": y, "width": width, "height": height}
    return {name: f"{value:.4f}" for name, value in values.items()}


def _add(
    parent: ET.Element, tag: str, attributes: dict[str, str] | None = None, *, text: str = ""
) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes or {})
    element.text = text or None
    return element


def _hatch(kind: NotInspectedKind) -> str:
    return "hatch-" + kind.replace("_", "-")
