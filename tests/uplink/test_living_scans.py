"""Scans whose run is gone are told from those under way."""

import subprocess
import sys
from pathlib import Path

import pytest

from darkscan.pipeline.core.errors import StorageError
from darkscan.pipeline.host_link.messages import ScanEnded, decode_content
from darkscan.pipeline.host_link.outbox import Outbox
from darkscan.pipeline.running.living_scans import LivingScan
from darkscan.runs.delivery import tell_of_the_dead
from tests.host_link.contents import began, ended
from tests.stages.running import PATIENCE_S

SCAN, OTHER = "1" * 32, "2" * 32

_LIVES = """
import sys, time
from pathlib import Path
from darkscan.pipeline.running.living_scans import LivingScan
scan = LivingScan(Path(sys.argv[1]), sys.argv[2])
print("alive", flush=True)
time.sleep(600)
"""


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox.sqlite", "tcp://host:1")


def ends(outbox: Outbox) -> dict[str, str]:
    contents = [
        (parcel.scan, decode_content(parcel.content))
        for parcel in outbox.waiting(limit=100, limit_bytes=10**9)
    ]
    return {scan: each.outcome for scan, each in contents if isinstance(each, ScanEnded)}


def test_a_scan_dies_with_its_process_and_not_before(outbox: Outbox) -> None:
    outbox.put(SCAN, began())
    command = [sys.executable, "-c", _LIVES, str(outbox.path), SCAN]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"alive\n"
        tell_of_the_dead(outbox)
        assert ends(outbox) == {}
        process.kill()
        process.wait(PATIENCE_S)
    tell_of_the_dead(outbox)
    assert ends(outbox) == {SCAN: "died"}
    tell_of_the_dead(outbox)
    assert outbox.counts().parcels == 2


def test_a_scan_that_has_ended_is_left_alone(outbox: Outbox) -> None:
    with LivingScan(outbox.path, SCAN), pytest.raises(StorageError):
        LivingScan(outbox.path, SCAN)
    for scan in (SCAN, OTHER):
        outbox.put(scan, began())
    outbox.put(SCAN, ended())
    tell_of_the_dead(outbox)
    assert ends(outbox) == {SCAN: ended().outcome, OTHER: "died"}
    assert not list((outbox.path.parent / "living").iterdir())
