"""The one rule for orientation: levels are taken as they are stored, and only upright.

An image that is to be turned before it is shown could have its marks and its places meant
either way, before or after. It is refused, whatever its format and wherever that is said.
"""

import re
import struct
from pathlib import Path

from darkscan.drivers.images._tags import ORIENTATION
from darkscan.pipeline.core.errors import InputError

_UPRIGHT = (0, 1)  # 0 is what writers put who do not know
_BYTE_ORDERS = {b"II": "<", b"MM": ">"}
_HEADER, _ENTRY = 8, 12  # bytes of a TIFF's head, and of each of its tags
_CODES = {1: "B", 4: "I"}  # of types BYTE and LONG; all others are read as SHORT
_XMP = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*(\d+)""")


def require_upright(value: object, where: str, path: Path) -> None:
    """Raises InputError if an orientation, found ``where``, is not the upright one."""
    if value not in _UPRIGHT:
        problem = f"is to be turned or mirrored: {where} is {value}, not 1 (upright); save it "
        problem += "upright, e.g. with ImageMagick's -auto-orient, and mark it after that"
        raise InputError(problem, file=path)


def require_upright_exif(exif: bytes, path: Path) -> None:
    """The same for EXIF as JPEG and PNG hold it, which is a TIFF without an image."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = _BYTE_ORDERS.get(exif[:2])
    if order is None or len(exif) < _HEADER:
        return  # EXIF that says nothing says nothing of orientation
    start = int(struct.unpack_from(f"{order}I", exif, 4)[0]) + 2
    # Every tag that is there counts, however many of them there are said to be.
    for at in range(start, len(exif) - _ENTRY + 1, _ENTRY):
        tag, kind = struct.unpack_from(f"{order}HH", exif, at)
        if tag == ORIENTATION:
            (value,) = struct.unpack_from(order + _CODES.get(kind, "H"), exif, at + 8)
            require_upright(value, "Orientation (EXIF tag 274)", path)
            return


def require_upright_xmp(xmp: bytes, path: Path) -> None:
    """As ``require_upright``, of XMP, a text in XML that any format may hold."""
    found = _XMP.search(xmp)
    if found is not None:
        require_upright(int(found.group(1)), "tiff:Orientation (XMP)", path)
