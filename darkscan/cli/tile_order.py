"""The order of tiles: a shell puts tile-10 before tile-2, which would lay them wrongly."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, get_args

from darkscan.pipeline.core.errors import InputError

Order = Literal["natural", "given"]
ORDERS: tuple[Order, ...] = get_args(Order)

_Key = tuple[list[tuple[int, int]], str]

_RUN_OF_DIGITS = re.compile("([0-9]+)")
_ZERO = ord("0")
_NAMED = 4


def in_order(images: Sequence[Path], order: Order | None) -> tuple[list[Path], str]:
    """The tiles as they are to be laid, and what the user has to be told of that, if anything.

    Without an ``order``, what a shell has sorted by letters is sorted by its numbers, in whole
    or in the stretches that one pattern gave; any other order is somebody's own, and kept.
    Raises InputError for a tile that is given twice.
    """
    given = list(images)
    _refuse_repeated(given)
    natural = sorted(given, key=_by_numbers(str))
    if order == "given":
        return given, ""
    if order == "natural":
        return natural, ""
    taken = _without_the_shells_order(given)
    if taken != given:
        names = _named(taken)
        return taken, f"tiles are taken in natural order: {names}; --order given keeps yours"
    if taken != natural:
        names = _named(taken)
        return taken, f"tiles are taken in the order given: {names}; --order natural sorts them"
    return taken, ""


def _refuse_repeated(given: list[Path]) -> None:
    counts = Counter(path.absolute() for path in given)
    for path in given:
        if counts[path.absolute()] > 1:
            raise InputError("is given more than once, and a tile is laid once", file=path)


def _without_the_shells_order(given: list[Path]) -> list[Path]:
    for fold in (str, _small):
        if given == sorted(given, key=fold):
            return sorted(given, key=_by_numbers(fold))
    stretches = _stretches(given)
    if len(stretches) == 1:
        return given
    return [path for stretch in stretches for path in _without_the_shells_order(stretch)]


def _stretches(given: list[Path]) -> list[list[Path]]:
    """Runs of names in one folder that differ in their numbers alone."""
    runs: list[list[Path]] = []
    before: tuple[Path, str] | None = None
    for path in given:
        pattern = path.parent, _RUN_OF_DIGITS.sub("0", path.name)
        if pattern != before:
            runs.append([])
        runs[-1].append(path)
        before = pattern
    return runs


def _small(path: Path) -> str:
    return str(path).casefold()


def _by_numbers(fold: Callable[[Path], str]) -> Callable[[Path], _Key]:
    """A key that differs from sorting by ``fold`` only in that numbers count as numbers."""

    def key(path: Path) -> _Key:
        parts = _RUN_OF_DIGITS.split(fold(path))
        tokens: list[tuple[int, int]] = []
        for text, number in zip(parts[::2], [*parts[1::2], ""], strict=True):
            tokens += [(ord(letter), 0) for letter in text]
            if number:
                tokens.append((_ZERO, int(number)))
        return tokens, str(path)

    return key


def _named(paths: Sequence[Path]) -> str:
    names = [path.name for path in paths]
    if len(set(names)) == 1 < len(names):
        names = [str(path) for path in paths]
    if len(names) > _NAMED:
        names = [*names[: _NAMED - 1], "...", names[-1]]
    return ", ".join(names)
