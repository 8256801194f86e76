"""``darkscan calibrate``: measures a rig's flat field and its geometry."""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from darkscan.cli.options import require_writable
from darkscan.cli.progress import progress_bar, say
from darkscan.cli.record import record_scan
from darkscan.cli.rig_scan import rig_at_work
from darkscan.drivers.calibration import (
    VALID_DAYS,
    DotGrid,
    describe_flat,
    describe_geometry,
    header_for,
    measure_flat,
    measure_geometry,
    save_flat,
    save_geometry,
    valid_until,
)
from darkscan.drivers.calibration.illumination import darkened
from darkscan.drivers.recording import Recording
from darkscan.drivers.rig import Rig, drawn_geometry, load_rig
from darkscan.pipeline.core.errors import ExitCode, InputError
from darkscan.pipeline.core.recipe import Recipe
from darkscan.pipeline.core.settings import updated
from darkscan.runs.rig_scan import ScanRequest

_LIGHT_PLACES, _DARK_PLACES = 8, 3
"""A flat field's scans take this many frames along each side of the region that they cover."""

_LIGHT_OVERLAP, _DARK_OVERLAP = 0.75, 0.0
"""Neighbouring frames of these scans overlap by this share at least. Parts of the sensor that
see the same place tell how they differ."""

_MOST_OVERLAP_PX = 4096
_DOT_GRID = "dot-grid"  # the simulated element that is a geometry's target

_EPILOG = """\
examples:
  darkscan calibrate flat --rig rig.toml --out flat.h5
  darkscan calibrate geometry --rig rig.toml --spacing-mm 2 --out geometry.json

Then name the files in the rig file:
  [calibration]
  geometry = "geometry.json"
  flat = "flat.h5"
"""


_FLAT_EPILOG = """\
examples:
  darkscan calibrate flat --rig rig.toml --out flat.h5
  darkscan calibrate flat --rig rig.toml --light light.h5 --dark dark.h5 --out flat.h5

Any element serves, as long as it moves along x and y from frame to frame: what is on it votes
itself out. The dark frames are taken with the light off, at the same exposure: by the rig
file's [illumination] switch, or given as a recording. With --light and --dark nothing moves.
"""


_GEOMETRY_EPILOG = """\
examples:
  darkscan calibrate geometry --rig rig.toml --spacing-mm 2 --out geometry.json
  darkscan calibrate geometry --rig rig.toml --scan target.h5 --spacing-mm 2 --out geometry.json

Clamp the target as elements are clamped: it becomes the element's coordinates. Its dots are
bright on a darker ground, on a square grid; the first one lies half a spacing from the left
and the upper rim unless --first-dot-mm says otherwise. With --scan nothing moves; the scan
was recorded before, with the geometry as drawn in the rig file. A simulated rig gets its
target, and needs no --spacing-mm.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan calibrate`` with its two kinds of calibration."""
    parser = commands.add_parser(
        "calibrate",
        help="measure a rig's flat field or its geometry",
        description="Measures what a rig's frames are corrected by, and where their pixels lie.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(dest="calibration", metavar="WHAT", required=True)
    flat = kinds.add_parser(
        "flat",
        help="dark level, gain and bad pixels of the camera",
        description="Measures what makes every pixel of the camera answer alike.",
        epilog=_FLAT_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_shared_options(flat, out="the flat field to write, HDF5")
    flat.add_argument("--light", type=Path, help="a recorded scan of any element")
    flat.add_argument("--dark", type=Path, help="a recorded scan with the light off")
    flat.set_defaults(run=_calibrate_flat)
    geometry = kinds.add_parser(
        "geometry",
        help="pixel pitch, rotation and the axes' scales and skew",
        description="Measures where pixels lie on the element for every position of the axes.",
        epilog=_GEOMETRY_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_shared_options(geometry, out="the geometry to write, JSON")
    geometry.add_argument("--scan", type=Path, help="a recorded scan of the target")
    geometry.add_argument("--spacing-mm", type=float, metavar="S", help="from dot to dot")
    geometry.add_argument(
        "--first-dot-mm",
        metavar="X,Y",
        help="the first dot's centre from the element's top left corner (default: S/2,S/2)",
    )
    geometry.set_defaults(run=_calibrate_geometry)


def _add_shared_options(parser: argparse.ArgumentParser, *, out: str) -> None:
    """Adds the options that both calibrations have; ``out`` describes the file they write."""
    parser.add_argument("--rig", type=Path, required=True, help="the rig file, TOML")
    parser.add_argument("--out", type=Path, required=True, help=out)
    parser.add_argument(
        "--valid-days",
        type=int,
        default=VALID_DAYS,
        metavar="N",
        help=f"how long it may be used (default: {VALID_DAYS})",
    )
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")


def _calibrate_flat(arguments: argparse.Namespace) -> int:
    """Measures the flat field from two recordings, given or taken now, and writes it."""
    taken, last = _validity(arguments)
    rig = load_rig(arguments.rig)
    light, dark = arguments.light, arguments.dark
    if dark is None and (light is not None or rig.illumination is None):
        problem = "is needed: the rig file has no [illumination] switch, or --light was given"
        raise InputError(problem, field="--dark")
    with _scratch_folder(arguments.out) as folder:
        if light is None:
            light, dark = _scan_flat(rig, arguments.rig, folder, dark)
        with (
            Recording(light) as lit,
            Recording(dark) as unlit,
            progress_bar("comparing", "frames") as progress,
        ):
            flat, quality = measure_flat(lit, unlit, rig, progress=progress)
    save_flat(arguments.out, flat, header_for(rig, taken, last))
    for line in describe_flat(quality, line=rig.camera.kind == "line"):
        say(line)
    say(f"{arguments.out}: valid until {last}")
    return ExitCode.OK


def _scan_flat(rig: Rig, rig_file: Path, folder: Path, dark: Path | None) -> tuple[Path, Path]:
    """Records the light frames in ``folder``, and the dark ones unless ``dark`` has them.

    Returns both recordings.
    """

    def take(places: int, overlap: float, out: Path) -> Path:
        part = middle_of_element(_as_if_real(rig), places, overlap=overlap)
        return _scan_as_drawn(part, rig_file, out)

    # The simulated element is rendered once for both scans.
    with rig_at_work(rig):
        light = take(_LIGHT_PLACES, _LIGHT_OVERLAP, folder / "light.h5")
        if dark is None:
            assert rig.illumination is not None, "else the dark frames were asked for"
            with darkened(rig.illumination.switch):
                dark = take(_DARK_PLACES, _DARK_OVERLAP, folder / "dark.h5")
    return light, dark


def _as_if_real(rig: Rig) -> Rig:
    """The rig as one whose scan starts no simulation: a simulated rig runs already."""
    if not rig.simulated:
        return rig
    from darkscan.simulation.rig.build import producer

    return updated(rig, camera=updated(rig.camera, producer=str(producer())), simulation=None)


def middle_of_element(rig: Rig, places: int, *, overlap: float) -> Rig:
    """The rig with a plan of about ``places`` frames a side about the middle of the element."""
    height, width = rig.frame_shape
    if rig.geometry.transposed:
        height, width = width, height
    pitch_mm = rig.geometry.pitch_um / 1000
    whole = rig.element.size_mm
    size = [
        min(side, pixels * pitch_mm * (1 + (places - 1) * (1 - overlap)))
        for side, pixels in zip(whole, (width, height), strict=True)
    ]
    region = ((whole[0] - size[0]) / 2, (whole[1] - size[1]) / 2, *size)
    overlap_px = max(rig.scan.overlap_px, min(_MOST_OVERLAP_PX, int(overlap * min(height, width))))
    return updated(
        rig,
        element=updated(rig.element, region_mm=region),
        scan=updated(rig.scan, overlap_px=overlap_px),
    )


def _calibrate_geometry(arguments: argparse.Namespace) -> int:
    """Measures the geometry from a recording of the target, given or taken now, and writes it."""
    taken, last = _validity(arguments)
    rig = load_rig(arguments.rig)
    spacing = _spacing(arguments, rig)
    first = _first_dot(arguments.first_dot_mm, spacing)
    with _scratch_folder(arguments.out) as folder:
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
    """Records the target; a simulated rig gets a dot grid for its element. Returns ``out``."""
    if rig.simulation is not None:
        rig = updated(rig, simulation=updated(rig.simulation, preset=_DOT_GRID))
    return _scan_as_drawn(rig, rig_file, out)


def _scan_as_drawn(rig: Rig, rig_file: Path, out: Path) -> Path:
    """Records a scan with the geometry as drawn and frames as they come. Returns ``out``."""
    request = ScanRequest(rig, rig_file, record=out, geometry=drawn_geometry(rig), corrects=False)
    record_scan(request, Recipe())
    return out


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


def _validity(arguments: argparse.Namespace) -> tuple[date, date]:
    """Today, and the last day on which the calibration may be used.

    Raises InputError for a bad number of days, or if nothing could be written: before
    anything moves.
    """
    out: Path = arguments.out
    if out.exists() and not (arguments.force and out.is_file()):
        raise InputError("exists already; --force overwrites files", file=out, field="--out")
    require_writable(out)
    today = datetime.now(tz=UTC).astimezone().date()
    return today, valid_until(today, arguments.valid_days)


@contextmanager
def _scratch_folder(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` for the scans, gone afterwards: scans are large."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        yield Path(folder)
