"""``darkscan simulate``: records the scan of a simulated element, with its ground truth."""

import argparse
import re
from pathlib import Path

from darkscan.cli.output import say
from darkscan.cli.recording_progress import record
from darkscan.drivers.simulation import PRESETS, SimulatedScan, simulate_element, size_of_patch
from darkscan.pipeline.errors import ExitCode, InputError

_EPILOG = """\
examples:
  darkscan simulate --out scan.h5
  darkscan simulate --frames 5x4 --seed 7 --preset dirty --out scan.h5
  darkscan simulate --size-mm 810x460 --bit-depth 12 --out whole-side.h5   (1032 frames, 9 GB)

Beside scan.h5 lies scan.truth.json: every scratch, hair and dig in pixels and mm.
The same options give the same bytes.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
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
    """Runs the command."""
    pitch = arguments.pitch_um
    if not 0 < pitch < float("inf"):
        raise InputError(
            f"must be a positive number of micrometres, is {pitch}", field="--pitch-um"
        )
    if arguments.size_mm:
        width, height = _pair(arguments.size_mm, "--size-mm")
        size_px = (round(width * 1000 / pitch), round(height * 1000 / pitch))
    else:
        columns, rows = _pair(arguments.frames, "--frames")
        size_px = size_of_patch((int(columns), int(rows)), frame_px=arguments.frame)
    truth = simulate_element(size_px, arguments.seed, arguments.preset)
    scan = SimulatedScan(
        truth, pitch_um=pitch, frame_px=arguments.frame, bit_depth=arguments.bit_depth
    )
    record(scan, arguments.out, force=arguments.force)
    truth_path = arguments.out.with_suffix(".truth.json")
    truth.save(truth_path, pitch_um=pitch)
    width_mm, height_mm = scan.info.element_size_mm
    say(f"{arguments.out}: {len(scan.frames)} frames of {width_mm:.2f} x {height_mm:.2f} mm")
    say(f"{truth_path}: {len(truth.scratches)} scratches, {len(truth.digs)} digs")
    say(f"next: darkscan replay {arguments.out} --out results/")
    return ExitCode.OK


def _pair(text: str, field: str) -> tuple[float, float]:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*[xX]\s*(\d+(?:\.\d+)?)", text.strip())
    if match is None or float(match[1]) <= 0 or float(match[2]) <= 0:
        raise InputError(f"must be like 3x2, is {text!r}", field=field)
    return float(match[1]), float(match[2])
