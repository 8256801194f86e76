"""Computers of a test: a host and rigs, each with keys, an outbox and processes of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import httpx

PATIENCE_S = 180.0
"""How long to wait for what must come: a loaded machine takes many times as long as an idle one."""


class Computer:
    """A user's settings and state on a computer of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._environment = {
            **os.environ,
            "DARKSCAN_CONFIG": str(folder / "config"),
            "DARKSCAN_STATE": str(folder / "state"),
        }

    def darkscan(self, *arguments: object, check: int | None = 0) -> str:
        """Runs a command to its end; what it printed, standard error after the rest."""
        done = subprocess.run(
            self.command(*arguments),
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert check is None or done.returncode == check, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(self, *arguments: object, log: str) -> "Program":
        """Starts a command; what it prints goes to a file of the computer's folder."""
        path = self.folder / log
        with path.open("ab") as file:
            process = subprocess.Popen(
                self.command(*arguments),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Program(process, path)

    @staticmethod
    def command(*arguments: object) -> list[str]:
        """The command as a process is started with it."""
        return [sys.executable, "-m", "darkscan", *map(str, arguments)]

    def new_key(self) -> str:
        """Makes this computer's key; its public half."""
        self.darkscan("keys", "new")
        return (self.folder / "config" / "keys" / "own.pub").read_text().strip()


class Program:
    """A command that runs, and what it has printed."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def printed(self) -> str:
        """All so far."""
        return self.log.read_text(errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self, check: int | None = 0) -> None:
        """Waits for its end."""
        code = self.process.wait(PATIENCE_S)
        assert check is None or code == check, self.printed

    def stop(self) -> None:
        """Ends it as systemd would, and by force if that takes long."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def kill(self) -> None:
        """Ends it as a loss of power would."""
        self.process.kill()
        self.process.wait()


class Host:
    """A host computer, which can be killed and started again on the same store and ports."""

    def __init__(self, computer: Computer, *, insecure: bool) -> None:
        self.computer = computer
        self.insecure = insecure
        self.store = computer.folder / "store"
        self._web, link = free_ports(2)
        self.address = f"tcp://127.0.0.1:{link}"
        self.page = f"http://127.0.0.1:{self._web}"
        self.program: Program

    def start(self) -> None:
        """Starts it, and waits until it serves."""
        options = ["--insecure"] if self.insecure else []
        self.program = self.computer.start(
            *("host", "--store", self.store, "--listen", self.address),
            *("--web", f"127.0.0.1:{self._web}", "--recordings", self.computer.folder.parent),
            *options,
            log="host.log",
        )
        wait_for(self._serves, lambda: self.program.printed)

    def get(self, path: str) -> Any:
        """What the programming interface answers."""
        answer = httpx.get(f"{self.page}/api/{path}", timeout=30)
        answer.raise_for_status()
        return answer.json()

    def scans(self) -> list[dict[str, Any]]:
        """The scans that are kept, the newest first."""
        found: list[dict[str, Any]] = self.get("scans")["scans"]
        return found

    def _serves(self) -> bool:
        assert self.program.process.poll() is None, self.program.printed
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.page}/healthz", timeout=5).is_success
        return False


@contextmanager
def host_at_work(folder: Path, *, insecure: bool = True) -> Iterator[Host]:
    """A host that serves; it is stopped at the end, however often it was started."""
    host = Host(Computer(folder / "host"), insecure=insecure)
    host.start()
    try:
        yield host
    finally:
        host.program.stop()


def wait_for(
    reached: Callable[[], bool], told: Callable[[], object], patience_s: float = PATIENCE_S
) -> None:
    """Waits until something is reached; ``told`` says what there is when it is not."""
    deadline = time.monotonic() + patience_s
    while not reached():
        assert time.monotonic() < deadline, told()
        time.sleep(0.1)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at."""
    with suppress(OSError):
        sockets = [socket.socket() for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        ports = [int(each.getsockname()[1]) for each in sockets]
        for each in sockets:
            each.close()
        return ports
    raise AssertionError("no free ports")
