"""Cost against the size of a scan: time and memory of replays of 1, 10, 100 and 1000 frames.

    python benchmarks/size.py [--frame 2048] [--lengths 1 10 100 1000]

Prints, for each, the time from the first frame being classified to the last one being
journaled, what starting and writing the map take beside it, and the peak resident memory
(VmHWM) of every process, shared memory included. Linear and flat mean that a whole side
costs no more a frame than a patch. The frames are four simulated ones in turn.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from figures import machine, seconds_of_frames

from darkscan.drivers.recording import RecordingWriter
from darkscan.network.datasets.simulated import SimulatedImage
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo

_DIFFERENT = 4


def main() -> None:
    """Prints a row for each length."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frame", type=int, default=2048, help="frame side, pixels")
    parser.add_argument("--lengths", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument(
        "--rounds", type=int, default=1, help="of up to 100 frames, three times as many"
    )
    arguments = parser.parse_args()
    print(machine())
    print(
        "| frames | s | ms a frame | start-up and map, s | peak memory, MiB |\n" + "|---" * 5 + "|"
    )
    for frames in arguments.lengths:
        rounds = arguments.rounds * (1 if frames > 100 else 3)
        with tempfile.TemporaryDirectory() as folder:
            recording = Path(folder) / "scan.h5"
            _record(recording, frames, arguments.frame)
            runs = [_replay(recording, Path(folder) / f"out-{n}") for n in range(rounds)]
        seconds = statistics.median(run[0] for run in runs)
        around = statistics.median(run[1] for run in runs)
        peaks = {name: max(run[2].get(name, 0) for run in runs) for name in runs[0][2]}
        cells = ", ".join(f"{name} {size / 2**20:.0f}" for name, size in sorted(peaks.items()))
        each = 1e3 * seconds / frames
        print(f"| {frames} | {seconds:.2f} | {each:.1f} | {around:.2f} | {cells} |", flush=True)


def _record(path: Path, frames: int, side: int) -> None:
    """Rows of frames; what is on them repeats."""
    columns = min(frames, 25)
    step = side - 128
    size_px = ((columns - 1) * step + side, (-(-frames // columns) - 1) * step + side)
    size = (size_px[0] / 100, size_px[1] / 100)
    info = ScanInfo(
        element="simulated",
        element_size_mm=size,
        region_mm=(0.0, 0.0, *size),
        pitch_um=10.0,
        pixel_to_stage=PixelToStage.from_pitch(10.0),
        frame_shape=(side, side),
        pixel_type="uint8",
        bit_depth=8,
        frames_planned=frames,
    )
    metas = [
        FrameMeta(
            frame=number,
            strip=number // columns,
            position_mm=(number % columns * step / 100, number // columns * step / 100, 0.0),
            exposure_ns=number,
        )
        for number in range(frames)
    ]
    pixels = [SimulatedImage(910_000 + n, frame_px=side).load().pixels for n in range(_DIFFERENT)]
    with RecordingWriter(path, info, metas) as writer:
        for meta in metas:
            writer.write(meta, pixels[meta.frame % _DIFFERENT])


def _replay(recording: Path, out: Path) -> tuple[float, float, dict[str, int]]:
    """Seconds for the frames, seconds beside, and bytes of each process's largest VmHWM."""
    command = [sys.executable, "-m", "darkscan", "replay", str(recording), "--out", str(out)]
    peaks: dict[str, int] = {}
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        supervisor = psutil.Process(run.pid)
        while run.poll() is None:
            for process in (supervisor, *supervisor.children()):
                _note(process, peaks)
            time.sleep(0.2)
    whole = time.perf_counter() - start
    seconds = seconds_of_frames(out)
    mapped = json.loads((out / "defect-map.json").read_text())["ledger"]["mapped"]
    assert mapped > 0, "a run that maps nothing measures nothing"
    return seconds, whole - seconds, peaks


def _note(process: psutil.Process, peaks: dict[str, int]) -> None:
    try:
        command = process.cmdline()
        status = Path(f"/proc/{process.pid}/status").read_text()
    except (psutil.Error, OSError):
        return
    name = command[3] if "darkscan.stages" in command else "supervisor"
    lines = [line for line in status.splitlines() if line.startswith("VmHWM")]
    if lines:
        peaks[name] = max(peaks.get(name, 0), int(lines[0].split()[1]) * 1024)


if __name__ == "__main__":
    main()
