"""JPEG of 8 bits, grey or colour, is read; no complaint of the decoder is overheard."""

import io
import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from darkscan.drivers.images import read_channels, read_picture
from darkscan.pipeline.errors import InputError
from tests.images.files import by_pillow, smooth, smooth_colours

GREY = by_pillow(smooth(), "JPEG", quality=95)
COLOUR = by_pillow(smooth_colours(), "JPEG", quality=95)
PROGRESSIVE = by_pillow(smooth_colours(), "JPEG", progressive=True)
START, FRAME, SCAN = b"\xff\xd8", GREY.index(b"\xff\xc0"), GREY.index(b"\xff\xda")


def by_libjpeg(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image)


@pytest.mark.parametrize(
    "content",
    [
        GREY,
        COLOUR,
        PROGRESSIVE,
        by_pillow(smooth_colours(), "JPEG", keep_rgb=True),
        by_pillow(smooth_colours(), "JPEG", subsampling=2, restart_marker_rows=1),
        GREY + b"behind the end",
        GREY[:SCAN] + b"\xff\xff" + GREY[SCAN:],
        GREY[:FRAME] + b"\x01\x02\x03" + GREY[FRAME:],
        GREY[:SCAN] + b"\x00\xff\x00\x07" + GREY[SCAN:],
    ],
    ids=[
        "grey",
        "YCbCr",
        "progressive",
        "RGB",
        "subsampled, with restarts",
        "bytes behind the end",
        "fill bytes",
        "bytes between segments",
        "bytes before the scan",
    ],
)
def test_pixels_are_those_of_libjpeg(
    tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    channels = read_channels(tmp_path / "a.jpg")
    np.testing.assert_array_equal(np.squeeze(channels.values), by_libjpeg(content))
    assert channels.lossy
    picture = read_picture(tmp_path / "a.jpg")
    assert (picture.pixel_type, picture.lossy) == ("uint8", True)
    assert capfd.readouterr().err == ""


def overwritten(content: bytes, at: int, by: bytes) -> bytes:
    return content[:at] + by + content[at + len(by) :]


@pytest.mark.parametrize(
    "content",
    [
        GREY[: len(GREY) // 2],
        GREY[:-40],
        GREY[:-2],
        GREY[:3],
        PROGRESSIVE[: len(PROGRESSIVE) * 3 // 4],
        overwritten(GREY, SCAN + 60, bytes(range(30))),
        overwritten(GREY, SCAN + 60, b"\xff\xd9"),
        GREY[: SCAN + 60] + GREY[SCAN + 120 :],
        GREY[:FRAME] + GREY[SCAN:],
        overwritten(GREY, FRAME + 5, b"\0\0"),
    ],
    ids=[
        "half",
        "the last bytes",
        "the end's marker",
        "all but the start",
        "a scan",
        "pixels overwritten",
        "an end too early",
        "pixels left out",
        "the frame's header",
        "no height",
    ],
)
def test_damage_is_refused_silently(
    tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(InputError, match="is damaged: "):
        read_picture(tmp_path / "a.jpg")
    assert capfd.readouterr().err == ""


def with_frame(marker: int) -> bytes:
    return overwritten(GREY, FRAME + 1, bytes([marker]))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (imagecodecs.jpeg_encode(smooth().astype("u2"), bitspersample=12), "a JPEG of 12 bits"),
        (imagecodecs.ljpeg_encode(smooth().astype("u2"), bitspersample=12), "lossless JPEG"),
        (imagecodecs.jpegls_encode(smooth()), "JPEG-LS"),
        (with_frame(0xC9), "FFC9 says arithmetic JPEG"),
        (with_frame(0xC5), "FFC5 says differential"),
        (by_pillow(smooth_colours(), "JPEG", "CMYK"), "a JPEG of CMYK"),
    ],
    ids=["12 bits", "lossless", "JPEG-LS", "arithmetic", "hierarchical", "CMYK"],
)
def test_other_kinds_are_refused_by_name(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(InputError, match=f"is not read: .*{what}.*convert it to a PNG"):
        read_picture(tmp_path / "a.jpg")


def listing(*kinds: int) -> bytes:
    """A JPEG that lists pictures of these kinds, the first of them itself."""
    entries = b"".join(struct.pack("<IIIHH", kind, 100, 0, 0, 0) for kind in kinds)
    listed = b"II*\0" + struct.pack("<IH", 8, 1)
    listed += struct.pack("<HHII", 0xB002, 7, len(entries), 26) + bytes(4) + entries
    body = b"MPF\0" + listed
    return START + b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body + GREY[2:]


def test_several_pictures_are_refused_and_previews_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    more = [Image.fromarray(smooth_colours())]
    path.write_bytes(by_pillow(smooth_colours(), "MPO", save_all=True, append_images=more))
    with pytest.raises(InputError, match="holds 2 pictures, wanted is one image a file"):
        read_picture(path)
    path.write_bytes(listing(0x030000, 0x020002))
    with pytest.raises(InputError, match="holds 2 pictures"):
        read_picture(path)
    path.write_bytes(listing(0x030000, 0x010001))
    np.testing.assert_array_equal(read_picture(path).levels, by_libjpeg(GREY))
    path.write_bytes(START + b"\xff\xe2\x00\x0aMPF\0junk" + GREY[2:])
    with pytest.raises(InputError, match="its list of pictures cannot be read"):
        read_picture(path)
