"""Splits an image at a time, and how many windows each split is to hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

SPLITS = ("train", "validation", "test")
IMAGES_OF_THE_PAPER = {"train": 80.0, "validation": 12.0, "test": 20.0}


@dataclass(frozen=True)
class Counts:
    """How many windows there are of each class."""

    scratch: int
    background: int

    @property
    def total(self) -> int:
        """Windows of both classes."""
        return self.scratch + self.background


TABLE_I = {
    "train": Counts(16800, 14120),
    "validation": Counts(582, 414),
    "test": Counts(754, 707),
}
"""Windows in the paper's data set."""

PAPER_WINDOWS = sum(counts.total for counts in TABLE_I.values())


class HasScratches(Protocol):
    """An image that knows whether any scratch is marked in it."""

    @property
    def scratched(self) -> bool:
        """Whether it holds a scratch."""
        ...


ImageT = TypeVar("ImageT", bound=HasScratches)


def scaled_counts(windows: int, splits: Sequence[str] = SPLITS) -> dict[str, Counts]:
    """``windows`` divided among ``splits`` and classes as in the paper's Table I.

    Every class of every split has at least one.
    """
    scale = windows / sum(TABLE_I[name].total for name in splits)
    return {
        name: Counts(
            max(1, round(TABLE_I[name].scratch * scale)),
            max(1, round(TABLE_I[name].background * scale)),
        )
        for name in splits
    }


def split_images(
    images: Sequence[ImageT], shares: Mapping[str, float], seed: int
) -> dict[str, list[ImageT]]:
    """Deals images to the splits, so that no image is in two.

    Scratched and clean images are dealt one after the other, each in an order that
    follows from ``seed``, always to the split that is furthest behind its share, but to
    one without any first. Splits keep the order of ``images``.
    """
    rng = np.random.default_rng([seed, 0x5B17])
    total = sum(shares.values())
    wanted = {name: share / total for name, share in shares.items() if share > 0}
    dealt: dict[str, list[int]] = {name: [] for name in wanted}
    for kind in (True, False):
        group = [place for place, image in enumerate(images) if image.scratched is kind]
        here = dict.fromkeys(wanted, 0)
        order = rng.permutation(np.array(group, dtype=np.intp)).tolist()
        for count, place in enumerate(order, 1):
            behind = {name: wanted[name] * count - here[name] for name in wanted}
            empty = [name for name in wanted if not here[name]] if kind else []
            name = max(empty or wanted, key=lambda split: behind[split])
            dealt[name].append(place)
            here[name] += 1
    return {name: [images[place] for place in sorted(places)] for name, places in dealt.items()}
