"""The picture that a labelme file holds, to be held against the image that it names."""

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from darkscan.drivers.images import Picture, read_picture
from darkscan.network.datasets.marks import MarksError, require_size
from darkscan.pipeline.errors import InputError

_FIELD = "imageData"


@dataclass(frozen=True)
class EmbeddedPicture:
    """What must be the same in the image: (height, width), and its levels if none were lost.

    ``levels`` is a hash of levels and type, "" after lossy compression.
    """

    shape: tuple[int, int]
    pixel_type: str
    levels: str

    @classmethod
    def read(cls, text: str, file: Path) -> Self:
        """Decodes ``imageData``. Raises MarksError naming ``file`` if it is no picture."""
        try:
            data = base64.b64decode(text, validate=False)
        except (binascii.Error, ValueError) as error:
            raise MarksError("is damaged: not base64", file=file, field=_FIELD) from error
        # The reader of images wants a file: this one lies in memory.
        descriptor = os.memfd_create(_FIELD)
        with os.fdopen(descriptor, "wb") as content:
            content.write(data)
            content.flush()
            try:
                picture = read_picture(Path(f"/proc/self/fd/{descriptor}"))
            except InputError as error:
                raise MarksError(error.problem, file=file, field=_FIELD) from error
        height, width = picture.levels.shape
        return cls((height, width), picture.levels.dtype.name, _hash(picture))

    def check(self, picture: Picture, path: Path, file: Path) -> None:
        """Raises MarksError naming ``file`` if ``picture``, of ``path``, is another one."""
        require_size(self.shape, picture.levels.shape, file, _FIELD, "holds a picture of")
        levels = _hash(picture)
        # labelme shows 16 bits as 8, and keeps JPEG as another JPEG: then levels tell nothing.
        comparable = self.levels and levels and self.pixel_type == picture.levels.dtype.name
        if comparable and self.levels != levels:
            problem = f"holds another picture than {path.name}: the marks were made on that"
            raise MarksError(problem, file=file, field=_FIELD)


def _hash(picture: Picture) -> str:
    return "" if picture.lossy else hashlib.sha256(picture.levels.tobytes()).hexdigest()
