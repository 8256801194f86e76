"""``darkscan record``: takes a scan with the rig and records it, without inspecting."""

import argparse
from pathlib import Path

from darkscan.cli.options import model_of, recipe_of
from darkscan.cli.progress import ProgressView, say
from darkscan.cli.rig_scan import KEYS, add_scan_options, checked_rescans, keys, rig_at_work
from darkscan.drivers.recording import Recording
from darkscan.drivers.rig import load_rig
from darkscan.pipeline.core.errors import ExitCode
from darkscan.pipeline.core.recipe import Recipe
from darkscan.runs.rig_scan import ScanRequest, prepare_scan
from darkscan.runs.runner import run_without_map

_EPILOG = """\
examples:
  darkscan record --rig configs/rig-area-simulated.toml --out scan.h5
  darkscan replay scan.h5 --out results/

Keys and signals are those of `darkscan run`. Ended early, the recording holds what was taken.
exit codes: 0 every frame was recorded; 3 some were lost; 2 bad input; 1 failed.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan record`` and its options."""
    parser = commands.add_parser(
        "record",
        help="take a scan with the rig and record it, without inspecting",
        description="Moves the element past the camera as the rig file says and records the "
        "frames. A simulated rig is started with it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_scan_options(parser, recipe="the recipe whose windows frames are laid for")
    parser.add_argument("--out", type=Path, required=True, help="the recording to write")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Records the scan and says how many frames it has."""
    recipe = recipe_of(arguments.recipe)
    rig = load_rig(arguments.rig)
    request = ScanRequest(
        rig,
        arguments.rig,
        record=arguments.out,
        side=arguments.side,
        rescans=checked_rescans(arguments),
        force=arguments.force,
    )
    record_scan(request, recipe)
    with Recording(arguments.out) as recording:
        lost = sum(not meta.usable for meta in recording.frames)
        count = len(recording.frames)
    say(f"{arguments.out}: {count - lost} of {count} frames, {lost} lost")
    say(f"next: darkscan replay {arguments.out} --out results/")
    return ExitCode.INCOMPLETE if lost else ExitCode.OK


def record_scan(request: ScanRequest, recipe: Recipe) -> None:
    """Takes a scan and records it to ``request.record``; starts the simulation of a simulated rig.

    Raises DarkscanError.
    """
    with model_of(recipe) as model:
        scan = prepare_scan(request, recipe, model, out_dir=None)
    frames = scan.spec.scan.frames_planned
    with (
        rig_at_work(request.rig),
        ProgressView(frames, inspects=False, hint=KEYS) as view,
        keys(),
    ):
        run_without_map(scan.spec, view.show, describe=scan.live.write)
