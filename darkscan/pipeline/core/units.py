"""Domain types: a bare int or float says nothing about what it counts."""

from typing import Annotated, NewType

from pydantic import AfterValidator, Field


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"must be printable text in one line, is {text!a}")
    return text


# Bounds stand in one Field each, so that JSON Schemas made of these types state them too.
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(allow_inf_nan=False, gt=0)]

OneLine = Annotated[str, AfterValidator(_one_line)]
"""Text that people typed: it ends up in one-line messages, in XML and in HDF5."""

Millimetres = NewType("Millimetres", float)
"""A length or a coordinate on the element."""

FiniteMm = Annotated[Millimetres, Field(allow_inf_nan=False)]
ElementMm = Annotated[Millimetres, Field(allow_inf_nan=False, gt=0, le=10_000)]
"""A side of an element: ten metres at most."""

FINEST_UM, COARSEST_UM = 0.01, 10_000
PitchUm = Annotated[float, Field(allow_inf_nan=False, ge=FINEST_UM, le=COARSEST_UM)]
"""The size of a pixel on the element, micrometres."""

FrameId = NewType("FrameId", int)
"""A frame's number within its scan; unique, never reused."""

Nanoseconds = NewType("Nanoseconds", int)
"""A time: ``time.monotonic_ns`` for our own work, the camera's clock for exposures."""


def duration(seconds: float) -> str:
    """A time span as people write it: 1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
