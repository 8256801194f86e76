"""Several images read at once: the same pictures, in order, and the same complaints."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from darkscan.drivers.images._picture import read_picture, read_pictures
from darkscan.pipeline.core.errors import InputError
from tests.images.samples import noise, write_image


def several(folder: Path, count: int, ending: str = "png") -> list[Path]:
    return [
        write_image(folder / f"{n}.{ending}", noise(64, 64 + n, 200, "uint8")) for n in range(count)
    ]


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_pictures_come_in_the_order_of_their_files(tmp_path: Path, count: int) -> None:
    paths = several(tmp_path, count)
    for path, picture in itertools.zip_longest(paths, read_pictures(paths)):
        np.testing.assert_array_equal(picture.levels, read_picture(path).levels)


@pytest.mark.parametrize("bad", range(5))
def test_the_damaged_one_is_named(tmp_path: Path, bad: int) -> None:
    paths = several(tmp_path, 5, "jpg")
    whole = paths[bad].read_bytes()
    paths[bad].write_bytes(whole[: len(whole) // 2])
    pictures = read_pictures(paths)
    for _ in range(bad):
        next(pictures)
    with pytest.raises(InputError, match=rf"{bad}\.jpg: is damaged"):
        next(pictures)
