"""The files of a defect map: JSON as the master, a table, a drawing and a picture."""

import csv
import io
from pathlib import Path

from darkscan.pipeline.core.defect_map import Defect, DefectMap, to_json
from darkscan.pipeline.core.files import write_together
from darkscan.pipeline.core.frame_results import Inspected
from darkscan.pipeline.running.results_folder import MAP_NAME
from darkscan.stages.merging._assembly import build_map
from darkscan.stages.merging._drawing import to_svg
from darkscan.stages.merging._picture import to_png

COLUMNS = (
    "id",
    "score_max",
    "score_mean",
    "centroid_x_mm",
    "centroid_y_mm",
    "box_x_mm",
    "box_y_mm",
    "box_width_mm",
    "box_height_mm",
    "extent_long_mm",
    "extent_short_mm",
    "orientation_deg",
    "area_mm2",
    "scratches",
    "length_mm",
    "longest_mm",
    "width_um",
    "windows",
    "frames",
    "touches_region_border",
    "touches_not_inspected",
)


NAME = MAP_NAME.removesuffix(".json")


def to_csv(document: DefectMap) -> str:
    """A header with units and a row for each defect; frames are separated by spaces."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_row(defect) for defect in document.defects)
    return text.getvalue()


def _row(defect: Defect) -> tuple[object, ...]:
    return (
        defect.id,
        defect.score_max,
        defect.score_mean,
        *defect.centroid_mm,
        *defect.box_mm,
        *defect.extent_mm,
        defect.orientation_deg,
        defect.area_mm2,
        len(defect.scratches),
        defect.length_mm,
        *_longest(defect),
        defect.windows,
        " ".join(str(frame) for frame in defect.frames),
        "yes" if defect.touches_region_border else "no",
        "yes" if defect.touches_not_inspected else "no",
    )


def _longest(defect: Defect) -> tuple[object, object]:
    """Length (mm) and apparent width (um) of the longest scratch; empty without one."""
    if not defect.scratches:
        return "", ""
    return defect.scratches[0].length_mm, defect.scratches[0].width_um


def write_map(inspected: Inspected, out_dir: Path, picture_px: int) -> DefectMap:
    """Writes ``defect-map.png``, ``.svg``, ``.csv`` and ``.json`` of a finished scan.

    ``picture_px`` bounds the longer side of the picture. No file is in place before all
    are on the disk, and the JSON is put in place last. Raises StorageError naming the
    file that could not be written.
    """
    document = build_map(inspected)
    files = {
        f"{NAME}.png": to_png(inspected, document, picture_px),
        f"{NAME}.svg": to_svg(document).encode(),
        f"{NAME}.csv": to_csv(document).encode(),
        MAP_NAME: to_json(document).encode(),
    }
    write_together(out_dir, files)
    return document
