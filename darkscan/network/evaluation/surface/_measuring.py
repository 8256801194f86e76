"""Measures detectors on drawn windows: thresholds, the share that is found, SNR50."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from darkscan.network.evaluation._intervals import Estimate, Share
from darkscan.network.evaluation.surface._drawing import FULL_SCALE, Scene, draw
from darkscan.network.evaluation.surface._plan import FWHM_PX, Plan
from darkscan.network.evaluation.surface._sensitivity import half_found
from darkscan.network.evaluation.windows import Progress, Scorer
from darkscan.network.metrics import threshold_for_false_positives
from darkscan.pipeline.core.arrays import Float64Array, Pixels
from darkscan.pipeline.core.errors import InputError

FALSE_RATE = 0.005
"""The share of windows without a line that reach a detector's threshold."""
_AT_ONCE = 32  # windows


@dataclass(frozen=True)
class Detector:
    """What is measured: a name, what gives windows their scores, and its own threshold if any."""

    name: str
    score: Scorer
    own_threshold: float | None = None


@dataclass(frozen=True)
class Blanks:
    """A detector's threshold, from windows without a line."""

    detector: str
    scene: Scene
    windows: int
    threshold: float
    """The lowest that at most ``FALSE_RATE`` of the windows reach."""
    false_at_own: Share | None
    """The windows that reach the detector's own threshold."""


@dataclass(frozen=True)
class Cell:
    """What a detector makes of the windows of one point of the surface."""

    detector: str
    scene: Scene
    snr: float
    """The geometric mean of the windows' signal-to-noise."""
    found: Share
    """The windows that reach the threshold for ``FALSE_RATE``."""
    mean_score: float
    found_at_own: Share | None
    """The windows that reach the detector's own threshold."""


@dataclass(frozen=True)
class HalfFound:
    """The signal-to-noise at which half of the lines of one length are found."""

    detector: str
    specks: int
    length_px: float
    snr: Estimate


@dataclass(frozen=True)
class Surface:
    """Everything that was measured."""

    plan: Plan
    seed: int
    detectors: tuple[str, ...]
    blanks: tuple[Blanks, ...]
    cells: tuple[Cell, ...]
    half_found: tuple[HalfFound, ...]

    def by_place(self) -> Mapping[tuple[str, Scene], Cell]:
        """The cells by detector and scene."""
        return {(cell.detector, cell.scene): cell for cell in self.cells}


def measure(
    detectors: Sequence[Detector], plan: Plan, seed: int, show: Progress | None = None
) -> Surface:
    """Draws the windows of a plan and has every detector score them, each in its own thread.

    Raises InputError if a score is no number.
    """
    wanted = dict.fromkeys(plan.blank_scenes, plan.blanks)
    wanted |= dict.fromkeys(plan.points, plan.windows)
    snr, scores = _score(detectors, wanted, seed, show)
    blanks, cells = [], []
    for detector in detectors:
        given = scores[detector.name]
        thresholds = {}
        for scene in plan.blank_scenes:
            blanks.append(_blanks(detector, scene, given[scene]))
            thresholds[scene] = blanks[-1].threshold
        for scene in plan.points:
            threshold = thresholds[scene.blank]
            cells.append(_cell(detector, scene, snr[scene], given[scene], threshold))
    names = tuple(detector.name for detector in detectors)
    halves = [
        HalfFound(name, specks, length, _half_found(cells, name, specks, length))
        for name in names
        for specks in plan.specks
        for length in plan.lengths_px
    ]
    return Surface(plan, seed, names, tuple(blanks), tuple(cells), tuple(halves))


def _score(
    detectors: Sequence[Detector],
    wanted: Mapping[Scene, int],
    seed: int,
    show: Progress | None,
) -> tuple[dict[Scene, Float64Array], dict[str, dict[Scene, Float64Array]]]:
    """Signal-to-noise, and scores of each detector, of so many windows of each scene."""
    jobs = [(scene, number) for scene, count in wanted.items() for number in range(count)]
    snr = []
    scores: dict[str, list[Float64Array]] = {detector.name: [] for detector in detectors}
    with ThreadPoolExecutor(len(detectors)) as threads:
        for first in range(0, len(jobs), _AT_ONCE):
            some = jobs[first : first + _AT_ONCE]
            drawn = [draw(scene, seed, number) for scene, number in some]
            snr += [window.snr for window in drawn]
            windows = np.stack([window.levels for window in drawn])
            given = threads.map(partial(_scores_of, windows), detectors)
            for detector, part in zip(detectors, given, strict=True):
                scores[detector.name].append(part)
            if show is not None:
                show(first + len(some), len(jobs))
    ends = np.cumsum(list(wanted.values()))[:-1]

    def by_scene(values: Float64Array) -> dict[Scene, Float64Array]:
        return dict(zip(wanted, np.split(values, ends), strict=True))

    of_detectors = {name: by_scene(np.concatenate(parts)) for name, parts in scores.items()}
    return by_scene(np.array(snr)), of_detectors


def _scores_of(windows: Pixels, detector: Detector) -> Float64Array:
    scores = np.asarray(detector.score(windows, FULL_SCALE), np.float64)
    if not np.isfinite(scores).all():
        raise InputError("gives windows a score that is no number", field=detector.name)
    return scores


def _blanks(detector: Detector, scene: Scene, scores: Float64Array) -> Blanks:
    threshold = threshold_for_false_positives(scores, np.zeros(len(scores)), FALSE_RATE)
    own = _reach(scores, detector.own_threshold)
    return Blanks(detector.name, scene, len(scores), threshold, own)


def _cell(
    detector: Detector, scene: Scene, snr: Float64Array, scores: Float64Array, threshold: float
) -> Cell:
    return Cell(
        detector=detector.name,
        scene=scene,
        snr=float(np.exp(np.log(snr).mean())),
        found=Share("found", int((scores >= threshold).sum()), len(scores)),
        mean_score=float(scores.mean()),
        found_at_own=_reach(scores, detector.own_threshold),
    )


def _reach(scores: Float64Array, threshold: float | None) -> Share | None:
    if threshold is None:
        return None
    return Share("at its own threshold", int((scores >= threshold).sum()), len(scores))


def _half_found(cells: Sequence[Cell], detector: str, specks: int, length_px: float) -> Estimate:
    """Over all contrasts of one length, of the usual sharpness."""
    some = [
        (cell.snr, cell.found.hits, cell.found.count)
        for cell in cells
        if cell.detector == detector
        and (cell.scene.specks, cell.scene.finish) == (specks, "plain")
        and cell.scene.line is not None
        and (cell.scene.line.length_px, cell.scene.line.fwhm_px) == (length_px, FWHM_PX)
    ]
    snr, hits, windows = np.array(some, np.float64).T
    return half_found(snr, hits, windows)
