"""What can go wrong with a camera, and what the bindings to GenTL and GenApi raise."""

from genicam import genapi, gentl

from darkscan.pipeline.core.errors import DarkscanError

GENICAM_ERRORS = (gentl.GenericException, genapi.GenericException)
"""Of a producer's functions, and of nodes; a node whose port fails raises the former."""


def said(error: Exception) -> str:
    """What one of them says, in one line."""
    return (str(error).splitlines() or [type(error).__name__])[0].removeprefix("GenTL exception: ")


class CameraError(DarkscanError):
    """The camera answers, but does not do what it is told."""


class CameraGone(CameraError):  # noqa: N818 - it says what is the case
    """The camera does not answer any more; it may come back."""
