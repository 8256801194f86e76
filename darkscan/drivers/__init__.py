"""Drivers of everything outside: cameras, axes, rig files, recordings and images."""

if __name__.partition(".")[0] != "darkscan":
    raise ImportError(f"import darkscan.{__name__}: the folder at the top is a link")
