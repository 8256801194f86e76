"""``darkscan crops``: pictures of the largest defects of a map."""

import argparse
from pathlib import Path

from darkscan.cli.options import add_force_option, require_new
from darkscan.cli.progress import progress_bar, say
from darkscan.drivers.recording import Recording
from darkscan.pipeline.core.errors import ExitCode, InputError
from darkscan.pipeline.core.files import write_together
from darkscan.pipeline.core.frame_results import DEFECT_KINDS
from darkscan.pipeline.core.map_reading import map_file, read_map
from darkscan.stages.merging.crops import (
    index_of,
    largest_defects,
    name_of_picture,
    picture_of,
    require_scan_of,
)

_INDEX = "index.html"
_COUNT, _MOST = 20, 200

_EPILOG = """\
examples:
  darkscan crops results/ --scan scan.h5
  darkscan crops results/ --scan scan.h5 --kind scratch --count 50 --out scratches/

Each picture shows a defect as the camera saw it, grey levels stretched for the eye, and once more
with the outline that the map has, under its measures. index.html shows all of them, the
longest first; it needs no network.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan crops`` and its options."""
    parser = commands.add_parser(
        "crops",
        help="write pictures of the largest defects of a map",
        description="Cuts the largest defects of a map out of the recording that it was made of.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("map", metavar="OUT", type=Path, help="a folder of results, or a map")
    parser.add_argument(
        "--scan", type=Path, required=True, help="the recording that the map was made of"
    )
    parser.add_argument(
        "--count", type=int, default=_COUNT, metavar="N", help="at most (default: %(default)s)"
    )
    parser.add_argument("--kind", choices=DEFECT_KINDS, help="of one kind only")
    parser.add_argument("--out", type=Path, help="the folder to write to (default: OUT/crops)")
    add_force_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Writes a picture of each of the largest defects, and an index."""
    if not 1 <= arguments.count <= _MOST:
        problem = f"must be from 1 to {_MOST}, is {arguments.count}"
        raise InputError(problem, field="--count")
    out: Path = arguments.out or map_file(arguments.map).parent / "crops"
    require_new(out / _INDEX, force=arguments.force)
    document = read_map(arguments.map)
    defects = largest_defects(document, arguments.count, arguments.kind)
    if not defects:
        say(f"{arguments.map}: has no {arguments.kind or 'defect'}: nothing to draw")
        return ExitCode.OK
    require_new(*(out / name_of_picture(each) for each in defects), force=arguments.force)
    files = {}
    with Recording(arguments.scan) as scan:
        require_scan_of(document, scan.info, scan.frames, scan.path)
        with progress_bar("drawing", "defects", total=len(defects)) as bar:
            for defect in defects:
                files[name_of_picture(defect)] = picture_of(defect, document, scan)
                bar.advance()
    files[_INDEX] = index_of(defects, document).encode()
    write_together(out, files)
    say(f"{out / _INDEX}: {len(defects)} defect{'s'[: len(defects) != 1]}, the longest first")
    return ExitCode.OK
