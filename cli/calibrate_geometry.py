"""``darkscan calibrate geometry``: where the pixels lie, by a target with a grid of dots."""

import argparse
from pathlib import Path

from darkscan.cli.calibration_options import add_options, scratch_folder, validity
from darkscan.cli.output import say
from darkscan.cli.progress_bar import progress_bar
from darkscan.drivers.rig import Rig, drawn_geometry, load_rig
from darkscan.pipeline.errors import ExitCode, InputError

_DOT_GRID = "dot-grid"

_EPILOG = """\
examples:
  darkscan calibrate geometry --rig rig.toml --spacing-mm 2 --out geometry.json
  darkscan calibrate geometry --rig rig.toml --scan target.h5 --spacing-mm 2 --out geometry.json

Clamp the target as elements are clamped: it becomes the element's coordinates. Its dots are
bright on a darker ground, on a square grid; the first one lies half a spacing from the left
and the upper rim unless --first-dot-mm says otherwise. With --scan nothing moves; the scan
was recorded before, with the geometry as drawn in the rig file. A simulated rig gets its
target, and needs no --spacing-mm.
"""


def add_parser(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = kinds.add_parser(
        "geometry",
        help="pixel pitch, rotation and the axes' scales and skew",
        description="Measures where pixels lie on the element for every position of the axes.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser, out="the geometry to write, JSON")
    parser.add_argument("--scan", type=Path, help="a recorded scan of the target")
    parser.add_argument("--spacing-mm", type=float, metavar="S", help="from dot to dot")
    parser.add_argument(
        "--first-dot-mm",
        metavar="X,Y",
        help="the first dot's centre from the element's top left corner (default: S/2,S/2)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    taken, last = validity(arguments)
    rig = load_rig(arguments.rig)
    spacing = _spacing(arguments, rig)
    first = _first_dot(arguments.first_dot_mm, spacing)

    from darkscan.drivers.calibration import (
        DotGrid,
        describe_geometry,
        measure_geometry,
        save_geometry,
    )
    from darkscan.drivers.recording import Recording

    with scratch_folder(arguments.out) as folder:
        path = arguments.scan or _scan_target(rig, arguments.rig, folder / "target.h5")
        with Recording(path) as scan, progress_bar("finding dots", "frames") as progress:
            calibration = measure_geometry(
                scan,
                rig,
                DotGrid(spacing, first),
                taken=taken,
                valid_until=last,
                progress=progress,
            )
    save_geometry(arguments.out, calibration)
    for line in describe_geometry(calibration):
        say(line)
    say(f"{arguments.out}: valid until {last}")
    return ExitCode.OK


def _scan_target(rig: Rig, rig_file: Path, out: Path) -> Path:
    from darkscan.cli.record import record_scan

    if rig.simulation is not None:
        target = rig.simulation.model_copy(update={"preset": _DOT_GRID})
        rig = rig.model_copy(update={"simulation": target})
    drawn = drawn_geometry(rig)
    return record_scan(rig, out, rig_file=rig_file, geometry=drawn, corrects=False)


def _spacing(arguments: argparse.Namespace, rig: Rig) -> float:
    spacing: float | None = arguments.spacing_mm
    if spacing is None and rig.simulation is not None:
        spacing = rig.simulation.dot_spacing_mm
    if spacing is None:
        raise InputError("is needed: the distance from dot to dot", field="--spacing-mm")
    # A dot of a few pixels, and a dozen of dots in a frame.
    pitch_mm = rig.geometry.pitch_um / 1000
    least, most = 10 * pitch_mm, min(rig.frame_shape) * pitch_mm / 3
    if not least <= spacing <= most:
        problem = f"must be from {least:g} to {most:g} mm for frames of this rig, is {spacing:g}"
        raise InputError(problem, field="--spacing-mm")
    return spacing


def _first_dot(text: str | None, spacing: float) -> tuple[float, float]:
    if text is None:
        return spacing / 2, spacing / 2
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"must be like 1,1, is {text!r}", field="--first-dot-mm") from error
    if not (abs(x) < float("inf") and abs(y) < float("inf")):
        raise InputError(f"must be finite, is {text!r}", field="--first-dot-mm")
    return x, y
