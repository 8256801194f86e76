"""``darkscan evaluate``: how well a model, or several checkpoints, find scratches."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from darkscan.cli.models import model_file
from darkscan.cli.options import add_hdu, checked_threads, require_writable
from darkscan.cli.output import say
from darkscan.cli.progress_bar import progress_bar
from darkscan.cli.scoring import ModelScorer
from darkscan.pipeline.errors import ExitCode, InputError
from darkscan.pipeline.names import printable
from darkscan.pipeline.recipe import Inspection
from darkscan.pipeline.results import ModelInfo
from darkscan.pipeline.storage import write_together

if TYPE_CHECKING:
    from darkscan.network.evaluation import DataSet, Evaluation, Rule, Scored, Scorer
    from darkscan.network.evaluation.elements import DefectFigures
    from darkscan.network.evaluation.paper import TableNumber
    from darkscan.network.evaluation.report import DataSummary

_VALIDATION = "validation"
_GROW_RATE = 2e-2  # of validation's backgrounds may reach the threshold to grow, as in export
_MOST_SCANS = 1000

_EPILOG = """\
examples:
  darkscan evaluate --model default --data data.h5 --out report/ --snr-limit 6
  darkscan evaluate --model dense --data grid.h5 --in-frames --out report/
  darkscan evaluate --checkpoint a=a/checkpoint.pt b=b/checkpoint.pt --data data.h5 --out report/
  darkscan evaluate --table 3 --checkpoint resnet18=r/checkpoint.pt afn=f/checkpoint.pt \\
      --data data.h5 --out tables/

OUT then holds report.md, metrics.json and figures; with --table also table-N.md and .json.
Thresholds are chosen on the split "validation", never on the one that is measured:
max-f1, precision=P (the lowest that reaches it), fpr=R (the lowest that at most R of the
backgrounds reach), a number, or model (the model file's own; the default with --model).
"""


@dataclass(frozen=True)
class _Detector:
    """What is evaluated."""

    name: str
    scorer: "Scorer"
    about: dict[str, Any]
    own: ModelInfo | None
    """Of a model file: its thresholds."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "evaluate",
        help="measure how well a model or checkpoints find scratches",
        description="Measures precision, recall, F1, AUC and average precision with intervals, "
        "by contrast, length, kind and signal-to-noise; lays out the paper's tables.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--model", type=Path, metavar="FILE", help="a model file, or a shipped one's name"
    )
    what.add_argument(
        "--checkpoint",
        nargs="+",
        action="extend",
        metavar="[NAME=]FILE",
        help="checkpoints of trainings",
    )
    parser.add_argument("--data", type=Path, required=True, help="the data set")
    parser.add_argument("--split", default="test", help="which windows (default: test)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the report")
    parser.add_argument(
        "--threshold", metavar="RULE", help="see below (default: max-f1 for checkpoints)"
    )
    parser.add_argument(
        "--snr-limit",
        type=float,
        metavar="X",
        help="leave out scratches of less matched-filter signal-to-noise",
    )
    parser.add_argument(
        "--table", type=int, choices=(2, 3), help="lay out the paper's Table II or III"
    )
    parser.add_argument(
        "--scans", type=int, default=0, metavar="N", help="also map N simulated elements"
    )
    parser.add_argument(
        "--in-frames",
        action="store_true",
        help="score windows in their whole images, as a scan does, and only those on its grid "
        "(dense models always are)",
    )
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="where images lie that are not simulated"
    )
    add_hdu(parser)
    parser.add_argument("--threads", type=int, help="of the network (default: all cores)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from darkscan.network.evaluation import parse_rule
    from darkscan.network.evaluation.report import DataSummary, compact

    _check(arguments)
    threads = checked_threads(arguments.threads)
    data = open_data(arguments.data)
    detectors = list(_detectors(arguments, threads))
    own = None if detectors[0].own is None else detectors[0].own.threshold
    wanted = arguments.threshold or ("max-f1" if own is None else "model")
    rule = parse_rule(wanted, own)
    splits = _splits(data, arguments, rule)
    evaluations: list[Evaluation] = []
    elements: dict[str, DefectFigures] = {}
    for detector in detectors:
        scored = {split: _scored(data, split, detector, arguments) for split in splits}
        off_grid = len(data.split(arguments.split)) - len(scored[arguments.split])
        evaluations.append(_evaluate(detector, scored, rule, arguments, off_grid))
        if arguments.scans:
            model = _model_in_use(detector, evaluations[-1], scored.get(_VALIDATION))
            elements[detector.name] = _map_elements(detector, model, arguments.scans)
    summary = DataSummary.of(data, arguments.data.name)
    files = _files(evaluations, elements, summary, arguments.table)
    write_together(arguments.out, files)
    say(compact(evaluations))
    for name, figures in elements.items():
        say(
            f"{name}: {figures.found.hits} of {figures.found.count} true scratches found, "
            f"{figures.false_per_dm2.value:.1f} false defects per dm2"
        )
    if arguments.table:
        say(f"table: {arguments.out / f'table-{arguments.table}.md'}")
    say(f"report: {arguments.out / 'report.md'}")
    return ExitCode.OK


def open_data(file: Path) -> "DataSet":
    """Opens a data set. Raises InputError if it is none."""
    from darkscan.network.datasets import Dataset

    return Dataset.open(file)


def _check(arguments: argparse.Namespace) -> None:
    limit = arguments.snr_limit
    if limit is not None and not (np.isfinite(limit) and limit >= 0):
        raise InputError(f"must be a number from 0 on, is {limit}", field="--snr-limit")
    if not 0 <= arguments.scans <= _MOST_SCANS:
        problem = f"must be from 0 to {_MOST_SCANS}, is {arguments.scans}"
        raise InputError(problem, field="--scans")
    if arguments.table and not arguments.checkpoint:
        raise InputError("is laid out from checkpoints: --checkpoint NAME=FILE", field="--table")
    if arguments.in_frames and arguments.model is None:
        raise InputError("is for a model file: export the checkpoint", field="--in-frames")
    if arguments.hdu is not None and arguments.images is None:
        raise InputError("chooses in the images of --images", field="--hdu")
    require_writable(arguments.out / "report.md")


def _detectors(arguments: argparse.Namespace, threads: int) -> Iterator[_Detector]:
    if arguments.model is not None:
        with model_file(arguments.model) as file:
            model = ModelScorer(file, threads=threads)
            about = {"model": model.info.name, "hash": model.info.hash}
            yield _Detector(printable(file.name), model, about, model.info)
        return
    from darkscan.network.evaluation.scoring import NetworkScorer
    from darkscan.network.evaluation.tables import require_row
    from darkscan.network.variants import DENSE

    names: set[str] = set()
    for text in arguments.checkpoint:
        name, file = _named(text)
        network = NetworkScorer(file, threads=threads)
        if network.network == DENSE:
            problem = f"holds {DENSE}, which is judged in whole images: export it for --model"
            raise InputError(problem, file=file, field="--checkpoint")
        if arguments.table and name not in {"", network.network}:
            problem = f"is a checkpoint of {network.network!r}, not of {name!r}"
            raise InputError(problem, file=file, field="--checkpoint")
        if arguments.table:
            require_row(arguments.table, network.network)
        unique = name = name or network.network
        for number in range(2, len(names) + 2):
            unique = unique if unique not in names else f"{name} ({number})"
        names.add(unique)
        yield _Detector(unique, network, network.about, None)


def _named(text: str) -> tuple[str, Path]:
    """Name and file of ``NAME=FILE``, or of a FILE alone."""
    name, equals, file = text.partition("=")
    if not equals or "/" in name:
        return "", Path(text)
    return name, Path(file)


def _splits(data: "DataSet", arguments: argparse.Namespace, rule: "Rule") -> list[str]:
    """The splits to score; validation where a threshold is chosen on it."""
    from darkscan.network.evaluation.windows import windows_of

    splits = [arguments.split]
    if rule.needs_validation or _VALIDATION in data.splits:
        splits.append(_VALIDATION)
    try:
        for split in splits:
            windows_of(data, split)
    except InputError as error:
        raise InputError(error.problem, file=arguments.data, field=error.field) from error
    return list(dict.fromkeys(splits))


def _scored(
    data: "DataSet", split: str, detector: _Detector, arguments: argparse.Namespace
) -> "Scored":
    from darkscan.network.evaluation import score_split
    from darkscan.network.evaluation.in_frames import Frames, score_in_frames
    from darkscan.network.evaluation.report import on_the_grid

    model = detector.scorer
    with progress_bar(f"{detector.name}: scoring {split}", "windows") as show:
        if isinstance(model, ModelScorer) and (model.dense or arguments.in_frames):
            windows = data.split(split)
            frames = Frames(windows.full_scale, arguments.images, arguments.hdu)
            scored = score_in_frames(windows, model, frames, show=show)
        else:
            scored = score_split(data, split, model, show=show)
    left_out = len(data.split(split)) - len(scored)
    if left_out:
        say(f"{detector.name}, {split}: {on_the_grid(len(scored), len(scored) + left_out)}")
    return scored


def _evaluate(
    detector: _Detector,
    scored: "dict[str, Scored]",
    rule: "Rule",
    arguments: argparse.Namespace,
    off_grid: int,
) -> "Evaluation":
    from darkscan.network.evaluation import evaluate

    return evaluate(
        detector.name,
        scored[arguments.split],
        scored.get(_VALIDATION),
        rule,
        split=arguments.split,
        snr_limit=arguments.snr_limit,
        about=detector.about,
        off_grid=off_grid,
    )


def _model_in_use(
    detector: _Detector, evaluation: "Evaluation", validation: "Scored | None"
) -> ModelInfo:
    """Thresholds for a map: the headline's, and one to grow defects by, as export has it."""
    from darkscan.network.validation import threshold_for_false_positives

    threshold = min(max(evaluation.headline.threshold, 0.0), 1.0)
    own = detector.own
    if own is not None and own.threshold == threshold:
        return own
    grow = threshold
    if validation is not None:
        labels = validation.labels.astype(np.int64)
        grow = threshold_for_false_positives(validation.scores, labels, _GROW_RATE)
    inspection = Inspection()
    return ModelInfo(
        name=detector.name,
        hash=str(detector.about.get("hash", "")),
        window=inspection.window,
        stride=inspection.stride,
        threshold=threshold,
        grow_threshold=min(grow, threshold),
    )


def _map_elements(detector: _Detector, model: ModelInfo, count: int) -> "DefectFigures":
    from darkscan.cli.simulated_elements import inspect_elements
    from darkscan.network.evaluation.elements import measure

    with progress_bar(f"{detector.name}: simulated elements", "frames") as show:
        return measure(inspect_elements(count, detector.scorer, model, show))


def _files(
    evaluations: "Sequence[Evaluation]",
    elements: "dict[str, DefectFigures]",
    data: "DataSummary",
    number: "TableNumber | None",
) -> dict[str, bytes]:
    """All files of the report by name, the report itself last."""
    from darkscan.network.evaluation import plain
    from darkscan.network.evaluation.plots import precision_recall, recall_over_snr
    from darkscan.network.evaluation.report import markdown
    from darkscan.network.evaluation.tables import lay_out, to_json, to_markdown

    files: dict[str, bytes] = {}
    if number is not None:
        rows = lay_out(number, evaluations)
        files[f"table-{number}.md"] = to_markdown(number, rows, data).encode()
        files[f"table-{number}.json"] = _json(to_json(number, rows, data))
    files["precision-recall.png"] = precision_recall(evaluations)
    pictures = ["precision-recall.png"]
    by_snr = recall_over_snr(evaluations)
    if by_snr is not None:
        files["recall-over-snr.png"] = by_snr
        pictures.append("recall-over-snr.png")
    metrics = {"data": data, "detectors": evaluations, "elements": elements}
    files["metrics.json"] = _json(plain(metrics))
    files["report.md"] = markdown(evaluations, data, pictures, elements).encode()
    return files


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False).encode() + b"\n"
