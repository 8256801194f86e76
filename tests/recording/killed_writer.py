"""Records the small scan without end to PATH and says after which frame it stops.

Run as ``python -m tests.recording.killed_writer PATH FRAMES DELAY_S``; the test kills it.
"""

import sys
import time
from pathlib import Path

from darkscan.drivers.recording import RecordingWriter
from tests.recording.samples import measured, picture, small_plan, small_scan


def main(path: Path, frames: int, delay_s: float) -> None:
    plan = small_plan(frames)
    writer = RecordingWriter(path, small_scan(frames=frames), plan)
    for meta in plan:
        writer.write(measured(meta), picture(meta.frame))
        sys.stdout.write(f"{meta.frame}\n")
        sys.stdout.flush()
        time.sleep(delay_s)
    time.sleep(60)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
