r"""Measures models on real frames whose scratches were drawn by eye, against the line bank.

    python benchmarks/real_frames.py --frames DIR --out out/real-frames
    python benchmarks/real_frames.py --model default --model mine.onnx --frames DIR --out out/both

DIR holds the frames and polylines.json (network/evaluation/polylines.py has its form); without
--frames it is the folder optics within $DARKSCAN_REAL_IMAGES. All is measured twice: on the
frames raw, and flat-fielded: each less the trimmed mean over all frames of (frame - its
median), times two, rounded and clipped to the frames' range.

Windows of 256 px at half steps are positive if --shortest pixels or more of a clear or faint
line lie in them, negative if no part of any line does, be it unsure; others judge nothing.
Precision and recall are at the model's own threshold, with and without what a window learns of
its neighbours. The line bank is given each window alone.

Scratches are sought in the defect map of each frame, made as a replay makes it: found is a
line of which half or more lies along lines of the map, within 6 px; as one line, if exactly
one of them lies along half or more; split, if two or more each lie along a fifth. A line of the
map merges if it lies along half or more of two drawn ones whose ends do not touch. False is a
scratch of the map that stays further than 8 px from everything drawn. How much of all its
scratches' length does is told as well: a line may leave a scratch. Hairs are not drawn: fibres
of the map are only counted.

Light from beyond: negative windows are scored in their frame, cut out of it, and, where they
lie on one side of the sensor's step between two taps (--step), in the frame cut there.

Written are real-frames.md, real-frames.json, windows.csv (every window's scores) and a sheet
of the raw frames for each model, to be looked at.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from figures import exit_code_of, machine
from frame_results import ByModel, FrameSet, Results, by_bank, by_model
from frame_sheet import Tile, sheet
from frame_tables import data, markdown, windows_csv

from darkscan.cli.options import add_force_option, checked_threads, model_file, require_new
from darkscan.cli.progress import progress_bar
from darkscan.inference.scoring import ModelScorer
from darkscan.network.evaluation import plain
from darkscan.network.evaluation.labelled_frames import (
    TRIM,
    LabelledFrame,
    flat_fielded,
    read_frames,
)
from darkscan.network.evaluation.polylines import SHORTEST_PX
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.files import write_together

RAW, FLAT = "raw", "flat-fielded"
TABLE, DATA, WINDOWS = "real-frames.md", "real-frames.json", "windows.csv"


def run(arguments: argparse.Namespace) -> None:
    """Measures and writes. Raises InputError, StorageError."""
    models = _models(arguments.model or ["default"])
    sheets = {name: f"frames-{name}.png" for name in models}
    names = (TABLE, DATA, WINDOWS, *sheets.values())
    require_new(*(arguments.out / name for name in names), force=arguments.force)
    if arguments.shortest <= 0:
        raise InputError(f"must be above 0, is {arguments.shortest:g}", field="--shortest")
    scorers = {
        name: _scorer(given, checked_threads(arguments.threads)) for name, given in models.items()
    }
    frames = read_frames(frames_folder(arguments.frames))
    sets = [
        FrameSet(name, some, [f.lines.labels(f.origins, arguments.shortest) for f in some])
        for name, some in ((RAW, frames), (FLAT, flat_fielded(frames, arguments.trim)))
    ]
    with progress_bar("measuring", "frames", (len(scorers) + 1) * 2 * len(frames)) as bar:
        results = Results(
            [
                by_model(name, scorer, each, arguments.step or None, bar.advance)
                for name, scorer in scorers.items()
                for each in sets
            ],
            [by_bank(each, bar.advance) for each in sets],
        )
    terms = _terms(arguments, scorers, frames)
    contents = {
        **{sheets[m.model]: _sheet(m) for m in results.models if m.of.treatment == RAW},
        WINDOWS: windows_csv(results).encode(),
        DATA: json.dumps(plain(data(results, terms)), indent=1).encode(),
        TABLE: markdown(results, terms).encode(),
    }
    write_together(arguments.out, contents)
    print(contents[TABLE].decode())
    print(", ".join(str(arguments.out / name) for name in contents))


def _models(given: Sequence[str]) -> dict[str, str]:
    """The models by the names of their files. Raises InputError if two share one."""
    named: dict[str, str] = {}
    for model in given:
        name = Path(model).stem
        if name in named:
            raise InputError(f"two models are called {name!r}", field="--model")
        named[name] = model
    return named


def _scorer(given: str, threads: int) -> ModelScorer:
    with model_file(given) as file:
        return ModelScorer(file, threads=threads)


def frames_folder(given: Path | None) -> Path:
    """The folder of the frames. Raises InputError if none is given and none is known."""
    if given is not None:
        return given
    real = os.environ.get("DARKSCAN_REAL_IMAGES")
    if not real:
        raise InputError("give it, or set DARKSCAN_REAL_IMAGES", field="--frames")
    return Path(real) / "optics"


def _terms(
    arguments: argparse.Namespace,
    scorers: Mapping[str, ModelScorer],
    frames: Sequence[LabelledFrame],
) -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "models": {
            name: {"hash": scorer.info.hash, "threshold": scorer.info.threshold}
            for name, scorer in scorers.items()
        },
        "frames": len(frames),
        "shortest_px": arguments.shortest,
        "trim": arguments.trim,
        "step_column": arguments.step or None,
        "machine": machine(),
    }


def _sheet(measured: ByModel) -> bytes:
    columns = zip(
        measured.of.frames, measured.of.labels, measured.views, measured.found, strict=True
    )
    tiles = [Tile(frame, labels, v.with_neighbours, found) for frame, labels, v, found in columns]
    title = f"{measured.model}, frames {measured.of.treatment}, threshold {measured.threshold:.3f}"
    return sheet(title, tiles, measured.threshold)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model",
        action="append",
        metavar="M",
        help="a model file, or a shipped one by its name; may be repeated (default: default)",
    )
    parser.add_argument("--frames", type=Path, metavar="DIR", help="frames and polylines.json")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write into")
    parser.add_argument(
        "--shortest",
        type=float,
        default=SHORTEST_PX,
        metavar="PX",
        help=f"of a line, that makes a window positive (default: {SHORTEST_PX:g})",
    )
    parser.add_argument(
        "--trim",
        type=float,
        default=TRIM,
        metavar="T",
        help="share of frames left out at either end where the fixed pattern is averaged "
        f"(default: {TRIM})",
    )
    parser.add_argument(
        "--step",
        type=int,
        default=256,
        metavar="COLUMN",
        help="from which on the sensor's second tap reads; 0: it has one (default: 256)",
    )
    parser.add_argument("--threads", type=int, help="of the models (default: all cores)")
    add_force_option(parser)
    return parser.parse_args()


def main() -> int:
    """Measures, writes the files and prints the tables."""
    arguments = _arguments()
    return exit_code_of(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
