"""The errors of a camera that was found and set; importing this loads no bindings."""

from darkscan.pipeline.core.errors import DarkscanError


class CameraError(DarkscanError):
    """The camera answers, but does not do what it is told."""


class CameraGone(CameraError):  # noqa: N818 - it says what is the case
    """The camera does not answer any more; it may come back."""
