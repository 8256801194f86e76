"""Options that several commands take."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.resources import as_file, files
from pathlib import Path

from darkscan.pipeline.access.keys import KeyRing, warn_of_insecure_link
from darkscan.pipeline.core.addresses import check_address
from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.core.recipe import DEFAULT_MODEL, SHIPPED_MODELS, Recipe, load_recipe
from darkscan.pipeline.core.units import COARSEST_UM, FINEST_UM
from darkscan.pipeline.host_link.target import HostTarget, target_of

_MOST_THREADS = 1024
_OPTION = "--remote-workers"


@contextmanager
def model_file(given: Path | str | None) -> Iterator[Path]:
    """A model file: a shipped one by its name (the default for None), else the one given.

    Shipped ones may have to be unpacked, and are there while the context lasts.
    """
    name = DEFAULT_MODEL if given is None else str(given)
    shipped = files("darkscan") / "models" / f"{name}.onnx"
    with as_file(shipped) if name in SHIPPED_MODELS else nullcontext(Path(name)) as path:
        yield path


@contextmanager
def model_of(recipe: Recipe) -> Iterator[Path]:
    """The recipe's model as a file."""
    with model_file(recipe.inspection.model) as path:
        yield path


def checked_pitch(arguments: argparse.Namespace) -> float:
    """The value of --pitch-um. Raises InputError unless a scan can have it."""
    pitch = float(arguments.pitch_um)
    if not FINEST_UM <= pitch <= COARSEST_UM:
        problem = f"must be from {FINEST_UM} to {COARSEST_UM} micrometres, is {pitch}"
        raise InputError(problem, field="--pitch-um")
    return pitch


def add_hdu(parser: "argparse._ActionsContainer") -> None:
    """Adds the option that chooses among the images of FITS files."""
    parser.add_argument(
        "--hdu",
        metavar="NAME",
        help="which image of a FITS file that holds several: NAME, NAME,VERSION or its number",
    )


def checked_threads(given: int | None) -> int:
    """How many threads to use. Raises InputError for an impossible number."""
    if given is None:
        return len(os.sched_getaffinity(0))
    if not 1 <= given <= _MOST_THREADS:
        raise InputError(f"must be from 1 to {_MOST_THREADS}, is {given}", field="--threads")
    return given


def add_force_option(parser: argparse.ArgumentParser) -> None:
    """Adds --force, which ``require_new`` heeds."""
    parser.add_argument("--force", action="store_true", help="overwrite existing files")


def require_new(*outputs: Path, force: bool) -> None:
    """Raises, before any work, if one of the files is there already, or could not be written.

    With ``force`` files may be there; folders may not. Raises InputError or StorageError.
    """
    for out in outputs:
        if out.exists() and not (force and out.is_file()):
            raise InputError("exists already; --force overwrites files", file=out, field="--out")
        require_writable(out)


def require_writable(out: Path) -> None:
    """Raises StorageError, before any work, if nothing could be written at ``out``."""
    above = out if out.is_dir() else out.parent
    while not above.exists():
        above = above.parent
    if not above.is_dir():
        raise StorageError(out, f"{above} is not a directory")
    if not os.access(above, os.W_OK | os.X_OK):
        raise StorageError(out, f"{above} is not writable")


def recipe_of(file: Path | None) -> Recipe:
    """The recipe in a file, or the embedded one. Raises InputError."""
    return Recipe() if file is None else load_recipe(file)


def add_host_options(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Adds the options that name the host computer, and how the two know each other."""
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        required=required,
        help="tell the host computer at tcp://HOST:PORT of the scan: see `darkscan host`",
    )
    parser.add_argument(
        "--host-key",
        metavar="KEY",
        help="the host's public key, or its name in `darkscan keys list` (default: the only "
        "host that is allowed)",
    )
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="no keys, nothing encrypted: for a host, and workers, on a trusted bench that were "
        "started so",
    )


def host_target(arguments: argparse.Namespace) -> HostTarget | None:
    """The host that the options name, if any. Raises InputError."""
    if arguments.host is not None:
        return target_of(arguments.host, arguments.host_key, insecure=arguments.insecure)
    if arguments.host_key:
        raise InputError("has no meaning without --host", field="--host-key")
    if arguments.insecure and getattr(arguments, "remote_workers", None) is None:
        raise InputError("has no meaning without --host or --remote-workers", field="--insecure")
    return None


def add_remote_option(parser: argparse.ArgumentParser) -> None:
    """Adds the option that lets workers on other computers take part."""
    parser.add_argument(
        _OPTION,
        metavar="ADDRESS",
        help="let `darkscan worker` on other computers connect to tcp://HOST:PORT and classify "
        "frames, too; HOST is one of this computer's addresses, 0.0.0.0 for all of them. Only "
        "computers whose keys are allowed take part (see `darkscan keys`), unless --insecure is "
        "given",
    )


def remote_fields(arguments: argparse.Namespace) -> dict[str, object]:
    """The run's fields that the option sets.

    Raises InputError unless it is an address and workers can be known by their keys.
    """
    address: str | None = arguments.remote_workers
    if address is None:
        return {}
    check_address(address, field=_OPTION)
    if arguments.insecure:
        warn_of_insecure_link(address)
    else:
        ring = KeyRing()
        ring.own()  # raises unless it can be used
        if not ring.allowed():
            problem = (
                "no worker is allowed yet: `darkscan keys new` or `darkscan keys list` on its "
                "computer shows its key, `darkscan keys allow KEY NAME` here allows it"
            )
            raise InputError(problem, field=_OPTION)
    return {"remote_workers": address, "remote_insecure": bool(arguments.insecure)}
