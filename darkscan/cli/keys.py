"""``darkscan keys``: this computer's key, and the keys that it allows."""

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from darkscan.cli.progress import say
from darkscan.pipeline.core.errors import ExitCode, InputError
from darkscan.pipeline.core.inputs import read_text

if TYPE_CHECKING:
    from darkscan.pipeline.access.keys import KeyRing

_LARGEST_KEY_FILE = 4096

_EPILOG = """\
examples:
  on the host and on each rig, once:
    darkscan keys new
  on the host, with the rig's key:
    darkscan keys allow 'RIG-KEY' rig-1
  on the rig, with the host's key:
    darkscan keys allow 'HOST-KEY' host
  on a rig with --remote-workers, with a worker's key, and on the worker with the rig's:
    darkscan keys allow 'WORKER-KEY' worker-1
    darkscan keys allow 'RIG-KEY' rig-1

Rigs, host computer and workers know each other by keys (CurveZMQ): what travels between them
is encrypted, and only allowed keys are let in. Each computer makes its own key once; its public
half, which `keys new` prints and KEYS/own.pub holds, is no secret: carry it over as you like.
The secret half in KEYS/own.key never leaves its computer. KEYS is $DARKSCAN_CONFIG/keys, else
$XDG_CONFIG_HOME/darkscan/keys, else ~/.config/darkscan/keys. A host that runs heeds changes at
once. On one computer that is both, allow its own key.
exit codes: 0 done; 2 something given cannot be used.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds ``darkscan keys`` to the commands."""
    parser = commands.add_parser(
        "keys",
        help="make this computer's key, and say whose keys are let in",
        description="Makes this computer's key for the links between rigs, host computer and "
        "workers, and keeps the list of keys that it allows: on the host rigs, on a rig the host "
        "and its workers, on a worker rigs.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="make this computer's key and print its public half")
    new.add_argument(
        "--force", action="store_true", help="make another one; whoever allowed the old must anew"
    )
    new.set_defaults(run=_new)
    listing = actions.add_parser("list", help="show this computer's key and the allowed ones")
    listing.set_defaults(run=_list)
    allow = actions.add_parser("allow", help="let the computer with a key in")
    allow.add_argument("key", metavar="KEY", help="its public key, in quotes; or its own.pub file")
    allow.add_argument("name", metavar="NAME", help="what to call it: on the host, the rig's name")
    allow.set_defaults(run=_allow)
    remove = actions.add_parser("remove", help="let a computer in no more")
    remove.add_argument("name", metavar="NAME", help="its name, or its key")
    remove.set_defaults(run=_remove)
    for action in (new, listing, allow, remove):
        action.add_argument(
            "--keys", type=Path, metavar="DIR", help="folder of keys (default: yours)"
        )


def _new(arguments: argparse.Namespace) -> int:
    ring = _ring(arguments)
    pair = ring.new(force=arguments.force)
    say(f"public key: {pair.public}")
    say(f"secret key: in {ring.own_file}, which stays on this computer")
    _say_how_to_allow(pair.public)
    return ExitCode.OK


def _list(arguments: argparse.Namespace) -> int:
    ring = _ring(arguments)
    if ring.own_file.exists():
        own = ring.own().public
        say(f"own key: {own}")
    else:
        own = ""
        say("own key: none yet; `darkscan keys new` makes it")
    allowed = ring.allowed()
    say(f"allowed: {len(allowed) or 'nobody'}, by {ring.allowed_file}")
    for key, name in sorted(allowed.items(), key=lambda line: line[1]):
        say(f"  {key}  {name}")
    if own:
        _say_how_to_allow(own)
    return ExitCode.OK


def _allow(arguments: argparse.Namespace) -> int:
    ring = _ring(arguments)
    key = _public_key(arguments.key)
    before = ring.allowed().get(key)
    ring.allow(key, arguments.name)
    renamed = "" if before in {None, arguments.name} else f", until now {before}"
    say(f"allowed: {arguments.name}{renamed}  {key}")
    return ExitCode.OK


def _remove(arguments: argparse.Namespace) -> int:
    _ring(arguments).remove(arguments.name)
    say(f"allowed no more: {arguments.name}")
    return ExitCode.OK


def _ring(arguments: argparse.Namespace) -> "KeyRing":
    from darkscan.pipeline.access.keys import KeyRing

    folder: Path | None = arguments.keys
    if folder is not None and folder.exists() and not folder.is_dir():
        raise InputError("is no folder", file=folder, field="--keys")
    return KeyRing(folder)


def _public_key(text: str) -> str:
    """A key that was given, or the one in a file that was. Raises InputError."""
    from darkscan.pipeline.access.keys import is_key

    if is_key(text):
        return text
    file = Path(text)
    if not file.exists():
        problem = f"is no public key (40 characters of Z85) and no file: {text!a:.80}"
        raise InputError(problem, field="KEY")
    if file.is_file() and file.stat().st_size > _LARGEST_KEY_FILE:
        raise InputError("is too large to be a key", file=file, field="KEY")
    words = read_text(file).split()
    if "secret" in words:
        problem = "holds a secret key, which stays where it was made: give its own.pub instead"
        raise InputError(problem, file=file, field="KEY")
    if not words or not is_key(words[0]):
        raise InputError("does not begin with a public key", file=file, field="KEY")
    return words[0]


def _say_how_to_allow(public: str) -> None:
    say("so that it is let in, type on the other computer, with a name for this one:")
    say(f"  darkscan keys allow {shlex.quote(public)} NAME")
