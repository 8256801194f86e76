"""What the bindings to GenTL and GenApi raise."""

from genicam import genapi, gentl

GENICAM_ERRORS = (gentl.GenericException, genapi.GenericException)
"""Of a producer's functions, and of nodes; a node whose port fails raises the former."""
