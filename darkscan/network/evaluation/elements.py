"""Whole elements: true scratches found or missed in their defect maps, and false defects."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from darkscan.network.evaluation._breakdown import CNR_EDGES, band_names
from darkscan.network.evaluation._intervals import Estimate, Share, poisson_rate
from darkscan.pipeline.core.defect_map import DefectMap
from darkscan.simulation.element import ElementTruth, Trace
from darkscan.simulation.element.comparison import TrueScratch, compare
from darkscan.simulation.element.render import Scene

_MM2_PER_DM2 = 1e4


@dataclass(frozen=True)
class DefectFigures:
    """How much of the true scratches the defect maps of simulated elements show."""

    elements: int
    area_dm2: float
    found: Share
    """True scratches of which at least half the length lies within defects."""

    by_kind: tuple[Share, ...]
    by_cnr: tuple[Share, ...]
    false_defects: int
    """Defects that no true scratch touches: digs, hairs, dust or nothing."""

    false_per_dm2: Estimate


def measure(pairs: Sequence[tuple[ElementTruth, DefectMap]]) -> DefectFigures:
    """Holds each map against the truth of its element and adds them all up."""
    scratches: list[tuple[TrueScratch, float]] = []
    false, area = 0, 0.0
    for truth, defect_map in pairs:
        comparison, scene = compare(truth, defect_map), Scene(truth)
        scratches += [(s, contrast_to_noise(scene, s.trace)) for s in comparison.scratches]
        false += len(comparison.unexplained)
        width, height = defect_map.element.size_mm
        area += width * height / _MM2_PER_DM2
    kinds = sorted({scratch.trace.kind for scratch, _ in scratches})
    bands = np.array([np.searchsorted(CNR_EDGES, cnr, side="right") for _, cnr in scratches])
    return DefectFigures(
        elements=len(pairs),
        area_dm2=area,
        found=_share("all", [s for s, _ in scratches]),
        by_kind=tuple(_share(k, [s for s, _ in scratches if s.trace.kind == k]) for k in kinds),
        by_cnr=tuple(
            _share(name, [s for (s, _), band in zip(scratches, bands, strict=True) if band == at])
            for at, name in enumerate(band_names(CNR_EDGES))
            if (bands == at).any()
        ),
        false_defects=false,
        false_per_dm2=poisson_rate(false, area),
    )


def contrast_to_noise(scene: Scene, trace: Trace) -> float:
    """A trace's brightness over the sensor's noise on the background around its middle.

    Brightness is what the brightest tenth of its vertices exceeds, as in ``compare``.
    """
    x, y = trace.vertices[len(trace.vertices) // 2]
    level = float(scene.background.render(int(x), int(y), 1, 1)[0, 0])
    return float(np.percentile(trace.amplitude, 90)) / scene.noise.sigma(level)


def _share(name: str, scratches: Sequence[TrueScratch]) -> Share:
    return Share(name, sum(scratch.found for scratch in scratches), len(scratches))
