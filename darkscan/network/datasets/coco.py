"""Images marked in a COCO file: polygons, run lengths (RLE) and polylines."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from pydantic import BaseModel, field_validator

from darkscan.network.datasets._annotation_files import check_labels, existing_image, read_json
from darkscan.network.datasets._outlines import Named, Outlines
from darkscan.network.datasets._run_lengths import RunLengths
from darkscan.network.datasets.marks import StatedSize
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.settings import check

_T = TypeVar("_T", bound=Hashable)

_LINE_NUMBERS = 4  # two points: no area, but a line


class _Category(BaseModel):
    id: int
    name: str


class _Image(BaseModel):
    id: int
    file_name: str
    width: int | None = None
    height: int | None = None


class _RunLengths(BaseModel):
    size: tuple[int, int]
    counts: str | list[int]


class _Annotation(BaseModel):
    id: int
    image_id: int
    category_id: int
    segmentation: _RunLengths | list[list[float]] | None = None
    polyline: list[list[float]] | None = None
    bbox: list[float] | None = None
    iscrowd: bool = False
    ignore: bool = False

    @field_validator("segmentation", mode="before")
    @classmethod
    def _outlines_or_runs(cls, value: object) -> object:
        lists = isinstance(value, list) and all(isinstance(part, list) for part in value)
        if value is None or lists or isinstance(value, dict):
            return value
        raise ValueError("must be lists of x, y, x, y, ..., one for each outline, or run lengths")


class _CocoFile(BaseModel):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


@dataclass(frozen=True)
class CocoOptions:
    """How a COCO file is read.

    Images lie in ``folder``, by default the file's own. Only annotations of the categories
    called one of ``labels`` count, without labels all of them. ``crowd`` says what
    annotations with ``iscrowd`` are: regions that nobody judged, or marks as any other.
    ``unsized`` images, of which the file gives no width and height, are believed.
    """

    folder: Path | None = None
    labels: Sequence[str] = ()
    crowd: Literal["void", "marks"] = "void"
    unsized: bool = False


def read_coco(file: Path, options: CocoOptions | None = None) -> list[tuple[Path, Outlines]]:
    """Every image of a COCO file with its outlines; images without any are all background.

    Raises InputError naming file and field; what is wrong with one image's marks is told
    when they are drawn.
    """
    options = options or CocoOptions()
    content = check(read_json(file), _CocoFile, file=file)
    _require_unique(content, file)
    names = {category.id: category.name for category in content.categories}
    check_labels(options.labels, set(names.values()), file)
    marked = {image.id: _outlines(image, file, options) for image in content.images}
    for annotation in content.annotations:
        name = f"annotation {annotation.id}"
        if annotation.image_id not in marked:
            problem = f"no image has the id {annotation.image_id}"
            raise InputError(problem, file=file, field=f"{name}: image_id")
        if annotation.category_id not in names:
            problem = f"no category has the id {annotation.category_id}"
            raise InputError(problem, file=file, field=f"{name}: category_id")
        outlines = marked[annotation.image_id]
        if options.labels and names[annotation.category_id] not in options.labels:
            outlines.remark = "only annotations of other labels"
        elif annotation.ignore or (annotation.iscrowd and options.crowd == "void"):
            _add_void(outlines, annotation, name)
        else:
            _add_marks(outlines, annotation, name)
    return list(zip(_paths(content, file, options.folder), marked.values(), strict=True))


def _outlines(image: _Image, file: Path, options: CocoOptions) -> Outlines:
    fields = (f"image {image.id}: width", f"image {image.id}: height")
    # A size of 0 is no size: some programs write it where they know none.
    size = StatedSize(image.width or None, image.height or None, fields)
    return Outlines(file, size, remark="no annotation", unsized=options.unsized)


def _require_unique(content: _CocoFile, file: Path) -> None:
    """Raises InputError if an id stands for two things: which of them is meant is unknown."""
    for kind, records in (
        ("image", content.images),
        ("annotation", content.annotations),
        ("category", content.categories),
    ):
        twice = _twice(record.id for record in records)
        if twice is not None:
            problem = f"the id {twice} is given twice: files that are joined need new ids"
            raise InputError(problem, file=file, field=f"{kind} {twice}")


def _paths(content: _CocoFile, file: Path, folder: Path | None) -> list[Path]:
    """Where the images lie. Raises InputError if two are one."""
    parent = file.parent if folder is None else folder
    paths = [
        existing_image(parent, image.file_name, file, f"image {image.id}: file_name")
        for image in content.images
    ]
    twice = _twice(path.resolve() for path in paths)
    if twice is not None:
        entries = zip(content.images, paths, strict=True)
        first, second = [image for image, path in entries if path.resolve() == twice][:2]
        problem = f"{second.file_name} is image {first.id} already: no picture may come twice"
        raise InputError(problem, file=file, field=f"image {second.id}: file_name")
    return paths


def _twice(things: Iterable[_T]) -> _T | None:
    return next((thing for thing, count in Counter(things).items() if count > 1), None)


def _add_marks(outlines: Outlines, annotation: _Annotation, name: str) -> None:
    """Adds what an annotation marks, or the fault that it marks nothing."""
    drawn, areas = _drawn(outlines, annotation, name)
    if not drawn and not areas:
        held = "a box, but no outline" if annotation.bbox else "neither an outline nor a line"
        outlines.refuse(f"has {held}: where its scratch runs is unknown", f"{name}: segmentation")
    outlines.areas += areas
    for place, points in drawn:
        is_line = place.endswith("polyline") or len(points) == _LINE_NUMBERS // 2
        (outlines.lines if is_line else outlines.polygons).append((place, points))


def _add_void(outlines: Outlines, annotation: _Annotation, name: str) -> None:
    """Adds a region in which nothing is judged, or the fault that it has none."""
    drawn, areas = _drawn(outlines, annotation, name)
    if not drawn and not areas:
        problem = "is a crowd or ignored, and has no outline: what not to judge is unknown"
        outlines.refuse(problem, f"{name}: segmentation")
    outlines.void += drawn
    outlines.void_areas += areas
    outlines.remark = "only crowds or ignored annotations"


def _drawn(
    outlines: Outlines, annotation: _Annotation, name: str
) -> tuple[list[Named], list[RunLengths]]:
    """An annotation's polygons and lines, and its run lengths."""
    segmentation, place = annotation.segmentation, f"{name}: segmentation"
    if isinstance(segmentation, _RunLengths):
        areas, polygons = [RunLengths(place, segmentation.size, segmentation.counts)], []
    else:
        areas, polygons = [], segmentation or []
    drawn = []
    for place_, lists in ((place, polygons), (f"{name}: polyline", annotation.polyline or [])):
        for numbers in lists:
            if len(numbers) % 2 or len(numbers) < _LINE_NUMBERS:
                problem = f"wanted are x and y of two points or more, found are {len(numbers)} "
                outlines.refuse(problem + "numbers", place_)
                continue
            if numbers == annotation.bbox:
                outlines.refuse("is the box, not a line of two points", place_)
            drawn.append((place_, np.array(numbers, dtype=np.float64).reshape(-1, 2)))
    return drawn, areas
