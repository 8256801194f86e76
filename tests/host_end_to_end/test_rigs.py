"""Rigs with keys: refused, let in, two at once, cut off, killed; nothing is lost, nobody waits."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from darkscan.pipeline.access.keys import KeyRing
from tests.host_end_to_end.computers import Computer, Host, host_at_work, wait_for
from tests.host_end_to_end.scans import record_scan

pytestmark = pytest.mark.slow


def introduced(folder: Path, name: str, host_key: str) -> tuple[Computer, str]:
    """A rig that allows the host, and its key; the host does not know it yet."""
    rig = Computer(folder / name)
    key = rig.new_key()
    rig.darkscan("keys", "allow", host_key, "host")
    return rig, key


def replay(rig: Computer, recording: Path, host: Host, *options: object) -> tuple[object, ...]:
    """The command that replays to a host."""
    out = rig.folder / "out"
    return ("replay", recording, "--out", out, "--host", host.address, *options)


def states(host: Host) -> dict[str, str]:
    return {f"{scan['rig']} {scan['element']}": scan["state"] for scan in host.scans()}


def test_a_key_that_is_not_allowed_is_one_line_on_both_sides_and_costs_nothing(
    tmp_path: Path,
) -> None:
    recording = record_scan(tmp_path / "scan.h5", element="plate")
    host_key = Computer(tmp_path / "host").new_key()
    rig, rig_key = introduced(tmp_path, "rig", host_key)
    with host_at_work(tmp_path, insecure=False) as host:
        with rig.start(*replay(rig, recording, host), log="replay.log") as program:
            wait_for(lambda: rig_key in host.program.printed, lambda: host.program.printed)
            program.wait()  # the scan itself went on, and is complete
        lines = [line for line in host.program.printed.splitlines() if rig_key in line]
        assert len(lines) == 1
        assert "keys allow" in lines[0]
        assert "key" in program.printed.splitlines()[-1]
        assert "darkscan send" in program.printed.splitlines()[-1]
        assert host.scans() == []
        assert (rig.folder / "out" / "defect-map.json").exists()

        host.computer.darkscan("keys", "allow", rig_key, "rig-1")
        rig.darkscan("send", "--host", host.address)
        assert states(host) == {"rig-1 plate": "complete"}
        assert "nothing waits" in rig.darkscan("doctor", check=None)


def test_two_rigs_send_to_one_host_at_once(tmp_path: Path) -> None:
    host_key = Computer(tmp_path / "host").new_key()
    allowed = KeyRing(tmp_path / "host" / "config" / "keys")
    with host_at_work(tmp_path, insecure=False) as host:
        with ExitStack() as running:
            programs = []
            for number in (1, 2):
                rig, key = introduced(tmp_path, f"rig-{number}", host_key)
                allowed.allow(key, f"rig-{number}")
                recording = record_scan(
                    tmp_path / f"scan-{number}.h5", seed=number, element=f"plate {number}"
                )
                program = rig.start(*replay(rig, recording, host), log="replay.log")
                programs.append(running.enter_context(program))
            for program in programs:
                program.wait()
        assert states(host) == {"rig-1 plate 1": "complete", "rig-2 plate 2": "complete"}


def test_a_host_that_is_away_gets_all_when_it_is_back(tmp_path: Path) -> None:
    recording = record_scan(tmp_path / "scan.h5", element="plate")
    rig = Computer(tmp_path / "rig")
    with host_at_work(tmp_path) as host:
        host.program.kill()
        said = rig.darkscan(*replay(rig, recording, host, "--insecure"))
        assert "darkscan send" in said
        host.start()
        rig.darkscan("send", "--host", host.address, "--insecure")
        assert list(states(host).values()) == ["complete"]
        rig.darkscan("send", rig.folder / "out", "--host", host.address, "--insecure")
        assert list(states(host).values()) == ["complete"]  # it is the same scan


def test_a_host_that_is_killed_during_a_scan_has_all_of_it_in_the_end(tmp_path: Path) -> None:
    recording = record_scan(tmp_path / "scan.h5", frame_s=0.5, element="plate")
    rig = Computer(tmp_path / "rig")
    with host_at_work(tmp_path) as host:
        options = ("--insecure", "--speed", "recorded")
        program = rig.start(*replay(rig, recording, host, *options), log="replay.log")
        wait_for(
            lambda: any(scan["frames"]["mapped"] for scan in host.scans()), lambda: program.printed
        )
        host.program.kill()
        host.start()
        program.wait()
        wait_for(lambda: list(states(host).values()) == ["complete"], host.scans)
        (scan,) = host.scans()
        assert scan["frames"]["mapped"] == scan["frames"]["planned"]


def test_a_run_that_is_killed_is_said_to_have_died(tmp_path: Path) -> None:
    recording = record_scan(tmp_path / "scan.h5", frame_s=2.0, element="plate")
    rig = Computer(tmp_path / "rig")
    with host_at_work(tmp_path) as host:
        options = ("--insecure", "--speed", "recorded")
        program = rig.start(*replay(rig, recording, host, *options), log="replay.log")
        wait_for(
            lambda: any(scan["frames"]["mapped"] for scan in host.scans()), lambda: program.printed
        )
        program.kill()
        rig.darkscan("send", "--host", host.address, "--insecure")
        assert list(states(host).values()) == ["died"]
