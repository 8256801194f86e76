"""Outlines are held against the picture they were drawn on, and count only if understood."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from darkscan.network.datasets import MarkedImage, MarksError
from darkscan.network.datasets._labelled_image import ImageTruth
from darkscan.network.datasets.coco import CocoOptions, read_coco
from darkscan.network.datasets.labelme import read_labelme
from darkscan.network.datasets.marks import Marks
from darkscan.network.datasets.rule import BACKGROUND, LEFT_OUT, SCRATCH, Judge
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

FLAT_LINE = [number for point in LINE for number in point]
BOX = [60, 80, 240, 120]
BOX_CORNERS = [60, 80, 300, 80, 300, 200, 60, 200]
HALF = SIDE // 2

Pair = tuple[Path, Marks]
Marking = Callable[[Path], Pair]


def labelme(*shapes: dict[str, Any], **changes: Any) -> Marking:
    return lambda image: read_labelme([write_labelme(image, *shapes, **changes)])[0]


def coco(annotation: dict[str, Any], **changes: Any) -> Marking:
    return lambda image: read_coco(write_coco([image], [annotation], **changes))[0]


def packed(drawn: Any, size: list[int] | None = None) -> dict[str, Any]:
    runs = coco_mask.encode(np.asfortranarray(drawn))
    return {"size": size or runs["size"], "counts": runs["counts"].decode()}


def embedded(pixels: Any, kind: str = ".png") -> str:
    encoded, data = cv2.imencode(kind, pixels)
    assert encoded
    return base64.b64encode(data.tobytes()).decode()


def marked(marks: Marking, folder: Path) -> MarkedImage:
    (image,) = write_plates(folder, 1)
    return MarkedImage(*marks(image), line_px=5)


def truth_by(marks: Marking, folder: Path) -> ImageTruth:
    return marked(marks, folder).load().truth


@pytest.mark.parametrize(
    ("marks", "field", "problem"),
    [
        pytest.param(
            labelme(shape(), imageWidth=HALF, imageHeight=HALF),
            "imageWidth", f"a picture of {HALF}x{HALF} pixels, but its image is {SIDE}x{SIDE}",
            id="labelme on a copy of half the size",
        ),
        pytest.param(
            labelme(shape(), imageHeight=HALF), "imageHeight", f"{SIDE}x{HALF}",
            id="labelme on a copy less high",
        ),
        pytest.param(
            labelme(imageWidth=HALF, imageHeight=HALF), "imageWidth", f"{HALF}x{HALF}",
            id="labelme without a shape, on another picture",
        ),
        pytest.param(
            labelme(shape(), imageWidth=None, imageHeight=None), "imageWidth, imageHeight",
            "is missing", id="labelme without a size",
        ),
        pytest.param(
            labelme(shape(), imageData=embedded(plate(0, side=HALF))),
            "imageData", f"holds a picture of {HALF}x{HALF} pixels", id="labelme holds a copy",
        ),
        pytest.param(
            labelme(shape(), imageData=embedded(plate(7))), "imageData",
            "holds another picture than plate-0.png", id="labelme holds another picture",
        ),
        pytest.param(
            labelme(shape(), imageData="iVBORw0KGgo"), "imageData", "not base64",
            id="labelme holds half a letter",
        ),
        pytest.param(
            labelme(shape(), imageData=base64.b64encode(b"no picture").decode()), "imageData",
            "is not an image", id="labelme holds no picture",
        ),
        pytest.param(
            coco({"segmentation": [FLAT_LINE]}, width=2 * SIDE, height=2 * SIDE),
            "image 0: width", f"a picture of {2 * SIDE}x{2 * SIDE}", id="COCO on a larger copy",
        ),
        pytest.param(
            coco({"segmentation": [FLAT_LINE]}, height=None), "image 0: height", "is missing",
            id="COCO without a height",
        ),
        pytest.param(
            coco({"segmentation": [FLAT_LINE]}, width=0, height=0), "image 0: width",
            "is missing", id="COCO of size 0",
        ),
        pytest.param(
            coco({"segmentation": packed(mask(HALF))}), "annotation 0: segmentation.size",
            f"is for {HALF}x{HALF} pixels", id="COCO run lengths of a smaller copy",
        ),
        pytest.param(
            coco({"segmentation": packed(mask()[:280], [SIDE, HALF])}),
            "annotation 0: segmentation.size", f"is for {HALF}x{SIDE} pixels",
            id="COCO run lengths of a stripe",
        ),
    ],
)  # fmt: skip
def test_outlines_of_another_picture_are_refused(
    marks: Marking, field: str, problem: str, tmp_path: Path
) -> None:
    with pytest.raises(MarksError) as caught:
        marked(marks, tmp_path)
    assert field in str(caught.value.field)
    assert problem in caught.value.problem
    assert Path(str(caught.value.file)).suffix == ".json"


@pytest.mark.parametrize(
    "marks",
    [
        pytest.param(labelme(shape(), imageWidth=300, imageHeight=SIDE), id="labelme"),
        pytest.param(coco({"segmentation": [FLAT_LINE]}, width=300), id="COCO"),
        pytest.param(
            coco({"segmentation": packed(mask()[:, :300])}, height=300), id="run lengths alone"
        ),
    ],
)
def test_a_turned_picture_is_called_so(marks: Marking, tmp_path: Path) -> None:
    image = tmp_path / "plate-0.png"
    assert cv2.imwrite(str(image), plate(0)[:300])
    with pytest.raises(MarksError, match=f"300x{SIDE} pixels, but its image is {SIDE}x300: one of"):
        MarkedImage(*marks(image), line_px=5)


@pytest.mark.parametrize(
    ("marks", "field", "problem"),
    [
        pytest.param(
            coco({"segmentation": [], "bbox": BOX}), "annotation 0: segmentation",
            "has a box, but no outline", id="COCO box with an empty segmentation",
        ),
        pytest.param(
            coco({"bbox": BOX}), "annotation 0: segmentation", "has a box", id="COCO box alone"
        ),
        pytest.param(
            coco({"segmentation": None, "bbox": BOX}), "annotation 0", "has a box",
            id="COCO box with a segmentation of null",
        ),
        pytest.param(
            coco({"keypoints": [10, 10, 2, 90, 90, 2], "num_keypoints": 2}), "annotation 0",
            "neither an outline nor a line", id="COCO key points alone",
        ),
        pytest.param(
            coco({"segmentation": [BOX], "bbox": BOX}), "annotation 0", "is the box",
            id="COCO box in place of the outline",
        ),
        pytest.param(
            coco({"segmentation": [BOX_CORNERS], "bbox": BOX}), "annotation 0",
            "is a box of 240x120 px", id="COCO outline that is the box's",
        ),
        pytest.param(
            coco({"segmentation": [[]]}), "annotation 0", "0 numbers", id="COCO empty outline"
        ),
        pytest.param(
            coco({"segmentation": packed(np.zeros((SIDE, SIDE), np.uint8))}), "annotation 0",
            "marks no pixel", id="COCO run lengths of nothing",
        ),
        pytest.param(
            coco({"segmentation": {"size": [SIDE, SIDE], "counts": [SIDE * SIDE + 5, -5]}}),
            "annotation 0", "damaged", id="COCO negative run",
        ),
        pytest.param(
            coco({"segmentation": {"size": [SIDE, SIDE], "counts": [10, 2**70]}}),
            "annotation 0", "damaged", id="COCO run that overflows",
        ),
        pytest.param(
            coco({"segmentation": {"size": [SIDE, SIDE], "counts": "o" * 100_000}}),
            "annotation 0", "damaged", id="COCO packed number without an end",
        ),
        pytest.param(
            coco({"segmentation": {"size": [SIDE, SIDE], "counts": "0~0"}}),
            "annotation 0", "damaged", id="COCO packed letter that is none",
        ),
        pytest.param(
            coco({"segmentation": [[10, 10, 60, 60, 110, 110]]}), "annotation 0",
            "has no area", id="COCO outline on one line",
        ),
        pytest.param(
            coco({"segmentation": [[30, 30, 30, 30, 30, 30]]}), "annotation 0",
            "less than a pixel, at (30, 30)", id="COCO outline in one place",
        ),
        pytest.param(
            coco({"segmentation": [[0.1, 0.2, 0.5, 0.4, 0.5, 0.5]]}), "annotation 0",
            "not fractions", id="COCO fractions of the size",
        ),
        pytest.param(
            coco({"segmentation": [[-1, 5, -0.9, 90, -0.8, 5]]}), "annotation 0",
            "marks no pixel", id="COCO outline beside the border",
        ),
        pytest.param(
            coco({"polyline": [[30, 30, 30, 30]]}), "annotation 0: polyline",
            "less than a pixel", id="COCO line without length",
        ),
        pytest.param(
            labelme(shape("rectangle", [(60, 80), (300, 200)])), "shapes.0.shape_type",
            "'rectangle' are not read", id="labelme rectangle",
        ),
        pytest.param(
            labelme(shape("point", [(60, 80)])), "shapes.0.shape_type", "'point'",
            id="labelme point",
        ),
        pytest.param(
            labelme(shape(), shape("mask", [(60, 80), (300, 200)])), "shapes.1.shape_type",
            "'mask'", id="labelme mask beside a line",
        ),
        pytest.param(
            labelme(shape(points=[(60, 80), (60, 80)])), "shapes.0.points", "less than a pixel",
            id="labelme line without length",
        ),
        pytest.param(
            labelme(shape("polygon", [(60, 80), (300, 80), (300, 200), (60, 200)])),
            "shapes.0.points", "is a box", id="labelme polygon that is a box",
        ),
        pytest.param(
            labelme(flags={"scratch": True, "dirty": False}), "flags", "scratch: set for the whole",
            id="labelme flag for the whole image",
        ),
    ],
)  # fmt: skip
def test_what_marks_no_scratch_is_never_clean(
    marks: Marking, field: str, problem: str, tmp_path: Path
) -> None:
    with pytest.raises(MarksError) as caught:
        marked(marks, tmp_path)
    assert field in str(caught.value.field)
    assert problem in caught.value.problem


def test_a_level_scratch_may_have_a_level_outline(tmp_path: Path) -> None:
    outline = [60, 80, 300, 80, 300, 85, 60, 85]
    truth = truth_by(coco({"segmentation": [outline], "bbox": [60, 80, 240, 5]}), tmp_path)
    (scratch,) = truth.scratches
    assert scratch.lengths.sum() == pytest.approx(240, rel=0.08)


@pytest.mark.parametrize(
    ("kind", "pixels"),
    [
        pytest.param(".png", plate(0), id="the same picture"),
        pytest.param(".png", cv2.cvtColor(plate(0), cv2.COLOR_GRAY2BGR), id="made coloured"),
        pytest.param(".jpg", plate(0), id="as JPEG"),
        pytest.param(".png", plate(0, "uint16"), id="of another depth"),
    ],
)
def test_a_picture_held_by_labelme_may_be_stored_otherwise(
    kind: str, pixels: Any, tmp_path: Path
) -> None:
    marks = labelme(shape(), imageData=embedded(pixels, kind), imageWidth=None, imageHeight=None)
    assert marked(marks, tmp_path).scratched


def test_marks_without_a_size_are_believed_if_asked(tmp_path: Path) -> None:
    (image,) = write_plates(tmp_path, 1)
    file = write_labelme(image, shape(), imageWidth=None, imageHeight=None)
    assert MarkedImage(*read_labelme([file], unsized=True)[0], 5).scratched
    file = write_coco([image], [{"segmentation": [FLAT_LINE]}], width=None, height=None)
    assert MarkedImage(*read_coco(file, CocoOptions(unsized=True))[0], 5).scratched


def test_a_size_is_not_needed_where_nothing_is_drawn(tmp_path: Path) -> None:
    image = marked(labelme(imageWidth=None, imageHeight=None), tmp_path)
    assert (image.scratched, image.unmarked) == (False, "no shape")


def test_why_nothing_is_marked_is_told(tmp_path: Path) -> None:
    images = write_plates(tmp_path, 2)
    file = write_coco(images, [{"segmentation": [FLAT_LINE], "category_id": 2}])
    found = [
        MarkedImage(*pair, 5).unmarked for pair in read_coco(file, CocoOptions(labels=["scratch"]))
    ]
    assert found == ["only annotations of other labels", "no annotation"]
    others = [write_labelme(images[0], shape(label="dust")), write_labelme(images[1], shape())]
    pairs = read_labelme(others, ["scratch"])
    assert MarkedImage(*pairs[0], 5).unmarked == "only shapes of other labels"
    assert not MarkedImage(*pairs[1], 5).unmarked


@pytest.mark.parametrize("mark", [{"iscrowd": 1}, {"ignore": 1}], ids=["crowd", "ignored"])
@pytest.mark.parametrize(
    "segmentation",
    [packed(mask()), [BOX_CORNERS], [FLAT_LINE]],
    ids=["run lengths", "box", "line"],
)
def test_windows_of_a_crowd_are_not_judged(
    mark: dict[str, Any], segmentation: Any, tmp_path: Path
) -> None:
    truth = truth_by(coco({"segmentation": segmentation, **mark}), tmp_path)
    assert not truth.scratches
    assert Judge(truth).label(np.array([[50, 50], [300, 300]])).tolist() == [LEFT_OUT, BACKGROUND]


def test_a_scratch_beside_what_nobody_judged_is_not_judged(tmp_path: Path) -> None:
    (image,) = write_plates(tmp_path, 1)
    content = json.loads(write_coco([image], [{"segmentation": [FLAT_LINE]}]).read_text())
    crowd = {"segmentation": [[250, 50, 290, 50, 290, 70, 251, 70]], "iscrowd": 1}
    content["annotations"].append({"id": 9, "image_id": 0, "category_id": 1, **crowd})
    file = tmp_path / "coco.json"
    file.write_text(json.dumps(content))
    origins = np.array([[30, 0], [75, 0]])
    truth = MarkedImage(*read_coco(file)[0], 5).load().truth
    assert Judge(truth).label(origins).tolist() == [LEFT_OUT, SCRATCH]
    truth = MarkedImage(*read_coco(file, CocoOptions(crowd="marks"))[0], 5).load().truth
    assert Judge(truth).label(origins).tolist() == [SCRATCH, SCRATCH]
    assert len(truth.scratches) == 2


@pytest.mark.parametrize("segmentation", ["abc", FLAT_LINE, 7], ids=["text", "flat", "number"])
def test_a_segmentation_of_another_form_is_refused(segmentation: Any, tmp_path: Path) -> None:
    (image,) = write_plates(tmp_path, 1)
    file = write_coco([image], [{"segmentation": segmentation}])
    with pytest.raises(InputError, match=r"annotations\.0\.segmentation: must be lists of x, y"):
        read_coco(file)


def edited(images: list[Path], change: Callable[[dict[str, Any]], None]) -> Path:
    file = write_coco(images, [{"segmentation": [FLAT_LINE]}] * len(images))
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    return file


def _same_image_id(content: dict[str, Any]) -> None:
    content["images"][1]["id"] = 0


def _same_annotation_id(content: dict[str, Any]) -> None:
    content["annotations"][1]["id"] = 0


def _same_category_id(content: dict[str, Any]) -> None:
    content["categories"][1]["id"] = 1


def _same_file(content: dict[str, Any]) -> None:
    content["images"][1]["file_name"] = ".\\plate-0.png"


def _no_name(content: dict[str, Any]) -> None:
    content["images"][1]["file_name"] = "plate\0.png"


def _odd_name(content: dict[str, Any]) -> None:
    content["images"][1]["file_name"] = "plate\ud800.png"


def _lost(content: dict[str, Any]) -> None:
    content["images"][1]["file_name"] = "C:\\work\\plate-1.png"


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        pytest.param(_same_image_id, "image 0", "id 0 is given twice", id="image id"),
        pytest.param(_same_annotation_id, "annotation 0", "id 0 is given twice", id="annotation"),
        pytest.param(_same_category_id, "category 1", "id 1 is given twice", id="category id"),
        pytest.param(_same_file, "image 1: file_name", "is image 0 already", id="file name"),
        pytest.param(_no_name, "image 1: file_name", "not the name of a file", id="zero byte"),
        pytest.param(_odd_name, "image 1: file_name", "not the name of a file", id="half a letter"),
        pytest.param(_lost, "image 1: file_name", "plate-1.png' is not there", id="lost"),
    ],
)
def test_what_stands_for_two_things_or_none_is_refused(
    change: Callable[[dict[str, Any]], None], field: str, problem: str, tmp_path: Path
) -> None:
    file = edited(write_plates(tmp_path, 2), change)
    with pytest.raises(InputError) as caught:
        read_coco(file)
    assert (caught.value.field, caught.value.file) == (field, str(file))
    assert problem in caught.value.problem


def test_a_picture_that_is_not_there_is_missed_where_it_is_named(tmp_path: Path) -> None:
    (image,) = write_plates(tmp_path, 1)
    file = write_labelme(image, shape(), imagePath="other.png")
    with pytest.raises(InputError, match=r"plate-0\.json: imagePath: 'other\.png' is not there"):
        read_labelme([file])


def test_images_lie_in_folders_with_either_slash(tmp_path: Path) -> None:
    images = write_plates(tmp_path / "a b", 2)

    def into_folders(content: dict[str, Any]) -> None:
        content["images"][0]["file_name"] = "a b/plate-0.png"
        content["images"][1]["file_name"] = "a b\\plate-1.png"

    file = edited(images, into_folders)
    found = [path for path, _ in read_coco(file, CocoOptions(folder=tmp_path))]
    assert found == images


def test_an_object_that_says_a_thing_twice_is_refused(tmp_path: Path) -> None:
    (image,) = write_plates(tmp_path, 1)
    file = write_labelme(image, shape())
    file.write_text(file.read_text()[:-1] + ', "shapes": []}')
    with pytest.raises(InputError, match="'shapes' is given twice in one object"):
        read_labelme([file])


def test_a_labelme_file_called_as_another_picture_is_refused(tmp_path: Path) -> None:
    images = write_plates(tmp_path, 2)
    file = write_labelme(images[0], shape(), imagePath=images[1].name)
    ((path, marks),) = read_labelme([file])
    with pytest.raises(MarksError, match=r"is plate-1\.png, but plate-0\.png lies beside"):
        MarkedImage(path, marks, 5)
    renamed = file.rename(tmp_path / "first.json")
    assert MarkedImage(*read_labelme([renamed])[0], 5).scratched


def test_labels_that_differ_in_their_letters_case_are_not_dropped(tmp_path: Path) -> None:
    images = write_plates(tmp_path, 2)
    files = [
        write_labelme(images[0], shape(label="scratch")),
        write_labelme(images[1], shape(label="Scratch ")),
    ]
    with pytest.raises(InputError, match="'Scratch ' is a label as well as 'scratch'"):
        read_labelme(files, ["scratch"])
    pairs = read_labelme(files, ["scratch", "Scratch "])
    assert all(MarkedImage(*pair, 5).scratched for pair in pairs)
