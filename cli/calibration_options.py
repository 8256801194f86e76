"""What both calibrations take from the command line, and take from the rig."""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from darkscan.cli.options import require_writable
from darkscan.drivers.calibration import VALID_DAYS, valid_until
from darkscan.pipeline.errors import InputError


def add_options(parser: argparse.ArgumentParser, *, out: str) -> None:
    """Adds the options that every calibration has."""
    parser.add_argument("--rig", type=Path, required=True, help="the rig file, TOML")
    parser.add_argument("--out", type=Path, required=True, help=out)
    parser.add_argument(
        "--valid-days",
        type=int,
        default=VALID_DAYS,
        metavar="N",
        help=f"how long it may be used (default: {VALID_DAYS})",
    )
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")


def validity(arguments: argparse.Namespace) -> tuple[date, date]:
    """Today, and the last day on which the calibration may be used.

    Raises InputError for a bad number of days, or if nothing could be written: before
    anything moves.
    """
    out: Path = arguments.out
    if out.exists() and not (arguments.force and out.is_file()):
        raise InputError("exists already; --force overwrites files", file=out, field="--out")
    require_writable(out)
    today = datetime.now(tz=UTC).astimezone().date()
    return today, valid_until(today, arguments.valid_days)


@contextmanager
def scratch_folder(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` for the scans, gone afterwards: scans are large."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        yield Path(folder)
