"""Domain types: a bare int or float says nothing about what it counts."""

import math
from typing import Annotated, NewType

from pydantic import AfterValidator, Field


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"must be a finite number, is {value}")
    return value


Finite = Annotated[float, AfterValidator(_finite)]
Positive = Annotated[Finite, Field(gt=0)]

Millimetres = NewType("Millimetres", float)
"""A length or a coordinate on the element."""

FiniteMm = Annotated[Millimetres, AfterValidator(_finite)]
PositiveMm = Annotated[FiniteMm, Field(gt=0)]

FrameId = NewType("FrameId", int)
"""A frame's number within its scan; unique, never reused."""

Nanoseconds = NewType("Nanoseconds", int)
"""Of ``time.monotonic_ns`` where it times our work, of the camera's clock on exposures."""
