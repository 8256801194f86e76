"""``darkscan host`` as people start and end it."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from darkscan.cli.main import main
from darkscan.host.store import Store
from tests.host_web.example_server import RIG, SMALL

QUIET = ("--insecure", "--listen", "tcp://127.0.0.1:0")
WAIT_S = 120


class Running:
    """A host in a process of its own, that has said where it is."""

    def __init__(self, process: subprocess.Popen[str], lines: list[str]) -> None:
        self.process = process
        self.lines = lines

    @property
    def url(self) -> str:
        return self.said(r"page: (\S+)") or ""

    def said(self, pattern: str) -> str | None:
        found = re.search(pattern, "\n".join(self.lines))
        return found[1] if found else None

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Its exit code, and what it said at its end."""
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=WAIT_S)
        return self.process.returncode, rest


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "darkscan", "host", *map(str, words)]


@contextmanager
def host(*words: str | Path) -> Iterator[Running]:
    process = subprocess.Popen(
        command(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    late = threading.Timer(WAIT_S, process.kill)
    late.start()
    try:
        lines: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            if line.startswith("Ctrl-C"):
                break
        else:
            pytest.fail("\n".join(lines))
        yield Running(process, lines)
    finally:
        late.cancel()
        process.kill()
        process.communicate()


def refused(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """The line with which a host says that it cannot start."""
    assert main(["host", *map(str, words)]) == 2
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("darkscan: error: ")]
    assert len(lines) == 1
    assert "page:" not in captured.out
    return lines[0]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_host_says_where_it_is_and_ends_when_told_even_while_pages_listen(
    tmp_path: Path, number: signal.Signals
) -> None:
    log = tmp_path / "log.jsonl"
    store = tmp_path / "store"
    with host("--store", store, *QUIET, "--web", "127.0.0.1:0", "--log", log) as running:
        assert "INSECURE" in "\n".join(running.lines)
        assert "token" not in "\n".join(running.lines)
        with httpx.Client(base_url=running.url, timeout=60, trust_env=False) as client:
            assert client.get("/healthz").json()["status"] == "ok"
            with client.stream("GET", "/api/events") as answer:
                next(answer.iter_raw())
                code, rest = running.end(number)
    assert code == 0
    assert rest == "the host has ended; what was received is kept\n"
    assert '"event": "the host has started"' in log.read_text()
    assert not (store / "token").exists()


@pytest.mark.slow
def test_others_than_this_computer_sign_in_by_a_link_that_is_shown_once(tmp_path: Path) -> None:
    words = ("--store", tmp_path / "store", *QUIET, "--web", "0.0.0.0:0")
    with host(*words) as running:
        token = running.said(r"/#token=(\S+)")
        file = Path(running.said(r"the token: (\S+)") or "")
        assert file.read_text() == f"{token}\n"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        here = running.said(r"on this computer: (\S+)")
        assert httpx.get(f"{here}api/scans", trust_env=False, timeout=60).status_code == 200
        running.end(signal.SIGTERM)
    with host(*words) as running:
        assert running.said("(token=)") is None
        assert running.said(r"the token: (\S+)") == str(file)
        running.end(signal.SIGTERM)


@pytest.mark.slow
def test_a_copy_is_made_while_the_host_runs_and_opens_as_a_store(tmp_path: Path) -> None:
    store, copy = tmp_path / "store", tmp_path / "copy"
    with Store.open(store) as filled:
        filled.receive(RIG, SMALL.parcels())
    with host("--store", store, *QUIET, "--web", "127.0.0.1:0") as running:
        done = subprocess.run(
            command("backup", "--store", store, copy), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "1 scans, 1 maps" in done.stdout
        running.end(signal.SIGTERM)
    with Store.open(copy) as opened:
        assert [scan.id for scan in opened.scans().scans] == [SMALL.scan]


def test_a_store_in_use_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Store.open(tmp_path / "store"):
        line = refused(capsys, "--store", tmp_path / "store", *QUIET, "--web", "127.0.0.1:0")
    assert "in use" in line


@pytest.mark.parametrize("which", ["--web", "--listen"])
def test_a_port_in_use_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], which: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        places = {"--web": "127.0.0.1:0", "--listen": "tcp://127.0.0.1:0"}
        places[which] = places[which].replace(":0", f":{port}")
        line = refused(
            capsys,
            *("--store", tmp_path / "store", "--insecure"),
            *(word for pair in places.items() for word in pair),
        )
    assert str(port) in line
    assert which in line


def test_an_address_of_another_computer_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, "--store", tmp_path / "s", *QUIET, "--web", "192.0.2.1:0")
    assert "192.0.2.1:0 cannot be listened on" in line


def test_a_host_without_keys_says_how_to_make_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, "--store", tmp_path / "store", "--keys", tmp_path / "keys")
    assert "darkscan keys new" in line
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--web", "8080"),
        ("--web", "127.0.0.1:65536"),
        ("--web", "http://127.0.0.1:8080"),
        ("--listen", "127.0.0.1:5580"),
        ("--web-name", "no name"),
        ("--keep-tiles", "-1"),
        ("--keep-maps", "nan"),
        ("--tiles-limit", "inf"),
        ("--recordings", "/no/such/folder"),
        ("--token-file", "/no/such/folder/token"),
        ("--log", "/no/such/folder/log"),
    ],
)
def test_what_a_host_cannot_use_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    usual = {"--store": str(tmp_path / "s"), "--web": "127.0.0.1:0", "--listen": QUIET[2]}
    given = dict(zip(words[::2], words[1::2], strict=True))
    if not words:
        usual.pop("--store")
    options = [word for pair in {**usual, **given}.items() for word in pair]
    line = refused(capsys, "--insecure", *options)
    field = words[0] if words else "--store"
    assert field in line or words[1] in line


def test_without_its_libraries_the_command_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['fastapi'] = None\n"
        "from darkscan.cli.main import main\n"
        f"sys.exit(main(['host', '--store', {str(tmp_path / 's')!r}, '--insecure']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 2
    expected = "darkscan: error: host needs fastapi: pip install 'darkscan[host]'\n"
    assert done.stderr == expected
