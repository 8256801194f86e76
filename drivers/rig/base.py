"""How values stand in a rig file."""

from typing import Annotated

from pydantic import Field

from darkscan.pipeline.units import ElementMm, FiniteMm, Millimetres

# TOML has arrays, not tuples.
PointMm = Annotated[tuple[FiniteMm, FiniteMm], Field(strict=False)]
"""[x, y], mm."""

SpotMm = Annotated[tuple[FiniteMm, FiniteMm, FiniteMm], Field(strict=False)]
"""[x, y, z], mm."""

SizeMm = Annotated[tuple[ElementMm, ElementMm], Field(strict=False)]
"""[width, height], mm."""

RegionMm = Annotated[tuple[FiniteMm, FiniteMm, ElementMm, ElementMm], Field(strict=False)]
"""[x, y, width, height], mm."""

RangeMm = Annotated[tuple[FiniteMm, FiniteMm], Field(strict=False)]
"""[low, high], mm."""

PositiveMm = Annotated[Millimetres, Field(allow_inf_nan=False, gt=0)]
