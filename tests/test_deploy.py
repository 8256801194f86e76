"""The units in deploy/ call commands as they are, and systemd finds no fault in them."""

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from darkscan.cli.main import build_parser
from tests.conftest import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
SERVICES = sorted(DEPLOY.glob("*.service"))
PROGRAM = "/opt/darkscan/.venv/bin/darkscan"


def commands(unit: Path) -> list[list[str]]:
    """The command lines of a unit that start darkscan, within a shell's words too."""
    lines = [
        line.partition("=")[2]
        for line in unit.read_text().splitlines()
        if line.startswith("ExecStart=")
    ]
    inner = [shlex.split(line)[-1] if "/bin/sh" in line else line for line in lines]
    words = [shlex.split(line.removeprefix("exec ")) for line in inner]
    return [line for line in words if line[0] == PROGRAM]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)
def test_a_unit_calls_darkscan_as_it_can_be_called(unit: Path) -> None:
    (command,) = commands(unit)
    arguments = build_parser(command[1]).parse_args(command[1:])
    assert callable(arguments.run)


@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)
def test_a_unit_is_named_on_the_page_and_stands_before_its_timer(unit: Path) -> None:
    assert unit.name in (DEPLOY / "README.md").read_text()
    timer = unit.with_suffix(".timer")
    reader = configparser.ConfigParser(strict=False, interpolation=None)
    if timer.exists():
        reader.read(timer)
        assert reader["Install"]["WantedBy"] == "timers.target"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_finds_no_fault_in_the_units() -> None:
    units = [*SERVICES, *sorted(DEPLOY.glob("*.timer"))]
    done = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False
    )
    faults = [
        line for line in done.stderr.splitlines() if f"Command {PROGRAM} is not exec" not in line
    ]
    assert not faults
