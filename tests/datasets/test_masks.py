"""What the pixels of masks mean, and how lists pair masks with images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from astropy.io import fits
from PIL import Image

from darkscan.network.datasets import MarksError
from darkscan.network.datasets._labelled_image import total_length
from darkscan.network.datasets._thinning import mask_scratches
from darkscan.network.datasets.mask_reading import MaskMeaning, MaskReader
from darkscan.network.datasets.masks import masks_by_list
from darkscan.pipeline.core.errors import InputError
from tests.datasets.samples import LINE, SIDE, mask

LENGTH = float(np.hypot(LINE[1][0] - LINE[0][0], LINE[1][1] - LINE[0][1]))
SHAPE = (SIDE, SIDE)
DRAWN = mask() > 0
CORNER = np.s_[400:440, 400:440]

Array = npt.NDArray[Any]


def levels(scratch: int, corner: int = 0, ground: int = 0, dtype: str = "uint8") -> Array:
    """A mask with one level along the scratch and one in a corner beside it."""
    drawn = np.full(SHAPE, ground, dtype)
    drawn[DRAWN] = scratch
    drawn[CORNER] = corner
    return drawn


def coloured(*channels: Array) -> Array:
    """Red, green, blue and perhaps alpha, in OpenCV's order."""
    red, green, blue, *rest = channels
    return np.stack([blue, green, red, *rest], axis=2)


def soft() -> Array:
    return np.asarray(cv2.GaussianBlur(levels(255), (0, 0), 1.0))


def fractions() -> Array:
    return soft().astype(np.float32) / 255


def strokes(ground: int) -> Array:
    """White strokes on a transparent ground of some colour."""
    seen = levels(255, ground=ground)
    return coloured(seen, seen, seen, levels(255))


NONE = levels(0)


def write(folder: Path, pixels: Array, name: str = "mask.png") -> Path:
    path = folder / name
    if path.suffix == ".fits":
        fits.writeto(path, pixels)
    else:
        assert cv2.imwrite(str(path), pixels)
    return path


def read(path: Path, **meaning: Any) -> Any:
    return MaskReader(MaskMeaning(**meaning)).read(path, SHAPE)


@pytest.mark.parametrize(
    ("pixels", "name", "meaning"),
    [
        pytest.param(levels(255), "mask.png", {}, id="white on black"),
        pytest.param(levels(1), "mask.png", {}, id="ones and zeros"),
        pytest.param(levels(65535, dtype="uint16"), "mask.tif", {}, id="16 bits"),
        pytest.param(levels(1, dtype="int32"), "mask.fits", {}, id="FITS"),
        pytest.param(coloured(NONE, NONE, levels(1)), "mask.png", {}, id="darkest blue"),
        pytest.param(coloured(levels(200), NONE, NONE), "mask.png", {}, id="red"),
        pytest.param(
            coloured(levels(255), NONE, NONE, np.full_like(NONE, 255)), "mask.png", {},
            id="red, all opaque",
        ),
        pytest.param(
            levels(0, 255, 255), "mask.png", {"values": (0,)}, id="black on white, said so"
        ),
        pytest.param(levels(1, 2), "mask.png", {"values": (1,)}, id="one of two labels"),
        pytest.param(levels(1, 255), "mask.png", {"values": (1,), "void": ()}, id="void of none"),
        pytest.param(levels(1, 255), "mask.png", {"void": (255,)}, id="a void label"),
        pytest.param(
            levels(1, 255), "mask.png", {"values": (1,), "void": (255,)}, id="a label and a void"
        ),
        pytest.param(
            coloured(levels(128), levels(0, 128), NONE), "mask.png", {"values": ((128, 0, 0),)},
            id="one of two colours",
        ),
        pytest.param(
            coloured(levels(1, 255), levels(1, 255), levels(1, 254)), "mask.png", {"values": (1,)},
            id="a grey level among colours",
        ),
        pytest.param(
            levels(7, dtype="uint16") + levels(0, dtype="uint16"), "mask.tif", {"above": 0},
            id="an instance's number",
        ),
        pytest.param(soft(), "mask.png", {"above": 127}, id="soft edges above the half"),
        pytest.param(fractions(), "mask.tif", {"above": 0.5}, id="scores above the half"),
        pytest.param(levels(255), "mask.jpg", {"above": 127}, id="JPEG above the half"),
        pytest.param(strokes(0), "mask.png", {"alpha": "marks"}, id="strokes on black"),
        pytest.param(strokes(255), "mask.png", {"alpha": "marks"}, id="strokes on white"),
        pytest.param(strokes(0), "mask.png", {"alpha": "ignore"}, id="transparency ignored"),
    ],
)  # fmt: skip
def test_the_scratch_of_a_mask_has_its_length(
    pixels: Array, name: str, meaning: dict[str, Any], tmp_path: Path
) -> None:
    drawing = read(write(tmp_path, pixels, name), **meaning)
    assert total_length(mask_scratches(drawing.mask)) == pytest.approx(LENGTH, rel=0.08)
    if name != "mask.jpg" and pixels.dtype != np.float32 and meaning != {"above": 127}:
        assert (drawing.mask == DRAWN).all()


def test_pixels_of_a_void_label_are_not_judged(tmp_path: Path) -> None:
    drawing = read(write(tmp_path, levels(1, 255)), void=(255,))
    wanted = np.zeros(SHAPE, bool)
    wanted[CORNER] = True
    assert (drawing.void == wanted).all()
    assert (drawing.mask == DRAWN).all()
    assert read(write(tmp_path, levels(1)), void=(255,)).void is None


def test_pixels_that_a_file_calls_undefined_are_no_marks(tmp_path: Path) -> None:
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, levels(0, 255), extratags=[(42113, 2, 0, "255", True)])
    with pytest.raises(MarksError, match=r"holds 1600 undefined pixels .*--mask-void"):
        read(path)
    void = read(path, void=(255,)).void
    assert void is not None
    assert void.sum() == 1600
    assert read(path, void=()).mask.sum() == 1600
    tifffile.imwrite(path, levels(1), extratags=[(42113, 2, 0, "0", True)])
    assert (read(path).mask == DRAWN).all()


@pytest.mark.parametrize(
    ("pixels", "name", "meaning", "problem"),
    [
        pytest.param(levels(1, 255), "m.png", {}, "2 levels (1, 255)", id="a label and a void"),
        pytest.param(levels(1, 2), "m.png", {}, "--mask-values", id="two labels"),
        pytest.param(
            levels(1, 2, 255), "m.png", {"void": (255,)}, "2 levels (1, 2)", id="labels on void"
        ),
        pytest.param(levels(1, 255), "m.png", {"values": (1,)}, "--mask-void 255", id="void?"),
        pytest.param(
            levels(1, 65535, dtype="uint16"), "m.tif", {"values": (1,)}, "--mask-void 65535",
            id="void of 16 bits?",
        ),
        pytest.param(
            levels(1, 255, dtype="uint16"), "m.tif", {"values": (1,)}, "--mask-void 255",
            id="void of 8 in 16 bits?",
        ),
        pytest.param(
            levels(1, -1, dtype="int16"), "m.fits", {"values": (1,)}, "--mask-void -1",
            id="void below zero?",
        ),
        pytest.param(
            levels(1, 2, dtype="uint16"), "m.tif", {}, "2 levels (1, 2)", id="numbers of instances"
        ),
        pytest.param(
            coloured(levels(255), levels(0, 255), NONE), "m.png", {}, "#00ff00, #ff0000",
            id="two colours",
        ),
        pytest.param(soft(), "m.png", {}, "--mask-above", id="soft edges"),
        pytest.param(levels(255), "m.jpg", {}, "is JPEG", id="JPEG"),
        pytest.param(levels(255), "m.jpg", {"values": (255,)}, "is JPEG", id="levels of JPEG"),
        pytest.param(NONE, "m.jpg", {}, "is JPEG", id="black JPEG"),
        pytest.param(levels(0, 0, 255), "m.png", {}, "of the pixels", id="black on white"),
        pytest.param(strokes(0), "m.png", {}, "--mask-alpha", id="strokes on black"),
        pytest.param(strokes(255), "m.png", {}, "--mask-alpha", id="strokes on white"),
        pytest.param(
            coloured(levels(255), NONE, NONE, NONE), "m.png", {}, "--mask-alpha",
            id="marks that are all transparent",
        ),
        pytest.param(
            levels(255), "m.png", {"alpha": "marks"}, "no transparency", id="no alpha to mark with"
        ),
        pytest.param(levels(255)[:300], "m.png", {}, f"is {SIDE}x300 pixels", id="another size"),
    ],
)  # fmt: skip
def test_masks_that_may_mean_several_things_are_refused(
    pixels: Array, name: str, meaning: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    path = write(tmp_path, pixels, name)
    with pytest.raises(MarksError) as caught:
        read(path, **meaning)
    assert str(caught.value).startswith(f"{path}: ")
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "pixels",
    [
        pytest.param(NONE, id="black"),
        pytest.param(coloured(NONE, NONE, NONE, NONE), id="black and transparent"),
        pytest.param(coloured(NONE, NONE, NONE, NONE + 255), id="black and opaque"),
    ],
)
def test_a_black_mask_marks_nothing(pixels: Array, tmp_path: Path) -> None:
    drawing = read(write(tmp_path, pixels))
    assert (drawing.scratched, drawing.remark) == (False, "black mask")


def test_masks_that_belong_together_mark_with_one_level(tmp_path: Path) -> None:
    reader = MaskReader()
    dust, scratch = write(tmp_path, levels(0, 2), "a.png"), write(tmp_path, levels(1), "b.png")
    reader.read(write(tmp_path, NONE, "c.png"), SHAPE)
    reader.read(dust, SHAPE)
    with pytest.raises(InputError, match=r"b\.png: mask: marks with 1, but .*a\.png with 2"):
        reader.read(scratch, SHAPE)
    labels = MaskReader(MaskMeaning(values=(1,)))
    assert not labels.read(dust, SHAPE).scratched
    assert labels.read(scratch, SHAPE).scratched
    labels.check_met()


@pytest.mark.parametrize(
    ("meaning", "problem"),
    [
        pytest.param({"values": (1, 3)}, "--mask-values: no mask holds 3", id="a label"),
        pytest.param(
            {"values": ((255, 0, 0),)}, "--mask-values: no mask holds #ff0000", id="a colour"
        ),
        pytest.param({"above": 127}, "--mask-above: no mask holds a level above 127", id="above"),
    ],
)
def test_levels_that_no_mask_holds_are_refused(
    meaning: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    reader = MaskReader(MaskMeaning(**meaning))
    reader.read(write(tmp_path, levels(1, 2)), SHAPE)
    with pytest.raises(InputError) as caught:
        reader.check_met()
    assert str(caught.value) == problem


def palette(folder: Path, numbers: Array, *colours: int) -> Path:
    """A PNG of numbers of colours: red, green and blue of each, one after the other."""
    image = Image.fromarray(numbers)
    image.putpalette(list(colours))
    path = folder / "palette.png"
    image.save(path)
    return path


VOC = (0, 0, 0, 128, 0, 0, *[9] * 759, 224, 224, 192)  # numbers 0, 1 and 255 as VOC shows them


def test_numbers_of_a_palette_are_levels(tmp_path: Path) -> None:
    assert (read(palette(tmp_path, levels(1), *VOC)).mask == DRAWN).all()
    path = palette(tmp_path, levels(1, 255), *VOC)
    with pytest.raises(MarksError, match=r"2 levels \(1, 255\)"):
        read(path)
    for scratch in (1, (128, 0, 0)):
        drawing = read(path, values=(scratch,), void=(255,))
        assert (drawing.mask == DRAWN).all()
        assert drawing.void is not None
        assert drawing.void[CORNER].all()
    assert (read(path, above=0, void=(255,)).mask == DRAWN).all()


@pytest.mark.parametrize(
    ("colours", "problem"),
    [
        pytest.param((0, 0, 0, 0, 0, 0), "its palette shows 1 as black", id="two blacks"),
        pytest.param((255, 255, 255, 255, 0, 0), "its palette shows 0 as another", id="on white"),
        pytest.param((255, 255, 255, 0, 0, 0), "its palette shows 0 as another", id="swapped"),
    ],
)
def test_palettes_whose_numbers_and_colours_disagree_are_refused(
    colours: tuple[int, ...], problem: str, tmp_path: Path
) -> None:
    path = palette(tmp_path, levels(1), *colours)
    with pytest.raises(MarksError, match=problem):
        read(path)
    assert (read(path, values=(1,)).mask == DRAWN).all()


def _lines(text: str) -> Callable[[Path], Path]:
    def written(folder: Path) -> Path:
        path = folder / "pairs.csv"
        path.write_bytes(text.encode())
        return path

    return written


@pytest.mark.parametrize(
    ("text", "image"),
    [
        pytest.param("a.png,m.png\n", "a.png", id="comma"),
        pytest.param("a.png;m.png\r\n\r\n", "a.png", id="semicolon of a German Excel"),
        pytest.param("a.png\tm.png\n", "a.png", id="tab"),
        pytest.param("\ufeffa.png,m.png", "a.png", id="byte-order mark"),
        pytest.param('"a, b.png" , m.png\n', "a, b.png", id="quoted comma"),
        pytest.param('"a;b.png";m.png\n', "a;b.png", id="quoted semicolon"),
        pytest.param("a, 1.png;m.png\n b.png;m.png", "a, 1.png", id="comma in one name of ;"),
        pytest.param(" my plate.png , m.png \n", "my plate.png", id="spaces"),
        pytest.param("sub\\a.png,m.png\n", "sub/a.png", id="backslash"),
        pytest.param("a.png,m.png\rb.png,m.png\r", "a.png", id="ends of lines of an old Mac"),
    ],
)
def test_lists_pair_images_with_masks(text: str, image: str, tmp_path: Path) -> None:
    pairs = masks_by_list(_lines(text)(tmp_path))
    path, marks = pairs[0]
    assert (path, marks.path) == (tmp_path / image, tmp_path / "m.png")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("a.png,m.png\nb.png\n", "line 2: wanted are an image and a mask", id="one"),
        pytest.param("a,b,c\n", "line 1: wanted are an image and a mask, found are 3", id="three"),
        pytest.param("a;b;c\n", "line 1: wanted are an image and a mask, found are 3", id="of ;"),
        pytest.param("a,1.png;m.png\n", "each comma and semicolon", id="two ways to divide"),
        pytest.param(
            '"a.png,m.png\n',
            "wanted are an image and a mask, found are 1",
            id="quote without an end",
        ),
        pytest.param("a.png,\n", "line 1: wanted are an image and a mask", id="no mask"),
    ],
)
def test_lists_that_are_none_are_refused(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        masks_by_list(_lines(text)(tmp_path))
    assert problem in str(caught.value)
