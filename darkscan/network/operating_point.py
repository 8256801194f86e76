"""The operating point of a network: thresholds that let few false windows of a frame pass."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from darkscan.network.attention_fusion import AttentionFusionNetwork
from darkscan.network.batches import BatchSource, validation_windows
from darkscan.network.metrics import (
    Figures,
    area_under_curve,
    figures,
    threshold_for_false_positives,
)
from darkscan.network.modules import GREY_RANGE
from darkscan.network.training import ValidationWindows, score
from darkscan.pipeline.core.arrays import Float32Array
from darkscan.simulation.element.crops import CROP_PX, training_crops
from darkscan.simulation.element.looks import WINDOW_PX, WindowPreset
from darkscan.simulation.element.real_backgrounds import RealBackgrounds
from darkscan.simulation.element.windows import training_batch


@dataclass(frozen=True)
class Look:
    """One kind of window, and how many false ones of it a threshold may let pass.

    ``grow_rate`` is that of the lower threshold, whose windows only continue a scratch
    that they overlap. ``source`` gives windows, or images of several.
    """

    source: BatchSource
    false_positive_rate: float
    grow_rate: float
    windows_an_image: int = 1


# Training windows are several times as crowded as an element's: on simulated elements these
# rates leave less than one false window in a thousand. The wide look crowds dirt, clouds, ghosts
# and faults of the sensor together as no optic does: it only bounds the threshold.
_RATES: dict[WindowPreset, tuple[float, float]] = {"optic": (5e-3, 2e-2), "wide": (6e-2, 2e-1)}
LOOKS: dict[str, Look] = {
    preset: Look(functools.partial(training_batch, preset=preset), *rates)
    for preset, rates in _RATES.items()
}
# Chosen on 20 real frames, which at these rates have one false window of 44 and lose none, or two
# of 115, scratched ones. The images that the rates are of hold more dust, glow and sensor faults.
_DENSE_RATES: dict[WindowPreset, tuple[float, float]] = {
    "optic": (5e-3, 2e-2),
    "wide": (2e-2, 1e-1),
}
DENSE_LOOKS: dict[str, Look] = {
    preset: Look(functools.partial(training_crops, preset=preset), *rates, windows_an_image=9)
    for preset, rates in _DENSE_RATES.items()
}


def looks_of(*, dense: bool, backgrounds: RealBackgrounds | None = None) -> dict[str, Look]:
    """The looks that a windowed or a dense network's thresholds are chosen on.

    Those of real ``backgrounds``, where there are any, are held to the rates of "optic".
    Raises InputError if these are smaller than the network's windows, or images.
    """
    looks = DENSE_LOOKS if dense else LOOKS
    if backgrounds is None:
        return looks
    backgrounds.require(CROP_PX if dense else WINDOW_PX)
    source = functools.partial(
        training_crops if dense else training_batch, backgrounds=replace(backgrounds, share=1.0)
    )
    return looks | {"backgrounds": replace(looks["optic"], source=source)}


@dataclass(frozen=True)
class OperatingPoint:
    """Thresholds of the score, and what the first gives on each kind of window."""

    threshold: float
    grow_threshold: float
    figures: dict[str, Figures]
    area_under_curve: dict[str, float]

    def table(self) -> str:
        """The figures as a Markdown table."""
        lines = [
            "| windows | AUC | recall | precision | F1 | false positive rate |",
            "|---" * 6 + "|",
        ]
        lines += [
            f"| {kind} | {self.area_under_curve[kind]:.4f} | {f.recall:.3f} | {f.precision:.4f} "
            f"| {f.f1:.3f} | {f.false_positive_rate:.4f} |"
            for kind, f in self.figures.items()
        ]
        return "\n".join(lines)


def choose_operating_point(
    network: AttentionFusionNetwork,
    looks: Mapping[str, Look],
    *,
    seed: int,
    count: int = 4000,
) -> OperatingPoint:
    """The lowest thresholds whose false positive rates are met on every kind of window.

    ``count`` windows of each look are drawn with ``seed``, which must be neither the
    training's nor its validation's.
    """
    scored: dict[str, tuple[npt.NDArray[np.float64], Float32Array]] = {}
    for kind, look in looks.items():
        drawn = validation_windows(look.source, seed, -(-count // look.windows_an_image))
        judged = ValidationWindows(*drawn, GREY_RANGE)
        logits = score(network, judged.windows).astype(np.float64)[judged.judging]
        scored[kind] = (1 / (1 + np.exp(-logits)), judged.labels[judged.judging])
    threshold, grow_threshold = (
        max(
            threshold_for_false_positives(*scored[kind], getattr(look, rate))
            for kind, look in looks.items()
        )
        for rate in ("false_positive_rate", "grow_rate")
    )
    return OperatingPoint(
        threshold=threshold,
        grow_threshold=grow_threshold,
        figures={kind: figures(*pair, threshold) for kind, pair in scored.items()},
        area_under_curve={kind: area_under_curve(*pair) for kind, pair in scored.items()},
    )
