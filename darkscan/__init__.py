"""Finds weak scratches on large optics while a dark-field instrument scans them."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("darkscan")
except PackageNotFoundError:  # a source tree on the path that was never installed
    __version__ = "unknown"
