"""The errors that the bindings to GenTL and GenApi raise; importing this loads the bindings."""

from genicam import genapi, gentl

GENICAM_ERRORS = (gentl.GenericException, genapi.GenericException)
"""A producer's functions raise the former, nodes the latter; a failing port raises the former."""


def said(error: Exception) -> str:
    """The message of a GenICam error in one line."""
    return (str(error).splitlines() or [type(error).__name__])[0].removeprefix("GenTL exception: ")
