"""The one rule for orientation: levels are taken as they are stored, and only upright.

An image that is to be turned before it is shown could have its marks and its places meant
either way, before or after. It is refused, whatever its format and wherever that is said.
"""

import io
import re
from pathlib import Path

from darkscan.pipeline.errors import InputError

_TAG = 274
_UPRIGHT = (0, 1)  # 0 is what writers put who do not know
_XMP = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*(\d+)""")


def require_upright(value: object, where: str, path: Path) -> None:
    """Raises InputError if an orientation, found ``where``, is not the upright one."""
    if value not in _UPRIGHT:
        problem = f"is to be turned or mirrored: {where} is {value}, not 1 (upright); save it "
        problem += "upright, e.g. with ImageMagick's -auto-orient, and mark it after that"
        raise InputError(problem, file=path)


def require_upright_exif(exif: bytes, path: Path) -> None:
    """The same for EXIF as JPEG and PNG hold it, which is a TIFF without an image."""
    from darkscan.drivers.images.tags import opened

    exif = exif.removeprefix(b"Exif\0\0")
    try:
        with opened(io.BytesIO(exif)) as tiff:
            value = tiff.pages.first.tags.valueof(_TAG, 1)
    except Exception:  # noqa: BLE001 - EXIF that says nothing says nothing of orientation
        return
    require_upright(value, "Orientation (EXIF tag 274)", path)


def require_upright_xmp(xmp: bytes, path: Path) -> None:
    """The same for XMP, a text in XML that any format may hold."""
    found = _XMP.search(xmp)
    if found is not None:
        require_upright(int(found.group(1)), "tiff:Orientation (XMP)", path)
