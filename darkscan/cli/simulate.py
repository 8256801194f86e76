"""``darkscan simulate``: records the scan of a simulated element, with its ground truth."""

import argparse
import re
import shlex
from pathlib import Path

from darkscan.cli.options import checked_pitch
from darkscan.cli.progress import record, say
from darkscan.pipeline.core.errors import ExitCode, InputError, StorageError
from darkscan.simulation.element import PRESETS, SimulatedScan, simulate_element, size_of_patch

_LARGEST_PX = 200_000  # two metres at 10 um

_EPILOG = """\
examples:
  darkscan simulate --out scan.h5
  darkscan simulate --frames 5x4 --seed 7 --preset dirty --out scan.h5
  darkscan simulate --size-mm 810x460 --bit-depth 12 --out whole-side.h5   (1032 frames, 9 GB)

Beside scan.h5 lies scan.truth.json: every scratch, hair and dig in pixels and mm.
The same options give the same bytes.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan simulate`` and its options."""
    parser = commands.add_parser(
        "simulate",
        help="record the scan of a simulated element, with its ground truth",
        description="Simulates a patch of a dark-field element with scratches, digs, dust and "
        "fibres, scans it and records the scan.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="the recording to write")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--frames", default="2x2", help="columns x rows of frames (default: 2x2)")
    size.add_argument("--size-mm", help="width x height of the element, instead of --frames")
    parser.add_argument("--seed", type=int, default=1, help="which element (default: 1)")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="optic", help="how dirty")
    parser.add_argument("--pitch-um", type=float, default=10.0, help="pixel size (default: 10)")
    parser.add_argument("--frame", type=int, default=2048, help="frame side, pixels")
    parser.add_argument("--bit-depth", type=int, default=8, help="8, or up to 16 (default: 8)")
    parser.add_argument("--force", action="store_true", help="overwrite an existing recording")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Records the simulated scan, and its truth beside it."""
    out: Path = arguments.out
    truth_path = out.with_suffix(".truth.json")
    for path in (out, truth_path):
        if path.exists() and not (arguments.force and path.is_file()):
            raise InputError("exists already; --force overwrites files", file=path, field="--out")
    truth = simulate_element(_size_px(arguments), arguments.seed, arguments.preset)
    scan = SimulatedScan(
        truth,
        pitch_um=arguments.pitch_um,
        frame_px=arguments.frame,
        bit_depth=arguments.bit_depth,
    )
    record(scan, out, force=arguments.force)
    try:
        truth.save(truth_path, pitch_um=arguments.pitch_um)
    except StorageError:
        out.unlink()  # a scan without its truth is of no use
        raise
    width_mm, height_mm = scan.info.element_size_mm
    say(f"{out}: {len(scan.frames)} frames of {width_mm:.2f} x {height_mm:.2f} mm")
    say(f"{truth_path}: {len(truth.scratches)} scratches, {len(truth.digs)} digs")
    say(f"next: darkscan replay {shlex.quote(str(out))} --out results/")
    return ExitCode.OK


def _size_px(arguments: argparse.Namespace) -> tuple[int, int]:
    """The element's width and height. Raises InputError naming the option that is wrong."""
    pitch, frame = checked_pitch(arguments), arguments.frame
    for name, value, least, most in (
        ("--frame", frame, 256, 16384),
        ("--bit-depth", arguments.bit_depth, 8, 16),
        ("--seed", arguments.seed, 0, 2**63),
    ):
        if not least <= value <= most:
            raise InputError(f"must be from {least} to {most}, is {value}", field=name)
    if arguments.size_mm is None:
        columns, rows = _pair(arguments.frames, r"(\d+)", "--frames")
        size = size_of_patch((int(columns), int(rows)), frame_px=frame)
    else:
        width, height = _pair(arguments.size_mm, r"(\d+(?:\.\d+)?)", "--size-mm")
        size = (round(width * 1000 / pitch), round(height * 1000 / pitch))
    field = "--frames" if arguments.size_mm is None else "--size-mm"
    if min(size) < frame or max(size) > _LARGEST_PX:
        problem = f"must give {frame} to {_LARGEST_PX} pixels a side, gives {size[0]}x{size[1]}"
        raise InputError(problem, field=field)
    return size


def _pair(text: str, number: str, field: str) -> tuple[float, float]:
    match = re.fullmatch(rf"{number}\s*[xX]\s*{number}", text.strip())
    if match is None or float(match[1]) <= 0 or float(match[2]) <= 0:
        raise InputError(f"must be like 3x2, is {text!r}", field=field)
    return float(match[1]), float(match[2])
