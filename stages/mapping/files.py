"""The files of a defect map: JSON as the master, a table, a drawing and a picture."""

from pathlib import Path

from darkscan.pipeline.defect_map import DefectMap, to_json
from darkscan.pipeline.results import Inspected
from darkscan.pipeline.results_folder import MAP_NAME
from darkscan.pipeline.storage import write_together
from darkscan.stages.mapping.assemble import build_map
from darkscan.stages.mapping.drawing import to_svg
from darkscan.stages.mapping.picture import to_png
from darkscan.stages.mapping.table import to_csv

NAME = MAP_NAME.removesuffix(".json")


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
