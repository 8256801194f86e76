"""``darkscan calibrate flat``: dark level, gain and bad pixels of the camera."""

import argparse
from pathlib import Path

from darkscan.cli.calibration_options import add_options, scratch_folder, validity
from darkscan.cli.output import say
from darkscan.cli.progress_bar import progress_bar
from darkscan.drivers.rig import Rig, drawn_geometry, load_rig
from darkscan.pipeline.errors import ExitCode, InputError

_LIGHT_PLACES, _DARK_PLACES = 8, 3
"""Frames along each side of the region that is scanned for it."""

_LIGHT_OVERLAP, _DARK_OVERLAP = 0.75, 0.0
"""At the least. Parts of the sensor that see the same place tell how they differ."""

_MOST_OVERLAP_PX = 4096

_EPILOG = """\
examples:
  darkscan calibrate flat --rig rig.toml --out flat.h5
  darkscan calibrate flat --rig rig.toml --light light.h5 --dark dark.h5 --out flat.h5

Any element serves, as long as it moves along x and y from frame to frame: what is on it votes
itself out. The dark frames are taken with the light off, at the same exposure: by the rig
file's [illumination] switch, or given as a recording. With --light and --dark nothing moves.
"""


def add_parser(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = kinds.add_parser(
        "flat",
        help="dark level, gain and bad pixels of the camera",
        description="Measures what makes every pixel of the camera answer alike.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser, out="the flat field to write, HDF5")
    parser.add_argument("--light", type=Path, help="a recorded scan of any element")
    parser.add_argument("--dark", type=Path, help="a recorded scan with the light off")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    taken, last = validity(arguments)
    rig = load_rig(arguments.rig)
    light, dark = arguments.light, arguments.dark
    if dark is None and (light is not None or rig.illumination is None):
        problem = "is needed: the rig file has no [illumination] switch, or --light was given"
        raise InputError(problem, field="--dark")

    from darkscan.drivers.calibration import describe_flat, header_for, measure_flat, save_flat
    from darkscan.drivers.recording import Recording

    with scratch_folder(arguments.out) as folder:
        if light is None:
            light, dark = _scan(rig, arguments.rig, folder, dark)
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


def _scan(rig: Rig, rig_file: Path, folder: Path, dark: Path | None) -> tuple[Path, Path]:
    """Takes the light frames, and the dark ones unless they are there: both recordings."""
    from darkscan.cli.record import record_scan
    from darkscan.cli.rig_scan import rig_at_work
    from darkscan.drivers.calibration.illumination import darkened

    def take(places: int, overlap: float, out: Path) -> Path:
        part = middle_of_element(as_if_real(rig), places, overlap=overlap)
        drawn = drawn_geometry(rig)
        return record_scan(part, out, rig_file=rig_file, geometry=drawn, corrects=False)

    # The simulated element is rendered once for both scans.
    with rig_at_work(rig):
        light = take(_LIGHT_PLACES, _LIGHT_OVERLAP, folder / "light.h5")
        if dark is None:
            assert rig.illumination is not None, "else the dark frames were asked for"
            with darkened(rig.illumination.switch):
                dark = take(_DARK_PLACES, _DARK_OVERLAP, folder / "dark.h5")
    return light, dark


def as_if_real(rig: Rig) -> Rig:
    """A rig that is scanned without being started: a simulated one runs already."""
    if not rig.simulated:
        return rig
    from darkscan.drivers.simulated_rig.build import producer

    camera = rig.camera.model_copy(update={"producer": str(producer())})
    return rig.model_copy(update={"camera": camera, "simulation": None})


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
    return rig.model_copy(
        update={
            "element": rig.element.model_copy(update={"region_mm": region}),
            "scan": rig.scan.model_copy(update={"overlap_px": overlap_px}),
        }
    )
