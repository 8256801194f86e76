"""Reads FITS images."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from darkscan.drivers.images._channels import Channels, Values, damaged, not_read, require_size
from darkscan.pipeline.core.errors import InputError

_SIGNATURE = b"SIMPLE  ="
_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
_SUFFIXES = tuple(
    f".{kind}{packed}" for kind in ("fits", "fit", "fts") for packed in ("", ".gz", ".bz2", ".xz")
)
_FLAT = 2
_MOSAICS = ("BAYERPAT", "COLORTYP")
_WRONG = 0  # what astropy says of a sum that is there, and is not the data's
_MOST_NAMED = 8


def is_fits(head: bytes, path: Path) -> bool:
    """Whether a file is FITS by its first bytes, or packed FITS by its name."""
    return head.startswith(_SIGNATURE) or (
        head.startswith(_PACKED) and path.name.lower().endswith(_SUFFIXES)
    )


def read_fits(path: Path, *, hdu: str | None = None) -> Channels:
    """Reads a two-dimensional image of a FITS file; its row 0 is the top row.

    The only image, or the one that ``hdu`` names: NAME, NAME,VERSION or its number. Axes of
    one pixel are dropped, levels are scaled as the header says (BZERO, BSCALE), and what is
    BLANK is undefined. Raises InputError if it is damaged, or ``hdu`` is needed or wrong.
    """
    try:
        with _opened(path, uint=True) as units:
            images = [_Image(number, unit) for number, unit in enumerate(units) if _is_image(unit)]
            image = _only(images, path) if hdu is None else _chosen(images, hdu, path)
            shape = _flat_shape(image, path)
            _require_no_mosaic(image, path)
            _require_sums(image, path)
            values, undefined = _values(image, path)
        native = values.astype(values.dtype.newbyteorder("="), copy=False)
        if undefined is not None:
            undefined = undefined.reshape(shape)
        return Channels(native.reshape(*shape, 1), lossy=image.lossy, undefined=undefined)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # whatever a parser stumbles over in a damaged file
        raise InputError(f"cannot be read as FITS: {error}", file=path) from error


@contextmanager
def _opened(path: Path, **options: bool) -> Iterator[Any]:
    """The units of a FITS file."""
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyWarning

    # Odd headers are common and harmless; lacking pixels raise. Told so for good: catching
    # warnings for a while would not go with the threads that read other tiles.
    warnings.filterwarnings("ignore", category=AstropyWarning)
    with path.open("rb") as file, fits.open(file, memmap=False, **options) as units:
        yield units


@dataclass(frozen=True)
class _Image:
    """An image among a file's units."""

    number: int
    unit: Any

    @property
    def labels(self) -> set[str]:
        """The names by which it may be chosen."""
        name = self.unit.name.upper().replace(" ", "")
        return {str(self.number), *((name, f"{name},{self.unit.ver}") if name else ())}

    @property
    def size(self) -> str:
        return "x".join(str(length) for length in reversed(self.unit.shape))

    @property
    def compressed(self) -> bool:
        return hasattr(self.unit, "compression_type")

    @property
    def lossy(self) -> bool:
        """Whether its compression may have changed values: floats were made steps of."""
        kind = getattr(self.unit, "compression_type", "")
        return kind == "HCOMPRESS_1" or (self.compressed and self.unit.header["BITPIX"] < 0)

    def __str__(self) -> str:
        name = f" ({self.unit.name},{self.unit.ver})" if self.unit.name else ""
        return f"{self.number}{name} of {self.size} pixels"


def _is_image(unit: Any) -> bool:
    """Whether a unit holds pixels in two dimensions or more."""
    return bool(unit.is_image and len(unit.shape) >= _FLAT and np.prod(unit.shape) > 0)


def _only(images: Sequence[_Image], path: Path) -> _Image:
    if not images:
        raise InputError("holds no two-dimensional image", file=path)
    if len(images) > 1:
        problem = f"holds {len(images)} images, wanted is one: {_listed(images)}; "
        raise InputError(problem + "--hdu NAME (or NAME,VERSION or number) chooses", file=path)
    return images[0]


def _chosen(images: Sequence[_Image], hdu: str, path: Path) -> _Image:
    wanted = hdu.upper().replace(" ", "")
    found = [image for image in images if wanted in image.labels]
    if len(found) != 1:
        count = f"{len(found)} images" if found else "no image"
        problem = f"{hdu!r} is {count} of this file, which holds {_listed(found or images)}"
        raise InputError(problem, file=path, field="--hdu")
    return found[0]


def _listed(images: Sequence[_Image]) -> str:
    named = [str(image) for image in images[:_MOST_NAMED]]
    return ", ".join([*named, "..."] if len(images) > _MOST_NAMED else named) or "none"


def _flat_shape(image: _Image, path: Path) -> tuple[int, int]:
    """Height and width without axes of one pixel. Raises InputError for cubes."""
    axes = image.unit.shape
    if len(axes) > _FLAT:
        axes = tuple(length for length in axes if length > 1)
    if len(axes) != _FLAT:
        raise InputError(f"holds no two-dimensional image: {image}", file=path)
    require_size(axes[1], axes[0], path)
    return axes[0], axes[1]


def _require_no_mosaic(image: _Image, path: Path) -> None:
    """Raises InputError for the raw pixels of a colour sensor: neighbours differ by colour."""
    for card in _MOSAICS:
        pattern = image.unit.header.get(card)
        if isinstance(pattern, str) and set(pattern.strip().upper()) >= set("RGB"):
            raise not_read(f"{card} is {pattern!r}, a sensor's mosaic of colours", path)


def _require_sums(image: _Image, path: Path) -> None:
    """Raises InputError if the file has check sums, and they are not those of its content."""
    # A compressed image's sums are those of the table that it lies in.
    with _opened(path, disable_image_compression=True) as units:
        unit = units[image.number]
        for name, verified in (
            ("DATASUM", unit.verify_datasum),
            ("CHECKSUM", unit.verify_checksum),
        ):
            if verified() == _WRONG:
                raise damaged(f"its {name} is not that of its content", path)


def _values(image: _Image, path: Path) -> tuple[Values, npt.NDArray[np.bool_] | None]:
    """The scaled values, and where integers have the value that the header calls BLANK."""
    header = image.unit.header
    blank = header.get("BLANK") if header["BITPIX"] > 0 else None
    if blank is None:
        return np.asarray(image.unit.data), None
    scaled = header.get("BSCALE", 1) != 1 or header.get("BZERO", 0) != 0
    with _opened(path, do_not_scale_image_data=True) as units:
        stored = np.asarray(units[image.number].data)
    undefined = np.asarray(stored == blank)
    # Of integers with BLANK astropy makes floats, if they need no scaling either.
    values = np.asarray(image.unit.data) if scaled else stored
    return values, undefined if undefined.any() else None
