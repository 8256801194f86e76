"""The errors of the motion unit and its axes."""

from darkscan.pipeline.core.errors import DarkscanError


class MotionError(DarkscanError):
    """An order was refused, or a move went wrong; the axes have to be stopped."""


class MotionGoneError(MotionError):
    """The motion unit does not answer."""
