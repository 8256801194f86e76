"""Centre lines: the scratches within a frame's positive windows as polylines."""

from darkscan.centrelines.search import find_centrelines

__all__ = ["find_centrelines"]
