"""Centre lines: the scratches within a frame's positive windows as polylines."""

if __name__.partition(".")[0] != "darkscan":
    raise ImportError(f"import darkscan.{__name__}: the folder at the top is a link")

from darkscan.centrelines._search import find_centrelines

__all__ = ["find_centrelines"]
