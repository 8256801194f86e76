"""What can go wrong with axes."""

from darkscan.pipeline.errors import DarkscanError, InputError


class MotionError(DarkscanError):
    """An order was refused, or a move went wrong; the axes have to be stopped."""


class MotionGoneError(MotionError):
    """The motion unit does not answer."""


class UnfitError(InputError):
    """The motion unit answers, but could not be relied on to carry out orders."""


class AbsentError(InputError):
    """A record, or a process variable, does not answer."""
