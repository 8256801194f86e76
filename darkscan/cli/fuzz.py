"""``darkscan fuzz``: hostile messages and files through all that reads them."""

import argparse
import tempfile
from pathlib import Path

from darkscan.cli.progress import progress_bar, say
from darkscan.faults.fuzz import TARGETS, Counts, Finding, TargetName, Work, fuzz
from darkscan.pipeline.core.errors import ExitCode, InputError, StorageError

_LONGEST_MINUTES = 100_000.0

_EPILOG = """\
examples:
  darkscan fuzz --minutes 5                          all targets, the time shared among them
  darkscan fuzz recordings --seed 7 --minutes 30 --corpus tests/fuzz/corpus

Each case is sound but for one to four changes, and is read in a process of its own. It has to be
accepted, or refused with the documented error. Any other exception, a crash, a hang of 20 s and
half a gigabyte of memory are findings, and so is a recording that reads as another one without
a word. The input of each finding is kept.
exit codes: 0 nothing was found; 1 something was.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan fuzz`` and its options."""
    parser = commands.add_parser(
        "fuzz",
        help="send hostile messages and files through all that reads them",
        description="Changes sound messages, recordings, images, recipes and model files at "
        "random and reads them; tells of whatever is neither accepted nor refused as documented.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)} (default: all)"
    )
    parser.add_argument("--seed", type=int, default=1, help="which cases (default: 1)")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long in all (default: 5)")
    parser.add_argument("--cases", type=int, help="how many of each target at most")
    parser.add_argument("--corpus", type=Path, help="a folder with a folder of cases a target")
    parser.add_argument("--out", type=Path, help="where inputs of findings go (default: in /tmp)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Fuzzes each target in turn; a line for each, and one for each finding."""
    targets = _targets(arguments.targets)
    if not 0 < arguments.minutes <= _LONGEST_MINUTES:
        problem = f"must be above 0 and at most {_LONGEST_MINUTES:g}, is {arguments.minutes:g}"
        raise InputError(problem, field="--minutes")
    if arguments.cases is not None and arguments.cases < 1:
        raise InputError(f"must be at least 1, is {arguments.cases}", field="--cases")
    findings: list[Finding] = []
    for target in targets:
        work = Work(target, arguments.seed, _corpus(arguments.corpus, target))
        seconds = 60 * arguments.minutes / len(targets)
        counts = _fuzz_one(work, seconds, arguments.cases)
        findings += counts.findings
        say(f"{target}, seed {arguments.seed}: {counts}")
    if findings:
        _keep(findings, arguments.out)
    return ExitCode.FAILED if findings else ExitCode.OK


def _fuzz_one(work: Work, seconds: float, cases: int | None) -> Counts:
    with progress_bar(f"fuzzing {work.target}", "cases", cases) as bar:

        def show(counts: Counts) -> None:
            bar.show(counts.cases, note=f"{len(counts.findings)} findings")

        return fuzz(work, seconds=seconds, cases=cases, show=show)


def _targets(named: list[str]) -> list[TargetName]:
    for name in named:
        if name not in TARGETS:
            raise InputError(f"{name}: no such target; there are {', '.join(TARGETS)}")
    return [target for target in TARGETS if target in named or not named]


def _corpus(folder: Path | None, target: TargetName) -> tuple[bytes, ...]:
    if folder is None:
        return ()
    if not folder.is_dir():
        raise InputError("is no folder", file=folder, field="--corpus")
    return tuple(path.read_bytes() for path in sorted((folder / target).glob("*")))


def _keep(findings: list[Finding], given: Path | None) -> None:
    """Writes the input of each finding, and says what it is."""
    folder = Path(tempfile.mkdtemp(prefix="darkscan-fuzz-")) if given is None else given
    for finding in findings:
        path = folder / f"{finding.target}-{finding.seed}-{finding.number}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(finding.data)
        except OSError as error:
            raise StorageError(path, error) from error
        say(f"{path}: {finding.what} ({finding.place})")
