"""Real backgrounds: crops of scratch-free pictures and recordings, to put scratches into.

What a network is to call clean on an instrument, the instrument's own frames show best: their
noise, their dirt, the steps and specks of their sensor.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import numpy as np

from darkscan.pipeline.core.arrays import Float32Array
from darkscan.pipeline.core.errors import InputError
from darkscan.simulation.element._background_files import BackgroundFile, Reader, opened
from darkscan.simulation.element._draws import chance, log_uniform

_FIELD = "--backgrounds"
_WHITE = 255.0
_CHANGED_SHARE = 0.5  # of crops: their gain is another lamp's
_LEAST_GAIN, _MOST_GAIN = 0.7, 1.4
_WITHIN = 0.98  # of a level's step: no draw is rounded to the next level


@dataclass(frozen=True)
class RealBackgrounds:
    """The files that crops are cut from, and the share of images that show one.

    It is small, and may be sent to other processes: pictures are read where they are drawn.
    """

    files: tuple[BackgroundFile, ...]
    share: float = 0.5

    @classmethod
    def of_folder(
        cls,
        folder: Path,
        share: float = 0.5,
        on_file: Callable[[int, int], object] = lambda _done, _total: None,
    ) -> "RealBackgrounds":
        """All pictures and recordings in a folder, in the order of their names.

        Not those in folders within it, nor files whose names begin with a dot. Every picture is
        read once; ``on_file`` is told how many of how many files are done.

        Raises InputError if there is none, or a file is neither or cannot be read.
        """
        try:
            paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
            raise InputError(problem, file=folder, field=_FIELD) from error
        paths = [path for path in paths if not path.is_dir()]
        if not paths:
            raise InputError("holds no picture and no recording", file=folder, field=_FIELD)
        files = []
        for number, path in enumerate(paths, 1):
            files.append(opened(path))
            on_file(number, len(paths))
        return cls(tuple(files), share)

    def __reduce__(
        self,
    ) -> tuple[type["RealBackgrounds"], tuple[tuple[BackgroundFile, ...], float]]:
        return type(self), (self.files, self.share)

    def require(self, side_px: int) -> None:
        """Raises InputError naming the first file that has no room for crops of this side."""
        for file in self.files:
            height, width = file.shape
            if min(height, width) < side_px:
                problem = (
                    f"is {width}x{height} pixels; crops of {side_px}x{side_px} are cut from it"
                )
                raise InputError(problem, file=file.path, field=_FIELD)

    @property
    def count(self) -> str:
        """How many pictures, recordings and frames there are, in words."""
        pictures = sum(file.frames is None for file in self.files)
        recordings = len(self.files) - pictures
        frames = self._ends[-1] - pictures
        parts = [_counted(pictures, "picture")] if pictures else []
        if recordings:
            parts.append(f"{_counted(frames, 'frame')} of {_counted(recordings, 'recording')}")
        return " and ".join(parts)

    @property
    def description(self) -> str:
        """The backgrounds in a few words, without their names."""
        return f"a share of {self.share:g} on crops of {self.count}"

    def fingerprint(self) -> str:
        """A SHA-256 that changes with the files' names or contents, their order, or the share."""
        parts = [f"{self.share!r}".encode()]
        for file in self.files:
            parts += [file.path.name.encode(errors="surrogateescape"), file.digest()]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()

    def crop(self, rng: np.random.Generator, side_px: int) -> Float32Array:
        """A crop (side, side) float32 at 8-bit grey levels, before they are rounded to whole ones.

        Every picture and every frame is as likely as any other, every place in it, too. Half of
        the crops have the gain of another lamp, 0.7 to 1.4. Each level is spread evenly over
        the light that it stands for, so that no level is missing once others are added, and the
        gain has changed; without a change of gain, ``rint`` gives the 8-bit picture's own pixels.

        The same state of ``rng`` gives the same crop. Raises InputError if the file cannot be read.
        """
        place = int(rng.integers(self._ends[-1]))
        number = bisect_right(self._ends, place)
        file = self.files[number]
        first = self._ends[number] - file.pictures
        levels = self._reader.levels(file, place - first)
        y, x = (int(rng.integers(side - side_px + 1)) for side in file.shape)
        part = levels[y : y + side_px, x : x + side_px].astype(np.float32)
        scale = file.scale
        lamp = log_uniform(rng, _LEAST_GAIN, _MOST_GAIN) if chance(rng, _CHANGED_SHARE) else 1.0
        within = rng.random(part.shape, dtype=np.float32) - np.float32(0.5)
        within *= np.float32(_WITHIN * scale.step)
        part -= np.float32(scale.black)
        saturated = part * np.float32(scale.gain) >= _WHITE
        grey = (part + within) * np.float32(scale.gain * lamp)
        grey[saturated] = _WHITE
        return np.clip(grey, 0.0, _WHITE, out=grey)

    @cached_property
    def _ends(self) -> list[int]:
        """For each file, the number of pictures in it and those before it."""
        return list(accumulate(file.pictures for file in self.files))

    @cached_property
    def _reader(self) -> Reader:
        return Reader()


def _counted(number: int, name: str) -> str:
    return f"{number} {name}" + ("s" if number != 1 else "")
