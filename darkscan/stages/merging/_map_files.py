"""The files of a defect map: JSON as the master, tables, a drawing and a picture."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from darkscan.pipeline.core.defect_map import Area, Defect, DefectMap, to_json
from darkscan.pipeline.core.files import write_together
from darkscan.pipeline.core.frame_results import Inspected
from darkscan.pipeline.running.results_folder import MAP_NAME
from darkscan.stages.merging._assembly import build_map
from darkscan.stages.merging._drawing import to_svg
from darkscan.stages.merging._picture import to_png

_BOX = ("box_x_mm", "box_y_mm", "box_width_mm", "box_height_mm")
_TOUCHES = ("touches_region_border", "touches_not_inspected")

DEFECT_COLUMNS = (
    "id",
    "kind",
    "probability",
    "length_mm",
    "width_um",
    "width_max_um",
    "width_uncertainty_um",
    "brightness_um",
    "brightness_um2",
    "contrast",
    "saturated",
    "start_x_mm",
    "start_y_mm",
    "end_x_mm",
    "end_y_mm",
    "centroid_x_mm",
    "centroid_y_mm",
    *_BOX,
    "extent_long_mm",
    "extent_short_mm",
    "orientation_deg",
    "frames",
    "views",
    "area",
    *_TOUCHES,
    "grade_reason",
)
AREA_COLUMNS = (
    "id",
    "score_max",
    "score_mean",
    *_BOX,
    "area_mm2",
    "windows",
    "frames",
    "defects",
    *_TOUCHES,
)

NAME = MAP_NAME.removesuffix(".json")


def to_csv(document: DefectMap) -> str:
    """A header with units and a row for each defect.

    Frames are separated by spaces; what a defect has not, as spots have no ends, is empty.
    """
    return _table(DEFECT_COLUMNS, map(_row_of_defect, document.defects))


def areas_to_csv(document: DefectMap) -> str:
    """A header with units and a row for each area; frames and defects are separated by spaces."""
    return _table(AREA_COLUMNS, map(_row_of_area, document.areas))


def _table(columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def _row_of_defect(defect: Defect) -> tuple[object, ...]:
    ends = (*defect.centreline[0], *defect.centreline[-1]) if defect.is_line else ("",) * 4
    return (
        defect.id,
        defect.kind,
        defect.probability,
        defect.length_mm,
        defect.width_um,
        defect.width_max_um,
        defect.width_uncertainty_um,
        defect.brightness_um,
        defect.brightness_um2,
        defect.contrast,
        defect.saturated,
        *ends,
        *defect.centroid_mm,
        *defect.box_mm,
        *defect.extent_mm,
        defect.orientation_deg,
        _joined(defect.frames),
        defect.views,
        defect.area,
        *_touches(defect),
        defect.grade_reason,
    )


def _row_of_area(area: Area) -> tuple[object, ...]:
    return (
        area.id,
        area.score_max,
        area.score_mean,
        *area.box_mm,
        area.area_mm2,
        area.windows,
        _joined(area.frames),
        _joined(area.defects),
        *_touches(area),
    )


def _joined(values: Iterable[object]) -> str:
    return " ".join(map(str, values))


def _touches(thing: Defect | Area) -> tuple[str, str]:
    region, blind = thing.touches_region_border, thing.touches_not_inspected
    return "yes" if region else "no", "yes" if blind else "no"


def write_map(inspected: Inspected, out_dir: Path, picture_px: int) -> DefectMap:
    """Writes the files of a finished scan's map: ``defect-map.png``, ``.svg``, ``.csv``, ``.json``.

    And ``defect-map-areas.csv``. ``picture_px`` bounds the element's longer side in the
    picture. No file is in place before all are on the disk, and the JSON is put in place
    last. Raises StorageError naming the file that could not be written.
    """
    document = build_map(inspected)
    files = {
        f"{NAME}.png": to_png(inspected, document, picture_px),
        f"{NAME}.svg": to_svg(document).encode(),
        f"{NAME}.csv": to_csv(document).encode(),
        f"{NAME}-areas.csv": areas_to_csv(document).encode(),
        MAP_NAME: to_json(document).encode(),
    }
    write_together(out_dir, files)
    return document
