"""Trains every row of the paper's Tables II and III at one budget and lays both out.

    python benchmarks/tables.py --out out/tables            (reduced: an hour or two on a CPU core)
    python benchmarks/tables.py --out out/tables --full     (the paper's protocol, for a GPU)

Reduced, every row gets the same simulated windows in the same order: 600 batches of 16
of the look "optic", from bright to weak, at a width that makes a window cost about
0.2 GMAC. Full, every row is trained at width 1 by the paper's protocol on a data set of
the paper's size, cut out of 112 simulated elements. Both are measured on windows of
elements that none has seen. It goes on where it was stopped.
"""

import argparse
import dataclasses
import functools
import sys
from pathlib import Path

from darkscan.cli.main import main as darkscan
from darkscan.network.sources import DatasetWindows, SimulatedWindows
from darkscan.network.training import Machine, TrainingOptions, fit, paper
from darkscan.simulation.element.windows import training_batch

# At these a window costs about 0.2 GMAC: `darkscan network NAME --width W` prints it.
WIDTHS = {
    "afn": 0.25,
    "resnet18": 0.25,
    "resnet18+ca": 0.25,
    "resnet18+ca+ba": 0.25,
    "resnet18+ca+sa": 0.25,
    "darkscan": 0.25,
    "inception-v3": 0.229,
    "xception": 0.175,
    "retinanet": 0.125,
    "attention-56": 0.16,
    "attention-92": 0.125,
}
TABLES = {
    "2": ("attention-56", "attention-92", "xception", "inception-v3", "afn"),
    "3": ("resnet18", "resnet18+ca", "resnet18+ca+ba", "resnet18+ca+sa", "afn"),
}
FIGURE_8 = ("retinanet", "afn")  # the paper compares these by eye, in its Fig. 8
OURS = "darkscan"  # an extra row of all


def main() -> int:
    """Trains what is asked for, then lays the tables out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--full", action="store_true", help="the paper's protocol at width 1")
    parser.add_argument("--steps", type=int, default=600, help="reduced: batches of 16 a row")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rows", nargs="*", default=list(WIDTHS), choices=list(WIDTHS))
    parser.add_argument("--only-train", action="store_true")
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    for name in arguments.rows:
        print(f"== {name}", flush=True)
        train(name, arguments)
    if arguments.only_train:
        return 0
    return lay_out(out, arguments)


def train(name: str, arguments: argparse.Namespace) -> None:
    """One row's training, into a folder of its own."""
    machine = Machine(threads=arguments.threads, workers=1)
    if arguments.full:
        data = dataset(
            arguments.out / "training.h5", "--simulated", "112", "--preset", "optic,weak"
        )
        source = DatasetWindows(data)
        options = dataclasses.replace(paper(len(source)), network=name, seed=arguments.seed)
        fit(options, arguments.out / name, source, machine=machine)
        return
    options = TrainingOptions(
        network=name,
        width=WIDTHS[name],
        steps=arguments.steps,
        batch=16,
        learning_rate=1.5e-3,
        warm_up=60,
        ramp=1.0,
        validation_windows=256,
        validate_every=max(1, arguments.steps // 2),
        seed=arguments.seed,
    )
    optic = functools.partial(training_batch, preset="optic")
    description = "windows of darkscan.simulation.element.windows, preset optic"
    windows = SimulatedWindows(optic, description=description)
    fit(options, arguments.out / name, windows, machine=machine)


def dataset(file: Path, *options: str) -> Path:
    """A data set of simulated elements, built once."""
    if not file.exists() and darkscan(["dataset", "build", *options, "--out", str(file)]):
        sys.exit(f"{file} could not be built")
    return file


def lay_out(out: Path, arguments: argparse.Namespace) -> int:
    """Both tables, from the checkpoints and the windows of 60 elements that nobody saw."""
    counts = ("--split", "0:20:60", "--counts", "0/0,600/600,1500/1500", "--seed", "7")
    held_out = dataset(out / "held-out.h5", "--simulated", "80", "--preset", "weak", *counts)
    for name, rows in {"figure-8": FIGURE_8, **TABLES}.items():
        trained = [f"{row}={out / row / 'checkpoint.pt'}" for row in (*rows, OURS)]
        command = ["evaluate", "--data", str(held_out), "--checkpoint", *trained]
        command += ["--snr-limit", "20", "--threads", str(arguments.threads), "--force"]
        command += ["--table", name] if name in TABLES else []
        folder = f"table-{name}" if name in TABLES else name
        code = darkscan([*command, "--out", str(out / folder)])
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
