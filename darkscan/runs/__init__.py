"""Prepares a replay or a rig's scan, and runs its stages to the map."""

if __name__.partition(".")[0] != "darkscan":
    raise ImportError(f"import darkscan.{__name__}: the folder at the top is a link")
