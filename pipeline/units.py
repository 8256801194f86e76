"""Domain types: a bare int or float says nothing about what it counts."""

from typing import NewType

FrameId = NewType("FrameId", int)
"""A frame's number within its scan; unique, never reused."""

Millimetres = NewType("Millimetres", float)
Nanoseconds = NewType("Nanoseconds", int)
"""Of ``time.monotonic_ns`` where it times our work, of the camera's clock on exposures."""
