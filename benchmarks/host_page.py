"""How fast the element's view is in a browser without a GPU: 100 000 defects on one side.

    python benchmarks/host_page.py [--store DIR] [--url URL] [--rounds N]

Debian's chromium draws by software. Measured: the time from opening the page to its first
picture with all defects; frames a second while the picture is dragged along, at several zooms;
the time from a change of a filter to the frame that shows it. Medians over rounds. A floor is
taken in the same run: the same page's frames while nothing moves. Beside the times stands what
the page's own thread worked, by the processor's clock: on a busy machine that is what to trust.
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import httpx
from playwright.sync_api import CDPSession, Page, ViewportSize, sync_playwright

from darkscan.host.store import RigName, Store
from darkscan.host.web import WebSettings
from tests.host_examples import ExampleScan
from tests.host_web.example_server import LARGE, serving

SCREEN = ViewportSize(width=1920, height=1080)
ZOOMS = (2.0, 5.0, 12.0, 40.0, 150.0, 800.0)
"""Screen pixels in a millimetre: from nearly the whole side to single pixels."""

_STEPS = 60

# Frames' times, ms, while the picture is dragged along by the mouse's events, once a frame.
_DRAG = """async ({x, y, steps}) => {
  const target = document.querySelector(".openseadragon-canvas");
  const say = (kind, x, y, buttons) => target.dispatchEvent(new PointerEvent(kind, {
    bubbles: true, cancelable: true, clientX: x, clientY: y, pointerId: 1, isPrimary: true,
    pointerType: "mouse", button: kind === "pointermove" ? -1 : 0, buttons }));
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const times = [];
  say("pointerenter", x, y, 0);
  say("pointerdown", x, y, 1);
  let before = await frame();
  for (let step = 1; step <= steps; step++) {
    const away = step <= steps / 2 ? step : steps - step;
    say("pointermove", x - 11 * away, y - 5 * away, 1);
    const now = await frame();
    times.push(now - before);
    before = now;
  }
  say("pointerup", x, y, 0);
  return times;
}"""

_STILL = """async (steps) => {
  const times = [];
  let before = await new Promise((done) => requestAnimationFrame(done));
  for (let step = 0; step < steps; step++) {
    const now = await new Promise((done) => requestAnimationFrame(done));
    times.push(now - before);
    before = now;
  }
  return times;
}"""

# From the click on a kind to the second frame after it: by then it is on the screen.
_FILTER = """async () => {
  const times = [];
  for (let turn = 0; turn < 10; turn++) {
    const chip = document.querySelectorAll(".defect-filters .chips .chip")[turn % 4];
    await new Promise((done) => setTimeout(done, 400));
    const before = performance.now();
    chip.click();
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    times.push(performance.now() - before);
  }
  return times;
}"""


@contextmanager
def _host(store: Path | None) -> Iterator[str]:
    """The address of a host that keeps the large example."""
    with (
        tempfile.TemporaryDirectory() if store is None else nullcontext(str(store)) as folder,
        Store.open(Path(folder)) as kept,
    ):
        if not any(scan.element == LARGE.element for scan in kept.scans().scans):
            kept.receive(RigName("bench"), LARGE.parcels(tiles=True))
        with serving(kept, Path(folder), WebSettings(("127.0.0.1", 0))) as server:
            yield f"http://127.0.0.1:{server.address[1]}"


def _scan_of(url: str, example: ExampleScan) -> str:
    scans = httpx.get(f"{url}/api/scans", trust_env=False).json()["scans"]
    return str(next(scan["id"] for scan in scans if scan["element"] == example.element))


def _worked(session: CDPSession) -> float:
    """Processor time of the page's main thread so far, seconds."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))


def _first_view(page: Page, address: str) -> float:
    """Seconds from opening the page to the frame with all defects in it."""
    page.goto("about:blank")
    page.goto(address, wait_until="commit")
    page.wait_for_function("document.querySelector('.defect-layer')?.dataset.rows > 90000")
    # Time since the page's navigation began, by the browser's own clock.
    seconds: float = page.evaluate(
        "new Promise((done) => requestAnimationFrame(() => done(performance.now() / 1000)))"
    )
    return seconds


def _frames_a_second(times: list[float]) -> float:
    return 1000 / statistics.median(times)


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", type=Path, help="kept, as making the example takes minutes")
    parser.add_argument("--url", help="a host that runs already and keeps the large example")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with (
        nullcontext(arguments.url) if arguments.url else _host(arguments.store) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        # The policy would forbid what waits for the page here.
        page = browser.new_page(viewport=SCREEN, bypass_csp=True)
        address = f"{url}/scan/{_scan_of(url, LARGE)}"
        _measure(page, address, arguments.rounds)
        browser.close()


def _measure(page: Page, address: str, rounds: int) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    first, worked = [], []
    for _ in range(rounds):
        before = _worked(session)
        first.append(_first_view(page, address))
        worked.append(_worked(session) - before)
    print(
        f"first view              {statistics.median(first):6.2f} s, "
        f"{statistics.median(worked):.2f} s of work"
    )
    page.wait_for_timeout(1500)
    floor = _frames_a_second(page.evaluate(_STILL, 60))
    print(f"still                   {floor:6.1f} frames/s")
    for zoom in (None, *ZOOMS):
        _drag(page, session, zoom, rounds, floor)
    page.keyboard.press("s")
    print("with a contrast of its own:")
    _drag(page, session, ZOOMS[2], rounds, floor)
    page.keyboard.press("0")
    page.wait_for_timeout(1500)
    before = _worked(session)
    filtering = [time for _ in range(rounds) for time in page.evaluate(_FILTER)]
    each = 1000 * (_worked(session) - before) / len(filtering)
    worst = statistics.quantiles(filtering, n=20)[-1]
    print(
        f"filter                  {statistics.median(filtering):6.1f} ms, 95 % {worst:.1f} ms; "
        f"{each:.0f} ms of work each"
    )


def _drag(page: Page, session: CDPSession, zoom: float | None, rounds: int, floor: float) -> None:
    if zoom is not None:
        page.evaluate("(z) => { location.hash = `#x=405&y=230&z=${z}` }", zoom)
    page.wait_for_timeout(2500)
    before = _worked(session)
    rates = [
        _frames_a_second(page.evaluate(_DRAG, {"x": 960, "y": 560, "steps": _STEPS}))
        for _ in range(rounds)
    ]
    worked = 1000 * (_worked(session) - before) / rounds / _STEPS
    name = "whole side" if zoom is None else f"{zoom:g} px/mm"
    rate = statistics.median(rates)
    print(
        f"dragged, {name:14} {rate:6.1f} frames/s, {rate / floor:4.2f} of still; "
        f"{worked:.1f} ms of work a frame"
    )


if __name__ == "__main__":
    main()
