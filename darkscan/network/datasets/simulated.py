"""Simulated elements as labelled images: one frame of a known truth each."""

import hashlib
import re
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from darkscan.network.datasets._labelled_image import (
    Distractor,
    ImageTruth,
    LabelledImage,
    Scratch,
    points_along,
)
from darkscan.pipeline.core.arrays import Float32Array
from darkscan.pipeline.core.scan import PixelType
from darkscan.simulation.element import Dig, ElementTruth, Trace, simulate_element
from darkscan.simulation.element.render import Scene
from darkscan.simulation.element.sensor import quantise
from darkscan.simulation.element.strokes import add_line

_NOISE = 0x5E50  # as in simulated scans: the same element shows the same noise
_FRAME_PX = 2048
_NAME = re.compile(r"simulated-(?P<preset>[a-z]+)-(?P<seed>\d+)(?:-(?P<side>\d+)px)?")
_RAREST_FIRST = ("fibre", "hair")


@dataclass(frozen=True)
class SimulatedImage:
    """A source of windows: the frame of ``frame_px`` squared of one simulated element."""

    seed: int
    preset: str = "optic"
    frame_px: int = _FRAME_PX
    bit_depth: int = 8

    @property
    def name(self) -> str:
        """The name of the image in its windows' rows; it has the side where that is unusual."""
        side = "" if self.frame_px == _FRAME_PX else f"-{self.frame_px}px"
        return f"simulated-{self.preset}-{self.seed}{side}"

    @classmethod
    def named(cls, name: str, bit_depth: int = 8) -> Self | None:
        """The source of that name; None for the name of any other image."""
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        side = int(match["side"] or _FRAME_PX)
        return cls(int(match["seed"]), match["preset"], side, bit_depth)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.frame_px, self.frame_px

    @property
    def pixel_type(self) -> PixelType:
        """How its grey levels are stored."""
        return "uint8" if self.bit_depth == 8 else "uint16"  # noqa: PLR2004 - bits of uint8

    @property
    def highest(self) -> int:
        """The highest grey level it can have."""
        return int(2**self.bit_depth - 1)

    @property
    def scratched(self) -> Literal[True]:
        """No simulated element is without a scratch."""
        return True

    @property
    def unmarked(self) -> Literal[""]:
        """All its scratches are known."""
        return ""

    def load(self) -> LabelledImage:
        """Renders it: the same source gives the same bytes."""
        element = simulate_element(self.shape, self.seed, self.preset)
        scene = Scene(element)
        light = scene.render(0, 0, *self.shape)
        noisy = scene.noise.add(light, np.random.default_rng([self.seed, _NOISE, 0]))
        pixels = quantise(noisy, self.bit_depth)
        trace = _scratch_light(element)
        rest = light - trace
        sigma = np.sqrt(
            np.maximum(scene.noise.gain * rest + scene.noise.offset, scene.noise.floor**2)
        )
        scratches = [_scratch(one, sigma) for one in element.scratches]
        truth = ImageTruth(
            scratches=tuple(one for one in scratches if len(one.points)),
            touched=trace > 0,
            power=np.square(trace / sigma, dtype=np.float32),
            distractors=_distractors(element),
            commonest="dust",
        )
        return LabelledImage(pixels, truth, hashlib.sha256(pixels.tobytes()).hexdigest())


def _scratch_light(element: ElementTruth) -> Float32Array:
    """The light of the scratches alone, without noise: (height, width) float32."""
    width, height = element.size_px
    image = np.zeros((height, width), dtype=np.float32)
    canvas = np.zeros_like(image)
    for trace in element.scratches:
        add_line(image, trace.strokes, canvas)
    return image


def _scratch(trace: Trace, sigma: npt.NDArray[np.float32]) -> Scratch:
    """A trace's centre line within the image; the spots of a point-like one are one line."""
    points, lengths, place = points_along(trace.vertices)
    height, width = sigma.shape
    inside = ((points >= 0) & (points < (width, height))).all(axis=1)
    points, lengths, place = points[inside], lengths[inside], place[inside]
    amplitude = np.interp(place, np.arange(len(trace.amplitude)), trace.amplitude)
    lit = (amplitude > 0) | (trace.kind == "discontinuous")
    x, y = points.astype(np.intp).T
    return Scratch(points, lengths * lit, amplitude / sigma[y, x], trace.kind)


def _distractors(element: ElementTruth) -> tuple[Distractor, ...]:
    shown = [Distractor("dig", _rim_of(dig)) for dig in element.digs]
    for kind in _RAREST_FIRST:
        shown += [
            Distractor(kind, trace.vertices) for trace in element.traces if trace.kind == kind
        ]
    return tuple(shown)


def _rim_of(dig: Dig) -> npt.NDArray[np.float64]:
    """The centre of a dig and eight points where it has faded to a tenth."""
    angle = np.arange(8) * np.pi / 4
    ring = 2.0 * dig.radius_px * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    centre = np.array([[dig.x, dig.y]])
    return np.concatenate([centre, centre + ring])
