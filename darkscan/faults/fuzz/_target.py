"""A target: draws cases and reads them as darkscan does."""

import random
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from darkscan.faults.fuzz._mutation import changed_bytes
from darkscan.pipeline.core.errors import InputError

TargetName = Literal["messages", "host-link", "recordings", "images", "recipes", "models"]
TARGETS: tuple[TargetName, ...] = get_args(TargetName)


class FalseReadingError(Exception):
    """Something was read that nobody wrote, without a word."""


class Target:
    """Draws cases and reads them. Each is used by one process."""

    refusals: tuple[type[Exception], ...] = (InputError,)
    """The documented ways to refuse a case; whatever else is raised is a finding."""

    def __init__(self, folder: Path, corpus: Sequence[bytes] = ()) -> None:
        """``folder``: for its files; ``corpus``: cases to begin with besides its own."""
        self.folder = folder
        self.corpus = list(corpus)

    @cached_property
    def bases(self) -> list[bytes]:
        """Sound cases that others are made of, those of the corpus among them."""
        return [*self.sound(), *self.corpus]

    def sound(self) -> list[bytes]:
        """Cases that are accepted."""
        raise NotImplementedError

    def draw(self, rng: random.Random) -> bytes:
        """A case."""
        return changed_bytes(rng.choice(self.bases), rng)

    def read(self, data: bytes) -> None:
        """Reads a case as darkscan would; raises one of ``refusals`` if it is none."""
        raise NotImplementedError

    def _file(self, data: bytes, suffix: str) -> Path:
        path = self.folder / f"case{suffix}"
        path.write_bytes(data)
        return path
