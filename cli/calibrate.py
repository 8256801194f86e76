"""``darkscan calibrate``: measures what a rig's frames must be corrected by."""

import argparse

from darkscan.cli import calibrate_flat, calibrate_geometry

_EPILOG = """\
examples:
  darkscan calibrate flat --rig rig.toml --out flat.h5
  darkscan calibrate geometry --rig rig.toml --spacing-mm 2 --out geometry.json

Then name the files in the rig file:
  [calibration]
  geometry = "geometry.json"
  flat = "flat.h5"
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "calibrate",
        help="measure a rig's flat field or its geometry",
        description="Measures what a rig's frames are corrected by, and where their pixels lie.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(dest="calibration", metavar="WHAT", required=True)
    calibrate_flat.add_parser(kinds)
    calibrate_geometry.add_parser(kinds)
