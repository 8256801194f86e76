"""``darkscan demo --live``: a host computer on this machine, and scans that fill in on its page."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

from darkscan.cli.progress import record, say
from darkscan.cli.replay import ReplayOptions, exit_code, replay
from darkscan.pipeline.core.errors import DarkscanError, ExitCode, InputError, StorageError
from darkscan.pipeline.core.recipe import Recipe
from darkscan.pipeline.host_link.target import HostTarget
from darkscan.pipeline.running.specification import Speed
from darkscan.pipeline.transport.station import die_with
from darkscan.simulation.element import SimulatedScan, simulate_element, size_of_patch

_LOG_NAME = "host.log"
_HOST = "127.0.0.1"
_STARTING_S, _ENDING_S = 60.0, 30.0
_PAGE_PORT, _LINK_PORT = 8080, 5580
_PORTS_TRIED = 50


class _Element(NamedTuple):
    """A simulated element, and how it is scanned."""

    preset: str
    seed: int
    frames: tuple[int, int]
    frame_s: float
    speed: Speed


_REVIEWED = _Element("clean", 0, (3, 2), 0.25, "max")
"""The first, which is finished within seconds."""

_WATCHED = (
    _Element("optic", 3, (8, 5), 3.5, "recorded"),
    _Element("dirty", 5, (8, 5), 3.5, "recorded"),
    _Element("clean", 7, (8, 5), 3.5, "recorded"),
)
"""The others: two and a half minutes each, then again from the first."""


class _Host(NamedTuple):
    """The host computer's program, running."""

    process: subprocess.Popen[bytes]
    page: str
    address: str
    log: Path

    def require_alive(self) -> None:
        """Raises DarkscanError with its last words if it has ended."""
        if self.process.poll() is not None:
            raise DarkscanError(f"the host ended: {_last_line(self.log)} (log: {self.log})")


def show_live(out: Path, seed: int) -> ExitCode:
    """Runs a host computer, and one scan after the other, until Ctrl-C.

    ``seed``: which element comes first. Raises DarkscanError.
    """
    _make_room(out)
    with suppress(KeyboardInterrupt), _host(out) as host:
        say(f"page: {host.page}   (Ctrl-C here ends all; log: {host.log})\n")
        say("first a small scan, so that there is one to review ...")
        _inspect(_REVIEWED._replace(seed=seed), out, host, view="")
        number = 0
        while _inspect(_WATCHED[number % len(_WATCHED)], out, host, view="/live"):
            number += 1
    say("ended; what was found and reviewed is kept, and shown again by the next start")
    return ExitCode.OK


def _inspect(element: _Element, out: Path, host: _Host, *, view: str) -> bool:
    """Scans an element and inspects it; whether all of it was. Raises DarkscanError."""
    host.require_alive()
    recording = out / f"{element.preset}-{element.seed}.h5"
    if not recording.exists():
        say(f"simulating an element ({element.preset}) ...")
        truth = simulate_element(size_of_patch(element.frames), element.seed, element.preset)
        record(SimulatedScan(truth, frame_s=element.frame_s), recording, force=False)
    scan_id = secrets.token_hex(16)
    frames = element.frames[0] * element.frames[1]
    say(f"{recording.name}, {frames} frames: {host.page}scan/{scan_id}{view}")
    results = out / "results" / datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    # A host of our own on loopback, and an outbox that nothing else uses.
    target = HostTarget(address=host.address, outbox=out / "outbox.sqlite")
    options = ReplayOptions(element.speed, {"scan_id": scan_id, "host": target})
    defect_map = replay(recording, results, Recipe(), options)
    say(f"found {len(defect_map.defects)} defects; results: {results}\n")
    return exit_code(defect_map) is ExitCode.OK


@contextmanager
def _host(out: Path) -> Iterator[_Host]:
    """Starts the host computer's program, waits until it serves, and stops it at the end."""
    page, link = _free_port(_PAGE_PORT), _free_port(_LINK_PORT)
    address, log = f"tcp://{_HOST}:{link}", out / _LOG_NAME
    command = [
        *(sys.executable, "-m", "darkscan", "host", "--insecure", "--store", str(out / "store")),
        *("--listen", address, "--web", f"{_HOST}:{page}", "--recordings", str(out)),
    ]
    parent = os.getpid()
    with log.open("wb") as file:
        # In a session of its own: Ctrl-C is for the scan first, which has something to send yet.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: die_with(parent, signal.SIGTERM),  # noqa: PLW1509 - no threads yet
        )
    host = _Host(process, f"http://{_HOST}:{page}/", address, log)
    try:
        _await(host)
        yield host
    finally:
        process.terminate()
        try:
            process.wait(_ENDING_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(host: _Host) -> None:
    """Waits until the host serves its page. Raises DarkscanError."""
    deadline = time.monotonic() + _STARTING_S
    while time.monotonic() < deadline:
        host.require_alive()
        with suppress(OSError), urlopen(f"{host.page}healthz", timeout=1) as answer:  # noqa: S310
            if answer.status == 200:  # noqa: PLR2004 - it is well
                return
        time.sleep(0.1)
    raise DarkscanError(f"the host does not answer at {host.page} (log: {host.log})")


def _free_port(first: int) -> int:
    """The first port from ``first`` on that nobody listens at. Raises InputError."""
    for port in range(first, first + _PORTS_TRIED):
        with suppress(OSError), socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((_HOST, port))
            return port
    raise InputError(f"ports {first} to {first + _PORTS_TRIED - 1} are all in use")


def _make_room(out: Path) -> None:
    """Makes the folder; refuses one that holds anything but an earlier live demo."""
    if out.is_dir() and any(out.iterdir()) and not (out / _LOG_NAME).exists():
        raise InputError("is not empty and holds no earlier live demo", file=out, field="--out")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(out, error) from error


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "without a word")
