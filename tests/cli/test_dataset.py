"""``darkscan dataset``: builds, describes and shows; refuses in one line."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from darkscan.cli.main import main
from darkscan.network.datasets import Dataset
from darkscan.network.datasets.rule import VISIBLE_PX
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

SMALL = ("--counts", "6/4,2/2,3/2")


def run(*arguments: object) -> int:
    return main(["dataset", *map(str, arguments)])


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    return write_plates(tmp_path / "plates")


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a build that must be refused; gives the line it printed."""

    def build(*arguments: object) -> str:
        out = tmp_path / "data.h5"
        assert run("build", *arguments, "--out", out) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1
        assert not out.exists()
        assert not list(tmp_path.glob(".*"))
        return lines[0]

    return build


def test_simulated_elements_become_a_data_set_and_a_sheet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, sheet = tmp_path / "data.h5", tmp_path / "sheet.png"
    simulated = ("--simulated", 4, "--frame", 900, "--preset", "optic,dirty")
    assert run("build", *simulated, "--windows", 120, "--out", out) == 0
    assert (
        "train       111 windows: 60 scratch, 51 background, of 2 images" in capsys.readouterr().out
    )
    assert run("info", out, "--verify") == 0
    said = capsys.readouterr().out
    assert Dataset.open(out).hash in said
    assert f"at least {VISIBLE_PX:.0f} px" in said
    assert "gaussian 8" in said
    assert run("sheet", out, "--columns", 3, "--out", sheet) == 0
    drawn = cv2.imread(str(sheet), cv2.IMREAD_GRAYSCALE)
    assert drawn is not None
    assert drawn.shape[1] > 6 * 256
    assert run("build", *simulated, "--out", out) == 2
    assert "--force overwrites it" in capsys.readouterr().err
    assert run("build", *simulated, *SMALL, "--out", out, "--force") == 0
    assert len(Dataset.open(out).split("train")) == 10


def test_every_kind_of_marks_builds(images: list[Path], tmp_path: Path) -> None:
    pairs = images[0].parent / "pairs.csv"
    pairs.write_text("".join(f"{image.name},masks/{image.name}\n" for image in images))
    line = [number for point in shape()["points"] for number in point]
    coco = write_coco(images, [{"segmentation": [line]}] * 3)
    labelme = [write_labelme(image, shape()) for image in images]
    for number, marks in enumerate(
        (
            (*images, "--masks", images[0].parent / "masks"),
            ("--pairs", pairs),
            ("--coco", coco, "--label", "scratch"),
            ("--labelme", *labelme, "--label", "scratch"),
        )
    ):
        out = tmp_path / f"data-{number}.h5"
        assert run("build", *marks, *SMALL, "--out", out) == 0
        windows = Dataset.open(out).split("train")
        assert (int(windows.labels.sum()), len(windows)) == (6, 10)


def test_only_data_sets_are_overwritten(
    images: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "thesis.txt"
    out.write_text("all my work")
    arguments = (*images, "--masks", images[0].parent / "masks", "--out", out, "--force")
    assert run("build", *arguments) == 2
    assert "is no data set" in capsys.readouterr().err
    assert out.read_text() == "all my work"


def test_images_that_cannot_be_used_are_named(
    images: list[Path], refused: Callable[..., str]
) -> None:
    masks = images[0].parent / "masks"
    given = (*images, "--masks", masks, *SMALL)
    assert f"{images[0]}: is given without --masks" in refused(*images)
    assert "plate-0.png: --masks: has no mask" in refused(*given, "--mask-suffix", "_x")
    good = images[1].read_bytes()
    images[1].write_bytes(good[:200])
    assert f"{images[1]}: is damaged" in refused(*given)
    images[1].write_text("no image")
    assert f"{images[1]}: is not an image" in refused(*given)
    images[1].unlink()
    assert f"{images[1]}: cannot be read: No such file" in refused(*given)
    assert cv2.imwrite(str(images[1]), plate(1, side=200))
    assert f"{images[1]}: image of 200x200 pixels is smaller than a window" in refused(*given)
    images[1].write_bytes(good)
    assert cv2.imwrite(str(masks / images[1].name), np.zeros((SIDE, 300), np.uint8))
    said = refused(*given)
    assert f"masks/plate-1.png: mask: is 300x{SIDE} pixels, but its image is {SIDE}x{SIDE}" in said
    assert cv2.imwrite(str(masks / images[1].name), np.zeros((SIDE, SIDE), np.uint8))
    said = refused(*given)
    assert "images: 2 of 3 images have a scratch" in said
    assert "(in the others: black mask 1)" in said
    other = images[0].with_suffix(".tif")
    assert cv2.imwrite(str(other), plate(0))
    assert f"{other}: has the same name as" in refused(*given[:3], other, *given[3:])


def test_labels_that_cannot_be_used_are_named(
    images: list[Path], refused: Callable[..., str]
) -> None:
    labelme = [write_labelme(image, shape(), shape(label="dust")) for image in images]
    said = refused("--labelme", *labelme, "--label", "scrach")
    assert "--label: no label is called 'scrach', found are: dust, scratch" in said
    write_labelme(images[2], shape(points=[(5, 5), (5, 5000)]))
    said = refused("--labelme", *labelme)
    assert f"{labelme[2]}: shapes.0.points: (5, 5000) lies outside the image" in said
    labelme[1].write_text("{")
    assert f"{labelme[1]}: is not JSON" in refused("--labelme", *labelme)
    labelme[1].write_text('{"shapes": []}')
    assert f"{labelme[1]}: imagePath" in refused("--labelme", *labelme)
    assert "--label: masks have no labels" in refused("--simulated", 4, "--label", "scratch")


def test_boxes_alone_are_refused_or_left_out_and_never_clean(
    images: list[Path],
    refused: Callable[..., str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = [number for point in LINE for number in point]
    box = {"segmentation": [], "bbox": [60, 80, 240, 120]}
    write_plates(images[0].parent, 5)
    images = sorted(images[0].parent.glob("*.png"))
    coco = write_coco(images, [{"segmentation": [line]}] * 3 + [box])
    said = refused("--coco", coco, *SMALL)
    assert f"{coco}: annotation 3: segmentation: has a box" in said
    out = tmp_path / "data.h5"
    assert run("build", "--coco", coco, *SMALL, "--leave-out", "--out", out) == 0
    told = (
        "clean       1 image, nothing is marked in them: no annotation 1",
        "left out    1 image, by their marks:",
        "            plate-3.png: coco.json: annotation 3: segmentation: has a box, but no outline",
    )
    printed = capsys.readouterr().out
    assert all(line in printed for line in told)
    assert run("info", out, "--verify") == 0
    printed = capsys.readouterr().out
    assert all(line in printed for line in told)
    dataset = Dataset.open(out)
    used = {name for split in dataset.splits for name in dataset.sources(split)}
    assert used == {"plate-0.png", "plate-1.png", "plate-2.png", "plate-4.png"}


def test_if_all_images_are_left_out_the_first_reason_is_told(
    images: list[Path], refused: Callable[..., str]
) -> None:
    labelme = [write_labelme(image, shape("circle")) for image in images]
    said = refused("--labelme", *labelme, "--leave-out")
    assert "--leave-out: all images are left out, plate-0.png as plate-0.json: shapes.0" in said


def test_masks_of_labels_build_once_it_is_said_what_they_mean(
    images: list[Path], refused: Callable[..., str], tmp_path: Path
) -> None:
    masks = images[0].parent / "masks"
    for image in images:
        levels = (mask() > 0).astype(np.uint8)
        levels[400:, :] = 255
        levels[:30, :] = 2
        assert cv2.imwrite(str(masks / image.name), levels)
    given = (*images, "--masks", masks, *SMALL)
    assert "masks/plate-0.png: mask: marks with 3 levels (1, 2, 255): say" in refused(*given)
    assert "--mask-void 255" in refused(*given, "--mask-values", 1)
    assert "--mask-values: no mask holds 7" in refused(*given, "--mask-values", "7,1,2,255")
    out = tmp_path / "data.h5"
    assert run("build", *given, "--mask-values", 1, "--mask-void", 255, "--out", out) == 0
    windows = Dataset.open(out).split("train")
    assert (int(windows.labels.sum()), len(windows)) == (6, 10)
    assert windows.origin[:, 0].max() <= 400 - 256


def test_a_list_from_a_german_excel_and_files_with_byte_order_marks_build(
    images: list[Path], tmp_path: Path
) -> None:
    folder = images[0].parent
    pairs = folder / "pairs.csv"
    lines = "".join(f"{image.name};masks/{image.name}\r\n" for image in images)
    pairs.write_bytes(lines.encode("utf-8-sig"))
    line = [number for point in LINE for number in point]
    coco = write_coco(images, [{"segmentation": [line]}] * 3)
    labelme = [write_labelme(image, shape()) for image in images]
    for file in (coco, *labelme):
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    marks = (("--pairs", pairs), ("--coco", coco), ("--labelme", *labelme))
    for number, given in enumerate(marks):
        assert run("build", *given, *SMALL, "--out", tmp_path / f"data-{number}.h5") == 0


def test_text_in_utf_16_is_refused_by_name(images: list[Path], refused: Callable[..., str]) -> None:
    labelme = write_labelme(images[0], shape())
    labelme.write_text(labelme.read_text(), encoding="utf-16")
    assert f"{labelme}: is a text file in UTF-16" in refused("--labelme", labelme)
    pairs = images[0].parent / "pairs.csv"
    pairs.write_text("a.png;b.png", encoding="utf-16")
    assert f"{pairs}: is a text file in UTF-16" in refused("--pairs", pairs)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        pytest.param(("--mask-values", "1", "--mask-above", "1"), "choose one", id="two"),
        pytest.param(("--mask-values", "1,x"), "--mask-values: must be levels", id="letters"),
        pytest.param(("--mask-values", "#ff00"), "must be levels", id="short colour"),
        pytest.param(("--mask-above", "nan"), "--mask-above: must be a number", id="no number"),
        pytest.param(
            ("--mask-values", "1,2", "--mask-void", "2"), "--mask-void: 2 is among", id="both"
        ),
        pytest.param(
            ("--mask-alpha", "marks", "--mask-values", "1"), "--mask-alpha: marks is", id="alpha"
        ),
    ],
)
def test_meanings_of_masks_that_cannot_be_are_named(
    options: tuple[str, ...], problem: str, images: list[Path], refused: Callable[..., str]
) -> None:
    masks = images[0].parent / "masks"
    assert problem in refused(*images, "--masks", masks, *options)


def test_meanings_without_masks_are_named(refused: Callable[..., str]) -> None:
    said = refused("--simulated", 4, "--mask-void", 255)
    assert "--mask-void: says what masks mean, but no mask is given" in said


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        pytest.param((), "no image is given", id="nothing"),
        pytest.param(("--simulated", 0), "--simulated: must be from 1", id="no element"),
        pytest.param(("--simulated", 4, "--preset", "wet"), "--preset: unknown", id="preset"),
        pytest.param(("--simulated", 4, "--frame", 100), "--frame: must be from 256", id="frame"),
        pytest.param(("--simulated", 4, "--split", "1:2"), "--split: must be three", id="split"),
        pytest.param(("--simulated", 4, "--split", "0:0:0"), "--split: must be three", id="zeros"),
        pytest.param(("--simulated", 4, "--counts", "5,5,5"), "--counts: must be", id="counts"),
        pytest.param(
            ("--simulated", 4, "--counts", "5/0,5/5,5/5"), "train is to have no", id="empty class"
        ),
        pytest.param(("--simulated", 4, "--windows", 1), "--windows: must be from", id="windows"),
        pytest.param(("--simulated", 4, "--seed", -1), "--seed: must be from 0", id="seed"),
        pytest.param(("--simulated", 4, "--spread", "nan"), "--spread: must be", id="spread"),
        pytest.param(("--simulated", 2, "--frame", 512), "too few for 3 splits", id="too few"),
        pytest.param(("--masks", "masks"), "--masks: needs the images", id="masks alone"),
        pytest.param(("--coco", "none.json"), "none.json: cannot be read", id="no such file"),
        pytest.param(("--pairs", "none.csv"), "none.csv: cannot be read", id="no such list"),
    ],
)
def test_options_that_cannot_be_used_are_named(
    arguments: tuple[object, ...], problem: str, refused: Callable[..., str]
) -> None:
    assert problem in refused(*arguments)


def test_what_is_no_data_set_is_neither_described_nor_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data.h5"
    assert run("info", path) == 2
    assert f"{path}: cannot be read" in capsys.readouterr().err
    path.write_text("no data set")
    assert run("sheet", path, "--out", tmp_path / "sheet.png") == 2
    assert f"{path}: is not a data set" in capsys.readouterr().err
    assert not (tmp_path / "sheet.png").exists()
