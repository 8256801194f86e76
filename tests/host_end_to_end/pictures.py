"""The pictures of the page in the documentation, of a real replay: some minutes.

python -m tests.host_end_to_end.pictures --out docs/images
"""

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from darkscan.drivers.recording import save_recording
from darkscan.simulation.element import SimulatedScan, simulate_element, size_of_patch
from tests.host_end_to_end.browsers import browsing, looking
from tests.host_end_to_end.computers import Computer, Host, host_at_work, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

_WIDTH, _QUALITY = 1440, 82
_DONE = 0.6


def main() -> None:
    """Takes all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    out: Path = parser.parse_args().out
    with tempfile.TemporaryDirectory(prefix="darkscan-pictures-") as name:
        folder = Path(name)
        rig = Computer(folder / "rig-1")
        with browsing() as browser, host_at_work(folder) as host, looking(browser) as page:
            earlier = _record(folder / "earlier.h5", "clean", 12, (3, 2), "witness 12")
            rig.darkscan(*_replay(rig, earlier, host, "max"))
            later = _record(folder / "later.h5", "optic", 3, (8, 5), "FS-2041")
            with rig.start(*_replay(rig, later, host, "recorded"), log="replay.log") as replay:
                wait_for(lambda: len(host.scans()) == 2, lambda: replay.printed)
                scan = f"{host.page}/scan/{host.scans()[0]['id']}"
                page.goto(f"{scan}/live")
                wait_for(lambda: _done(host) > _DONE, lambda: replay.printed, 600)
                _take(page, out / "host-live.jpg")
                page.goto(host.page)
                _take(page, out / "host-list.jpg")
                replay.process.wait(600)
            page.goto(scan)
            _take(page, out / "host-element.jpg")
            _review(page)
            _take(page, out / "host-element-review.jpg")
            page.goto(f"{scan}#{_on_a_scratch(host)}")
            page.reload()
            _take(page, out / "host-element-pixels.jpg")
            page.goto(f"{scan}/performance")
            _take(page, out / "host-performance.jpg")


def _record(path: Path, preset: str, seed: int, frames: tuple[int, int], element: str) -> Path:
    truth = simulate_element(size_of_patch(frames), seed, preset)
    save_recording(path, SimulatedScan(truth, frame_s=2.0, element=element))
    return path


def _replay(rig: Computer, recording: Path, host: Host, speed: str) -> tuple[object, ...]:
    out = rig.folder / recording.stem
    to = ("--host", host.address, "--insecure")
    return ("replay", recording, "--out", out, "--speed", speed, *to)


def _done(host: Host) -> float:
    frames = host.scans()[0]["frames"]
    return float(frames["mapped"] / frames["planned"])


def _on_a_scratch(host: Host) -> str:
    """A link to single pixels of a short clear scratch."""
    found = host.get(f"scans/{host.scans()[0]['id']}/map")["defects"]
    clear = [each for each in found if each["kind"] == "scratch" and 1 < each["length_mm"] < 8]
    best = max(clear, key=lambda each: each["contrast"] or 0)
    x, y = best["centreline"][len(best["centreline"]) // 2]
    return f"x={x:.4f}&y={y:.4f}&z=900&d={best['id']}"


def _review(page: "Page") -> None:
    """Somebody reviews the longest scratches."""
    page.get_by_role("listbox", name="Defects").get_by_role("option").first.wait_for()
    page.keyboard.press("j")
    page.keyboard.press("c")
    page.get_by_label("Your name").fill("M. Weber")
    page.keyboard.press("Enter")
    for verdict in "crc":
        page.wait_for_timeout(500)
        page.keyboard.press("j")
        page.keyboard.press(verdict)
    page.wait_for_timeout(500)
    page.keyboard.press("j")
    page.keyboard.press("f")


def _take(page: "Page", path: Path) -> None:
    """Waits until pictures are there, and keeps what is seen, smaller."""
    page.wait_for_load_state("load")
    page.wait_for_timeout(4000)
    image = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    height, width = image.shape[:2]
    size = (_WIDTH, round(height * _WIDTH / width))
    smaller = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", smaller, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    path.write_bytes(data.tobytes())
    print(path)  # noqa: T201 - for people


if __name__ == "__main__":
    main()
