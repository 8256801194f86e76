"""Images marked with labelme: one JSON file an image, with polygons and lines."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field

from darkscan.network.datasets._annotation_files import (
    EmbeddedPicture,
    check_labels,
    existing_image,
    read_json,
)
from darkscan.network.datasets._outlines import Outlines
from darkscan.network.datasets.marks import MarksError, StatedSize
from darkscan.pipeline.core.settings import check

_FEWEST_POINTS = {"polygon": 3, "line": 2, "linestrip": 2}
_PICTURES = {".png", ".tif", ".tiff", ".jpg", ".jpeg", ".fits", ".fit", ".fts"}


class _Shape(BaseModel):
    label: str
    points: list[tuple[float, float]]
    shape_type: str = "polygon"


class _LabelmeFile(BaseModel):
    shapes: list[_Shape]
    image: str = Field(alias="imagePath")
    width: int | None = Field(alias="imageWidth", default=None)
    height: int | None = Field(alias="imageHeight", default=None)
    flags: dict[str, bool] | None = None
    data: str | None = Field(alias="imageData", default=None)


def read_labelme(
    files: Sequence[Path], labels: Sequence[str] = (), *, unsized: bool = False
) -> list[tuple[Path, Outlines]]:
    """Each file's image and outlines; the image lies where ``imagePath`` says.

    Only shapes with one of the ``labels`` count, without labels all of them. ``unsized``
    files, that do not say how large their picture is, are believed. Raises InputError naming
    file and field, also if a label occurs in no file; what is wrong with one image's marks
    is told when they are drawn.
    """
    read = [_read(file, unsized=unsized) for file in files]
    known = {shape.label for content, _ in read for shape in content.shapes}
    check_labels(labels, known, files[0] if len(files) == 1 else f"{len(files)} files")
    marked = []
    for content, outlines in read:
        image = existing_image(outlines.file.parent, content.image, outlines.file, "imagePath")
        _check_name(image, outlines)
        _add_shapes(outlines, content, labels)
        marked.append((image, outlines))
    return marked


def _read(file: Path, *, unsized: bool) -> tuple[_LabelmeFile, Outlines]:
    """The content of a file but for its picture, and outlines that lack their shapes."""
    content = check(read_json(file), _LabelmeFile, file=file)
    # A size of 0 is no size: some programs write it where they know none.
    size = StatedSize(content.width or None, content.height or None, ("imageWidth", "imageHeight"))
    outlines = Outlines(file, size, unsized=unsized)
    if content.data:
        try:
            outlines.embedded = EmbeddedPicture.read(content.data, file)
        except MarksError as error:
            outlines.faults.append(error)
    # Pictures of many files would fill the memory.
    return content.model_copy(update={"data": None}), outlines


def _check_name(image: Path, outlines: Outlines) -> None:
    """Refuses marks whose file is called as one picture beside it, but names another."""
    file = outlines.file
    if image.stem == file.stem:
        return
    for suffix in sorted(_PICTURES | {suffix.upper() for suffix in _PICTURES}):
        beside = file.with_suffix(suffix)
        if beside.is_file():
            problem = f"is {image.name}, but {beside.name} lies beside: which of them is marked?"
            outlines.refuse(problem, "imagePath")
            return


def _add_shapes(outlines: Outlines, content: _LabelmeFile, labels: Sequence[str]) -> None:
    wanted = [
        (number, shape)
        for number, shape in enumerate(content.shapes)
        if not labels or shape.label in labels
    ]
    for number, shape in wanted:
        _add(outlines, shape, f"shapes.{number}")
    if wanted:
        return
    outlines.remark = "only shapes of other labels" if content.shapes else "no shape"
    raised = [name for name, value in (content.flags or {}).items() if value]
    if raised:
        problem = f"{', '.join(raised)}: set for the whole image, in which no scratch is drawn"
        outlines.refuse(problem, "flags")


def _add(outlines: Outlines, shape: _Shape, name: str) -> None:
    fewest = _FEWEST_POINTS.get(shape.shape_type)
    if fewest is None:
        read = ", ".join(_FEWEST_POINTS)
        problem = f"shapes of type {shape.shape_type!r} are not read, only {read}"
        outlines.refuse(problem, f"{name}.shape_type")
    elif len(shape.points) < fewest:
        problem = f"a {shape.shape_type} needs {fewest} points, has {len(shape.points)}"
        outlines.refuse(problem, f"{name}.points")
    else:
        kept = outlines.polygons if shape.shape_type == "polygon" else outlines.lines
        kept.append((f"{name}.points", np.array(shape.points, dtype=np.float64)))
