"""Images marked in a COCO file: polygons, run lengths (RLE) and polylines."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from darkscan.network.datasets.labelled_image import FloatArray
from darkscan.network.datasets.outlines import Outlines, check_labels, read_json
from darkscan.network.datasets.run_lengths import RunLengths
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.settings import check

_LINE_NUMBERS = 4  # two points: no area, but a line


class _Category(BaseModel):
    id: int
    name: str


class _Image(BaseModel):
    id: int
    file_name: str


class _RunLengths(BaseModel):
    size: tuple[int, int]
    counts: str | list[int]


class _Annotation(BaseModel):
    id: int
    image_id: int
    category_id: int
    segmentation: _RunLengths | list[list[float]] = []
    polyline: list[list[float]] = []


class _CocoFile(BaseModel):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


def read_coco(
    file: Path, folder: Path | None = None, labels: Sequence[str] = ()
) -> list[tuple[Path, Outlines]]:
    """Every image of a COCO file with its outlines; images without any are all background.

    Images lie in ``folder``, by default the file's own. Only annotations of the categories
    called one of ``labels`` count, without labels all of them. Raises InputError naming
    file and field.
    """
    content = check(read_json(file), _CocoFile, file=file)
    names = {category.id: category.name for category in content.categories}
    check_labels(labels, set(names.values()), file)
    marked = {image.id: Outlines(file) for image in content.images}
    for annotation in content.annotations:
        name = f"annotation {annotation.id}"
        if annotation.image_id not in marked:
            problem = f"no image has the id {annotation.image_id}"
            raise InputError(problem, file=file, field=f"{name}: image_id")
        if annotation.category_id not in names:
            problem = f"no category has the id {annotation.category_id}"
            raise InputError(problem, file=file, field=f"{name}: category_id")
        if not labels or names[annotation.category_id] in labels:
            _add(marked[annotation.image_id], annotation, name)
    parent = file.parent if folder is None else folder
    return [(parent / image.file_name, marked[image.id]) for image in content.images]


def _add(outlines: Outlines, annotation: _Annotation, name: str) -> None:
    place = f"{name}: segmentation"
    if isinstance(annotation.segmentation, _RunLengths):
        runs = annotation.segmentation
        outlines.areas.append(RunLengths(place, runs.size, runs.counts))
    else:
        for numbers in annotation.segmentation:
            points = _points(numbers, outlines.file, place)
            kept = outlines.lines if len(numbers) == _LINE_NUMBERS else outlines.polygons
            kept.append((place, points))
    place = f"{name}: polyline"
    for numbers in annotation.polyline:
        outlines.lines.append((place, _points(numbers, outlines.file, place)))


def _points(numbers: list[float], file: Path, name: str) -> FloatArray:
    if len(numbers) % 2 or len(numbers) < _LINE_NUMBERS:
        problem = f"wanted are x and y of two points or more, found are {len(numbers)} numbers"
        raise InputError(problem, file=file, field=name)
    return np.array(numbers, dtype=np.float64).reshape(-1, 2)
