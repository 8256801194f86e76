"""Packed grey levels come out as they went in, in whatever view they are asked for."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkscan.drivers.camera.unpacking import LAYOUTS, unpack
from darkscan.drivers.rig import BIT_DEPTHS, PixelFormat

Levels = npt.NDArray[np.uint16]
FORMATS = list(LAYOUTS)
PACKED: tuple[PixelFormat, ...] = ("Mono10p", "Mono12p", "Mono12Packed")


def pack(levels: Levels, pixel_format: PixelFormat) -> npt.NDArray[np.uint8]:
    """Rows of bytes, made bit by bit, as the PFNC draws them."""
    rows = [_packed_row(row.tolist(), pixel_format) for row in levels]
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(levels), -1)


def _packed_row(row: list[int], pixel_format: PixelFormat) -> bytes:
    if pixel_format == "Mono12Packed":
        pairs = zip(row[::2], row[1::2], strict=True)
        return b"".join(bytes((a >> 4, a & 15 | (b & 15) << 4, b >> 4)) for a, b in pairs)
    bits = {"Mono8": 8, "Mono10p": 10, "Mono12p": 12}.get(pixel_format, 16)
    stream = sum(level << bits * place for place, level in enumerate(row))
    return stream.to_bytes(len(row) * bits // 8, "little")


def random_levels(pixel_format: PixelFormat, shape: tuple[int, int] = (7, 24)) -> Levels:
    top = 2 ** BIT_DEPTHS[pixel_format]
    return np.random.default_rng(1).integers(0, top, shape).astype(np.uint16)


def empty_like(levels: Levels, pixel_format: PixelFormat) -> npt.NDArray[np.uint8] | Levels:
    return np.empty(levels.shape, np.uint8 if pixel_format == "Mono8" else np.uint16)


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize("copies", [(1, 1), (60, 40)], ids=["small", "in several steps"])
def test_unpacks_what_was_packed(pixel_format: PixelFormat, copies: tuple[int, int]) -> None:
    levels = np.tile(random_levels(pixel_format), copies)
    out = empty_like(levels, pixel_format)
    unpack(LAYOUTS[pixel_format], pack(levels, pixel_format), out)
    np.testing.assert_array_equal(out, levels)


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_a_row_takes_the_bytes_that_its_layout_says(pixel_format: PixelFormat) -> None:
    packed = pack(random_levels(pixel_format), pixel_format)
    assert packed.shape[1] == LAYOUTS[pixel_format].row_bytes(24)


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_rows_with_padding_are_unpacked_upside_down_into_part_of_a_frame(
    pixel_format: PixelFormat,
) -> None:
    levels = random_levels(pixel_format)
    padded = np.pad(pack(levels, pixel_format), ((0, 0), (0, 5)), constant_values=255)
    frame = np.zeros((20, 24), empty_like(levels, pixel_format).dtype)
    rows = padded[:, :-5]
    unpack(LAYOUTS[pixel_format], rows, frame[3:10][::-1])
    np.testing.assert_array_equal(frame[3:10], levels[::-1])
    assert not frame[:3].any()
    assert not frame[10:].any()


@given(levels=st.lists(st.integers(0, 1023), min_size=4, max_size=4), groups=st.integers(1, 3))
def test_any_grey_levels_survive_any_packing(levels: list[int], groups: int) -> None:
    row = np.array([levels * groups], np.uint16)
    for pixel_format in PACKED:
        for scale in (1, 2 ** (BIT_DEPTHS[pixel_format] - 10)):
            out = np.empty_like(row)
            unpack(LAYOUTS[pixel_format], pack(row * scale, pixel_format), out)
            np.testing.assert_array_equal(out, row * scale)
