"""Memory against the length of a scan: 50 and 500 frames.

    python benchmarks/memory.py [--frame 1024] [--lengths 50 500]

Prints the peak resident memory (VmHWM) of every process of a replay, shared memory
included. Flat means that a whole element needs no more than a patch.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from figures import machine

from darkscan.drivers.recording import RecordingWriter
from darkscan.pipeline.geometry import PixelToStage
from darkscan.pipeline.scan import FrameMeta, ScanInfo


def main() -> None:
    """Prints a row for each length."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frame", type=int, default=1024, help="frame side, pixels")
    parser.add_argument("--lengths", type=int, nargs="+", default=[50, 500])
    arguments = parser.parse_args()
    print(machine())
    peaks = {}
    for frames in arguments.lengths:
        with tempfile.TemporaryDirectory() as folder:
            recording = Path(folder) / "scan.h5"
            _record(recording, frames, arguments.frame)
            peaks[frames] = _peaks(recording, Path(folder) / "out")
        cells = ", ".join(f"{name} {size / 2**20:.0f}" for name, size in peaks[frames].items())
        print(f"{frames:>6} frames, MiB: {cells}")
    shortest, longest = (peaks[arguments.lengths[i]] for i in (0, -1))
    growth = {name: longest[name] / shortest[name] for name in shortest}
    print("growth:", ", ".join(f"{name} x{value:.2f}" for name, value in growth.items()))


def _record(path: Path, frames: int, side: int) -> None:
    """A strip of frames of noise; what is on them does not matter here."""
    columns = 10
    step = side - 128
    size_px = ((columns - 1) * step + side, (-(-frames // columns) - 1) * step + side)
    size = (size_px[0] / 100, size_px[1] / 100)
    info = ScanInfo(
        element="noise",
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
    rng = np.random.default_rng(0)
    with RecordingWriter(path, info, metas) as writer:
        for meta in metas:
            writer.write(meta, rng.integers(15, 30, (side, side), dtype=np.uint8))


def _peaks(recording: Path, out: Path) -> dict[str, int]:
    """Bytes of the largest VmHWM seen of each process of a replay."""
    command = [sys.executable, "-m", "darkscan", "replay", str(recording), "--out", str(out)]
    peaks: dict[str, int] = {}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        supervisor = psutil.Process(run.pid)
        while run.poll() is None:
            for process in (supervisor, *supervisor.children()):
                _note(process, peaks)
            time.sleep(0.05)
    return peaks


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
