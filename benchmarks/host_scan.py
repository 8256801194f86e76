"""A scan that tells a host against one that does not: it must not be slower.

    python benchmarks/host_scan.py [--rounds 5] [--frames 3x3] [--recording scan.h5]

Replays run in turn: without a host, with one connected, with one that is not there. The frame
rate is that of the second half of a replay's frames, as its own trace says: an uplink takes about
a second of processor time to start, once in a scan, which a scan of few frames would feel. The
host, a store in memory, runs at low priority on this computer, where another one would have it
cost nothing. The processor time of the uplink's picture is measured by itself, and its bytes are
set against an element of 810 x 460 mm at 10 um.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from figures import in_turn, machine, ratio

from darkscan.drivers.recording import Recording
from darkscan.pipeline.host_link.messages import Tile
from darkscan.stages.uplink.picture import Picture, keep_freed_memory, pyramid_of

ALONE, CONNECTED, DEAD = "no host", "a host that is connected", "a host that is not there"
ELEMENT_MM, PITCH_UM = (810.0, 460.0), 10.0
NOWHERE = "tcp://127.0.0.1:9"
GB = 1e9

_work: dict[str, list[float]] = {}
"""Seconds of processor time of all of a run's processes, for each of its frames."""

_HOST = """
import os, sys, time
os.nice(10)
from darkscan.host.link import LinkServer
from darkscan.pipeline.host_link.messages import Receipt
def receive(rig, parcels):
    return [Receipt(id=parcel.id, outcome="stored") for parcel in parcels]
with LinkServer("tcp://127.0.0.1:0", receive=receive, hear=lambda *_: None, ring=None) as server:
    print(server.address, flush=True)
    sys.stdin.read()
"""


def main() -> None:
    """Prints frames/s of each, their ratios, and what the picture costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", default="3x3", help="of the simulated recording")
    parser.add_argument("--recording", type=Path, help="instead of a simulated one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["DARKSCAN_STATE"] = str(folder / "state")
        recording = arguments.recording or _simulated(folder, arguments.frames)
        host = subprocess.Popen(
            [sys.executable, "-c", _HOST],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert host.stdout is not None
        lines = map(str.strip, host.stdout)
        address = next(line for line in lines if line.startswith("tcp://"))
        try:
            ways = {
                ALONE: lambda: _replay(ALONE, recording, folder / "out"),
                CONNECTED: lambda: _replay(CONNECTED, recording, folder / "out", address),
                DEAD: lambda: _replay(DEAD, recording, folder / "out", NOWHERE),
            }
            figures = in_turn(ways, arguments.rounds)
        finally:
            host.communicate()
        print(machine())
        for way, values in figures.items():
            print(f"{way:<44}{statistics.median(values):>8.3f} frames/s")
        for way in (CONNECTED, DEAD):
            print(f"{way} x {ALONE} {ratio(figures, way, ALONE)}")
            more = [told - alone for told, alone in zip(_work[way], _work[ALONE], strict=True)]
            print(
                f"  processor time: {1000 * statistics.median(more):+.0f} ms a frame, start and end"
            )
        _print_picture(recording, arguments.rounds)


def _simulated(folder: Path, frames: str) -> Path:
    path = folder / "scan.h5"
    command = [sys.executable, "-m", "darkscan", "simulate", "--frames", frames, "--out", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return path


def _replay(way: str, recording: Path, out: Path, address: str | None = None) -> float:
    command = [sys.executable, "-m", "darkscan", "replay", str(recording), "--out", str(out)]
    if address is not None:
        command += ["--host", address, "--insecure"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = _moments(out)
    frames, half = len(done), len(done) // 2
    shutil.rmtree(out)
    work = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    _work.setdefault(way, []).append(work / frames)
    return (frames - half) / (done[-1] - done[half - 1])


def _moments(out: Path) -> list[float]:
    """When each frame was journaled, ascending, seconds."""
    events = json.loads((out / "trace.json").read_text())["traceEvents"]
    names = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    merging = [e for e in events if e["ph"] == "X" and names[e["pid"]] == "merging"]
    return sorted((event["ts"] + event["dur"]) / 1e6 for event in merging)


def _print_picture(recording: Path, rounds: int) -> None:
    """Processor time of a frame's tiles, revisions included, and bytes of the final ones."""
    cv2.setNumThreads(1)
    keep_freed_memory()
    with Recording(recording) as source:
        info, frames = source.info, source.frames
        pixels = [np.empty(info.frame_shape, info.dtype) for _ in frames]
        for index, each in enumerate(pixels):
            source.read_into(index, each)
    pyramid = pyramid_of(info)
    assert pyramid is not None
    seconds, size = [], 0
    for _ in range(rounds):
        sizes: dict[tuple[int, int, int], int] = {}

        def put(tiles: Sequence[Tile], sizes: dict[tuple[int, int, int], int] = sizes) -> None:
            sizes.update({(tile.level, tile.x, tile.y): len(tile.jpeg) for tile in tiles})

        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            picture = Picture(info, pyramid, frames, Path(folder))
            begun = time.process_time()
            for meta, each in zip(frames, pixels, strict=True):
                picture.show(meta, each, np.empty((0, 2)), put)
                picture.hand_on(put, revisions=2)
            seconds.append((time.process_time() - begun) / len(frames))
        size = sum(sizes.values())
    area = np.prod([side * 1000 / PITCH_UM for side in ELEMENT_MM])
    whole = size * float(area) / (pyramid.width_px * pyramid.height_px)
    print(f"picture: {1000 * statistics.median(seconds):.1f} ms of processor time a frame")
    print(f"picture of {ELEMENT_MM[0]:.0f} x {ELEMENT_MM[1]:.0f} mm: {whole / GB:.2f} GB")
    everywhere = "with level 0 of the whole element, had all of it defects: about four times that"
    print(f"({everywhere})")


if __name__ == "__main__":
    main()
