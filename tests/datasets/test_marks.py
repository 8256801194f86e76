"""Masks, COCO files and labelme files: the same scratch, however it is marked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from darkscan.network.datasets import MarkedImage
from darkscan.network.datasets._labelled_image import ImageTruth, total_length
from darkscan.network.datasets.coco import CocoOptions, read_coco
from darkscan.network.datasets.labelme import read_labelme
from darkscan.network.datasets.marks import Marks
from darkscan.network.datasets.masks import check_stems, masks_by_list, masks_by_name
from darkscan.network.datasets.rule import Judge
from darkscan.pipeline.core.errors import InputError
from tests.datasets.samples import (
    LINE,
    SIDE,
    mask,
    plate,
    shape,
    write_coco,
    write_labelme,
    write_plates,
)

LENGTH = float(np.hypot(LINE[1][0] - LINE[0][0], LINE[1][1] - LINE[0][1]))
FLAT_LINE = [number for point in LINE for number in point]

Pair = tuple[Path, Marks]


def band() -> list[tuple[float, float]]:
    """The corners of the band of 5 px about LINE."""
    start, end = np.array(LINE)
    across = 2.5 * np.array([-(end - start)[1], (end - start)[0]]) / LENGTH
    corners = [start + across, end + across, end - across, start - across]
    return [(float(x), float(y)) for x, y in corners]


def by_mask(image: Path) -> Pair:
    return masks_by_name([image], image.parent / "masks", "")[0]


def by_list(image: Path) -> Pair:
    file = image.parent / "pairs.csv"
    file.write_text(f"{image.name}, masks/{image.name}\n\n")
    return masks_by_list(file)[0]


def labelme(*shapes: dict[str, Any]) -> Callable[[Path], Pair]:
    return lambda image: read_labelme([write_labelme(image, *shapes)])[0]


def coco(**annotation: Any) -> Callable[[Path], Pair]:
    return lambda image: read_coco(write_coco([image], [annotation]))[0]


def run_lengths() -> dict[str, Any]:
    column = mask().T.reshape(-1)
    edges = np.flatnonzero(np.diff(column)) + 1
    return {"size": [SIDE, SIDE], "counts": np.diff([0, *edges, column.size]).tolist()}


def packed() -> dict[str, Any]:
    runs = coco_mask.encode(np.asfortranarray(mask()))
    return {"size": runs["size"], "counts": runs["counts"].decode()}


def truth_by(marks: Callable[[Path], Pair], folder: Path) -> ImageTruth:
    (image,) = write_plates(folder, 1)
    path, found = marks(image)
    assert path.samefile(image)
    marked = MarkedImage(path, found, line_px=5)
    assert marked.scratched
    loaded = marked.load()
    assert (loaded.pixels == plate(0)).all()
    return loaded.truth


@pytest.mark.parametrize(
    "marks",
    [
        pytest.param(by_mask, id="mask of the same stem"),
        pytest.param(by_list, id="list of pairs"),
        pytest.param(labelme(shape()), id="labelme linestrip"),
        pytest.param(labelme(shape("line")), id="labelme line"),
        pytest.param(labelme(shape("polygon", band())), id="labelme polygon"),
        pytest.param(
            coco(segmentation=[[number for corner in band() for number in corner]]),
            id="COCO polygon",
        ),
        pytest.param(coco(segmentation=[FLAT_LINE]), id="COCO segmentation of two points"),
        pytest.param(coco(polyline=[FLAT_LINE]), id="COCO polyline"),
        pytest.param(coco(segmentation=run_lengths()), id="COCO run lengths"),
        pytest.param(coco(segmentation=packed()), id="COCO packed run lengths"),
    ],
)
def test_a_scratch_is_the_same_however_it_is_marked(
    marks: Callable[[Path], Pair], tmp_path: Path
) -> None:
    truth = truth_by(marks, tmp_path)
    (scratch,) = truth.scratches
    assert total_length(truth.scratches) == pytest.approx(LENGTH, rel=0.08)
    assert scratch.kind == ""
    start, end = np.array(LINE)
    along = (end - start) / LENGTH
    offset = (scratch.points - start) @ np.array([-along[1], along[0]])
    assert np.abs(offset).max() < 3.5  # thinned ends fork towards corners
    wanted = mask().astype(bool)
    assert (truth.touched & wanted).sum() > 0.85 * wanted.sum()
    assert (truth.touched & ~wanted).sum() < 0.15 * wanted.sum()
    labels = Judge(truth).label(np.array([[50, 50], [300, 0], [0, 288]]))
    assert labels.tolist() == [1, 0, -1]


def test_images_without_marks_are_all_background(tmp_path: Path) -> None:
    images = write_plates(tmp_path, 2)
    (_, first), (_, second) = read_coco(write_coco(images, [{"segmentation": [FLAT_LINE]}]))
    assert MarkedImage(images[0], first, 5).scratched
    assert not MarkedImage(images[1], second, 5).scratched
    assert not MarkedImage(*read_labelme([write_labelme(images[0])])[0], 5).scratched


def test_only_the_labels_asked_for_count(tmp_path: Path) -> None:
    (image,) = write_plates(tmp_path, 1)
    shapes = (shape(label="dust", kind="circle"), shape(label="scratch"))
    ((_, marks),) = read_labelme([write_labelme(image, *shapes)], ["scratch"])
    assert [name for name, _ in marks.lines] == ["shapes.1.points"]
    file = write_coco([image], [{"segmentation": [FLAT_LINE]}])
    ((_, marks),) = read_coco(file, CocoOptions(labels=["dust"]))
    assert not marks.lines


@pytest.mark.parametrize(
    ("marks", "field", "problem"),
    [
        pytest.param(
            labelme(shape(points=[(10, 10), (SIDE + 40, 10)])),
            "shapes.0.points", f"({SIDE + 40}, 10) lies outside", id="labelme line outside",
        ),
        pytest.param(
            labelme(shape("circle")), "shapes.0.shape_type", "'circle'", id="labelme circle"
        ),
        pytest.param(
            labelme(shape("polygon")), "shapes.0.points", "needs 3 points", id="polygon of two"
        ),
        pytest.param(
            labelme({"label": "scratch"}), "shapes.0.points", "missing", id="no points at all"
        ),
        pytest.param(
            labelme(shape(points=[(10, 10), (float("nan"), 10)])),
            "shapes.0.points", "not numbers", id="labelme point that is no number",
        ),
        pytest.param(
            coco(segmentation=[[1, 2, 3]]), "annotation 0", "3 numbers", id="COCO odd numbers"
        ),
        pytest.param(
            coco(segmentation=[[-30, 5, 50, 50]]), "annotation 0", "outside", id="COCO outside"
        ),
        pytest.param(
            coco(segmentation=[[1e308, 1e308, -1e308, 5, 6, 7]]),
            "annotation 0", "lies outside", id="COCO far outside",
        ),
        pytest.param(coco(image_id=7), "annotation 0: image_id", "id 7", id="COCO image unknown"),
        pytest.param(
            coco(category_id=7), "annotation 0: category_id", "id 7", id="COCO category unknown"
        ),
        pytest.param(
            coco(segmentation={"size": [9, 9], "counts": [81]}),
            "annotation 0: segmentation", "9x9", id="COCO runs of another size",
        ),
        pytest.param(
            coco(segmentation={"size": [SIDE, SIDE], "counts": [5, 5]}),
            "annotation 0: segmentation", "damaged", id="COCO runs too short",
        ),
        pytest.param(
            coco(segmentation={"size": [SIDE, SIDE], "counts": "0:zz"}),
            "annotation 0: segmentation", "damaged", id="COCO packed runs damaged",
        ),
    ],
)  # fmt: skip
def test_marks_that_do_not_fit_are_refused_by_name(
    marks: Callable[[Path], Pair], field: str, problem: str, tmp_path: Path
) -> None:
    (image,) = write_plates(tmp_path, 1)
    with pytest.raises(InputError) as caught:
        MarkedImage(*marks(image), line_px=5)
    assert caught.value.file is not None
    assert caught.value.file.endswith(".json")
    assert field in str(caught.value.field)
    assert problem in caught.value.problem.lower().replace("field required", "missing")


def test_two_images_with_one_stem_are_refused() -> None:
    with pytest.raises(InputError, match=r"b/plate\.tif: has the same name as a/plate\.png"):
        check_stems([Path("a/plate.png"), Path("b/plate.tif")])


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_levels_are_kept_as_the_camera_gave_them(dtype: str, tmp_path: Path) -> None:
    (image,) = write_plates(tmp_path, 1, dtype)
    marked = MarkedImage(*by_mask(image), 5)
    assert marked.pixel_type == dtype
    assert marked.load().pixels.dtype == dtype
    assert marked.highest == plate(0, dtype).max()


def test_the_digest_tells_other_marks_from_these(tmp_path: Path) -> None:
    (image,) = write_plates(tmp_path, 1)
    before = MarkedImage(*by_mask(image), 5).load().sha256
    assert MarkedImage(*by_mask(image), 5).load().sha256 == before
    assert cv2.imwrite(str(tmp_path / "masks" / image.name), mask().T)
    assert MarkedImage(*by_mask(image), 5).load().sha256 != before
