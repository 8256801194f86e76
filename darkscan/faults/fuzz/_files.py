"""Recordings and images as targets: changed in their structure, and read to the last pixel."""

import io
import random
import struct
import zlib
from contextlib import suppress
from functools import cached_property
from typing import Any

import numpy as np

from darkscan.faults.fuzz._mutation import chance, changed_bytes
from darkscan.faults.fuzz._target import FalseReadingError, Target
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo

_SHAPE = (48, 64)
_FRAMES = 4
_PNG_HEAD = 8


class Recordings(Target):
    """Recordings with changed bytes, tables and attributes.

    What is read without a word has to be what was recorded, pixels and rows.
    """

    @cached_property
    def _metas(self) -> list[FrameMeta]:
        return [
            FrameMeta(
                frame=number,
                strip=number // 2,
                position_mm=(number % 2 * 0.6, number // 2 * 0.4, 0.5),
                exposure_ns=1_000_000 * (number + 1),
            )
            for number in range(_FRAMES)
        ]

    @cached_property
    def _pixels(self) -> dict[int, Pixels]:
        rng = np.random.default_rng(1)
        shape = (_FRAMES, *_SHAPE)
        return dict(enumerate(rng.integers(0, 255, shape, dtype=np.uint8)))

    @cached_property
    def _info(self) -> ScanInfo:
        return ScanInfo(
            element="optic 7",
            element_size_mm=(2.0, 2.0),
            region_mm=(0.0, 0.0, 1.2, 0.9),
            pitch_um=10.0,
            pixel_to_stage=PixelToStage.from_pitch(10.0),
            frame_shape=_SHAPE,
            pixel_type="uint8",
            bit_depth=8,
            frames_planned=_FRAMES,
        )

    def sound(self) -> list[bytes]:
        from darkscan.drivers.recording import RecordingWriter

        path = self.folder / "sound.h5"
        path.unlink(missing_ok=True)
        with RecordingWriter(path, self._info, self._metas) as writer:
            for meta in self._metas:
                writer.write(meta, self._pixels[meta.frame])
        return [path.read_bytes()]

    def draw(self, rng: random.Random) -> bytes:
        data = rng.choice(self.bases)
        return self._restructured(data, rng) if chance(rng, 0.4) else changed_bytes(data, rng)

    def read(self, data: bytes) -> None:
        from darkscan.drivers.recording import DamagedFrameError, Recording

        with Recording(self._file(data, ".h5")) as recording:
            checked = not recording.warnings
            out: Pixels = np.empty(recording.info.frame_shape, recording.info.dtype)
            if checked and recording.info != self._info:
                raise FalseReadingError("another scan was read, without a word")
            for index, meta in enumerate(recording.frames):
                if not meta.usable:
                    continue
                try:
                    recording.read_into(index, out)
                except DamagedFrameError:
                    continue
                if checked and meta not in self._metas:
                    raise FalseReadingError(f"a row that nobody wrote: {meta}")
                if checked and not np.array_equal(out, self._pixels[meta.frame]):
                    raise FalseReadingError(f"frame {meta.frame} has pixels that nobody took")

    def _restructured(self, data: bytes, rng: random.Random) -> bytes:
        import h5py

        path = self._file(data, ".new.h5")
        errors = (OSError, RuntimeError, ValueError, TypeError, KeyError)
        with suppress(*errors), h5py.File(path, "r+") as file:
            self._change(file, rng)
        return path.read_bytes()

    @staticmethod
    def _change(file: Any, rng: random.Random) -> None:
        import h5py

        names: list[str] = []
        file.visit(names.append)
        name = rng.choice(names)
        node = file[name]
        match rng.randrange(5):
            case 0:
                del file[name]
            case 1 if isinstance(node, h5py.Dataset) and node.size:
                place = rng.randrange(len(node))
                values = np.asarray(node[place])
                node[place] = np.frombuffer(rng.randbytes(values.nbytes), values.dtype).reshape(
                    values.shape
                )
            case 2 if isinstance(node, h5py.Dataset):
                rows, dtype = rng.choice((0, 1, 10**8)), rng.choice(("i1", "f8", "S4", node.dtype))
                shape = (rows, *node.shape[1:])
                del file[name]
                file.create_dataset(name, shape, dtype)
            case 3 if node.attrs:
                attribute = rng.choice(list(node.attrs))
                node.attrs[attribute] = rng.choice((0, -1, 2**62, 0.5, "x", [1, 2, 3]))
            case _:
                file.move(name, "elsewhere")
                file[name] = h5py.SoftLink("/elsewhere")


class Images(Target):
    """PNG, TIFF, JPEG and FITS images; those of PNG with their checksums made right again."""

    def sound(self) -> list[bytes]:
        import imagecodecs
        import simplejpeg
        import tifffile
        from astropy.io import fits

        picture = np.arange(48 * 64, dtype=np.uint16).reshape(_SHAPE)
        small = (picture % 256).astype(np.uint8)
        tiff, packed, fit = io.BytesIO(), io.BytesIO(), io.BytesIO()
        tifffile.imwrite(tiff, picture)
        tifffile.imwrite(packed, picture, compression="zlib", tile=(16, 16))
        fits.PrimaryHDU(picture.astype(np.int16)).writeto(fit)
        return [
            bytes(imagecodecs.png_encode(small)),
            bytes(imagecodecs.png_encode(picture)),
            bytes(
                simplejpeg.encode_jpeg(np.ascontiguousarray(small[..., None]), colorspace="GRAY")
            ),
            *(stream.getvalue() for stream in (tiff, packed, fit)),
        ]

    def draw(self, rng: random.Random) -> bytes:
        data = super().draw(rng)
        return _with_right_checksums(data) if chance(rng, 0.7) else data

    def read(self, data: bytes) -> None:
        from darkscan.drivers.images import read_picture

        read_picture(self._file(data, ".image"))


def _with_right_checksums(data: bytes) -> bytes:
    """A PNG whose chunks carry the checksums of what they hold; other files as they are."""
    if not data.startswith(b"\x89PNG"):
        return data
    right, place = bytearray(data), _PNG_HEAD
    while place + 12 <= len(right):
        (length,) = struct.unpack_from(">I", right, place)
        end = place + 8 + length
        if end + 4 > len(right):
            break
        struct.pack_into(">I", right, end, zlib.crc32(right[place + 4 : end]))
        place = end + 4
    return bytes(right)
