"""``darkscan dataset``: builds, describes and shows; refuses in one line."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from darkscan.cli.main import main
from darkscan.network.datasets import Dataset
from tests.datasets.samples import SIDE, plate, shape, write_coco, write_labelme, write_plates

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
    assert "at least 40 px" in said
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
    assert "images: 2 of 3 images have a scratch" in refused(*given)
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
