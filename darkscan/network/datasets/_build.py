"""Builds data sets: deals images to splits, samples their windows, writes the file."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from darkscan.network.datasets._labelled_image import LabelledImage
from darkscan.network.datasets._sampling import Sample, Sampling, draw_windows, labels_of
from darkscan.network.datasets._splits import (
    IMAGES_OF_THE_PAPER,
    PAPER_WINDOWS,
    Counts,
    scaled_counts,
    split_images,
)
from darkscan.network.datasets._writer import DatasetWriter, SourceRow, new_dataset
from darkscan.network.datasets.facts import Witness
from darkscan.network.datasets.rule import BACKGROUND, RULE, SCRATCH, WINDOW_PX
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import PixelType

DEPTHS = (8, 10, 12, 14, 16)


class Source(Protocol):
    """An image that windows are cut from."""

    @property
    def name(self) -> str:
        """A name of its own."""
        ...

    @property
    def pixel_type(self) -> PixelType:
        """How its grey levels are stored."""
        ...

    @property
    def highest(self) -> int:
        """A level that none of its pixels exceeds."""
        ...

    @property
    def scratched(self) -> bool:
        """Whether it holds a scratch."""
        ...

    @property
    def unmarked(self) -> str:
        """Why nothing is marked in it, in words: it counts as clean. Empty if something is."""
        ...

    def load(self) -> LabelledImage:
        """Its pixels and its truth."""
        ...


@dataclass(frozen=True)
class Options:
    """The options of a build.

    ``counts`` are the windows of each split and class, by default ``windows`` of them in
    the proportions of the paper's Table I. ``images`` are the splits' shares of the
    images; a split without a share is not made. ``bit_depth`` is the camera's, by default
    8, or for 16-bit images the least of 10, 12, 14 and 16 that holds their levels.
    """

    windows: int = PAPER_WINDOWS
    counts: Mapping[str, Counts] | None = None
    images: Mapping[str, float] = field(default_factory=lambda: dict(IMAGES_OF_THE_PAPER))
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 1
    bit_depth: int | None = None


@dataclass(frozen=True)
class LeftOut:
    """An image that no window is cut from, and why its marks cannot be used."""

    name: str
    reason: str


@dataclass(frozen=True)
class SplitReport:
    """The outcome of one split: wanted and found windows, and images left out."""

    images: int
    wanted: Counts
    found: Counts
    left_out: int


def build_dataset(
    sources: Sequence[Source],
    out: Path,
    options: Options,
    on_image: Callable[[int], None] = lambda _: None,
    left_out: Sequence[LeftOut] = (),
) -> dict[str, SplitReport]:
    """Writes the data set of ``sources`` to ``out``; the same arguments give the same bytes.

    ``on_image`` is told how many images are done, ``left_out`` are images that were given
    as well, which the file is to name. Windows that an image of a split cannot
    give are drawn from its next images. Raises InputError if a split would have no image
    or no window of a class, StorageError if ``out`` cannot be written; then there is no
    file.
    """
    pixel_type, bit_depth = _depth(sources, options.bit_depth)
    shares = {name: share for name, share in options.images.items() if share > 0}
    _check_images(sources, len(shares))
    splits = split_images(sources, shares, options.seed)
    counts = dict(options.counts or scaled_counts(options.windows, tuple(shares)))
    total = sum(counts[name].total for name in splits)
    reports: dict[str, SplitReport] = {}
    with new_dataset(out, tuple(splits), pixel_type, total) as writer:
        done = 0
        for name, images in splits.items():
            filling = _Filling(writer, name, images, counts[name], options)
            for image in images:
                filling.add(image)
                done += 1
                on_image(done)
            reports[name] = filling.report()
        manifest = _manifest(reports, options, bit_depth) | _unused(sources, left_out)
        writer.finish(manifest, float(2**bit_depth - 1))
    return reports


class _Filling:
    """One split as its images are sampled one after the other."""

    def __init__(
        self,
        writer: DatasetWriter,
        split: str,
        images: Sequence[Source],
        wanted: Counts,
        options: Options,
    ) -> None:
        self._writer = writer
        self._split = split
        self._images = len(images)
        self._wanted = wanted
        self._options = options
        self._found = {SCRATCH: 0, BACKGROUND: 0}
        self._left_out = 0
        self._to_come = len(images)
        self._scratched_to_come = sum(image.scratched for image in images)

    def add(self, image: Source) -> None:
        """Samples an image's part of what the split still lacks."""
        labelled = image.load()
        missing = self._wanted.scratch - self._found[SCRATCH]
        scratches = _part(missing, self._scratched_to_come) if image.scratched else 0
        backgrounds = _part(self._wanted.background - self._found[BACKGROUND], self._to_come)
        rng = np.random.default_rng([self._options.seed, *image.name.encode()])
        sampling = self._options.sampling
        sample = draw_windows(rng, labelled.truth, scratches, backgrounds, sampling)
        self._write(SourceRow(image.name, labelled.sha256, self._split), labelled, sample)
        self._to_come -= 1
        self._scratched_to_come -= image.scratched
        self._left_out += sample.left_out
        for label in self._found:
            self._found[label] += sample.count(label)

    def report(self) -> SplitReport:
        """The split's counts. Raises InputError if a class is empty."""
        found = Counts(self._found[SCRATCH], self._found[BACKGROUND])
        for kind, number in (("scratch", found.scratch), ("background", found.background)):
            if not number:
                images = f"{self._images} image{'s'[: self._images != 1]}"
                problem = f"no {kind} window could be drawn from {images}; "
                problem += f"{self._left_out} windows were left out by the rule"
                raise InputError(problem, field=f"split {self._split}")
        return SplitReport(self._images, self._wanted, found, self._left_out)

    def _write(self, row: SourceRow, labelled: LabelledImage, sample: Sample) -> None:
        origins = np.array(sample.origins, dtype=np.int64).reshape(-1, 2)
        labels = labels_of(sample)
        facts = Witness(labelled.truth).tell(origins, labels)
        columns = {
            **vars(facts),
            "labels": labels,
            "origin": origins,
            "method": np.array(sample.methods, dtype=np.str_),
        }
        self._writer.add(row, _cut(labelled.pixels, sample), columns)


def _part(missing: int, images: int) -> int:
    return -(-missing // max(images, 1))


def _cut(pixels: Pixels, sample: Sample) -> Pixels:
    windows = np.empty((len(sample.origins), WINDOW_PX, WINDOW_PX), pixels.dtype)
    for row, (y, x) in enumerate(sample.origins):
        windows[row] = pixels[y : y + WINDOW_PX, x : x + WINDOW_PX]
    return windows


def _depth(sources: Sequence[Source], wanted: int | None) -> tuple[PixelType, int]:
    """How the data set stores a pixel, and the camera's depth."""
    first = sources[0]
    for source in sources:
        if source.pixel_type != first.pixel_type:
            problem = f"is {source.pixel_type}, but {first.name} is {first.pixel_type}"
            raise InputError(problem, file=source.name)
    brightest = max(sources, key=lambda source: source.highest)
    depths = DEPTHS[:1] if first.pixel_type == "uint8" else DEPTHS[1:]
    if wanted is None:
        wanted = next(depth for depth in depths if brightest.highest < 2**depth)
    elif wanted > depths[-1] or brightest.highest >= 2**wanted:
        problem = f"{wanted} bits do not fit {first.pixel_type} levels up to {brightest.highest}"
        raise InputError(problem, file=brightest.name, field="bit depth")
    return first.pixel_type, wanted


def _check_images(sources: Sequence[Source], splits: int) -> None:
    """Raises InputError unless every split can have a scratched image of its own."""
    scratched = sum(source.scratched for source in sources)
    if scratched < splits:
        problem = (
            f"{scratched} of {len(sources)} images have a scratch: too few for {splits} splits, "
            "as no image is in two"
        )
        unmarked = _unmarked(sources)
        if unmarked:
            reasons = ", ".join(f"{reason} {count}" for reason, count in unmarked.items())
            problem += f" (in the others: {reasons})"
        raise InputError(problem, field="images")


def _unmarked(sources: Sequence[Source]) -> dict[str, int]:
    """How many images count as clean, by the reason why nothing is marked in them."""
    return dict(sorted(Counter(filter(None, (source.unmarked for source in sources))).items()))


def _unused(sources: Sequence[Source], left_out: Sequence[LeftOut]) -> dict[str, Any]:
    """The manifest's part on images that count as clean or are left out, if there are any."""
    unmarked = _unmarked(sources)
    found: dict[str, Any] = {"unmarked": unmarked} if unmarked else {}
    return found | ({"left_out": [asdict(one) for one in left_out]} if left_out else {})


def _manifest(
    reports: Mapping[str, SplitReport], options: Options, bit_depth: int
) -> dict[str, Any]:
    return {
        "rule": RULE,
        "window_px": WINDOW_PX,
        "bit_depth": bit_depth,
        "seed": options.seed,
        "image_shares": dict(options.images),
        "sampling": asdict(options.sampling),
        "splits": {name: asdict(report) for name, report in reports.items()},
    }
