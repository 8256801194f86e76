"""The conditions of a sweep: each a pixel pitch and a degradation, in the order of a table."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from darkscan.network.evaluation.degradations import (
    Grey,
    blurred,
    coarser,
    deeper,
    defocused,
    exposed,
    gamma,
    gradient,
    hot_pixel,
    jpeg,
    noisier,
    overexposed,
    sharpened,
    stray_light,
    striped,
)

PITCHES = (0.5, 0.7, 1.4, 2.0)
"""Factors of the number of pixels along a side."""

Change = Callable[[Grey, np.random.Generator], Grey]


class Condition(NamedTuple):
    """One step of a sweep: a pixel pitch to cut windows at, then a change of each of them.

    ``pitch`` is the factor of ``resampled`` and ``resampled_window``; 1 leaves it.
    """

    name: str
    change: Change = lambda grey, _rng: grey
    pitch: float = 1.0


def _fixed(function: Callable[[Grey, float], Grey], amount: float) -> Change:
    return lambda grey, _rng: function(grey, amount)


def _drawn(function: Callable[[Grey, float, np.random.Generator], Grey], amount: float) -> Change:
    return lambda grey, rng: function(grey, amount, rng)


def _deep(bits: int, fill: float) -> Change:
    return lambda grey, rng: deeper(grey, bits, fill, rng)


def _jpeg(quality: int) -> Change:
    return lambda grey, _rng: jpeg(grey, quality)


CONDITIONS = (
    Condition("as it is"),
    *(Condition(f"JPEG quality {q}", _jpeg(q)) for q in (95, 80, 60, 40, 20)),
    Condition("12 bits", _deep(12, 1.0)),
    Condition("16 bits", _deep(16, 1.0)),
    Condition("16 bits, 1/16 filled", _deep(16, 1 / 16)),
    Condition("16 bits, 1/256 filled", _deep(16, 1 / 256)),
    *(Condition(f"{pitch:g}x the pixels", pitch=pitch) for pitch in PITCHES),
    *(Condition(f"background {n:+g} levels", _drawn(stray_light, n)) for n in (-10, 10, 30, 100)),
    *(Condition(f"light or gain x{g:g}", _drawn(exposed, g)) for g in (0.3, 0.5, 2, 3)),
    *(Condition(f"noise x{f:g}", _drawn(noisier, f)) for f in (1.5, 2, 3)),
    *(Condition(f"blur {s:g} px", _fixed(blurred, s)) for s in (0.5, 1, 2)),
    *(Condition(f"defocus {s:g} px", _drawn(defocused, s)) for s in (0.5, 1, 2)),
    Condition("sharpened x1", _fixed(sharpened, 1)),
    Condition("rounded to 2 levels", _fixed(coarser, 2)),
    *(Condition(f"gamma {g:g}", _fixed(gamma, g)) for g in (0.6, 1.4)),
    *(Condition(f"{share:.1%} saturated", _fixed(overexposed, share)) for share in (0.005, 0.02)),
    *(
        Condition(f"column stripes {share:.1%}", _drawn(striped, share))
        for share in (0.005, 0.01, 0.03)
    ),
    Condition("a hot pixel", hot_pixel),
    *(Condition(f"gradient of {n} levels", _drawn(gradient, n)) for n in (30, 100)),
)
"""Of windows that stand alone, from one as it is to what should break any detector."""

FRAME_PITCHES = (0.5, 0.71, 1.41, 2.0)

FRAME_CONDITIONS = (
    Condition("as it is"),
    *(Condition(f"{pitch:g}x the pixels", pitch=pitch) for pitch in FRAME_PITCHES),
    *(Condition(f"blur {s:g} px", _fixed(blurred, s)) for s in (0.5, 0.7, 1)),
    *(Condition(f"sharpened x{a:g}", _fixed(sharpened, a)) for a in (0.5, 1, 2)),
    *(Condition(f"JPEG quality {q}", _jpeg(q)) for q in (90, 80, 60, 40)),
    *(Condition(f"noise x{f:g}", _drawn(noisier, f)) for f in (1.5, 2)),
    *(Condition(f"rounded to {s} levels", _fixed(coarser, s)) for s in (2, 3)),
    *(Condition(f"gamma {g:g}", _fixed(gamma, g)) for g in (0.6, 1.4)),
    Condition("12 bits", _deep(12, 1.0)),
    Condition("16 bits", _deep(16, 1.0)),
)
"""Of whole frames: what instruments, programs and files do to them."""
