"""``darkscan host``: receives from rigs, keeps, and shows on a web page."""

import argparse
import math
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from darkscan.cli.progress import say
from darkscan.pipeline.core.errors import ExitCode, InputError
from darkscan.pipeline.core.logs import log_to_file

if TYPE_CHECKING:
    from darkscan.host.program import Started

LISTEN = "tcp://127.0.0.1:5580"
WEB = "127.0.0.1:8080"
_HIGHEST_PORT = 65_535
_GB = 1_000_000_000
_MOST_DAYS, _MOST_GB = 100_000.0, 1_000_000.0

_EPILOG = """\
examples:
  darkscan host --store store/ --insecure                 on a bench, for this computer alone
  darkscan keys new; darkscan host --store /data/store --listen tcp://0.0.0.0:5580
  darkscan host --store /data/store --web 0.0.0.0:8080 --recordings /data/scans
  darkscan host backup --store /data/store /backup/store-monday

Rigs send with `darkscan run|replay ... --host tcp://HOST:5580`. They are let in by their keys
(`darkscan keys allow`), with --insecure anybody is. The page needs no token on this computer;
others sign in with the one in STORE/token. Ctrl-C or SIGTERM ends the host; what was received
is kept. /healthz says whether all is well, /metrics has figures for Prometheus,
/api/openapi.json describes the programming interface.
exit codes: 0 ended; 1 failed; 2 something given cannot be used.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan host`` and its options."""
    parser = commands.add_parser(
        "host",
        help="receive from rigs, keep their maps and pictures, and show them on a web page",
        description="Receives defect maps, pictures and progress from rigs, keeps them in a "
        "folder, and shows them on a web page.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--store", type=Path, metavar="DIR", help="folder to keep all in")
    parser.add_argument(
        "--listen",
        metavar="ADDRESS",
        default=LISTEN,
        help="where rigs connect to: tcp://HOST:PORT; 0.0.0.0 for all addresses of this computer "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--web",
        metavar="HOST:PORT",
        default=WEB,
        help="where the page is; port 0: any free one (default: %(default)s)",
    )
    parser.add_argument(
        "--web-name",
        metavar="NAME",
        action="append",
        default=[],
        help="one more name by which browsers may ask for this host; may be repeated",
    )
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="the page's token; then this computer needs it, too (made if there is none)",
    )
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="let every rig in, unencrypted: for a trusted bench only",
    )
    parser.add_argument("--keys", type=Path, metavar="DIR", help="folder of keys (default: yours)")
    parser.add_argument(
        "--recordings",
        type=Path,
        metavar="DIR",
        action="append",
        default=[],
        help="a folder whose recordings may be read for pictures; may be repeated",
    )
    for name, unit, meaning in (
        ("keep-tiles", "DAYS", "remove pictures of scans that ended so long ago"),
        ("keep-maps", "DAYS", "remove maps, too; reviews stay for ever"),
        ("tiles-limit", "GB", "remove the oldest pictures beyond that"),
    ):
        parser.add_argument(
            f"--{name}", type=float, metavar=unit, default=0.0, help=f"{meaning} (default: never)"
        )
    parser.add_argument("--log", type=Path, metavar="FILE", help="append events, a JSON line each")
    parser.set_defaults(run=run)
    _add_backup(parser)


def _add_backup(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="[backup]", dest="action")
    backup = actions.add_parser(
        "backup",
        help="copy a store while its host runs",
        description="Copies a store to a new folder, whole or not at all, while its host runs.",
    )
    backup.add_argument(
        "--store", type=Path, metavar="DIR", required=True, help="the store to copy"
    )
    backup.add_argument("destination", type=Path, metavar="DEST", help="a folder that is not there")
    backup.add_argument("--without-tiles", action="store_true", help="leave pictures out")
    backup.set_defaults(run=run_backup)


def run(arguments: argparse.Namespace) -> int:
    """Runs a host until it is told to end."""
    from darkscan.host.program import HostSettings, run_host
    from darkscan.host.store import RetentionRules

    if arguments.store is None:
        raise InputError("is needed: the folder to keep all in", field="--store")
    rules = RetentionRules(
        keep_tiles_days=_amount(arguments.keep_tiles, "--keep-tiles", _MOST_DAYS),
        keep_maps_days=_amount(arguments.keep_maps, "--keep-maps", _MOST_DAYS),
        tiles_limit_bytes=round(_amount(arguments.tiles_limit, "--tiles-limit", _MOST_GB) * _GB),
    )
    settings = HostSettings(
        store=arguments.store,
        listen=arguments.listen,
        web=_web_address(arguments.web),
        insecure=arguments.insecure,
        keys=arguments.keys,
        token_file=arguments.token_file,
        names=[_name(name) for name in arguments.web_name],
        recordings=arguments.recordings,
        rules=rules,
    )
    if arguments.log is not None:
        try:
            log_to_file(arguments.log, "info")
        except OSError as error:
            raise InputError(f"cannot be written: {error.strerror}", file=arguments.log) from error
    run_host(settings, lambda started: say(_welcome(started, arguments.store)))
    say("the host has ended; what was received is kept")
    return ExitCode.OK


def run_backup(arguments: argparse.Namespace) -> int:
    """Copies a store."""
    from darkscan.cli.progress import progress_bar
    from darkscan.host.store import backup

    with progress_bar("copying", "bytes") as show:
        summary = backup(
            arguments.store,
            arguments.destination,
            tiles=not arguments.without_tiles,
            progress=show,
        )
    say(
        f"{arguments.destination}: {summary.scans} scans, {summary.maps} maps, "
        f"{summary.reviews} reviews, pictures of {summary.pictures}, "
        f"{summary.size_bytes / 1e6:.1f} MB; to use it: darkscan host --store "
        f"{arguments.destination}"
    )
    return ExitCode.OK


def _welcome(started: "Started", store: Path) -> str:
    """Says where all is, and what to do next."""
    host, port = started.web
    everywhere = host in {"0.0.0.0", "::"}  # noqa: S104 - it is only named
    name = socket.gethostname() if everywhere else f"[{host}]" if ":" in host else host
    page = f"http://{name}:{port}/"
    lines = [f"store: {store}", f"rigs connect to {started.listen}"]
    if started.key:
        allowed = f"{started.rigs} allowed" if started.rigs else "none is allowed yet"
        lines.append(f"  this host's key: {started.key}   rigs: {allowed} (`darkscan keys allow`)")
    else:
        lines.append("  INSECURE: every rig is let in, and nothing is encrypted")
    lines.append(f"page: {page}")
    if everywhere:
        lines.append(f"  on this computer: http://127.0.0.1:{port}/")
    if started.new_token:
        lines.append(f"  sign in by this link, shown this once: {page}#token={started.new_token}")
    if started.token_file is not None:
        lines.append(f"  the token: {started.token_file}")
    return "\n".join([*lines, "Ctrl-C ends the host"])


def _web_address(text: str) -> tuple[str, int]:
    """Host and port. Raises InputError."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%]+)\]|([\w.-]+)):(\d{1,5})", text, re.ASCII)
    if match is None or int(match[3]) > _HIGHEST_PORT:
        raise InputError(f"must read HOST:PORT, is {text!a}", field="--web")
    return match[1] or match[2], int(match[3])


def _name(text: str) -> str:
    """A name of this host. Raises InputError."""
    if not re.fullmatch(r"[\w-]+(\.[\w-]+)*", text, re.ASCII):
        raise InputError(f"must be a computer's name, is {text!a}", field="--web-name")
    return text


def _amount(value: float, field: str, most: float) -> float:
    if not (math.isfinite(value) and 0 <= value <= most):
        raise InputError(f"must be from 0 to {most:g}", field=field)
    return value
