"""The links between processes, and the arithmetic that all of them share.

The bottom room: it imports no other room of darkscan.
"""

if __name__.partition(".")[0] != "darkscan":
    raise ImportError(f"import darkscan.{__name__}: the folder at the top is a link")
