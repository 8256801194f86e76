"""Images marked with labelme: one JSON file an image, with polygons and lines."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field

from darkscan.network.datasets.outlines import Outlines, check_labels, read_json
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.settings import check

_FEWEST_POINTS = {"polygon": 3, "line": 2, "linestrip": 2}


class _Shape(BaseModel):
    label: str
    points: list[tuple[float, float]]
    shape_type: str = "polygon"


class _LabelmeFile(BaseModel):
    shapes: list[_Shape]
    image: str = Field(alias="imagePath")


def read_labelme(files: Sequence[Path], labels: Sequence[str] = ()) -> list[tuple[Path, Outlines]]:
    """Each file's image and outlines; the image lies where ``imagePath`` says.

    Only shapes with one of the ``labels`` count, without labels all of them. Raises
    InputError naming file and field, also if a label occurs in no file.
    """
    contents = [(file, check(read_json(file), _LabelmeFile, file=file)) for file in files]
    known = {shape.label for _, content in contents for shape in content.shapes}
    check_labels(labels, known, files[0] if len(files) == 1 else f"{len(files)} files")
    marked = []
    for file, content in contents:
        # labelme on Windows writes backslashes.
        image = file.parent / content.image.replace("\\", "/")
        outlines = Outlines(file)
        for number, shape in enumerate(content.shapes):
            if not labels or shape.label in labels:
                _add(outlines, shape, f"shapes.{number}")
        marked.append((image, outlines))
    return marked


def _add(outlines: Outlines, shape: _Shape, name: str) -> None:
    fewest = _FEWEST_POINTS.get(shape.shape_type)
    if fewest is None:
        read = ", ".join(_FEWEST_POINTS)
        problem = f"shapes of type {shape.shape_type!r} are not read, only {read}"
        raise InputError(problem, file=outlines.file, field=f"{name}.shape_type")
    if len(shape.points) < fewest:
        problem = f"a {shape.shape_type} needs {fewest} points, has {len(shape.points)}"
        raise InputError(problem, file=outlines.file, field=f"{name}.points")
    kept = outlines.polygons if shape.shape_type == "polygon" else outlines.lines
    kept.append((f"{name}.points", np.array(shape.points, dtype=np.float64)))
