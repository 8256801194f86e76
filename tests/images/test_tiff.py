"""TIFF is read as tifffile reads it where its tags are known, and refused by tag elsewhere."""

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from darkscan.drivers.images import Mosaic, read_channels, read_picture
from darkscan.pipeline.core.errors import InputError
from tests.images.files import (
    Pixels,
    Tags,
    by_pillow,
    packed,
    smooth,
    smooth_colours,
    tags_of,
    tiff,
)
from tests.images.samples import noise

HEIGHT, WIDTH = 40, 56
Write = Callable[[Path], object]


def grey(dtype: str, top: int = 200) -> Any:
    return noise(HEIGHT, WIDTH, top, dtype)


def bands(count: int, dtype: str = "uint8") -> Any:
    return np.stack([noise(HEIGHT, WIDTH, 200 + n, dtype) for n in range(count)], axis=2)


def with_alpha(pixels: Any, alpha: int) -> Any:
    return np.concatenate([pixels, np.full((HEIGHT, WIDTH, 1), alpha, pixels.dtype)], axis=2)


def written(pixels: Any, **options: Any) -> Write:
    options.setdefault("photometric", "minisblack")
    return lambda path: tifffile.imwrite(path, pixels, **options)


def content(data: bytes) -> Write:
    return lambda path: path.write_bytes(data)


KINDS: dict[str, Write] = {
    **{f"{t}": written(grey(t, 120)) for t in ("uint8", "int8", "uint16", "int16", "uint32")},
    **{f"{t}": written(grey(t)) for t in ("int32", "float16", "float32", "float64")},
    **{
        f"{compression}, {t}": written(grey(t), compression=compression)
        for compression in ("lzw", "packbits", "deflate", "adobe_deflate", "lzma", "zstd")
        for t in ("uint8", "uint16", "float32")
    },
    **{
        f"predictor {number} of {t}": written(
            grey(t), compression="deflate", predictor=number, byteorder=order
        )
        for number, t, order in (
            (2, "uint8", "<"),
            (2, "uint16", "<"),
            (2, "uint16", ">"),
            (2, "uint32", "<"),
            (3, "float16", "<"),
            (3, "float32", ">"),
        )
    },
    **{
        f"{bits} bits, {order}": content(
            tiff(tags_of(levels, bits), packed(levels, bits), order=order)
        )
        for order in "<>"
        for bits in (1, 2, 4, 10, 12, 14)
        for levels in (noise(HEIGHT, WIDTH + 3, 2**bits - 1).astype(np.uint16),)
    },
    "strips": written(grey("uint16", 60000), rowsperstrip=7),
    "packed strips": content(
        tiff(
            {**tags_of(grey("uint16"), 12), 278: (32,)},
            packed(grey("uint16")[:32], 12),
            packed(grey("uint16")[32:], 12),
        )
    ),
    "tiles": written(grey("uint16"), tile=(16, 32)),
    "compressed tiles": written(grey("uint16"), tile=(16, 32), compression="lzw", predictor=2),
    "big-endian": written(grey("uint16", 60000), byteorder=">"),
    "BigTIFF": written(grey("uint16"), bigtiff=True),
    "big-endian BigTIFF": written(grey("uint16"), bigtiff=True, byteorder=">"),
    "no byte counts": content(
        tiff({**tags_of(grey("uint8"), 8), 279: ()}, grey("uint8").tobytes())
    ),
    "RGB": written(bands(3), photometric="rgb"),
    "RGB of 16 bits, compressed": written(
        bands(3, "uint16") * 256, photometric="rgb", compression="lzw", predictor=2
    ),
    "RGB in planes": written(
        np.moveaxis(bands(3, "uint16"), 2, 0), photometric="rgb", planarconfig="separate"
    ),
    "RGB in planes of 8 bits": written(
        np.moveaxis(bands(3), 2, 0), photometric="rgb", planarconfig="separate", compression="lzw"
    ),
    "RGB with opaque alpha": written(
        with_alpha(bands(3), 255), photometric="rgb", extrasamples=["unassalpha"]
    ),
    "RGB with associated alpha": written(
        with_alpha(bands(3, "uint16"), 65535), photometric="rgb", extrasamples=["assocalpha"]
    ),
    "grey of 16 bits with alpha": written(
        with_alpha(bands(1, "uint16") * 20, 65535),
        planarconfig="contig",
        extrasamples=["unassalpha"],
    ),
    "JPEG": written(smooth(), compression="jpeg"),
    "JPEG in tiles": written(smooth(), compression="jpeg", tile=(16, 16)),
    "JPEG, YCbCr": written(smooth_colours(), photometric="ycbcr", compression="jpeg"),
    "JPEG, YCbCr subsampled": written(
        smooth_colours(), photometric="ycbcr", compression="jpeg", subsampling=(2, 2)
    ),
    "JPEG, RGB": written(smooth_colours(), photometric="rgb", compression="jpeg"),
    "ImageJ": written(grey("uint16"), photometric=None, imagej=True),
    "OME": written(grey("uint16"), ome=True),
    "SMinSampleValue": written(grey("uint16"), extratags=[(340, 3, 1, 9, True)]),
    "GDAL_NODATA that no pixel has": written(grey("uint8"), extratags=[(42113, 2, 0, "-9", True)]),
}


@pytest.mark.parametrize("write", KINDS.values(), ids=KINDS.keys())
def test_levels_are_those_of_tifffile(tmp_path: Path, write: Write) -> None:
    path = tmp_path / "a.tif"
    write(path)
    expected = tifffile.imread(path)
    if expected.ndim == 3 and expected.shape[0] == 3:
        expected = np.moveaxis(expected, 0, 2)
    values = read_channels(path).values
    np.testing.assert_array_equal(np.squeeze(values), expected)
    picture = read_picture(path)
    if picture.colour:
        expected = cv2.cvtColor(np.ascontiguousarray(expected[..., :3]), cv2.COLOR_RGB2GRAY)
    elif expected.ndim == 3:
        expected = expected[..., 0]
    np.testing.assert_array_equal(picture.levels, expected)
    assert picture.levels.dtype.isnative


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_packed_levels_are_their_own_and_so_is_their_depth(
    tmp_path: Path, bits: int, order: str
) -> None:
    levels = noise(30, 41, 500).astype(np.uint16)
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(tags_of(levels, bits), packed(levels, bits), order=order))
    mosaic = Mosaic([path])
    out = np.empty((30, 41), np.uint16)
    mosaic.read_into(0, 0, out)
    np.testing.assert_array_equal(out, levels)
    assert (mosaic.bit_depth, mosaic.highest) == (bits, 500)


@pytest.mark.parametrize("colours", [False, True], ids=["grey", "colour"])
def test_libtiff_reads_jpeg_within_tiff_alike(tmp_path: Path, colours: bool) -> None:
    pixels = smooth_colours() if colours else smooth()
    (tmp_path / "a.tif").write_bytes(by_pillow(pixels, "TIFF", compression="jpeg"))
    values = read_channels(tmp_path / "a.tif").values
    with Image.open(tmp_path / "a.tif") as image:
        assert np.abs(np.squeeze(values).astype(int) - np.asarray(image)).max() <= 3
    assert np.abs(np.squeeze(values).astype(int) - pixels).max() <= 24


@pytest.mark.parametrize(
    ("name", "lossy"), [("JPEG", True), ("lzw, uint8", False), ("uint8", False)]
)
def test_lossy_compression_is_told(tmp_path: Path, name: str, lossy: bool) -> None:
    KINDS[name](tmp_path / "a.tif")
    assert read_picture(tmp_path / "a.tif").lossy is lossy


def tagged(tags: Tags, pixels: Pixels | None = None) -> bytes:
    """A TIFF of 8 bits whose tags say something else."""
    levels = grey("uint8") if pixels is None else pixels
    return tiff({**tags_of(levels, 8), **tags}, levels.tobytes())


def pages(*pictures: Any, **options: Any) -> Write:
    def write(path: Path) -> None:
        with tifffile.TiffWriter(path) as file:
            for picture, kind in pictures:
                file.write(
                    picture, subfiletype=kind, photometric="minisblack", metadata=None, **options
                )

    return write


REFUSED: dict[str, tuple[Write, str]] = {
    "white is 0, 16 bits": (
        written(grey("uint16"), photometric="miniswhite"),
        r"PhotometricInterpretation \(tag 262\) is 0 \(MINISWHITE\)",
    ),
    "white is 0, 8 bits": (content(tagged({262: (0,)})), r"tag 262\) is 0 \(MINISWHITE\)"),
    "white is 0, 1 bit": (written(grey("bool"), photometric=None), r"0 \(MINISWHITE\)"),
    "palette": (
        written(grey("uint8"), photometric="palette", colormap=np.zeros((3, 256), np.uint16)),
        r"tag 262\) is 3 \(PALETTE\)",
    ),
    "no photometric": (
        content(
            tiff(
                {k: v for k, v in tags_of(grey("uint8"), 8).items() if k != 262},
                grey("uint8").tobytes(),
            )
        ),
        r"tag 262\) is missing",
    ),
    "CMYK of 16 bits": (
        written(bands(4, "uint16"), photometric="separated"),
        r"tag 262\) is 5 \(SEPARATED\)",
    ),
    "CIELab": (written(bands(3), photometric="cielab"), r"tag 262\) is 8 \(CIELAB\)"),
    "sensor mosaic": (written(grey("uint16"), photometric="cfa"), r"tag 262\) is 32803 \(CFA\)"),
    "YCbCr, not compressed": (
        content(
            tagged({262: (6,), 277: (3,), 530: (1, 1), 258: (8, 8, 8)}, np.zeros((6, 6, 3), "u1"))
        ),
        r"tag 262\) is 6 \(YCBCR\) without JPEG",
    ),
    "five bands": (written(bands(5), planarconfig="contig"), r"SamplesPerPixel \(tag 277\) is 5"),
    "two bands": (written(bands(2), planarconfig="contig"), r"ExtraSamples \(tag 338\) is 0"),
    "RGB and something": (
        written(bands(4), photometric="rgb", extrasamples=["unspecified"]),
        r"ExtraSamples \(tag 338\) is 0 \(UNSPECIFIED\)",
    ),
    "RGB of floats": (written(bands(3, "float32"), photometric="rgb"), r"tag 258\) is 32 with"),
    "complex": (written(grey("complex64")), r"SampleFormat \(tag 339\) is 6"),
    "integers of 64 bits": (written(grey("uint64")), r"BitsPerSample \(tag 258\) is 64"),
    "9 bits": (written(grey("uint16"), bitspersample=9), r"BitsPerSample \(tag 258\) is 9"),
    "12 bits that are said to be packed and are not": (
        content(tiff(tags_of(grey("uint16"), 12), grey("uint16").tobytes())),
        r"BitsPerSample \(tag 258\) is 12, but strips of 4480 bytes do not hold packed",
    ),
    "12 bits, compressed": (
        content(tiff({**tags_of(grey("uint16"), 12), 259: (8,)}, b"x")),
        r"tag 258\) is 12 with Compression 8",
    ),
    "channels of different depth": (
        content(
            tagged({262: (2,), 277: (3,), 258: (5, 6, 5)}, np.zeros((6, 6), np.dtype("uint16")))
        ),
        r"BitsPerSample \(tag 258\) is 5, 6, 5",
    ),
    "12-bit JPEG": (
        written(grey("uint16", 4000), compression="jpeg", bitspersample=12),
        r"tag 258\) is 12 with JPEG",
    ),
    "JPEG of two channels": (
        content(by_pillow(smooth(), "TIFF", "LA", compression="jpeg")),
        r"SamplesPerPixel \(tag 277\) is 2 with JPEG",
    ),
    "a tile that is left out": (
        content(tagged({273: (0,), 279: (0,)})),
        r"1 of its 1 strips are left out \(offset and byte count 0\)",
    ),
    "half of its bytes": (
        content(tagged({257: (HEIGHT // 2,)})),
        r"StripByteCounts \(tag 279\) is 2240, but its tags describe 1120",
    ),
    "low bits first": (content(tagged({266: (2,)})), r"FillOrder \(tag 266\) is 2"),
    "a volume": (
        written(np.zeros((5, 16, 16), "u1"), volumetric=True),
        r"ImageDepth \(tag 32997\) is 5",
    ),
    "odd planes": (content(tagged({284: (3,)})), r"PlanarConfiguration \(tag 284\) is 3"),
    "predictor of floats for integers": (
        content(tagged({317: (3,), 259: (8,)})),
        r"Predictor \(tag 317\) is 3 \(FLOATINGPOINT\) with SampleFormat",
    ),
    **{
        f"compressed with {name}": (
            content(tagged({259: (number,)})),
            rf"Compression \(tag 259\) is {number}.*{name}.*; convert it",
        )
        for name, number in {
            "WEBP": 50001,
            "JPEG2000": 34712,
            "LERC": 34887,
            "CCITTFAX4": 4,
            "OJPEG": 6,
            "JPEGXL": 50002,
            "": 12345,
        }.items()
    },
    "pages": (pages((grey("uint8"), 0), (grey("uint8"), 0)), "holds 2 pages, wanted is one"),
    "a preview alone": (pages((grey("uint8"), 1)), r"NewSubfileType \(tag 254\) says"),
    "ImageJ stack": (
        written(np.zeros((5, 40, 56), "u2"), photometric=None, imagej=True),
        "holds 5 pages",
    ),
    "ImageJ stack of which one page is left": (
        written(
            grey("uint16"),
            description="ImageJ=1.53\nimages=3\nslices=3\n",
            metadata=None,
            software=False,
        ),
        "holds a stack of 3 images",
    ),
    "a pixel without data": (
        written(grey("uint8"), extratags=[(42113, 2, 0, "0", True)]),
        "undefined pixels",
    ),
    "GDAL_NODATA that is no number": (
        written(grey("uint8"), extratags=[(42113, 2, 0, "none", True)]),
        r"GDAL_NODATA \(tag 42113\) is 'none'",
    ),
    "alpha that varies": (
        written(
            np.concatenate([bands(1), bands(2)[..., 1:]], axis=2),
            planarconfig="contig",
            extrasamples=["unassalpha"],
        ),
        "alpha channel with more than one value",
    ),
    "too large": (content(tagged({256: (60000,), 257: (60000,)})), "60000x60000 pixels, which"),
    "no pixels": (content(tagged({256: (0,)})), "is damaged"),
}


@pytest.mark.parametrize(("write", "problem"), REFUSED.values(), ids=REFUSED.keys())
def test_other_kinds_are_refused_by_tag_and_value(
    tmp_path: Path, write: Write, problem: str, capfd: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "a.tif")
    with pytest.raises(InputError, match=problem) as caught:
        read_picture(tmp_path / "a.tif")
    assert "\n" not in str(caught.value)
    assert "damaged" not in str(caught.value) or "damaged" in problem
    assert capfd.readouterr().err == ""


def one_strip_of(count: int) -> bytes:
    levels = grey("uint8")
    return tiff({**tags_of(levels, 8), 279: (count,)}, levels.tobytes())


def cut(write: Write, share: float) -> Write:
    def shorten(path: Path) -> None:
        write(path)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])

    return shorten


def changed(write: Write, at: int, size: int) -> Write:
    """The same with some of its last bytes, pixels all, overwritten."""

    def overwrite(path: Path) -> None:
        write(path)
        whole = bytearray(path.read_bytes())
        whole[-at : -at + size] = bytes(range(7, 7 + size))
        path.write_bytes(whole)

    return overwrite


DAMAGED: dict[str, Write] = {
    "half": cut(KINDS["strips"], 0.5),
    "half, compressed": cut(KINDS["lzw, uint16"], 0.5),
    "the last bytes": cut(KINDS["12 bits, <"], 0.98),
    "a strip without bytes": content(one_strip_of(0)),
    "a strip too short": content(one_strip_of(HEIGHT * WIDTH - 1)),
    "a strip beyond the end": content(tagged({273: (10**6,)})),
    "too few strips": content(tagged({278: (10,)})),
    "deflate": changed(KINDS["deflate, uint8"], 900, 40),
    "JPEG": changed(written(grey("uint8"), compression="jpeg"), 900, 40),
    "a next page beyond the end": content(
        tiff(tags_of(grey("uint8"), 8), grey("uint8").tobytes(), next_page=10**6)
    ),
    "the head alone": content(b"II*\0\x08\0\0\0"),
}


@pytest.mark.parametrize("write", DAMAGED.values(), ids=DAMAGED.keys())
def test_missing_pixels_are_damage(
    tmp_path: Path, write: Write, capfd: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "a.tif")
    with pytest.raises(InputError, match="is damaged: ") as caught:
        read_picture(tmp_path / "a.tif")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("first", [0, 1], ids=["after it", "before it"])
def test_smaller_copies_beside_the_image_are_passed_over(tmp_path: Path, first: int) -> None:
    image, preview = grey("uint16"), grey("uint16")[::2, ::2]
    both = [(image, 0), (preview, 1)]
    pages(*(reversed(both) if first else both))(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif").levels, image)


@pytest.mark.parametrize("kind", [1, 0], ids=["smaller copies", "further images"])
def test_pages_below_the_page_may_be_smaller_copies_alone(tmp_path: Path, kind: int) -> None:
    path, image = tmp_path / "a.tif", grey("uint16")
    with tifffile.TiffWriter(path) as file:
        file.write(image, subifds=1, photometric="minisblack", metadata=None)
        file.write(image[::2, ::2], subfiletype=kind, photometric="minisblack", metadata=None)
    if kind:
        np.testing.assert_array_equal(read_picture(path).levels, image)
        return
    with pytest.raises(InputError, match=r"SubIFDs \(tag 330\) hold further images"):
        read_picture(path)


def test_undefined_pixels_are_shown_as_the_median_when_stretched(tmp_path: Path) -> None:
    levels = grey("uint16") + 100
    levels[3, 4:7] = 7
    tifffile.imwrite(tmp_path / "a.tif", levels, extratags=[(42113, 2, 0, "7", True)])
    picture = read_picture(tmp_path / "a.tif", stretch=True)
    assert "3 that are not finite" in picture.stretched
    assert abs(int(picture.levels[3, 5]) - float(np.median(picture.levels))) <= 1
    with pytest.raises(InputError, match=r"a\.tif: holds 3 undefined pixels"):
        read_picture(tmp_path / "a.tif")


def test_a_stack_that_one_page_describes_is_refused(tmp_path: Path) -> None:
    stack = np.zeros((4, HEIGHT, WIDTH), np.uint16)
    content = io.BytesIO()
    tifffile.imwrite(content, stack, imagej=True)
    with tifffile.TiffFile(io.BytesIO(content.getvalue())) as whole:
        first = whole.pages.first
        place = first.offset + 2 + 12 * len(first.tags)
    data = bytearray(content.getvalue())
    data[place : place + 4] = bytes(4)  # no further page: as ImageJ does it beyond 4 GB
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(InputError, match="holds a stack of 4x40x56"):
        read_picture(tmp_path / "a.tif")


def test_a_stack_of_metamorph_is_refused(tmp_path: Path) -> None:
    levels = grey("uint16")
    # Its own tags, of which tifffile writes none: one value for each plane.
    own, stand_in = (struct.pack("<HHI", tag, 5, 3) for tag in (33629, 65001))
    content = io.BytesIO()
    tifffile.imwrite(content, levels, metadata=None, extratags=[(65001, 5, 3, [0, 1] * 3, True)])
    whole = content.getvalue().replace(stand_in, own) + 2 * levels.tobytes()
    (tmp_path / "a.stk").write_bytes(whole)
    with pytest.raises(InputError, match="holds a stack of 3 images"):
        read_picture(tmp_path / "a.stk")
