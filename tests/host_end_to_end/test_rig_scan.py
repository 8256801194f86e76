"""A scan with a simulated rig, watched from the host: held, let go on, and seen to its end."""

import os
import signal
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.host_end_to_end.browsers import NEEDS_BROWSER, browsing, looking
from tests.host_end_to_end.computers import PATIENCE_S, Computer, host_at_work, wait_for
from tests.simulated_rig.rigs import NEEDS_COMPILER

pytestmark = [pytest.mark.slow, NEEDS_BROWSER, NEEDS_COMPILER]


def small_rig(path: Path) -> Path:
    """The shipped rig with frames of 512 px before an element of 5 x 3 of them."""
    text = (REPOSITORY / "configs" / "rig-area-simulated.toml").read_text(encoding="utf-8")
    for before, after in (
        ("size_mm = [55.0, 37.0]", "size_mm = [18.0, 11.0]"),
        ("width = 2048", "width = 512"),
        ("height = 2048", "height = 512"),
        (
            "[[5.0, 5.0, 0.10], [50.0, 5.0, 0.16], [5.0, 32.0, 0.06]]",
            "[[2.0, 2.0, 0.1], [16.0, 2.0, 0.1], [2.0, 9.0, 0.1]]",
        ),
        ("settle_s = 0.05", "settle_s = 1.0"),
    ):
        assert before in text
        text = text.replace(before, after)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_scan_is_watched_while_it_is_held_and_after_it_goes_on(tmp_path: Path) -> None:
    rig = Computer(tmp_path / "rig")
    file = small_rig(tmp_path / "rig.toml")
    with browsing() as browser, host_at_work(tmp_path) as host, looking(browser) as page:
        page.goto(host.page)
        command = ("run", "--rig", file, "--out", tmp_path / "out", "--record", tmp_path / "s.h5")
        to = ("--host", host.address, "--insecure")
        with rig.start(*command, *to, log="run.log") as scan:
            card = page.get_by_role("region", name="Scans that run").get_by_role("link").first
            card.click(timeout=PATIENCE_S * 1000)
            done = page.get_by_role("progressbar", name="Frames done")
            wait_for(lambda: done.get_attribute("aria-valuenow") != "0", lambda: scan.printed)
            os.kill(scan.process.pid, signal.SIGUSR1)
            page.get_by_text("held").first.wait_for(timeout=PATIENCE_S * 1000)
            os.kill(scan.process.pid, signal.SIGUSR1)
            page.locator(".state.complete").first.wait_for(timeout=PATIENCE_S * 1000)
            scan.wait()
        (kept,) = host.scans()
        assert (kept["origin"], kept["state"]) == ("run", "complete")
        details = host.get(f"scans/{kept['id']}")
        assert details["frames_not_pictured"] == 0
        assert details["picture"]["tiles"] > 0
