"""``darkscan run``: scans an element with the rig, and inspects it as the frames come."""

import argparse
import re
from datetime import datetime
from pathlib import Path
from typing import Self

from rich.text import Text

from darkscan.cli.element_view import ElementPicture
from darkscan.cli.options import (
    add_host_options,
    add_remote_option,
    model_of,
    remote_fields,
)
from darkscan.cli.progress import ProgressView, say
from darkscan.cli.replay import exit_code, summary
from darkscan.cli.resuming import (
    add_resume_option,
    host_fields,
    resumed,
    resumed_fields,
    resumed_recipe,
    telling_how_to_go_on,
)
from darkscan.cli.rig_scan import KEYS, add_scan_options, checked_rescans, keys, rig_at_work
from darkscan.drivers.rig import load_rig
from darkscan.pipeline.core.errors import ExitCode, InputError
from darkscan.pipeline.core.frame_results import FrameResult
from darkscan.pipeline.core.settings import updated
from darkscan.pipeline.running.specification import RunSpec
from darkscan.pipeline.running.supervisor import Progress
from darkscan.pipeline.transport.journal import JOURNAL_NAME, JournalFollower
from darkscan.runs.resuming import Unfinished
from darkscan.runs.rig_scan import PreparedScan, ScanRequest, prepare_scan
from darkscan.runs.runner import run_to_map

_EPILOG = """\
examples:
  darkscan run --rig configs/rig-area-simulated.toml
  darkscan run --rig rig.toml --out results/ --record scan.h5 --side back --rescan 2
  darkscan run --rig rig.toml --out results/ --host tcp://10.0.0.2:5580
  darkscan run --rig rig.toml --resume results/

OUT then holds what `darkscan replay` leaves there, and scan.json: what the scan went through.
A recording made with --record, replayed, gives the same map, byte for byte.
On a terminal p holds the scan before its next step or strip, p again lets it go on; q or
Ctrl-C ends it: the axes stop, frames already taken are inspected, the rest is listed as not
inspected. q or Ctrl-C again aborts. Without a terminal: SIGUSR1 holds and lets go on, SIGINT
or SIGTERM end.
A scan that was aborted, failed or was killed goes on with --resume: what it inspected is kept,
frames that are missing are taken. The recording of one stays as it was when it broke off.
exit codes: 0 every frame was inspected; 3 the map or the recording is incomplete; 2 bad input;
1 failed.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan run`` and its options."""
    parser = commands.add_parser(
        "run",
        help="scan an element with the rig and inspect it meanwhile",
        description="Moves the element past the camera as the rig file says, inspects each frame "
        "as it comes, and writes the defect map. A simulated rig is started with it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder for the results (default: results/ELEMENT-SIDE-DATE-TIME)",
    )
    add_resume_option(parser)
    parser.add_argument("--record", type=Path, help="record the scan to this HDF5 file, too")
    add_scan_options(parser, recipe="a recipe file (default: the embedded one)")
    add_remote_option(parser)
    add_host_options(parser)
    parser.set_defaults(run=run, side=None)


def run(arguments: argparse.Namespace) -> int:
    """Scans and inspects the element, and prints the summary."""
    rescans, remote = checked_rescans(arguments), remote_fields(arguments)
    unfinished, given = resumed(arguments)
    fields, told = resumed_fields(unfinished), list[str]()
    fields |= {**host_fields(arguments), **remote}
    _check_resumable(arguments, unfinished)
    rig = load_rig(arguments.rig)
    before = "front" if unfinished is None else unfinished.spec.scan.side
    side: str = arguments.side or before
    out = given or _new_folder(rig.element.name, side)
    recipe = resumed_recipe(arguments, unfinished)
    request = ScanRequest(
        rig,
        arguments.rig,
        side=side,
        record=arguments.record,
        rescans=rescans,
        force=arguments.force,
        unfinished=unfinished,
    )
    with model_of(recipe) as model:
        scan = prepare_scan(request, recipe, model, out)
        for finding in scan.preflight.findings:
            if finding.verdict == "waits":
                say(f"{finding.name}: {finding.figures}")
        spec = updated(scan.spec, **fields)
        with (
            telling_how_to_go_on(f"run --rig {arguments.rig}", out),
            rig_at_work(rig),
            LiveView(spec) as view,
            keys(),
        ):
            defect_map = run_to_map(spec, view.show, describe=scan.live.write, tell=told.append)
    say("\n".join([summary(defect_map, out), *told]))
    return _finish(scan, view, exit_code(defect_map))


def _check_resumable(arguments: argparse.Namespace, unfinished: Unfinished | None) -> None:
    """Raises InputError for what a scan that goes on cannot be."""
    if unfinished is None:
        return
    if unfinished.spec.recording is not None:
        problem = "holds a replay: darkscan replay --resume goes on with it"
        raise InputError(problem, file=arguments.resume, field="--resume")
    if arguments.record is not None:
        problem = "a scan that goes on is not recorded: what was taken before would be missing"
        raise InputError(problem, field="--record")


def _new_folder(element: str, side: str) -> Path:
    """A folder whose name says what was scanned, and when by this computer's clock."""
    words = re.sub(r"[^\w.-]+", "-", f"{element}-{side}")
    return Path("results") / f"{words}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"


def _finish(scan: PreparedScan, view: "LiveView", code: ExitCode) -> int:
    record = scan.spec.record
    if record is None:
        return code
    reason = view.ended.get("recording")
    if reason is None:
        say(f"recording: {record}")
        return code
    say(f"recording ended early, and is readable up to there: {reason}")
    return code or ExitCode.INCOMPLETE


class LiveView:
    """The figures of a run and the picture of the element, filling in."""

    def __init__(self, spec: RunSpec) -> None:
        self._picture = ElementPicture(spec.scan, spec.model.threshold)
        self._journal = JournalFollower(spec.out_dir / JOURNAL_NAME)
        self._progress = ProgressView(spec.scan.frames_planned, picture=self._draw, hint=KEYS)
        self.ended: dict[str, str] = {}
        """Stages that ended early, and why."""

    def __enter__(self) -> Self:
        self._progress.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.__exit__(None, None, None)

    def show(self, progress: Progress) -> None:
        """Takes note of the run's state and shows it if it is time to."""
        self.ended = progress.ended
        self._progress.show(progress)

    def _draw(self, columns: int, rows: int, coloured: bool) -> Text:  # noqa: FBT001 - a Picture
        for record in self._journal.new_records():
            if isinstance(record, FrameResult):
                self._picture.add(record)
            else:
                self._picture.lose(record)
        return self._picture.render(columns, rows, colour=coloured)
