"""``darkscan info``: describes a recording, or sums up a defect map."""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from darkscan.cli.map_summary import describe_map, render_map
from darkscan.cli.progress import progress_bar, say
from darkscan.drivers.recording import Recording, frame_overlap, name_frames, verify_frames
from darkscan.pipeline.core.errors import ExitCode, InputError
from darkscan.pipeline.core.map_reading import map_file, read_map
from darkscan.pipeline.core.scan import FrameFlag

_EPILOG = """\
examples:
  darkscan info scan.h5
  darkscan info scan.h5 --json | jq .frames.missing
  darkscan info scan.h5 --verify
  darkscan info results/
  darkscan info results/defect-map.json --json | jq .kinds.scratch.length_mm

Of a map: counts and lengths by kind, the ten longest scratches, where most lie together, the
areas in which nothing was traced, and what was not inspected and why. Maps of version 2 are
read, too. Recordings that were interrupted, and those that are still written, are described
as far as they are there. The file is never changed.
exit codes: 0 described; 2 bad input; 3 with --verify: frames are damaged or missing.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan info`` and its options."""
    parser = commands.add_parser(
        "info",
        help="describe a recording, or sum up a defect map",
        description="Describes a recording: the element, the camera, which frames are there. "
        "Or sums up a defect map: how many scratches, how long, where, and what was not inspected.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "path",
        metavar="RECORDING|OUT",
        type=Path,
        help="an HDF5 recording; or the folder of a run's results, or a map's .json",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--verify",
        action="store_true",
        help="read all of a recording and hold it against its checksums",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the description of a recording or of a map."""
    path: Path = arguments.path
    file = map_file(path)
    is_map = file.suffix.lower() == ".json"
    if is_map and arguments.verify:
        raise InputError("checks recordings, not maps", file=file, field="--verify")
    whole = True
    if is_map:
        description = {"file": str(file), **describe_map(read_map(file))}
        text = render_map(description)
    else:
        description = describe(path, verify=arguments.verify)
        text = render(description)
        frames = description["frames"]
        whole = not (arguments.verify and (frames["damaged"] or frames["missing"]))
    say(json.dumps(description, indent=2) if arguments.json else text)
    return ExitCode.OK if whole else ExitCode.INCOMPLETE


def describe(path: Path, *, verify: bool = False) -> dict[str, Any]:
    """The description of a recording as plain data; ``verify``: all its pixels are read.

    Raises InputError.
    """
    with Recording(path) as recording:
        damaged = dict(recording.damaged_frames)
        if verify:
            with progress_bar("verifying", "frames", len(recording.frames)) as bar:
                damaged = verify_frames(recording, bar.show)
        frames, info = recording.frames, recording.info
        absent = {*recording.missing_frames, *damaged}
        there = [meta for meta in frames if meta.frame not in absent]
        overlap = frame_overlap(info, frames)
        corners = list(zip(*(meta.position_mm for meta in frames), strict=True))
        return {
            "file": str(path),
            "bytes": path.stat().st_size,
            "complete": recording.complete,
            "shortfall": recording.shortfall,
            "warnings": list(recording.warnings),
            "verified": verify,
            "scan": info.model_dump(mode="json"),
            "frames": {
                "planned": len(frames),
                "recorded": len(there),
                "missing": list(recording.missing_frames),
                "damaged": damaged,
                **{
                    str(flag.name).lower(): [meta.frame for meta in there if meta.flags & flag]
                    for flag in (FrameFlag.LOST, FrameFlag.INCOMPLETE, FrameFlag.UNPLACED)
                },
            },
            "strips": len({meta.strip for meta in frames}),
            "positions_mm": {
                axis: [min(places), max(places)]
                for axis, places in zip("xyz", corners, strict=True)
            },
            "overlap_px": {
                "within_strips": overlap.within_strips_px,
                "between_strips": overlap.between_strips_px,
            },
        }


def render(description: dict[str, Any]) -> str:
    """The description as lines for people."""
    scan, frames = description["scan"], description["frames"]
    height, width = scan["frame_shape"]
    x, y, region_width, region_height = scan["region_mm"]
    positions = description["positions_mm"]
    overlap = description["overlap_px"]
    counts = [f"{frames['recorded']} of {frames['planned']} recorded"]
    counts += [f"{len(frames[kind])} {kind}" for kind in list(frames)[2:] if frames[kind]]
    lines = {
        "element": f"{scan['element']}, {scan['side']}",
        "size": "{:.3f} x {:.3f} mm".format(*scan["element_size_mm"]),
        "region": f"{region_width:.3f} x {region_height:.3f} mm at ({x:.3f}, {y:.3f}) mm",
        "pitch": f"{scan['pitch_um']:g} um",
        "frames": ", ".join(counts),
        "frame": f"{width}x{height} pixels, {scan['pixel_type']} with {scan['bit_depth']} bits",
        "strips": str(description["strips"]),
        "positions": ", ".join(
            f"{axis} {low:.3f} to {high:.3f}" for axis, (low, high) in positions.items()
        )
        + " mm",
        "overlap": f"{_pixels(overlap['within_strips'])} within strips, "
        f"{_pixels(overlap['between_strips'])} between strips",
        "rig": scan["rig"],
        "recipe": scan["recipe"],
        "calibration": scan["calibration"],
        "source": scan["source"],
        "file": f"{description['file']}, {description['bytes'] / 1e6:.1f} MB",
        "complete": "yes" if description["complete"] else "no",
        "checksums": _checksums(description),
    }
    text = [f"{name:<12}{value}" for name, value in lines.items() if value]
    text += [description["shortfall"]] if description["shortfall"] else []
    return "\n".join([*text, *_damage(frames["damaged"]), *map(_warning, description["warnings"])])


def _checksums(description: dict[str, Any]) -> str:
    if description["warnings"]:
        return "none"
    if not description["verified"]:
        return "yes (--verify holds the pixels against them)"
    return "yes, and all match" if not description["frames"]["damaged"] else "yes, not all match"


def _damage(damaged: dict[int, str]) -> list[str]:
    """A line for each kind of damage, with its frames."""
    by_reason = defaultdict(list)
    for frame, reason in damaged.items():
        by_reason[reason].append(frame)
    return [f"{name_frames(numbers)} damaged: {why}" for why, numbers in by_reason.items()]


def _warning(warning: str) -> str:
    return f"warning: {warning}"


def _pixels(overlap: float | None) -> str:
    if overlap is None:
        return "none"
    return f"{overlap:.1f} px" if overlap >= 0 else f"a gap of {-overlap:.1f} px"
