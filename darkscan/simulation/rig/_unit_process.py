"""The process that serves the simulated motion unit's records, and the file that tells it how."""

import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from pydantic import Field

from darkscan.drivers.rig.tables import MotionSettings, SimulationSettings
from darkscan.pipeline.core.errors import DarkscanError, InputError
from darkscan.pipeline.core.files import write_atomically
from darkscan.pipeline.core.settings import Settings
from darkscan.pipeline.transport.messages import Place

READY = b"ready\n"
"""The line that the process prints to standard output once its records can be reached."""

_MODULE = "darkscan.simulation.rig.motion_unit"
_LOOPBACK = "127.0.0.1"
_START_S = 60.0
_END_S = 5.0
_ATTEMPTS = 3
_LONGEST_WORD = 200
_OWN_PORTS = (15_000, 32_000)  # below those that Linux gives to whoever asks for any


class MotionUnitSettings(Settings):
    """The records to serve, and what moves behind them."""

    motion: MotionSettings
    """The rig file's: names of the records and process variables, speeds, limits."""

    simulation: SimulationSettings
    """The rig file's: noise of the positions, how much faster time runs."""

    illumination_switch: str = ""
    """The light's process variable; empty: there is none."""

    shared_rig: Path | None = Field(default=None)
    """The memory shared with the simulated camera; left out: nobody is told of movements."""

    start_mm: Place
    """Where the axes stand at first."""

    parent: int | None = None
    """The process ends when this one is gone; left out: only when it is told to."""

    def write(self, file: Path) -> None:
        """Leaves the settings where ``read`` finds them. Raises StorageError."""
        write_atomically(file, self.model_dump_json().encode())

    @classmethod
    def read(cls, file: Path) -> Self:
        """Reads what ``write`` wrote. Raises InputError."""
        try:
            return cls.model_validate_json(file.read_bytes())
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", file=file) from error
        except ValueError as error:
            raise InputError(
                f"does not hold a motion unit's settings: {error}", file=file
            ) from error


class MotionUnitProcess:
    """Starts the records on free ports of this computer, for it alone, and ends them.

    ``environment`` is what a client needs to find them. It stays the same over a restart. A
    client has no use for what the server is told: its library would complain of it.
    """

    def __init__(self, settings: MotionUnitSettings, folder: Path) -> None:
        """Starts and waits until the records can be reached. Raises DarkscanError."""
        self._file = folder / "motion-unit.json"
        self._log = folder / "motion-unit.log"
        settings.write(self._file)
        for attempt in range(_ATTEMPTS):
            server, repeater = _free_port(), _free_port()
            self.environment = _clients(server, repeater)
            self._own = _servers(server, repeater)
            try:
                self.start()
            except DarkscanError:
                # One that ended by itself may have found its port taken meanwhile.
                if attempt == _ATTEMPTS - 1 or self.process.returncode < 0:
                    raise
            else:
                return

    def start(self) -> None:
        """Starts the process, at first or once more. Raises DarkscanError."""
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", _MODULE, str(self._file)],
                env={**os.environ, **self.environment, **self._own},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the scan, which stops the axes first
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Ends the process and waits for it."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the process as a power cut would."""
        self._end(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._file.unlink(missing_ok=True)
        self._log.unlink(missing_ok=True)

    def _wait_until_ready(self) -> None:
        assert self.process.stdout is not None
        output, said = self.process.stdout.fileno(), b""
        deadline = time.monotonic() + _START_S
        while READY not in said:
            ready, _, _ = select.select([output], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise self._failure(f"is not ready after {_START_S:g} s")
            if not (part := os.read(output, 4096)):
                raise self._failure(f"ended with {self.process.wait(_END_S)}")
            said += part

    def _failure(self, problem: str) -> DarkscanError:
        words = self._log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((word for word in reversed(words) if word.strip()), "it said nothing")
        return DarkscanError(f"the simulated motion unit {problem}: {last.strip()[:_LONGEST_WORD]}")

    def _end(self, how: signal.Signals) -> None:
        self.process.send_signal(how)
        try:
            self.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def _clients(server: int, repeater: int) -> dict[str, str]:
    """The environment of clients that are to find the records."""
    return {
        "EPICS_CA_ADDR_LIST": _LOOPBACK,
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_SERVER_PORT": str(server),
        "EPICS_CA_REPEATER_PORT": str(repeater),
    }


def _servers(server: int, repeater: int) -> dict[str, str]:
    """The environment of the process that serves the records."""
    return {
        "EPICS_CAS_SERVER_PORT": str(server),
        "EPICS_CAS_INTF_ADDR_LIST": _LOOPBACK,
        "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
        "EPICS_CAS_BEACON_ADDR_LIST": _LOOPBACK,
        "EPICS_CAS_BEACON_PORT": str(repeater),
    }


def _free_port() -> int:
    """A port that is free for both TCP and UDP, as Channel Access needs it.

    Not one of those that the system gives to whoever asks for any: a client that got ours
    between our looking and our binding would never hear from us.
    """
    while True:
        port = random.randrange(*_OWN_PORTS)  # noqa: S311 - no secret
        with (
            socket.socket(type=socket.SOCK_STREAM) as stream,
            socket.socket(type=socket.SOCK_DGRAM) as datagrams,
            suppress(OSError),
        ):
            stream.bind((_LOOPBACK, port))
            datagrams.bind((_LOOPBACK, port))
            return port
