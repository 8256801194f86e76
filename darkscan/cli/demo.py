"""``darkscan demo``: simulates a scan, inspects it, and compares the map with the truth."""

import argparse
import shutil
from pathlib import Path

from darkscan.cli.live_demo import show_live
from darkscan.cli.progress import record, say
from darkscan.cli.replay import exit_code, replay, summary
from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.core.recipe import Recipe
from darkscan.simulation.element import SimulatedScan, simulate_element, size_of_patch
from darkscan.simulation.element.comparison import Comparison, TrueLine, compare

_OUT, _LIVE_OUT = Path("out/demo"), Path("out/host")
_FRAMES = (3, 2)
_PRESET = "clean"  # scratches are few enough to tell apart by eye
_SEED = 12
_TRUTH_NAME = "truth.json"


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan demo`` and its options."""
    parser = commands.add_parser(
        "demo",
        help="simulate a scan, inspect it, and compare the map with the truth",
        description="Simulates a scan of a patch of an element, replays it on the embedded "
        "defaults and prints the defects found against the true ones. Some seconds. Or, with "
        "--live, starts a host computer here and has one scan after the other fill in on its page.",
    )
    parser.add_argument(
        "--out", type=Path, help=f"where (default: {_OUT}; with --live: {_LIVE_OUT})"
    )
    parser.add_argument("--seed", type=int, default=_SEED, help=f"which element ({_SEED})")
    parser.add_argument(
        "--live",
        action="store_true",
        help="a host computer and its page, until Ctrl-C (needs the extra host)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Simulates, inspects, and prints found against true scratches; or shows it live."""
    if arguments.live:
        return show_live(arguments.out or _LIVE_OUT, arguments.seed)
    out: Path = arguments.out or _OUT
    _make_room(out)
    truth = simulate_element(size_of_patch(_FRAMES), arguments.seed, _PRESET)
    scan = SimulatedScan(truth)
    say(f"simulating {len(scan.frames)} frames of an element (seed {arguments.seed}) ...")
    truth.save(out / _TRUTH_NAME, pitch_um=scan.info.pitch_um)  # also marks the folder as ours
    record(scan, out / "scan.h5", force=True)
    say("inspecting them: acquisition, preprocessing, classification, merging ...")
    defect_map = replay(out / "scan.h5", out / "map", Recipe())
    say(_table(compare(truth, defect_map)))
    width, height = defect_map.element.size_mm
    marked = defect_map.totals.areas_mm2 / (width * height)
    say(f"areas in which the model saw scratches: {marked:.1%} of the element\n")
    say(summary(defect_map, out / "map"))
    say(f"drawing in mm: {out / 'map' / 'defect-map.svg'}")
    say(f"trace:         {out / 'map' / 'trace.json'} (open in ui.perfetto.dev)")
    say(f"timings:       darkscan profile {out / 'map'}")
    say("live:          make host (darkscan demo --live): scans as they fill in, on a page")
    return exit_code(defect_map)


def _make_room(out: Path) -> None:
    """Clears away an earlier demo; refuses a folder that holds anything else."""
    if out.is_dir() and any(out.iterdir()) and not (out / _TRUTH_NAME).exists():
        raise InputError("is not empty and holds no earlier demo", file=out, field="--out")
    try:
        shutil.rmtree(out / "map", ignore_errors=True)
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(out, error) from error


def _table(comparison: Comparison) -> str:
    lines = [
        "",
        "true scratch    length mm  brightness  in the map  length  ends off px  width  as",
    ]
    for scratch in comparison.scratches:
        name = f"{scratch.trace.id:>3} {scratch.trace.kind}"
        ids = ", ".join(f"{d.id} ({share:.0%})" for d, share in scratch.lines) or "-"
        lines.append(
            f"{name:<16}{scratch.length_mm:>8.2f}  {scratch.amplitude:>10.1f}  "
            f"{_outcome(scratch):<10}  {_against(scratch)}  {ids}"
        )
    found_count = sum(scratch.found for scratch in comparison.scratches)
    lines.append(f"found {found_count} of {len(comparison.scratches)} true scratches one to one")
    lines.append(
        f"scratches of {comparison.length_mm:.2f} mm in the map, {comparison.false_mm:.2f} mm of "
        f"them on none; the true ones measure {comparison.true_mm:.2f} mm"
    )
    for each in comparison.defects:
        if not each.right:
            (x, y), kind = each.defect.centroid_mm, each.defect.kind
            shows = "nothing" if each.cause == "nothing" else f"a true {each.cause}"
            lines.append(
                f"{each.defect.id} at ({x:.2f}, {y:.2f}) mm is no {kind}: it shows {shows}"
            )
    return "\n".join(lines)


def _outcome(scratch: TrueLine) -> str:
    if scratch.found:
        return "merged" if scratch.merged else "yes"
    if scratch.mistaken:
        return "as fibre"
    return "in parts" if scratch.split else "MISSED"


def _against(scratch: TrueLine) -> str:
    """How long the line is against the true one, how far off its ends are, how wide it is."""
    if scratch.one is None:
        return f"{'-':>6}  {'-':>11}  {'-':>5}"
    one = scratch.one
    ends = " and ".join(f"{end:.0f}" for end in one.ends_px)
    return f"{one.length_ratio:>6.0%}  {ends:>11}  {one.width_ratio:>5.0%}"
