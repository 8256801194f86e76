"""``darkscan plan``: what a scan would be, before anything moves."""

import argparse
import json
from pathlib import Path

from darkscan.cli.models import model_of
from darkscan.cli.options import recipe_of
from darkscan.cli.output import say
from darkscan.cli.plan_text import as_data, as_text
from darkscan.pipeline.errors import ExitCode

_EPILOG = """\
examples:
  darkscan plan --rig configs/rig-area-simulated.toml
  darkscan plan --rig rig.toml --record scan.h5 --side back
  darkscan plan --rig rig.toml --json | jq '.passes[0]'

Nothing moves and nothing is written. Axes that answer are asked whether they would carry out
orders; soft limits are those that the rig file states (motion.x.limits_mm and so on):
`darkscan run` holds the plan against the records' own. The camera is not asked.
How fast windows are classified is measured on this machine, for half a second.
exit codes: 0 the scan is possible, though it may have to wait; 2 it is not, or bad input.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "plan",
        help="show what a scan would be: strips, frames, velocity, time, and what it needs",
        description="Plans the scan of a rig's element and checks what it needs of the "
        "instrument and of this machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rig", type=Path, required=True, help="a rig file")
    parser.add_argument("--recipe", type=Path, help="a recipe file (default: the embedded one)")
    parser.add_argument("--side", default="front", help="the side to inspect (default: front)")
    parser.add_argument("--record", type=Path, help="check the disk for this recording, too")
    parser.add_argument(
        "--force", action="store_true", help="use calibrations that expired or are another rig's"
    )
    parser.add_argument("--json", action="store_true", help="for programs, every frame included")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command. Raises InputError for a scan that is impossible, after showing it."""
    from darkscan.drivers.calibration import load_geometry
    from darkscan.drivers.planning import plan_scan
    from darkscan.drivers.planning.naming import naming
    from darkscan.drivers.planning.preflight import survey
    from darkscan.drivers.rig import load_rig
    from darkscan.stages.inference.rate import windows_per_s

    rig = load_rig(arguments.rig)
    recipe = recipe_of(arguments.recipe)
    geometry = load_geometry(rig, force=arguments.force)
    with naming(arguments.rig):
        plan = plan_scan(
            rig, geometry, recipe.inspection, side=arguments.side, recipe_name=recipe.name
        )
        with model_of(recipe) as model:
            rate = windows_per_s(model, recipe, plan.info)
        found = survey(plan, rig, recipe, record=arguments.record, windows_per_s=rate, asks=True)
        if arguments.json:
            say(json.dumps(as_data(plan, rig, recipe, found), indent=2))
        else:
            say(as_text(plan, rig, recipe, found))
        found.require()
    return ExitCode.OK
