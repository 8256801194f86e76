"""What a frame shows: scratches and fibres as centre lines, digs and grains as contours."""

if __name__.partition(".")[0] != "darkscan":
    raise ImportError(f"import darkscan.{__name__}: the folder at the top is a link")

from darkscan.centrelines._search import Windows, trace_frame

__all__ = ["Windows", "trace_frame"]
