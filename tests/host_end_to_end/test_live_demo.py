"""``darkscan demo --live``: begins by itself, ends by Ctrl-C, and leaves nothing running."""

import re
import signal
from pathlib import Path

import httpx
import pytest

from tests.host_end_to_end.computers import PATIENCE_S, Computer, wait_for

pytestmark = pytest.mark.slow


def test_the_live_demo_shows_a_scan_and_ends_by_an_interrupt(tmp_path: Path) -> None:
    computer = Computer(tmp_path)
    with computer.start("demo", "--live", "--out", tmp_path / "live", log="demo.log") as demo:
        wait_for(lambda: "found" in demo.printed, lambda: demo.printed)
        match = re.search(r"page: (http://127\.0\.0\.1:\d+/) ", demo.printed)
        assert match is not None
        (scan,) = httpx.get(f"{match[1]}api/scans").json()["scans"]
        assert scan["state"] == "complete"
        assert f"{match[1]}scan/{scan['id']}" in demo.printed
        demo.process.send_signal(signal.SIGINT)
        demo.process.wait(PATIENCE_S)
        assert demo.process.returncode == 0, demo.printed
        assert "is kept" in demo.printed
    with pytest.raises(httpx.TransportError):
        httpx.get(match[1])
    assert "the host has ended" in (tmp_path / "live" / "host.log").read_text()


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    computer = Computer(tmp_path / "user")
    said = computer.darkscan("demo", "--live", "--out", tmp_path, check=2)
    assert "holds no earlier live demo" in said
