"""``darkscan evaluate``: how well a model, or several checkpoints, find scratches."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from darkscan.cli.evaluate_surface import (
    SURFACE_EPILOG,
    add_surface_options,
    refuse_surface_options,
    run_surface,
)
from darkscan.cli.options import add_force_option, add_hdu, checked_threads, model_file, require_new
from darkscan.cli.progress import progress_bar, say
from darkscan.inference.scoring import ModelScorer
from darkscan.network.datasets import Dataset
from darkscan.network.evaluation import (
    DataSet,
    Evaluation,
    Rule,
    Scored,
    Scorer,
    Terms,
    evaluate,
    parse_rule,
    plain,
    score_split,
)
from darkscan.network.evaluation.element_tables import element_section, headline
from darkscan.network.evaluation.elements import ALL, DefectFigures, figures_by_preset
from darkscan.network.evaluation.in_frames import Frames, score_in_frames
from darkscan.network.evaluation.network_scorer import NetworkScorer
from darkscan.network.evaluation.report import (
    DataSummary,
    compact,
    markdown,
    on_the_grid,
    precision_recall,
    recall_over_snr,
)
from darkscan.network.evaluation.tables import (
    TableNumber,
    lay_out,
    require_row,
    to_json,
    to_markdown,
)
from darkscan.network.evaluation.windows import windows_of
from darkscan.network.metrics import threshold_for_false_positives
from darkscan.pipeline.core.errors import ExitCode, InputError
from darkscan.pipeline.core.files import write_together
from darkscan.pipeline.core.frame_results import ModelInfo
from darkscan.pipeline.core.names import printable
from darkscan.pipeline.core.recipe import Inspection
from darkscan.runs.elements import MOST_ELEMENTS, compare_elements, simulated_elements
from darkscan.runs.in_process import by_windows, examining, tracing
from darkscan.simulation.element import PRESETS

_REPORT, _METRICS = "report.md", "metrics.json"
_CURVES, _OVER_SNR = "precision-recall.png", "recall-over-snr.png"
_SPLIT, _VALIDATION = "test", "validation"
_GROW_RATE = 2e-2  # the share of backgrounds that may reach the lower threshold, as in export

_EPILOG = (
    """\
examples:
  darkscan evaluate --model default --data data.h5 --out report/ --snr-limit 6
  darkscan evaluate --model dense --data grid.h5 --in-frames --out report/
  darkscan evaluate --checkpoint a=a/checkpoint.pt b=b/checkpoint.pt --data data.h5 --out report/
  darkscan evaluate --table 3 --checkpoint resnet18=r/checkpoint.pt afn=f/checkpoint.pt \\
      --data data.h5 --out tables/
  darkscan evaluate --surface --model default --out surface/

OUT then holds report.md, metrics.json and figures; with --table also table-N.md and .json.
Thresholds are chosen on the split "validation", never on the one that is measured:
max-f1, precision=P (the lowest that reaches it), fpr=R (the lowest that at most R of the
backgrounds reach), a number, or model (the model file's own; the default with --model).

"""
    + SURFACE_EPILOG
)


@dataclass(frozen=True)
class _Detector:
    """A model file or a checkpoint to be evaluated."""

    name: str
    scorer: Scorer
    about: dict[str, Any]
    own: ModelInfo | None
    """A model file's thresholds; None for a checkpoint."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan evaluate`` and its options."""
    parser = commands.add_parser(
        "evaluate",
        help="measure how well a model or checkpoints find scratches",
        description="Measures precision, recall, F1, AUC and average precision with intervals, "
        "by contrast, length, kind and signal-to-noise; lays out the paper's tables; with "
        "--surface measures what is found of drawn lines against what is possible.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group()
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
    parser.add_argument("--data", type=Path, help="the data set")
    parser.add_argument("--split", help=f"which windows (default: {_SPLIT})")
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
        "--scans", type=int, metavar="N", help="also map N simulated elements of each preset"
    )
    parser.add_argument(
        "--scan-presets",
        metavar="A,B,...",
        help=f"of these elements (default: {','.join(PRESETS)})",
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
    add_force_option(parser)
    add_surface_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measures each detector and writes the report."""
    if arguments.surface:
        return run_surface(arguments)
    _check(arguments)
    threads = checked_threads(arguments.threads)
    data = open_data(arguments.data)
    detectors = list(_detectors(arguments, threads))
    own = None if detectors[0].own is None else detectors[0].own.threshold
    wanted = arguments.threshold or ("max-f1" if own is None else "model")
    rule = parse_rule(wanted, own)
    terms = Terms(rule, arguments.split, arguments.snr_limit)
    splits = _splits(data, arguments, rule)
    evaluations: list[Evaluation] = []
    elements: dict[str, dict[str, DefectFigures]] = {}
    for detector in detectors:
        scored = {split: _scored(data, split, detector, arguments) for split in splits}
        off_grid = len(data.split(arguments.split)) - len(scored[arguments.split])
        evaluations.append(_evaluate(detector, scored, terms, off_grid))
        if arguments.scans:
            model = _model_in_use(detector, evaluations[-1], scored.get(_VALIDATION))
            elements[detector.name] = _map_elements(detector, model, arguments)
    summary = DataSummary.of(data, arguments.data.name)
    files = _files(evaluations, elements, summary, arguments.table)
    write_together(arguments.out, files)
    say(compact(evaluations))
    for name, by_preset in elements.items():
        say(f"{name}: {headline(by_preset[ALL])}")
    if arguments.table:
        say(f"table: {arguments.out / f'table-{arguments.table}.md'}")
    say(f"report: {arguments.out / _REPORT}")
    return ExitCode.OK


def open_data(file: Path) -> DataSet:
    """Opens a data set. Raises InputError if it is none."""
    return Dataset.open(file)


def _check(arguments: argparse.Namespace) -> None:
    """Completes the options. Raises InputError if they do not go together, or files exist."""
    refuse_surface_options(arguments)
    if arguments.model is None and not arguments.checkpoint:
        raise InputError("is needed, or --checkpoint", field="--model")
    if arguments.data is None:
        raise InputError("is needed, or --surface", field="--data")
    arguments.split = arguments.split or _SPLIT
    arguments.scans = arguments.scans or 0
    limit = arguments.snr_limit
    if limit is not None and not (np.isfinite(limit) and limit >= 0):
        raise InputError(f"must be a number from 0 on, is {limit}", field="--snr-limit")
    if not 0 <= arguments.scans <= MOST_ELEMENTS:
        problem = f"must be from 0 to {MOST_ELEMENTS}, is {arguments.scans}"
        raise InputError(problem, field="--scans")
    if arguments.scan_presets is not None and not arguments.scans:
        raise InputError("is of simulated elements: --scans N", field="--scan-presets")
    arguments.scan_presets = _presets(arguments.scan_presets)
    if arguments.table and not arguments.checkpoint:
        raise InputError("is laid out from checkpoints: --checkpoint NAME=FILE", field="--table")
    if arguments.in_frames and arguments.model is None:
        raise InputError("is for a model file: export the checkpoint", field="--in-frames")
    if arguments.hdu is not None and arguments.images is None:
        raise InputError("chooses in the images of --images", field="--hdu")
    require_new(*(arguments.out / name for name in _names(arguments.table)), force=arguments.force)


def _detectors(arguments: argparse.Namespace, threads: int) -> Iterator[_Detector]:
    if arguments.model is not None:
        with model_file(arguments.model) as file:
            model = ModelScorer(file, threads=threads)
            about = {"model": model.info.name, "hash": model.info.hash}
            yield _Detector(printable(file.name), model, about, model.info)
        return
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


def _splits(data: DataSet, arguments: argparse.Namespace, rule: Rule) -> list[str]:
    """The splits to score; validation where a threshold is chosen on it."""
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
    data: DataSet, split: str, detector: _Detector, arguments: argparse.Namespace
) -> Scored:
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
    scored: dict[str, Scored],
    terms: Terms,
    off_grid: int,
) -> Evaluation:
    test, validation = scored[terms.split], scored.get(_VALIDATION)
    return evaluate(detector.name, test, validation, terms, about=detector.about, off_grid=off_grid)


def _model_in_use(
    detector: _Detector, evaluation: Evaluation, validation: Scored | None
) -> ModelInfo:
    """Thresholds for a map: the headline's, and one to grow defects by, as export has it."""
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
        kinds=own is not None and own.kinds,
    )


def _presets(given: str | None) -> list[str]:
    """The presets named, each once. Raises InputError."""
    names = list(PRESETS) if given is None else list(dict.fromkeys(given.split(",")))
    for name in names:
        if name not in PRESETS:
            problem = f"is unknown: {name!r}; known are {', '.join(PRESETS)}"
            raise InputError(problem, field="--scan-presets")
    return names


def _map_elements(
    detector: _Detector, model: ModelInfo, arguments: argparse.Namespace
) -> dict[str, DefectFigures]:
    """The figures of the elements of each preset, and of all of them."""
    scorer = detector.scorer
    if isinstance(scorer, ModelScorer):
        examine = examining(scorer, model)
    else:
        say(f"{detector.name}: a checkpoint has no line map: its lines are sought by pixels alone")
        examine = tracing(by_windows(scorer, model.window), model)
    truths = simulated_elements(arguments.scans, arguments.scan_presets)
    with progress_bar(f"{detector.name}: simulated elements", "frames") as show:
        return figures_by_preset(compare_elements(truths, examine, model, show))


def _names(number: "TableNumber | None") -> list[str]:
    """The names of all files that a report may have."""
    tables = [] if number is None else [f"table-{number}.md", f"table-{number}.json"]
    return [_REPORT, _METRICS, _CURVES, _OVER_SNR, *tables]


def _files(
    evaluations: Sequence[Evaluation],
    elements: dict[str, dict[str, DefectFigures]],
    data: DataSummary,
    number: TableNumber | None,
) -> dict[str, bytes]:
    """All files of the report by name, the report itself last."""
    files: dict[str, bytes] = {}
    if number is not None:
        rows = lay_out(number, evaluations)
        files[f"table-{number}.md"] = to_markdown(number, rows, data).encode()
        files[f"table-{number}.json"] = _json(to_json(number, rows, data))
    files[_CURVES] = precision_recall(evaluations)
    pictures = [_CURVES]
    by_snr = recall_over_snr(evaluations)
    if by_snr is not None:
        files[_OVER_SNR] = by_snr
        pictures.append(_OVER_SNR)
    metrics = {"data": data, "detectors": evaluations, "elements": elements}
    files[_METRICS] = _json(plain(metrics))
    sections = {name: element_section(by_preset) for name, by_preset in elements.items()}
    files[_REPORT] = markdown(evaluations, data, pictures, sections).encode()
    return files


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False).encode() + b"\n"
