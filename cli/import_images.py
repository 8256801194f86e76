"""``darkscan import``: makes a recording of ordinary images."""

import argparse
import shlex
import time
from pathlib import Path

from darkscan.cli.options import add_hdu, checked_pitch
from darkscan.cli.output import say
from darkscan.cli.recording_progress import record
from darkscan.cli.tile_order import ORDERS, in_order
from darkscan.pipeline.errors import ExitCode, InputError

_EPILOG = """\
examples:
  darkscan import plate.tif --pitch-um 10 --out plate.h5
  darkscan import tile-*.png --columns 4 --pitch-um 5.5 --element "G-113" --out G-113.h5
  darkscan import image.fits --pitch-um 13 --bit-depth 16 --out image.h5

The image's top left corner becomes the element's origin, x to the right and y down. It
is cut into overlapping frames, left to right and back again; nothing of it is dropped.
PNG, TIFF, JPEG and FITS are read, grey or colour, of up to 16 bits, as they are stored
(docs/formats.md). Damaged images are refused, and those that are to be turned or hold
several. Several files are tiles of equal size, laid edge to edge, row by row. A shell
lists tile-10 before tile-2; tiles in such an order are sorted by their numbers, and it
is said. Any other order is kept.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "import",
        help="make a recording of ordinary images",
        description="Makes a recording of one image, or of several that are tiles of one, "
        "to be inspected with `darkscan replay`.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("images", metavar="IMAGE", type=Path, nargs="+", help="an image file")
    parser.add_argument(
        "--pitch-um", type=float, required=True, help="size of a pixel on the element, micrometres"
    )
    parser.add_argument("--out", type=Path, required=True, help="the recording to write")
    parser.add_argument("--element", default="", help="its name (default: the image's)")
    parser.add_argument("--side", default="front", help="the side seen (default: front)")
    parser.add_argument(
        "--columns", type=int, metavar="N", help="tiles in a row (default: all in one row)"
    )
    parser.add_argument(
        "--order",
        choices=ORDERS,
        help="of tiles: by the numbers in their names, or as given (default: by the numbers "
        "where a shell has sorted them, else as given)",
    )
    parser.add_argument(
        "--bit-depth",
        type=int,
        metavar="B",
        help="significant bits of a level (default: 8 for 8-bit images, for others the least "
        "of 10, 12, 14 and 16 that holds the highest level)",
    )
    parser.add_argument(
        "--frame", type=int, default=2048, metavar="N", help="side of a frame (default: 2048)"
    )
    add_hdu(parser)
    parser.add_argument("--force", action="store_true", help="overwrite an existing recording")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    pitch_um = checked_pitch(arguments)
    if arguments.out.exists() and not arguments.force:
        raise InputError("exists already; --force overwrites it", file=arguments.out)

    from darkscan.drivers.images import ImageScan, Mosaic

    began = time.monotonic()
    images, told = in_order(arguments.images, arguments.order)
    if told:
        say(told)
    scan = ImageScan(
        Mosaic(images, arguments.columns, hdu=arguments.hdu),
        pitch_um,
        frame=arguments.frame,
        element=arguments.element,
        side=arguments.side,
        bit_depth=arguments.bit_depth,
    )
    record(scan, arguments.out, force=arguments.force)
    took_s = time.monotonic() - began

    out, info = arguments.out, scan.info
    height, width = info.frame_shape
    mm = " x ".join(f"{side:.2f}" for side in info.element_size_mm)
    count = len(scan.frames)
    megabytes = out.stat().st_size / 1e6
    say(
        f"{out}: {count} frame{'s'[: count > 1]} of {width}x{height} pixels, {info.pixel_type} "
        f"with {info.bit_depth} bits, {megabytes:.1f} MB, in {took_s:.1f} s"
    )
    say(f"element {info.element}, {info.side}: {mm} mm, from {info.source}")
    say(f"next: darkscan replay {shlex.quote(str(out))} --out results/")
    return ExitCode.OK
