"""What the bindings to GenTL and GenApi raise."""

from genicam import genapi, gentl

GENICAM_ERRORS = (gentl.GenericException, genapi.GenericException)
"""Of a producer's functions, and of nodes; a node whose port fails raises the former."""


def said(error: Exception) -> str:
    """What one of them says, in one line."""
    return (str(error).splitlines() or [type(error).__name__])[0].removeprefix("GenTL exception: ")
