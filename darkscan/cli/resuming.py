"""Options of the commands that go on from an unfinished run, and how they say that one can."""

import argparse
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from darkscan.cli.options import host_target, recipe_of
from darkscan.cli.terminal import complain
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.recipe import Recipe
from darkscan.pipeline.running.results_folder import ResultsFolder
from darkscan.runs.resuming import Unfinished


def add_resume_option(parser: argparse.ArgumentParser) -> None:
    """Adds the option that names the folder of an unfinished run."""
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="OUT",
        help="go on with the unfinished run in OUT: what it inspected is not inspected again",
    )


def resumed(arguments: argparse.Namespace) -> tuple[Unfinished | None, Path | None]:
    """The unfinished run that --resume names, if any, and the folder for the results, if given.

    Raises InputError naming the option, or what is wrong with the folder.
    """
    out: Path | None = arguments.out
    folder: Path | None = arguments.resume
    if folder is None:
        return None, out
    if out is not None:
        raise InputError("has no meaning with --resume, which names the folder", field="--out")
    return Unfinished.read(folder), folder


def resumed_recipe(arguments: argparse.Namespace, unfinished: Unfinished | None) -> Recipe:
    """The recipe that is given, else the unfinished run's, else the embedded one."""
    if arguments.recipe is None and unfinished is not None:
        return unfinished.spec.recipe
    return recipe_of(arguments.recipe)


def resumed_fields(unfinished: Unfinished | None) -> dict[str, object]:
    """The run's fields that options may set, as the unfinished run had them."""
    if unfinished is None:
        return {}
    spec = unfinished.spec
    return {"host": spec.host, "remote_workers": spec.remote_workers, "workers": spec.workers}


def host_fields(arguments: argparse.Namespace) -> dict[str, object]:
    """The run's field that --host sets. Raises InputError."""
    host = host_target(arguments)
    return {} if host is None else {"host": host}


@contextmanager
def telling_how_to_go_on(command: str, out: Path) -> Iterator[None]:
    """Says, where a run fails that can be gone on with, by which command."""
    try:
        yield
    except BaseException:
        if ResultsFolder(out).is_unfinished:
            complain(
                "what was inspected is kept; this goes on from there: "
                f"darkscan {command} --resume {shlex.quote(str(out))}"
            )
        raise
