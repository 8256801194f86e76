"""``darkscan doctor``: looks at this computer for all that darkscan needs, and says what to do."""

import argparse
import json
import logging
import sys
from collections import Counter
from pathlib import Path

import structlog
from rich.console import Console
from rich.text import Text

from darkscan.cli.host import LISTEN, WEB
from darkscan.cli.options import model_of, recipe_of
from darkscan.cli.progress import say
from darkscan.doctor import Finding, Level, Subject, counted, examine
from darkscan.pipeline.core.errors import ExitCode
from darkscan.pipeline.core.names import as_text

_EPILOG = """\
examples:
  darkscan doctor
  darkscan doctor --rig rig.toml --host tcp://10.0.0.5:5580     on a rig
  darkscan doctor --store /data/darkscan                        on the host computer

Each line is ok, a note (good to know) or a problem, with what to do about it. Nothing is
changed: no axis moves, no camera is opened, nothing is removed. Disks are written to for two
seconds to see how fast they are.
exit codes: 0 no problem; 1 at least one; 2 an option cannot be used.
"""
_COLOURS: dict[Level, str] = {"ok": "green", "note": "yellow", "problem": "bold red"}
_SUBJECT_COLUMNS = 14


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan doctor`` and its options."""
    parser = commands.add_parser(
        "doctor",
        help="look at this computer for all that darkscan needs, and say what to do",
        description="Looks at this computer for all that darkscan needs: packages, cameras' "
        "producers, GPUs and backends, shared memory, disks, clock, ports, keys, limits.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rig", type=Path, help="a rig file: look for what it needs, too")
    parser.add_argument("--recipe", type=Path, help="a recipe file (default: the embedded one)")
    parser.add_argument(
        "--out", type=Path, default=Path(), help="where results will go (default: this folder)"
    )
    parser.add_argument(
        "--host", metavar="ADDRESS", help="a host computer: does it let this one in?"
    )
    parser.add_argument("--host-key", default="", help="its public key, or the name of it here")
    parser.add_argument(
        "--store", type=Path, metavar="DIR", help="this is the host computer, and keeps scans there"
    )
    parser.add_argument(
        "--listen", default=LISTEN, help=f"where its link listens (default: {LISTEN})"
    )
    parser.add_argument("--web", default=WEB, help=f"where its page is (default: {WEB})")
    parser.add_argument(
        "--insecure", action="store_true", help="the link is, or will be, without keys"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints each finding as it is made, and how many problems there are."""
    # What goes wrong is told by the findings, once.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    recipe = recipe_of(arguments.recipe)
    found: list[Finding] = []
    console = Console(file=sys.stdout)
    with model_of(recipe) as model:
        subject = Subject(
            recipe,
            model,
            arguments.out,
            rig_file=arguments.rig,
            host=arguments.host,
            host_key=arguments.host_key,
            insecure=arguments.insecure,
            store=arguments.store,
            listen=arguments.listen,
            web=arguments.web,
        )
        for finding in examine(subject):
            found.append(finding)
            if not arguments.json:
                _show(finding, console)
    levels = Counter(finding.level for finding in found)
    if arguments.json:
        say(json.dumps([finding._asdict() for finding in found], indent=2))
    else:
        say(f"\n{counted(levels['problem'], 'problem')}, {counted(levels['note'], 'note')}")
    return ExitCode.FAILED if levels["problem"] else ExitCode.OK


def _show(finding: Finding, console: Console) -> None:
    """One line; and one more for what to do."""
    level, subject = finding.level, finding.subject
    lines = [f"{level:<9}{subject:<{_SUBJECT_COLUMNS}}{finding.text}"]
    if finding.advice:
        lines.append(f"{'':<9}{'':<{_SUBJECT_COLUMNS}}-> {finding.advice}")
    if not console.is_terminal:
        say("\n".join(lines))
        return
    text = Text(as_text("\n".join(lines)), no_wrap=False)
    text.stylize(_COLOURS[level], 0, len(level))
    console.print(text, soft_wrap=True)
