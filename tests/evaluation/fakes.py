"""A data set in memory, whose windows carry their score in their grey level."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.network.evaluation import Scored
from darkscan.pipeline.core.arrays import Pixels

SIDE = 256


class FakeWindows:
    """Windows of one grey level: the score, from 0 to 1, as a part of 255."""

    full_scale = 255.0

    def __init__(self, scores: Sequence[float], labels: Sequence[int]) -> None:
        count = len(scores)
        self.levels = np.rint(255 * np.asarray(scores)).astype(np.uint8)
        self.labels: npt.NDArray[np.int8] = np.array(labels, np.int8)
        self.source: npt.NDArray[np.str_] = np.array([f"plate-{i % 8}" for i in range(count)])
        self.kind: npt.NDArray[np.str_] = np.where(self.labels > 0, "curved", "dust")
        self.cnr: npt.NDArray[np.float64] = np.where(self.labels > 0, 3.5, np.nan)
        self.length_px: npt.NDArray[np.float64] = np.where(self.labels > 0, 100.0, np.nan)
        self.origin: npt.NDArray[np.int32] = np.zeros((count, 2), np.int32)
        self.snr: npt.NDArray[np.float64] = np.where(self.labels > 0, 12.0, np.nan)

    def __len__(self) -> int:
        return len(self.levels)

    def images(self, indices: npt.NDArray[np.int64]) -> Pixels:
        return np.broadcast_to(
            self.levels[indices][:, None, None], (len(indices), SIDE, SIDE)
        ).copy()


class CutWindows(FakeWindows):
    """Windows cut out of images by name, at the places given."""

    def __init__(
        self, images: Mapping[str, npt.NDArray[np.uint8]], places: Sequence[tuple[str, int, int]]
    ) -> None:
        count = len(places)
        super().__init__([0.0] * count, [place % 2 for place in range(count)])
        self._images = images
        self.source = np.array([name for name, _, _ in places])
        self.origin = np.array([place for _, *place in places], np.int32)

    def images(self, indices: npt.NDArray[np.int64]) -> Pixels:
        cut = []
        for index in indices:
            y, x = self.origin[index]
            cut.append(self._images[self.source[index]][y : y + SIDE, x : x + SIDE])
        return np.stack(cut).astype(np.uint8)


def in_a_plate(file: Path) -> CutWindows:
    """Two windows on the grid and one off it, of an image of noise that is written to ``file``."""
    levels = np.random.default_rng(1).integers(10, 30, (256, 512)).astype(np.uint8)
    assert cv2.imwrite(str(file), levels)
    places = [(file.name, 0, 0), (file.name, 0, 128), (file.name, 0, 77)]
    return CutWindows({file.name: levels}, places)


class FakeData:
    hash = "sha256:f4ce"

    def __init__(self, **splits: FakeWindows) -> None:
        self.splits = splits

    def split(self, name: str) -> FakeWindows:
        return self.splits[name]


def by_grey_level(windows: Pixels, full_scale: float) -> npt.NDArray[np.float32]:
    """The scorer that reads the scores of ``FakeWindows``."""
    return (windows[:, 0, 0] / full_scale).astype(np.float32)


def drawn(seed: int, count: int = 200, apart: float = 0.3) -> FakeWindows:
    """Windows of both classes whose scores overlap the more, the smaller ``apart``."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    scores = np.clip(0.5 + apart * (labels - 0.5) + 0.15 * rng.standard_normal(count), 0, 1)
    return FakeWindows(scores.tolist(), labels.tolist())


def scored(
    scores: Sequence[float],
    labels: Sequence[int],
    *,
    source: Sequence[str] | None = None,
    kind: Sequence[str] | None = None,
    cnr: Sequence[float] | None = None,
    snr: Sequence[float] | None = None,
) -> Scored:
    count = len(scores)
    unknown = np.full(count, np.nan)
    return Scored(
        scores=np.array(scores, np.float64),
        labels=np.array(labels) > 0,
        source=np.array(source or [""] * count),
        kind=np.array(kind or [""] * count),
        cnr=unknown if cnr is None else np.array(cnr, np.float64),
        length_px=unknown,
        snr=unknown if snr is None else np.array(snr, np.float64),
    )
