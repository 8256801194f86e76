"""What touches the rig, or stands in for it: recordings, images, the simulated element."""

if __name__.partition(".")[0] != "darkscan":
    raise ImportError(f"import darkscan.{__name__}: the folder at the top is a link")
