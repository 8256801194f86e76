"""``darkscan evaluate --surface``: how good a model is against what is possible."""

import argparse
import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

from darkscan.cli.options import checked_threads, model_file, require_new
from darkscan.cli.progress import progress_bar, say
from darkscan.inference.scoring import ModelScorer
from darkscan.network.classical import methods as classical_methods
from darkscan.network.classical import score_windows
from darkscan.network.classical.levels import CLIP_SIGMAS
from darkscan.network.evaluation.surface import (
    BACKGROUND,
    FULL,
    QUICK,
    SIGMA,
    Detector,
    MatchedFilter,
    Plan,
    Surface,
    draw_figure,
    half_found_table,
    measure,
    to_csv,
    to_json,
    to_markdown,
)
from darkscan.pipeline.core.errors import ExitCode, InputError
from darkscan.pipeline.core.files import write_together
from darkscan.pipeline.core.names import printable

_CSV, _JSON, _FIGURE, _REPORT = "surface.csv", "surface.json", "surface.png", "surface.md"
_MODEL, _LINE_BANK = "model", "line-bank"
_FILTER, _UNCLIPPED = "matched-filter", "unclipped-matched-filter"
_METHODS = (_MODEL, _LINE_BANK, _FILTER)
_MOST_WINDOWS = 1000
_SEED = 1

_OWN_OPTIONS = ("seed", "windows_a_point", "methods", "quick")
_OTHER_OPTIONS = (
    *("data", "checkpoint", "split", "threshold", "snr_limit"),
    *("table", "scans", "in_frames", "images", "hdu"),
)

SURFACE_EPILOG = """\
with --surface, instead of --data: straight lines are drawn in white noise, among specks, and
each method has the threshold that 0.5 % of windows without a line reach. Lengths of 12, 17, 25,
38, 60, 119, 250 px and crossing ones, at contrasts (CNR) of 2, 3, 4, 6, 12, 40 and saturated,
among 0, 5, 20 and 50 specks in 10^4 px, FWHM 2.2 px; fainter ones for SNR50, the matched-filter
signal-to-noise at which half are found; FWHM 0.8, 1.5 and 4 px, sharpened and blurred at 25 px,
60 px and crossing among 5 specks. 600 windows without a line for each number of specks and each
finish, 16 at each point: 11 040, in some ten minutes on two cores. --quick: 17, 38, 119 and
250 px, six contrasts, 0 and 20 specks, 8 windows a point, 400 without a line: 1472, a seventh.
It takes --model, --threads, --out and --force, and none of the options of data sets and
checkpoints. OUT then holds surface.md, surface.png, surface.csv and surface.json.
methods: model                     the model file, on windows that stand alone
         line-bank                 16 oriented lines of 31 px, as in `darkscan compare`
         matched-filter            the ideal observer in white noise of known level; pixels beyond
                                   4 sigma count as 4, which changes nothing without specks
         unclipped-matched-filter  the same with all of the specks' light; not run by default
"""


def add_surface_options(parser: argparse.ArgumentParser) -> None:
    """Adds --surface and the options that only it takes."""
    group = parser.add_argument_group("against what is possible, instead of a data set")
    group.add_argument(
        "--surface",
        action="store_true",
        help="measure what is found by length, contrast, specks and sharpness, beside other "
        "methods (see below)",
    )
    group.add_argument("--seed", type=int, help=f"of the windows (default: {_SEED})")
    group.add_argument(
        "--windows-a-point",
        type=int,
        metavar="N",
        help=f"default: {FULL.windows}, with --quick {QUICK.windows}",
    )
    group.add_argument(
        "--methods", metavar="A,B,...", help=f"which, in this order (default: {','.join(_METHODS)})"
    )
    group.add_argument("--quick", action="store_true", help="a seventh of the windows")


def refuse_surface_options(arguments: argparse.Namespace) -> None:
    """Raises InputError if an option is given that only --surface takes."""
    _refuse(arguments, _OWN_OPTIONS, "goes only with --surface")


def run_surface(arguments: argparse.Namespace) -> int:
    """Measures the methods on drawn windows and writes the report."""
    _refuse(arguments, _OTHER_OPTIONS, "does not go with --surface, which draws its own windows")
    plan, seed = _plan(arguments)
    names = _names(arguments)
    threads = checked_threads(arguments.threads)
    files = (arguments.out / name for name in (_CSV, _JSON, _FIGURE, _REPORT))
    require_new(*files, force=arguments.force)
    about: dict[str, Any] = {}
    with ExitStack() as stack:
        makers: dict[str, Callable[[], Detector]] = {
            _MODEL: partial(_model, arguments, threads if len(names) == 1 else 1, about, stack),
            _LINE_BANK: _line_bank,
            _FILTER: lambda: Detector(_FILTER, MatchedFilter(BACKGROUND, SIGMA, CLIP_SIGMAS)),
            _UNCLIPPED: lambda: Detector(_UNCLIPPED, MatchedFilter(BACKGROUND, SIGMA)),
        }
        detectors = [makers[name]() for name in names]
        with progress_bar("drawing and scoring", "windows") as show:
            surface = measure(detectors, plan, seed, show)
    write_together(arguments.out, _files(surface, about))
    say("SNR50, the matched-filter signal-to-noise at which half are found:")
    say("\n".join(half_found_table(surface)))
    say(f"report: {arguments.out / _REPORT}")
    return ExitCode.OK


def _refuse(arguments: argparse.Namespace, names: tuple[str, ...], problem: str) -> None:
    for name in names:
        value = getattr(arguments, name)
        if value is not None and value is not False:
            raise InputError(problem, field=f"--{name.replace('_', '-')}")


def _plan(arguments: argparse.Namespace) -> tuple[Plan, int]:
    plan = QUICK if arguments.quick else FULL
    windows, seed = arguments.windows_a_point, arguments.seed
    if windows is not None:
        if not 1 <= windows <= _MOST_WINDOWS:
            problem = f"must be from 1 to {_MOST_WINDOWS}, is {windows}"
            raise InputError(problem, field="--windows-a-point")
        plan = replace(plan, windows=windows)
    if seed is not None and seed < 0:
        raise InputError(f"must be 0 or more, is {seed}", field="--seed")
    return plan, _SEED if seed is None else seed


def _names(arguments: argparse.Namespace) -> list[str]:
    """The methods to measure, in the order given."""
    names = list(_METHODS) if arguments.methods is None else arguments.methods.split(",")
    known = (*_METHODS, _UNCLIPPED)
    for name in names:
        if name not in known:
            raise InputError(f"{name!r} is none of {', '.join(known)}", field="--methods")
    if len(set(names)) < len(names):
        raise InputError("names a method twice", field="--methods")
    if _MODEL in names and arguments.model is None:
        raise InputError("is needed, or --methods without model", field="--model")
    if _MODEL not in names and arguments.model is not None:
        raise InputError("does not name the method model, but --model is given", field="--methods")
    return names


def _model(
    arguments: argparse.Namespace, threads: int, about: dict[str, Any], stack: ExitStack
) -> Detector:
    file = stack.enter_context(model_file(arguments.model))
    scorer = ModelScorer(file, threads=threads)
    about |= {
        "file": printable(file.name),
        "hash": scorer.info.hash,
        "threshold": scorer.info.threshold,
    }
    return Detector(_MODEL, scorer, scorer.info.threshold)


def _line_bank() -> Detector:
    bank = classical_methods()[_LINE_BANK]
    return Detector(_LINE_BANK, partial(score_windows, bank))


def _files(surface: Surface, about: dict[str, Any]) -> dict[str, bytes]:
    """All files of the report by name, the report itself last."""
    content = to_json(surface, about)
    words = "Model: {file} ({hash}), own threshold {threshold:.4f}." if about else "No model."
    report = to_markdown(surface, _FIGURE, words.format(**about))
    return {
        _CSV: to_csv(surface).encode(),
        _JSON: json.dumps(content, indent=1, allow_nan=False).encode() + b"\n",
        _FIGURE: draw_figure(surface),
        _REPORT: report.encode(),
    }
